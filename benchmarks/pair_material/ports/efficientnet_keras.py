"""After keras.applications' EfficientNet: its block, with squeeze and excitation, and swish."""

import keras
from keras import layers


def block(inputs, filters_in, expand_ratio=4, se_ratio=0.25):
    filters = filters_in * expand_ratio
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)

    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)

    filters_se = max(1, int(filters_in * se_ratio))
    se = layers.GlobalAveragePooling2D()(x)
    se = layers.Reshape((1, 1, filters))(se)
    se = layers.Conv2D(filters_se, 1, padding="same", activation="swish")(se)
    se = layers.Conv2D(filters, 1, padding="same", activation="sigmoid")(se)
    x = layers.multiply([x, se])

    x = layers.Conv2D(filters_in, 1, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.add([x, inputs])


def model():
    inputs = keras.Input(shape=(16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("swish")(x)
    x = block(x, 8)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(10)(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.RMSprop(learning_rate=1e-3, momentum=0.9)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
