"""Steps of a recorded training, taken again by the reference from any of its checkpoints."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from shared import random_numbers
from shared.contract import Dataset
from shared.network import Weights, perturb
from shared.reference import optimizers, reordered, train
from shared.reference.model import Activation, Model, Slopes, build
from shared.reference.optimizers import Optimizer
from shared.running import batches
from shared.training import Training

SEEDS_OF_A_DRAW = 10**9  # one for each step
LANES = 16  # of float32 in a vector


class State(NamedTuple):
    """All that the next step depends on, beside its batch: the weights, and what the optimizer keeps, before `step`."""

    step: int
    weights: Weights
    kept: Weights  # by `mean/fc1.weight` and so on; empty where it keeps nothing
    fused: bool = False  # whether a shrunk weight is rounded together with its update alone


@dataclass(frozen=True)
class Taken:
    """Steps that were taken: the loss of each before its update, and where they lead."""

    losses: np.ndarray  # (steps,)
    end: State


class Unit(NamedTuple):
    """A hidden unit at one example of a step's batch."""

    step: int
    layer: str
    row: int  # of the batch
    unit: int


# Whether the ReLU of a unit passes the gradient on, whatever its input.
Sides = Mapping[Unit, bool]


# What an activation's slopes become at a step: from the step's number, the layer's name, what enters the activation,
# (B, units), and its slopes there.
Sees = Callable[[int, str, np.ndarray, np.ndarray], np.ndarray]


def on(sides: Sides) -> Sees:
    """Slopes of a ReLU that takes the given side of zero at each of these units."""

    def sees(step: int, layer: str, entering: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        for unit, passes in sides.items():
            if (unit.step, unit.layer) == (step, layer):
                slopes[unit.row, unit.unit] = passes
        return slopes

    return sees


class Stepper:
    """A model and its optimizer, which take one step after the other from a state on."""

    def __init__(self, training: Training, start: State) -> None:
        self.training, self.step = training, start.step
        self.model = self.make_model(start)
        self.optimizer = self.make_optimizer(start)

    def make_model(self, start: State) -> Model:
        return build(self.training, start.weights, "cpu")

    def make_optimizer(self, start: State) -> Optimizer:
        return Optimizer(self.training, self.model.parameters, start.kept, start.step, fused=start.fused)

    def take(self, inputs: np.ndarray, labels: np.ndarray, slopes: Slopes | None = None) -> np.floating:
        """One update from inputs (B, P) and labels (B,). Returns the mean loss before it."""
        loss, gradients, _ = self.model.backward(inputs, labels, slopes)
        self.update(gradients)
        self.step += 1
        return loss

    def update(self, gradients: Weights) -> None:
        """One update of the weights from their gradients."""
        self.optimizer.apply(self.model.parameters, gradients)

    def probe(self, inputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        """What a step computes, by the names of a run record, without taking it."""
        return train.probe(self.model, Dataset(inputs, labels), np.arange(len(labels)))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Logits (N, C) of inputs (N, P)."""
        return train.predict(self.model, inputs)

    @property
    def state(self) -> State:
        return State(self.step, self.model.parameters, optimizers.buffers(self.training, self.model, self.optimizer))


class Perturbed(Stepper):
    """From weights perturbed by 1 ulp; and at each step the gradients and the buffers are, as their rounding does."""

    first_seed = 0

    def make_model(self, start: State) -> Model:
        return build(self.training, perturb(start.weights, self.first_seed), "cpu")

    @property
    def seed(self) -> int:
        """Of the signs of this step."""
        return self.first_seed + self.step

    def update(self, gradients: Weights) -> None:
        super().update(perturb(gradients, self.seed))
        for name, values in perturb(self.state.kept, self.seed).items():
            buffer, weight = name.split("/")
            getattr(self.optimizer.kept[weight], buffer)[...] = np.maximum(values, 0) if buffer == "square" else values


def mean_in_lanes(losses: np.ndarray) -> np.floating:
    """Their mean, added one after the other in so many lanes, as a compiled loop does. NumPy's own is more exact."""
    rows = np.zeros((-(-len(losses) // LANES), LANES), losses.dtype)
    rows.flat[: len(losses)] = losses
    mean: np.floating = rows.cumsum(axis=0)[-1].sum() / len(losses)
    return mean


@dataclass(frozen=True)
class PerturbedSoftmax(Model):
    """Probabilities perturbed by 1 ulp: of an example that is certain, their rounding is all of the gradient.

    The losses are added in an order that is drawn: of a large batch, the rounding of this sum is all that they lie off.
    """

    seed: Callable[[], int]

    def softmax(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logarithms, probabilities = super().softmax(logits)
        return logarithms, perturb({"": probabilities}, self.seed())[""]

    def mean(self, losses: np.ndarray) -> np.floating:
        drawn = random_numbers.bits(len(losses), seed=self.seed(), purpose=random_numbers.ORDER, index=0)
        return mean_in_lanes(losses[np.argsort(drawn)])


class AllPerturbed(Perturbed):
    """The same, with other signs in each draw; and the probabilities, and slopes that are a difference from 1, too."""

    def __init__(self, training: Training, start: State, draw: int) -> None:
        self.first_seed = draw * SEEDS_OF_A_DRAW
        super().__init__(training, start)

    def make_model(self, start: State) -> Model:
        model = super().make_model(start)
        if self.training.activation != "relu":
            function, derivative = model.activation.function, model.activation.derivative
            model = replace(model, activation=Activation(function, lambda entering: self._moved(derivative(entering))))
        return PerturbedSoftmax(**vars(model), seed=lambda: self.seed)

    def _moved(self, slopes: np.ndarray) -> np.ndarray:
        # Where a unit is saturated, as by 1 - tanh², the slope is the rounding of a number near 1.
        of_one = perturb({"": np.ones_like(slopes)}, self.seed)[""] - 1
        moved: np.ndarray = np.maximum(slopes + of_one, 0)
        return moved


class OtherSoftmax(Model):
    """Probabilities by a division, as TensorFlow computes them. Near 1 these are rounded otherwise.

    And the losses are added in lanes.
    """

    def softmax(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logarithms, _ = super().softmax(logits)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return logarithms, exponentials / exponentials.sum(axis=1, keepdims=True)

    def mean(self, losses: np.ndarray) -> np.floating:
        return mean_in_lanes(losses)


class Reordered(Stepper):
    """The same, with every sum added in another order."""

    def make_model(self, start: State) -> Model:
        return OtherSoftmax(**vars(reordered.build(self.training, start.weights, "cpu")))

    def make_optimizer(self, start: State) -> Optimizer:
        kept = reordered.reorder(start.kept)
        return reordered.Optimizer(self.training, self.model.parameters, kept, start.step, fused=start.fused)

    def take(self, inputs: np.ndarray, labels: np.ndarray, slopes: Slopes | None = None) -> np.floating:
        backwards: Slopes | None = None
        if slopes:
            backwards = lambda layer, entering: slopes(layer, entering[::-1, ::-1])[::-1, ::-1]  # noqa: E731
        return super().take(np.ascontiguousarray(inputs[::-1, ::-1]), labels[::-1], backwards)

    def probe(self, inputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        dataset = Dataset(np.ascontiguousarray(inputs[:, ::-1]), labels)
        return reordered.probe(self.model, dataset, np.arange(len(labels)))

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return super().predict(np.ascontiguousarray(inputs[:, ::-1]))

    @property
    def state(self) -> State:
        state = super().state
        return state._replace(weights=reordered.reorder(state.weights), kept=reordered.reorder(state.kept))


class Wide(Stepper):
    """The same in float64, from the same numbers."""

    def __init__(self, training: Training, start: State) -> None:
        wide = [
            {name: values.astype(np.float64) for name, values in tensors.items()}
            for tensors in (start.weights, start.kept)
        ]
        super().__init__(training.model_copy(update={"dtype": "float64"}), State(start.step, wide[0], wide[1]))

    def take(self, inputs: np.ndarray, labels: np.ndarray, slopes: Slopes | None = None) -> np.floating:
        return super().take(inputs.astype(np.float64), labels, slopes)

    def probe(self, inputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        return super().probe(inputs.astype(np.float64), labels)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return super().predict(inputs.astype(np.float64))


def rounding_steppers(training: Training, start: State, draws: int = 0) -> list[Stepper]:
    """A stepper, and others that differ from it by rounding alone.

    Perturbed by 1 ulp; with every sum in another order; in so many `draws` more; of a float32 training, in float64.
    """
    steppers = [Stepper(training, start), Perturbed(training, start), Reordered(training, start)]
    steppers += [AllPerturbed(training, start, draw) for draw in range(1, draws + 1)]
    return [*steppers, Wide(training, start)] if training.dtype == "float32" else steppers


class Replay:
    """Takes steps of a training, on its data and in its order."""

    def __init__(self, training: Training, dataset: Dataset[np.ndarray], draw: int) -> None:
        """`draw` is the purpose of the random numbers that order the examples."""
        self.training, self.dataset, self._draw = training, dataset, draw
        self._batches = functools.lru_cache(maxsize=2)(self._batches_of)

    def _batches_of(self, epoch: int) -> list[np.ndarray]:
        order = batches.epoch_order(self.training.seed, epoch, self._draw)
        return batches.split(order, self.training.batch_size)

    def batch(self, step: int) -> np.ndarray:
        """Indices (B,) of the examples of a step."""
        epoch, within = divmod(step, self.training.steps_per_epoch)
        return self._batches(epoch)[within]

    def _examples(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.batch(step)
        return self.dataset.inputs[batch], self.dataset.labels[batch]

    def take(self, start: State, until: int, sees: Sees | None = None) -> Taken:
        """The steps from `start` to the one before `until`. `sees` can change the slopes."""
        stepper, losses = Stepper(self.training, start), []
        for step in range(start.step, until):
            slopes = self._slopes(stepper, step, sees) if sees else None
            losses.append(stepper.take(*self._examples(step), slopes))
        return Taken(np.array(losses), stepper.state)

    def _slopes(self, stepper: Stepper, step: int, sees: Sees) -> Slopes:
        derivative = stepper.model.activation.derivative
        return lambda layer, entering: sees(step, layer, entering, derivative(entering))

    def rounded(self, start: State, until: int, sees: Sees | None = None, draws: int = 0) -> list[Taken]:
        """The same steps as `take`, and then with other rounding alone. A ReLU takes the same side in all."""
        plain, *_ = steppers = rounding_steppers(self.training, start, draws)
        losses: list[list[np.floating]] = [[] for _ in steppers]
        for step in range(start.step, until):
            plain_slopes = self._slopes(plain, step, sees or (lambda _step, _layer, _entering, slopes: slopes))
            examples, taken = self._examples(step), dict[str, np.ndarray]()
            for stepper, kept in zip(steppers, losses, strict=True):
                slopes = _keeping(plain_slopes, taken) if stepper is plain else _again(self.training, taken)
                kept.append(stepper.take(*examples, slopes))
        return [Taken(np.array(kept), stepper.state) for kept, stepper in zip(losses, steppers, strict=True)]


def _keeping(slopes: Slopes, taken: dict[str, np.ndarray]) -> Slopes:
    """The same slopes, which are kept in `taken`."""

    def keep(layer: str, entering: np.ndarray) -> np.ndarray:
        taken[layer] = slopes(layer, entering)
        return taken[layer]

    return keep


def _again(training: Training, taken: dict[str, np.ndarray]) -> Slopes | None:
    """The slopes that were taken, where they are sides; others are a part of the arithmetic."""
    return (lambda layer, _entering: taken[layer]) if training.activation == "relu" else None
