"""The compiled engine in TensorFlow: the same training, with an epoch compiled into one call."""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from keras.optimizers import Optimizer
from tensorflow import Tensor

from shared.contract import Dataset, Session
from shared.training import Training
from tensorflow_impl import train
from tensorflow_impl.model import MLP


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: compile, by a call that takes no step."""
    for size in {training.batch_size, len(dataset.labels) % training.batch_size} - {0}:
        many_steps(model, optimizer, *dataset, *_padded([], size, dataset))


@tf.function(jit_compile=True)
def many_steps(
    model: MLP,
    optimizer: Optimizer,
    inputs: Tensor,
    labels: Tensor,
    batches: Tensor,
    count: Tensor,
) -> Tensor:
    """One step for each of the first `count` rows of indices (rows, B). Returns the losses before each, (rows,)."""
    losses = tf.zeros(tf.shape(batches)[0], inputs.dtype)
    step = tf.constant(0)
    # Not `for step in tf.range(count)`: XLA would compile that again for every `count`.
    while step < count:
        index = batches[step]
        loss = train.train_step(model, optimizer, tf.gather(inputs, index), tf.gather(labels, index))
        losses = tf.tensor_scatter_nd_update(losses, [[step]], [loss])
        step += 1
    return losses


def _padded(group: Sequence[np.ndarray], size: int, dataset: Dataset[Tensor]) -> tuple[Tensor, Tensor]:
    """Batches of one size as rows, and their count. XLA compiles for a shape, so there are always an epoch's rows."""
    rows = np.zeros((len(dataset.labels) // size, size), np.int64)
    rows[: len(group)] = np.reshape(group, (-1, size))
    return tf.constant(rows), tf.constant(len(group))


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    losses = []
    for start, stop in itertools.pairwise(session.stops):
        session.before_step(start)
        for size, same_size in itertools.groupby(batches[start:stop], key=len):
            group = list(same_size)
            rows, count = _padded(group, size, dataset)
            losses.append(many_steps(model, optimizer, *dataset, rows, count).numpy()[: len(group)])
    return np.concatenate(losses)
