"""The run record: everything that one run leaves behind.

A record is three files of a folder; what lies beside them, see `exports`, is no part of it:

- `run.json`, described by `RunRecord`, written last: a folder without it is not a record;
- `weights.safetensors`, the final weights, in the interchange form of `shared.network`;
- `arrays.safetensors`, with
    - `step_losses` (steps,): each step's mean loss over its batch, before its update;
    - `test_logits` (epochs, 10000, 10): after each epoch, in the canonical order;
    - `at/S/weights/NAME`: the weights before step S, so after S updates, for S = 0, 1, 8 and an epoch's steps; and,
      with checkpoints, for every step of `checkpoints`;
    - `at/S/kept/BUFFER/NAME`: with checkpoints, what the optimizer keeps of earlier gradients at each, if it does;
    - `at/0/input`, `at/0/fc1` and so on, `at/0/logits` (B, …), `at/0/loss` (), `at/0/gradient/NAME`: what step 0
      computes, from the first `PROBED_EXAMPLES` of its batch; of a hidden layer, what enters its activation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, FiniteFloat, ValidationError

from shared.configuration import Configuration
from shared.contract import DeviceFacts
from shared.execution import Execution
from shared.mnist import MNIST
from shared.network import Weights, count_weights, hidden_layers, layer_sizes, weight_shapes
from shared.system import files
from shared.system.errors import OneLineError
from shared.training import Training
from shared.update_rules import UPDATE_RULES

SCHEMA = 4
# So that a record stays small at any batch size.
PROBED_EXAMPLES = 1024
FEW_STEPS = 8  # after which weights are compared as well
# Steps between two checkpoints. Rounding is hardly enlarged in so few, and all those of the default run are 33 MB.
CHECKPOINT_STEPS = 64
# Where more must be known: as many as a compiled engine takes in one call, for only so does it give the same bits.
FEWEST_CHECKPOINT_STEPS = 8
# Of all checkpoints of a run: those of a larger network, or of a longer training, are further apart.
CHECKPOINT_BYTES = 300_000_000
RUN_JSON, WEIGHTS_FILE, ARRAYS_FILE = "run.json", "weights.safetensors", "arrays.safetensors"


class RecordError(OneLineError):
    """A record is missing, partial, altered or not of this schema."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Epoch(Strict):
    """One epoch's figures. `train_loss` is the mean of batch means, as the tutorial prints it."""

    train_loss: float
    train_loss_per_example: float
    test_loss: float
    test_accuracy: float


class Provenance(Strict):
    """Where a run comes from: what was asked for, when, and by which program on which system."""

    command: str  # as a shell takes it
    started: AwareDatetime
    ended: AwareDatetime
    commit: str | None  # of this program's checkout, "-dirty" where it had changed; None where there is none
    system: str  # the operating system


class About(Strict):
    """What every record says of its run."""

    schema_version: Literal[4]
    framework: str
    training: Training
    execution: Execution
    device: DeviceFacts
    versions: dict[str, str]
    environment: dict[str, str]
    timing: dict[str, float]  # seconds by phase
    provenance: Provenance | None = None  # earlier versions of this program did not tell it

    @property
    def configuration(self) -> Configuration:
        """What the run was told."""
        return Configuration(training=self.training, execution=self.execution)


class RunRecord(About):
    """What `run.json` holds."""

    settings: dict[str, str]
    data_checksum: dict[str, str]
    order_checksums: list[str]
    checkpoint_steps: int | None  # between two checkpoints, as asked for; None: there are none
    epochs: list[Epoch]
    files: dict[str, str]


class StockRecord(About):
    """What `run.json` holds of a stock run, which leaves nothing else: what its tutorial would have printed."""

    printed_losses: list[FiniteFloat]
    test_accuracy: FiniteFloat
    epoch_seconds: list[float]


def weighed_steps(training: Training) -> set[int]:
    """The steps before which a record holds the weights: at the start, after one update, eight, and an epoch."""
    return {step for step in (0, 1, FEW_STEPS, training.steps_per_epoch) if step < training.steps}


def checkpoints(training: Training, apart: int | None) -> list[int]:
    """The steps before which a run with checkpoints so many steps `apart`, or more, records its weights.

    `apart` is None where it has none. The start of every epoch is one, and the first ones are close together.
    """
    if apart is None:
        return []
    kept = 1 + len(UPDATE_RULES[training.optimizer].buffers)
    size = kept * count_weights(training) * training.numpy_dtype.itemsize
    fewest = -(-training.steps * size // CHECKPOINT_BYTES)
    within = range(0, training.steps_per_epoch, max(apart, fewest))
    starts = range(0, training.steps, training.steps_per_epoch)
    return sorted(weighed_steps(training) | {start + step for start in starts for step in within})


@dataclass(frozen=True)
class Steps:
    """What a run recorded of its steps, or has so far: their losses and its checkpoints."""

    training: Training
    checkpoint_steps: int | None
    arrays: Mapping[str, np.ndarray]
    weights: Weights  # the final ones; none while it goes on

    @property
    def step_losses(self) -> np.ndarray:
        return self.arrays["step_losses"]

    def at(self, step: int, kind: str = "") -> dict[str, np.ndarray]:
        """The arrays under `at/step/kind`, by what follows; empty where there are none."""
        return _at(self.arrays, step, kind)


@dataclass(frozen=True)
class Run:
    """A record in memory."""

    record: RunRecord
    weights: Weights
    arrays: Mapping[str, np.ndarray]

    @property
    def steps(self) -> Steps:
        """What it recorded of all its steps."""
        return Steps(self.record.training, self.record.checkpoint_steps, self.arrays, self.weights)

    @property
    def step_losses(self) -> np.ndarray:
        return self.arrays["step_losses"]

    @property
    def test_logits(self) -> np.ndarray:
        """At the final weights, (N, C)."""
        logits: np.ndarray = self.arrays["test_logits"][-1]
        return logits

    def at(self, step: int, kind: str = "") -> dict[str, np.ndarray]:
        """The arrays under `at/step/kind`, by what follows; empty where there are none."""
        return _at(self.arrays, step, kind)


def _at(arrays: Mapping[str, np.ndarray], step: int, kind: str) -> dict[str, np.ndarray]:
    prefix = f"at/{step}/{kind}/" if kind else f"at/{step}/"
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def write_arrays(folder: Path, weights: Weights, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write the two array files; returns the SHA-256 of each by name, which `run.json` must carry."""
    files.save_tensors(folder / WEIGHTS_FILE, weights)
    files.save_tensors(folder / ARRAYS_FILE, arrays)
    return {name: files.sha256(folder / name) for name in (WEIGHTS_FILE, ARRAYS_FILE)}


def write_record(folder: Path, record: RunRecord | StockRecord) -> None:
    (folder / RUN_JSON).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_run(folder: Path) -> Run:
    """Read and check a record. Raises RecordError."""
    try:
        record = RunRecord.model_validate_json(files.read_utf8(folder / RUN_JSON))
        if record.files.keys() != {WEIGHTS_FILE, ARRAYS_FILE}:
            raise RecordError(f"{folder / RUN_JSON}: files: not {WEIGHTS_FILE} and {ARRAYS_FILE}; run again")
        for name, expected in record.files.items():
            if files.sha256(folder / name) != expected:
                raise RecordError(f"{folder / name} is not the file that the run wrote; run again")
        run = Run(record, files.read_safetensors(folder / WEIGHTS_FILE), files.read_safetensors(folder / ARRAYS_FILE))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        said = first["msg"]
        if (where, first["type"]) == ("schema_version", "literal_error"):
            said = f"it is of schema {first['input']!r}, and this program reads {SCHEMA}"
        raise RecordError(f"{folder / RUN_JSON}: {where}: {said}; run again") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{folder} is not a whole record: {error}; run again") from None
    _check_shapes(folder, run)
    return run


def _check_shapes(folder: Path, run: Run) -> None:
    training = run.record.training
    shapes, sizes = weight_shapes(training), layer_sizes(training)
    classes = len(MNIST.classes)
    expected: dict[str, tuple[int, ...]] = {
        "step_losses": (training.steps,),
        "test_logits": (training.epochs, MNIST.test_examples, classes),
        "at/0/loss": (),
        **{f"at/0/weights/{name}": shape for name, shape in shapes.items()},
        **{f"at/0/gradient/{name}": shape for name, shape in shapes.items()},
    }
    for step in checkpoints(training, run.record.checkpoint_steps):
        expected |= {f"at/{step}/weights/{name}": shape for name, shape in shapes.items()}
        for buffer in UPDATE_RULES[training.optimizer].buffers:
            expected |= {f"at/{step}/kept/{buffer}/{name}": shape for name, shape in shapes.items()}
    examples = min(PROBED_EXAMPLES, training.batch_size)
    seen = {"input": MNIST.pixels, "logits": classes, **{name: sizes[name][1] for name in hidden_layers(training)}}
    expected |= {f"at/0/{name}": (examples, size) for name, size in seen.items()}
    if {name: w.shape for name, w in run.weights.items()} != shapes:
        raise RecordError(f"{folder / WEIGHTS_FILE} does not hold the weights of its training; run again")
    for name, shape in expected.items():
        if name not in run.arrays or run.arrays[name].shape != shape:
            raise RecordError(f"{folder / ARRAYS_FILE}: {name} is missing or not of shape {shape}; run again")
    if len(run.record.epochs) != training.epochs or len(run.record.order_checksums) != training.epochs:
        raise RecordError(f"{folder / RUN_JSON}: not {training.epochs} epochs; run again")
    for name, array in (*run.weights.items(), *run.arrays.items()):
        if array.dtype != training.numpy_dtype:
            raise RecordError(f"{folder}: {name} is {array.dtype} in a {training.dtype} run; run again")
