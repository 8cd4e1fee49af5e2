"""After torchvision's EfficientNet: an inverted residual block with squeeze and excitation, and SiLU."""

import torch
from torch import nn


class SqueezeExcitation(nn.Module):
    def __init__(self, input_channels, squeeze_channels):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = nn.SiLU()
        self.scale_activation = nn.Sigmoid()

    def forward(self, x):
        scale = self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
        return scale * x


class MBConv(nn.Module):
    def __init__(self, channels=8, expanded=32):
        super().__init__()
        self.block = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(channels, expanded, 1, bias=False), nn.BatchNorm2d(expanded), nn.SiLU(inplace=True)
            ),
            nn.Sequential(
                nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded, bias=False),
                nn.BatchNorm2d(expanded),
                nn.SiLU(inplace=True),
            ),
            SqueezeExcitation(expanded, 2),
            nn.Sequential(nn.Conv2d(expanded, channels, 1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x):
        return self.block(x) + x


class EfficientNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU(inplace=True))
        self.features = nn.Sequential(stem, MBConv())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(8, num_classes)

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


def model():
    return EfficientNet()


def optimizer(model):
    return torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9)


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


loss = nn.CrossEntropyLoss()
