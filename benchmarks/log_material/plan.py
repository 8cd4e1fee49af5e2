"""The pairs of benchmarks/logs.py: what is planted, on which side, and what a reader may call it."""

from dataclasses import dataclass, field
from typing import Any

PYTORCH, KERAS = "PyTorch", "Keras"
ADAM = {"optimizer": "adam", "rate": 0.003}
MOMENTUM = {"rate": 0.02, "momentum": 0.9}
FULL = ("full.csv", "full.csv")
BY_STEPS = {"schedule": ["step", 90, 0.1]}


@dataclass(frozen=True)
class Planted:
    """A pair of runs: `both` is what both do, `planted` what one side alone does."""

    name: str
    model: str
    side: str  # where it is planted; empty for a sound pair
    planted: dict[str, Any]
    right: tuple[str, ...]  # keys of shared.logs.causes.CAUSES: any of them at first place is right
    both: dict[str, Any] = field(default_factory=dict)
    logs: tuple[str, str] = FULL  # PyTorch's, Keras's


FIRST = ("update", "rate", "small")
# Every third, from the third on, was not looked at until the rules were fixed; nor was any of LATER.
PLANTED = (
    Planted("rate five times as large", "mlp", KERAS, {"rate": 0.5}, ("update", "rate")),
    Planted("momentum on one side", "mlp", PYTORCH, {"momentum": 0.5}, ("carried",)),
    Planted("Adam's own ε and its place", "mlp", KERAS, {"framework_rule": True}, FIRST, ADAM),
    Planted("gradients not zeroed", "mlp", PYTORCH, {"accumulated": True}, ("carried",)),
    Planted("summed over the batch", "mlp", KERAS, {"loss": "sum"}, ("reduction",)),
    Planted("Nesterov's momentum", "mlp", KERAS, {"nesterov": True}, ("update",), MOMENTUM),
    Planted("half the squared error", "lstm", PYTORCH, {"loss": "half"}, ("reduction",)),
    Planted("logits taken for probabilities", "mlp", KERAS, {"loss": "of probabilities"}, ("logits",)),
    Planted("softmax twice", "mlp", PYTORCH, {"loss": "softmax twice"}, ("softmax twice", "start")),
    Planted("a penalty in one loss", "mlp", KERAS, {"penalty": 1e-3}, ("penalty",)),
    Planted("label smoothing", "mlp", PYTORCH, {"smoothing": 0.1}, ("start", "forward")),
    Planted("batch normalisation's ε", "cnn", KERAS, {"norm_epsilon": 1e-3}, ("forward", "start")),
    Planted("padding at the end", "cnn", KERAS, {"padding": "at the end"}, ("start", "forward")),
    Planted("batch normalisation's momentum", "cnn", KERAS, {"norm_momentum": 0.01}, ("evaluation",)),
    Planted("evaluated in training mode", "cnn", PYTORCH, {"evaluated": "in training"}, ("evaluation",)),
    Planted("accuracy of the two likeliest", "mlp", PYTORCH, {"metric": "two likeliest"}, ("metric",)),
    Planted("pixels in [0, 2]", "mlp", KERAS, {"scale": 127.5}, ("start",)),
    Planted("another order", "mlp", PYTORCH, {"order": "other"}, ("examples",)),
    Planted("another order from the second epoch", "mlp", KERAS, {"order": "other from epoch 2"}, ("order",)),
    Planted("shuffled only once", "mlp", PYTORCH, {"order": "as it comes from epoch 2"}, ("order",)),
    Planted("labels moved by one", "mlp", KERAS, {"label_shift": 1}, ("examples",)),
    Planted("dropout on one side", "mlp", PYTORCH, {"dropout": 0.2}, ("start", "forward")),
    Planted("layer normalisation's ε, LSTM", "lstm", KERAS, {"norm_epsilon": 1e-3}, ("forward", "start")),
    Planted("layer normalisation's ε, GPT", "gpt", KERAS, {"norm_epsilon": 1e-3}, ("forward", "start", "small")),
    Planted("GELU by tanh", "gpt", KERAS, {"gelu": "tanh"}, ("small", "forward")),
    Planted("AdamW's decay", "gpt", KERAS, {"decay": 4e-3}, FIRST, {"decay": 1e-2}),
    Planted("decay in the gradient", "mlp", PYTORCH, {"decay": 1e-2, "coupled": True}, FIRST),
    Planted("decay of Adam", "lstm", PYTORCH, {"decay": 1e-2}, FIRST),
    Planted("Adam's second β", "lstm", KERAS, {"beta_2": 0.99}, ("carried", "small")),
    Planted("clipping on one side", "lstm", PYTORCH, {"clip": 1.0}, ("carried", "update", "small")),
    Planted(
        "each gradient clipped by itself",
        "lstm",
        KERAS,
        {"clip_each": True},
        ("carried", "update", "small"),
        {"clip": 1.0},
    ),
    Planted("clipping that seldom bites", "gpt", KERAS, {"clip": 1.0}, ("later",)),
    Planted("the drop of the rate one step late", "mlp", KERAS, {"schedule_shift": -1}, ("schedule",), BY_STEPS),
    Planted("no drop of the rate", "mlp", PYTORCH, BY_STEPS, ("schedule",)),
    Planted("a warm-up on one side", "lstm", PYTORCH, {"schedule": ["warm-up", 20]}, ("update", "rate")),
    Planted(
        "a warm-up counted from 1",
        "lstm",
        KERAS,
        {"schedule_shift": 1},
        ("update", "rate"),
        {"schedule": ["warm-up", 20]},
    ),
    Planted("a cosine on one side", "gpt", KERAS, {"schedule": ["cosine", 120]}, FIRST),
    Planted(
        "the last, short batch left out",
        "mlp",
        KERAS,
        {"keep_short": False},
        ("last batch",),
        {"batch": 36, "keep_short": True},
    ),
    Planted("the first layer frozen", "mlp", KERAS, {"frozen": True}, ("update",)),
    Planted("other first weights", "mlp", PYTORCH, {"first_weights": 1}, ("start",)),
    Planted(
        "L2 against decay, with momentum",
        "mlp",
        KERAS,
        {"coupled": False},
        (*FIRST, "carried"),
        MOMENTUM | {"decay": 1e-2, "coupled": True},
    ),
    Planted("accuracy as the mean of batches", "cnn", PYTORCH, {"metric": "batch means"}, ("metric",)),
    Planted(
        "a batch against a running mean", "mlp", KERAS, {"log": "fit"}, ("reported",), logs=("full.csv", "running.csv")
    ),
    Planted("repeated tokens in Adam", "gpt", KERAS, {"framework_rule": True}, FIRST),
    Planted("a rate a tenth larger", "mlp", KERAS, {"rate": 0.11}, ("update", "rate", "small")),
)
LATER = (
    Planted("twice the rate, CNN", "cnn", KERAS, {"rate": 0.04}, ("update", "rate")),
    Planted("a smaller momentum, CNN", "cnn", PYTORCH, {"momentum": 0.8}, ("carried",)),
    Planted("summed over the batch, LSTM", "lstm", KERAS, {"loss": "sum"}, ("reduction",)),
    Planted("another order from the second epoch, GPT", "gpt", PYTORCH, {"order": "other from epoch 2"}, ("order",)),
    Planted("gradients not zeroed, CNN", "cnn", KERAS, {"accumulated": True}, ("carried",)),
    Planted("other first weights, LSTM", "lstm", PYTORCH, {"first_weights": 1}, ("start",)),
    Planted("dropout on one side, CNN", "cnn", KERAS, {"dropout": 0.25}, ("start", "forward")),
    Planted("a penalty in one loss, CNN", "cnn", PYTORCH, {"penalty": 1e-3}, ("penalty",)),
    Planted("a warm-up on one side, GPT", "gpt", KERAS, {"schedule": ["warm-up", 20]}, ("update", "rate")),
    Planted("no drop of the rate, CNN", "cnn", PYTORCH, {"schedule": ["step", 100, 0.1]}, ("schedule",)),
    Planted("another order from the second epoch, CNN", "cnn", KERAS, {"order": "other from epoch 2"}, ("order",)),
    Planted("Nesterov's momentum, CNN", "cnn", PYTORCH, {"nesterov": True}, ("update",)),
    Planted("the first layer frozen, GPT", "gpt", KERAS, {"frozen": True}, ("update", "small")),
    Planted("another order, LSTM", "lstm", PYTORCH, {"order": "other"}, ("examples",)),
    Planted("Adam's decay in the gradient", "mlp", PYTORCH, {"decay": 1e-2, "coupled": True}, FIRST, ADAM),
    Planted("labels moved by one, GPT", "gpt", KERAS, {"label_shift": 1}, ("examples",)),
    Planted("half the error, in training SGD", "lstm", KERAS, {"loss": "half"}, ("reduction",), {"optimizer": "sgd"}),
)
SOUND = tuple(
    Planted(name, model, "", {}, ("same", "rounding"), both)
    for name, model, both in (
        ("mlp", "mlp", {}),
        ("cnn", "cnn", {}),
        ("lstm", "lstm", {}),
        ("gpt", "gpt", {}),
        ("mlp, Adam", "mlp", ADAM),
        ("cnn, Adam", "cnn", ADAM),
        ("mlp, decay in the gradient", "mlp", MOMENTUM | {"decay": 1e-3, "coupled": True}),
        ("lstm, clipped", "lstm", {"clip": 1.0}),
        ("gpt, AdamW and a cosine", "gpt", {"decay": 1e-2, "schedule": ["cosine", 120]}),
        ("mlp, other weights", "mlp", {"first_weights": 1, "seed": 1}),
        ("cnn, other weights", "cnn", {"first_weights": 2, "seed": 2}),
        ("cnn, others again", "cnn", {"first_weights": 3, "seed": 3}),
        ("lstm, other weights", "lstm", {"first_weights": 1, "seed": 1}),
        ("mlp, a short batch", "mlp", {"batch": 36, "keep_short": True}),
        ("gpt, other weights", "gpt", {"first_weights": 1, "seed": 1}),
    )
)
