"""After Keras's guide "Understanding masking & padding": an embedding that masks, and an LSTM in both directions."""

import keras
from keras import layers


def model():
    inputs = keras.Input(shape=(9,), dtype="int32")
    x = layers.Embedding(input_dim=30, output_dim=8, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(12, return_sequences=True))(x)
    outputs = layers.Dense(5)(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.SGD(learning_rate=0.1)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
