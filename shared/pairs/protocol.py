"""What compare.py asks of the process of one side, and what that side provides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import Field

from shared.pairs.description import Call, Layer, OptimizerFacts, Setting, Strict, TensorFacts

Arrays = dict[str, np.ndarray]
Until = Literal["evaluation", "gradients", "training"]
GIVEN = "given"  # an edit: the model is given what PyTorch's `prepare` makes, its axes as `values["axes"]` has them
ALONE = ""  # the name of an input that is the only one


class Edit(Strict):
    """One thing that the side does otherwise than its file says, to find out whether that is the cause.

    `place` is a layer's path, the number of a call among all calls of a forward pass, or empty.
    """

    what: str  # of those that the side's table of edits has
    place: str = ""
    values: dict[str, Setting] = Field(default_factory=dict)


class Opening(Strict):
    """Read a user's file, build its model, describe it."""

    do: Literal["open"] = "open"
    file: Path
    data: Path
    dtype: Literal["float32", "float64"]
    seed: int
    batch_size: int
    steps: int
    out: Path  # for the model's tensors, as they are at first
    inputs_out: Path  # for what `prepare` made


class Shapes(Strict):
    """Say what the model of a file takes and gives, as far as it can tell without data."""

    do: Literal["shapes"] = "shapes"
    file: Path
    seed: int


class Wanted(Strict):
    """Evaluate and train the model, from the weights given."""

    do: Literal["run"] = "run"
    weights: Path
    edits: list[Edit] = Field(default_factory=list)
    given: Path | None = None  # the inputs that the edit GIVEN takes
    perturbed: int | None = None  # the seed by which all weights and inputs are moved by one unit in the last place
    reversed: bool = False  # the examples within each batch
    until: Until = "training"
    record_after: list[int]  # steps; the last one of them is the last that is taken
    out: Path


class Carrying(Strict):
    """Let the user's own `carry` make Keras's tensors from PyTorch's."""

    do: Literal["carry"] = "carry"
    weights: Path
    out: Path


@dataclass
class Seen:
    """What a forward pass computed: each call, the arrays by the names that the calls give them, outputs and loss."""

    calls: list[Call] = field(default_factory=list)
    arrays: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)  # by key or number; "" where there is only one
    loss: np.ndarray = field(default_factory=lambda: np.array(np.nan))
    losses: list[Call] = field(default_factory=list)  # what was called in the user's loss


class StartAgainError(Exception):
    """A step could not be taken as it was to be, and what it did before that can't be undone: the run starts again."""


class Subject(Protocol):
    """A user's model, loss and optimizer in their framework, freshly made."""

    def tensors(self) -> dict[str, TensorFacts]:
        """All parameters and buffers by name, in the model's order."""

    def layers(self) -> list[Layer]:
        """The layers with tensors of their own, in order of execution as of the last evaluation."""

    def optimizer_facts(self) -> OptimizerFacts:
        """What updates the weights."""

    def dropout(self) -> dict[str, float]:
        """The rates as the file has them, by path."""

    def values(self) -> Arrays:
        """Copies of all tensors."""

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Set these tensors."""

    def evaluate(self, inputs: Arrays, targets: np.ndarray) -> Seen:
        """An evaluation; every call is seen. Nothing is changed by it."""

    def gradients(self, inputs: Arrays, targets: np.ndarray) -> tuple[Seen, Arrays]:
        """What a step on this batch computes, without taking it: the forward pass in training, and the gradients.

        Buffers that the forward pass changes are put back.
        """

    def step(self, inputs: Arrays, targets: np.ndarray) -> tuple[float, float]:
        """One update. Returns the loss before it, and the rate it was taken at."""


class Side(Protocol):
    """A framework's module of this name."""

    def configure(self, seed: int, dtype: str) -> None:
        """Set threads, determinism, seeds, and the dtype in which models are made from here on."""

    def prepare(self) -> None:
        """Before a user's file is read: see to it that what it calls can be seen."""

    def make(self, module: ModuleType, dtype: str, example: tuple[Arrays, np.ndarray], edits: list[Edit], /) -> Subject:
        """The model of a user's module, and all it is trained with. Raises InputError."""

    def shapes(self, module: ModuleType) -> dict[str, Any]:
        """Of one example: "inputs" by name, "outputs", and "tokens", how many an embedding knows. Raises InputError."""

    def carry(self, module: ModuleType, torch: Arrays, /) -> Arrays | None:
        """What the user's own `carry` makes of PyTorch's tensors; None where there is none."""


def told(value: Any) -> Setting:
    """A setting as it can be written down: tuples become lists, NumPy's numbers Python's, all else its name."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [told(each) for each in value]
    if isinstance(value, np.generic):
        return told(value.item())
    return str(getattr(value, "__name__", value))
