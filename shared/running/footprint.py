"""What a run takes of memory and of disk, known from its configuration before it starts.

The disk is counted: the arrays of a record have known shapes. The memory was measured, as the peak of the resident set
of whole runs; `benchmarks/footprint.py` measures it again, and shows the estimates beside it. An estimate lies below
what a run takes, by as little as a simple formula allows: so what is refused surely does not fit. A run that starts and
runs out of memory all the same says so.
"""

from collections.abc import Callable

from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.mnist import MNIST
from shared.network import count_weights
from shared.options import name_of, written
from shared.running.exports import MOST_EVENTS
from shared.running.record import PROBED_EXAMPLES, checkpoints, weighed_steps
from shared.system import machine
from shared.system.errors import InputError
from shared.training import Training
from shared.update_rules import UPDATE_RULES

# Copies of all weights in training: the initial ones, the model's and the gradients. The optimizer's come on top.
COPIES = 3
# Numbers in memory at once for each unit of the hidden layers and each example of a batch, or of the test set.
NUMBERS_OF_A_UNIT = 1.5
# Bytes that a report takes beside its records.
REPORT = 4_000_000
# Bytes of names and shapes, and for each checkpoint; of `run.json`, and for each epoch.
NAMES, NAMES_OF_A_CHECKPOINT, JSON, JSON_OF_AN_EPOCH = 8_000, 600, 4_000, 500
# Bytes of an event, and of a line of `losses.csv`: of its loss, of each digit of its step and epoch, and of its commas.
EVENT, EVENTS_OF_AN_EPOCH, LINE, LOSS = 50, 3, 3, {"float32": 13, "float64": 22}


def disk_needed(training: Training, checkpoint_steps: int | None = None) -> int:
    """Bytes on disk of a run: of its record, with checkpoints so far apart, or without, and what lies beside it."""
    events = min(training.steps, MOST_EVENTS) + EVENTS_OF_AN_EPOCH * training.epochs
    line = LINE + LOSS[training.dtype] + len(str(training.steps)) + len(str(training.epochs))
    return record_needed(training, checkpoint_steps) + EVENT * events + line * training.steps


def record_needed(training: Training, checkpoint_steps: int | None = None) -> int:
    """Bytes of a run's record, on disk and in memory."""
    examples = min(PROBED_EXAMPLES, training.batch_size)
    numbers = (_weight_copies(training, checkpoint_steps) + 1) * count_weights(training)  # and the final weights
    numbers += training.epochs * MNIST.test_examples * len(MNIST.classes) + training.steps + 1
    numbers += examples * (MNIST.pixels + len(MNIST.classes) + sum(training.hidden_sizes))
    words = NAMES + NAMES_OF_A_CHECKPOINT * len(checkpoints(training, checkpoint_steps))
    return numbers * training.numpy_dtype.itemsize + words + JSON + JSON_OF_AN_EPOCH * training.epochs


def _weight_copies(training: Training, checkpoint_steps: int | None) -> int:
    """How many tensors of each weight's size a record holds beside the final weights, the gradients among them."""
    if checkpoint_steps is None:
        return len(weighed_steps(training)) + 1
    kept = 1 + len(UPDATE_RULES[training.optimizer].buffers)
    return kept * len(checkpoints(training, checkpoint_steps)) + 1


def memory_needed(configuration: Configuration, name: str, checkpoint_steps: int | None = None) -> int:
    """Bytes of the computer's memory that an implementation's run takes at its peak, or a little less."""
    training, entry = configuration.training, IMPLEMENTATIONS[name]
    gpu = entry.uses_gpu and configuration.execution.device != "cpu" and bool(machine.gpus())
    copies = 1 if gpu else COPIES + len(UPDATE_RULES[training.optimizer].buffers)
    if training.mode == "matched":
        copies += _weight_copies(training, checkpoint_steps)
    numbers = (MNIST.train_examples + MNIST.test_examples) * MNIST.pixels + copies * count_weights(training)
    if not gpu:
        units = int(NUMBERS_OF_A_UNIT * sum(training.hidden_sizes))
        numbers += max(training.batch_size * (MNIST.pixels + units), MNIST.test_examples * units)
    return entry.memory + numbers * training.numpy_dtype.itemsize


def refuse_what_does_not_fit(configuration: Configuration, needed: Callable[[Configuration], int]) -> None:
    """Raise InputError where `configuration` needs more memory than there is. It names the option to lower."""
    bytes_needed, available = needed(configuration), machine.memory()
    if bytes_needed <= available:
        return
    # The first option whose lowering is enough: a smaller batch changes less than a smaller network.
    least: dict[str, object] = {"batch_size": 1, "hidden_sizes": (), "epochs": 1}
    enough = [field for field in least if needed(configuration.but(**{field: least[field]})) <= available]
    field = enough[0] if enough else "hidden_sizes"
    cure = f"lower {name_of(field)}" if enough else "end other programs"
    raise InputError(
        f"{name_of(field)} {written(getattr(configuration.training, field))} needs about {bytes_needed / 1e9:.1f} GB "
        f"of memory, and {available / 1e9:.1f} GB are available; {cure}"
    )
