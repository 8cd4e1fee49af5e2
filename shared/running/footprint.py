"""What a run takes of memory and of disk, known from its spec before it starts.

The disk is counted: the arrays of a record have known shapes. The memory was measured, as the peak of the resident set
of whole runs; `benchmarks/footprint.py` does it again, and shows the estimates beside. They are set to lie below
what a run takes, by as little as a simple formula allows: what is refused can't fit, and what still runs out says so.
"""

import math
from collections.abc import Callable

from shared.running.record import PROBED_EXAMPLES, weighed_steps
from shared.spec import CLASSES, PIXELS, TEST_EXAMPLES, TRAIN_EXAMPLES, Spec, option_name
from shared.system import machine
from shared.system.errors import InputError

# Bytes that a program takes for itself and its libraries.
LIBRARIES = {"PyTorch": 600_000_000, "TensorFlow": 650_000_000, "Reference": 50_000_000}
# Copies of all weights in training: those it starts from, the model's and the gradients, beside the optimizer's own.
COPIES = 3
OPTIMIZERS_COPIES = {"sgd": 0, "adam": 2, "adamw": 2}
OTHER_OPTIMIZERS_COPIES = 1
# Numbers that live at once for each unit of the hidden layers and each example, of a batch or of the test set.
NUMBERS_OF_A_UNIT = 1.5
# Bytes that a report takes beside its records.
REPORT = 4_000_000
# Bytes of names and shapes, of `run.json`, and of the latter for each epoch.
NAMES, NAMES_OF_A_STEP, JSON, JSON_OF_AN_EPOCH = 8_000, 250, 4_000, 500


def disk_needed(spec: Spec, runs: int, *, activations_until: int = 0) -> int:
    """Bytes of the records of so many runs, each with the activations before so many of its first steps."""
    examples = min(PROBED_EXAMPLES, spec.batch_size)
    traced = min(activations_until, spec.steps)
    numbers = (len(weighed_steps(spec)) + 2) * _parameters(spec)  # and the gradients, and the final weights
    numbers += TEST_EXAMPLES * CLASSES + spec.steps + 1
    numbers += examples * (PIXELS + CLASSES + sum(spec.hidden_sizes) * max(1, traced))
    words = NAMES + NAMES_OF_A_STEP * traced + JSON + JSON_OF_AN_EPOCH * spec.epochs
    return runs * (numbers * spec.numpy_dtype.itemsize + words)


def memory_needed(spec: Spec, framework: str) -> int:
    """Bytes of the computer's memory that a run takes at its peak: no more than that, and little less."""
    gpu = framework != "Reference" and spec.device != "cpu" and bool(machine.gpus())
    copies = 1 if gpu else COPIES + OPTIMIZERS_COPIES.get(spec.optimizer, OTHER_OPTIMIZERS_COPIES)
    if spec.mode == "matched":
        copies += len(weighed_steps(spec)) + 1  # for the record, with the gradients
    numbers = (TRAIN_EXAMPLES + TEST_EXAMPLES) * PIXELS + copies * _parameters(spec)
    if not gpu:
        units = int(NUMBERS_OF_A_UNIT * sum(spec.hidden_sizes))
        numbers += max(spec.batch_size * (PIXELS + units), TEST_EXAMPLES * units)
    return LIBRARIES[framework] + numbers * spec.numpy_dtype.itemsize


def refuse_what_does_not_fit(spec: Spec, needed: Callable[[Spec], int]) -> None:
    """Raise InputError where `spec` needs more memory than there is: with the option to lower."""
    bytes_needed, available = needed(spec), machine.memory()
    if bytes_needed <= available:
        return
    # The first whose lowering is enough: a smaller batch changes less than a smaller network.
    least: dict[str, object] = {"batch_size": 1, "hidden_sizes": (1, 1)}
    enough = [field for field in least if needed(spec.model_copy(update={field: least[field]})) <= available]
    option = option_name(enough[0] if enough else "hidden_sizes")
    words = dict(zip(spec.options()[::2], spec.options()[1::2], strict=True))
    cure = f"lower {option}" if enough else "end other programs"
    raise InputError(
        f"{option} {words[option]} needs about {bytes_needed / 1e9:.1f} GB of memory, "
        f"and {available / 1e9:.1f} GB are available; {cure}"
    )


def _parameters(spec: Spec) -> int:
    return sum(math.prod(shape) for shape in spec.weight_shapes.values())
