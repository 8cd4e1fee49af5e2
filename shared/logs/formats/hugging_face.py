"""Hugging Face's trainer_state.json: `log_history`, an entry for each time that the Trainer logged."""

from dataclasses import replace

from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table

HISTORY = "log_history"
SUMMARY = "train_loss"  # in its last entry: the mean of the whole training, no loss of a step


def trainer_state(table: Table, _file: LogFile) -> Table:
    """The loss of the steps; entries of an evaluation have none."""
    kept = [column for column in table.columns if column.name != SUMMARY or "loss" not in table.names]
    note = "Hugging Face's loss is the mean over the steps since the entry before, not of one batch."
    return replace(
        table, form="a Hugging Face trainer_state.json", columns=kept, sparse=True, notes=(*table.notes, note)
    )
