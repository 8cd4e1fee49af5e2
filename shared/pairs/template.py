"""Two files to start a pair from, and one that writes their data."""

from pathlib import Path

from shared.system.errors import InputError

IN_PYTORCH = '''"""The model in PyTorch. It is read by itself, where TensorFlow is not.

Only `model` must be there. Take the "# " away from what else you need.
"""

import torch
from torch import nn


def model():
    """(B, 8) -> logits (B, 3)."""
    return nn.Sequential(
        nn.Linear(8, 16),
        nn.ReLU(),
        nn.Linear(16, 3),
    )


# What the file's `inputs` must become for this model, as NumPy arrays. As they are, where it is missing.
# Of several inputs it gets and returns a dict, by name.
# def prepare(inputs):
#     return inputs.astype("float32")  # of images, perhaps: inputs.transpose(0, 3, 1, 2), channels first


# The loss of a batch. Where it is missing: cross-entropy of logits if the targets are whole numbers, else the mean
# squared error.
# def loss(outputs, targets):
#     return nn.functional.cross_entropy(outputs, targets)


def optimizer(model):
    """What updates the weights. Where it is missing: SGD at a rate of 0.01."""
    return torch.optim.SGD(model.parameters(), lr=0.01)


# A schedule of the rate, where Keras has one too: its step() is called after each step of the optimizer.
# def scheduler(optimizer):
#     return torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=10)


# What is done between the gradients and the step, such as clipping.
# def after_backward(model):
#     nn.utils.clip_grad_norm_(model.parameters(), 1.0)
'''

IN_KERAS = '''"""The model in Keras. It is read by itself, where PyTorch is not.

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
'''

MAKE_DATA = '''"""Writes data.npz: replace the random numbers by a few hundred examples of your own.

    python make_data.py
"""

from pathlib import Path

import numpy as np

EXAMPLES = 256  # at least as many as a batch has

draws = np.random.default_rng(0)
inputs = draws.standard_normal((EXAMPLES, 8)).astype("float32")
targets = draws.integers(3, size=EXAMPLES)  # whole numbers are classes or tokens, others are to be predicted

# Of a model with several inputs, each is an array of its own: **{"inputs/text": text, "inputs/mask": mask}.
np.savez(Path(__file__).with_name("data.npz"), inputs=inputs, targets=targets)
'''

FILES = {"in_pytorch.py": IN_PYTORCH, "in_keras.py": IN_KERAS, "make_data.py": MAKE_DATA}


def write(folder: Path) -> None:
    """Write them into a folder, which is made where it is missing. Raises InputError; no file is ever replaced."""
    cure = "give --pair-template a new folder"
    for name in FILES:
        path = folder / name
        if path.exists() or path.is_symlink():
            raise InputError(f"--pair-template {folder}: it has a {name} already; {cure}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise InputError(f"--pair-template {folder}: {error.strerror}; {cure}") from None
