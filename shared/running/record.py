"""The run record: everything one run leaves behind, enough for every question asked later.

A record is a folder of three files:

- `run.json`, described by `RunRecord`, written last: a folder without it is not a record;
- `weights.safetensors`, the final weights, in the interchange form of `shared.network`;
- `arrays.safetensors`, with
    - `step_losses` (steps,): each step's mean loss over its batch, before its update;
    - `test_logits` (10000, 10): at the final weights, in the canonical order;
    - `at/S/weights/NAME`: the weights before step S, so after S updates, for S = 0, 1, 10 and an epoch's steps;
    - `at/0/input`, `at/0/logits` (B, …), `at/0/loss` (), `at/0/gradient/NAME`: what step 0 computes, from the first
      `PROBED_EXAMPLES` of its batch;
    - `at/S/fc1`, `at/S/fc2` (B, hidden): the same of what enters the ReLUs, for step 0 and as many as were asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from shared.network import Weights, save_tensors, save_weights
from shared.spec import CLASSES, PIXELS, TEST_EXAMPLES, Spec
from shared.system import files
from shared.system.errors import OneLineError

SCHEMA = 2
# So that a record stays small at any batch size.
PROBED_EXAMPLES = 1024
RUN_JSON, WEIGHTS_FILE, ARRAYS_FILE = "run.json", "weights.safetensors", "arrays.safetensors"


class RecordError(OneLineError):
    """A record is missing, partial, altered or not of this schema."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Device(Strict):
    """The device that was used, not the one that was asked for."""

    type: Literal["cpu", "cuda"]
    name: str
    cuda_available: bool


class Epoch(Strict):
    """One epoch's figures. `train_loss` is the mean of batch means, as the tutorial prints it."""

    train_loss: float
    train_loss_per_example: float
    test_loss: float
    test_accuracy: float


class RunRecord(Strict):
    """What `run.json` holds."""

    schema_version: Literal[2]
    framework: str
    spec: Spec
    device: Device
    versions: dict[str, str]
    settings: dict[str, str]
    environment: dict[str, str]
    data_checksum: dict[str, str]
    order_checksums: list[str]
    epochs: list[Epoch]
    timing: dict[str, float]
    files: dict[str, str]


class StockRecord(Strict):
    """What `run.json` holds of a stock run, which leaves nothing else: what its tutorial would have printed."""

    schema_version: Literal[2]
    framework: str
    spec: Spec
    device: Device
    versions: dict[str, str]
    environment: dict[str, str]
    printed_losses: list[FiniteFloat]
    test_accuracy: FiniteFloat
    epoch_seconds: list[float]
    timing: dict[str, float]


def weighed_steps(spec: Spec) -> set[int]:
    """The steps before which a record holds the weights: the start, one update, ten, an epoch."""
    return {step for step in (0, 1, 10, spec.steps_per_epoch) if step < spec.steps}


@dataclass(frozen=True)
class Run:
    """A record in memory."""

    record: RunRecord
    weights: Weights
    arrays: Mapping[str, np.ndarray]

    @property
    def step_losses(self) -> np.ndarray:
        return self.arrays["step_losses"]

    @property
    def test_logits(self) -> np.ndarray:
        return self.arrays["test_logits"]

    def at(self, step: int, kind: str = "") -> dict[str, np.ndarray]:
        """The arrays under `at/step/kind`, by what follows; empty where there are none."""
        prefix = f"at/{step}/{kind}/" if kind else f"at/{step}/"
        return {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}


def write_arrays(folder: Path, weights: Weights, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write the two array files; returns the SHA-256 of each by name, which `run.json` must carry."""
    save_weights(folder / WEIGHTS_FILE, weights)
    save_tensors(folder / ARRAYS_FILE, arrays)
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
    spec = run.record.spec
    expected: dict[str, tuple[int, ...]] = {
        "step_losses": (spec.steps,),
        "test_logits": (TEST_EXAMPLES, CLASSES),
        **{f"at/0/weights/{name}": shape for name, shape in spec.weight_shapes.items()},
    }
    examples = min(PROBED_EXAMPLES, spec.batch_size)
    sizes = {"input": PIXELS, "fc1": spec.hidden_sizes[0], "fc2": spec.hidden_sizes[1], "logits": CLASSES}
    expected |= {f"at/0/{name}": (examples, size) for name, size in sizes.items()}
    expected |= {f"at/0/gradient/{name}": shape for name, shape in spec.weight_shapes.items()}
    expected["at/0/loss"] = ()
    if {name: w.shape for name, w in run.weights.items()} != spec.weight_shapes:
        raise RecordError(f"{folder / WEIGHTS_FILE} does not hold the weights of its spec; run again")
    for name, shape in expected.items():
        if name not in run.arrays or run.arrays[name].shape != shape:
            raise RecordError(f"{folder / ARRAYS_FILE}: {name} is missing or not of shape {shape}; run again")
    if len(run.record.epochs) != spec.epochs or len(run.record.order_checksums) != spec.epochs:
        raise RecordError(f"{folder / RUN_JSON}: not {spec.epochs} epochs; run again")
    for name, array in (*run.weights.items(), *run.arrays.items()):
        if array.dtype != spec.numpy_dtype:
            raise RecordError(f"{folder}: {name} is {array.dtype} in a {spec.dtype} run; run again")
