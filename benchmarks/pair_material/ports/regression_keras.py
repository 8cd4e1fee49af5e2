"""After Keras's tutorial of regression: an MLP, a Huber loss, weight decay."""

import keras
from keras import layers


def model():
    return keras.Sequential(
        [
            keras.Input(shape=(8,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Dense(16),
            layers.LeakyReLU(),
            layers.Dense(1),
        ]
    )


def optimizer():
    return keras.optimizers.SGD(learning_rate=0.01, momentum=0.9, weight_decay=1e-3)


loss = keras.losses.Huber()
