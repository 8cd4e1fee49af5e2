"""Equivalence: is the mean difference of paired figures shown to be smaller than a margin?

That no difference was found does not prove that there is none. So the question is turned around: two one-sided tests
(TOST; Schuirmann, 1987) ask whether the mean difference lies within the margin. They are made twice, for few pairs
don't show whether they are normal: by Student's t, exact where the differences are normal, and by flipping signs
(Fisher, 1935), exact where they lie symmetrically around their mean. Both must agree; so the error rate holds in
either case.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

ALPHA = 0.05
SHARE = 0.1  # of how much a run varies with its seed: a difference that nobody notices who changes the seed
# Up to so many pairs every combination of signs is counted; of more, so many random ones.
MOST_COUNTED = 20
DRAWN = 100_000
# Differences of figures near 1 that lie no further apart than this differ by their own rounding alone.
ROUNDING = 4 * np.finfo(np.float64).eps


class Spread(NamedTuple):
    """A standard deviation over seeds, and its confidence interval at 1 - ALPHA, exact for normal figures."""

    value: float
    low: float
    high: float


def spread(samples: np.ndarray) -> Spread:
    """Of the figures of runs from two or more seeds, (seeds,)."""
    from scipy import stats  # takes a second

    freedom = len(samples) - 1
    value = float(samples.std(ddof=1))
    # The larger quantile of chi-square makes the lower end.
    high, low = (value * math.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (ALPHA / 2, 1 - ALPHA / 2))
    return Spread(value, low, high)


@dataclass(frozen=True)
class Margin:
    """A margin, and where it is from: measured or named beforehand, or estimated from the runs that it judges."""

    value: float
    origin: Literal["measured", "named", "estimated"]

    @classmethod
    def estimated(cls, samples: np.ndarray) -> "Margin":
        """From the figures of the very runs that are judged, (seeds,).

        It must not be larger than a share of the true spread; so it is that share of the interval's lower end.
        """
        return cls(SHARE * spread(samples).low, "estimated")

    @property
    def alpha(self) -> float:
        """The error rate that is left for the tests: an estimated margin is itself too large in ALPHA / 2 of cases."""
        return ALPHA / 2 if self.origin == "estimated" else ALPHA


@dataclass(frozen=True)
class Equivalence:
    """A figure of a pair of frameworks, the second's minus the first's, against its margin."""

    figure: str
    differences: np.ndarray  # (seeds,)
    margin: Margin

    @property
    def mean(self) -> float:
        return float(self.differences.mean())

    @property
    def varies(self) -> bool:
        """Whether the differences are not all the same. Where they are, Student's t can tell nothing."""
        return bool(np.ptp(self.differences) > ROUNDING)

    @property
    def bound(self) -> float | None:
        """The one-sided bound of the mean difference's size, at 1 - alpha, by Student's t."""
        if not self.varies:
            return None
        from scipy import stats

        error = self.differences.std(ddof=1) / np.sqrt(len(self.differences))
        return float(abs(self.mean) + stats.t.ppf(1 - self.margin.alpha, len(self.differences) - 1) * error)

    @property
    def t_p_value(self) -> float | None:
        """The larger p-value of the two one-sided tests, by Student's t."""
        if not self.varies:
            return None
        from scipy import stats

        above = stats.ttest_1samp(self.differences, -self.margin.value, alternative="greater").pvalue
        below = stats.ttest_1samp(self.differences, self.margin.value, alternative="less").pvalue
        return float(max(above, below))

    @property
    def flip_p_value(self) -> float:
        """The larger p-value of the two one-sided tests, by flipping signs."""
        margin = self.margin.value
        return max(sign_flip(margin + self.differences), sign_flip(margin - self.differences))

    @property
    def holds(self) -> bool:
        by_t = self.t_p_value
        return self.flip_p_value < self.margin.alpha and (by_t is None or by_t < self.margin.alpha)


def fewest_pairs(alpha: float) -> int:
    """How many pairs it takes until flipping signs can make a p-value below alpha."""
    return math.floor(-math.log2(alpha)) + 1


def smallest_flip_p_value(pairs: int) -> float:
    """What so many pairs can show at most."""
    return 0.5**pairs if pairs <= MOST_COUNTED else 1 / (1 + DRAWN)


def sign_flip(values: np.ndarray) -> float:
    """The p-value of `values` (N,) having a mean of 0 or less: the share of flipped signs that make as large a sum.

    To flip none is one of the ways. So the p-value is never below `smallest_flip_p_value`.
    """
    as_large = values.sum() - 1e-12 * np.abs(values).sum()  # sums differ in their rounding
    if len(values) <= MOST_COUNTED:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums + value, sums - value])
        return float((sums >= as_large).mean())
    random, sums = np.random.default_rng(0), np.zeros(DRAWN)
    for value in values:
        sums += random.choice([-value, value], DRAWN)
    return float((1 + (sums >= as_large).sum()) / (1 + DRAWN))
