"""After the usual text CNN in PyTorch: convolutions of three widths over words, the maximum of each over time."""

import torch
from torch import nn
from torch.nn import functional as F


class TextCNN(nn.Module):
    def __init__(self, vocab_size=40, embed_dim=8, num_filters=6, filter_sizes=(3, 4, 5), num_classes=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.convs = nn.ModuleList([nn.Conv1d(embed_dim, num_filters, k) for k in filter_sizes])
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(num_filters * len(filter_sizes), num_classes)

    def forward(self, x):
        x = self.embedding(x).permute(0, 2, 1)
        x = [F.relu(conv(x)) for conv in self.convs]
        x = [F.max_pool1d(each, each.size(2)).squeeze(2) for each in x]
        return self.fc(self.dropout(torch.cat(x, 1)))


def model():
    return TextCNN()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


loss = nn.CrossEntropyLoss()
