"""After Keras's example "Image segmentation with a U-Net-like architecture"."""

import keras
from keras import layers


def double_conv(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    return x


def model():
    inputs = keras.Input(shape=(16, 16, 3))
    x1 = double_conv(inputs, 8)
    x2 = layers.MaxPooling2D(2)(x1)
    x2 = double_conv(x2, 16)
    up = layers.Conv2DTranspose(8, 2, strides=2)(x2)
    x = layers.concatenate([x1, up])
    x = double_conv(x, 8)
    outputs = layers.Conv2D(4, 1)(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.Adam(1e-3)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
