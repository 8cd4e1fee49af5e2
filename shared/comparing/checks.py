"""What is compared of two run records, from the first number to the last, and whether rounding explains the difference.

A check is data: its name, what it compares, and its limit. Everything else iterates over `checks_of`. The rule is
stated in `judge` and explained in docs/parity.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shared import metrics
from shared.execution import Execution
from shared.network import Weights, hidden_layers
from shared.running.record import FEW_STEPS, Run
from shared.training import Training

# Two runs that each lie within one noise floor of exact arithmetic lie within two of each other; and the floor is
# itself the largest of two or three samples, so twice that. Between sound runs at most 3.0 was measured: see
# docs/parity.md.
LIMIT = 4.0
# Once two runs have diverged they are two trajectories, and the noise floor is a few samples of how far apart such lie.
# Between runs that differ by rounding alone benchmarks/noise.py measured at most 5.8 such floors, in the losses and the
# logits. Their final weights lie up to 10 floors apart, and say nothing.
DIVERGED_LIMIT = 6.0
# Until two float32 runs diverge, their step losses differ by a few units in the last place; then, within a few steps,
# by tens, as the chart of the divergence shows. For float64 runs the bound is the same, in units of float32: a
# difference of a few units of float64 is noise that has grown, and is judged.
DIVERGED_ULPS = 8


@dataclass(frozen=True)
class Difference:
    """The largest absolute difference between two tensors. Never a mean: one wrong element is a difference."""

    absolute: float
    tensor: str
    unit: float  # one unit in the last place of the tensor's largest magnitude, in the coarser of the two dtypes

    @property
    def ulps(self) -> float:
        return self.absolute / self.unit


def difference(tensor: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """The largest difference; infinite where a value on either side is not finite, or the shapes differ."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Difference(np.inf, tensor, 1.0)
    absolute = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
    coarser = a.dtype if a.dtype.itemsize < b.dtype.itemsize else b.dtype
    unit = float(np.spacing(max(np.abs(a).max(), np.abs(b).max()).astype(coarser)))
    return Difference(absolute, tensor, unit)


def largest(differences: Sequence[Difference]) -> Difference:
    """The largest of all: a check is as good as its worst tensor."""
    return max(differences, key=lambda d: d.absolute)


@dataclass(frozen=True)
class Check:
    """One thing that is compared of every pair of runs."""

    name: str
    arrays: Callable[[Run], Weights]  # of a run, by the name of each tensor
    steps: float = np.inf  # how many the runs have taken by then; inf: all
    # How many noise floors apart two runs may lie that have diverged by then; None: it is then not judged.
    diverged_limit: float | None = None
    is_judged: bool = True
    is_count: bool = False  # whether it counts examples

    def compare(self, a: Run, b: Run) -> list[Difference]:
        """The difference of each tensor. Infinite where the two don't hold the same tensors."""
        first, second = self.arrays(a), self.arrays(b)
        if first.keys() != second.keys() or not first:
            return [Difference(np.inf, "missing", 1.0)]
        if self.is_count:
            return [_count(name, first[name], second[name]) for name in first]
        return [difference(name, first[name], second[name]) for name in first]

    def limit(self, diverged: int | None) -> float | None:
        """How many noise floors apart a pair may lie that diverged at this step; None where it is not judged."""
        if not self.is_judged:
            return None
        return LIMIT if diverged is None or self.steps <= diverged else self.diverged_limit


def _count(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """How many predictions differ, or are missing: those are below zero."""
    return Difference(float(((a != b) | (a < 0)).sum()), name, 1.0)


def _first(name: str) -> Check:
    """A check of something that the first step computes, from the same weights."""
    return Check(name, lambda run: {name: run.at(0)[name]}, steps=0)


def _weights(steps: int, name: str) -> Check:
    return Check(f"weights after {name}", lambda run: run.at(steps, "weights"), steps)


INPUT, LOGITS, LOSS = (_first(name) for name in ("input", "logits", "loss"))
GRADIENTS = Check("gradients", lambda run: run.at(0, "gradient"), steps=0)
ONE_STEP, FEW = _weights(1, "1 step"), _weights(FEW_STEPS, f"{FEW_STEPS} steps")
# Within an epoch the weights may diverge before the losses show it: so this is judged only where runs never diverge.
ONE_EPOCH = Check("weights after 1 epoch", lambda run: run.at(run.record.training.steps_per_epoch, "weights"))
FINAL_WEIGHTS = Check("final weights", lambda run: run.weights)
STEP_LOSSES = Check("step losses", lambda run: {"step losses": run.step_losses}, diverged_limit=DIVERGED_LIMIT)
TEST_LOGITS = Check("test logits", lambda run: {"test logits": run.test_logits}, diverged_limit=DIVERGED_LIMIT)
# A small count, which follows from the test logits.
PREDICTIONS = Check(
    "predictions", lambda run: {"predictions": metrics.predictions(run.test_logits)}, is_judged=False, is_count=True
)


def checks_of(training: Training) -> list[Check]:
    """Every check of two such runs. The first ones compare one step from the same weights; later ones build on them."""
    layers = [_first(layer) for layer in hidden_layers(training)]
    on_the_way = [check for check in (ONE_STEP, FEW) if check.steps < training.steps]
    on_the_way += [ONE_EPOCH] * (training.epochs > 1)
    return [INPUT, *layers, LOGITS, LOSS, GRADIENTS, *on_the_way, FINAL_WEIGHTS, STEP_LOSSES, TEST_LOGITS, PREDICTIONS]


def unequal_inputs(a: Run, b: Run, *, but: frozenset[str] = frozenset()) -> list[str]:
    """What the two runs were given that is not the same. Unless this is empty, nothing else has a meaning.

    `but` names fields of the training that may differ.
    """
    names = f"{a.record.framework} and {b.record.framework}"
    first, second = a.record.training, b.record.training
    reasons = [
        f"{names} were trained differently: {name} {getattr(first, name)} and {getattr(second, name)}"
        for name in Training.model_fields
        if name not in but and getattr(first, name) != getattr(second, name)
    ]
    data_a, data_b = a.record.data_checksum, b.record.data_checksum
    splits = sorted(data_a.keys() | data_b.keys())
    reasons += [f"{names} hold different {s} data" for s in splits if data_a.get(s) != data_b.get(s)]
    orders = zip(a.record.order_checksums, b.record.order_checksums, strict=False)
    for epoch, (order_a, order_b) in enumerate(orders, start=1):
        if order_a != order_b:
            reasons.append(f"{names} saw the examples of epoch {epoch} in different orders")
            break
    if len(a.step_losses) != len(b.step_losses):
        reasons.append(f"{names} took different numbers of steps: {len(a.step_losses)} and {len(b.step_losses)}")
    return reasons


def unequal_surroundings(a: Run, b: Run) -> list[str]:
    """What differs between the runs, can change bits and is no part of the training: a sentence for each."""
    records = first, second = a.record, b.record
    pairs = {name: [str(getattr(record.execution, name)) for record in records] for name in Execution.model_fields}
    pairs["device"] = [f"{record.device.type} ({record.device.name})" for record in records]
    # A library that only one of them uses is no difference; an environment variable that only one was given is.
    for name in (name for name in first.versions if name in second.versions):
        pairs[f"version of {name}"] = [record.versions[name] for record in records]
    for name in sorted(first.environment.keys() | second.environment.keys()):
        pairs[name] = [record.environment.get(name, "not set") for record in records]
    return [
        f"{first.framework} and {second.framework} differ in {name}: {x} and {y}."
        for name, (x, y) in pairs.items()
        if x != y
    ]


def not_finite(run: Run) -> list[str]:
    """Where a run is not finite: a sentence for each place."""
    name = run.record.framework
    reasons = []
    bad_losses = np.flatnonzero(~np.isfinite(run.step_losses))
    if len(bad_losses):
        reasons.append(f"{name}: the loss is {run.step_losses[bad_losses[0]]} from step {bad_losses[0]}")
    for tensor, values in (*run.weights.items(), ("test logits", run.test_logits)):
        if not np.isfinite(values).all():
            reasons.append(f"{name}: {tensor} has {int((~np.isfinite(values)).sum())} non-finite values")
    return reasons


def first_divergence_step(a: Run, b: Run) -> int | None:
    """The first step whose loss differs by more than `DIVERGED_ULPS` of float32; None where there is none."""
    gap = np.abs(a.step_losses.astype(np.float64) - b.step_losses.astype(np.float64))
    unit = float(np.spacing(np.abs(a.step_losses).max().astype(np.float32)))
    return first_beyond(gap, DIVERGED_ULPS * unit)


def first_beyond(gap: np.ndarray, bound: np.ndarray | float) -> int | None:
    """Index of the first of `gap` (N,) that is not within its bound, as a NaN never is; None where all are."""
    beyond = np.flatnonzero(~(gap <= bound))
    return int(beyond[0]) if len(beyond) else None


@dataclass(frozen=True)
class Result:
    """What a check found for one pair of runs."""

    check: Check
    tensors: list[Difference]
    floor: float  # how far rounding alone carried the reference in this check
    limit: float | None  # how many noise floors; None where it is not judged

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def difference(self) -> Difference:
        """The largest of all tensors."""
        return largest(self.tensors)

    @property
    def factor(self) -> float:
        """The difference as a multiple of the floor."""
        return self.difference.absolute / self.floor

    @property
    def passes(self) -> bool:
        return self.limit is None or self.factor <= self.limit


@dataclass(frozen=True)
class Verdict:
    """Whether the runs match; if not, why."""

    reasons: list[str]
    pairs: dict[tuple[str, ...], list[Result]]  # by the names of two implementations

    @property
    def match(self) -> bool:
        return not self.reasons

    @property
    def odd_one_out(self) -> str | None:
        """The implementation that is in every failing pair; None where there is no single one."""
        failing = [set(pair) for pair, results in self.pairs.items() if not all(result.passes for result in results)]
        common = set.intersection(*failing) if failing else set()
        return common.pop() if len(common) == 1 else None


def noise_floor(reference: Run, rounding: Sequence[Run]) -> dict[str, float]:
    """By check, how far rounding alone carried the reference, and at least one unit in the last place.

    `rounding` are runs of the reference that differ from `reference` by rounding alone.
    """
    floor: dict[str, float] = {}
    for other in rounding:
        for check in checks_of(reference.record.training):
            differences = check.compare(reference, other)
            floor[check.name] = max(floor.get(check.name, 0.0), *(max(d.absolute, d.unit) for d in differences))
    return floor


def judge(runs: Sequence[Run], reference: Run, rounding: Sequence[Run]) -> Verdict:
    """Do `runs` (of the frameworks) match each other, and the reference?

    They match when they were given the same inputs, every number is finite, and in every check every pair lies within
    `limit` noise floors. The floor is measured on the reference, in the same comparison, so a mistake in a framework
    can't widen it.
    """
    everyone = [*runs, reference]
    reasons = [reason for run in everyone for reason in not_finite(run)]
    for other in everyone[1:]:
        reasons += unequal_inputs(everyone[0], other)
    for other in rounding:
        reasons += not_finite(other)
        reasons += unequal_inputs(reference, other, but=frozenset({"dtype"}))
    if reasons:
        return Verdict(reasons, {})
    floor = noise_floor(reference, rounding)
    pairs: dict[tuple[str, ...], list[Result]] = {}
    for a, b in combinations(everyone, 2):
        pair = (a.record.framework, b.record.framework)
        diverged = first_divergence_step(a, b)
        pairs[pair] = [
            Result(check, check.compare(a, b), floor[check.name], check.limit(diverged))
            for check in checks_of(reference.record.training)
        ]
        reasons += [
            f"{' and '.join(pair)} differ in {result.name} ({result.difference.tensor}) by "
            f"{result.difference.absolute:.1e}, {result.factor:.3g} times what rounding alone does"
            for result in pairs[pair]
            if not result.passes
        ]
    return Verdict(reasons, pairs)
