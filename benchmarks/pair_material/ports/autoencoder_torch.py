"""After the tutorial "DCGAN": strided convolutions of 4 × 4 down, transposed ones up."""

import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, nc=1, ndf=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(ndf * 2, ndf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ndf, nc, 4, 2, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def model():
    return Autoencoder()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.0002, betas=(0.5, 0.999))


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


criterion = nn.BCELoss()


def loss(outputs, targets):
    return criterion(outputs, targets.permute(0, 3, 1, 2))
