"""Which comparisons benchmarks.sound makes: a fixed list, drawn from the space that a user moves in."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.configuration import Configuration
from shared.contract import FRAMEWORKS
from shared.network import count_weights
from shared.update_rules import UPDATE_RULES

FIRST_SEED = 1_000  # of the default configuration: seeds that no other program takes
SEEDS, LONGER, DRAWN = 56, 8, 125
DRAW = 20_261_126  # the seed of the draw
# The learning rate is a rule's own, times a factor that is drawn evenly in its logarithm. Where a rule adds up ten
# gradients, or moves every weight by the rate, a greater factor makes the training itself chaotic.
SMALLEST_FACTOR, LARGEST_FACTORS = 0.1, {"sgd": 30.0, "adagrad": 10.0, "momentum": 3.0, "nesterov": 3.0}
LARGEST_FACTOR = 10.0  # of the other rules
# A value and how often it is drawn, of 100.
BATCH_SIZES = {8: 1, 32: 8, 64: 35, 100: 15, 256: 29, 1_000: 11, 60_000: 1}
HIDDEN_SIZES = {(128, 64): 45, (): 10, (16,): 15, (512, 256): 5, (256, 128, 64): 15, (32,) * 8: 10}
OPTIMIZERS = {name: 46 if name == "sgd" else 9 for name in UPDATE_RULES}
ACTIVATIONS = {"relu": 60, "tanh": 20, "sigmoid": 20}
SCHEDULES = {"constant": 70, "step": 15, "cosine": 15}
DTYPES = {"float32": 70, "float64": 30}
THREADS = {1: 90, 2: 10}  # on cores that are busy a second one stalls
DECAYED = CLIPPED = 25
DECAYS, NORMS = (1e-4, 1e-2), (0.1, 10.0)
# Updates of a weight in a run: one with Adam of twice as many was not verified in ten minutes.
MOST_UPDATES = 2e9
# An epoch of a large batch is few steps.
LARGE_BATCH, ITS_EPOCHS = 1_000, 5
ONCE = {"epochs": 1}
CORNERS: list[dict[str, Any]] = [
    *({**ONCE, "seed": seed, "engine": "fast"} for seed in range(FIRST_SEED, FIRST_SEED + 6)),
    {**ONCE, "engine": "fast", "learning_rate": 0.1, "batch_size": 256},
    {**ONCE, "engine": "fast", "dtype": "float64"},
    {**ONCE, "engine": "fast", "hidden_sizes": (), "threads": 2},
    *({**ONCE, "seed": seed, "engine": "eager"} for seed in range(FIRST_SEED, FIRST_SEED + 3)),
    {**ONCE, "batch_size": 1, "learning_rate": 0.001},
    {**ONCE, "batch_size": 59_999},
    {"epochs": 20, "batch_size": 60_000, "learning_rate": 0.3},
    {**ONCE, "hidden_sizes": (2_048,)},
    {**ONCE, "learning_rate": 0.3},
    {**ONCE, "learning_rate": 0.3, "dtype": "float64"},
    {"epochs": 5, "optimizer": "adam"},
    {"epochs": 5, "dtype": "float64"},
    {"epochs": 20, "batch_size": 256},
]
# Where training itself is chaotic: reported apart.
CHAOTIC: list[dict[str, Any]] = [{**ONCE, "learning_rate": 0.5}]


@dataclass(frozen=True)
class Comparison:
    """A configuration that both frameworks run; the engine may be another in each."""

    kind: str
    number: int  # of its kind
    configuration: Configuration
    engines: dict[str, str]  # by framework

    def of(self, framework: str) -> Configuration:
        """What this framework is told."""
        return self.configuration.but(engine=self.engines[framework])

    @property
    def options(self) -> str:
        """The options that differ from the defaults, as they are written."""
        words, defaults = self.configuration.but(device="auto").options(), Configuration().options()
        pairs = zip(words[::2], words[1::2], defaults[1::2], strict=True)
        given = [f"{name} {value}" for name, value, default in pairs if value != default]
        engines = "/".join(self.engines.values())
        return " ".join([*given, *([] if engines == "auto/auto" else [f"--engine {engines}"])])


def comparisons() -> list[Comparison]:
    """All, with the kinds mixed, so that the first of them stand for all."""
    kinds = {
        "seed": [_named({**ONCE, "seed": FIRST_SEED + 100 + number}) for number in range(SEEDS)],
        "longer": [_named({"seed": FIRST_SEED + 200 + number}) for number in range(LONGER)],
        "drawn": [_drawn(np.random.default_rng((DRAW, number))) for number in range(DRAWN)],
        "corner": [_named(values) for values in CORNERS],
        "chaotic": [_named(values) for values in CHAOTIC],
    }
    placed = [
        ((number + 0.5) / len(made), Comparison(kind, number, *of))
        for kind, made in kinds.items()
        for number, of in enumerate(made)
    ]
    return [comparison for _, comparison in sorted(placed, key=lambda p: p[0])]


def _named(values: dict[str, Any]) -> tuple[Configuration, dict[str, str]]:
    engine = values.get("engine", "auto")
    return Configuration.of(**{**values, "engine": "auto", "device": "cpu"}), dict.fromkeys(FRAMEWORKS, engine)


def _drawn(random: np.random.Generator) -> tuple[Configuration, dict[str, str]]:
    """A configuration whose choices are independent of each other, but for the epochs, and not too large."""

    def one_of(of_hundred: dict[Any, int]) -> Any:
        shares = np.array(list(of_hundred.values())) / 100
        return list(of_hundred)[random.choice(len(shares), p=shares)]

    def between(low: float, high: float) -> float:
        return float(f"{np.exp(random.uniform(np.log(low), np.log(high))):.2g}")

    optimizer, batch_size = one_of(OPTIMIZERS), one_of(BATCH_SIZES)
    factor = between(SMALLEST_FACTOR, LARGEST_FACTORS.get(optimizer, LARGEST_FACTOR))
    decay, norm = between(*DECAYS), between(*NORMS)
    more = {
        **({"weight_decay": decay} if random.uniform() * 100 < DECAYED else {}),
        **({"clip_norm": norm} if random.uniform() * 100 < CLIPPED else {}),
    }
    configuration = Configuration.of(
        epochs=1 if batch_size < LARGE_BATCH else ITS_EPOCHS,
        seed=int(random.integers(2**31)),
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=float(f"{UPDATE_RULES[optimizer].learning_rate * factor:.2g}"),
        schedule=one_of(SCHEDULES),
        hidden_sizes=one_of(HIDDEN_SIZES),
        activation=one_of(ACTIVATIONS),
        dtype=one_of(DTYPES),
        threads=one_of(THREADS),
        device="cpu",
        **more,
    )
    training = configuration.training
    if training.steps * count_weights(training) > MOST_UPDATES:
        return _drawn(random)
    # PyTorch's compiled engine takes half a minute to compile each: it is among the corners.
    engines = dict.fromkeys(FRAMEWORKS, "eager") | {"TensorFlow": str(random.choice(["eager", "fast"]))}
    return configuration, engines
