"""The MLP as a Keras model."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from shared.mnist import MNIST
from shared.network import Weights, layer_sizes
from shared.training import Training


class MLP(keras.Model):
    """Dense layers with an activation between; the last gives the logits."""

    def __init__(self, training: Training) -> None:
        super().__init__(dtype=training.dtype)
        self.activation = getattr(tf.nn, training.activation)
        # Keras infers the first size of a layer from its input; PyTorch is told both.
        for name, (_, fan_out) in layer_sizes(training).items():
            setattr(self, name, keras.layers.Dense(fan_out, name=name, dtype=training.dtype))

    def outputs(self, inputs: tf.Tensor) -> Iterator[tf.Tensor]:
        """What each layer computes before its activation, (B, units) each; from the last come the logits."""
        first, *others = self.layers
        yield (computed := first(inputs))
        for layer in others:
            yield (computed := layer(self.activation(computed)))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, P) -> logits (B, C). The softmax is part of the loss."""
        *_, logits = self.outputs(inputs)
        return logits


def of_logits(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean softmax cross-entropy over the batch, ()."""
    # Keras expects probabilities unless told that these are logits; PyTorch's cross_entropy always takes logits.
    # Its loss *class* would compute in the floatx that held when it was made.
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def of_probabilities(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The same by way of probabilities, Keras's default. Harmless: its softmax carries the logits along."""
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, keras.activations.softmax(logits)))


def build(training: Training, initial: Weights, device: tf.DeviceSpec) -> MLP:
    """The model on the device, with the weights `initial`."""
    with tf.device(device):
        model = MLP(training)
        # A Keras model carries its loss; in PyTorch it is the training loop's.
        model.compile(loss=of_probabilities if "loss" in training.keras_defaults else of_logits)
        model(tf.zeros([1, MNIST.pixels], training.dtype))  # Keras creates the weights at the first call
        set_weights(model, initial)
    return model


def set_weights(model: MLP, weights: Weights) -> None:
    """Give the model these weights, in the interchange form."""
    model.set_weights([_transpose_kernel(name, values) for name, values in weights.items()])


def interchange(model: MLP, tensors: Iterable[tf.Tensor]) -> dict[str, np.ndarray]:
    """Tensors in the order of the model's variables -> copies in the interchange form, which is PyTorch's."""
    names = [f"{layer.name}.{kind}" for layer in model.layers for kind in ("weight", "bias")]
    return {name: _transpose_kernel(name, tensor.numpy()).copy() for name, tensor in zip(names, tensors, strict=True)}


def weights(model: MLP) -> dict[str, np.ndarray]:
    """A copy of the weights, in the interchange form."""
    return interchange(model, [variable.value for variable in model.trainable_variables])


def _transpose_kernel(name: str, values: np.ndarray) -> np.ndarray:
    """Keras keeps a kernel as (in, out), PyTorch a weight as (out, in). This is the one place that knows."""
    return values.T if name.endswith(".weight") else values
