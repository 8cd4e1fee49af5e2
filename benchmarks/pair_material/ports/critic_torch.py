"""After the critics of WGANs in PyTorch: strided convolutions, instance normalisation, no sigmoid."""

import torch
from torch import nn


def model():
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(8, 16, 4, stride=2, padding=1),
        nn.InstanceNorm2d(16, affine=True),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 1),
    )


def optimizer(model):
    return torch.optim.RMSprop(model.parameters(), lr=5e-5)


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


def loss(outputs, targets):
    return -(outputs.squeeze(1) * targets).mean()
