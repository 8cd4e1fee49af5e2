"""benchmarks/scaling.md: how the cost grows, ratios first."""

import textwrap
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.scaling_figures import (
    AT_THE_LIMIT,
    NOT_MEASURED,
    exponent,
    first_at_the_limit,
    memory_line,
    peak,
    resident,
    second_thread_pays,
    seconds,
    to_default,
    to_floor,
    to_one_thread,
)
from benchmarks.scaling_points import (
    AXES,
    BATCH_SIZE,
    ENGINES,
    FLOOR,
    KEEPS_COMPILED,
    SECOND_THREAD,
    WIDTH,
    Axis,
    Measured,
    Point,
    Setting,
)
from shared.spec import PIXELS, TRAIN_EXAMPLES, Spec

# Memory that grows with the examples as fast as their arrays, give or take so much, is the arrays.
ALIKE = 0.05
MIB = 2**20


def report(measured: Measured, about: dict[str, Any]) -> str:
    """The whole file."""
    parts = [
        _head(about),
        _slopes(measured),
        _limits(measured),
        _memory(measured),
        _threads(measured),
        *(_axis(measured, axis) for axis in AXES),
        _warm_up(measured, about),
    ]
    return "\n".join(parts)


def _head(about: dict[str, Any]) -> str:
    machine, default = about["machine"], Spec()
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    hidden = " and ".join(map(str, default.hidden_sizes))
    measured_what = _paragraph(f"""
        ×1 is the default run: {TRAIN_EXAMPLES:,} examples, hidden layers of {hidden} units, batches of
        {default.batch_size}, {default.dtype}, {default.threads} thread, on the CPU. More examples are MNIST's, repeated
        in memory; twice the width is both hidden layers twice as wide. The floor is a step's eight matrix products and
        nothing else, through PyTorch's `mm`, called from Python, into memory that is there already, on one thread: no
        implementation can do without them, though another library may multiply faster.""")
    measured_how = _paragraph(f"""
        Each figure is the median over {about["repeats"]} repeats, each in a process of its own: all engines at one
        setting, then at the next, and all of that again. After a warm-up, whole epochs are timed where one takes less
        than {about["timed_seconds"]:g} s; else as many full batches as fit, at least {about["least_steps"]}, and for
        the epoch their time is multiplied up by the number of examples. `steps_timed` in scaling.json says which.""")
    measured_on = _paragraph(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB; {versions}."
    )
    return f"""# How cost grows

![Time of an epoch and peak memory against examples, width and batch size](scaling.png)

{measured_what}
{measured_how}
{measured_on}"""


def _slopes(measured: Measured) -> str:
    rows = [[name, *(_number(exponent(measured, name, axis)) for axis in AXES)] for name in (*ENGINES, FLOOR)]
    return f"""## Slopes

b of *time of an epoch = a · value^b*, fitted to all points of an axis: 1 is proportional, 0 costs nothing.

{_table(["", *(axis.title.lower() for axis in AXES)], rows)}"""


def _limits(measured: Measured) -> str:
    axes = (WIDTH, BATCH_SIZE)
    rows = [[name, *(first_at_the_limit(measured, name, axis) for axis in axes)] for name in ENGINES]
    return f"""## Where the machine is the limit, and not the overhead

The first value at which an epoch takes no more than {AT_THE_LIMIT} times the floor.

{_table(["", *(axis.title.lower() for axis in axes)], rows)}"""


def _memory(measured: Measured) -> str:
    arrays = TRAIN_EXAMPLES * (PIXELS * (1 + Spec().numpy_dtype.itemsize) + np.dtype(np.int64).itemsize)
    rows = []
    for name in ENGINES:
        lines = [memory_line(measured, name, of) for of in (resident, peak)]
        ratios = [line.slope / arrays if line else None for line in lines]
        fits = [
            f"{line.slope / MIB:,.0f} · n + {line.intercept / MIB:,.0f}" if line else NOT_MEASURED for line in lines
        ]
        verdicts = [
            NOT_MEASURED
            if ratio is None
            else "nothing"
            if ratio <= 1 + ALIKE
            else f"{(ratio - 1) * arrays / MIB:,.0f} MiB"
            for ratio in ratios
        ]
        rows.append(
            [name, *(cell for three in zip(map(_number, ratios), fits, verdicts, strict=True) for cell in three)]
        )
    explained = _paragraph(f"""
        {TRAIN_EXAMPLES:,} examples are arrays of {arrays / MIB:.1f} MiB: pixels as bytes and as {Spec().dtype}, and
        labels. The memory of the process was fitted as MiB = slope · n + intercept, with n in {TRAIN_EXAMPLES:,}
        examples. A slope of once the arrays, give or take {ALIKE:.0%}, says that nothing but the data grows with the
        number of examples. *Held* is while it trains; the *peak* is of the whole process, and so also of what was
        needed for a moment to prepare the data.""")
    head = ["", "held, × arrays", "held, MiB", "beyond the data", "peak, × arrays", "peak, MiB", "beyond the data"]
    return f"## Memory against examples\n\n{explained}\n{_table(head, rows)}"


def _threads(measured: Measured) -> str:
    rows = [
        [
            name,
            *(_number(to_one_thread(measured, name, setting)) for setting in SECOND_THREAD),
            second_thread_pays(measured, name),
        ]
        for name in ENGINES
    ]
    widths = [WIDTH.label(setting.width) for setting in SECOND_THREAD]
    explained = _paragraph("""
        How many times faster two threads are than one, by hidden width; and the first of these widths at which the
        second pays: every repeat with two threads was faster than every one with one.""")
    return f"## A second thread\n\n{explained}\n{_table(['', *widths, 'pays from'], rows)}"


def _axis(measured: Measured, axis: Axis) -> str:
    """All figures of one axis: against the default, against the floor, and as they are."""

    def grid(cell: Callable[[str, Setting], str], *names: str) -> str:
        rows = [[name, *(cell(name, axis.setting(value)) for value in axis.values)] for name in names]
        return _table(["", *map(axis.label, axis.values)], rows)

    def time(name: str, setting: Setting) -> str:
        spread = seconds(measured, name, setting)
        return f"{spread.median:.3g} ({spread.min:.3g}–{spread.max:.3g})" if spread else NOT_MEASURED

    def memory(name: str, setting: Setting) -> str:
        size = peak(measured, name, setting)
        return f"{size / MIB:,.0f}" if size else NOT_MEASURED

    return f"""## {axis.title}

Time of an epoch against the default run's:

{grid(lambda name, setting: _number(to_default(measured, name, setting)), *ENGINES, FLOOR)}
Against the floor:

{grid(lambda name, setting: _number(to_floor(measured, name, setting)), *ENGINES)}
Seconds (smallest and largest of the repeats):

{grid(time, *ENGINES, FLOOR)}
Peak memory of the process, MiB:

{grid(memory, *ENGINES)}"""


def _warm_up(measured: Measured, about: dict[str, Any]) -> str:
    rows = []
    for name in ENGINES:
        all_of_it = [s.warm_up_seconds for point, samples in measured.items() if point.engine == name for s in samples]
        by_default = [sample.warm_up_seconds for sample in measured.get(Point(name, Setting()), [])]
        rows.append([name, _number(median(by_default) if by_default else None), _number(max(all_of_it, default=None))])
    compiled = about["first_compile_seconds"]
    first = ""
    if compiled:
        first = _paragraph(f"""
            {KEEPS_COMPILED} keeps what it compiles, for each width, batch size, number of examples and of threads.
            Before anything was measured it was run once at each, and its warm-up took {min(compiled):.3g} to
            {max(compiled):.3g} s: the most where it had to compile, the least where an earlier run had.""")
    return f"""## Before the first step

Seconds to compile or trace, or to load what was compiled. They are in no other figure.

{_table(["", "default run", "at most"], rows)}
{first}"""


def _paragraph(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120) + "\n"


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
