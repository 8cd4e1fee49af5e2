"""After Keras's examples of translation: an encoder, a decoder that begins with its state, and layers.Attention."""

import keras
from keras import layers


def model():
    source = keras.Input(shape=(7,), dtype="int32", name="source")
    target = keras.Input(shape=(6,), dtype="int32", name="target")
    x = layers.Embedding(20, 12)(source)
    keys, state = layers.GRU(12, return_sequences=True, return_state=True)(x)
    y = layers.Embedding(20, 12)(target)
    query = layers.GRU(12, return_sequences=True)(y, initial_state=state)
    context = layers.Attention()([query, keys])
    outputs = layers.Dense(20)(layers.Concatenate()([query, context]))
    return keras.Model({"source": source, "target": target}, outputs)


def optimizer():
    return keras.optimizers.Adam(learning_rate=1e-3)


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
