"""The figures of every epoch, for the terminal's live table, the page and Markdown. One more is one entry here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from shared.comparing import tutorial
from shared.comparing.comparison import Outcome
from shared.mnist import MNIST
from shared.reporting.charts import spread
from shared.reporting.parts import Table
from shared.running.record import Epoch
from shared.system.language import join, say
from shared.training import Training

MEANING = say(
    "Loss is the mean of batch means, as the tutorial prints it; accuracy is on {test_images}.",
    test_images=MNIST.test_images,
)


@dataclass(frozen=True)
class Figure:
    """A figure of every epoch: one of each framework, by `of_each`, or one of all, by `of_all`."""

    name: str
    form: str
    of_each: Callable[[Epoch], float] | None = None
    # Of the number of the epoch and what each framework has of it; None where there is nothing to say.
    of_all: Callable[[int, Sequence[Epoch | None]], float | None] = lambda _number, _epochs: None
    dropped: int = 0  # when a narrow terminal does without it: 1 is the first to go, 0 stays
    applies: Callable[[Training], bool] = lambda _: True

    def headers(self, names: Sequence[str]) -> list[str]:
        """Of its columns."""
        return [join(" ", [name, self.name]) for name in names] if self.of_each else [self.name]

    def cells(self, number: int, epochs: Sequence[Epoch | None]) -> list[str]:
        """Of epoch `number`; empty for a framework that has not come so far."""
        of_each = self.of_each
        values = [epoch and of_each(epoch) for epoch in epochs] if of_each else [self.of_all(number, epochs)]
        return ["" if value is None else f"{value:{self.form}}" for value in values]


def _difference(_: int, epochs: Sequence[Epoch | None]) -> float | None:
    losses = [np.float64(epoch.train_loss) for epoch in epochs if epoch]
    return float(spread(losses)) if len(losses) == len(epochs) else None


FIGURES = (
    Figure(say("loss"), ".4f", lambda epoch: epoch.train_loss),
    Figure(say("difference"), ".1e", of_all=_difference, dropped=2),
    Figure(
        say("tutorial loss"),
        ".4f",
        of_all=lambda number, _: dict(enumerate(tutorial.EPOCH_LOSSES, start=1)).get(number),
        dropped=1,
        applies=tutorial.comparable,
    ),
    Figure(say("accuracy"), ".2%", lambda epoch: epoch.test_accuracy, dropped=3),
)


def table(training: Training, runs: dict[str, list[Epoch]]) -> Table:
    """The figures of each framework, by name, as far as it has come."""
    figures = [figure for figure in FIGURES if figure.applies(training)]
    header = [say("epoch"), *(header for figure in figures for header in figure.headers(list(runs)))]
    rows = [
        [str(number), *(cell for figure in figures for cell in figure.cells(number, epochs))]
        for number, epochs in enumerate(zip_longest(*runs.values()), start=1)
    ]
    return Table(header, rows)


def of(outcome: Outcome) -> Table:
    """Of a comparison's frameworks."""
    return table(outcome.training, {run.record.framework: run.record.epochs for run in outcome.runs})
