"""What Keras writes of a training by itself: CSVLogger's file, and `history.history` as JSON."""

from dataclasses import replace

from shared.logs.formats import names
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table


def csv_logger(table: Table, _file: LogFile) -> Table | None:
    """An epoch, then its measures in the order of the alphabet, those of validation among them or all at the end."""
    first, *others = table.names or [""]
    measures = [name for name in others if not name.startswith("val_")]
    if first != names.EPOCH or "loss" not in others or measures != sorted(measures):
        return None
    if others != sorted(others) and others != [*measures, *(f"val_{name}" for name in measures)]:
        return None
    return replace(table, form="a CSV as Keras's CSVLogger writes it", counts=names.EPOCH, taken=names.EPOCH)


def history(table: Table, _file: LogFile) -> Table | None:
    """An object of lists, all of them measures, and no step."""
    if "loss" not in table.names or not all(names.is_measure(name) for name in table.names):
        return None
    beside = {name for name in table.names if name.startswith("val_")}
    if not beside and len(table.names) == 1:
        return None
    return replace(table, form="JSON as Keras's history.history is", taken=None)
