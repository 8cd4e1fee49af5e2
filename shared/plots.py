"""Pictures as files, and as part of the page."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from shared.own_pair import Losses, Tensors
from shared.pictures import BLUE, FEW_POINTS, GREEN, GREY, STYLES, Picture, Style

MARKERS: dict[str, dict[str, Any]] = {
    "": {},
    "ring": {"marker": "o", "markersize": 11, "markerfacecolor": "none"},
    "dot": {"marker": "o", "markersize": 4},
    "cross": {"marker": "x", "markersize": 8, "markeredgewidth": 1.5},
}
LONGEST_NAME = 50
SMALLEST_SHOWN = 1e-300  # far below this a logarithmic axis can't reach
MOST_TENSORS = 40  # that a picture has room for
# Text stays text, in the reader's font; and the same picture is the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "picture"})
INK = "#000000"  # of axes and text
SIDE = 28  # pixels of a digit


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


def line(style: Style, points: int) -> dict[str, Any]:
    """A style in matplotlib's words. Markers would hide a curve of many points, and so would a wide line."""
    few = points <= FEW_POINTS
    width = style.width if few else style.thin or style.width
    pattern = (0, tuple(length / width for length in style.dash)) if style.dash else "-"
    look = {"color": style.light, "linewidth": width, "linestyle": pattern}
    return look | (MARKERS[style.marker] if few else {})


def _draw(picture: Picture) -> Axes:
    axes = figure(picture.title, picture.y_label, picture.x_label)
    for curve in picture.curves:
        look = line(STYLES[curve.style], len(picture.x)) | ({"drawstyle": "steps-post"} if picture.stairs else {})
        axes.plot(picture.x, curve.values, label=curve.label, **look)
    if picture.scale == "logarithmic":
        axes.set_yscale("log")
    if picture.scale == "percent":
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    if picture.mark:
        at, what = picture.mark
        axes.axvline(at, label=what, **line(STYLES["mark"], 1))
    axes.legend(frameon=False)
    return axes


def draw(picture: Picture) -> tuple[bytes, str]:
    """The picture as a PNG file, for reading, and as an SVG file, for papers and slides."""
    return files(_draw(picture).get_figure(root=True))


def files(drawn: Figure | None) -> tuple[bytes, str]:
    """A figure as a PNG and as an SVG file; it is let go of."""
    assert drawn
    png, svg = io.BytesIO(), io.StringIO()
    drawn.savefig(png, format="png", dpi=150)
    drawn.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    plt.close(drawn)
    return png.getvalue(), svg.getvalue()


def inline(svg: str, name: str) -> str:
    """An SVG file of `draw` as an element of a page that has a light and a dark ground, and other pictures."""
    element = svg[svg.index("<svg") :]
    element = re.sub(
        r"<metadata>.*?</metadata>|<style .*?</style>", "", element, flags=re.DOTALL
    )  # these are the page's
    element = re.sub(r' (width|height)="[\d.]+pt"', "", element, count=2)  # so is the size
    # A name that occurs in several pictures must be one on the page.
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", element)
    for style in STYLES.values():
        element = element.replace(style.light.lower(), style.colour)
    return element.replace(INK, "currentColor")


def digit(image: np.ndarray) -> bytes:
    """A digit of the data set, uint8 (784,), as a PNG file of its 28 × 28 pixels."""
    drawn = io.BytesIO()
    plt.imsave(drawn, image.reshape(SIDE, SIDE), cmap="gray", vmin=0, vmax=255, format="png")
    return drawn.getvalue()


def own_losses(losses: Losses, labels: Sequence[str], path: Path) -> None:
    """Two logs, each at all of its own steps."""
    axes = figure("Loss of both, as logged", "loss", _counted(losses))
    for log, label, style in zip(losses.logs, labels, ("pytorch", "tensorflow"), strict=True):
        axes.plot(log.steps, log.losses, label=_legible(label), **line(STYLES[style], len(log.steps)))
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
