"""After the tutorial "Language Modeling with nn.Transformer", as an encoder that classifies like BERT."""

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, ntoken=40, d_model=16, nhead=2, d_hid=32, nlayers=2):
        super().__init__()
        self.embedding = nn.Embedding(ntoken, d_model)
        self.position = nn.Embedding(12, d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, d_hid, activation="gelu", batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, nlayers)
        self.pooler = nn.Linear(d_model, d_model)
        self.classifier = nn.Linear(d_model, 3)

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens) + self.position(positions)
        x = self.transformer_encoder(x)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def model():
    return Encoder()


def optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=5e-4)
