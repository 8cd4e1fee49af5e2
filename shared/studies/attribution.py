"""Why the curves of two stock runs differ: each Keras default is added to matched runs, and removed from stock runs.

All figures are Keras's minus PyTorch's. A run's figures are one vector: the loss of each epoch, then the accuracy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared.configuration import Configuration
from shared.studies.sweep import Figures, Job, figures
from shared.system.language import say
from shared.training import KERAS_DEFAULTS, KerasDefault, Training

# The frameworks whose tutorials are compared, whatever else is.
STOCK_PAIR = ("PyTorch", "TensorFlow")
CONFIDENCE = 0.95


class Factor(NamedTuple):
    """Something that the frameworks do differently."""

    name: str
    row: str  # of docs/differences.md, which has the code that sets it
    what: str
    default: KerasDefault | None = None  # where a run can keep or drop it


FACTORS = (
    Factor(
        say("first kernels"),
        "dense_kernel_initialiser",
        say("Keras draws a layer's first kernel wider, by Glorot's rule: its curve has fallen further after one epoch"),
        "kernels",
    ),
    Factor(
        say("first biases"),
        "dense_bias_initialiser",
        say("Keras starts biases at zero, PyTorch draws them"),
        "biases",
    ),
    Factor(
        say("order of the examples"),
        "shuffle_reach",
        say("both shuffle all examples anew each epoch; only the draw differs, as between two seeds"),
        "order",
    ),
    Factor(
        say("input of the loss"),
        "cross_entropy_input",
        say("Keras's loss takes probabilities; those of its own softmax carry their logits along"),
        "loss",
    ),
    Factor(
        say("average that is printed"),
        "epoch_loss",
        say(
            "Keras prints the mean of examples, a PyTorch loop the mean of batches: the last, short one counts as whole"
        ),
    ),
    Factor(
        say("compilation"),
        "jit_compilation",
        say("compiled by XLA or run step by step: sums are added in another order"),
    ),
)
UNMEASURED = {
    say("precision"): say("TF32, TensorFlow's default on a GPU, exists on GPUs alone"),
    say("optimizer constants"): say("plain SGD has none but its rate"),
}


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its confidence interval, per figure: (epochs + 1,)."""

    mean: np.ndarray
    half_width: np.ndarray

    @property
    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Its two ends."""
        return self.mean - self.half_width, self.mean + self.half_width

    def is_noise(self, figure: int) -> bool:
        """Whether the interval holds zero."""
        return bool(abs(self.mean[figure]) <= self.half_width[figure])


@dataclass(frozen=True)
class Share:
    """A factor's share of the difference between the stock runs."""

    factor: Factor
    added: Estimate  # what it does when it is added to the matched pair
    removed: Estimate | None  # what goes when it is removed from the stock pair; None where that can't be done
    share: Estimate  # the mean of both


@dataclass(frozen=True)
class Attribution:
    """The difference between the stock runs, and what it is made of."""

    training: Training
    seeds: list[int]
    curves: dict[str, Estimate]  # of the stock runs, "PyTorch" and "TensorFlow", and of "matched" runs where there are
    gap: Estimate
    shares: list[Share]  # the largest first; none where nothing was taken apart
    unexplained: Estimate


def estimate(samples: np.ndarray) -> Estimate:
    """Student's interval from (seeds, figures); infinitely wide for one seed."""
    count = len(samples)
    if count == 1:
        return Estimate(samples[0], np.full(samples.shape[1], np.inf))
    from scipy import stats  # takes a second

    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    return Estimate(samples.mean(axis=0), quantile * samples.std(axis=0, ddof=1) / np.sqrt(count))


def attribute(
    configuration: Configuration, seeds: int, pythons: Mapping[str, Path], scheduler: str | None = None
) -> Attribution:
    """Make the runs of so many `seeds`, the configuration's being the first, and take the difference apart.

    Raises InputError.
    """
    chosen = list(range(configuration.training.seed, configuration.training.seed + seeds))
    wanted = [_jobs(configuration.but(seed=seed)) for seed in chosen]
    made = figures([job for jobs in wanted for job in jobs.values()], pythons, say("explaining"), scheduler)
    return _take_apart(
        configuration.training, chosen, [{name: made[job] for name, job in jobs.items()} for jobs in wanted]
    )


def stock_pair(configuration: Configuration, pythons: Mapping[str, Path]) -> Attribution:
    """The two stock runs of one seed, as they are. Raises InputError."""
    wanted = _jobs(configuration)
    stock = [wanted["stock PyTorch"], wanted["stock Keras"]]
    made = figures(stock, pythons, say("training"))
    pytorch, keras = (_vector(made[job])[None] for job in stock)
    gap, training = estimate(keras - pytorch), configuration.training
    curves = {"PyTorch": estimate(pytorch), "TensorFlow": estimate(keras)}
    return Attribution(training, [training.seed], curves, gap, [], gap)


def _jobs(configuration: Configuration) -> dict[str, Job]:
    """What is run for one seed, by name."""

    def matched(*defaults: KerasDefault, engine: str = "fast") -> Configuration:
        return configuration.but(mode="matched", engine=engine, keras_defaults=defaults)

    def stock(*defaults: KerasDefault) -> Configuration:
        return configuration.but(mode="stock", engine="auto", keras_defaults=defaults)

    of_keras = {
        "stock Keras": stock(*KERAS_DEFAULTS),
        "matched": matched(),
        "step by step": matched(engine="eager"),
        **{f"matched with {default}": matched(default) for default in KERAS_DEFAULTS},
        **{
            f"stock without {default}": stock(*(other for other in KERAS_DEFAULTS if other != default))
            for default in KERAS_DEFAULTS
        },
    }
    return {"stock PyTorch": ("PyTorch", stock(*KERAS_DEFAULTS))} | {
        name: ("TensorFlow", told) for name, told in of_keras.items()
    }


def _vector(run: Figures) -> np.ndarray:
    return np.array([*run.losses, run.accuracy])


def _take_apart(training: Training, seeds: list[int], made: list[dict[str, Figures]]) -> Attribution:
    """`made` holds the figures of each seed's runs by name."""

    def over_seeds(name: str) -> np.ndarray:
        return np.array([_vector(runs[name]) for runs in made])

    stock, matched = over_seeds("stock Keras"), over_seeds("matched")
    gap = stock - over_seeds("stock PyTorch")
    shares, explained = [], np.zeros_like(gap)
    for factor in FACTORS:
        if factor.default:
            added = over_seeds(f"matched with {factor.default}") - matched
            removed = stock - over_seeds(f"stock without {factor.default}")
            share = (added + removed) / 2
            shares.append(Share(factor, estimate(added), estimate(removed), estimate(share)))
        else:
            share = _averaging(made) if factor.row == "epoch_loss" else matched - over_seeds("step by step")
            shares.append(Share(factor, estimate(share), None, estimate(share)))
        explained += share
    shares.sort(key=lambda share: -abs(share.share.mean[0]))
    curves = {"PyTorch": over_seeds("stock PyTorch"), "TensorFlow": stock, "matched": matched}
    return Attribution(
        training,
        seeds,
        {name: estimate(samples) for name, samples in curves.items()},
        estimate(gap),
        shares,
        estimate(gap - explained),
    )


def _averaging(made: list[dict[str, Figures]]) -> np.ndarray:
    """The mean of examples minus the mean of batches, of the same losses. The accuracy's figure is 0."""
    rows = []
    for runs in made:
        matched = runs["matched"]
        assert matched.losses_per_example is not None
        rows.append([*np.subtract(matched.losses_per_example, matched.losses), 0.0])
    return np.array(rows)
