"""What the pictures of a comparison show, as plain data.

`plots` draws it into files, the page's script for looking closer.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.comparing import tutorial
from shared.comparing.comparison import Outcome
from shared.comparing.runs import Variant, rounding_variants
from shared.contract import FRAMEWORKS, REFERENCE

# Okabe and Ito's palette, which colour-blind readers can tell apart; shape and dash tell them apart as well.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
SKY, AMBER, MINT, SILVER = "#56B4E9", "#E69F00", "#2BC79B", "#B4B4B4"  # their counterparts on a dark ground
# More points than this no screen can show, and a page that holds them is slow to open.
MOST_POINTS = 10_000
BAND = 0.2  # how opaque a curve's band is
FEW_POINTS = 60  # up to here a curve shows each of its points


@dataclass(frozen=True)
class Style:
    """How a curve looks. Sizes are in points."""

    light: str  # colours, on a light ground and on a dark one
    dark: str
    width: float
    dash: tuple[float, ...] = ()
    marker: Literal["", "ring", "dot", "cross"] = ""
    thin: float | None = None  # the width where points are many, and go up and down at each

    @property
    def colour(self) -> str:
        """For a style sheet."""
        return f"light-dark({self.light}, {self.dark})"


# A wide hollow marker under a small filled one: curves that coincide both stay visible.
STYLES = {
    "pytorch": Style(ORANGE, AMBER, 3.5, thin=2, marker="ring"),
    "tensorflow": Style(BLUE, SKY, 1.2, thin=0.7, marker="dot"),
    "matched": Style(GREY, SILVER, 1.2, (5, 2)),
    "tutorial": Style(GREY, SILVER, 1, (4, 3), "cross"),
    "level": Style(GREY, SILVER, 1, (4, 3)),  # one value for all of x
    "float32": Style(BLUE, SKY, 2),
    "float64": Style(GREEN, MINT, 2),
    "floor-1": Style(GREY, SILVER, 1, (1, 2)),
    "floor-2": Style(GREY, SILVER, 1, (5, 3)),
    "floor-3": Style(GREY, SILVER, 1, (6, 2, 1, 2)),
    "mark": Style(ORANGE, AMBER, 1.2),
}


@dataclass(frozen=True)
class Curve:
    """`values` (N,) over the picture's `x`; NaN where there is none."""

    label: str
    style: str  # of STYLES
    values: np.ndarray
    band: tuple[np.ndarray, np.ndarray] | None = None  # from where to where, (N,) each
    joined: bool = True  # by a line; else points, however many


@dataclass(frozen=True)
class Drawn:
    """A picture as files, of a kind that the page's script does not draw."""

    name: str
    title: str
    words: str  # for who can't see it
    png: bytes
    svg: str


@dataclass(frozen=True)
class Picture:
    """One pair of axes, and what it shows in words."""

    name: str  # of its files
    title: str
    x_label: str
    y_label: str
    x: np.ndarray  # (N,) whole numbers, rising
    curves: list[Curve]
    words: str  # for who can't see it
    scale: Literal["linear", "logarithmic", "percent"] = "linear"
    stairs: bool = False  # a value holds until the next
    mark: tuple[int, str] | None = None  # where on x, and what is there


def pictures(outcome: Outcome) -> list[Picture]:
    """Every picture of a comparison, in the order of reading."""
    return [_honest(picture(outcome)) for picture in (steps, losses, accuracies, divergence)]


def _honest(picture: Picture) -> Picture:
    """The picture, with words about the curves of which nothing can be drawn: NaN, or zero on a logarithmic axis."""
    floor = 0.0 if picture.scale == "logarithmic" else -np.inf
    undrawn = [c.label for c in picture.curves if not np.any(np.isfinite(c.values) & (c.values > floor))]
    why = "nowhere above zero" if picture.scale == "logarithmic" else "nowhere a number"
    more = f" Not drawn, being {why}: {'; '.join(undrawn)}." if undrawn else ""
    return dataclasses.replace(picture, words=picture.words + more)


def _shown(count: int) -> tuple[np.ndarray, str]:
    """Which of `count` steps are shown, the last always; and the label of their axis, which says so if not all are."""
    every = -(-count // MOST_POINTS)
    shown = np.union1d(np.arange(0, count, every), count - 1)
    return shown, "step" if every == 1 else f"step (one in {every} of {count:,} is drawn)"


def _framework_curves(outcome: Outcome, values: Sequence[np.ndarray]) -> list[Curve]:
    names = [run.record.framework for run in outcome.runs]
    return [Curve(name, name.lower(), v) for name, v in zip(names, values, strict=True)]


def ends(values: Sequence[np.ndarray], form: str) -> str:
    """Where both frameworks' curves begin and end, in words."""
    first, second = (
        f"{name} goes from {v[0]:{form}} to {v[-1]:{form}}" for name, v in zip(FRAMEWORKS, values, strict=True)
    )
    return f"{first}, {second.replace('goes ', '')}."


def _furthest(gap: np.ndarray, what: str, first: int) -> str:
    """Where two curves lie furthest apart, in words; `first` is the number of the first point."""
    wrong = np.flatnonzero(~np.isfinite(gap))
    if len(wrong):
        return f"From {what} {wrong[0] + first} on they are not both numbers."
    return f"They are furthest apart at {what} {int(gap.argmax()) + first:,}: by {gap.max():.1e}."


def steps(outcome: Outcome) -> Picture:
    """The training loss of every step."""
    shown, label = _shown(outcome.training.steps)
    a, b = (run.step_losses.astype(np.float64) for run in outcome.runs)
    return Picture(
        name="steps",
        title=f"Training loss of each of the {outcome.training.steps:,} steps",
        x_label=label,
        y_label="cross-entropy (nats)",
        x=shown,
        curves=_framework_curves(outcome, (a[shown], b[shown])),
        words=f"{ends((a, b), '.4f')} {_furthest(np.abs(a - b), 'step', 0)}",
    )


def losses(outcome: Outcome) -> Picture:
    """The training loss of every epoch, mean of batch means, and the tutorial's."""
    values = [np.array([epoch.train_loss for epoch in run.record.epochs]) for run in outcome.runs]
    curves = _framework_curves(outcome, values)
    words = f"{ends(values, '.4f')} {_furthest(np.abs(values[0] - values[1]), 'epoch', 1)}"
    if tutorial.comparable(outcome.training):
        printed = padded(tutorial.EPOCH_LOSSES, outcome.training.epochs)
        curves.append(Curve("the tutorial (another seed)", "tutorial", printed))
        words += f" The tutorial’s goes from {tutorial.EPOCH_LOSSES[0]} to {tutorial.EPOCH_LOSSES[-1]} in 5 epochs."
    return Picture(
        name="loss",
        title="Training loss, mean of batch means",
        x_label="epoch",
        y_label="cross-entropy (nats)",
        x=_epochs(outcome),
        curves=curves,
        words=words,
    )


def accuracies(outcome: Outcome) -> Picture:
    """Test accuracy at the weights after each epoch, and the tutorial's only point."""
    values = [np.array([epoch.test_accuracy for epoch in run.record.epochs]) for run in outcome.runs]
    curves = _framework_curves(outcome, values)
    words = ends(values, ".2%")
    after = len(tutorial.EPOCH_LOSSES)
    if tutorial.comparable(outcome.training) and outcome.training.epochs >= after:
        point = padded([np.nan] * (after - 1) + [tutorial.ACCURACY], outcome.training.epochs)
        curves.append(Curve(f"the tutorial, after epoch {after}", "tutorial", point))
        words += f" The tutorial’s is {tutorial.ACCURACY:.2%} after epoch {after}."
    return Picture(
        name="accuracy",
        title="Accuracy on the 10,000 test images",
        x_label="epoch",
        y_label="test accuracy",
        x=_epochs(outcome),
        curves=curves,
        words=words,
        scale="percent",
    )


def divergence(outcome: Outcome) -> Picture:
    """How far apart the step losses lie, step by step: the frameworks, the noise floor, and the pair in float64."""
    dtype = outcome.training.dtype
    shown, label = _shown(outcome.training.steps)
    curves, grown = [], []

    def add(a: Variant, b: Variant, name: str, style: str) -> None:
        if a in outcome.made and b in outcome.made:
            gap = np.abs(outcome.made[a].step_losses - outcome.made[b].step_losses.astype(np.float64))
            so_far = np.maximum.accumulate(gap)
            curves.append(Curve(name, style, so_far[shown]))
            grown.append(f"{name}: {so_far[-1]:.1e}")

    for number, variant in enumerate(rounding_variants(REFERENCE, dtype), start=1):
        against = variant.name.removeprefix(f"{REFERENCE} ")
        add(Variant(REFERENCE, dtype), variant, f"rounding alone: the reference against {against}", f"floor-{number}")
    for precision in dict.fromkeys((dtype, "float64")):
        first, second = (Variant(framework, precision) for framework in FRAMEWORKS)
        add(first, second, f"PyTorch against TensorFlow, {precision}", precision)
    part = outcome.first_divergence
    return Picture(
        name="divergence",
        title="Largest difference of the step losses so far",
        x_label=label,
        y_label="difference (nats)",
        x=shown,
        curves=curves,
        words=f"Over the whole run: {'; '.join(grown)}."
        + (f" PyTorch and TensorFlow diverge at step {part.step:,}." if part else ""),
        scale="logarithmic",
        stairs=True,
        mark=(part.step, f"they diverge, step {part.step}") if part else None,
    )


def _epochs(outcome: Outcome) -> np.ndarray:
    return np.arange(1, outcome.training.epochs + 1)


def padded(values: tuple[float, ...] | list[float], length: int) -> np.ndarray:
    """The first `length` of `values`, and NaN after the last."""
    padded = np.full(length, np.nan)
    padded[: len(values)] = values[:length]
    return padded
