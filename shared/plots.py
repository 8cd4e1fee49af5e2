"""Pictures of two runs."""

from collections.abc import Mapping
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
from shared.record import Run
from shared.spec import Spec

# Okabe and Ito's palette, which colour-blind readers can tell apart; shape and dash tell them apart as well.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
# A wide hollow marker under a small filled one: curves that coincide both stay visible.
STYLES: dict[str, dict[str, Any]] = {
    "PyTorch": {"color": ORANGE, "marker": "o", "markersize": 11, "markerfacecolor": "none", "linewidth": 3.5},
    "TensorFlow": {"color": BLUE, "marker": "o", "markersize": 4, "linewidth": 1.2},
}
TUTORIAL: dict[str, Any] = {"color": GREY, "marker": "x", "linestyle": "--", "linewidth": 1}


def _figure(title: str, ylabel: str, xlabel: str = "epoch") -> Axes:
    _, axes = plt.subplots(figsize=(8, 4.8), layout="constrained")
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _save(axes: Axes, path: Path) -> None:
    axes.legend(frameon=False)
    plt.savefig(path, dpi=150)
    plt.close()


def comparable_to_tutorial(spec: Spec) -> bool:
    """Whether the tutorial's figures may stand beside this run: its seed and epochs aside, the same training."""
    return (
        spec.model_copy(update={"seed": 0, "epochs": 5, "dtype": "float32", "device": "auto", "threads": 1}) == Spec()
    )


def loss(runs: Mapping[str, Run], path: Path) -> None:
    """Training loss by epoch, mean of batch means, both frameworks and the tutorial."""
    axes = _figure("Training loss, mean of batch means", "cross-entropy (nats)")
    for name, run in runs.items():
        epochs = range(1, len(run.record.epochs) + 1)
        axes.plot(epochs, [e.train_loss for e in run.record.epochs], label=name, **STYLES[name])
    if comparable_to_tutorial(next(iter(runs.values())).record.spec):
        losses = tutorial.EPOCH_LOSSES[: len(epochs)]
        axes.plot(range(1, len(losses) + 1), losses, label="the tutorial (another seed)", **TUTORIAL)
    _save(axes, path)


def accuracy(runs: Mapping[str, Run], path: Path) -> None:
    """Test accuracy at the weights after each epoch, both frameworks, and the tutorial's only point."""
    axes = _figure("Accuracy on the 10,000 test images", "test accuracy")
    for name, run in runs.items():
        epochs = range(1, len(run.record.epochs) + 1)
        axes.plot(epochs, [e.test_accuracy for e in run.record.epochs], label=name, **STYLES[name])
    if comparable_to_tutorial(next(iter(runs.values())).record.spec):
        style = TUTORIAL | {"linestyle": "none", "markersize": 10, "markeredgewidth": 2}
        axes.plot([5], [tutorial.ACCURACY], label=f"the tutorial, after epoch 5: {tutorial.ACCURACY:.2%}", **style)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    _save(axes, path)


def divergence(outcome: Outcome, path: Path) -> None:
    """How far apart the step losses lie, step by step: the frameworks, the noise floor, and the pair in float64."""
    dtype = outcome.spec.dtype
    axes = _figure("Largest difference of the step losses so far", "difference (nats)", "step")

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
    _save(axes, path)
