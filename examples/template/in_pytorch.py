"""The model in PyTorch. It is read by itself, where TensorFlow is not.

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
