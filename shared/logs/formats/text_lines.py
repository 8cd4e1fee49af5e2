"""Plain text logs: lines that name their numbers, as "step 100 | loss 0.4", and the progress lines of tqdm and Keras.

Each line with a loss is read by its pattern: the line with its numbers taken out. A pattern is worked out once, from
the first line of its kind, and then compared with the lines that follow.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
# Keras's guide to a training loop: "Training loss (for 1 batch) at step 0: 2.5".
_AT = re.compile(
    rf"\bloss\b[^:=\d]*(?:\([^)]*\))?[^:=\d]*\bat (?:step|iter|iteration)\s+(?P<step>\d+)\s*[:=]\s*(?P<loss>{_VALUE})",
    re.IGNORECASE,
)
_OF_VALIDATION = re.compile(r"\W*(?:val|valid|validation|eval|evaluation|test)\b", re.IGNORECASE)
_NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DIGITS = re.compile(_VALUE)
_BLANKS = r"[^\S\n]*"
_MATTERS = re.compile("loss|epoch", re.IGNORECASE)
_NO_MEASURE = r"(?:(?!loss|acc).)*"  # a line with more measures is of another kind
_AGAIN = re.compile(r"[\b\r]+")


@dataclass(frozen=True)
class _Pattern:
    """A kind of line: what stands between its numbers, and which of the numbers are called how."""

    expression: re.Pattern[str]
    lines: re.Pattern[str]  # the same, for many lines at once
    names: tuple[str, ...]
    shown: str
    bar: str | None  # whose progress line it is
    has_loss: bool
    kept: frozenset[str]  # the names that a log of any size is read with


def named_in(line: str) -> tuple[dict[tuple[int, int], str], str | None]:
    """Where in a line the numbers are that it names, each with its name, and whose progress line it is."""
    found: dict[tuple[int, int], str] = {}
    bar = _BAR.search(line)
    for kind in (
        bar,
        _PAIR.search(line),
        _PAIRS.search(line),
        _AT.search(line),
        None if bar else _EXAMPLES.search(line),
    ):
        for name, text in kind.groupdict().items() if kind else ():
            if text is not None and kind:
                found.setdefault(kind.span(name), TOTAL if name == "total" else name)
        if kind and found:
            break
    taken = {*found.values()}
    held_out = bool(_OF_VALIDATION.match(line))
    for named in _NAMED.finditer(line):
        name, span = named["name"], named.span("value")
        if any(start < span[1] and span[0] < end for start, end in found) or not _is_word(name):
            continue
        kind_of = _called(name, held_out=held_out)
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


def _called(name: str, *, held_out: bool) -> str:
    """STEP, EPOCH, or the name of a measure; in a line of a validation, one that says so."""
    if names.is_step(name) or names.is_batch(name):
        return STEP
    if names.is_epoch(name):
        return EPOCH
    return f"val {name}" if held_out and not names.of_validation(name) else name


def _is_word(name: str) -> bool:
    return name.lower().rstrip(".") not in (
        "e",
        "in",
        "at",
        "of",
        "on",
        "is",
        "to",
        "s",
        "ms",
        "for",
        "took",
        "after",
        "far",
    )


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
    lines = re.compile(rf"^{_BLANKS}{''.join(parts)}{_BLANKS}$", re.IGNORECASE | re.MULTILINE)
    told = " ".join(_DIGITS.sub("#", "".join(shown)).split())
    has_loss = any(names.rank(name) is not None or names.has_loss(name) for name in order)
    kept = frozenset(name for name in order if name in OURS or names.is_known(name))
    return _Pattern(expression, lines, tuple(order), told[:200], bar, has_loss, kept)


def _between(text: str) -> str:
    """What stands between two numbers that are read: other numbers there may be any, and so may blanks."""
    made = []
    for piece in re.split(rf"((?<![A-Za-z_]){_PLAIN}|\s+)", text):
        if not piece:
            continue
        made.append(_BLANKS if piece.isspace() else r"[+\-\d.eE]+" if re.fullmatch(_PLAIN, piece) else re.escape(piece))
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

    @property
    def last(self) -> _Pattern | None:
        return self._known[0] if self._known else None

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
    """What is written over one another on a line, piece by piece, without colours, its Chinese names in English."""
    if "\x1b" in whole:
        whole = _NOISE.sub("", whole)
    whole = names.in_english(whole)
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
        epoch_length=_length(reader.totals),
        notes=tuple(notes),
    )


def _length(totals: set[str]) -> int | None:
    """The steps of an epoch, where all lines say the same."""
    (one, *others) = totals or {""}
    return int(one) if not others and one.isascii() and one.isdecimal() and len(one) < MOST_DIGITS else None


class _Reader:
    """Goes through the lines; keeps the epoch and the step that were named last."""

    def __init__(self, file: LogFile, *, running: bool = False) -> None:
        self._file = file
        self.columns = Columns()
        self.counts: Counter[str] = Counter()
        self.totals: set[str] = set()
        self.examples = self.bars = self.whole_epochs = False
        with_loss = [pattern for pattern in _first_patterns(file) if pattern.has_loss]
        self._with_steps = any({STEP, EXAMPLES} & {*pattern.names} for pattern in with_loss)
        self.keras = not running and any(pattern.bar == KERAS for pattern in with_loss)
        self.running = running
        # tqdm's set_postfix shows the loss of a step before the step is counted; at the end that loss is shown again.
        self._ahead = False
        self._patterns = _Patterns()
        self._epoch: object = None
        self._step: object = None
        self._waiting: tuple[object, int, dict[str, object]] | None = None  # a progress line that may be written again
        self._lines = array("l")

    def place(self, row: int) -> str:
        return f"line {self._lines[row]}"

    def read(self) -> None:
        """Read all rows, many at a time."""
        chunk: list[dict[str, object]] = []
        number = 1
        for block in files.read_blocks(self._file.path):
            count = block.count("\n")
            if (found := self._at_once(block, count)) is not None:
                self.columns.add_records(chunk)
                self.columns.add_named(found, count)
                self._lines.extend(range(number, number + count))
                chunk = []
            else:
                chunk += self._rows(block, number)
            if len(chunk) >= CHUNK:
                self.columns.add_records(chunk)
                chunk = []
            number += count
        if self._waiting:
            chunk.append(self._row(*self._waiting[1:]))
        self.columns.add_records(chunk)

    def _at_once(self, block: str, count: int) -> dict[str, Sequence[object]] | None:
        """The cells by name, where all lines are of the kind that was met last, and each has a step; else None."""
        pattern = self._patterns.last
        if pattern is None or pattern.bar or self._waiting or STEP not in pattern.names:
            return None
        if not pattern.has_loss or (self._file.is_large and len(pattern.kept) < len(pattern.names)):
            return None
        rows = pattern.lines.findall(block)
        if len(rows) != count or not count:
            return None
        found: dict[str, Sequence[object]] = dict(zip(pattern.names, zip(*rows, strict=True), strict=True))
        self.totals |= {str(total) for total in {*found.pop(TOTAL, ())}}
        if EPOCH not in found and self._epoch is not None:
            found[EPOCH] = [self._epoch] * count
        self._epoch = found[EPOCH][-1] if EPOCH in found else None
        self._step = found[STEP][-1]
        self.counts[pattern.shown] += count
        return found

    def _rows(self, block: str, first: int) -> Iterator[dict[str, object]]:
        """A row for each line that counts; a progress line is written again and again, and its last counts."""
        for number, pattern, record in self._records(block, first):
            key = None if pattern.bar is None else self._key_in_a_bar(pattern, record)
            if key == SKIPPED:
                continue
            if self._waiting and key is not None and self._waiting[0] == key:
                self._waiting[2].update(record)
                continue
            if self._waiting:
                yield self._row(*self._waiting[1:])
            self._waiting = None if key is None else (key, number, record)
            if key is None:
                yield self._row(number, record)

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
        if total is not None and len(self.totals) <= 1:
            self.totals.add(str(total))
        self._lines.append(number)
        return record

    def _records(self, block: str, first: int) -> Iterator[tuple[int, _Pattern, dict[str, object]]]:
        """The number of each line that names a number, its pattern, and its numbers by name."""
        large = self._file.is_large
        for number, whole in enumerate(block.split("\n"), first):
            for line in _pieces(whole):
                if (found := self._patterns.read(line)) is None:
                    continue
                pattern, record = found
                if large and len(pattern.kept) < len(record):
                    record = {name: cell for name, cell in record.items() if name in pattern.kept}
                measures = not record.keys() <= OURS
                self._epoch = record.get(EPOCH, self._epoch)
                if self._epoch is not None:
                    record[EPOCH] = self._epoch
                self._give_step(pattern, record)
                if measures:
                    yield number, pattern, record

    def _give_step(self, pattern: _Pattern, record: dict[str, object]) -> None:
        """Name the step of a line that names none.

        Among losses by step, a loss without one is of an epoch; a measure without one is of the step before.
        """
        if pattern.has_loss:
            self.counts[pattern.shown] += 1
        if EXAMPLES in record:
            self.examples = True
            record[STEP] = record.pop(EXAMPLES)
        if STEP in record:
            self._step = record[STEP]
        elif self._with_steps and not self.keras:
            for name in pattern.names:
                if names.rank(name) == 1 and name in record:
                    record[f"epoch {name}"] = record.pop(name)
            if self._step is not None:
                record[STEP] = self._step
