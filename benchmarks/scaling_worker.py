"""Measure one point of benchmarks/scaling.py, in this process."""

import functools
import importlib
import math
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scaling_points import ENGINES, FLOOR, Point, Sample
from shared.mnist import Examples
from shared.network import initial_weights
from shared.running import batches
from shared.running.clock import Clock
from shared.spec import CLASSES, PIXELS, TRAIN_EXAMPLES, Spec

LEAST_STEPS = 24
# Only a process that has PyTorch could ask for pytorch_impl.fast.STEPS, the steps it takes in a call. What is timed is
# a multiple of it; LEAST_STEPS is one.
AT_ONCE = 8


def measure(point: Point, seconds: float) -> Sample:
    """Time a point for about `seconds`, after a warm-up."""
    return measure_floor(point, seconds) if point.engine == FLOOR else measure_engine(point, seconds)


def measure_engine(point: Point, seconds: float) -> Sample:
    """Set up as a run does, with the training examples repeated, and time its epoch."""
    engine, spec, clock = ENGINES[point.engine], point.setting.spec, Clock()
    implementation = importlib.import_module(engine.module).load()
    device = implementation.runtime.configure(spec)
    # Held to the end, as part of what grows; a run lets go of the pixels.
    examples = repeated(implementation.data.read("train"), point.setting.examples)
    dataset = implementation.data.to_dataset(examples, spec, device)
    model = implementation.model.build(spec, initial_weights(spec), device)
    optimizer = implementation.optimizers.make_optimizer(spec, model)
    _, module = implementation.run_by(engine.engine)
    with clock("warm-up"):
        module.warm_up(spec, model, optimizer, dataset)

    order = np.random.default_rng(spec.seed).permutation(len(examples.labels))

    def take(some: Sequence[np.ndarray]) -> None:
        module.train_steps(model, optimizer, dataset, some, _unheard)

    epoch, steps = time_epoch(take, batches.split(order, spec.batch_size), seconds)
    return Sample(epoch, steps, clock.seconds["warm-up"], resident_bytes(), implementation.runtime.versions())


def _unheard(steps: int) -> None:
    """Nobody watches the progress of a worker."""


def repeated(examples: Examples, times: int) -> Examples:
    return Examples(np.tile(examples.images, (times, 1)), np.tile(examples.labels, times)) if times > 1 else examples


def time_epoch(
    take: Callable[[Sequence[np.ndarray]], object], epoch: Sequence[np.ndarray], seconds: float
) -> tuple[float, int]:
    """The seconds of an epoch, and how many steps were timed to tell.

    Whole epochs where one fits into `seconds`, as they are, with what a short last batch costs. Else as many full
    batches as fit, but `LEAST_STEPS`, and for an epoch the time of so many more examples.
    """
    take([*epoch[:AT_ONCE], epoch[-1]])  # the first of each shape may be slower
    fitting = int(seconds / (elapsed(take, epoch[:AT_ONCE]) / AT_ONCE))
    full = len(epoch) - (len(epoch[-1]) < len(epoch[0]))
    if fitting >= len(epoch) or full < LEAST_STEPS:
        epochs = max(fitting // len(epoch), math.ceil(LEAST_STEPS / len(epoch)))
        return sum(elapsed(take, epoch) for _ in range(epochs)) / epochs, epochs * len(epoch)
    timed = epoch[: max(fitting - fitting % AT_ONCE, LEAST_STEPS)]
    return elapsed(take, timed) * sum(map(len, epoch)) / sum(map(len, timed)), len(timed)


def elapsed(function: Callable[..., object], *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def resident_bytes() -> int | None:
    """The memory that this process holds now; None where there is no /proc."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else None


def measure_floor(point: Point, seconds: float) -> Sample:
    """Time what no implementation can do without: the matrix products of a step."""
    import torch

    spec = point.setting.spec
    torch.set_num_threads(spec.threads)
    multiply = [functools.partial(torch.mm, a, b, out=out) for a, b, out in products(spec)]

    def take(steps: int) -> None:
        for _ in range(steps):
            for product in multiply:
                product()

    take(AT_ONCE)
    steps = max(int(seconds / (elapsed(take, AT_ONCE) / AT_ONCE)), LEAST_STEPS)
    epoch = elapsed(take, steps) / steps * TRAIN_EXAMPLES / spec.batch_size
    return Sample(epoch, steps, 0.0, resident_bytes(), {"torch": torch.__version__})


def products(spec: Spec) -> list[tuple[Any, Any, Any]]:
    """The factors and the place of each matrix product of a step: three forward, three and two backward.

    Their operands are laid out as in the training, a weight as (out, in).
    """
    import torch

    units = (PIXELS, *spec.hidden_sizes, CLASSES)
    # What enters each layer and what leaves the last, (B, units); what comes back to each, of the same shape.
    values, deltas = ([torch.randn(spec.batch_size, width) for width in units] for _ in range(2))
    step = []
    for depth, (fan_in, fan_out) in enumerate(pairwise(units)):
        weight = torch.randn(fan_out, fan_in)
        step.append((values[depth], weight.T, torch.empty(spec.batch_size, fan_out)))
        step.append((deltas[depth + 1].T, values[depth], torch.empty(fan_out, fan_in)))
        if depth:  # nothing asks for the gradient by the pixels
            step.append((deltas[depth + 1], weight, torch.empty(spec.batch_size, fan_in)))
    return step
