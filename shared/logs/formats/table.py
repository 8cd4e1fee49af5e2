"""What a reader of a format hands on: the columns of a log, as the file has them, and what the format says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.logs.formats.cells import Column


@dataclass(frozen=True)
class Table:
    """A log as it was read."""

    form: str  # the format, in words
    columns: Sequence[Column]
    place: Callable[[int], str]  # of a row, to name in an error
    sparse: bool = False  # whether an empty cell means that nothing was logged in this row
    counts: str | None = None  # "step" or "epoch", where the format says what the steps count
    silent: bool = False  # whether the format does not say what the steps count, whatever it calls them
    taken: str | None = None  # what a loss is of, as LossLog.taken
    epoch_length: int | None = None  # steps in an epoch, where it is written beside each step
    parts: tuple[str, ...] = ()  # columns whose sum is the loss
    validation_parts: tuple[str, ...] = ()  # columns whose sum is the loss of validation
    run_chosen: bool = False  # whether what was asked for named a run, so that its column is yet to be chosen
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]
