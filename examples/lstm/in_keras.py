"""Reads numbers, Roman and Chinese, by an LSTM, in Keras."""

import keras
import tensorflow as tf
from keras import layers, ops
from keras.initializers import RandomNormal


class Adam(keras.optimizers.Adam):
    """Adam by PyTorch's formula."""

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable."""
        # The gradient of an embedding names a row as often as its character was read. Keras would square each by
        # itself; a dense gradient holds their sum.
        gradient = tf.convert_to_tensor(gradient)
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        # In double precision, for in float32 1 - 0.999 is off by 1.3e-5 of itself.
        step = tf.cast(self.iterations + 1, tf.float64)
        rate = tf.cast(learning_rate, tf.float64) / (1 - self.beta_1**step)
        root = ops.sqrt(square) / tf.cast(tf.sqrt(1 - self.beta_2**step), variable.dtype)
        # ε is added to the corrected root. Keras adds it before the correction, where it weighs 32 times as much at
        # the first step.
        self.assign_sub(variable, tf.cast(rate, variable.dtype) * mean / (root + self.epsilon))


def model(characters=21, width=32):
    """(B, T) -> (B, 1)."""
    return keras.Sequential(
        [
            keras.Input([None], dtype="int64"),
            # As large at first as PyTorch's; Keras's own, of ±0.05, would make the first epochs learn little.
            layers.Embedding(characters, 16, embeddings_initializer=RandomNormal(stddev=1.0)),
            layers.LSTM(width),
            layers.LayerNormalization(epsilon=1e-5),  # PyTorch's ε; Keras's own is 1e-3
            layers.Dense(1),
        ]
    )


# Outputs and targets are (B, 1) both.
loss = keras.losses.MeanSquaredError()


def optimizer():
    """Adam, with PyTorch's ε; Keras's own is 1e-7."""
    return Adam(learning_rate=0.01, epsilon=1e-8)
