"""Pictures of two runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from shared import tutorial
from shared.comparison import Outcome
from shared.experiment import FRAMEWORKS, REFEREE, Variant, rounding_variants
from shared.own_pair import Losses, Tensors
from shared.record import Run
from shared.spec import Spec

# Okabe and Ito's palette, which colour-blind readers can tell apart; shape and dash tell them apart as well.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
# A wide hollow marker under a small filled one: curves that coincide both stay visible.
STYLES: dict[str, dict[str, Any]] = {
    "PyTorch": {"color": ORANGE, "marker": "o", "markersize": 11, "markerfacecolor": "none", "linewidth": 3.5},
    "TensorFlow": {"color": BLUE, "marker": "o", "markersize": 4, "linewidth": 1.2},
}
FEW_POINTS = 60  # up to here a curve shows each of its points
LONGEST_NAME = 50
SMALLEST_SHOWN = 1e-300  # far below this a logarithmic axis can't reach
MOST_TENSORS = 40  # that a picture has room for
TUTORIAL: dict[str, Any] = {"color": GREY, "marker": "x", "linestyle": "--", "linewidth": 1}


def figure(title: str, ylabel: str, xlabel: str = "epoch") -> Axes:
    """Axes of the house's look, on a figure of their own."""
    _, axes = plt.subplots(figsize=(8, 4.8), layout="constrained")
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def save(axes: Axes, path: Path) -> None:
    """Write the figure of these axes, with a legend, and let go of it."""
    axes.legend(frameon=False)
    plt.savefig(path, dpi=150)
    plt.close()


def comparable_to_tutorial(spec: Spec) -> bool:
    """Whether the tutorial's figures may stand beside this run: its seed and epochs aside, the same training."""
    free = ("seed", "epochs", "dtype", "device", "engine", "threads")
    return spec.model_copy(update={name: getattr(Spec(), name) for name in free}) == Spec()


def loss(runs: Mapping[str, Run], path: Path) -> None:
    """Training loss by epoch, mean of batch means, both frameworks and the tutorial."""
    axes = figure("Training loss, mean of batch means", "cross-entropy (nats)")
    for name, run in runs.items():
        epochs = range(1, len(run.record.epochs) + 1)
        axes.plot(epochs, [e.train_loss for e in run.record.epochs], label=name, **STYLES[name])
    if comparable_to_tutorial(next(iter(runs.values())).record.spec):
        losses = tutorial.EPOCH_LOSSES[: len(epochs)]
        axes.plot(range(1, len(losses) + 1), losses, label="the tutorial (another seed)", **TUTORIAL)
    save(axes, path)


def accuracy(runs: Mapping[str, Run], path: Path) -> None:
    """Test accuracy at the weights after each epoch, both frameworks, and the tutorial's only point."""
    axes = figure("Accuracy on the 10,000 test images", "test accuracy")
    for name, run in runs.items():
        epochs = range(1, len(run.record.epochs) + 1)
        axes.plot(epochs, [e.test_accuracy for e in run.record.epochs], label=name, **STYLES[name])
    if comparable_to_tutorial(next(iter(runs.values())).record.spec):
        style = TUTORIAL | {"linestyle": "none", "markersize": 10, "markeredgewidth": 2}
        axes.plot([5], [tutorial.ACCURACY], label=f"the tutorial, after epoch 5: {tutorial.ACCURACY:.2%}", **style)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    save(axes, path)


def divergence(outcome: Outcome, path: Path) -> None:
    """How far apart the step losses lie, step by step: the frameworks, the noise floor, and the pair in float64."""
    dtype = outcome.spec.dtype
    axes = figure("Largest difference of the step losses so far", "difference (nats)", "step")

    def draw(a: Variant, b: Variant, label: str, **style: Any) -> None:
        if a in outcome.made and b in outcome.made:
            gap = np.abs(outcome.made[a].step_losses - outcome.made[b].step_losses.astype(np.float64))
            axes.step(range(len(gap)), np.maximum.accumulate(gap), where="post", label=label, **style)

    own_floor = "rounding alone: the referee"
    for variant, line in zip(rounding_variants(REFEREE, dtype), (":", "--", "-."), strict=False):
        against = variant.name.removeprefix(f"{REFEREE} ")
        draw(
            Variant(REFEREE, dtype), variant, f"{own_floor} against {against}", color=GREY, linestyle=line, linewidth=1
        )
    first, second = (Variant(framework, dtype) for framework in FRAMEWORKS)
    draw(first, second, f"PyTorch against TensorFlow, {dtype}", color=BLUE, linewidth=2)
    if dtype != "float64":
        first, second = (Variant(framework, "float64") for framework in FRAMEWORKS)
        draw(first, second, "PyTorch against TensorFlow, float64", color=GREEN, linewidth=2)
    axes.set_yscale("log")
    if outcome.parting:
        axes.axvline(outcome.parting.step, color=ORANGE, linewidth=1.2, label=f"they part, step {outcome.parting.step}")
    save(axes, path)


def own_losses(losses: Losses, labels: Sequence[str], path: Path) -> None:
    """Two logs, each at all of its own steps."""
    axes = figure("Loss of both, as logged", "loss", _counted(losses))
    for log, label, style in zip(losses.logs, labels, STYLES.values(), strict=True):
        plain = {} if len(log.steps) <= FEW_POINTS else {"marker": ""}
        axes.plot(log.steps, log.losses, label=_legible(label), **(style | plain))
    _mark_parting(axes, losses)
    save(axes, path)


def own_divergence(losses: Losses, path: Path) -> None:
    """How far apart two logs lie, step by step, and what their files can hide."""
    axes = figure("Largest difference of the losses so far", "difference", _counted(losses))
    finite = np.isfinite(losses.gap)
    so_far = np.maximum.accumulate(np.where(finite, losses.gap, 0.0))
    seen, known = so_far > 0, losses.resolution > 0  # zero has no place on a logarithmic axis
    marker = {"marker": "o" if len(losses.steps) <= FEW_POINTS else ""}
    label = "A against B" if seen.any() else "A against B: no difference that is a number"
    style: dict[str, Any] = {"color": BLUE, "linewidth": 2, "markersize": 4} | marker
    axes.step(losses.steps[seen], so_far[seen], where="post", label=label, **style)
    hidden: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1, "markersize": 2} | marker
    axes.plot(losses.steps[known], losses.resolution[known], label="what the files can hide", **hidden)
    axes.set_yscale("log")
    drawn = np.concatenate([so_far[seen], losses.resolution[known]])
    if len(drawn):
        axes.set_ylim(max(drawn.min() / 3, SMALLEST_SHOWN), drawn.max() * 3)
    margin = max(0.04 * (losses.steps[-1] - losses.steps[0]), 0.5)
    axes.set_xlim(losses.steps[0] - margin, losses.steps[-1] + margin)
    if not finite.all():
        axes.axvline(losses.steps[~finite][0], color=GREY, linewidth=1.2, linestyle=":", label="not finite from here")
    _mark_parting(axes, losses)
    save(axes, path)


def own_weights(tensors: Tensors, path: Path) -> None:
    """The largest difference in each tensor that fits, in units in the last place, the furthest apart first."""
    ulps = {name: tensor.difference.ulps for name, tensor in tensors.shared.items()}
    ordered = sorted((name for name in ulps if np.isfinite(ulps[name])), key=lambda name: ulps[name], reverse=True)
    shown = ordered[:MOST_TENSORS]
    title = "Largest difference in each tensor"
    axes = figure(title + (f", the {MOST_TENSORS} largest" if len(ordered) > MOST_TENSORS else ""), "", "ulps")
    plt.gcf().set_figheight(max(2.4, 1.6 + 0.25 * len(shown)))
    # Zero has no place on a logarithmic axis, and is worth being seen: up to one unit the axis is linear.
    axes.set_xscale("symlog", linthresh=1)
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--", label="one unit in the last place")
    axes.plot([ulps[name] for name in shown], range(len(shown)), "o", color=BLUE, label="A against B")
    axes.set_yticks(range(len(shown)), [_legible(name) for name in shown])
    axes.set_xlim(left=-0.1)
    axes.invert_yaxis()
    save(axes, path)


def _counted(losses: Losses) -> str:
    return next((log.counts for log in losses.logs if log.counts), "step")


def _mark_parting(axes: Axes, losses: Losses) -> None:
    counted = _counted(losses)
    if losses.parted is not None:
        step = losses.steps[losses.parted]
        axes.axvline(step, color=GREEN, linewidth=1.2, label=f"they part, {counted} {step}")
    elif losses.first_apart is not None:
        step = losses.steps[losses.first_apart]
        axes.axvline(step, color=GREEN, linewidth=1.2, linestyle="--", label=f"they differ from {counted} {step}")


def _legible(name: str) -> str:
    """A name from outside for a picture: not too long, no mathematics between dollars, no glyph that the font lacks."""
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    plain = "".join(character if " " <= character <= "~" else "?" for character in name)
    return plain.replace("$", r"\$")
