"""A chart of Weights & Biases, downloaded as CSV: "run - loss" for each run, with its least and largest beside it."""

import re
import reprlib
from dataclasses import replace

from shared.logs.formats import names
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system.errors import InputError

BETWEEN = " - "
EXTREMES = re.compile(r"__(MIN|MAX)\Z")


def chart(table: Table, file: LogFile) -> Table | None:
    """The columns of one run. Raises InputError where there are several and none was asked for."""
    measured = [name for name in table.names if BETWEEN in name and not EXTREMES.search(name)]
    if not measured or not any(f"{name}__MIN" in table.names for name in measured):
        return None
    losses = [name for name in measured if names.rank(name) is not None or names.has_loss(name)] or measured
    runs = list(dict.fromkeys(name.rpartition(BETWEEN)[0] for name in losses))
    asked = file.asked.strip() if file.asked is not None else None
    run = asked if asked in runs else asked.rpartition(BETWEEN)[0] if asked and BETWEEN in asked else None
    if run is None and len(runs) == 1:
        run = runs[0]
    if run is None:
        shown = " and ".join(reprlib.repr(name) for name in runs)
        raise InputError(f"{file.path} has the runs {shown}; choose one, as in {file.path}:{runs[0]}")
    kept = [
        column
        for column in table.columns
        if not EXTREMES.search(column.name)
        and (BETWEEN not in column.name or column.name.rpartition(BETWEEN)[0] == run)
        and not (BETWEEN in column.name and names.is_step(column.name) and len(table.columns) > 1)
    ]
    note = f"It is the run {run!r} of a chart: where a chart has many points, each is one of several that were logged."
    form = "a CSV download of Weights & Biases"
    return replace(table, form=form, columns=kept, sparse=True, run_chosen=asked == run, notes=(*table.notes, note))
