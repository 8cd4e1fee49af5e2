"""What the training loop works with: it gives out the batches, and keeps what the record holds."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from shared import metrics, random_numbers
from shared.running import batches, exports, record
from shared.running.clock import Clock
from shared.system import progress
from shared.system.files import save_tensors
from shared.system.language import say
from shared.training import Training


class Session:
    """Gives out the batches of every epoch, and keeps nothing."""

    def __init__(self, training: Training, draw: int = random_numbers.ORDER, clock: Clock | None = None) -> None:
        self.training = training
        self.clock = clock or Clock()
        self.order_checksums: list[str] = []
        self._draw = draw
        self.batches: list[np.ndarray] = []  # of this epoch

    def epochs(self) -> Iterator[Sequence[np.ndarray]]:
        """The batches of each epoch. Until the next, "this epoch" is that one."""
        for epoch in range(self.training.epochs):
            order = batches.epoch_order(self.training.seed, epoch, self._draw)
            self.order_checksums.append(batches.checksum(order))
            self.batches = batches.split(order, self.training.batch_size)
            yield self.batches

    @property
    def stops(self) -> Sequence[int]:
        """The first step of this epoch, and the number of its steps."""
        return 0, len(self.batches)

    def before_step(self, step: int) -> None:
        """Do nothing."""

    def after_epoch(self, losses: np.ndarray, logits: np.ndarray) -> None:
        """Keep nothing."""


class Model(NamedTuple):
    """What the record needs of a model and its optimizer between two steps."""

    weights: Callable[[], dict[str, np.ndarray]]
    buffers: Callable[[], dict[str, np.ndarray]]
    probe: Callable[[np.ndarray], dict[str, np.ndarray]]  # from the indices of a batch


class RecordedSession(Session):
    """Shows how far the training is, prints what the tutorial prints, and keeps what a run record holds."""

    def __init__(
        self,
        training: Training,
        model: Model,
        test_labels: np.ndarray,
        *,
        checkpoint_steps: int | None = None,
        draw: int = random_numbers.ORDER,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(training, draw, clock)
        self.summaries: list[record.Epoch] = []  # of each epoch
        self.seen: dict[str, np.ndarray] = {}  # by the record's names
        self._model, self._test_labels = model, test_labels
        self._new: dict[str, np.ndarray] = {}  # what this epoch has added to `seen`
        self._checkpoints = frozenset(record.checkpoints(training, checkpoint_steps))
        self._weighed = self._checkpoints | record.weighed_steps(training)
        self._losses: list[np.ndarray] = []  # of each epoch's steps
        self._ends: list[float] = []  # when each epoch ended, in seconds since 1970
        self._logits: list[np.ndarray] = []  # after each epoch
        self._first = 0  # this epoch's first step, counted from the start of the run
        self._stops: list[int] = []
        self._bar = contextlib.ExitStack()
        self._advance = progress.Bar(lambda _steps: None)
        self._done = 0  # steps of this epoch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the record, once the training is over."""
        return self.seen | {"step_losses": np.concatenate(self._losses), "test_logits": np.stack(self._logits)}

    @property
    def curves(self) -> exports.Curves:
        """What other programs are shown of the run, once the training is over."""
        figures = [
            {
                exports.EPOCH_LOSS: epoch.train_loss,
                exports.TEST_LOSS: epoch.test_loss,
                exports.TEST_ACCURACY: epoch.test_accuracy,
            }
            for epoch in self.summaries
        ]
        return exports.Curves(figures, self._ends, self._losses)

    def epochs(self) -> Iterator[Sequence[np.ndarray]]:
        """As in any session. Before some steps of each epoch the record looks at the model."""
        for epoch, epoch_batches in enumerate(super().epochs()):
            self._first = epoch * len(epoch_batches)
            steps = range(self._first, self._first + len(epoch_batches))
            self._stops = sorted({0, len(steps), *(step - self._first for step in self._weighed if step in steps)})
            yield epoch_batches

    @property
    def stops(self) -> Sequence[int]:
        """The ends of this epoch, and the steps before which the record looks at the model."""
        return self._stops

    def before_step(self, step: int) -> None:
        """Show how far the epoch is, and look at the model where the record needs it."""
        if step == 0:
            what = say("Epoch {number}/{count}", number=len(self.summaries) + 1, count=self.training.epochs)
            self._advance, self._done = self._bar.enter_context(progress.bar(len(self.batches), what)), 0
        self._advance(step - self._done)
        self._done = step
        if step in self._stops:
            with self.clock("record"):
                self._look(step)

    def _look(self, step: int) -> None:
        number = self._first + step
        found: dict[str, np.ndarray] = {}
        if number in self._weighed:
            found |= {f"weights/{name}": values for name, values in self._model.weights().items()}
        if number in self._checkpoints:
            found |= {f"kept/{name}": values for name, values in self._model.buffers().items()}
        if number == 0:
            found |= self._model.probe(self.batches[step][: record.PROBED_EXAMPLES])
        self._new |= {f"at/{number}/{name}": values for name, values in found.items()}

    def after_epoch(self, losses: np.ndarray, logits: np.ndarray) -> None:
        """Print the epoch's loss and keep its figures."""
        self._advance(len(losses) - self._done)
        self._bar.close()
        if self._checkpoints and progress.has_parent():
            with self.clock("record"):
                _share(self._new | {"step_losses": losses})
        self.seen, self._new = self.seen | self._new, {}
        self._ends.append(time.time())
        self._losses.append(losses)
        self._logits.append(logits)
        summary = record.Epoch(
            train_loss=metrics.mean_of_batch_means(losses),
            train_loss_per_example=metrics.mean_per_example(losses, [len(batch) for batch in self.batches]),
            test_loss=metrics.cross_entropy(logits, self._test_labels),
            test_accuracy=metrics.accuracy(logits, self._test_labels),
        )
        self.summaries.append(summary)
        progress.say(f"Epoch {len(self.summaries)}/{self.training.epochs}, Loss: {summary.train_loss:.4f}")
        progress.tell(epoch=summary.model_dump())


def _share(arrays: Mapping[str, np.ndarray]) -> None:
    """Hand an epoch's arrays to compare.py, which verifies them while the training goes on, and removes the file.

    Where they can't be written, it takes them from the record.
    """
    with contextlib.suppress(OSError):
        descriptor, path = tempfile.mkstemp(suffix=".safetensors")
        os.close(descriptor)
        try:
            save_tensors(Path(path), arrays)
        except OSError:
            Path(path).unlink()
            raise
        progress.tell(epoch_arrays=path)
