"""After torchvision's vision transformer: patches by a convolution, a class token, normalisation first."""

import torch
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, num_heads=2, hidden_dim=16, mlp_dim=32):
        super().__init__()
        self.ln_1 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(hidden_dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, hidden_dim))

    def forward(self, inputs):
        x = self.ln_1(inputs)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = x + inputs
        return x + self.mlp(self.ln_2(x))


class VisionTransformer(nn.Module):
    def __init__(self, patch_size=4, hidden_dim=16, num_classes=10):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.pos_embedding = nn.Parameter(torch.empty(1, 17, hidden_dim).normal_(std=0.02))
        self.layers = nn.Sequential(EncoderBlock(), EncoderBlock())
        self.ln = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.head = nn.Linear(hidden_dim, num_classes)

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        x = self.ln(self.layers(x + self.pos_embedding))
        return self.head(x[:, 0])


def model():
    return VisionTransformer()


def optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3)


def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)


loss = nn.CrossEntropyLoss(label_smoothing=0.1)
