"""A character GPT, in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn

CHARACTERS, CONTEXT = 451, 32
RATE, WARM_UP = 3e-3, 10  # the rate rises to its full height in so many steps


class Block(nn.Module):
    """Attention to all that came before, then a perceptron, each added to what it read."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.mix = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def split(self, x):
        """(B, T, width) -> (B, heads, T, width / heads): here the heads come before the time."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x):
        """(B, T, width) -> the same."""
        normed = self.norm_1(x)
        query, key, value = (self.split(layer(normed)) for layer in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mix(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.widen(self.norm_2(x))))  # exact, unless approximate="tanh"


class GPT(nn.Module):
    """The embedding also makes the logits: a character is likely where its own vector points."""

    def __init__(self, width=64, heads=4, blocks=2):
        super().__init__()
        self.characters = nn.Embedding(CHARACTERS, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.apply(start_small)

    def forward(self, text):
        """(B, T) -> logits of the next character (B, T, 451)."""
        places = torch.arange(text.shape[1], device=text.device)
        x = self.blocks(self.characters(text) + self.places(places))
        return F.linear(self.norm(x), self.characters.weight)


def start_small(module):
    """As GPT-2 does. PyTorch's own start of an embedding, N(0, 1), would make large logits at once."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def model():
    """The GPT."""
    return GPT()


def loss(logits, targets):
    """Mean over all characters. PyTorch wants the classes second, or all examples in a row, as here."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def optimizer(model):
    """AdamW in two groups: the decay is for matrices alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99), eps=1e-8)


def scheduler(optimizer):
    """Warm-up. The first step is number 0, in both frameworks."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARM_UP))


def after_backward(model):
    """All gradients together are clipped, to a norm of 1."""
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
