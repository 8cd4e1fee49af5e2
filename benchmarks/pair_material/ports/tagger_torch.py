"""After the tutorial "Sequence Models and Long Short-Term Memory Networks": part-of-speech tags, in both directions."""

import torch
from torch import nn


class LSTMTagger(nn.Module):
    def __init__(self, embedding_dim=8, hidden_dim=12, vocab_size=30, tagset_size=5):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(2 * hidden_dim, tagset_size)

    def forward(self, sentence):
        embeds = self.word_embeddings(sentence)
        lstm_out, _ = self.lstm(embeds)
        return self.hidden2tag(lstm_out)


def model():
    return LSTMTagger()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


criterion = nn.CrossEntropyLoss(ignore_index=0)


def loss(outputs, targets):
    return criterion(outputs.flatten(0, 1), targets.flatten())
