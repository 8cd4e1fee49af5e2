"""After PyTorch's example of a Siamese network: one tower for two images, and whether they show the same."""

import torch
from torch import nn


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 5 * 5, 16)
        )
        self.fc = nn.Sequential(nn.Linear(32, 16), nn.ReLU(inplace=True), nn.Linear(16, 1))

    def forward(self, left, right):
        output = torch.cat((self.tower(left), self.tower(right)), 1)
        return torch.sigmoid(self.fc(output))


def model():
    return SiameseNetwork()


def optimizer(model):
    return torch.optim.Adadelta(model.parameters(), lr=1.0)


def prepare(inputs):
    return {name: images.transpose(0, 3, 1, 2) for name, images in inputs.items()}


def loss(outputs, targets):
    return nn.functional.binary_cross_entropy(outputs.squeeze(1), targets)
