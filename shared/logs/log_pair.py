"""Two results of any program's runs: how far apart they lie.

For such runs the noise floor, how far rounding alone carries a run, can't be measured. So nothing here says that the
two match: only where they differ by more than their files can hide, and how far.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from shared.comparing import checks
from shared.comparing.checks import first_beyond
from shared.logs.formats.names import is_measure
from shared.logs.loss_logs import EPOCH, LossLog
from shared.logs.sources import Source, read_source
from shared.logs.tensor_pairs import Tensors, compare_tensors
from shared.system.errors import InputError

LETTERS = ("A", "B")  # what the two are called, whatever their files are called
LOSS = "loss"
Written = tuple[np.ndarray, np.ndarray, np.ndarray]  # steps, values, and how far each can be from what is written


@dataclass(frozen=True)
class Column:
    """A quantity that both logs have, at the steps at which both have it. N > 0."""

    name: str  # what both call it, as `LossLog.series` does
    steps: np.ndarray  # (N,) int64
    values: np.ndarray  # (2, N) float64
    gap: np.ndarray  # (N,) float64: absolute difference; infinite where either is not finite, or both
    resolution: np.ndarray  # (N,) float64: how far apart the two files can write one and the same number
    only: tuple[np.ndarray, np.ndarray]  # the steps that only A has, and only B

    @property
    def first_difference(self) -> int | None:
        """Index of the first common step at which what is written differs."""
        return first_beyond(self.gap, 0.0)

    @property
    def first_apart(self) -> int | None:
        """Index of the first common step at which the two differ by more than the files can hide."""
        return first_beyond(self.gap, self.resolution)

    @property
    def diverged(self) -> int | None:
        """Index of the first common step at which they have diverged, as `checks.first_divergence_step` means it."""
        return first_beyond(self.gap, checks.DIVERGED_ULPS * np.maximum.accumulate(self.resolution))

    @property
    def largest(self) -> int:
        """Index of the largest difference."""
        return int(self.gap.argmax())


@dataclass(frozen=True)
class Losses(Column):
    """Two logs: their losses, and every other column that both have."""

    logs: tuple[LossLog, LossLog]
    columns: Mapping[str, Column] = field(default_factory=dict)  # beside the loss, in A's order
    # The columns that are not compared: that A alone has, or B alone; and those that both have at no common step.
    lone: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    unmet: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What the steps count: "step" or "epoch"."""
        return next((log.counts for log in self.logs if log.counts), "step")

    @property
    def apart(self) -> tuple[str, ...]:
        """The names of the other columns that differ by more than the files can hide."""
        return tuple(name for name, column in self.columns.items() if column.first_apart is not None)

    @property
    def agree(self) -> bool:
        """Whether both have the same steps, and no column differs anywhere by more than the files can hide."""
        return self.first_apart is None and not self.apart and not any(len(steps) for steps in self.only)


@dataclass(frozen=True)
class Pair:
    """The two, and what they have in common: losses, weights or both."""

    sources: tuple[Source, Source]
    losses: Losses | None
    tensors: Tensors | None

    @property
    def agree(self) -> bool:
        return all(part.agree for part in (self.losses, self.tensors) if part is not None)


def compare(a: Path, b: Path, pythons: Mapping[str, Path] | None = None) -> Pair:
    """Read both and compare what they have in common. Raises InputError where that is nothing.

    `pythons` are those that a user named, by framework: weights may need one to be read.
    """
    pair = read_source(a, pythons), read_source(b, pythons)
    losses = compare_logs(pair) if all(source.log for source in pair) else None
    tensors = compare_weights(pair) if all(source.weights for source in pair) else None
    if losses is None and tensors is None:
        held = " and ".join(f"{source.path} holds {'losses' if source.log else 'weights'}" for source in pair)
        raise InputError(f"{held}, which can't be compared; give two of one kind")
    return Pair(pair, losses, tensors)


def compare_logs(sources: tuple[Source, Source]) -> Losses:
    """Compare at the steps that both have. Raises InputError where there are none, or they count different things."""
    a, b = (source.log for source in sources)
    assert a is not None
    assert b is not None
    names = f"{sources[0].path} and {sources[1].path}"
    if a.counts and b.counts and a.counts != b.counts:
        cure = "give both logs by step, or both by epoch"
        raise InputError(f"{names} count different things, {a.counts}s and {b.counts}s; {cure}")
    b = _numbered_alike(a, b)
    loss = _compared(LOSS, (a.steps, a.losses, a.resolution), (b.steps, b.losses, b.resolution))
    if loss is None:
        ranges = " and ".join(f"{log.steps[0]} to {log.steps[-1]}" for log in (a, b))
        raise InputError(f"{names} have no step in common: {ranges}; number both in the same way")
    met = {name: _compared_series(name, a, b) for name in a.series if name in b.series and is_measure(name)}
    lone = [tuple(n for n in x.series if n not in y.series and is_measure(n)) for x, y in ((a, b), (b, a))]
    return Losses(
        *(loss.name, loss.steps, loss.values, loss.gap, loss.resolution, loss.only),
        logs=(a, b),
        columns={name: column for name, column in met.items() if column is not None},
        lone=(lone[0], lone[1]),
        unmet=tuple(name for name, column in met.items() if column is None),
    )


def _numbered_alike(a: LossLog, b: LossLog) -> LossLog:
    """B with A's numbers, where the two begin one apart, as who counts from 0 and who counts from 1 do.

    Not where a number that both have stands for equal losses. Epochs from 0 and from 1 each begin with the first; steps
    are taken so only where the first losses are equal, or where no step would meet.
    """
    firsts = int(a.steps[0]), int(b.steps[0])
    epochs = EPOCH in (a.counts, b.counts)
    in_a, in_b = common(a.steps, b.steps)
    if abs(firsts[0] - firsts[1]) != 1 or (in_a.any() and _equal(a, b, int(in_a.argmax()), int(in_b.argmax()))):
        return b
    if in_a.any() and not (0 in firsts if epochs else _equal(a, b, 0, 0)):
        return b
    unit = EPOCH if epochs else "step"
    note = (
        f"Its {unit} {firsts[1]} is taken for {unit} {firsts[0]} of A: the first of both, each counted in its own way."
    )
    moved = {name: replace(s, steps=s.steps + firsts[0] - firsts[1]) for name, s in b.series.items()}
    return replace(b, steps=b.steps + firsts[0] - firsts[1], series=moved, notes=(*b.notes, note))


def _equal(a: LossLog, b: LossLog, at_a: int, at_b: int) -> bool:
    """Whether a loss of A and one of B are equal as far as the files, and rounding in float32, can tell."""
    losses = np.array([a.losses[at_a], b.losses[at_b]])
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities; a NaN is within nothing
        rounding = checks.DIVERGED_ULPS * np.spacing(np.abs(losses).max().astype(np.float32))
        return bool(abs(losses[0] - losses[1]) <= a.resolution[at_a] + b.resolution[at_b] + rounding)


def _compared_series(name: str, a: LossLog, b: LossLog) -> Column | None:
    one, other = (log.series[name] for log in (a, b))
    return _compared(name, (one.steps, one.values, one.resolution), (other.steps, other.values, other.resolution))


def _compared(name: str, a: Written, b: Written) -> Column | None:
    """Compare at the steps that both have. None where there are none."""
    (steps_a, values_a, resolution_a), (steps_b, values_b, resolution_b) = a, b
    in_a, in_b = common(steps_a, steps_b)
    if not in_a.any():
        return None
    values = np.array([values_a[in_a], values_b[in_b]])
    finite = np.isfinite(values).all(axis=0)
    gap = np.full(len(finite), np.inf)
    gap[finite] = np.abs(values[0, finite] - values[1, finite])
    resolution = np.where(finite, resolution_a[in_a] + resolution_b[in_b], 0.0)
    return Column(name, steps_a[in_a], values, gap, resolution, (steps_a[~in_a], steps_b[~in_b]))


def common(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of `a` (N,) are in `b` (M,) and the other way round, bool; both rise strictly."""
    in_b, in_a = (np.minimum(np.searchsorted(to, of), len(to) - 1) for to, of in ((b, a), (a, b)))
    return b[in_b] == a, a[in_a] == b


def compare_weights(sources: tuple[Source, Source]) -> Tensors:
    """Compare by name, else by order and shape. Raises InputError where nothing meets."""
    a, b = (source.weights for source in sources)
    assert a is not None
    assert b is not None
    return compare_tensors([source.path for source in sources], a, b)
