"""A table that pandas wrote with its index, in a column without a name."""

from dataclasses import replace

from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table


def indexed(table: Table, _file: LogFile) -> Table | None:
    """The index is left out: it numbers the rows, which need not be steps."""
    if not table.names or table.names[0] not in ("", "Unnamed: 0"):
        return None
    return replace(table, form=f"{table.form}, with an index as pandas writes it", columns=table.columns[1:])
