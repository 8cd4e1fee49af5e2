"""Digits by a convolutional network, in Keras."""

import keras
from keras import layers, ops


class BatchNormalization(layers.BatchNormalization):
    """Keeps the unbiased variance of a batch for tests, as PyTorch does: n / (n - 1) times that of Keras."""

    def call(self, inputs, training=None, mask=None):
        """Normalises by the biased variance in training, as both frameworks do."""
        kept = self.momentum * self.moving_variance
        outputs = super().call(inputs, training=training, mask=mask)
        if training and self.trainable:
            n = ops.cast(ops.size(inputs) // inputs.shape[-1], self.moving_variance.dtype)
            self.moving_variance.assign(kept + (self.moving_variance - kept) * n / (n - 1))
        return outputs


def block(x, filters):
    """Halves height and width."""
    # padding="same" would add zeros at the bottom and on the right alone, and so move the image by a pixel.
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
    # PyTorch's ε, and its momentum of 0.1: there it is the weight of the new batch, here that of the old statistics.
    x = BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x)


def model():
    """(B, 28, 28, 1) -> logits (B, 10)."""
    inputs = keras.Input([28, 28, 1])
    x = block(inputs, 8)
    x = block(x, 16)
    x = layers.Flatten()(x)  # pixel by pixel: (B, 7, 7, 16) -> (B, 784)
    x = layers.Dropout(0.25)(x)
    return keras.Model(inputs, layers.Dense(10)(x))


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer():
    """SGD with momentum. At a constant rate its formula is PyTorch's."""
    return keras.optimizers.SGD(learning_rate=0.02, momentum=0.9)
