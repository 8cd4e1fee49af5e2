"""What follows from the points that benchmarks/scaling.py measured."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import NamedTuple, Self

import numpy as np

from benchmarks.scaling_points import EXAMPLES, FLOOR, SECOND_THREAD, WIDTH, Axis, Measured, Point, Setting

# An engine whose epoch takes up to so many times the floor is limited by the machine, not by its own overhead.
AT_THE_LIMIT = 1.25
NOT_MEASURED, NOT_REACHED = "–", "not reached"


class Spread(NamedTuple):
    """The repeats of one figure."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> Self:
        return cls(median(values), min(values), max(values))


def seconds(measured: Measured, engine: str, setting: Setting) -> Spread | None:
    """Of an epoch; None where it was not measured."""
    # The floor is measured at ×1 alone: more examples are so many times the same products.
    times = setting.examples if engine == FLOOR else 1
    found = measured.get(Point(engine, setting._replace(examples=1) if engine == FLOOR else setting))
    return Spread.of([sample.seconds_per_epoch * times for sample in found]) if found else None


def peak(measured: Measured, engine: str, setting: Setting) -> float | None:
    """Bytes that its process held at most."""
    found = measured.get(Point(engine, setting))
    return median(sample.peak_bytes for sample in found) if found else None


def resident(measured: Measured, engine: str, setting: Setting) -> float | None:
    """Bytes that its process held while it trained."""
    told = [sample.resident_bytes for sample in measured.get(Point(engine, setting), [])]
    known = [value for value in told if value is not None]
    return median(known) if known else None


class Line(NamedTuple):
    """y = slope * x + intercept."""

    slope: float
    intercept: float


def exponent(measured: Measured, engine: str, axis: Axis) -> float | None:
    """The b of time = a * value**b, fitted in the logarithms; None where fewer than two values were measured."""
    spreads = {value: seconds(measured, engine, axis.setting(value)) for value in axis.values}
    fitted = _fit({float(np.log(value)): float(np.log(s.median)) for value, s in spreads.items() if s})
    return fitted.slope if fitted else None


def memory_line(measured: Measured, engine: str, of: Callable[[Measured, str, Setting], float | None]) -> Line | None:
    """Bytes of `peak` or `resident` against multiples of the examples."""
    values = {value: of(measured, engine, EXAMPLES.setting(value)) for value in EXAMPLES.values}
    return _fit({float(value): size for value, size in values.items() if size is not None})


def _fit(points: dict[float, float]) -> Line | None:
    if len(points) <= 1:
        return None
    return Line(*map(float, np.polyfit(list(points), list(points.values()), 1)))


def to_floor(measured: Measured, engine: str, setting: Setting) -> float | None:
    """Epoch against floor."""
    spread, floor = seconds(measured, engine, setting), seconds(measured, FLOOR, setting)
    return spread.median / floor.median if spread and floor else None


def to_default(measured: Measured, engine: str, setting: Setting) -> float | None:
    """Epoch against that of the default run."""
    spread, default = seconds(measured, engine, setting), seconds(measured, engine, Setting())
    return spread.median / default.median if spread and default else None


def to_one_thread(measured: Measured, engine: str, setting: Setting) -> float | None:
    """How many times faster than with one thread."""
    spread, alone = seconds(measured, engine, setting), seconds(measured, engine, setting._replace(threads=1))
    return alone.median / spread.median if spread and alone else None


def first_at_the_limit(measured: Measured, engine: str, axis: Axis) -> str:
    """The first value of an axis at which an epoch takes no more than `AT_THE_LIMIT` floors."""
    ratios = {value: to_floor(measured, engine, axis.setting(value)) for value in axis.values}
    known = {value: ratio for value, ratio in ratios.items() if ratio is not None}
    return _first((axis.label(value), ratio <= AT_THE_LIMIT) for value, ratio in known.items())


def second_thread_pays(measured: Measured, engine: str) -> str:
    """The first width at which every repeat with two threads was faster than every one with one."""
    pairs = {
        setting.width: (seconds(measured, engine, setting), seconds(measured, engine, setting._replace(threads=1)))
        for setting in SECOND_THREAD
    }
    return _first((WIDTH.label(width), two.max < one.min) for width, (two, one) in pairs.items() if two and one)


def _first(reached: Iterable[tuple[str, bool]]) -> str:
    known = dict(reached)
    return next((label for label, yes in known.items() if yes), NOT_REACHED if known else NOT_MEASURED)
