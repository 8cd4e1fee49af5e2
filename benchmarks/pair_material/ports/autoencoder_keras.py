"""After Keras's example "DCGAN to generate face images"."""

import keras
from keras import layers


def model():
    return keras.Sequential(
        [
            keras.Input(shape=(16, 16, 1)),
            layers.Conv2D(8, kernel_size=4, strides=2, padding="same", use_bias=False),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(16, kernel_size=4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(8, kernel_size=4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, kernel_size=4, strides=2, padding="same", use_bias=False, activation="sigmoid"),
        ]
    )


def optimizer():
    return keras.optimizers.Adam(learning_rate=0.0002, beta_1=0.5)


loss = keras.losses.BinaryCrossentropy()
