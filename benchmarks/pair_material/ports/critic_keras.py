"""After Keras's example of a WGAN, with groups of one channel for the instance normalisation."""

import keras
from keras import layers, ops


def model():
    return keras.Sequential(
        [
            keras.Input(shape=(16, 16, 3)),
            layers.Conv2D(8, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(16, 4, strides=2, padding="same"),
            layers.GroupNormalization(groups=-1),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def optimizer():
    return keras.optimizers.RMSprop(learning_rate=5e-5)


def loss(targets, outputs):
    return -ops.mean(ops.squeeze(outputs, axis=1) * targets)
