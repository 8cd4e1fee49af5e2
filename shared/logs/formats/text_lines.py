"""Plain text logs: lines that name their numbers, as "step 100 | loss 0.4", and the progress lines of tqdm and Keras.

Each line with a loss is read by its pattern: the line with its numbers taken out. A pattern is worked out once, from
the first line of its kind, and then compared with the lines that follow.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shared.logs.formats import names
from shared.logs.formats.cells import CHUNK, Columns
from shared.logs.formats.source import LEFT_OUT, LogFile
from shared.logs.formats.table import Table
from shared.system import files

FORM = "a text log"
STEP, EPOCH, TOTAL, EXAMPLES = "step", names.EPOCH, "total of steps", "example"
OURS = frozenset((STEP, EPOCH, TOTAL, EXAMPLES))
MOST_PATTERNS = 64
MOST_UNREAD = 2_000  # kinds of lines without a loss that are looked at one by one
LONGEST = 2_000  # characters of a line that is read
MOST_FIRST = 500  # lines that tell whether it is a text log
MOST_DIGITS = 16  # of the number of steps in an epoch
SKIPPED = "skipped"
KERAS, TQDM = "Keras", "tqdm"  # whose progress lines
_PLAIN = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?"
_VALUE = rf"{_PLAIN}|[+-]?(?:nan|infinity|inf)"
_FIRST_WORDS = (
    "train|training|trn|tr|val|valid|validation|test|eval|dev|global|learning|running|average|avg|mean|total|epoch|step|"
    "batch|mini|smoothed"
)
# A name, and its number: "loss: 0.4", "loss=0.4", "'loss': 0.4", "train loss 0.4", "Loss 6.91 (6.95)".
_NAMED = re.compile(
    rf"(?<![\w.\-/])(?P<name>(?:(?:{_FIRST_WORDS})[ _])?[A-Za-z_][A-Za-z_0-9/.\-]*?(?:@\d+)?)['\"]?"
    rf"(?:\s*[:=#]\s*|\s+)?(?:(?:tf\.)?tensor\(|array\(|np\.float\d+\()?[\[(]?\s*['\"]?(?P<value>{_VALUE})(?![\w.%]*[A-Za-z%])(?:\s*/\s*(?P<total>\d+))?",
    re.IGNORECASE,
)
# What has no name: Keras's and tqdm's "469/938", and "[epoch, step]", "[640/60000 (1%)]", "[epoch/5][step/938]".
_BAR = re.compile(r"(?:^|\|)\s*(?P<step>\d+)/(?P<total>\d+)\s(?=\s*[\[━╸╺─=.>]|(?:- )?\d+m?s\b)")
_PAIR = re.compile(r"^\W*\[\s*(?P<epoch>\d+)\s*,\s*(?P<step>\d+)\s*\]")
_PAIRS = re.compile(r"\[\s*(?P<epoch>\d+)(?:/\d+)?\s*\]\s*\[\s*(?P<step>\d+)\s*/\s*(?P<total>\d+)\s*\]")
_EXAMPLES = re.compile(r"(?:^|[\d.]\s+)\[\s*(?P<example>\d+)\s*/\s*(?P<total>\d+)(?:\s*\(\s*\d+(?:\.\d+)?%\))?\s*\]")
_NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DIGITS = re.compile(_VALUE)
_MATTERS = re.compile("loss|epoch", re.IGNORECASE)
_NO_MEASURE = r"(?:(?!loss|acc).)*"  # a line with more measures is of another kind
_AGAIN = re.compile(r"[\b\r]+")


@dataclass(frozen=True)
class _Pattern:
    """A kind of line: what stands between its numbers, and which of the numbers are called how."""

    expression: re.Pattern[str]
    names: tuple[str, ...]
    shown: str
    bar: str | None  # whose progress line it is
    has_loss: bool
    kept: frozenset[str]  # the names that a log of any size is read with


def named_in(line: str) -> tuple[dict[tuple[int, int], str], str | None]:
    """Where in a line the numbers are that it names, each with its name, and whose progress line it is."""
    found: dict[tuple[int, int], str] = {}
    bar = _BAR.search(line)
    for kind in (bar, _PAIR.search(line), _PAIRS.search(line), None if bar else _EXAMPLES.search(line)):
        for name, text in kind.groupdict().items() if kind else ():
            if text is not None and kind:
                found.setdefault(kind.span(name), TOTAL if name == "total" else name)
        if kind and found:
            break
    taken = {*found.values()}
    for named in _NAMED.finditer(line):
        name, span = named["name"], named.span("value")
        if any(start < span[1] and span[0] < end for start, end in found) or not _is_word(name):
            continue
        kind_of = STEP if names.is_step(name) or names.is_batch(name) else EPOCH if names.is_epoch(name) else name
        if named["total"] and kind_of not in (STEP, EPOCH):
            continue
        if kind_of in taken or (kind_of == EXAMPLES and EXAMPLES in taken):
            continue
        taken.add(kind_of)
        found[span] = kind_of
        if kind_of == STEP and named["total"] and TOTAL not in taken:
            found[named.span("total")] = TOTAL
            taken.add(TOTAL)
    return found, bar and (TQDM if "|" in bar[0] else KERAS)


def _is_word(name: str) -> bool:
    return name.lower().rstrip(".") not in ("e", "in", "at", "of", "on", "is", "to", "s", "ms", "for", "took", "after")


def _made(line: str, found: dict[tuple[int, int], str], bar: str | None) -> _Pattern:
    """An expression for all lines that differ from this one in their numbers and their blanks."""
    parts: list[str] = []
    shown: list[str] = []
    at = 0
    order: list[str] = []
    for span in sorted(found):
        between = line[at : span[0]]
        parts += [_after_a_bar(between) if bar and at else _between(between), f"({_VALUE})"]
        shown += [line[at : span[0]], f"<{found[span]}>"]
        order.append(found[span])
        at = span[1]
    parts.append(_NO_MEASURE if bar else _between(line[at:]))
    expression = re.compile("".join(parts), re.IGNORECASE)
    told = " ".join(_DIGITS.sub("#", "".join(shown)).split())
    has_loss = any(names.rank(name) is not None or names.has_loss(name) for name in order)
    kept = frozenset(name for name in order if name in OURS or names.is_known(name))
    return _Pattern(expression, tuple(order), told[:200], bar, has_loss, kept)


def _between(text: str) -> str:
    """What stands between two numbers that are read: other numbers there may be any, and so may blanks."""
    made = []
    for piece in re.split(rf"((?<![A-Za-z_]){_PLAIN}|\s+)", text):
        if not piece:
            continue
        made.append(r"\s*" if piece.isspace() else r"[+\-\d.eE]+" if re.fullmatch(_PLAIN, piece) else re.escape(piece))
    return "".join(made)


def _after_a_bar(text: str) -> str:
    """The name of a number in a progress line; the bar and the times before it may be any."""
    name = re.search(r"/\Z|[\w.\-/]*\W{0,3}\Z", text)
    return rf"{_NO_MEASURE}?{re.escape(name[0] if name else '')}"


class _Patterns:
    """The kinds of lines that were met; the last one is tried first."""

    def __init__(self) -> None:
        self._known: list[_Pattern] = []
        self._unread = 0  # lines of no known kind that were looked at

    def read(self, line: str) -> tuple[_Pattern, dict[str, object]] | None:
        """The kind of a line, and its numbers by name; None where it names none."""
        for index, pattern in enumerate(self._known):
            if match := pattern.expression.fullmatch(line):
                if index:
                    self._known.insert(0, self._known.pop(index))
                return pattern, dict(zip(pattern.names, match.groups(), strict=True))
        if self._unread >= MOST_UNREAD and not _MATTERS.search(line):
            return None
        spans, bar = named_in(line)
        found = _made(line, spans, bar) if spans else None
        self._unread += found is None or not found.has_loss
        if found is None:
            return None
        if len(self._known) < MOST_PATTERNS:
            self._known.append(found)
        return found, {name: line[slice(*span)] for span, name in sorted(spans.items())}


def looks_like(file: LogFile) -> bool:
    """Whether one of the first lines names a loss and its number."""
    return any(pattern.has_loss for pattern in _first_patterns(file))


def _first_patterns(file: LogFile) -> Iterator[_Pattern]:
    for whole in file.lines[:MOST_FIRST]:
        for line in _pieces(whole):
            spans, bar = named_in(line)
            if spans:
                yield _made(line, spans, bar)


def _pieces(whole: str) -> Iterator[str]:
    """What is written over one another on a line, piece by piece, without colours."""
    if "\x1b" in whole:
        whole = _NOISE.sub("", whole)
    for piece in _AGAIN.split(whole) if "\b" in whole else (whole,):
        line = piece.strip()
        if line and len(line) <= LONGEST:
            yield line


def read(file: LogFile) -> Table:
    """Read all lines with a loss. What the others name is read too, where it has a name."""
    reader = _Reader(file)
    reader.read()
    if reader.keras and not reader.whole_epochs:
        reader = _Reader(file, running=True)
        reader.read()
    pattern, count = reader.counts.most_common(1)[0] if reader.counts else ("", 0)
    others = sum(reader.counts.values()) - count
    notes = [
        f"Its lines are read as {pattern!r}."
        if not others
        else f"{count:,} lines are read as {pattern!r}, {others:,} in other ways."
    ]
    if reader.examples:
        notes.append("Its steps count examples.")
    if reader.bars:
        notes.append("Progress lines are written when time has passed: which steps they show differs from run to run.")
    form = FORM
    if reader.whole_epochs:
        form = "Keras's progress lines"
        notes = [notes[0], "Of each epoch the last line is read: the mean over all its batches."]
    elif reader.bars:
        form = "tqdm's progress lines"
    if file.is_large:
        notes.append(LEFT_OUT)
    return Table(
        form,
        reader.columns.done(),
        reader.place,
        sparse=True,
        silent=reader.examples,
        taken=names.EPOCH if reader.keras else "running mean" if reader.running else None,
        epoch_length=reader.totals.pop() if len(reader.totals) == 1 else None,
        notes=tuple(notes),
    )


class _Reader:
    """Goes through the lines; keeps the epoch and the step that were named last."""

    def __init__(self, file: LogFile, *, running: bool = False) -> None:
        self._file = file
        self.columns = Columns()
        self.counts: Counter[str] = Counter()
        self.totals: set[int] = set()
        self.examples = self.bars = False
        first = list(_first_patterns(file))
        with_loss = [pattern for pattern in first if pattern.has_loss]
        self._with_steps = any({STEP, EXAMPLES} & {*pattern.names} for pattern in with_loss)
        self.keras = not running and any(pattern.bar == KERAS for pattern in with_loss)
        self.running = running
        self.whole_epochs = False
        # tqdm's set_postfix shows the loss of a step before the step is counted; at the end that loss is shown again.
        self._ahead = False
        self._lines = array("l")

    def place(self, row: int) -> str:
        return f"line {self._lines[row]}"

    def read(self) -> None:
        """Read all rows, many at a time."""
        rows = self._rows()
        while chunk := list(islice(rows, CHUNK)):
            self.columns.add_records(chunk)

    def _rows(self) -> Iterator[dict[str, object]]:
        """A row for each line that counts; a progress line is written again and again, and its last counts."""
        waiting: tuple[object, int, dict[str, object]] | None = None
        for number, pattern, record in self._records():
            key = None if pattern.bar is None else self._key_in_a_bar(pattern, record)
            if key == SKIPPED:
                continue
            if waiting and key is not None and waiting[0] == key:
                waiting[2].update(record)
                continue
            if waiting:
                yield self._row(*waiting[1:])
            waiting = None if key is None else (key, number, record)
            if key is None:
                yield self._row(number, record)
        if waiting:
            yield self._row(*waiting[1:])

    def _key_in_a_bar(self, pattern: _Pattern, record: dict[str, object]) -> object:
        """What a progress line is of; SKIPPED where it is not read: of Keras's, only the whole epoch's count."""
        step, total = record.get(STEP), record.get(TOTAL)
        if self.keras:
            if step != total:
                return SKIPPED
            self.whole_epochs = True
            record.pop(STEP, None)
            return record.get(EPOCH), total
        self.bars = True
        self._ahead = self._ahead or (pattern.has_loss and step == "0")
        return SKIPPED if self._ahead and step == total else (record.get(EPOCH), step, total)

    def _row(self, number: int, record: dict[str, object]) -> dict[str, object]:
        total = record.pop(TOTAL, None)
        if total is not None and len(self.totals) <= 1 and len(str(total)) < MOST_DIGITS:
            self.totals.add(int(str(total)))
        self._lines.append(number)
        return record

    def _records(self) -> Iterator[tuple[int, _Pattern, dict[str, object]]]:
        """The number of each line that names a number, its pattern, and its numbers by name."""
        patterns, epoch, step, large = _Patterns(), None, None, self._file.is_large
        for number, whole in enumerate(files.read_lines(self._file.path), 1):
            for line in _pieces(whole):
                if (found := patterns.read(line)) is None:
                    continue
                pattern, record = found
                if large and len(pattern.kept) < len(record):
                    record = {name: cell for name, cell in record.items() if name in pattern.kept}
                measures = not record.keys() <= OURS
                epoch = record.get(EPOCH, epoch)
                if epoch is not None:
                    record[EPOCH] = epoch
                step = self._with_step(pattern, record, step)
                if measures:
                    yield number, pattern, record

    def _with_step(self, pattern: _Pattern, record: dict[str, object], step: object) -> object:
        """The step of this line, or the one before: that of a line that names none.

        Among losses by step, a loss without one is of an epoch; a measure without one is of the step before.
        """
        if pattern.has_loss:
            self.counts[pattern.shown] += 1
        if EXAMPLES in record:
            self.examples = True
            record[STEP] = record.pop(EXAMPLES)
        if STEP in record:
            return record[STEP]
        if self._with_steps and not self.keras:
            for name in pattern.names:
                if names.rank(name) == 1 and name in record:
                    record[f"epoch {name}"] = record.pop(name)
            if step is not None:
                record[STEP] = step
        return step
