"""CSV with a header, its cells separated by commas, semicolons or tabs, whoever wrote it."""

import csv
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NoReturn

from shared.logs.formats import names
from shared.logs.formats.cells import CHUNK, MOST_COLUMNS, NUMBER, Columns
from shared.logs.formats.long_table import is_long, read_long
from shared.logs.formats.source import LEFT_OUT, LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError

FORM = "CSV"
WITH_COMMAS = "Its numbers have decimal commas."
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*")
SEPARATORS = ",;\t"


def looks_like(file: LogFile) -> bool:
    """Whether there is a header with a number below it."""
    if len(file.lines) < 2:  # noqa: PLR2004
        return False
    separator = _separator(file.lines)
    try:
        header, first = (list(next(_reader([line], separator), [])) for line in file.lines[:2])
    except csv.Error:
        return False
    return (
        len(header) == len(first)
        and not any(NUMBER.fullmatch(cell.strip()) for cell in header)
        and any(NUMBER.fullmatch(cell.strip()) for cell in first)
    )


def read(file: LogFile) -> Table:
    """Read it. Raises InputError with the line where it is not as CSV should be."""
    rows = _Rows(file)
    header = next(rows, None)
    if header is None:
        raise InputError(f"{file.path} has only empty cells; give a log with at least one loss")
    if any(NUMBER.fullmatch(cell.strip()) for cell in header):
        shown = ",".join(header)
        told = f"{shown!r}" if len(shown) < 60 else f"{shown[:40]!r}…"  # noqa: PLR2004
        raise InputError(f"{file.path}: line {rows.line}: {told} is no header; put one above it, for example step,loss")
    rows.width = len(header)
    if is_long(header):
        return read_long(file, header, rows, rows.place)
    kept = [index for index, name in enumerate(header) if _is_kept(file, index, name)]
    columns = Columns([header[index] for index in kept])
    while chunk := list(islice(rows, CHUNK)):
        by_column = list(zip(*chunk, strict=True))
        columns.add_columns([by_column[index] for index in kept])
    notes = (LEFT_OUT,) * (len(kept) < len(header)) + (WITH_COMMAS,) * rows.with_commas
    return Table(FORM, columns.done(), rows.place, notes=notes)


def _is_kept(file: LogFile, index: int, name: str) -> bool:
    known = names.is_known(name) or (file.asked is not None and names.plain(file.asked) in names.plain(name))
    return known or (index < MOST_COLUMNS and not file.is_large)


def _separator(lines: list[str]) -> str:
    """What stands most often in the header, or blanks, where the first rows have as many words as it has."""
    header = lines[0]
    if any(separator in header for separator in SEPARATORS):
        return max(SEPARATORS, key=header.count)
    words = [len(line.split()) for line in lines[:3]]
    return " " if len(words) > 1 and words[0] > 1 and len({*words}) == 1 and '"' not in header else SEPARATORS[0]


def _with_commas(lines: list[str], separator: str) -> bool:
    """Whether the first numbers with a fraction have a comma in it, and none has a point."""
    cells = [cell for line in lines[1:] for cell in line.split(separator)] if separator in ";\t" else []
    fractions = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    return bool(fractions) and not any("." in cell and NUMBER.fullmatch(cell.strip()) for cell in cells)


def _reader(lines: Iterable[str], separator: str) -> Any:
    blanks = separator == " "
    return csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=blanks)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


class _Rows(Iterator[list[str]]):
    """The rows that have anything in a cell."""

    def __init__(self, file: LogFile) -> None:
        self._path, self.line, self.width = file.path, 0, 0
        self.with_commas = False
        self._lines = array("i")  # of each row below the header
        self._rows = self._read(file)

    def __next__(self) -> list[str]:
        return next(self._rows)

    def _read(self, file: LogFile) -> Iterator[list[str]]:
        separator = _separator(file.lines)
        self.with_commas = _with_commas(file.lines, separator)
        lines = files.read_lines(file.path)
        # A blank at the end of a line would be one more cell.
        reader = _reader((line.rstrip() for line in lines) if separator == " " else lines, separator)
        append = self._lines.append
        try:
            for row in reader:
                if not "".join(row).strip():
                    continue
                self.line = reader.line_num
                if self.width:
                    if len(row) != self.width:
                        self._refuse_width(row)
                    append(self.line)
                yield [_with_point(cell) for cell in row] if self.with_commas else row
        except csv.Error as error:
            raise InputError(f"{self._path}: line {reader.line_num}: {error}; write it as plain CSV") from None

    def _refuse_width(self, row: list[str]) -> NoReturn:
        told = f"line {self.line} has {len(row)} cells and the header {self.width}"
        raise InputError(f"{self._path}: {told}; complete it or remove it")

    def place(self, row: int) -> str:
        return f"line {self._lines[row]}"
