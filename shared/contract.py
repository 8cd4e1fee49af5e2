"""What an implementation provides, and which implementations there are.

An implementation is a package of modules. Each module keeps to one of the protocols below, and mypy checks it where the
package's `load` fills an `Implementation`. The rest of the project reaches a framework through these protocols alone.

In shapes, N is the number of examples, B that of a batch, P the pixels of an image and C the classes.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from shared.configuration import Configuration
from shared.execution import Execution
from shared.mnist import Examples, Split
from shared.network import Weights
from shared.system.errors import InputError
from shared.training import Training

# A framework's own types.
Device = TypeVar("Device")
Tensor = TypeVar("Tensor")
Model = TypeVar("Model")
Optimizer = TypeVar("Optimizer")
# The same, for protocols that only take them.
Device_contra = TypeVar("Device_contra", contravariant=True)
Model_contra = TypeVar("Model_contra", contravariant=True)
Optimizer_contra = TypeVar("Optimizer_contra", contravariant=True)


class Dataset(NamedTuple, Generic[Tensor]):
    """Examples as a framework trains on them, on its device."""

    inputs: Tensor  # (N, P), normalised, of the run's dtype
    labels: Tensor  # (N,) int64


class DeviceFacts(BaseModel):
    """The device that was used, not the one that was asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["cpu", "cuda"]
    name: str
    cuda_available: bool


class Session(Protocol):
    """What the training loop works with: it gives the batches, and looks at the model between steps."""

    @property
    def training(self) -> Training:
        """What is trained."""

    @property
    def stops(self) -> Sequence[int]:
        """The steps of this epoch before which `before_step` must be called, 0 first, and then the number of steps."""

    def epochs(self) -> Iterable[Sequence[np.ndarray]]:
        """The batches of each epoch: indices (B,) of training examples."""

    def before_step(self, step: int) -> None:
        """Must be called before every step in `stops` but the last, and may be before others. Steps count from 0."""

    def after_epoch(self, losses: np.ndarray, logits: np.ndarray) -> None:
        """Takes the mean loss of each step's batch, (steps,), and the logits of the test set after them, (N, C)."""

    def clock(self, phase: str) -> AbstractContextManager[None]:
        """Counts the seconds of a `with` block for this phase."""


class Runtime(Protocol[Device]):
    """The framework's switches, set once before any work, and what it reports of itself."""

    def configure(self, execution: Execution, dtype: str) -> Device:
        """Set threads, precision and determinism. Raises InputError for a device that the framework does not see."""

    def describe(self, device: Device) -> DeviceFacts:
        """The device for the record and the screen."""

    def versions(self) -> dict[str, str]:
        """The framework first, then the libraries that its run depends on."""

    def settings(self) -> dict[str, str]:
        """The switches as the framework reports them, not as they were asked for."""

    def ran_out_of_memory(self, error: Exception) -> bool:
        """Whether this is how the framework says that memory is short."""


class Data(Protocol[Device_contra, Tensor]):
    """The data set, read by the framework's own library."""

    def read(self, split: Split) -> Examples:
        """All images and labels of a split, in the canonical order."""

    def to_dataset(self, examples: Examples, training: Training, device: Device_contra) -> Dataset[Tensor]:
        """Normalised inputs (N, P) and labels (N,), on the device."""

    def to_arrays(self, dataset: Dataset[Tensor]) -> Dataset[np.ndarray]:
        """The same inputs and labels, as they are on the device now."""


class Models(Protocol[Device_contra, Model]):
    """The network as the framework's own class, and the one place that knows how it lays out its weights."""

    def build(self, training: Training, initial: Weights, device: Device_contra) -> Model:
        """The model on the device, with the weights `initial`."""

    def set_weights(self, model: Model, weights: Weights) -> None:
        """Give the model these weights, in the interchange form."""

    def weights(self, model: Model) -> dict[str, np.ndarray]:
        """A copy of the weights, in the interchange form."""


class Optimizers(Protocol[Model_contra, Optimizer]):
    """The update rules."""

    def make_optimizer(self, training: Training, model: Model_contra) -> Optimizer:
        """The training's optimizer for the model, at its first step. It clips, decays and changes its rate."""

    def buffers(self, training: Training, model: Model_contra, optimizer: Optimizer) -> dict[str, np.ndarray]:
        """Copies of what it keeps of earlier gradients, as `mean/fc1.weight` and so on, in the interchange form."""


class Engine(Protocol[Model_contra, Optimizer_contra, Tensor]):
    """A way to take the steps of an epoch."""

    def warm_up(
        self, training: Training, model: Model_contra, optimizer: Optimizer_contra, dataset: Dataset[Tensor]
    ) -> None:
        """Do beforehand what would slow the first step."""

    def train_epoch(
        self,
        model: Model_contra,
        optimizer: Optimizer_contra,
        dataset: Dataset[Tensor],
        batches: Sequence[np.ndarray],
        session: Session,
    ) -> np.ndarray:
        """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""


class Workers(
    Engine[Model_contra, Optimizer_contra, Tensor], Protocol[Device_contra, Model_contra, Optimizer_contra, Tensor]
):
    """An engine whose steps are taken by several processes: each computes on its share of a batch, and all update."""

    def join(self, device: Device_contra) -> AbstractContextManager[None]:
        """Become one of the workers while the block lasts, for a run on this device.

        Raises InputError where the others do not come, and where one is gone.
        """

    def scope(self) -> AbstractContextManager[object]:
        """Within it the model and its optimizer are made."""

    def settings(self) -> dict[str, str]:
        """What the framework reports: how many workers there are, and the backend by which they meet."""

    def total(self, values: np.ndarray) -> np.ndarray:
        """The sum of the arrays that all workers have. Each of them must call it."""


# An engine's `train_epoch`.
TrainEpoch = Callable[[Model, Optimizer, Dataset[Tensor], Sequence[np.ndarray], Session], np.ndarray]


class Train(Engine[Model, Optimizer, Tensor], Protocol[Model, Optimizer, Tensor]):
    """Training and evaluation, written to be read: step by step."""

    def train(
        self,
        model: Model,
        optimizer: Optimizer,
        datasets: tuple[Dataset[Tensor], Dataset[Tensor]],
        session: Session,
        train_epoch: TrainEpoch[Model, Optimizer, Tensor],
    ) -> None:
        """The whole training: each epoch's steps, by an engine's `train_epoch`, and then the test set."""

    def predict(self, model: Model, inputs: Tensor) -> np.ndarray:
        """Logits (N, C) of inputs (N, P)."""

    def probe(self, model: Model, dataset: Dataset[Tensor], batch: np.ndarray) -> dict[str, np.ndarray]:
        """What a step on this batch computes, by the names of a run record, without taking the step."""


class Stock(Protocol[Device_contra]):
    """The training as the framework's own tutorials would write it."""

    def train(
        self,
        training: Training,
        device: Device_contra,
        clock: Callable[[str], AbstractContextManager[None]],
        printed: Callable[[float], None],
    ) -> float:
        """Train; `printed` is told each epoch's loss as a tutorial prints it. Returns the accuracy, 0 to 1."""


@dataclass(frozen=True)
class Implementation(Generic[Device, Tensor, Model, Optimizer]):
    """An implementation, imported."""

    runtime: Runtime[Device]
    data: Data[Device, Tensor]
    model: Models[Device, Model]
    optimizers: Optimizers[Model, Optimizer]
    train: Train[Model, Optimizer, Tensor]
    fast: Engine[Model, Optimizer, Tensor] | None = None
    stock: Stock[Device] | None = None
    workers: Workers[Device, Model, Optimizer, Tensor] | None = None

    def engine(self, name: str) -> Engine[Model, Optimizer, Tensor]:
        """The engine of this name, "eager", "fast" or "workers"."""
        return {"fast": self.fast, "workers": self.workers}.get(name) or self.train


@dataclass(frozen=True)
class Entry:
    """What is known of an implementation without importing it."""

    name: str
    module: str  # that `python -m` runs
    # The packages that its run depends on. An interpreter that has the first is taken to have the implementation.
    packages: tuple[str, ...]
    requirements: str  # the file that installs them
    memory: int  # bytes that a run takes before any data: the interpreter and the libraries
    auto: Literal["eager", "fast"]  # what `--engine auto` takes
    has_fast: bool  # whether it has a compiled engine
    # A command that starts two workers, for one machine; None where there is no such engine.
    launch: str | None
    uses_gpu: bool = True

    @property
    def key(self) -> str:
        """The name in paths and options."""
        return self.name.lower()

    @property
    def called(self) -> str:
        """The name in a sentence."""
        return "the reference" if self.name == REFERENCE else self.name


REFERENCE = "Reference"  # the one that the others are compared with
IMPLEMENTATIONS = {
    entry.name: entry
    for entry in (
        Entry(
            "PyTorch",
            "pytorch_impl",
            packages=("torch", "torchvision", "numpy"),
            requirements="requirements/pytorch.txt",
            memory=600_000_000,
            auto="eager",
            has_fast=True,
            launch="torchrun --standalone --nproc-per-node 2 -m pytorch_impl --engine workers",
        ),
        Entry(
            "TensorFlow",
            "tensorflow_impl",
            packages=("tensorflow", "keras", "tensorflow_datasets", "numpy"),
            requirements="requirements/tensorflow.txt",
            memory=650_000_000,
            auto="fast",
            has_fast=True,
            launch="python -m shared.running.workers 2 python -m tensorflow_impl --engine workers",
        ),
        Entry(
            REFERENCE,
            "shared.reference",
            packages=("numpy",),
            requirements="requirements/pytorch.txt",
            memory=50_000_000,
            auto="eager",
            has_fast=False,
            launch=None,
            uses_gpu=False,
        ),
    )
}
FRAMEWORKS = tuple(name for name in IMPLEMENTATIONS if name != REFERENCE)  # those that are compared


def check_engine(configuration: Configuration, name: str) -> None:
    """Raise InputError where an engine is asked for that this implementation does not have. Imports nothing."""
    if configuration.execution.engine == "fast" and not IMPLEMENTATIONS[name].has_fast:
        called = IMPLEMENTATIONS[name].called
        raise InputError(f"--engine fast: {called} has no such engine; use --engine auto or eager")
    if configuration.execution.engine == "workers":
        check_workers(configuration.training, name)


def check_workers(training: Training, name: str) -> None:
    """Raise InputError where an implementation can't share this training among workers."""
    cure = "use --engine auto or eager"
    if IMPLEMENTATIONS[name].launch is None:
        raise InputError(f"--engine workers: {IMPLEMENTATIONS[name].called} has no such engine; {cure}")
    if "loss" in training.defaults_of(name):
        raise InputError(f"--engine workers with --keras-defaults loss: it adds up losses of logits; {cure}")
