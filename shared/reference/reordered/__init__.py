"""The reference with reordered sums: its pixels, hidden units and the examples of each batch are taken backwards.

It is the same network and the same training, with every sum added in another order, as the matrix product of any
library may do. So it shows what rounding alone does to a run. `python -m shared.reference.reordered` runs it.
"""

from collections.abc import Sequence

import numpy as np

import shared.reference.train as in_order
from shared.contract import Dataset, Session
from shared.mnist import Examples
from shared.network import Weights
from shared.reference import data, optimizers
from shared.reference.data import read
from shared.reference.model import Model
from shared.reference.model import build as build_in_order
from shared.reference.model import set_weights as set_weights_in_order
from shared.reference.train import predict, train, warm_up
from shared.training import Training

__all__ = [
    "buffers",
    "build",
    "make_optimizer",
    "predict",
    "probe",
    "read",
    "set_weights",
    "to_arrays",
    "to_dataset",
    "train",
    "train_epoch",
    "warm_up",
    "weights",
]


def reorder(tensors: Weights) -> dict[str, np.ndarray]:
    """Weights, gradients or buffers, with every axis reversed but that of the classes. Its own inverse."""
    layers = {name: name.rpartition("/")[2].partition(".")[0] for name in tensors}  # of `mean/fc1.weight` too
    to_classes = next(reversed(layers.values()), None)  # of no buffers there is none
    return {
        name: np.flip(values, axis=tuple(range(int(layers[name] == to_classes), values.ndim))).copy()
        for name, values in tensors.items()
    }


def to_dataset(examples: Examples, training: Training, device: str) -> Dataset[np.ndarray]:
    inputs, labels = data.to_dataset(examples, training, device)
    return Dataset(np.ascontiguousarray(inputs[:, ::-1]), labels)


def to_arrays(dataset: Dataset[np.ndarray]) -> Dataset[np.ndarray]:
    return Dataset(dataset.inputs[:, ::-1], dataset.labels)


def build(training: Training, initial: Weights, device: str) -> Model:
    return build_in_order(training, reorder(initial), device)


def set_weights(model: Model, weights: Weights) -> None:
    set_weights_in_order(model, reorder(weights))


def weights(model: Model) -> dict[str, np.ndarray]:
    return reorder(model.parameters)


def train_epoch(
    model: Model,
    optimizer: optimizers.Optimizer,
    dataset: Dataset[np.ndarray],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    return in_order.train_epoch(model, optimizer, dataset, [batch[::-1] for batch in batches], session)


def probe(model: Model, dataset: Dataset[np.ndarray], batch: np.ndarray) -> dict[str, np.ndarray]:
    seen = in_order.probe(model, dataset, batch[::-1])
    gradients = reorder({name: seen.pop(f"gradient/{name}") for name in model.parameters})
    found = {"loss": seen.pop("loss"), "logits": seen.pop("logits")[::-1].copy()}
    found |= {name: values[::-1, ::-1].copy() for name, values in seen.items()}
    return found | {f"gradient/{name}": gradient for name, gradient in gradients.items()}


class Optimizer(optimizers.Optimizer):
    """The reference's optimizer, with the only sum of an update added in another order."""

    def norm(self, gradients: Weights) -> np.floating:
        """Adds one square after the other, as a plain loop does; NumPy's own sum is more exact by a digit."""
        squares = np.concatenate([gradient.ravel() for gradient in gradients.values()]) ** 2
        norm: np.floating = np.sqrt(squares.cumsum()[-1])
        return norm


def make_optimizer(training: Training, model: Model) -> Optimizer:
    return Optimizer(training, model.parameters)


def buffers(training: Training, model: Model, optimizer: optimizers.Optimizer) -> dict[str, np.ndarray]:
    return reorder(optimizers.buffers(training, model, optimizer))
