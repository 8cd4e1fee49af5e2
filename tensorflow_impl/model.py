"""The MLP as a Keras model."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from shared.network import Weights
from shared.spec import CLASSES, PIXELS, Spec


class MLP(keras.Model):
    """784 inputs, two hidden layers with ReLU, 10 logits."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(dtype=spec.dtype)
        self.loss_of_probabilities = "loss" in spec.keras_defaults
        hidden1, hidden2 = spec.hidden_sizes
        # Keras infers the first size of a layer from its input; PyTorch is told both.
        self.fc1 = keras.layers.Dense(hidden1, name="fc1", dtype=spec.dtype)
        self.fc2 = keras.layers.Dense(hidden2, name="fc2", dtype=spec.dtype)
        self.fc3 = keras.layers.Dense(CLASSES, name="fc3", dtype=spec.dtype)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(B, 784) -> logits (B, 10). The softmax is part of the loss."""
        hidden = tf.nn.relu(self.fc1(inputs))
        hidden = tf.nn.relu(self.fc2(hidden))
        return self.fc3(hidden)


def build(spec: Spec, initial: Weights, device: tf.DeviceSpec) -> MLP:
    """The model on the device, with the weights `initial`."""
    with tf.device(device):
        model = MLP(spec)
        model(tf.zeros([1, PIXELS], spec.dtype))  # Keras creates the weights at the first call
        model.set_weights([_transpose_kernel(name, values) for name, values in initial.items()])
    return model


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
