"""Two run records -> how far apart they are, check by check, and whether that is what rounding explains.

The rule is stated in `judge` and explained in docs/parity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shared import metrics
from shared.network import Weights
from shared.running.record import Run


@dataclass(frozen=True)
class Difference:
    """The largest absolute difference between two tensors. Never a mean: one wrong element is a difference."""

    absolute: float
    tensor: str
    unit: float  # one unit in the last place of the tensor's largest magnitude, in the coarser of the two dtypes

    @property
    def ulps(self) -> float:
        return self.absolute / self.unit


Ladder = dict[str, list[Difference]]


def difference(tensor: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """Infinite where either holds a value that is not finite, on one side or on both, or the shapes differ."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Difference(np.inf, tensor, 1.0)
    absolute = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
    coarser = a.dtype if a.dtype.itemsize < b.dtype.itemsize else b.dtype
    unit = float(np.spacing(max(np.abs(a).max(), np.abs(b).max()).astype(coarser)))
    return Difference(absolute, tensor, unit)


def largest(differences: Sequence[Difference]) -> Difference:
    return max(differences, key=lambda d: d.absolute)


def ladder(a: Run, b: Run) -> Ladder:
    """The differences of two runs of the same spec, from the first number to the last, per tensor.

    The first checks compare one step from the same weights; each later one rests on those before it.
    """
    checks: Ladder = {}
    first_a, first_b = a.at(0), b.at(0)
    for name in ("input", "logits", "loss"):
        checks[name] = [difference(name, first_a[name], first_b[name])]
    checks["gradients"] = _by_name(a.at(0, "gradient"), b.at(0, "gradient"))
    spec = a.record.spec
    for label, step in (("1 step", 1), ("10 steps", 10), ("1 epoch", spec.steps_per_epoch)):
        if step < spec.steps:
            checks[f"weights after {label}"] = _by_name(a.at(step, "weights"), b.at(step, "weights"))
    checks["final weights"] = _by_name(a.weights, b.weights)
    checks["step losses"] = [difference("step losses", a.step_losses, b.step_losses)]
    checks["test logits"] = [difference("test logits", a.test_logits, b.test_logits)]
    predicted_a, predicted_b = metrics.predictions(a.test_logits), metrics.predictions(b.test_logits)
    changed = (predicted_a != predicted_b) | (predicted_a < 0)  # below zero where there is no prediction
    checks["predictions"] = [Difference(float(changed.sum()), "predictions", 1.0)]
    return checks


def _by_name(a: Weights, b: Weights) -> list[Difference]:
    if a.keys() != b.keys() or not a:
        return [Difference(np.inf, "missing", 1.0)]
    return [difference(name, a[name], b[name]) for name in a]


def unequal_inputs(a: Run, b: Run, but: frozenset[str] = frozenset()) -> list[str]:
    """What the two runs were not given alike: nothing else means anything until this is empty.

    `but` names fields of the spec that may differ.
    """
    names = f"{a.record.framework} and {b.record.framework}"
    reasons = [
        f"{names} ran different specs: {name} {getattr(a.record.spec, name)} and {getattr(b.record.spec, name)}"
        for name in type(a.record.spec).model_fields
        if name not in but and getattr(a.record.spec, name) != getattr(b.record.spec, name)
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
    """What can change bits, is no part of the spec, and is not the same for both runs: a sentence for each."""
    first, second = a.record, b.record
    # A library that one alone rests on is no difference; a variable that only one was given is.
    libraries = [name for name in first.versions if name in second.versions]
    pairs = {"device": [f"{record.device.type} ({record.device.name})" for record in (first, second)]}
    pairs |= {f"version of {name}": [first.versions[name], second.versions[name]] for name in libraries}
    for name in sorted(first.environment.keys() | second.environment.keys()):
        pairs[name] = [record.environment.get(name, "not set") for record in (first, second)]
    return [
        f"{first.framework} and {second.framework} differ in {name}: {x} and {y}."
        for name, (x, y) in pairs.items()
        if x != y
    ]


def not_finite(run: Run) -> list[str]:
    """Where a run's numbers stopped being numbers."""
    reasons = []
    bad_losses = np.flatnonzero(~np.isfinite(run.step_losses))
    if len(bad_losses):
        reasons.append(
            f"{run.record.framework}: the loss is {run.step_losses[bad_losses[0]]} from step {bad_losses[0]}"
        )
    for name, values in (*run.weights.items(), ("test logits", run.test_logits)):
        if not np.isfinite(values).all():
            reasons.append(f"{run.record.framework}: {name} has {int((~np.isfinite(values)).sum())} non-finite values")
    return reasons


# Two runs that each lie within one noise floor of exact arithmetic lie within two of each other; and the floor is
# itself the largest of two or three samples, so twice that. Between sound runs at most 3.0 was measured: see
# docs/parity.md.
LIMIT = 4.0
# Once two runs have diverged they are two trajectories, and the floor is a few samples of how far such lie.
# Between any runs that differ by rounding alone at most 5.8 such floors were measured, by benchmarks/noise.py: in the
# losses and the logits. Their final weights lie up to 10 apart, and say nothing.
DIVERGED_LIMIT = 6.0
# Until two float32 runs part, their step losses differ by a few units in the last place; then, within a few steps, by
# tens, as the picture of the divergence shows. float64 runs have diverged where they lie as far apart, in units of
# float32: a few of their own are noise that grew, and is judged.
DIVERGED_ULPS = 8


def first_divergence_step(a: Run, b: Run) -> int | None:
    """The first step whose loss differs by more than `DIVERGED_ULPS` of float32; None where there is none."""
    gap = np.abs(a.step_losses.astype(np.float64) - b.step_losses.astype(np.float64))
    unit = float(np.spacing(np.abs(a.step_losses).max().astype(np.float32)))
    return first_beyond(gap, DIVERGED_ULPS * unit)


def first_beyond(gap: np.ndarray, bound: np.ndarray | float) -> int | None:
    """Index of the first of `gap` (N,) that is not within its bound, as a NaN never is; None where all are."""
    beyond = np.flatnonzero(~(gap <= bound))
    return int(beyond[0]) if len(beyond) else None


def limit(check: str, diverged: int | None) -> float | None:
    """How many noise floors a check may span, for a pair that diverged at this step; None where it is not judged."""
    if check == "predictions":
        return None  # a count of a few, which follows from the test logits
    early = {"weights after 1 step": 1, "weights after 10 steps": 10}
    if diverged is None or check in ("input", "logits", "loss", "gradients") or diverged >= early.get(check, np.inf):
        return LIMIT
    return None if "weights" in check else DIVERGED_LIMIT


@dataclass(frozen=True)
class Check:
    """One check of the ladder for one pair of runs."""

    name: str
    difference: Difference
    floor: float  # how far rounding alone carried the reference on this check
    limit: float | None
    tensors: list[Difference]

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
    pairs: dict[tuple[str, str], list[Check]]

    @property
    def match(self) -> bool:
        return not self.reasons


def noise_floor(reference: Run, rounding: Sequence[Run]) -> dict[str, float]:
    """Per check, the furthest that rounding alone carried the reference, and at least one unit in the last place.

    `rounding` are runs of the reference that differ from `reference` by rounding alone.
    """
    floor: dict[str, float] = {}
    for other in rounding:
        for name, differences in ladder(reference, other).items():
            floor[name] = max(floor.get(name, 0.0), *(max(d.absolute, d.unit) for d in differences))
    return floor


def judge(runs: Sequence[Run], reference: Run, rounding: Sequence[Run]) -> Verdict:
    """Do `runs` (the two frameworks) match each other, and the reference?

    They match when they were given the same inputs, every number is finite, and on every check of the ladder every
    pair lies within `limit` noise floors. The floor is measured, in the same comparison, on the reference, so an error
    in a framework can't widen it.
    """
    everyone = [*runs, reference]
    reasons = [reason for run in everyone for reason in not_finite(run)]
    for other in everyone[1:]:
        reasons += unequal_inputs(everyone[0], other, but=frozenset({"device", "engine"}))
    for other in rounding:
        reasons += not_finite(other)
        reasons += unequal_inputs(reference, other, but=frozenset({"device", "engine", "dtype"}))
    if reasons:
        return Verdict(reasons, {})
    floor = noise_floor(reference, rounding)
    pairs = {}
    for a, b in combinations(everyone, 2):
        pair = (a.record.framework, b.record.framework)
        diverged = first_divergence_step(a, b)
        pairs[pair] = [
            Check(name, largest(ds), floor[name], limit(name, diverged), ds) for name, ds in ladder(a, b).items()
        ]
        reasons += [
            f"{' and '.join(pair)} differ in {check.name} ({check.difference.tensor}) by "
            f"{check.difference.absolute:.1e}, {check.factor:.3g} times what rounding alone does"
            for check in pairs[pair]
            if not check.passes
        ]
    return Verdict(reasons, pairs)
