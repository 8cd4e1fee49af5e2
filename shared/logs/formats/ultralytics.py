"""Ultralytics's results.csv: an epoch a row, the loss in parts."""

from dataclasses import replace

from shared.logs.formats import names
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table


def results_csv(table: Table, _file: LogFile) -> Table | None:
    """`train/box_loss` and others, whose sum is the loss. Old versions put blanks before each name."""
    parts = _of(table, "train/")
    if not parts or not any(column.name.strip() == names.EPOCH for column in table.columns):
        return None
    form = "an Ultralytics results.csv"
    validation = _of(table, "val/") if len(parts) > 1 else ()
    return replace(table, form=form, counts=names.EPOCH, taken=names.EPOCH, parts=parts, validation_parts=validation)


def _of(table: Table, stage: str) -> tuple[str, ...]:
    stripped = [(name, name.strip()) for name in table.names]
    return tuple(name for name, bare in stripped if bare.startswith(stage) and bare.endswith("loss"))
