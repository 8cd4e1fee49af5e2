"""MLflow's own files: a metric a file, a line for each value: its time, the value and the step."""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from shared.logs.formats import names
from shared.logs.formats.cells import CHUNK, NUMBER, Column, Columns
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError

FORM = "a metric file of MLflow"
FOLDER = "metrics"
LINE = re.compile(rf"\d{{9,19}} ({NUMBER.pattern}) -?\d{{1,19}}", re.ASCII | re.IGNORECASE)
MOST_FILES = 500
_CELLS = 3


def looks_like(file: LogFile) -> bool:
    """Whether its first lines have a time, a value and a step."""
    return bool(file.lines) and all(LINE.fullmatch(line.strip()) for line in file.lines[:5])


def _place(row: int) -> str:
    return f"line {row + 1}"


def read(file: LogFile) -> Table:
    """Read one metric, whatever it is called."""
    column = _column(file.path, names.LOSSES[0])
    name = file.path.name
    told = () if names.rank(name) is not None else (f"The file's name says that these numbers are {name!r}.",)
    return Table(FORM, [column], _place, silent=True, notes=told)


def metrics_folder(folder: Path) -> Path | None:
    """The folder of metrics in a run's folder, or this one; None where there is none."""
    for candidate in (folder / FOLDER, folder):
        if candidate.is_dir() and (candidate.name == FOLDER):
            found = next(_files(candidate), None)
            if found and looks_like(LogFile(found)):
                return candidate
    return None


def read_folder(folder: Path) -> Table:
    """All metrics of a run, each with its own steps."""
    paths = sorted(islice(_files(folder), MOST_FILES))
    columns = [_column(path, path.relative_to(folder).as_posix()) for path in paths if looks_like(LogFile(path))]
    return Table(f"{FORM}, and those beside it", columns, _place, sparse=True, silent=True)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, found in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / name for name in sorted(found) if (Path(parent) / name).is_file())


def _column(path: Path, name: str) -> Column:
    columns = Columns(("time", "value", "step"))
    lines = (line.split() for line in files.read_lines(path))
    while chunk := list(islice(lines, CHUNK)):
        odd = next((row for row, cells in enumerate(chunk) if len(cells) != _CELLS), None)
        if odd is not None:
            told = f"line {columns.count + odd + 1} has not a time, a value and a step"
            raise InputError(f"{path}: {told}; complete it or remove it")
        columns.add_columns(list(zip(*chunk, strict=True)))
    _, values, steps = columns.done()
    if steps.bad or steps.unwhole or steps.blank is not None:
        row, cell = steps.bad or steps.unwhole or (steps.blank or 0, None)
        raise InputError(f"{path}: {_place(row)}: step {cell} is not a whole number; number the steps 0, 1, 2, …")
    same = len(values.numbers.rows) == len(steps.numbers.rows)
    found = steps.numbers.values.astype("int64") if same else None
    return Column(name, values.numbers, values.count, values.bad, values.blank, steps=found)
