"""What other programs open of a run, beside its record: `losses.csv`, and an event file of TensorBoard's.

- `losses.csv`: `step,epoch,loss`, a line for each step. Steps count from 0, as in the record, and epochs from 1, as on
  the screen. Each loss is the shortest text that reads back as the same number of the run's dtype. A stock run knows
  what it prints alone: `epoch,loss`, a line for each epoch.
- the event file: `loss` of the steps, and of each epoch `epoch_loss`, `test_loss` and `test_accuracy`. Its numbers are
  float32, as TensorBoard's own are. Of a long training it has each k-th step only, and says so where a curve is
  described. The time of an event is when its epoch ended: a run hands over its losses then, and no sooner.

Nothing here is read again: a record is whole without.
"""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.system import progress
from shared.system.errors import in_one_line
from shared.system.language import say

LOSSES_FILE = "losses.csv"
# TensorBoard takes every file with "tfevents" in its name. The usual name has the time and the host, and so is never
# the same twice.
EVENTS_FILE = "events.out.tfevents.run"
# Of the losses of steps. So many take a tenth of a second to write, and TensorBoard itself shows a thousand of a curve.
MOST_EVENTS = 10_000
LOSS, EPOCH_LOSS, TEST_LOSS, TEST_ACCURACY = "loss", "epoch_loss", "test_loss", "test_accuracy"


@dataclass(frozen=True)
class Curves:
    """What a run found, in the order of its steps and epochs."""

    epochs: Sequence[Mapping[str, float]]  # the figures of each, by tag, `EPOCH_LOSS` among them
    ends: Sequence[float]  # when each ended, in seconds since 1970
    steps: Sequence[np.ndarray] = ()  # of each epoch, the losses of its steps (steps,); of a stock run nothing


def write(folder: Path, curves: Curves, install: str) -> None:
    """Write both files. `install` is the command that installs what they need.

    Raises OSError where the system refuses to write. Whatever else goes wrong costs a line and no run: nothing that was
    trained is lost because it could not be written in other programs' forms.
    """
    for name, write_file in ((LOSSES_FILE, _write_losses), (EVENTS_FILE, _write_events)):
        try:
            write_file(folder / name, curves)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 of another version, a library can raise anything
            (folder / name).unlink(missing_ok=True)
            why: str = in_one_line(error)
            if isinstance(error, ModuleNotFoundError):
                why = say("{name} is not installed for {python}", name=error.name, python=sys.executable)
            told = say(
                "{file} is left out: {why}; to have it next time: {command}", file=name, why=why, command=install
            )
            progress.notice(told)


def _write_losses(path: Path, curves: Curves) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(curves))


def _lines(curves: Curves) -> Iterator[str]:
    """The lines of `losses.csv`, some at once: millions are too many to hold."""
    if not curves.steps:
        yield f"epoch,{LOSS}\n"
        yield from (f"{epoch},{figures[EPOCH_LOSS]}\n" for epoch, figures in enumerate(curves.epochs, start=1))
        return
    yield f"step,epoch,{LOSS}\n"
    step = 0
    for epoch, losses in enumerate(curves.steps, start=1):
        # NumPy's own numbers: those of Python would show a float32 with the digits of a float64.
        yield "".join(f"{number},{epoch},{loss!s}\n" for number, loss in enumerate(losses, start=step))
        step += len(losses)


def _write_events(path: Path, curves: Curves) -> None:
    """Raises whatever the `tensorboard` package does, and ModuleNotFoundError without it."""
    # Importing these takes a quarter of a second; and none of them imports TensorFlow.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.summary.writer.record_writer import RecordWriter

    apart = _steps_apart(curves)
    described = f"one step in {apart}; {LOSSES_FILE} has them all" if apart > 1 else ""
    file = io.BytesIO()
    records = RecordWriter(file)
    records.write(Event(wall_time=curves.ends[0], file_version="brain.Event:2").SerializeToString())
    for tag, step, value, time in _points(curves, apart):
        about = SummaryMetadata(summary_description=described) if described and (tag, step) == (LOSS, 0) else None
        point = Summary.Value(tag=tag, simple_value=value, metadata=about)
        records.write(Event(wall_time=time, step=step, summary=Summary(value=[point])).SerializeToString())
    path.write_bytes(file.getvalue())


def _steps_apart(curves: Curves) -> int:
    """How many steps lie from one event to the next."""
    return max(1, -(-sum(map(len, curves.steps)) // MOST_EVENTS))


def _points(curves: Curves, apart: int) -> Iterator[tuple[str, int, float, float]]:
    """Tag, step, value and time of every event. The step of an epoch's figures is its number."""
    first = 0
    for epoch, figures in enumerate(curves.epochs):
        losses = curves.steps[epoch] if curves.steps else ()
        for step in range(-first % apart, len(losses), apart):
            yield LOSS, first + step, float(losses[step]), curves.ends[epoch]
        first += len(losses)
        for tag, value in figures.items():
            yield tag, epoch + 1, value, curves.ends[epoch]
