"""Training and evaluation in TensorFlow."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from keras.optimizers import Optimizer
from tensorflow import Tensor

from shared.contract import Dataset, Session, TrainEpoch
from shared.mnist import MNIST
from shared.training import Training
from tensorflow_impl.model import MLP, interchange


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: trace it into a graph."""
    inputs = tf.TensorSpec([None, MNIST.pixels], training.dtype)
    labels = tf.TensorSpec([None], tf.int64)
    train_step.get_concrete_function(model, optimizer, inputs, labels)


# jit_compile is stated because the frameworks' defaults differ: Keras's own loop turns XLA on on a GPU.
@tf.function(jit_compile=False, reduce_retracing=True)
def train_step(model: MLP, optimizer: Optimizer, inputs: Tensor, labels: Tensor) -> Tensor:
    """One update from inputs (B, P) and labels (B,). Returns the mean loss before it, ()."""
    with tf.GradientTape() as tape:
        loss = model.loss(labels, model(inputs))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    losses = []
    for step, batch in enumerate(batches):
        session.before_step(step)
        index = tf.constant(batch)
        losses.append(train_step(model, optimizer, *(tf.gather(tensor, index) for tensor in dataset)))
    return tf.stack(losses).numpy()


def train(
    model: MLP,
    optimizer: Optimizer,
    datasets: tuple[Dataset[Tensor], Dataset[Tensor]],
    session: Session,
    train_epoch: TrainEpoch[MLP, Optimizer, Tensor] = train_epoch,
) -> None:
    """The whole training: each epoch's steps, by an engine's `train_epoch`, and then the test set."""
    train_set, test_set = datasets
    for batches in session.epochs():
        with session.clock("training"):
            losses = train_epoch(model, optimizer, train_set, batches, session)
        with session.clock("evaluation"):
            logits = predict(model, test_set.inputs)
        session.after_epoch(losses, logits)


def predict(model: MLP, inputs: Tensor) -> np.ndarray:
    """Logits (N, C) of inputs (N, P)."""
    return model(inputs).numpy()


def probe(model: MLP, dataset: Dataset[Tensor], batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a step on this batch computes, by the names of a run record, without taking the step."""
    index = tf.constant(batch)
    inputs = tf.gather(dataset.inputs, index)
    with tf.GradientTape() as tape:
        *hidden, logits = model.outputs(inputs)
        loss = model.loss(tf.gather(dataset.labels, index), logits)
    gradients = tape.gradient(loss, model.trainable_variables)
    layers = [layer.name for layer in model.layers]
    seen = {"input": inputs, **dict(zip(layers, hidden, strict=False)), "logits": logits, "loss": loss}
    return {name: tensor.numpy() for name, tensor in seen.items()} | {
        f"gradient/{name}": values for name, values in interchange(model, gradients).items()
    }
