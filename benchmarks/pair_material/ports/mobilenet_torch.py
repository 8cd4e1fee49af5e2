"""After torchvision/models/mobilenetv2.py."""

from torch import nn, optim


def conv_norm_relu6(in_planes, out_planes, kernel_size=3, stride=1, groups=1):
    padding = (kernel_size - 1) // 2
    return nn.Sequential(
        nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_planes),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    def __init__(self, inp, oup, stride, expand_ratio):
        super().__init__()
        hidden_dim = inp * expand_ratio
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = nn.Sequential(
            conv_norm_relu6(inp, hidden_dim, kernel_size=1),
            conv_norm_relu6(hidden_dim, hidden_dim, stride=stride, groups=hidden_dim),
            nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False),
            nn.BatchNorm2d(oup),
        )

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            conv_norm_relu6(3, 8, stride=2),
            InvertedResidual(8, 8, stride=1, expand_ratio=3),
            InvertedResidual(8, 12, stride=2, expand_ratio=3),
        )
        self.classifier = nn.Sequential(nn.Dropout(p=0.2), nn.Linear(12, num_classes))

    def forward(self, x):
        x = self.features(x)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).flatten(1)
        return self.classifier(x)


def model():
    return MobileNetV2()


def optimizer(model):
    return optim.SGD(model.parameters(), lr=0.01)


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)
