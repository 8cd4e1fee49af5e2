"""After Keras's examples that forecast a time series."""

import keras
from keras import layers


def model():
    return keras.Sequential(
        [
            keras.Input(shape=(10, 4)),
            layers.GRU(16, return_sequences=True),
            layers.GRU(16),
            layers.Dense(1),
        ]
    )


def optimizer():
    return keras.optimizers.RMSprop(learning_rate=1e-3, clipnorm=1.0)


loss = keras.losses.MeanSquaredError()
