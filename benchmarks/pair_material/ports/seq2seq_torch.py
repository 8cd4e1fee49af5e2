"""After the tutorial "NLP From Scratch: Translation with a Sequence to Sequence Network and Attention"."""

import torch
from torch import nn
from torch.nn import functional as F


class Seq2Seq(nn.Module):
    def __init__(self, vocab=20, hidden_size=12):
        super().__init__()
        self.source = nn.Embedding(vocab, hidden_size)
        self.encoder = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.target = nn.Embedding(vocab, hidden_size)
        self.decoder = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(2 * hidden_size, vocab)

    def forward(self, source, target):
        keys, state = self.encoder(self.source(source))
        query, _ = self.decoder(self.target(target), state)
        weights = F.softmax(torch.bmm(query, keys.transpose(1, 2)), dim=-1)
        context = torch.bmm(weights, keys)
        return self.out(torch.cat((query, context), dim=-1))


def model():
    return Seq2Seq()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def loss(outputs, targets):
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())
