"""Training and evaluation in TensorFlow."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from shared.mnist import Dataset
from shared.spec import PIXELS, Spec
from tensorflow_impl.model import MLP, interchange


def cross_entropy(model: MLP, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean over the batch, ()."""
    if model.loss_of_probabilities:
        # Keras's default, and harmless: its softmax carries the logits along, and its loss takes those.
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, keras.activations.softmax(logits)))
    # Keras expects probabilities unless told that these are logits; PyTorch's cross_entropy always takes logits.
    # Its loss *class* would compute in the floatx that held when it was made, float32, even in a float64 run.
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def warm_up(spec: Spec, model: MLP, optimizer: keras.optimizers.Optimizer, dataset: Dataset) -> None:
    """Do ahead of the first step what would otherwise slow it: trace it into a graph."""
    inputs = tf.TensorSpec([None, PIXELS], spec.dtype)
    labels = tf.TensorSpec([None], tf.int64)
    train_step.get_concrete_function(model, optimizer, inputs, labels)


# jit_compile is stated because the frameworks' defaults differ: Keras's own loop turns XLA on on a GPU.
@tf.function(jit_compile=False, reduce_retracing=True)
def train_step(model: MLP, optimizer: keras.optimizers.Optimizer, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """One update from inputs (B, 784) and labels (B,). Returns the mean loss before it, ()."""
    with tf.GradientTape() as tape:
        loss = cross_entropy(model, model(inputs), labels)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss


def train_steps(
    model: MLP,
    optimizer: keras.optimizers.Optimizer,
    dataset: Dataset,
    batches: Sequence[np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    """One update per batch of indices; `advance` is told of each. Returns the losses, (steps,)."""
    losses = []
    for batch in batches:
        index = tf.constant(batch)
        losses.append(train_step(model, optimizer, *(tf.gather(tensor, index) for tensor in dataset)))
        advance(1)
    return tf.stack(losses).numpy()


def predict(model: MLP, inputs: tf.Tensor) -> np.ndarray:
    """Logits (N, 10) of inputs (N, 784)."""
    return model(inputs).numpy()


def probe(model: MLP, dataset: Dataset, batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a step on this batch computes, by the names of a run record, without taking the step."""
    index = tf.constant(batch)
    inputs = tf.gather(dataset.inputs, index)
    fc1 = model.fc1(inputs)
    fc2 = model.fc2(tf.nn.relu(fc1))
    with tf.GradientTape() as tape:
        logits = model(inputs)
        loss = cross_entropy(model, logits, tf.gather(dataset.labels, index))
    gradients = tape.gradient(loss, model.trainable_variables)
    seen = {"input": inputs, "fc1": fc1, "fc2": fc2, "logits": logits, "loss": loss}
    return {name: tensor.numpy() for name, tensor in seen.items()} | {
        f"gradient/{name}": values for name, values in interchange(model, gradients).items()
    }
