"""Where two runs diverge first, and why, as far as their records can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.comparing.checks import GRADIENTS, INPUT, LIMIT, LOSS, ONE_STEP, Result
from shared.network import hidden_layers
from shared.running import batches
from shared.running.record import Run

# Neighbouring pixel values lie 2/255 = 0.008 apart in the input: a fit as close as this rules out other pixels.
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
    """The first step at which two runs diverge, counted from 0, and the likely cause."""

    step: int
    cause: str
    crossings: list[Crossing]


def start_differs(a: Run, b: Run, results: Sequence[Result]) -> FirstDivergence | None:
    """The first quantity of the first step that differs by more than rounding explains, and what that points to.

    `results` are the pair's. The first step is always judged by `LIMIT`, however early the two diverge. None where the
    first step agrees.
    """
    weights = a.at(0, "weights"), b.at(0, "weights")
    names = (a.record.framework, b.record.framework)
    for name in weights[0]:
        if not np.array_equal(weights[0][name], weights[1][name]):
            return FirstDivergence(0, f"{' and '.join(names)} start from different weights: {name} differs", [])
    of_first_step = [result for result in results if result.check.steps <= 1]
    for before, result in zip([None, *of_first_step], of_first_step, strict=False):
        if not result.difference.absolute <= LIMIT * result.floor:
            return FirstDivergence(0, _cause(a, b, result, before), [])
    return None


def _cause(a: Run, b: Run, result: Result, before: Result | None) -> str:
    """The likely cause where `result` is the first that differs, and the one `before` it agrees."""
    first, second = a.record.framework, b.record.framework
    tensor = result.difference.tensor
    values = [result.check.arrays(run).get(tensor, np.array(())) for run in (a, b)]
    if values[0].shape != values[1].shape or not values[0].size:
        return f"{first} and {second} do not hold the same tensors in {result.name}"
    if result.check is INPUT:
        return _input_cause(first, second, *values)
    if result.check is LOSS:
        return f"{second}'s loss is {_ratio(*values):.6g} times {first}'s, from the same logits"
    if result.check is GRADIENTS:
        return f"{second}'s gradient of {tensor} is {_ratio(*values):.6g} times {first}'s, from the same loss"
    if result.check is ONE_STEP:
        moved = (after - run.at(0, "weights")[tensor] for run, after in zip((a, b), values, strict=True))
        ratio = f"{_ratio(*moved):.6g} times {first}'s"
        return f"{second}'s first update of {tensor} is {ratio}, from the same gradients: another rate"
    assert before
    told = f"the forward passes of {first} and {second} differ: other {result.name} from the same weights and "
    where = "the activation between, or the layer"
    return told + ("input" if before.check is INPUT else f"the same {before.name}, so in {where}")


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
    """ReLU inputs on either side of zero at `step`, those furthest apart first. Both records must hold that step's."""
    training = a.record.training
    epoch, within = divmod(step, training.steps_per_epoch)
    batch = batches.split(batches.epoch_order(training.seed, epoch), training.batch_size)[within]
    found = []
    for layer in hidden_layers(training):
        values_a, values_b = a.at(step)[layer], b.at(step)[layer]
        for row, unit in np.argwhere((values_a > 0) != (values_b > 0)):
            values = float(values_a[row, unit]), float(values_b[row, unit])
            found.append(Crossing(layer, int(unit), int(batch[row]), values))
    return sorted(found, key=lambda crossing: -abs(crossing.values[0] - crossing.values[1]))


def trace_crossings(a: Run, b: Run, until: int) -> FirstDivergence | None:
    """The first step before `until` at which a ReLU's input has crossed zero in one of two traced runs; else None."""
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
