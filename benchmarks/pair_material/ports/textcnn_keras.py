"""After Keras's example "Text classification from scratch", with the three widths of a text CNN."""

import keras
from keras import layers


def model():
    inputs = keras.Input(shape=(16,), dtype="int64")
    x = layers.Embedding(40, 8)(inputs)
    pooled = [layers.GlobalMaxPooling1D()(layers.Conv1D(6, size, activation="relu")(x)) for size in (3, 4, 5)]
    x = layers.Concatenate()(pooled)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(2)(x)
    return keras.Model(inputs, outputs)


def optimizer():
    return keras.optimizers.Adam(learning_rate=1e-3)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
