"""Cells of a log turned to numbers, many at a time: their values, and how many digits each was written with.

A log can have millions of rows. So whole chunks of cells are turned to arrays at once, and one by one only where
something in a chunk is no plain number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

# What Python's float() reads, without underscores and digits of other alphabets. A digit can match in one place only:
# otherwise the time for a long row of digits would grow with its square.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
LARGEST = 1e100  # far beyond any float32; and the difference of two such numbers is still finite
LARGEST_STEP = 2**53  # up to here every whole number is exact as a float
CHUNK = 50_000  # rows that are turned to numbers at once
MOST_DIGITS = 30_000  # that are told apart; no number of a run has as many
MOST_COLUMNS = 200  # a log with more is read without the others

_PLAIN = re.compile(r"[0-9+\-.\n]*")
_NEWLINE, _POINT, _ZERO, _NINE = b"\n.09"


@dataclass(frozen=True)
class Numbers:
    """The cells of a column that have a number. All arrays are (N,)."""

    values: np.ndarray  # float64
    decimals: np.ndarray  # int16, as written; 0.5e-3 has 4
    significant: np.ndarray  # int16: digits from the first that is not zero
    fractional: np.ndarray  # bool: whether it has a decimal point or an exponent
    rows: np.ndarray  # int32: the row of each, increasing
    dtype: str | None = None  # of binary files, whose numbers have no digits that were left out

    def at(self, kept: np.ndarray) -> "Numbers":
        """Those that an index or a mask selects."""
        return Numbers(
            self.values[kept],
            self.decimals[kept],
            self.significant[kept],
            self.fractional[kept],
            self.rows[kept],
            self.dtype,
        )


def exact(values: np.ndarray, dtype: str) -> Numbers:
    """Numbers of a binary file, float64, that have the precision of `dtype`."""
    none = np.zeros(len(values), np.int16)
    return Numbers(values, none, none, none.astype(bool), np.arange(len(values), dtype=np.int32), dtype)


@dataclass(frozen=True)
class Column:
    """A column of a log."""

    name: str  # as the file has it
    numbers: Numbers
    count: int  # rows, blank cells included
    bad: tuple[int, object] | None = None  # the first cell that is no number, and its row; nothing after it was read
    blank: int | None = None  # the first row with an empty cell
    unwhole: tuple[int, object] | None = None  # the first cell that can't be a step, and its row
    steps: np.ndarray | None = None  # (N,) int64, where the format gives each measure steps of its own


class Builder:
    """A column that grows chunk by chunk."""

    def __init__(self, name: str, skipped: int = 0) -> None:
        self.name, self.count = name, skipped
        self.bad: tuple[int, object] | None = None
        self.unwhole: tuple[int, object] | None = None
        self.blank: int | None = 0 if skipped else None
        self._chunks: list[Numbers] = []

    def add(self, cells: Sequence[object]) -> None:
        """Append cells: texts, and whatever else JSON has. None and blank texts are empty cells."""
        first, self.count = self.count, self.count + len(cells)
        if self.bad:
            return
        found = _all_plain(cells, np.arange(first, self.count, dtype=np.int32)) or self._without_blanks(cells, first)
        if self.unwhole is None:
            values = found.values
            odd = np.flatnonzero(~((np.abs(values) <= LARGEST_STEP) & (np.floor(values) == values)))
            if len(odd):
                row = int(found.rows[odd[0]])
                self.unwhole = row, cells[row - first]
        self._chunks.append(found)

    def done(self) -> Column:
        """The whole column. The builder is empty after it, so that no number is held twice."""
        chunks = self._chunks or [exact(np.zeros(0), "")]
        self._chunks = []
        values, decimals, significant, fractional, rows = (
            np.concatenate([getattr(chunk, name) for chunk in chunks])
            for name in ("values", "decimals", "significant", "fractional", "rows")
        )
        numbers = Numbers(values, decimals, significant, fractional, rows)
        return Column(self.name, numbers, self.count, self.bad, self.blank, self.unwhole)

    def _without_blanks(self, cells: Sequence[object], first: int) -> Numbers:
        """The numbers among cells of any kind, up to the first that is none."""
        kept = [(row, cell) for row, cell in enumerate(cells, first) if not _is_blank(cell)]
        if len(kept) < len(cells) and self.blank is None:
            self.blank = next(row for row, cell in enumerate(cells, first) if _is_blank(cell))
        texts = [cell.strip() if isinstance(cell, str) else cell for _, cell in kept]
        rows = np.array([row for row, _ in kept], np.int32)
        return _all_plain(texts, rows) or self._one_by_one(texts, rows)

    def _one_by_one(self, cells: Sequence[object], rows: np.ndarray) -> Numbers:
        texts: list[str] = []
        for row, cell in zip(rows.tolist(), cells, strict=True):
            text = text_of_number(cell)
            if text is None or LARGEST < abs(float(text)) < float("inf"):
                self.bad = row, cell
                break
            texts.append(text)
        written = np.array([digits(text) for text in texts]).reshape(-1, 3).clip(-MOST_DIGITS, MOST_DIGITS)
        written = written.astype(np.int16)
        values = np.array([float(text) for text in texts])
        return Numbers(values, written[:, 0], written[:, 1], written[:, 2].astype(bool), rows[: len(texts)])


def _is_blank(cell: object) -> bool:
    """Whether nothing is in the cell: Keras writes NA there."""
    return cell is None or (isinstance(cell, str) and cell.strip() in ("", "NA"))


def text_of_number(cell: object) -> str | None:
    """The text of a number, without spaces around it; None where the cell is none."""
    text = cell.strip() if isinstance(cell, str) else ""
    return text if NUMBER.fullmatch(text) else None


def digits(text: str) -> tuple[int, int, bool]:
    """Decimals, significant digits, and whether it has a point or an exponent; a whole number as 2.0 is one as 2.

    Of "0.0120": 4 and 3; of "1.5e-3": 4 and 2; of "0.00e+00": 2 and 0.
    """
    plain = text.lower().removesuffix(".0").lstrip("+-")
    if plain in ("nan", "inf", "infinity"):
        return 0, 0, False
    mantissa, e, exponent = plain.partition("e")
    whole, point, fraction = mantissa.partition(".")
    significant = len((whole + fraction).lstrip("0"))
    return len(fraction) - int(exponent or 0) * (significant > 0), significant, bool(point or e)


def _all_plain(cells: Sequence[object], rows: np.ndarray) -> Numbers | None:
    """The numbers, where all cells are plain ones as 0.25; None where one is not."""
    try:
        text = "\n".join(cells)  # type: ignore[arg-type]
        if not _PLAIN.fullmatch(text):
            return None
        values = np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not (np.abs(values) <= LARGEST).all():
        return None
    characters = np.frombuffer(text.encode() + b"\n" * bool(cells), np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    starts = np.concatenate([ends[:0], [0], ends[:-1] + 1])[: len(ends)].astype(np.int64)
    point = _first(characters == _POINT, starts, ends)
    # Python writes a whole number as 2.0: that is no decimal.
    ends = np.where((ends - point == len(".0")) & (characters[ends - 1] == _ZERO), point, ends)
    fractional = point < ends
    first = _first((characters > _ZERO) & (characters <= _NINE), starts, ends)
    significant = ends - first - ((first < point) & fractional)
    decimals = np.maximum(ends - point - 1, 0)
    short = [np.minimum(count, MOST_DIGITS).astype(np.int16) for count in (decimals, significant)]
    return Numbers(values, short[0], short[1], fractional, rows)


def _first(wanted: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The first place from each start on that is wanted; the end where none comes before it."""
    places = np.append(np.flatnonzero(wanted), len(wanted))
    found: np.ndarray = np.minimum(places[np.searchsorted(places, starts)], ends)
    return found


class Columns:
    """All columns of a log, that grow row by row."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.builders = [Builder(name) for name in names]
        self.count = 0
        self._by_name = {builder.name: builder for builder in self.builders}

    def add_records(self, records: Sequence[Mapping[str, object]]) -> None:
        """Append rows that name their cells; a name that a row lacks is an empty cell."""
        for name in dict.fromkeys(chain.from_iterable(records)):
            self._meet(name)
        for builder in self.builders:
            builder.add([record.get(builder.name) for record in records])
        self.count += len(records)

    def add_named(self, columns: Mapping[str, Sequence[object]], count: int) -> None:
        """Append the cells of some columns; the others have `count` empty cells."""
        for name in columns:
            self._meet(name)
        for builder in self.builders:
            builder.add(columns.get(builder.name) or [None] * count)
        self.count += count

    def add_columns(self, columns: Iterable[Sequence[object]]) -> None:
        """Append the cells of each column, in the order of the names."""
        for builder, cells in zip(self.builders, columns, strict=True):
            builder.add(cells)
            self.count = builder.count

    def _meet(self, name: str) -> None:
        """Have a column of this name, unless there are too many others."""
        if name not in self._by_name and len(self.builders) < MOST_COLUMNS:
            self._by_name[name] = Builder(name, self.count)
            self.builders.append(self._by_name[name])

    def done(self) -> list[Column]:
        return [builder.done() for builder in self.builders]
