"""The charts of a comparison. One more is a function here, and its entry in `CHARTS`."""

import dataclasses
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from shared.comparing import tutorial
from shared.comparing.comparison import Outcome
from shared.comparing.runs import Variant, rounding_variants
from shared.contract import REFERENCE
from shared.mnist import MNIST
from shared.reporting.parts import Chart, Curve
from shared.reporting.styles import style_of
from shared.system.language import join, say, sentences

# More points than this no screen can show, and a page that holds them is slow to open.
MOST_POINTS = 10_000
CROSS_ENTROPY = say("cross-entropy (nats)")
WINDOWS = 100  # of the running mean of the step losses, side by side along the axis


def steps(outcome: Outcome) -> Chart:
    """The training loss of every step."""
    shown, label = _shown(outcome.training.steps)
    losses = {run.record.framework: run.step_losses.astype(np.float64) for run in outcome.runs}
    says = sentences(ends(losses, ".4f"), _furthest(losses, say("step"), 0))
    curves = _curves({name: values[shown] for name, values in losses.items()})
    window = outcome.training.steps // WINDOWS
    if window > 1:
        curves = [
            dataclasses.replace(curve, mean=running_mean(values, window)[shown])
            for curve, values in zip(curves, losses.values(), strict=True)
        ]
        told = say(
            "The lines are running means over {steps:,} steps, each over its single steps, in pale.",
            steps=window + 1 - window % 2,
        )
        says = sentences(says, told)
    title = say("Training loss of each of the {steps:,} steps", steps=outcome.training.steps)
    return Chart("steps", title, label, CROSS_ENTROPY, shown, curves, says, compared=len(curves))


def losses(outcome: Outcome) -> Chart:
    """The training loss of every epoch, mean of batch means, and the tutorial's."""
    found = {run.record.framework: np.array([e.train_loss for e in run.record.epochs]) for run in outcome.runs}
    curves, says = _curves(found), sentences(ends(found, ".4f"), _furthest(found, say("epoch"), 1))
    if tutorial.comparable(outcome.training):
        printed = padded(tutorial.EPOCH_LOSSES, outcome.training.epochs)
        curves.append(Curve(say("the tutorial (another seed)"), "tutorial", printed))
        first, *_, last = tutorial.EPOCH_LOSSES
        told = say("The tutorial’s goes from {first} to {last} in 5 epochs.", first=first, last=last)
        says = sentences(says, told)
    title = say("Training loss, mean of batch means")
    return Chart("loss", title, say("epoch"), CROSS_ENTROPY, _epochs(outcome), curves, says, compared=len(found))


def accuracies(outcome: Outcome) -> Chart:
    """Test accuracy at the weights after each epoch, and the tutorial's only point."""
    found = {run.record.framework: np.array([e.test_accuracy for e in run.record.epochs]) for run in outcome.runs}
    curves, says = _curves(found), ends(found, ".2%")
    after = len(tutorial.EPOCH_LOSSES)
    if tutorial.comparable(outcome.training) and outcome.training.epochs >= after:
        point = padded([np.nan] * (after - 1) + [tutorial.ACCURACY], outcome.training.epochs)
        curves.append(Curve(say("the tutorial, after epoch {epoch}", epoch=after), "tutorial", point))
        told = say("The tutorial’s is {accuracy:.2%} after epoch {epoch}.", accuracy=tutorial.ACCURACY, epoch=after)
        says = sentences(says, told)
    title, x = say("Accuracy on {test_images}", test_images=MNIST.test_images), _epochs(outcome)
    labels = say("epoch"), say("test accuracy")
    return Chart("accuracy", title, *labels, x, curves, says, "percent", compared=len(found))


def divergence(outcome: Outcome) -> Chart:
    """How far apart the step losses lie, step by step: the noise floor, the frameworks, and these in float64."""
    dtype = outcome.training.dtype
    shown, label = _shown(outcome.training.steps)
    curves, grown = [], []

    def add(a: Variant, b: Variant, name: str, style: str) -> None:
        if a in outcome.made and b in outcome.made:
            gap = spread([outcome.made[variant].step_losses.astype(np.float64) for variant in (a, b)])
            so_far = np.maximum.accumulate(gap)
            curves.append(Curve(name, style, so_far[shown]))
            grown.append(say("{curve}: {gap:.1e}", curve=name, gap=float(so_far[-1])))

    for number, variant in enumerate(rounding_variants(REFERENCE, dtype), start=1):
        rounding = say("rounding alone: the reference implementation, {changed}", changed=_changed(variant))
        add(Variant(REFERENCE, dtype), variant, rounding, f"floor-{number}")
    names = [run.record.framework for run in outcome.runs]
    for precision in dict.fromkeys((dtype, "float64")):
        for a, b in combinations(names, 2):
            name = say("{a} against {b}, {dtype}", a=a, b=b, dtype=precision)
            add(Variant(a, precision), Variant(b, precision), name, precision)
    first = outcome.first_divergence
    says: str = say("Over the whole run: {grown}.", grown=join(say("; "), grown))
    if first:
        says = sentences(
            says, say("{names} diverge at step {step:,}.", names=join(say(" and "), names), step=first.step)
        )
    return Chart(
        name="divergence",
        title=say("Largest difference of the step losses so far"),
        x_label=label,
        y_label=say("difference (nats)"),
        x=shown,
        curves=curves,
        says=says,
        scale="logarithmic",
        stairs=True,
        mark=(first.step, say("they diverge, step {step}", step=first.step)) if first else None,
    )


def _changed(variant: Variant) -> str:
    """What is changed in a run of the reference, for its rounding."""
    if variant.perturbed:
        return say("perturbed by 1 ulp")
    return say("reordered sums") if variant.reordered else say("in {dtype}", dtype=variant.dtype)


def verified(outcome: Outcome) -> Chart | None:
    """How far each segment lies from what it must be; None where nothing was verified."""
    found = outcome.verdict.verified
    if not found:
        return None
    ends = {name: [segment.until - 1 for segment in run.segments] for name, run in found.items()}
    x = np.array(sorted({end for each in ends.values() for end in each}))
    curves, says = [], []
    for name, run in found.items():
        shares = np.full(len(x), np.nan)
        found_shares = np.array([segment.share for segment in run.segments])
        shares[np.searchsorted(x, ends[name])] = np.where(np.isfinite(found_shares), found_shares, np.nan)
        curves.append(Curve(name, style_of(name), shares, joined=False))
        told = say(
            "{name}’s {segments} segments lie at most {share:.0%} of what is allowed off",
            name=name,
            segments=len(run.segments),
            share=float(found_shares.max()),
        )
        says.append(told)
    each = join(say(", and "), says)
    return Chart(
        name="verification",
        title=say("How far each segment lies from what its weights demand"),
        x_label=say("step, the last of its segment"),
        y_label=say("share of what rounding may do"),
        x=x,
        curves=curves,
        says=say("{each}. More than 100% is no match.", each=each),
        scale="percent" if all(np.nanmax(curve.values) <= 1 for curve in curves) else "logarithmic",
    )


# Those of each section of the report, in the order of reading.
CHARTS: dict[str, tuple[Callable[[Outcome], Chart | None], ...]] = {
    "loss": (steps, losses),
    "accuracy": (accuracies,),
    "verification": (verified,),
    "divergence": (divergence,),
}


def of(section: str, outcome: Outcome) -> list[Chart]:
    """The charts of a section."""
    return [drawn for chart in CHARTS[section] if (drawn := chart(outcome))]


def spread(values: Sequence[np.ndarray | np.floating]) -> np.ndarray:
    """How far the furthest two of these, () or (N,), lie apart at each point; NaN where one is no number."""
    with np.errstate(invalid="ignore"):  # of infinity and infinity
        return np.asarray(np.max(values, axis=0) - np.min(values, axis=0))


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the `window` values around each of `values` (N,), one more where it is even; of fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place, half = np.arange(len(values)), window // 2
    first, until = np.maximum(place - half, 0), np.minimum(place + half + 1, len(values))
    return np.asarray((sums[until] - sums[first]) / (until - first))


def ends(curves: dict[str, np.ndarray], form: str) -> str:
    """Where each framework's curve begins and ends, in words."""
    if all(len(values) == 1 for values in curves.values()):
        only = {name: f"{values[0]:{form}}" for name, values in curves.items()}
        told = join(say("; "), [say("{name}: {value}", name=name, value=value) for name, value in only.items()])
        return say("{told}.", told=told)
    first, *others = ((name, f"{v[0]:{form}}", f"{v[-1]:{form}}") for name, v in curves.items())
    goes = say("{name} goes from {first} to {last}", name=first[0], first=first[1], last=first[2])
    so_do = [say("{name} from {first} to {last}", name=name, first=start, last=end) for name, start, end in others]
    return say("{told}.", told=join(say(", "), [goes, *so_do]))


def padded(values: tuple[float, ...] | list[float], length: int) -> np.ndarray:
    """The first `length` of `values`, and NaN after the last."""
    padded = np.full(length, np.nan)
    padded[: len(values)] = values[:length]
    return padded


def _shown(count: int) -> tuple[np.ndarray, str]:
    """Which of `count` steps are shown, the last always; and the label of their axis, which says so if not all are."""
    every = -(-count // MOST_POINTS)
    shown = np.union1d(np.arange(0, count, every), count - 1)
    some = say("step (one in {every} of {count:,} is drawn)", every=every, count=count)
    return shown, say("step") if every == 1 else some


def _curves(found: dict[str, np.ndarray]) -> list[Curve]:
    return [Curve(name, style_of(name), values) for name, values in found.items()]


def _furthest(found: dict[str, np.ndarray], what: str, first: int) -> str:
    """Where the curves lie furthest apart, in words; `first` is the number of the first point."""
    gap = spread(list(found.values()))
    wrong = np.flatnonzero(~np.isfinite(gap))
    if len(wrong):
        return say("From {what} {number} on they are not all numbers.", what=what, number=int(wrong[0]) + first)
    return say(
        "They are furthest apart at {what} {number:,}: by {gap:.1e}.",
        what=what,
        number=int(gap.argmax()) + first,
        gap=float(gap.max()),
    )


def _epochs(outcome: Outcome) -> np.ndarray:
    return np.arange(1, outcome.training.epochs + 1)
