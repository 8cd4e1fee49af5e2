"""Where two runs diverge first, and why. A cause is said where it predicts the numbers that were seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.comparing.checks import first_divergence_step
from shared.comparing.deviations import OUTPUTS, WEIGHTS, Limits, deviation
from shared.comparing.segments import Segment, Segments
from shared.comparing.verification import FIRST_STEP, Verification, segments_of
from shared.network import hidden_layers
from shared.reference.replay import State
from shared.running.record import Run
from shared.system.language import say

# Neighbouring pixel values lie 2/255 = 0.008 apart in the input: a fit as close as this rules out other pixels.
SAME_PIXELS = 1e-3
SHOWN = 5
# By how much more two runs lie apart after a segment than before it, where a ReLU may have taken two sides in it.
# Rounding alone adds a few units in the last place, and the smallest crossings that were seen tens of them.
APART = 3.0


@dataclass(frozen=True)
class Crossing:
    """An input of a ReLU that lies on either side of zero in two runs: one passes its gradient, the other does not."""

    layer: str
    unit: int
    example: int  # index into the training images in the canonical order
    values: tuple[float, float]  # as the reference computes them from each run's checkpoint
    passes: tuple[bool, bool]  # which run passes the gradient on


@dataclass(frozen=True)
class FirstDivergence:
    """The first step at which two runs diverge, counted from 0, and the cause."""

    step: int
    cause: str
    crossings: list[Crossing]


def start_differs(reference: Run, run: Run, verification: Verification) -> FirstDivergence | None:
    """The first quantity of a run's first step that is not the reference's, and what that points to; else None."""
    name = run.record.framework
    for tensor, values in reference.at(0, "weights").items():
        if not np.array_equal(values, run.at(0, "weights")[tensor]):
            told = say(
                "{framework} starts from other weights than the reference: {tensor} differs",
                framework=name,
                tensor=tensor,
            )
            return FirstDivergence(0, told, [])
    before = ""
    for finding in verification.checks.get(FIRST_STEP, []):
        if not finding.passes:
            return FirstDivergence(0, _cause(reference, run, finding.where, before), [])
        before = finding.where
    if verification.segments and verification.segments[0].share > 1:
        return FirstDivergence(0, _update_cause(reference, run, verification.segments[0].worst), [])
    return None


def _cause(reference: Run, run: Run, tensor: str, before: str) -> str:
    """What the first tensor that differs points to, where the one `before` it agrees."""
    name = run.record.framework
    a, b = reference.arrays[f"at/0/{tensor}"], run.arrays[f"at/0/{tensor}"]
    if tensor == "input":
        return _input_cause(name, a, b)
    if tensor == "loss":
        return say(
            "{framework}'s loss is {ratio:.9g} times the reference's, from the same logits",
            framework=name,
            ratio=_ratio(a, b),
        )
    if tensor.startswith("gradient/"):
        of = tensor.partition("/")[2]
        if (ratio := _one_factor({tensor: (a, b)}, OUTPUTS)) is not None:
            return say(
                "{framework}'s gradient of {tensor} is {ratio:.9g} times the reference's, from the same loss",
                framework=name,
                tensor=of,
                ratio=ratio,
            )
        return say(
            "{framework}'s gradient of {tensor} is not the reference's, from the same loss; no one factor leads from "
            "one to the other",
            framework=name,
            tensor=of,
        )
    if before == "input":
        return say(
            "the forward pass of {framework} differs from the reference's: other {tensor} from the same weights and "
            "input",
            framework=name,
            tensor=tensor,
        )
    return say(
        "the forward pass of {framework} differs from the reference's: other {tensor} from the same weights and the "
        "same {before}, so in the activation between, or the layer",
        framework=name,
        tensor=tensor,
        before=before,
    )


def _update_cause(reference: Run, run: Run, worst: str) -> str:
    """What the first update points to, which lies furthest off in the tensor `worst`."""
    name, moved = run.record.framework, {}
    for tensor, before in reference.at(0, "weights").items():
        after = [r.at(1, "weights").get(tensor, r.weights[tensor]).astype(np.float64) for r in (reference, run)]
        moved[tensor] = after[0] - before, after[1] - before
    if (ratio := _one_factor(moved, WEIGHTS, reference.at(0, "weights"))) is not None:
        return say(
            "{framework}'s first update of all tensors is {ratio:.9g} times the reference's, from the same weights and "
            "the same gradients: another rate",
            framework=name,
            ratio=ratio,
        )
    alone = {tensor: pair for tensor, pair in moved.items() if tensor == worst}
    if alone and (ratio := _one_factor(alone, WEIGHTS, reference.at(0, "weights"))) is not None:
        return say(
            "{framework}'s first update of {tensor} is {ratio:.9g} times the reference's, from the same weights and "
            "the same gradients",
            framework=name,
            tensor=worst,
            ratio=ratio,
        )
    return say(
        "{framework}'s first update is not the reference's, from the same weights and the same gradients; no one "
        "factor leads from one to the other",
        framework=name,
    )


def _one_factor(
    pairs: dict[str, tuple[np.ndarray, np.ndarray]], limits: Limits, beside: dict[str, np.ndarray] | None = None
) -> float | None:
    """The factor by which each second tensor is the first, where it is; the tensors may be added to those `beside`."""
    ratio = _ratio(*(np.concatenate([pair[side].ravel() for pair in pairs.values()]) for side in (0, 1)))
    for tensor, (a, b) in pairs.items():
        base = (beside or {}).get(tensor, np.zeros_like(a))
        predicted, seen = base + ratio * a.astype(np.float64), base + b.astype(np.float64)
        if not deviation(seen.astype(base.dtype), predicted.astype(base.dtype), limits).share <= 1:
            return None
    return ratio


def _ratio(a: np.ndarray, b: np.ndarray) -> float:
    """The factor that brings `a` closest to `b`."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / (a @ a)) if a.any() else float("inf")


def _input_cause(name: str, a: np.ndarray, b: np.ndarray) -> str:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    slope, offset = np.polyfit(a, b, 1)
    if np.abs(slope * a + offset - b).max() < SAME_PIXELS:
        return say(
            "{framework}'s input is {slope:.6g} × the reference's {offset:+.4g}: another normalisation",
            framework=name,
            slope=float(slope),
            offset=float(offset),
        )
    return say("{framework} sees other pixels than the reference: other data, or another order", framework=name)


def between(runs: tuple[Run, Run], verified: tuple[Verification, Verification]) -> FirstDivergence | None:
    """Where and why two verified runs diverge; None where they do not.

    The reference takes each one's steps again from its own checkpoints, on the same side of each ReLU.
    """
    step = first_divergence_step(*runs)
    if step is None:
        return None
    if runs[0].record.training.activation != "relu":
        told = say("why was not found: this network has no ReLU, whose input could lie on either side of zero")
        return FirstDivergence(step, told, [])
    replays = [segments_of(run.record.framework, run.steps) for run in runs]
    if any([(s.first, s.until) for s in v.segments] != r.ends for v, r in zip(verified, replays, strict=True)):
        # Some are missing after those that fail, or are of a run that was made again.
        told = say("why was not looked for, because not all steps of both could be judged at once")
        return FirstDivergence(step, told, [])
    for segments in zip(*(found.segments for found in verified), strict=True):
        if segments[0].first > step:
            break
        # Where a ReLU took two sides, the weights come apart; where they do not, there is no need to look.
        apart = [_apart(*(replay.state(end) for replay in replays)) for end in (segments[0].first, segments[0].until)]
        if apart[1] > APART * max(1.0, apart[0]) and (found := _crossings(replays, segments)):
            at, crossings = found
            return FirstDivergence(at, _sentence(runs, crossings), crossings[:SHOWN])
    told = say("no ReLU's input had crossed zero before: the records do not show the cause")
    return FirstDivergence(step, told, [])


def _apart(a: State, b: State) -> float:
    """How far the weights lie apart, in units in the last place: the tensor furthest."""
    return max(
        float(np.abs(values - b.weights[name]).max() / np.spacing(np.abs(values).max()))
        for name, values in a.weights.items()
    )


def _crossings(replays: Sequence[Segments], segments: Sequence[Segment]) -> tuple[int, list[Crossing]] | None:
    """The first step of a segment with ReLU inputs on either side of zero, and these, those furthest apart first."""
    sides = [_sides(replay, segment) for replay, segment in zip(replays, segments, strict=True)]
    for step in range(segments[0].first, segments[0].until):
        found = []
        for layer in hidden_layers(replays[0].steps.training):
            (values_a, passes_a), (values_b, passes_b) = (seen[step, layer] for seen in sides)
            for row, unit in np.argwhere(passes_a != passes_b):
                values = float(values_a[row, unit]), float(values_b[row, unit])
                passes = bool(passes_a[row, unit]), bool(passes_b[row, unit])
                example = int(replays[0].replay.batch(step)[row])
                found.append(Crossing(layer, int(unit), example, values, passes))
        if found:
            return step, sorted(found, key=lambda crossing: -abs(crossing.values[0] - crossing.values[1]))
    return None


def _sides(replay: Segments, segment: Segment) -> dict[tuple[int, str], tuple[np.ndarray, np.ndarray]]:
    """By step and hidden layer: what enters its activation, and which of it passes the gradient on, (B, units) each."""
    seen = {}

    def told(step: int, layer: str, entering: np.ndarray, slopes: np.ndarray) -> None:
        seen[step, layer] = entering, slopes > 0

    replay.see(segment, told)
    return seen


def _sentence(runs: Sequence[Run], found: Sequence[Crossing]) -> str:
    first = found[0]
    names = [run.record.framework for run in runs]
    passing, stopping = names if first.passes[0] else names[::-1]
    where = say(
        "{layer}, unit {unit}, training image {example}", layer=first.layer, unit=first.unit, example=first.example
    )
    a, b = first.values
    return say(
        "the input of a ReLU lies so near to zero that rounding decides its side: {where}. {passing} passes the "
        "gradient of that image on, {stopping} stops it; the reference computes the input as {a:+.2e} from "
        "{first}'s and {b:+.2e} from {second}'s weights",
        where=say("{where} (and {more} more)", where=where, more=len(found) - 1) if len(found) > 1 else where,
        passing=passing,
        stopping=stopping,
        a=a,
        b=b,
        first=names[0],
        second=names[1],
    )
