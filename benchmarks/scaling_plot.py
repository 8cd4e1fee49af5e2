"""benchmarks/scaling.png: time and memory against examples, width and batch size."""

from pathlib import Path
from typing import Any

from benchmarks.scaling_figures import exponent, peak, seconds
from benchmarks.scaling_points import AXES, BATCH_SIZE, ENGINES, FLOOR, Axis, Measured
from benchmarks.scaling_report import MIB
from shared.reporting.drawing import Axes, plt, ticker
from shared.reporting.styles import BLUE, GREEN, GREY, ORANGE
from shared.spec import TRAIN_EXAMPLES, Spec

# A framework has a colour; its fast engine is filled and solid, its eager one hollow and dashed.
EAGER: dict[str, Any] = {"linestyle": "--", "markerfacecolor": "white"}
STYLES: dict[str, dict[str, Any]] = {
    "PyTorch eager": {"color": ORANGE, "marker": "o"} | EAGER,
    "PyTorch fast": {"color": ORANGE, "marker": "o"},
    "TensorFlow eager": {"color": BLUE, "marker": "s"} | EAGER,
    "TensorFlow fast": {"color": BLUE, "marker": "s"},
    "NumPy reference": {"color": GREEN, "marker": "^"},
    FLOOR: {"color": GREY, "linestyle": ":", "linewidth": 2.5},
}
MARGIN = 0.06  # beside the first and the last point, of the distance between them
COUNTED = {
    "examples": f"× {TRAIN_EXAMPLES:,} examples",
    "width": f"× ({', '.join(map(str, Spec().hidden_sizes))}) hidden units",
    "batch_size": "examples per batch",
}


def draw(measured: Measured, path: Path) -> None:
    """Small multiples: an axis a column; above the time of an epoch, below the peak of memory."""
    figure, grid = plt.subplots(2, len(AXES), figsize=(13, 9), layout="constrained", sharex="col", sharey="row")
    for (above, below), axis in zip(grid.T, AXES, strict=True):
        _time(above, measured, axis)
        _memory(below, measured, axis)
        below.set_xlabel(COUNTED[axis.field])
    grid[0, 0].set_ylabel("seconds per epoch")
    grid[1, 0].set_ylabel("peak memory, MiB")
    figure.savefig(path, dpi=150, format="png")
    plt.close(figure)


def _time(axes: Axes, measured: Measured, axis: Axis) -> None:
    for name in (FLOOR, *ENGINES):
        spreads = [(value, seconds(measured, name, axis.setting(value))) for value in axis.values]
        slope = exponent(measured, name, axis)
        label = name if slope is None else f"{name}: {slope:.2f}"
        points = [(value, spread.median) for value, spread in spreads if spread]
        axes.plot(*zip(*points, strict=True), label=label, **STYLES[name])
    _dress(axes, axis)
    axes.set_title(axis.title, loc="left", fontsize=12)
    legend = axes.legend(frameon=False, fontsize=9, loc="upper right" if axis is BATCH_SIZE else "upper left")
    legend.set_title("with the slope of the fitted line")
    legend.get_title().set_fontsize(9)


def _memory(axes: Axes, measured: Measured, axis: Axis) -> None:
    for name in ENGINES:
        sizes = [(value, peak(measured, name, axis.setting(value))) for value in axis.values]
        points = [(value, size / MIB) for value, size in sizes if size]
        axes.plot(*zip(*points, strict=True), **STYLES[name])
    _dress(axes, axis)


def _dress(axes: Axes, axis: Axis) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    first, last = axis.values[0], axis.values[-1]
    beside = (last / first) ** MARGIN
    axes.set_xlim(first / beside, last * beside)
    axes.set_xticks(axis.values, [axis.label(value) for value in axis.values])
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
