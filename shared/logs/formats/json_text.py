"""JSON, whoever wrote it: a list of numbers or of objects, an object of lists, or an object on each line."""

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from shared.logs.formats import hugging_face, names, tensorboard
from shared.logs.formats.cells import CHUNK, Builder, Column, Columns
from shared.logs.formats.source import LEFT_OUT, LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError

FORM, LINES_FORM = "JSON", "JSON lines"
LARGEST = 128 * 2**20  # bytes of one document, all of which is in memory
BEGINNINGS = "[{"
HISTORY = "history"
_WHITE = " \t\n\r"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises KeyError for a name that comes twice: JSON libraries would keep one of the two."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise KeyError(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return found


# Numbers stay texts, because the number of digits says how precise they are.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)


def looks_like_lines(file: LogFile) -> bool:
    """Whether the first line is a whole object, and another line follows, as in no other JSON."""
    first = file.lines[:2]
    suffixes = (".jsonl", ".ndjson")
    return (len(first) > 1 or file.path.suffix.lower() in suffixes) and bool(first) and _is_object(first[0])


def looks_like_document(file: LogFile) -> bool:
    """Whether it begins as JSON does, and goes on so: [1, 200] loss: 2.2 does not."""
    beginning = file.lines[0].lstrip() if file.lines else ""
    if beginning[:1] not in BEGINNINGS or not beginning:
        return False
    following = beginning[1:].lstrip() or (file.lines[1].lstrip() if len(file.lines) > 1 else "")
    if following and following[0] not in '"[{]}-0123456789tfnNI':
        return False
    try:
        _, end = _DECODER.raw_decode(beginning)
    except json.JSONDecodeError as error:
        # What is wrong before the line ends is no JSON, unless the file says that it is.
        return error.pos >= len(beginning.rstrip()) or file.path.suffix.lower() == ".json"
    except (KeyError, RecursionError):
        return True
    rest = beginning[end:].strip()
    return not rest or rest[0] in "[{,"


def _is_object(line: str) -> bool:
    try:
        return isinstance(_DECODER.decode(line), dict)
    except KeyError:
        return True  # with a name twice, which is said when it is read
    except (ValueError, RecursionError):
        return False


def read_lines(file: LogFile) -> Table:
    """An object on each line. A line that lacks the loss logged something else."""
    columns = Columns()
    blank: list[int] = []
    records = _records(file, blank)
    known: dict[str, bool] = {}
    while chunk := list(islice(records, CHUNK)):
        columns.add_records(_prepared(file, chunk, known))
    notes = (LEFT_OUT,) if file.is_large else ()

    def place(row: int) -> str:
        line = row + 1
        for number in blank:
            line += number <= line
        return f"line {line}"

    return Table(LINES_FORM, columns.done(), place, sparse=True, notes=notes)


def _records(file: LogFile, blank: list[int]) -> Iterator[dict[str, Any]]:
    scan = _DECODER.scan_once  # type: ignore[attr-defined]
    told = _told(file.path)
    with told:
        for number, line in enumerate(files.read_lines(file.path), 1):
            if line.isspace():
                blank.append(number)
                continue
            told.line = number
            try:
                found, end = scan(line, 0)
            except (StopIteration, json.JSONDecodeError):
                found, end = None, 0
            # What is not an object from the first character of a line to its last is decoded by the book, to be told.
            if not end or line[end:] not in ("\n", ""):
                found = _DECODER.decode(line.rstrip())
            if not isinstance(found, dict):
                cure = "make every line an object, with the loss and the step"
                raise InputError(f"{file.path}: line {number} is {reprlib.repr(found)} and no object; {cure}")
            yield found


def _is_kept(file: LogFile, name: str, known: dict[str, bool]) -> bool:
    if name not in known and len(known) < CHUNK:
        known[name] = names.is_known(name) or name == file.asked
    return known.get(name, False)


class _told:  # noqa: N801 it reads as a verb where it is used
    """Turns what json raises into one line; with the number of a line, or without."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.line: int | None = None  # of a file of lines, the one that is read

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        where = "" if self.line is None else f"line {self.line}: "
        if isinstance(error, json.JSONDecodeError):
            cure = "write it with a JSON library, whole"
            line = error.lineno if self.line is None else self.line
            raise InputError(f"{self._path}: line {line}, column {error.colno}: {error.msg}; {cure}") from None
        if isinstance(error, KeyError):
            raise InputError(
                f"{self._path}: {where}an object has {reprlib.repr(error.args[0])} twice; keep one"
            ) from None
        if isinstance(error, RecursionError):
            raise InputError(f"{self._path}: {where}lists within lists within lists; {CURE}") from None


CURE = "give a list of numbers, a list of objects or an object of lists, with the losses called loss"


def read_document(file: LogFile) -> Table:
    """Read one whole value of JSON."""
    text = files.read_utf8(file.path, LARGEST)
    with _told(file.path):
        begin = _skip(text, 0)
        if text[begin : begin + 1] == "[":
            return _of_list(file, _elements(text, begin))
        content = _DECODER.decode(text)
    if isinstance(content, dict) and isinstance(content.get(hugging_face.HISTORY), list):
        table = _of_list(file, iter(content[hugging_face.HISTORY]))
        return hugging_face.trainer_state(table, file)
    content = _flat(content)
    if not isinstance(content, dict) or not any(isinstance(values, list) for values in content.values()):
        raise InputError(f"{file.path} holds {reprlib.repr(content)} and no list; {CURE}")
    return Table(FORM, list(_of_lists(content)), lambda row: f"entry {row}")


def _flat(content: Any) -> Any:
    """Objects within an object as one, their names joined: {"train": {"loss": 1}} as {"train/loss": 1}.

    The name of the only one is left out, and Keras's "history", for what is in it has names of its own.
    """
    if not isinstance(content, dict):
        return content
    inner = {name: value for name, value in content.items() if isinstance(value, dict) and value}
    if not inner:
        return content
    found = {name: value for name, value in content.items() if name not in inner}
    for name, value in inner.items():
        for own, cell in value.items():
            found.setdefault(own if len(inner) == 1 or name == HISTORY else f"{name}/{own}", cell)
    return found


def _prepared(file: LogFile, chunk: list[dict[str, Any]], known: dict[str, bool]) -> list[dict[str, Any]]:
    """Rows without objects in them; of a large log, with the columns alone that it is read with."""
    if dict in {*map(type, chain.from_iterable(map(dict.values, chunk)))}:
        chunk = [_flat(row) for row in chunk]
    if file.is_large and not all(_is_kept(file, name, known) for name in {*chain.from_iterable(chunk)}):
        chunk = [{name: cell for name, cell in row.items() if _is_kept(file, name, known)} for row in chunk]
    return chunk


def _of_lists(content: dict[str, Any]) -> Iterator[Column]:
    for name, values in content.items():
        if isinstance(values, list):
            builder = Builder(name)
            for start in range(0, len(values), CHUNK):
                builder.add(values[start : start + CHUNK])
            yield builder.done()


def _elements(text: str, begin: int) -> Iterator[Any]:
    """The elements of a list, one at a time: as Python objects all of them would take a lot of memory."""
    scan, at = _DECODER.scan_once, _skip(text, begin + 1)  # type: ignore[attr-defined] # of the pure and the C decoder
    if text[at : at + 1] == "]":
        at += 1
    else:
        while True:
            try:
                found, at = scan(text, at)
            except StopIteration as error:
                raise json.JSONDecodeError("Expecting value", text, error.value) from None
            yield found
            if at < len(text) and text[at] in _WHITE:
                at = _skip(text, at)
            after = text[at : at + 1]
            at += 1
            if after == "]":
                break
            if after != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at - 1)
            if at < len(text) and text[at] in _WHITE:
                at = _skip(text, at)
    if (end := _skip(text, at)) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _of_list(file: LogFile, elements: Iterable[Any]) -> Table:
    """A list of numbers, of objects, or of TensorBoard's triples."""
    elements = iter(elements)
    chunk = list(islice(elements, CHUNK))
    place = "entry {}".format
    if any(isinstance(entry, dict) for entry in chunk):
        return Table(FORM, _of_objects(file, chunk, elements), place)
    triples = len(tensorboard.NAMES)
    if chunk and all(isinstance(entry, list) and len(entry) == triples for entry in chunk):
        columns = Columns(tensorboard.NAMES)
        while chunk:
            if not all(isinstance(entry, list) and len(entry) == triples for entry in chunk):
                raise InputError(f"{file.path}: not all its entries are [wall time, step, value]; keep only such")
            columns.add_columns(list(zip(*chunk, strict=True)))
            chunk = list(islice(elements, CHUNK))
        return Table(FORM, columns.done(), place)
    builder = Builder(names.LOSSES[0])
    while chunk:
        builder.add(chunk)
        chunk = list(islice(elements, CHUNK))
    return Table(FORM, [builder.done()], place)


def _of_objects(file: LogFile, chunk: list[Any], elements: Iterator[Any]) -> list[Column]:
    columns = Columns()
    known: dict[str, bool] = {}
    while chunk:
        for row, entry in enumerate(chunk, columns.count):
            if not isinstance(entry, dict):
                cure = "make every entry an object, or every entry a number"
                raise InputError(f"{file.path}: entry {row} is {reprlib.repr(entry)} among objects; {cure}")
        columns.add_records(_prepared(file, chunk, known))
        chunk = list(islice(elements, CHUNK))
    return columns.done()
