"""Digits by a multilayer perceptron, in Keras."""

import keras
from keras import layers
from keras.initializers import RandomUniform


def prepare(images):
    """Images of bytes (N, 28, 28) -> flat, from -1 to 1 (N, 784)."""
    return images.reshape(len(images), -1) / 127.5 - 1


def dense(fan_in, fan_out, activation=None):
    """A dense layer that starts as PyTorch's `nn.Linear` does.

    Keras's own start is Glorot's, with biases of zero. PyTorch draws both from ±1/√fan_in.
    """
    limit = fan_in**-0.5
    return layers.Dense(
        fan_out,
        activation,
        kernel_initializer=RandomUniform(-limit, limit),
        bias_initializer=RandomUniform(-limit, limit),
    )


def model():
    """(B, 784) -> logits (B, 10)."""
    return keras.Sequential(
        [
            keras.Input([784]),
            dense(784, 128, "relu"),
            dense(128, 64, "relu"),
            dense(64, 10),
        ]
    )


# Keras takes the outputs to be probabilities unless it is told that these are logits.
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    """The rate is given, for the frameworks' own are 0.001 and 0.01."""
    return keras.optimizers.SGD(learning_rate=0.01)
