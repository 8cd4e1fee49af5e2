"""A CSV with a row for each value of each measure, as MLflow's download is: a name, a value, a step."""

import reprlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from shared.logs.formats import names
from shared.logs.formats.cells import CHUNK, Column, Columns
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system.errors import InputError

KEYS = ("key", "metric", "tag", "metric_name", "variable")
RUNS = ("run_id", "run", "run_name", "run_uuid", "run id")
VALUES = ("value",)
MOST = 1_000  # measures, or runs


def is_long(header: Sequence[str]) -> bool:
    """Whether it has a name, a value and a step in each row."""
    lower = [name.strip().lower() for name in header]
    return _at(lower, KEYS) is not None and _at(lower, VALUES) is not None and _at(lower, names.STEPS) is not None


def read_long(file: LogFile, header: Sequence[str], rows: Iterator[list[str]], place: Callable[[int], str]) -> Table:
    """Each measure as a column with its own steps. Raises InputError where several runs are in it, and none chosen."""
    lower = [name.strip().lower() for name in header]
    key, value, step, run = (_at(lower, accepted) for accepted in (KEYS, VALUES, names.STEPS, RUNS))
    assert key is not None
    assert value is not None
    assert step is not None
    columns, codes, runs = Columns([header[value], header[step]]), _Codes(file), _Codes(file)
    while chunk := list(islice(rows, CHUNK)):
        columns.add_columns([[row[value] for row in chunk], [row[step] for row in chunk]])
        codes.add(row[key] for row in chunk)
        runs.add(row[run] if run is not None else "" for row in chunk)
    chosen = _chosen_run(file, list(runs.known))
    values, steps = columns.done()
    mine = runs.array() == runs.known.get(chosen, 0)
    keys = codes.array()
    made = [_one(name, values, steps, np.flatnonzero(mine & (keys == code))) for name, code in codes.known.items()]
    notes = (f"It is the run {chosen!r}.",) if len(runs.known) > 1 else ()
    form = "a CSV of MLflow's metrics" if {"key", "timestamp"} <= {*lower} else "CSV with a row for each measure"
    asked_for_run = file.asked is not None and file.asked == chosen
    return Table(form, made, place, sparse=True, run_chosen=asked_for_run, notes=notes)


def _at(lower: Sequence[str], accepted: Sequence[str]) -> int | None:
    return next((lower.index(name) for name in accepted if name in lower), None)


def _one(name: str, values: Column, steps: Column, rows: np.ndarray) -> Column:
    """One measure: its values, at the steps of the same rows."""
    bad = next((found for found in (values.bad, steps.bad) if found and found[0] in rows), None)
    numbers = values.numbers.at(np.isin(values.numbers.rows, rows))
    where = np.isin(steps.numbers.rows, numbers.rows)
    if bad is None and int(where.sum()) != len(numbers.rows):
        bad = int(rows[0]), None
    unwhole = steps.unwhole if steps.unwhole and steps.unwhole[0] in rows else None
    if bad is None and unwhole:
        bad = unwhole
    at = steps.numbers.values[where] if bad is None else np.zeros(0)
    return Column(name, numbers, values.count, bad, steps=at.astype(np.int64))


def _chosen_run(file: LogFile, runs: Sequence[str]) -> str:
    if file.asked in runs:
        return str(file.asked)
    if len(runs) > 1:
        shown = " and ".join(reprlib.repr(name) for name in runs[:5])
        raise InputError(f"{file.path} has the runs {shown}; choose one, as in {file.path}:{runs[0]}")
    return runs[0] if runs else ""


class _Codes:
    """Names as numbers: of millions of rows, each name is held once."""

    def __init__(self, file: LogFile) -> None:
        self._path = file.path
        self.known: dict[str, int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, found: Iterator[str]) -> None:
        known = self.known
        self._parts.append(np.array([known.setdefault(name, len(known)) for name in found], np.int32))
        if len(known) > MOST:
            raise InputError(f"{self._path} names more than {MOST:,} measures or runs; give a log of one run")

    def array(self) -> np.ndarray:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int32)
