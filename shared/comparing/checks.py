"""What two run records are compared in, from the first number to the last, and the verdict of a comparison.

Each framework's run is judged alone, by `verification`. How far two runs lie apart is shown beside how far rounding
alone carries the reference, and not judged: two whole trajectories diverge, however sound they are. A check is data:
its name, and what it compares. docs/parity.md explains it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shared import metrics
from shared.comparing.verification import Verification
from shared.execution import Execution
from shared.network import Weights, hidden_layers
from shared.running.record import FEW_STEPS, Run
from shared.training import Training

# Until two float32 runs diverge, their step losses differ by a few units in the last place; then, within a few steps,
# by tens, as the chart of the divergence shows. For float64 runs the bound is the same, in units of float32.
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
    is_count: bool = False  # whether it counts examples

    def compare(self, a: Run, b: Run) -> list[Difference]:
        """The difference of each tensor. Infinite where the two don't hold the same tensors."""
        first, second = self.arrays(a), self.arrays(b)
        if first.keys() != second.keys() or not first:
            return [Difference(np.inf, "missing", 1.0)]
        if self.is_count:
            return [_count(name, first[name], second[name]) for name in first]
        return [difference(name, first[name], second[name]) for name in first]


def _count(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """How many predictions differ, or are missing: those are below zero."""
    return Difference(float(((a != b) | (a < 0)).sum()), name, 1.0)


def _first(name: str) -> Check:
    """A check of something that the first step computes, from the same weights."""
    return Check(name, lambda run: {name: run.at(0)[name]})


def _weights(steps: int, name: str) -> Check:
    return Check(f"weights after {name}", lambda run: run.at(steps, "weights"))


INPUT, LOGITS, LOSS = (_first(name) for name in ("input", "logits", "loss"))
GRADIENTS = Check("gradients", lambda run: run.at(0, "gradient"))
ONE_EPOCH = Check("weights after 1 epoch", lambda run: run.at(run.record.training.steps_per_epoch, "weights"))
FINAL_WEIGHTS = Check("final weights", lambda run: run.weights)
STEP_LOSSES = Check("step losses", lambda run: {"step losses": run.step_losses})
TEST_LOGITS = Check("test logits", lambda run: {"test logits": run.test_logits})
PREDICTIONS = Check("predictions", lambda run: {"predictions": metrics.predictions(run.test_logits)}, is_count=True)


def checks_of(training: Training) -> list[Check]:
    """Every check of two such runs. The first ones compare one step from the same weights; later ones build on them."""
    layers = [_first(layer) for layer in hidden_layers(training)]
    few = {1: "1 step", FEW_STEPS: f"{FEW_STEPS} steps"}
    on_the_way = [_weights(steps, name) for steps, name in few.items() if steps < training.steps]
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
    # The same data is not the same numbers in another precision.
    splits = sorted(data_a.keys() | data_b.keys()) if first.dtype == second.dtype else []
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
    floors: dict[str, float]  # by tensor: how far rounding alone carried the reference in it

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def difference(self) -> Difference:
        """That of the tensor in which the two lie most floors apart."""
        return max(self.tensors, key=self._floors_apart)

    @property
    def floor(self) -> float:
        """That of the same tensor."""
        return self.floors.get(self.difference.tensor, self.difference.unit)

    @property
    def factor(self) -> float:
        """The difference as a multiple of the floor."""
        return self._floors_apart(self.difference)

    def _floors_apart(self, difference: Difference) -> float:
        return difference.absolute / self.floors.get(difference.tensor, difference.unit)


@dataclass(frozen=True)
class Verdict:
    """Whether the runs match; if not, why."""

    reasons: list[str]
    pairs: dict[tuple[str, ...], list[Result]]  # by the names of two implementations
    verified: Mapping[str, Verification]  # by framework

    @property
    def match(self) -> bool:
        return not self.reasons

    @property
    def odd_one_out(self) -> str | None:
        """The only framework whose run is not what its configuration demands; None where there is no single one."""
        wrong = [name for name, found in self.verified.items() if found.reasons]
        return wrong[0] if len(wrong) == 1 else None


def noise_floors(reference: Run, rounding: Sequence[Run]) -> dict[str, dict[str, float]]:
    """By check and tensor, how far rounding alone carried the reference, and at least one unit in the last place.

    `rounding` are runs of the reference that differ from `reference` by rounding alone.
    """
    floors: dict[str, dict[str, float]] = {}
    for other in rounding:
        for check in checks_of(reference.record.training):
            of_check = floors.setdefault(check.name, {})
            for found in check.compare(reference, other):
                of_check[found.tensor] = max(of_check.get(found.tensor, 0.0), found.absolute, found.unit)
    return floors


def unusable(runs: Sequence[Run], reference: Run, rounding: Sequence[Run]) -> list[str]:
    """Why nothing can be judged: numbers that are not finite, and inputs that are not the same."""
    everyone = [*runs, reference]
    reasons = [reason for run in everyone for reason in not_finite(run)]
    for other in everyone[1:]:
        reasons += unequal_inputs(everyone[0], other)
    for other in rounding:
        reasons += not_finite(other)
        reasons += unequal_inputs(reference, other, but=frozenset({"dtype"}))
    return reasons


def judge(
    runs: Sequence[Run], reference: Run, rounding: Sequence[Run], verified: Mapping[str, Verification]
) -> Verdict:
    """Do `runs` (of the frameworks) match?

    They match when they were given the same inputs, every number is finite, and each was verified: every number that it
    recorded follows from its configuration. `verified` are the verifications, by framework.
    """
    if reasons := unusable(runs, reference, rounding):
        return Verdict(reasons, {}, {})
    for name in (run.record.framework for run in runs):
        reasons += verified[name].reasons if name in verified else [f"{name}'s run was not verified"]
    floors = noise_floors(reference, rounding)
    pairs: dict[tuple[str, ...], list[Result]] = {}
    for a, b in combinations([*runs, reference], 2):
        pairs[a.record.framework, b.record.framework] = [
            Result(check, check.compare(a, b), floors[check.name]) for check in checks_of(reference.record.training)
        ]
    return Verdict(reasons, pairs, verified)
