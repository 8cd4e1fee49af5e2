"""After the residual blocks of Keras's examples: functional, "same" padding, all defaults."""

import keras
from keras import layers


def basic_block(x, filters, stride=1):
    shortcut = x
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    if stride > 1:
        shortcut = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(shortcut)
        shortcut = layers.BatchNormalization()(shortcut)
    x = layers.add([x, shortcut])
    return layers.Activation("relu")(x)


def model():
    inputs = keras.Input(shape=(32, 32, 3))
    x = layers.Conv2D(8, 7, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = basic_block(x, 8)
    x = basic_block(x, 16, stride=2)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(10)(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.SGD(learning_rate=0.001, momentum=0.9)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
