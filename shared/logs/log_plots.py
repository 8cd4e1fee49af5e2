"""Pictures of two results that were made elsewhere."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shared.logs.log_pair import Losses
from shared.logs.tensor_pairs import Tensors
from shared.reporting import plots
from shared.reporting.drawing import Axes, plt
from shared.reporting.parts import Drawing
from shared.reporting.styles import BLUE, FEW_POINTS, GREEN, GREY, STYLES

LONGEST_NAME = 50
SMALLEST_SHOWN = 1e-300  # a logarithmic axis can't reach far below this
MOST_STRETCHES = 10_000  # of a curve: a picture is a few thousand pixels wide
MOST_COLUMNS = 4  # that are drawn beside the loss
MOST_TENSORS = 40  # that a picture has room for


def losses(losses: Losses, labels: Sequence[str]) -> Drawing:
    """Two logs, each at all of its own steps."""
    axes = plots.figure("Loss of both, as logged", "loss", _counted(losses))
    for log, label, style in zip(losses.logs, labels, ("pytorch", "tensorflow"), strict=True):
        axes.plot(*thinned(log.steps, log.losses), label=_legible(label), **plots.line(STYLES[style], len(log.steps)))
    _mark_divergence(axes, losses)
    return _drawing("loss", "Both losses, overlaid", axes)


def divergence(losses: Losses) -> Drawing:
    """How far apart two logs lie, step by step, and what their files can hide."""
    axes = plots.figure("Largest difference of the losses so far", "difference", _counted(losses))
    finite = np.isfinite(losses.gap)
    so_far = np.maximum.accumulate(np.where(finite, losses.gap, 0.0))
    seen, known = so_far > 0, losses.resolution > 0  # zero has no place on a logarithmic axis
    marker = {"marker": "o" if len(losses.steps) <= FEW_POINTS else ""}
    label = "A against B" if seen.any() else "A against B: no difference that is a number"
    style: dict[str, Any] = {"color": BLUE, "linewidth": 2, "markersize": 4} | marker
    axes.step(*thinned(losses.steps[seen], so_far[seen]), where="post", label=label, **style)
    hidden: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1, "markersize": 2} | marker
    resolution = thinned(losses.steps[known], losses.resolution[known])
    axes.plot(*resolution, label="what the files can hide", **hidden)
    axes.set_yscale("log")
    drawn = np.concatenate([so_far[seen], losses.resolution[known]])
    if len(drawn):
        axes.set_ylim(max(drawn.min() / 3, SMALLEST_SHOWN), drawn.max() * 3)
    margin = max(0.04 * (losses.steps[-1] - losses.steps[0]), 0.5)
    axes.set_xlim(losses.steps[0] - margin, losses.steps[-1] + margin)
    if not finite.all():
        axes.axvline(losses.steps[~finite][0], color=GREY, linewidth=1.2, linestyle=":", label="not finite from here")
    _mark_divergence(axes, losses)
    return _drawing("divergence", "Largest difference so far", axes)


def thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of more points than can be told apart, the lowest and the highest of each of `MOST_STRETCHES`, and the last."""
    if len(steps) <= 2 * MOST_STRETCHES:
        return steps, values
    stretches = np.array_split(np.arange(len(steps)), MOST_STRETCHES)
    known = np.isfinite(values)
    low, high = np.where(known, values, np.inf), np.where(known, values, -np.inf)
    kept = {int(index) for part in stretches for index in (part[low[part].argmin()], part[high[part].argmax()])}
    kept |= {len(steps) - 1, *np.flatnonzero(~known)[:MOST_STRETCHES].tolist()}  # a line breaks where there is none
    chosen = np.array(sorted(kept))
    return steps[chosen], values[chosen]


def columns(losses: Losses, labels: Sequence[str]) -> list[Drawing]:
    """What both logs have beside the loss and differ in, a picture each, at all steps that each has it."""
    drawn = []
    for number, name in enumerate(losses.apart[:MOST_COLUMNS]):
        axes = plots.figure(f"{_legible(name)} of both, as logged", _legible(name), _counted(losses))
        for log, label, style in zip(losses.logs, labels, ("pytorch", "tensorflow"), strict=True):
            series = log.series[name]
            look = plots.line(STYLES[style], len(series.steps))
            axes.plot(*thinned(series.steps, series.values), label=_legible(label), **look)
        drawn.append(_drawing(f"column-{number}", f"{_legible(name)} of both, overlaid", axes))
    return drawn


def weights(tensors: Tensors) -> Drawing:
    """The largest difference in each tensor that fits, in units in the last place, the furthest apart first."""
    ulps = {name: tensor.difference.ulps for name, tensor in tensors.shared.items()}
    ordered = sorted((name for name in ulps if np.isfinite(ulps[name])), key=lambda name: ulps[name], reverse=True)
    shown = ordered[:MOST_TENSORS]
    title = "Largest difference in each tensor"
    axes = plots.figure(title + (f", the {MOST_TENSORS} largest" if len(ordered) > MOST_TENSORS else ""), "", "ulps")
    plt.gcf().set_figheight(max(2.4, 1.6 + 0.25 * len(shown)))
    # Zero has no place on a logarithmic axis, and must be seen: up to one unit the axis is linear.
    axes.set_xscale("symlog", linthresh=1)
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--", label="one unit in the last place")
    axes.plot([ulps[name] for name in shown], range(len(shown)), "o", color=BLUE, label="A against B")
    axes.set_yticks(range(len(shown)), [_legible(name) for name in shown])
    axes.set_xlim(left=-0.1)
    axes.invert_yaxis()
    return _drawing("weights", "Largest difference in each tensor", axes)


def _drawing(name: str, title: str, axes: Axes) -> Drawing:
    axes.legend(frameon=False)
    return Drawing(name, title, plots.png(axes.get_figure(root=True)))


def _counted(losses: Losses) -> str:
    return next((log.counts for log in losses.logs if log.counts), "step")


def _mark_divergence(axes: Axes, losses: Losses) -> None:
    counted = _counted(losses)
    if losses.diverged is not None:
        step = losses.steps[losses.diverged]
        axes.axvline(step, color=GREEN, linewidth=1.2, label=f"they diverge, {counted} {step}")
    elif losses.first_apart is not None:
        step = losses.steps[losses.first_apart]
        axes.axvline(step, color=GREEN, linewidth=1.2, linestyle="--", label=f"they differ from {counted} {step}")


def _legible(name: str) -> str:
    """A name from outside for a picture: not too long, no mathematics between dollars, no glyph that the font lacks."""
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    plain = "".join(character if " " <= character <= "~" else "?" for character in name)
    return plain.replace("$", r"\$")
