"""The model in Keras. It is read by itself, where PyTorch is not.

Only `model` must be there. Take the "# " away from what else you need.
"""

import keras
from keras import layers


def model():
    """(B, 8) -> logits (B, 3). Functional, Sequential or a subclass of keras.Model."""
    return keras.Sequential(
        [
            keras.Input([8]),
            layers.Dense(16, "relu"),
            layers.Dense(3),
        ]
    )


# What the file's `inputs` must become for this model, as NumPy arrays. As they are, where it is missing.
# Of several inputs it gets and returns a dict, by name.
# def prepare(inputs):
#     return inputs.astype("float32")  # images stay as they are: channels last


# The loss of a batch; Keras gives the targets first. Where it is missing: cross-entropy of logits if the targets are
# whole numbers, else the mean squared error.
# def loss(targets, outputs):
#     return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True))


def optimizer():
    """What updates the weights; a schedule and clipping are part of it. Where it is missing: SGD at a rate of 0.01."""
    return keras.optimizers.SGD(learning_rate=0.01)


# The weights are carried from PyTorch, layer by layer, by order, kind and shape. Only where that fails, say it here:
# `torch` has the arrays of PyTorch's state_dict() by name, and what is returned has Keras's by `variable.path`.
# What is not returned is carried as before. It serves gradients too: transpose, reshape, cut and join, but add nothing.
# def carry(torch):
#     return {"sequential/dense/kernel": torch["0.weight"].T}
