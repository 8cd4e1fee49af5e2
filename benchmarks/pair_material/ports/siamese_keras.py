"""After Keras's examples of image similarity: one tower, called for both images."""

import keras
from keras import layers


def model():
    image = keras.Input(shape=(12, 12, 1))
    x = layers.Conv2D(6, 3, activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    tower = keras.Model(image, layers.Dense(16)(x), name="tower")

    left = keras.Input(shape=(12, 12, 1), name="left")
    right = keras.Input(shape=(12, 12, 1), name="right")
    x = layers.Concatenate()([tower(left), tower(right)])
    x = layers.Dense(16, activation="relu")(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model({"left": left, "right": right}, outputs)


def optimizer():
    return keras.optimizers.Adadelta(learning_rate=1.0)


loss = keras.losses.BinaryCrossentropy()
