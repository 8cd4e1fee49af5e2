"""Lightning's metrics.csv: a row for each call of the logger, blank where it logged something else."""

from dataclasses import replace

from shared.logs.formats import names
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table


def metrics_csv(table: Table, _file: LogFile) -> Table | None:
    """A step and an epoch among the measures, and cells that are blank."""
    if not {"epoch", "step"} <= {*table.names} or not any(names.is_measure(name) for name in table.names):
        return None
    blank = [column for column in table.columns if column.blank is not None]
    if not blank or any(column.name == "step" for column in blank):
        return None
    return replace(table, form="a Lightning metrics.csv", sparse=True)
