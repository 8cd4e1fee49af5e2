"""Where two runs part, and why, as far as their records can tell."""

from dataclasses import dataclass

import numpy as np

from shared.comparing.checks import LIMIT, largest
from shared.comparing.checks import ladder as climb
from shared.running import batches
from shared.running.record import Run

# Neighbouring pixel values lie 2/255 = 0.008 apart in the input: a fit this close leaves no room for other pixels.
SAME_PIXELS = 1e-3
SHOWN = 5


@dataclass(frozen=True)
class Crossing:
    """An input of a ReLU that lies on either side of zero in two runs: one passes its gradient, the other does not."""

    layer: str
    unit: int
    example: int  # index into the training images in the canonical order
    values: tuple[float, float]


@dataclass(frozen=True)
class FirstDivergence:
    """The first step at which two runs part, counted from 0, and the likely cause."""

    step: int
    cause: str
    crossings: list[Crossing]


def start_differs(a: Run, b: Run, floor: dict[str, float]) -> FirstDivergence | None:
    """The first quantity of the first step that differs by more than rounding explains, and what that points to."""
    first, second = a.record.framework, b.record.framework
    checks = climb(a, b)

    def worst_beyond(check: str) -> str | None:
        """The tensor that is furthest beyond the noise, if any is."""
        worst = largest(checks[check]) if check in checks else None
        return worst.tensor if worst and not worst.absolute <= LIMIT * floor[check] else None

    weights = a.at(0, "weights"), b.at(0, "weights")
    cause = None
    if unequal := [name for name in weights[0] if not np.array_equal(weights[0][name], weights[1][name])]:
        cause = f"{first} and {second} start from different weights: {unequal[0]} differs"
    elif worst_beyond("input"):
        cause = _input_cause(first, second, a.at(0)["input"], b.at(0)["input"])
    elif worst_beyond("logits"):
        cause = f"the forward passes of {first} and {second} differ: other logits from the same weights and input"
    elif worst_beyond("loss"):
        ratio = _ratio(a.at(0)["loss"], b.at(0)["loss"])
        cause = f"{second}'s loss is {ratio:.6g} times {first}'s, from the same logits"
    elif name := worst_beyond("gradients"):
        ratio = _ratio(a.at(0, "gradient")[name], b.at(0, "gradient")[name])
        cause = f"{second}'s gradient of {name} is {ratio:.6g} times {first}'s, from the same loss"
    elif name := worst_beyond("weights after 1 step"):
        ratio = _ratio(*(run.at(1, "weights")[name] - run.at(0, "weights")[name] for run in (a, b)))
        cause = (
            f"{second}'s first update of {name} is {ratio:.6g} times {first}'s, from the same gradients: another rate"
        )
    return FirstDivergence(0, cause, []) if cause else None


def _ratio(a: np.ndarray, b: np.ndarray) -> float:
    """The factor that brings `a` closest to `b`."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / (a @ a)) if a.any() else float("inf")


def _input_cause(first: str, second: str, a: np.ndarray, b: np.ndarray) -> str:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    slope, offset = np.polyfit(a, b, 1)
    if np.abs(slope * a + offset - b).max() < SAME_PIXELS:
        return f"{second}'s input is {slope:.6g} × {first}'s {offset:+.6g}: another normalisation"
    return f"{first} and {second} see other pixels: other data, or another order"


def crossings(a: Run, b: Run, step: int) -> list[Crossing]:
    """ReLU inputs on either side of zero at `step`, the ones furthest apart first; both records must hold them."""
    spec = a.record.spec
    epoch, within = divmod(step, spec.steps_per_epoch)
    batch = batches.split(batches.epoch_order(spec.seed, epoch), spec.batch_size)[within]
    found = []
    for layer in ("fc1", "fc2"):
        values_a, values_b = a.at(step)[layer], b.at(step)[layer]
        for row, unit in np.argwhere((values_a > 0) != (values_b > 0)):
            values = float(values_a[row, unit]), float(values_b[row, unit])
            found.append(Crossing(layer, int(unit), int(batch[row]), values))
    return sorted(found, key=lambda crossing: -abs(crossing.values[0] - crossing.values[1]))


def trace_crossings(a: Run, b: Run, until: int) -> FirstDivergence | None:
    """The first step before `until` at which a ReLU's input has crossed zero in one of two traced runs."""
    for step in range(until):
        if found := crossings(a, b, step):
            first = found[0]
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            cause = (
                f"the input of a ReLU lies on either side of zero: {first.layer}, unit {first.unit}, training image "
                f"{first.example}: {first.values[0]:+.2e} in {a.record.framework}, {first.values[1]:+.2e} in "
                f"{b.record.framework}{more}. One passes the gradient of that image on, the other stops it"
            )
            return FirstDivergence(step, cause, found[:SHOWN])
    return None
