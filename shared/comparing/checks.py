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
from shared.system.language import join, say, say_number
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
            return [Difference(np.inf, say("missing"), 1.0)]
        if self.is_count:
            return [_count(name, first[name], second[name]) for name in first]
        return [difference(name, first[name], second[name]) for name in first]


def _count(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """How many predictions differ, or are missing: those are below zero."""
    return Difference(float(((a != b) | (a < 0)).sum()), name, 1.0)


def _one(name: str, values: Callable[[Run], np.ndarray], *, is_count: bool = False) -> Check:
    """A check of one tensor, which is called like the check."""
    return Check(name, lambda run: {name: values(run)}, is_count)


def _first(name: str) -> Check:
    """A check of something that the first step computes, from the same weights."""
    return _one(name, lambda run: run.at(0)[name])


def _weights(steps: int) -> Check:
    name = say_number("weights after {n} step", "weights after {n} steps", n=steps)
    return Check(name, lambda run: run.at(steps, "weights"))


INPUT, LOGITS, LOSS = (_first(name) for name in (say("input"), "logits", say("loss")))
GRADIENTS = Check(say("gradients"), lambda run: run.at(0, "gradient"))
ONE_EPOCH = Check(say("weights after 1 epoch"), lambda run: run.at(run.record.training.steps_per_epoch, "weights"))
FINAL_WEIGHTS = Check(say("final weights"), lambda run: run.weights)
STEP_LOSSES = _one(say("step losses"), lambda run: run.step_losses)
TEST_LOGITS = _one(say("test logits"), lambda run: run.test_logits)
PREDICTIONS = _one(say("predictions"), lambda run: metrics.predictions(run.test_logits), is_count=True)


def checks_of(training: Training) -> list[Check]:
    """Every check of two such runs. The first ones compare one step from the same weights; later ones build on them."""
    layers = [_first(layer) for layer in hidden_layers(training)]
    on_the_way = [_weights(steps) for steps in (1, FEW_STEPS) if steps < training.steps]
    on_the_way += [ONE_EPOCH] * (training.epochs > 1)
    return [INPUT, *layers, LOGITS, LOSS, GRADIENTS, *on_the_way, FINAL_WEIGHTS, STEP_LOSSES, TEST_LOGITS, PREDICTIONS]


def unequal_inputs(a: Run, b: Run, *, but: frozenset[str] = frozenset()) -> list[str]:
    """What the two runs were given that is not the same. Unless this is empty, nothing else has a meaning.

    `but` names fields of the training that may differ.
    """
    names = join(say(" and "), [a.record.framework, b.record.framework])
    first, second = a.record.training, b.record.training
    reasons: list[str] = [
        say("{names} were trained differently: {field} {x} and {y}", names=names, field=field, x=x, y=y)
        for field in Training.model_fields
        if field not in but and (x := getattr(first, field)) != (y := getattr(second, field))
    ]
    data_a, data_b = a.record.data_checksum, b.record.data_checksum
    # The same data is not the same numbers in another precision.
    splits = sorted(data_a.keys() | data_b.keys()) if first.dtype == second.dtype else []
    reasons += [
        say("{names} hold different {split} data", names=names, split=split)
        for split in splits
        if data_a.get(split) != data_b.get(split)
    ]
    orders = zip(a.record.order_checksums, b.record.order_checksums, strict=False)
    for epoch, (order_a, order_b) in enumerate(orders, start=1):
        if order_a != order_b:
            reasons.append(
                say("{names} saw the examples of epoch {epoch} in different orders", names=names, epoch=epoch)
            )
            break
    x, y = len(a.step_losses), len(b.step_losses)
    if x != y:
        reasons.append(say("{names} took different numbers of steps: {x} and {y}", names=names, x=x, y=y))
    return reasons


def unequal_surroundings(a: Run, b: Run) -> list[str]:
    """What differs between the runs, can change bits and is no part of the training: a sentence for each."""
    records = first, second = a.record, b.record
    pairs = {name: [str(getattr(record.execution, name)) for record in records] for name in Execution.model_fields}
    pairs["device"] = [f"{record.device.type} ({record.device.name})" for record in records]
    # A library that only one of them uses is no difference; an environment variable that only one was given is.
    for name in (name for name in first.versions if name in second.versions):
        pairs[say("version of {package}", package=name)] = [record.versions[name] for record in records]
    for name in sorted(first.environment.keys() | second.environment.keys()):
        pairs[name] = [record.environment.get(name, say("not set")) for record in records]
    return [
        say("{a} and {b} differ in {what}: {x} and {y}.", a=first.framework, b=second.framework, what=what, x=x, y=y)
        for what, (x, y) in pairs.items()
        if x != y
    ]


def not_finite(run: Run) -> list[str]:
    """Where a run is not finite: a sentence for each place."""
    name = run.record.framework
    reasons: list[str] = []
    bad_losses = np.flatnonzero(~np.isfinite(run.step_losses))
    if len(bad_losses):
        step = int(bad_losses[0])
        loss = float(run.step_losses[step])
        reasons.append(say("{framework}: the loss is {loss} from step {step}", framework=name, loss=loss, step=step))
    for tensor, values in (*run.weights.items(), (TEST_LOGITS.name, run.test_logits)):
        if wrong := int((~np.isfinite(values)).sum()):
            reasons.append(
                say("{framework}: {tensor} has {wrong} non-finite values", framework=name, tensor=tensor, wrong=wrong)
            )
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
        missing = say("{framework}'s run was not verified", framework=name)
        reasons += verified[name].reasons if name in verified else [missing]
    floors = noise_floors(reference, rounding)
    pairs: dict[tuple[str, ...], list[Result]] = {}
    for a, b in combinations([*runs, reference], 2):
        pairs[a.record.framework, b.record.framework] = [
            Result(check, check.compare(a, b), floors[check.name]) for check in checks_of(reference.record.training)
        ]
    return Verdict(reasons, pairs, verified)
