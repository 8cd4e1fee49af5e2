"""Pictures as files, and as part of the page."""

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from shared.mnist import MNIST
from shared.reporting.drawing import Axes, Figure, plt, ticker
from shared.reporting.parts import Chart, Curve, Drawing
from shared.reporting.styles import BAND, FEW_POINTS, PALE, STYLES, Style

MARKERS: dict[str, dict[str, Any]] = {
    "": {},
    "ring": {"marker": "o", "markersize": 11, "markerfacecolor": "none"},
    "dot": {"marker": "o", "markersize": 4},
    "cross": {"marker": "x", "markersize": 8, "markeredgewidth": 1.5},
}
# Text stays text, in the reader's font; and the same picture is the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "picture"})
PALE_WIDTH = 0.6  # in points
INK = "#000000"  # of axes and text


def figure(title: str, ylabel: str, xlabel: str = "epoch") -> Axes:
    """Axes as all pictures here have them, on a figure of their own."""
    _, axes = plt.subplots(figsize=(8, 4.8), layout="constrained")
    # Where it stands by itself: to see that nothing is in its way takes a fifth of the drawing.
    axes.set_title(title, loc="left", fontsize=12, y=1)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def line(style: Style, points: int) -> dict[str, Any]:
    """A style in matplotlib's words. Markers would hide a curve of many points, and so would a wide line."""
    few = points <= FEW_POINTS
    width = style.width if few else style.thin or style.width
    pattern = (0, tuple(length / width for length in style.dash)) if style.dash else "-"
    look = {"color": style.light, "linewidth": width, "linestyle": pattern}
    return look | (MARKERS[style.marker] if few else {})


def _look(chart: Chart, curve: Curve) -> dict[str, Any]:
    if not curve.joined:
        return line(STYLES[curve.style], 1) | {"linestyle": "none"}
    return line(STYLES[curve.style], len(chart.x)) | ({"drawstyle": "steps-post"} if chart.stairs else {})


def _draw(chart: Chart) -> Axes:
    axes = figure(chart.title, chart.y_label, chart.x_label)
    for curve in chart.curves:
        look = _look(chart, curve)
        if curve.mean is not None:
            axes.plot(chart.x, curve.values, **look | {"linewidth": PALE_WIDTH, "alpha": PALE, "zorder": 1})
            look |= {"linewidth": STYLES[curve.style].width}
        axes.plot(chart.x, curve.values if curve.mean is None else curve.mean, label=curve.label, **look)
        if curve.band:
            axes.fill_between(chart.x, *curve.band, color=STYLES[curve.style].light, alpha=BAND, linewidth=0)
    # Without a number above zero there is no such axis.
    if chart.scale == "logarithmic" and any(np.any(curve.values > 0) for curve in chart.curves):
        axes.set_yscale("log")
    if chart.scale == "percent":
        axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=1))
    if chart.mark:
        at, what = chart.mark
        axes.axvline(at, label=what, **line(STYLES["mark"], 1))
    axes.legend(frameon=False)
    return axes


def write(pictures: Iterable[Chart | Drawing], folder: Path) -> dict[str, str]:
    """Each as a PNG file, for reading, and as an SVG file, for papers and slides. What the SVG files hold, by name."""
    stills = {}
    for picture in pictures:
        if isinstance(picture, Drawing):
            png, svg = picture.png, picture.svg
        else:
            png, svg = files(_draw(picture).get_figure(root=True))
        (folder / f"{picture.name}.png").write_bytes(png)
        if svg:
            (folder / f"{picture.name}.svg").write_text(svg, encoding="utf-8")
            stills[picture.name] = svg
    return stills


def files(drawn: Figure | None) -> tuple[bytes, str]:
    """A figure as a PNG and as an SVG file; it is let go of."""
    assert drawn
    raster, vector = png(drawn), io.StringIO()
    drawn.set_layout_engine("none")  # all is in its place by now
    drawn.savefig(vector, format="svg", transparent=True, metadata={"Date": None})
    return raster, vector.getvalue()


def png(drawn: Figure | None) -> bytes:
    """A figure as a PNG file; it is let go of."""
    assert drawn
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=150)
    plt.close(drawn)
    return file.getvalue()


def inline(svg: str, name: str) -> str:
    """An SVG file of `write` as an element of a page that has a light and a dark ground, and other pictures."""
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
    """An image of the data set, uint8 (P,), as a PNG file of its pixels."""
    drawn = io.BytesIO()
    plt.imsave(drawn, image.reshape(MNIST.side, MNIST.side), cmap="gray", vmin=0, vmax=255, format="png")
    return drawn.getvalue()
