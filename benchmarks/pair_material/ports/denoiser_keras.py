"""After Keras's example "Convolutional autoencoder for image denoising"."""

import keras
from keras import layers


def model():
    inputs = layers.Input(shape=(16, 16, 1))

    x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(inputs)
    x = layers.MaxPooling2D((2, 2), padding="same")(x)
    x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(x)
    x = layers.MaxPooling2D((2, 2), padding="same")(x)

    x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
    return keras.Model(inputs, x)


def optimizer():
    return keras.optimizers.Adam()


def loss(targets, outputs):
    return keras.ops.mean(keras.losses.binary_crossentropy(targets, outputs))
