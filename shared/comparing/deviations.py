"""How far recorded numbers lie from those that the reference computes, and whether rounding explains it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shared.system.language import say


class Limits(NamedTuple):
    """How far values may lie off, in units in the last place of the largest of them.

    `most` and `rms`, the root of the mean square, hold without further measurement. Where rounding was measured, the
    furthest may also lie `times` as far off as its furthest value, and the mean square `times_rms` its. The furthest is
    one of many, and varies; the mean square hardly does.
    """

    most: float
    rms: float
    times: float = 5.0
    times_rms: float = 4.0


LOSSES, WEIGHTS, BUFFERS = Limits(6.0, 3.0), Limits(6.0, 1.0), Limits(32.0, 8.0)
# A rule that divides by the root of squares makes much of a tiny gradient, and of its rounding.
ADAPTIVE = {"times": 20.0, "times_rms": 8.0}
OUTPUTS = Limits(12.0, 2.0)  # what a step or a prediction computes on its way
INPUTS = Limits(0.5, 0.5)  # none is off
FEWEST_VALUES = 8  # of which a mean square is judged


@dataclass(frozen=True)
class Deviation:
    """How far recorded values lie from those that the reference computes, in units in the last place."""

    largest: float
    rms: float  # the root of the mean square, where values further off than is allowed count as just so far
    floor: float  # how far rounding alone carries the furthest; 0 where it was not measured
    share: float  # of what is allowed: above 1 it is no rounding

    @property
    def size(self) -> str:
        """How far, in words."""
        if not self.floor:
            return say(
                "up to {largest:.3g} units in the last place off ({share:.2g} times what is allowed)",
                largest=self.largest,
                share=self.share,
            )
        return say(
            "up to {largest:.3g} units in the last place off, where rounding alone carries it {floor:.3g} "
            "({share:.2g} times what is allowed)",
            largest=self.largest,
            floor=self.floor,
            share=self.share,
        )


def deviation(
    recorded: np.ndarray, computed: np.ndarray, limits: Limits, rounded: Sequence[np.ndarray] = ()
) -> Deviation:
    """How far `recorded` lies from `computed`, where `rounded` are the same but for rounding.

    Infinite where a value on either side is not finite, or the shapes differ.
    """
    if recorded.shape != computed.shape or not (np.isfinite(recorded).all() and np.isfinite(computed).all()):
        return Deviation(np.inf, np.inf, 0.0, np.inf)
    unit = float(np.spacing(max(np.abs(recorded).max(), np.abs(computed).max())))

    def off(other: np.ndarray) -> np.ndarray:
        far: np.ndarray = np.abs(other.astype(np.float64) - computed) / unit
        return far

    def rms(far: np.ndarray) -> float:
        return float(np.sqrt(np.mean(np.minimum(far, limits.most) ** 2)))

    far, floors = off(recorded), [off(other) for other in rounded if np.isfinite(other).all()]
    furthest = max([0.0, *(float(floor.max()) for floor in floors)])
    allowed = max(limits.most, limits.times * furthest)
    allowed_rms = max([limits.rms, *(limits.times_rms * rms(floor) for floor in floors)])
    share = max(float(far.max()) / allowed, rms(far) / allowed_rms if far.size >= FEWEST_VALUES else 0.0)
    return Deviation(float(far.max()), rms(far), furthest, share)
