"""Reads numbers, Roman and Chinese, by an LSTM, in PyTorch."""

import torch
from torch import nn


class Reader(nn.Module):
    """An embedding, an LSTM, and a line through what it remembers at the end."""

    def __init__(self, characters=21, width=32):
        super().__init__()
        self.embedding = nn.Embedding(characters, 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)  # (B, T, 16), as in Keras; else the time would come first
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)
        # PyTorch adds two biases, and trains both: their sum moves twice as far as the one bias that Keras has.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)
        # To remember at first, as in Keras: 1 for the forget gate, which is the second of four.
        nn.init.zeros_(self.lstm.bias_ih_l0).detach()[width : 2 * width].fill_(1)

    def forward(self, characters):
        """(B, T) -> (B, 1)."""
        outputs, _ = self.lstm(self.embedding(characters))
        return self.head(self.norm(outputs[:, -1]))


def model():
    """The reader."""
    return Reader()


# Outputs and targets are (B, 1) both. Had one of them been (B,), each would be paired with every other.
loss = nn.MSELoss()


def optimizer(model):
    """Adam, with the ε that is PyTorch's own."""
    return torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-8)
