"""Digits by a convolutional network, in PyTorch."""

import torch
from torch import nn


def prepare(images):
    """Channels last (N, 28, 28, 1), as the file has them -> channels first (N, 1, 28, 28)."""
    return images.transpose(0, 3, 1, 2)


def block(channels, filters):
    """Halves height and width. `padding=1` adds zeros on all four sides."""
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(),
    )


def model():
    """(B, 1, 28, 28) -> logits (B, 10)."""
    return nn.Sequential(
        block(1, 8),
        block(8, 16),
        nn.Flatten(),  # channel by channel: (B, 16, 7, 7) -> (B, 784)
        nn.Dropout(0.25),
        nn.Linear(784, 10),
    )


loss = nn.CrossEntropyLoss()


def optimizer(model):
    """SGD with momentum. At a constant rate its formula is Keras's."""
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
