"""Trains the runs of benchmarks/logs.py in PyTorch: `python -m benchmarks.log_material.in_pytorch < jobs.json`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.log_material import task
from benchmarks.log_material.task import HIDDEN, TRAINED, WIDTH, Log, Settings


class Mlp(nn.Module):
    """(B, 28, 28, 1) -> logits (B, 10)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, 10)
        self.dropout = nn.Dropout(settings["dropout"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Two hidden layers."""
        x = F.relu(self.fc1(x.flatten(1)))
        logits: torch.Tensor = self.head(self.dropout(F.relu(self.fc2(x))))
        return logits


class Cnn(nn.Module):
    """(B, 28, 28, 1) -> logits (B, 10)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        kept = {"eps": settings["norm_epsilon"], "momentum": settings["norm_momentum"]}
        self.both_sides = settings["padding"] == "both sides"
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2, bias=False)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(8, **kept), nn.BatchNorm2d(16, **kept)
        self.dropout = nn.Dropout(settings["dropout"])
        self.head = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Two convolutions of stride 2."""
        x = x.permute(0, 3, 1, 2)
        pad = (1, 1, 1, 1) if self.both_sides else (0, 1, 0, 1)
        x = F.relu(self.norm1(self.conv1(F.pad(x, pad))))
        x = F.relu(self.norm2(self.conv2(F.pad(x, pad))))
        logits: torch.Tensor = self.head(self.dropout(x.flatten(1)))
        return logits


class Lstm(nn.Module):
    """(B, T) -> (B, 1)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.embedding = nn.Embedding(task.CHARACTERS, 16)
        self.lstm = nn.LSTM(16, WIDTH, batch_first=True)
        # Keras has one bias; the second of PyTorch's is zero and stays so.
        self.lstm.get_parameter("bias_hh_l0").detach().zero_()
        self.lstm.get_parameter("bias_hh_l0").requires_grad_(False)
        self.norm = nn.LayerNorm(WIDTH, settings["norm_epsilon"])
        self.dropout = nn.Dropout(settings["dropout"])
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Its last output."""
        outputs, _ = self.lstm(self.embedding(x))
        found: torch.Tensor = self.head(self.dropout(self.norm(outputs[:, -1])))
        return found


class Gpt(nn.Module):
    """(B, T) -> logits (B, T, tokens)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        tokens = task.vocabulary()
        self.tokens, self.places = nn.Embedding(tokens, WIDTH), nn.Embedding(32, WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.norm1, self.norm2 = (nn.LayerNorm(WIDTH, settings["norm_epsilon"]) for _ in range(2))
        self.dropout = nn.Dropout(settings["dropout"])
        self.gelu = "none" if settings["gelu"] == "exact" else "tanh"
        self.head = nn.Linear(WIDTH, tokens)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One block of one head."""
        x = self.tokens(x) + self.places.weight
        inner = self.norm1(x)
        x = x + self.o(F.scaled_dot_product_attention(self.q(inner), self.k(inner), self.v(inner), is_causal=True))
        x = x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)), approximate=self.gelu)))
        logits: torch.Tensor = self.head(x)
        return logits


MODELS = {"mlp": Mlp, "cnn": Cnn, "lstm": Lstm, "gpt": Gpt}
LSTM_NAMES = {"lstm.input": "lstm.weight_ih_l0", "lstm.hidden": "lstm.weight_hh_l0", "lstm.bias": "lstm.bias_ih_l0"}


def load(settings: Settings) -> nn.Module:
    """The model with its first weights."""
    model: nn.Module = MODELS[settings["model"]](settings)
    given = task.weights(settings["model"], settings["first_weights"])
    state = {LSTM_NAMES.get(name, name): torch.from_numpy(values) for name, values in given.items()}
    missing, unknown = model.load_state_dict(state, strict=False)
    assert not unknown
    assert not [name for name in missing if "norm" not in name and "bias_hh" not in name], missing
    if settings["frozen"]:
        next(model.parameters()).requires_grad_(False)
    return model


def loss_of(settings: Settings, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of a batch, as the settings want it."""
    kind = settings["loss"]
    if settings["model"] == "lstm":
        squares = (outputs - targets) ** 2
        return squares.sum() if kind == "sum" else squares.mean() / (2 if kind == "half" else 1)
    outputs, targets = outputs.flatten(0, -2), targets.flatten()
    if kind == "softmax twice":
        outputs = outputs.softmax(1)
    reduction = "sum" if kind == "sum" else "mean"
    return F.cross_entropy(outputs, targets, reduction=reduction, label_smoothing=settings["smoothing"])


def optimizer_of(settings: Settings, model: nn.Module) -> torch.optim.Optimizer:
    """By PyTorch's own classes."""
    trained = [p for p in model.parameters() if p.requires_grad]
    decay, rate = settings["decay"], settings["rate"]
    if settings["optimizer"] == "sgd":
        kept = {"momentum": settings["momentum"], "nesterov": settings["nesterov"]}
        return torch.optim.SGD(trained, lr=rate, weight_decay=decay if settings["coupled"] else 0.0, **kept)
    made: Any = torch.optim.Adam if settings["coupled"] else torch.optim.AdamW
    betas = (0.9, settings["beta_2"])
    found: torch.optim.Optimizer = made(trained, lr=rate, betas=betas, eps=settings["epsilon"], weight_decay=decay)
    return found


def train(settings: Settings, folder: Path) -> None:
    """One run, and its log."""
    torch.manual_seed(settings["seed"])
    model, log = load(settings), Log(folder)
    inputs, targets = (torch.from_numpy(values) for values in task.examples(settings))
    optimizer = optimizer_of(settings, model)
    step = 0
    for epoch in task.order(settings):
        model.train()
        for batch in epoch:
            chosen = torch.from_numpy(batch)
            optimizer.param_groups[0]["lr"] = task.rate(settings, step)
            loss = loss_of(settings, model(inputs[chosen]), targets[chosen])
            if settings["penalty"]:
                loss = loss + settings["penalty"] * sum((p**2).sum() for p in model.parameters() if p.dim() > 1)
            if not settings["accumulated"]:
                optimizer.zero_grad()
            loss.backward()
            if settings["clip"]:
                for together in [[p] for p in model.parameters()] if settings["clip_each"] else [model.parameters()]:
                    nn.utils.clip_grad_norm_(together, settings["clip"])
            if settings["optimizer"] == "sgd" and not settings["coupled"] and settings["decay"]:
                for p in model.parameters():
                    p.detach().mul_(1 - task.rate(settings, step) * settings["decay"])
            optimizer.step()
            log.step(loss.item())
            step += 1
        log.epoch(evaluate(settings, model, inputs[TRAINED:], targets[TRAINED:]))
    log.write()


@torch.no_grad()
def evaluate(settings: Settings, model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Loss and accuracy of what is not trained."""
    model.train(settings["evaluated"] == "in training")
    outputs = model(inputs)
    found = {"val_loss": loss_of({**settings, "loss": "mean", "smoothing": 0.0}, outputs, targets).item()}
    if settings["model"] == "lstm":
        return found | {"val_mae": (outputs - targets).abs().mean().item()}
    likeliest = outputs.topk(2 if settings["metric"] == "two likeliest" else 1).indices
    hits = (likeliest == targets[..., None]).any(-1).float()
    if settings["metric"] == "batch means":
        hits = torch.stack([part.mean() for part in hits.split(36)])
    return found | {"val_accuracy": hits.mean().item()}


def main() -> None:
    """All jobs: a list of settings and folders."""
    torch.use_deterministic_algorithms(mode=True)
    for job in json.load(sys.stdin):
        torch.set_num_threads(job["threads"])
        np.random.seed(0)  # noqa: NPY002 nothing draws from it; a library might
        train(job["settings"], Path(job["folder"]))
        print(job["folder"], flush=True)


if __name__ == "__main__":
    main()
