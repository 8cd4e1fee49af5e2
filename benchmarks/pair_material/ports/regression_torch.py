"""After the way in which PyTorch's documents fit a table of numbers: an MLP, a Huber loss, weight decay."""

import torch
from torch import nn


def model():
    return nn.Sequential(
        nn.Linear(8, 16),
        nn.BatchNorm1d(16),
        nn.LeakyReLU(),
        nn.Linear(16, 16),
        nn.LeakyReLU(),
        nn.Linear(16, 1),
    )


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)


loss = nn.HuberLoss()
