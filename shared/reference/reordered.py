"""The reference with its pixels, hidden units and the examples of each batch numbered backwards.

It is the same network and the same training, with every sum added in another order: what rounding alone does to a
run, and just the freedom that a matrix product in any library takes. `python -m shared.reference.reordered` runs it.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np

from shared.mnist import Dataset, Examples
from shared.network import Weights
from shared.reference import optimizers, reference
from shared.reference.reference import Model, configure, describe, read, settings, versions, warm_up
from shared.running import runner
from shared.spec import LAYERS, Spec

__all__ = ["configure", "describe", "read", "settings", "versions", "warm_up"]


def reorder(tensors: Weights) -> dict[str, np.ndarray]:
    """Weights or their gradients with every axis backwards but the ten classes. Its own inverse."""
    turned = {}
    for name, values in tensors.items():
        to_classes = name.startswith(LAYERS[-1])
        turned[name] = np.flip(values, axis=tuple(range(int(to_classes), values.ndim))).copy()
    return turned


def to_dataset(examples: Examples, spec: Spec, device: str) -> Dataset:
    inputs, labels = reference.to_dataset(examples, spec, device)
    return Dataset(np.ascontiguousarray(inputs[:, ::-1]), labels)


def build(spec: Spec, initial: Weights, device: str) -> Model:
    return reorder(initial)


def weights(model: Model) -> dict[str, np.ndarray]:
    return reorder(model)


def train_steps(
    model: Model,
    optimizer: optimizers.Optimizer,
    dataset: Dataset,
    batches: Sequence[np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    return reference.train_steps(model, optimizer, dataset, [batch[::-1] for batch in batches], advance)


def predict(model: Model, inputs: np.ndarray) -> np.ndarray:
    return reference.predict(model, inputs)


def probe(model: Model, dataset: Dataset, batch: np.ndarray) -> dict[str, np.ndarray]:
    seen = reference.probe(model, dataset, batch[::-1])
    gradients = reorder({name: seen.pop(f"gradient/{name}") for name in model})
    turned = {name: seen[name][::-1, ::-1].copy() for name in ("input", "fc1", "fc2")}
    turned |= {"logits": seen["logits"][::-1].copy(), "loss": seen["loss"]}
    return turned | {f"gradient/{name}": gradient for name, gradient in gradients.items()}


class Optimizer(optimizers.Optimizer):
    """The reference's, with the one sum that an update has added in another order."""

    def norm(self, gradients: Weights) -> np.floating:
        """By adding up one square after the other, as a plain loop does; NumPy's own sum is more exact by a digit."""
        squares = np.concatenate([gradient.ravel() for gradient in gradients.values()]) ** 2
        norm: np.floating = np.sqrt(squares.cumsum()[-1])
        return norm


def make_optimizer(spec: Spec, model: Weights) -> Optimizer:
    return Optimizer(spec, model)


def load() -> runner.Implementation:
    """This module holds all that the outline asks for."""
    this = sys.modules[__name__]
    return runner.Implementation(this, this, this, this, this)


if __name__ == "__main__":
    sys.exit(runner.main("Reference", "python -m shared.reference.reordered", load))
