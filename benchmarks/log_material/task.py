"""What both frameworks are given: data, first weights, the order of the examples, and the settings of a run.

Nothing here depends on a framework. A run is its settings: those of `SETTINGS`, and what is planted beside them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared.system.paths import ROOT

Settings = Mapping[str, Any]
TRAINED = 384  # of the 480 examples; the others are for evaluation
BATCH = 32
EPOCHS = 15
HIDDEN, CHARACTERS, WIDTH = 32, 21, 32
# What a run is unless told otherwise: the same on both sides.
COMMON: dict[str, Any] = {
    "batch": BATCH,
    "epochs": EPOCHS,
    "optimizer": "sgd",
    "rate": 0.1,
    "momentum": 0.0,
    "nesterov": False,
    "epsilon": 1e-8,
    "beta_2": 0.999,
    "decay": 0.0,
    "coupled": False,  # whether the decay is in the gradient
    "schedule": None,  # ("step", at, factor), ("warm-up", steps) or ("cosine", steps)
    "schedule_shift": 0,
    "clip": 0.0,
    "clip_each": False,  # whether each gradient is clipped by itself
    "norm_epsilon": 1e-5,
    "norm_momentum": 0.1,  # the weight of the new batch
    "gelu": "exact",
    "padding": "both sides",
    "dropout": 0.0,
    "scale": 255.0,
    "loss": "mean",  # or "sum", "half", "of probabilities", "softmax twice"
    "penalty": 0.0,
    "smoothing": 0.0,
    "accumulated": False,  # whether gradients are left from the step before
    "frozen": False,  # the first layer
    "label_shift": 0,
    "order": "drawn",  # or "other", "other from epoch 2", "as it comes", "as it comes from epoch 2"
    "keep_short": False,  # whether the last, short batch is trained as well
    "evaluated": "in evaluation",  # or "in training"
    "metric": "hits",  # or "two likeliest", "batch means"
    "seed": 0,  # of the order, and of what a library draws
    "first_weights": 0,  # their seed
    "framework_rule": False,  # whether Keras's own Adam is used, and not one of PyTorch's formula
    "log": "loop",  # or "fit": by Keras's fit
}
SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": {"rate": 0.02, "momentum": 0.9},
    "lstm": {"optimizer": "adam", "rate": 0.01, "epochs": 12},
    "gpt": {"optimizer": "adam", "rate": 0.003, "epochs": 10},
}


def settings(model: str, **planted: Any) -> dict[str, Any]:
    """All settings of a run. Raises KeyError for one that there is not."""
    if unknown := planted.keys() - COMMON.keys():
        raise KeyError(*unknown)
    return {"model": model, **COMMON, **SETTINGS[model], **planted}


def examples(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets: float32 images (N, 28, 28, 1), or whole numbers (N, T)."""
    with np.load(ROOT / "examples" / settings["model"] / "data.npz") as data:
        inputs, targets = data["inputs"], data["targets"]
    if settings["model"] in ("mlp", "cnn"):
        scale = 255.0 if settings["model"] == "mlp" else 1.0
        inputs = (inputs.reshape(-1, 28, 28, 1) / scale * (255.0 / settings["scale"])).astype(np.float32)
    if targets.dtype.kind == "f":
        targets = targets.astype(np.float32)
    # Mixed, for a file may be sorted; by one seed for all.
    mixed = np.random.default_rng(7).permutation(len(inputs))
    return inputs[mixed], np.roll(targets[mixed], settings["label_shift"], axis=0)


def order(settings: Settings) -> list[list[np.ndarray]]:
    """Of each epoch, of each batch: which examples."""
    batch, kind = settings["batch"], settings["order"]
    epochs = []
    for epoch in range(settings["epochs"]):
        of = [settings["seed"], epoch]
        if kind == "other" or (kind == "other from epoch 2" and epoch):
            of.append(1)
        drawn = np.random.default_rng(of).permutation(TRAINED)
        if kind == "as it comes" or (kind == "as it comes from epoch 2" and epoch):
            drawn = np.arange(TRAINED)
        batches = [drawn[start : start + batch] for start in range(0, TRAINED, batch)]
        epochs.append(batches if settings["keep_short"] else [b for b in batches if len(b) == batch])
    return epochs


def rate(settings: Settings, step: int) -> float:
    """The rate of a step, which counts from 0."""
    base: float = settings["rate"]
    if settings["schedule"] is None:
        return base
    step += settings["schedule_shift"]
    kind, *numbers = settings["schedule"]
    if kind == "step":
        at, factor = numbers
        return base * float(factor) if step >= at else base
    (steps,) = numbers
    if kind == "warm-up":
        return base * min(1.0, (step + 1) / steps)
    share = min(1.0, max(0, step) / float(steps))
    return float(base * 0.5 * (1 + np.cos(np.pi * share)))


def weights(model: str, seed: int) -> dict[str, np.ndarray]:
    """First weights, float32, in PyTorch's layouts."""
    random = np.random.default_rng([seed, 5])

    def uniform(*shape: int, fan_in: int) -> np.ndarray:
        return random.uniform(-(fan_in**-0.5), fan_in**-0.5, shape).astype(np.float32)

    if model == "mlp":
        return {
            "fc1.weight": uniform(HIDDEN, 784, fan_in=784),
            "fc1.bias": uniform(HIDDEN, fan_in=784),
            "fc2.weight": uniform(HIDDEN, HIDDEN, fan_in=HIDDEN),
            "fc2.bias": uniform(HIDDEN, fan_in=HIDDEN),
            "head.weight": uniform(10, HIDDEN, fan_in=HIDDEN),
            "head.bias": uniform(10, fan_in=HIDDEN),
        }
    if model == "cnn":
        return {
            "conv1.weight": uniform(8, 1, 3, 3, fan_in=9),
            "conv2.weight": uniform(16, 8, 3, 3, fan_in=72),
            "head.weight": uniform(10, 784, fan_in=784),
            "head.bias": uniform(10, fan_in=784),
        }
    if model == "lstm":
        return {
            "embedding.weight": random.standard_normal((CHARACTERS, 16)).astype(np.float32),
            "lstm.input": uniform(4 * WIDTH, 16, fan_in=WIDTH),
            "lstm.hidden": uniform(4 * WIDTH, WIDTH, fan_in=WIDTH),
            "lstm.bias": uniform(4 * WIDTH, fan_in=WIDTH),
            "head.weight": uniform(1, WIDTH, fan_in=WIDTH),
            "head.bias": uniform(1, fan_in=WIDTH),
        }
    tokens = vocabulary()
    found = {
        "tokens.weight": (0.2 * random.standard_normal((tokens, WIDTH))).astype(np.float32),
        "places.weight": (0.2 * random.standard_normal((32, WIDTH))).astype(np.float32),
        "head.weight": uniform(tokens, WIDTH, fan_in=WIDTH),
        "head.bias": uniform(tokens, fan_in=WIDTH),
    }
    for name, out, fan_in in (("q", WIDTH, WIDTH), ("k", WIDTH, WIDTH), ("v", WIDTH, WIDTH), ("o", WIDTH, WIDTH)):
        found |= {f"{name}.weight": uniform(out, fan_in, fan_in=fan_in), f"{name}.bias": uniform(out, fan_in=fan_in)}
    return found | {
        "up.weight": uniform(2 * WIDTH, WIDTH, fan_in=WIDTH),
        "up.bias": uniform(2 * WIDTH, fan_in=WIDTH),
        "down.weight": uniform(WIDTH, 2 * WIDTH, fan_in=2 * WIDTH),
        "down.bias": uniform(WIDTH, fan_in=2 * WIDTH),
    }


def vocabulary() -> int:
    """How many tokens the GPT knows."""
    with np.load(ROOT / "examples/gpt/data.npz") as data:
        return int(data["inputs"].max()) + 1


class Log:
    """Writes what a run logs, in the forms that people keep: every step in full, printed, and by epoch."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []

    def step(self, loss: float) -> None:
        """After each step: the loss of its batch, before its update."""
        self.rows.append({"step": len(self.rows), "loss": loss})

    def epoch(self, found: Mapping[str, float]) -> None:
        """After each epoch: what the evaluation found, beside the last step."""
        since = len(self.epochs) and int(self.epochs[-1]["last"]) + 1
        losses = [row["loss"] for row in self.rows[since:]]
        self.rows[-1] |= found
        self.epochs.append(
            {"epoch": len(self.epochs), "last": len(self.rows) - 1, "loss": float(np.mean(losses)), **found}
        )

    def write(self) -> None:
        """full.csv, printed.csv (4 decimals), every10.csv and epochs.csv."""
        names = ["step", "loss", *(name for name in self.epochs[-1] if name not in ("epoch", "last", "loss"))]
        self._write("full.csv", names, self.rows, repr)
        self._write("printed.csv", names, self.rows, "{:.4f}".format)
        self._write("every10.csv", ["step", "loss"], self.rows[::10], "{:.4f}".format)
        self._write("epochs.csv", ["epoch", *names[1:]], self.epochs, repr)

    def _write(self, name: str, names: list[str], rows: list[dict[str, float]], form: Any) -> None:
        lines = [",".join(names)]
        for row in rows:
            cells = ["" if n not in row else str(row[n]) if n in ("step", "epoch") else form(row[n]) for n in names]
            lines.append(",".join(cells))
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
