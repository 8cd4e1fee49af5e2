"""Digits by a multilayer perceptron, in PyTorch."""

import torch
from torch import nn


def prepare(images):
    """Images of bytes (N, 28, 28) -> flat, from -1 to 1 (N, 784)."""
    return images.reshape(len(images), -1) / 127.5 - 1


def model():
    """(B, 784) -> logits (B, 10)."""
    return nn.Sequential(
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


# It takes logits: a softmax is part of it.
loss = nn.CrossEntropyLoss()


def optimizer(model):
    """The rate is given, for the frameworks' own are 0.001 and 0.01."""
    return torch.optim.SGD(model.parameters(), lr=0.01)
