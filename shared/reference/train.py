"""Training and evaluation in NumPy."""

from collections.abc import Sequence

import numpy as np

from shared.contract import Dataset, Session, TrainEpoch
from shared.reference.model import Model
from shared.reference.optimizers import Optimizer
from shared.training import Training


def warm_up(training: Training, model: Model, optimizer: Optimizer, dataset: Dataset[np.ndarray]) -> None:
    """Do beforehand what would slow the first step: nothing."""


def train_step(model: Model, optimizer: Optimizer, inputs: np.ndarray, labels: np.ndarray) -> np.floating:
    """One update from inputs (B, P) and labels (B,). Returns the mean loss before it."""
    loss, gradients, _ = model.backward(inputs, labels)
    optimizer.apply(model.parameters, gradients)
    return loss


def train_epoch(
    model: Model,
    optimizer: Optimizer,
    dataset: Dataset[np.ndarray],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    losses = []
    for step, batch in enumerate(batches):
        session.before_step(step)
        losses.append(train_step(model, optimizer, dataset.inputs[batch], dataset.labels[batch]))
    return np.array(losses)


def train(
    model: Model,
    optimizer: Optimizer,
    datasets: tuple[Dataset[np.ndarray], Dataset[np.ndarray]],
    session: Session,
    train_epoch: TrainEpoch[Model, Optimizer, np.ndarray] = train_epoch,
) -> None:
    """The whole training: each epoch's steps, by an engine's `train_epoch`, and then the test set."""
    train_set, test_set = datasets
    for batches in session.epochs():
        with session.clock("training"):
            losses = train_epoch(model, optimizer, train_set, batches, session)
        with session.clock("evaluation"):
            logits = predict(model, test_set.inputs)
        session.after_epoch(losses, logits)


def predict(model: Model, inputs: np.ndarray) -> np.ndarray:
    """Logits (N, C) of inputs (N, P)."""
    *_, logits = model.outputs(inputs)
    return logits


def probe(model: Model, dataset: Dataset[np.ndarray], batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a step on this batch computes, by the names of a run record, without taking the step."""
    inputs = dataset.inputs[batch]
    loss, gradients, (*hidden, logits) = model.backward(inputs, dataset.labels[batch])
    seen = {"input": inputs, **dict(zip(model.layers, hidden, strict=False)), "logits": logits, "loss": np.array(loss)}
    return seen | {f"gradient/{name}": gradients[name] for name in model.parameters}
