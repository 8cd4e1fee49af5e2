"""Measure how time and memory grow: with the examples, the width, the depth, the batch size, the threads and the seeds.

`make scaling` measures every engine and the floor, each point in a process of its own, and writes
benchmarks/scaling.json, scaling.md and scaling.png. `--quick` measures a few points in seconds, to see that it works.
"""

import argparse
import importlib
import json
import math
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks import processes
from shared import cli
from shared.comparing.processes import Children, find_interpreter, versions
from shared.configuration import Configuration
from shared.mnist import MNIST, Examples
from shared.network import initial_weights
from shared.reporting import markdown
from shared.reporting.parts import Table
from shared.running import batches, runner
from shared.running.session import Session
from shared.system import ending, progress
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole
from shared.training import Training

HERE = Path(__file__).resolve().parent
DEFAULT = Training()
MODULE = "benchmarks.scaling"
# Name -> whose Python runs it, the module whose `load` imports it, and what `--engine` calls it.
ENGINES = {
    "PyTorch eager": ("PyTorch", "pytorch_impl.__main__", "eager"),
    "PyTorch fast": ("PyTorch", "pytorch_impl.__main__", "fast"),
    "TensorFlow eager": ("TensorFlow", "tensorflow_impl.__main__", "eager"),
    "TensorFlow fast": ("TensorFlow", "tensorflow_impl.__main__", "fast"),
    "NumPy reference": ("NumPy", "shared.reference.__main__", "eager"),
}
FLOOR = "floor"
# The values of each direction away from the default run.
AXES = {
    "examples": (1, 4, 16),
    "width": (1, 2, 4, 8, 16, 32),
    "depth": (1, 2, 4, 8),
    "batch_size": (16, 64, 256, 1024, 4096),
    "seeds": (1, 4, 16),
}
TITLES = {
    "examples": "Examples, × 60,000",
    "width": "Hidden width, × (128, 64)",
    "depth": "Hidden layers",
    "batch_size": "Batch size",
    "seeds": "Seeds trained by one process, its start included",
}
# Where each framework is ahead is told of these: as they come, and both compiled.
RIVALS = {"by default": ("PyTorch eager", "TensorFlow fast"), "both compiled": ("PyTorch fast", "TensorFlow fast")}
LEVEL = 1.1  # one that is ahead takes so many times less at least
WIDTHS = (1, 8, 32)  # at which two threads are measured as well
# The median of three leaves out the first, whose process may have compiled or prepared what is then kept.
REPEATS, SECONDS = 3, 1.0
LEAST_STEPS = 24
# Only a process that has PyTorch could ask for pytorch_impl.fast.STEPS, the steps of one call. What is timed is a
# multiple of it; LEAST_STEPS is one.
AT_ONCE = 8
MIB = 2**20
MANY = 100  # above it, a figure is shown without decimals


class Point(NamedTuple):
    """What one process measures: an engine or the floor, and where it departs from the default run."""

    engine: str
    examples: int = 1  # a multiple of all training examples
    width: int = 1  # a multiple of both hidden layers
    depth: int = len(DEFAULT.hidden_sizes)  # the first hidden layer, and all others of the second's width
    batch_size: int = DEFAULT.batch_size
    threads: int = 1
    seeds: int = 0  # where it is one or more: a process starts and trains so many, an epoch each, and all is timed

    @property
    def configuration(self) -> Configuration:
        first, second = (units * self.width for units in DEFAULT.hidden_sizes)
        # On the CPU, for it is the process's memory that is measured, and the CPU's products that are the floor.
        sizes = {"hidden_sizes": (first, *[second] * (self.depth - 1)), "batch_size": self.batch_size}
        return Configuration.of(**sizes, threads=self.threads, device="cpu")


class Sample(NamedTuple):
    """One measurement of a point."""

    seconds_per_epoch: float
    steps_timed: int
    peak_bytes: int = 0  # of the whole process


Measured = dict[Point, list[Sample]]


def full_plan() -> list[Point]:
    """Every engine at every setting, one setting after the other: what is compared is measured side by side."""
    points = []
    for setting in dict.fromkeys(Point("", **{axis: value}) for axis, values in AXES.items() for value in values):
        # The floor of twice the examples is twice the floor, and it has no start.
        if setting.examples == 1 and not setting.seeds:
            points.append(setting._replace(engine=FLOOR))
        threads = (1, 2) if setting in [Point("", width=width) for width in WIDTHS] else (1,)
        points += [setting._replace(engine=engine, threads=number) for engine in ENGINES for number in threads]
    return points


def quick_plan() -> list[Point]:
    """Something of everything; its figures mean nothing."""
    near: list[dict[str, int]] = [
        {},
        {"examples": 2},
        {"width": 2},
        {"depth": 1},
        {"batch_size": 256},
        {"threads": 2},
        {"seeds": 2},
    ]
    points = [Point("NumPy reference", **setting) for setting in near]
    return points + [Point(engine) for engine in (FLOOR, "PyTorch eager", "TensorFlow fast")]


# How a point is measured, in a process of its own.


def measure(point: Point, seconds: float) -> Sample:
    """Time a point for about `seconds`, after a warm-up."""
    configuration = point.configuration
    training = configuration.training
    if point.engine == FLOOR:
        from benchmarks import floor

        take_steps = floor.make_steps(configuration)
        full = MNIST.train_examples - MNIST.train_examples % training.batch_size
        epoch = batches.split(np.arange(full), training.batch_size)
        found, timed = time_epoch(lambda some: take_steps(len(some)), epoch, seconds)
        return Sample(found * MNIST.train_examples / full, timed)
    if point.seeds:
        return time_seeds(point)
    _, module_name, engine = ENGINES[point.engine]
    implementation = importlib.import_module(module_name).load()
    device = implementation.runtime.configure(configuration.execution, training.dtype)
    # Held to the end, as part of what grows; a run lets go of the pixels.
    examples = repeated(implementation.data.read("train"), point.examples)
    dataset = implementation.data.to_dataset(examples, training, device)
    model = implementation.model.build(training, initial_weights(training), device)
    optimizer = implementation.optimizers.make_optimizer(training, model)
    steps = implementation.engine(engine)
    steps.warm_up(training, model, optimizer, dataset)
    order = np.random.default_rng(training.seed).permutation(len(examples.labels))

    session = Session(training)

    def take(some: Sequence[np.ndarray]) -> None:
        session.batches = list(some)
        steps.train_epoch(model, optimizer, dataset, some, session)

    return Sample(*time_epoch(take, batches.split(order, training.batch_size), seconds))


def time_seeds(point: Point) -> Sample:
    """The seconds of an epoch where one process trains so many seeds, as for `compare.py --seeds`; and its peak."""
    _, module_name, engine = ENGINES[point.engine]
    command = [sys.executable, "-m", module_name.removesuffix(".__main__"), runner.ORDERS]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        child = children.start(str(point), command, lambda _event: None)
        for seed in range(point.seeds):
            configuration = point.configuration.but(epochs=1, seed=seed, engine=engine)
            child.take_order(str(point), [*configuration.options(), "--out", str(Path(folder) / "out")])
            while not child.has_made(1):
                pass
            child.finish_order()
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * processes.UNIT
    return Sample(seconds / point.seeds, point.seeds * DEFAULT.steps_per_epoch, peak)


def repeated(examples: Examples, times: int) -> Examples:
    return Examples(np.tile(examples.images, (times, 1)), np.tile(examples.labels, times)) if times > 1 else examples


def time_epoch(
    take: Callable[[Sequence[np.ndarray]], object], epoch: Sequence[np.ndarray], seconds: float
) -> tuple[float, int]:
    """The seconds of an epoch, and how many steps were timed to tell.

    Whole epochs where one fits into `seconds`, as they are, with what a short last batch costs. Else as many full
    batches as fit, at least LEAST_STEPS, and their time multiplied up by the examples.
    """

    def elapsed(some: Sequence[np.ndarray]) -> float:
        start = time.perf_counter()
        take(some)
        return time.perf_counter() - start

    take([*epoch[:AT_ONCE], epoch[-1]])  # the first of each shape may be slower
    fitting = int(seconds / (elapsed(epoch[:AT_ONCE]) / AT_ONCE))
    full = len(epoch) - (len(epoch[-1]) < len(epoch[0]))
    if fitting >= len(epoch) or full < LEAST_STEPS:
        epochs = max(fitting // len(epoch), math.ceil(LEAST_STEPS / len(epoch)))
        return sum(elapsed(epoch) for _ in range(epochs)) / epochs, epochs * len(epoch)
    timed = epoch[: max(fitting - fitting % AT_ONCE, LEAST_STEPS)]
    return elapsed(timed) * sum(map(len, epoch)) / sum(map(len, timed)), len(timed)


def start_worker(point: Point, seconds: float, pythons: dict[str, Path]) -> Sample:
    """Measure a point in a process of its own. Raises InputError with its last words where it fails."""
    python = pythons["PyTorch" if point.engine == FLOOR else ENGINES[point.engine][0]]
    said, peak = processes.run(str(point), [str(python), "-m", MODULE, "--worker", json.dumps([point, seconds])])
    sample = Sample(*json.loads(said.splitlines()[-1]))
    return sample._replace(peak_bytes=max(peak, sample.peak_bytes))


# What follows from the points. What was not measured is NaN.


def seconds_of(measured: Measured, point: Point) -> list[float]:
    """Of an epoch, in each repeat."""
    # The floor is measured at ×1 alone: more examples are so many times the same products.
    times = point.examples if point.engine == FLOOR else 1
    found = measured.get(point._replace(examples=1) if point.engine == FLOOR else point, [])
    return [sample.seconds_per_epoch * times for sample in found]


def epoch_seconds(measured: Measured, point: Point) -> float:
    return median(seconds_of(measured, point) or [math.nan])


def to_floor(measured: Measured, point: Point) -> float:
    return epoch_seconds(measured, point) / epoch_seconds(measured, point._replace(engine=FLOOR))


def peak_mib(measured: Measured, point: Point) -> float:
    return median([sample.peak_bytes / MIB for sample in measured.get(point, [])] or [math.nan])


def exponent(measured: Measured, engine: str, axis: str) -> float:
    """The b of time = a * value**b, fitted in the logarithms."""
    x, y = np.log([(value, epoch_seconds(measured, Point(engine, **{axis: value}))) for value in AXES[axis]]).T
    known = ~np.isnan(y)
    return float(np.polyfit(x[known], y[known], 1)[0]) if known.sum() > 1 else math.nan


def speedup(measured: Measured, engine: str, width: int) -> float:
    """How many times as fast two threads are as one."""
    one, two = (epoch_seconds(measured, Point(engine, width=width, threads=threads)) for threads in (1, 2))
    return one / two


def second_thread_pays(measured: Measured, engine: str) -> str:
    """The first width at which every repeat with two threads was faster than every one with one."""
    for width in WIDTHS:
        one, two = (seconds_of(measured, Point(engine, width=width, threads=threads)) for threads in (1, 2))
        if one and two and max(two) < min(one):
            return str(width)
    return "–"


def measured_axes(measured: Measured) -> dict[str, tuple[int, ...]]:
    """The directions in which something was measured."""
    return {
        axis: values
        for axis, values in AXES.items()
        if any(getattr(point, axis) != getattr(Point(""), axis) for point in measured)
    }


def ahead(measured: Measured, axis: str, rivals: tuple[str, str]) -> tuple[list[str], list[str], list[str]]:
    """The values of an axis at which the first is faster, at which the second is, and at which neither surely is."""
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    for value in AXES[axis]:
        a, b = (seconds_of(measured, Point(name, **{axis: value})) for name in rivals)
        if a and b:
            who = 0 if max(a) * LEVEL < min(b) else 1 if max(b) * LEVEL < min(a) else 2
            found[who].append(f"{value:,}")
    return found


# How it is shown.


def report(measured: Measured, about: dict[str, Any]) -> str:
    """scaling.md."""
    axes = measured_axes(measured)
    slopes = [[name, *(_number(exponent(measured, name, axis)) for axis in axes)] for name in (*ENGINES, FLOOR)]
    faster = [
        [TITLES[axis], which, *(", ".join(values) or "–" for values in ahead(measured, axis, rivals))]
        for axis in axes
        for which, rivals in RIVALS.items()
    ]
    threads = [
        [name, *(_number(speedup(measured, name, width)) for width in WIDTHS), second_thread_pays(measured, name)]
        for name in ENGINES
    ]
    figures = {
        "Seconds per epoch": ((*ENGINES, FLOOR), epoch_seconds),
        "Times the floor": (ENGINES, to_floor),
        "Peak memory of the process, MiB": (ENGINES, peak_mib),
    }

    def tables(axis: str) -> list[str]:
        # A process's start has no floor.
        shown = {title: f for title, f in figures.items() if (axis, f) != ("seeds", figures["Times the floor"])}
        return [f"{title}:\n\n{_grid(measured, axis, *figure)}\n" for title, figure in shown.items()]

    grids = "\n".join("\n".join([f"## {TITLES[axis]}\n", *tables(axis)]) for axis in axes)
    return f"""# How cost grows

![Time of an epoch and peak memory against {", ".join(axes).replace("_", " ")}](scaling.png)

The default run is ×1, on the CPU, on one thread, in batches of {DEFAULT.batch_size}. More examples are MNIST's,
repeated in memory. The floor is the matrix products of a step, eight where there are two hidden layers, and nothing
else, through PyTorch's `mm`, on one thread: no implementation can do without them, though another library may multiply
faster.

Measurements of each point: {about["repeats"]}, each in a process of its own, all engines at one setting, then at the
next; the figures are medians. After a warm-up, whole epochs are timed where one takes less than {about["seconds"]:g} s;
else as many full batches as fit, at least {LEAST_STEPS}, and their time is multiplied up by the examples.

{about["cpu"]}, {about["cores"]} cores; {", ".join(f"{name} {version}" for name, version in about["versions"].items())}.

## Where each overtakes the other

A framework is ahead where its slowest measurement is faster than the other's fastest, by a factor of {LEVEL} or more.
By default PyTorch goes step by step, and TensorFlow compiles.

{markdown.table(Table(["", "", "PyTorch is ahead at", "TensorFlow is ahead at", "neither surely"], faster))}

## Slopes

b of *time of an epoch = a · value^b*, fitted to all points of an axis: 1 is proportional, 0 costs nothing.

{markdown.table(Table(["", *axes], slopes))}

## A second thread

How many times as fast two threads are as one, by hidden width; and the first of these widths at which the second pays:
every measurement with two threads was faster than every one with one.

{markdown.table(Table(["", *map(str, WIDTHS), "pays from"], threads))}

{grids}"""


def _grid(measured: Measured, axis: str, names: Iterable[str], figure: Callable[[Measured, Point], float]) -> str:
    rows = [[n, *(_number(figure(measured, Point(n, **{axis: value}))) for value in AXES[axis])] for n in names]
    return markdown.table(Table(["", *map(str, AXES[axis])], rows))


def _number(figure: float) -> str:
    return "–" if math.isnan(figure) else f"{figure:,.{0 if figure > MANY else 2}f}"


def draw(measured: Measured, path: Path) -> None:
    """scaling.png: an axis a column; above the time of an epoch, below the peak of memory."""
    from shared.reporting.drawing import plt, ticker
    from shared.reporting.styles import BLUE, GREEN, GREY, ORANGE

    colours = {"PyTorch": ORANGE, "TensorFlow": BLUE, "NumPy": GREEN, FLOOR: GREY}
    shown = measured_axes(measured)
    figure, grid = plt.subplots(2, len(shown), sharex="col", sharey="row", squeeze=False, layout="constrained")
    figure.set_size_inches(4.3 * len(shown), 9)
    rows = (("seconds per epoch", (*ENGINES, FLOOR), epoch_seconds), ("peak memory, MiB", tuple(ENGINES), peak_mib))
    for row, (quantity, names, figure_of) in zip(grid, rows, strict=True):
        row[0].set_ylabel(quantity)
        for axes, (axis, values) in zip(row, shown.items(), strict=True):
            for name in names:
                y = [figure_of(measured, Point(name, **{axis: value})) for value in values]
                dash = ":" if name == FLOOR else "--" if name.endswith("eager") else "-"
                axes.plot(values, y, dash, color=colours[name.split()[0]], marker="o", label=name)
            axes.set(xlabel=TITLES[axis], xscale="log", yscale="log")
            axes.set_xticks(values, map(str, values))
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
            axes.minorticks_off()
            axes.grid(alpha=0.25)
    grid[0, 0].legend(frameon=False)
    figure.savefig(path, dpi=150, format="png")
    plt.close(figure)


def write(folder: Path, measured: Measured, about: dict[str, Any]) -> None:
    """The three files. Raises InputError where they can't be written."""
    points = [point._asdict() | {"samples": [s._asdict() for s in samples]} for point, samples in measured.items()]
    results = json.dumps(about | {"points": points}, indent=1) + "\n"
    write_whole(folder / "scaling.json", lambda path: path.write_text(results, encoding="utf-8"))
    write_whole(folder / "scaling.md", lambda path: path.write_text(report(measured, about), encoding="utf-8"))
    write_whole(folder / "scaling.png", lambda path: draw(measured, path))


def measure_all(points: list[Point], repeats: int, seconds: float, out: Path) -> int:
    """Measure, and write after each repeat. Where a point fails, says so and goes on. Returns the exit status."""
    pythons = {framework: find_interpreter(framework, None) for framework in ("PyTorch", "TensorFlow")}
    pythons["NumPy"] = Path(sys.executable)
    about: dict[str, Any] = {"cpu": cpu_name(), "cores": cores(), "seconds": seconds}
    about["versions"] = {"python": platform.python_version()} | versions(pythons["PyTorch"], ["torch", "numpy"])
    about["versions"] |= versions(pythons["TensorFlow"], ["tensorflow", "keras"])
    measured: Measured = {}
    failed = False
    for repeat in range(1, repeats + 1):
        with progress.bar(len(points), f"Repeat {repeat}/{repeats}") as advance:
            for point in points:
                try:
                    measured.setdefault(point, []).append(start_worker(point, seconds, pythons))
                except InputError as error:
                    progress.notice(f"{MODULE}: {error}; it goes on without this point")
                    failed = True
                advance(1)
        write(out, measured, about | {"repeats": repeat})
    return ending.FAILED if failed else ending.OK


def main() -> int:
    """Measure as the options say. A process of `start_worker` measures its point, and prints it as one line."""
    parser = cli.Parser(prog=MODULE, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few points, once: to see that the program works")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the results (default: benchmarks)")
    parser.add_argument("--worker", metavar="JSON", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        point, seconds = json.loads(options.worker)
        print(json.dumps(measure(Point(*point), seconds)), flush=True)
        return ending.OK
    plan = (quick_plan(), 1, 0.2) if options.quick else (full_plan(), REPEATS, SECONDS)
    return measure_all(*plan, options.out)


if __name__ == "__main__":
    sys.exit(ending.exit_status(MODULE, main))
