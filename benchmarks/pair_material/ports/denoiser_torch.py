"""After the convolutional autoencoders of PyTorch's examples: 3 × 3, `output_padding` in the transposed ones."""

import torch
from torch import nn
from torch.nn import functional as F


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.t_conv1 = nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1)
        self.t_conv2 = nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1)
        self.conv3 = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.t_conv1(x))
        x = F.relu(self.t_conv2(x))
        return torch.sigmoid(self.conv3(x))


def model():
    return Denoiser()


def optimizer(model):
    return torch.optim.Adam(model.parameters())


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


def loss(outputs, targets):
    return F.binary_cross_entropy(outputs, targets.permute(0, 3, 1, 2))
