"""More pairs, drawn at random: other rates, rules, batches and seeds than those that the rules were made with."""

from typing import Any, NamedTuple

import numpy as np

from benchmarks.log_material import task
from benchmarks.log_material.plan import FIRST, KERAS, PYTORCH, Planted

BASES: dict[str, list[dict[str, Any]]] = {
    "mlp": [
        {"rate": 0.05},
        {"rate": 0.02, "momentum": 0.9},
        {"optimizer": "adam", "rate": 0.001},
        {"rate": 0.1, "batch": 16},
        {"optimizer": "adam", "rate": 0.005, "decay": 0.01},
    ],
    "cnn": [
        {"rate": 0.05, "momentum": 0.0},
        {"optimizer": "adam", "rate": 0.002},
        {"batch": 16},
        {"rate": 0.01, "momentum": 0.95},
    ],
    # The third goes astray: both losses become infinite.
    "lstm": [{"rate": 0.003}, {"clip": 1.0}, {"optimizer": "sgd", "rate": 0.05, "momentum": 0.9}, {"batch": 16}],
    "gpt": [{"rate": 0.001}, {"decay": 0.1}, {"optimizer": "sgd", "rate": 0.1, "momentum": 0.9}, {"clip": 1.0}],
}
FACTOR = "factor"  # of the rate, drawn
FACTORS = (0.5, 2, 3, 10)
CLASSIFIERS = ("mlp", "cnn", "gpt")


class Plant(NamedTuple):
    """What is planted, what is right, in which models, and which settings of theirs it needs."""

    planted: dict[str, Any]
    right: tuple[str, ...]
    models: tuple[str, ...] = tuple(BASES)
    needs: tuple[str, ...] = ()  # optimizers; or a setting that must be on, or with - off
    side: str = ""  # the only one that has it


LOSS, SAME = ("start", "first loss"), ("same", "rounding", "not finite")
PLANTS = (
    Plant({FACTOR: True}, FIRST),
    Plant({"first_weights": 5}, LOSS),
    Plant({"order": "other"}, ("examples", "first loss")),
    Plant({"order": "other from epoch 2"}, ("order",)),
    Plant({"loss": "sum"}, ("reduction",)),
    Plant({"accumulated": True}, ("carried",)),
    Plant({"dropout": 0.3}, ("forward", *LOSS)),
    Plant({"penalty": 1e-3}, ("penalty",)),
    Plant({"schedule": ["step", 60, 0.1]}, ("schedule", "later")),
    Plant({"schedule": ["warm-up", 30]}, ("update", "rate")),
    Plant({"frozen": True}, ("update", "small")),
    Plant({"label_shift": 1}, ("examples", "first loss")),
    Plant({"norm_epsilon": 1e-3}, ("forward", "small", *LOSS), ("cnn", "lstm", "gpt")),
    Plant({"norm_momentum": 0.01}, ("evaluation",), ("cnn",)),
    Plant({"evaluated": "in training"}, ("evaluation",), ("cnn",)),
    Plant({"padding": "at the end"}, ("start", "forward"), ("cnn",)),
    Plant({"gelu": "tanh"}, ("small", "forward", "start"), ("gpt",)),
    Plant({"framework_rule": True}, FIRST, needs=("adam",), side=KERAS),
    Plant({"beta_2": 0.99}, ("carried", "small"), needs=("adam",)),
    Plant({"momentum": 0.5}, ("carried",), needs=("sgd",)),
    Plant({"nesterov": True}, ("update",), needs=("momentum",)),
    # Keras finds the softmax in its graph and takes what is before it: the same mistake in it does nothing.
    Plant({"loss": "softmax twice"}, ("softmax twice", *LOSS), CLASSIFIERS, side=PYTORCH),
    Plant({"loss": "of probabilities"}, ("logits", *LOSS), CLASSIFIERS, side=KERAS),
    Plant({"scale": 1.0}, ("logits", *LOSS), ("mlp",)),
    Plant({"decay": 1e-2}, ("update", "small"), needs=("-decay",)),
    Plant({"clip": 0.3}, ("carried", "update", "small", "later"), needs=("-clip",)),
)


def _fits(plant: Plant, settings: dict[str, Any]) -> bool:
    for need in plant.needs:
        if need in ("adam", "sgd"):
            fits = settings["optimizer"] == need
        else:
            fits = bool(settings[need.removeprefix("-")]) is not need.startswith("-")
        if not fits:
            return False
    return True


def drawn(seed: int, seeds_of_sound: tuple[int, int]) -> list[Planted]:
    """The same pairs for the same numbers: two sound ones of each base, and each plant in up to four."""
    random = np.random.default_rng(seed)
    found = [
        Planted(f"{base}, seed {of_sound}", model, "", {}, SAME, base | _seeded(of_sound))
        for model, bases in BASES.items()
        for base in bases
        for of_sound in seeds_of_sound
    ]
    for plant in (*PLANTS, *PLANTS):
        for model in random.permutation(plant.models)[:2].tolist():
            base = BASES[model][random.integers(len(BASES[model]))]
            settings = task.settings(model, **base)
            if not _fits(plant, settings) or plant.planted.get("momentum") == settings["momentum"]:
                continue
            planted = dict(plant.planted)
            if planted.pop(FACTOR, False):
                planted["rate"] = settings["rate"] * float(random.choice(FACTORS))
            side = str(random.choice([PYTORCH, KERAS]))
            own = int(random.integers(30, 60))
            if "first_weights" in planted:
                planted["first_weights"] = own + 1
            found.append(
                Planted(f"{planted} in {base}", model, plant.side or side, planted, plant.right, base | _seeded(own))
            )
    return found


def _seeded(seed: int) -> dict[str, int]:
    return {"seed": seed, "first_weights": seed}
