"""After the usual U-Net in PyTorch: DoubleConv, Down, Up."""

import torch
from torch import nn


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    def __init__(self, n_channels=3, n_classes=4):
        super().__init__()
        self.inc = DoubleConv(n_channels, 8)
        self.down = nn.MaxPool2d(2)
        self.bottom = DoubleConv(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, kernel_size=2, stride=2)
        self.conv = DoubleConv(16, 8)
        self.outc = nn.Conv2d(8, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.bottom(self.down(x1))
        x = torch.cat([x1, self.up(x2)], dim=1)
        return self.outc(self.conv(x))


def model():
    return UNet()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


loss = nn.CrossEntropyLoss()  # of every pixel: outputs (B, classes, H, W), targets (B, H, W)
