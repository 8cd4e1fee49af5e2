"""The comparison of the two frameworks, and its proof."""

import functools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.comparing import checks, first_divergence
from shared.comparing.checks import Verdict
from shared.comparing.first_divergence import FirstDivergence
from shared.comparing.runs import (
    FRAMEWORKS,
    REFERENCE,
    Announcer,
    Variant,
    Watcher,
    make_runs,
    own_spec,
    rounding_variants,
)
from shared.running import footprint
from shared.running.record import Run
from shared.spec import Spec
from shared.system import machine
from shared.system.errors import InputError

EVERYONE = (*FRAMEWORKS, REFERENCE)


@dataclass(frozen=True)
class Proof:
    """What `--prove` adds."""

    exact: Verdict  # of the runs in float64
    yardstick: dict[str, dict[str, float]]  # who against itself -> check -> how far rounding alone carried it
    factors: dict[str, float]  # check -> the frameworks' difference as a multiple of the largest of these
    repeats: dict[str, bool]  # run -> whether the same command gave the same bits again


@dataclass(frozen=True)
class Outcome:
    """A comparison's runs and what was made of them."""

    spec: Spec
    made: Mapping[Variant, Run]
    verdict: Verdict
    first_divergence: FirstDivergence | None
    proof: Proof | None = None
    side_by_side: bool = False  # whether the frameworks trained at the same time

    @property
    def runs(self) -> list[Run]:
        """The two frameworks'."""
        return [self.made[Variant(framework, self.spec.dtype)] for framework in FRAMEWORKS]

    @property
    def reference(self) -> Run:
        return self.made[Variant(REFERENCE, self.spec.dtype)]

    @property
    def reasons(self) -> list[str]:
        """Why this is no match; empty where it is one."""
        if self.proof is None:
            return self.verdict.reasons
        in_float64 = [] if self.spec.dtype == "float64" else [f"in float64, {r}" for r in self.proof.exact.reasons]
        unrepeatable = [
            f"{name}, run twice, gave different bits" for name, same in self.proof.repeats.items() if not same
        ]
        return self.verdict.reasons + in_float64 + unrepeatable

    @property
    def match(self) -> bool:
        return not self.reasons

    @property
    def warnings(self) -> list[str]:
        """What a reader of the comparison must know before anything else."""
        found = checks.unequal_surroundings(*self.runs)
        if len({run.record.device.type for run in self.runs}) > 1:
            found.append("One framework ran on a GPU and one on a CPU: their times say nothing about each other.")
        if self.side_by_side:
            found.append("The frameworks trained side by side: their times are longer than alone, each in its own way.")
        return found


def compare(
    spec: Spec,
    pythons: Mapping[str, Path],
    folder: Path,
    *,
    prove: bool = False,
    side_by_side: bool = False,
    watcher: Watcher | None = None,
) -> Outcome:
    """Run both frameworks, and the reference with its noise floor, and judge; with `prove`, all the rest as well.

    Without a `watcher` the frameworks' output passes on, and a line announces each run of the proof.
    """
    frameworks = [Variant(framework, spec.dtype) for framework in FRAMEWORKS]
    variants = _variants(spec.dtype)
    passer = watcher or Watcher(passes_on=not side_by_side)
    made = make_runs(spec, variants, pythons, folder, watcher=passer, side_by_side=side_by_side)
    verdict = _judge(made, spec.dtype)
    a, b = (made[variant] for variant in frameworks)
    part = None
    if verdict.pairs:
        floor = {check.name: check.floor for check in verdict.pairs[FRAMEWORKS]}
        part = first_divergence.start_differs(a, b, floor)
    if not prove:
        return Outcome(spec, made, verdict, part, side_by_side=side_by_side)

    watcher = watcher or Announcer()
    made |= make_runs(spec, _proof_variants(spec.dtype, made), pythons, folder, watcher=watcher)
    proof = Proof(_judge(made, "float64"), *_yardstick(made, spec.dtype), _repeats(made))
    step = checks.first_divergence_step(a, b)
    if part is None and step is not None and verdict.pairs:
        part = _trace(spec, pythons, folder / "traced", step, watcher)
    return Outcome(spec, made, verdict, part, proof, side_by_side)


def refuse_what_the_machine_lacks(spec: Spec, *, prove: bool, side_by_side: bool) -> None:
    """Raise InputError where there are not the cores or the memory for a comparison."""
    cores = machine.cores()
    if side_by_side and cores < 2 * spec.threads:
        cure = "leave out --side-by-side, or lower --threads"
        raise InputError(f"--side-by-side: two runs of {spec.threads} threads need more than {cores} cores; {cure}")
    footprint.refuse_what_does_not_fit(spec, functools.partial(memory_needed, prove=prove, side_by_side=side_by_side))


def memory_needed(spec: Spec, *, prove: bool, side_by_side: bool) -> int:
    """Bytes that a comparison takes: while the runs that go on at once are at their peaks, or holding all records."""
    alone = {name: footprint.memory_needed(own_spec(Variant(name, spec.dtype), spec), name) for name in EVERYONE}
    in_turn = sum(alone[name] for name in FRAMEWORKS) if side_by_side else max(alone.values())
    return max(in_turn, disk_needed(spec, prove=prove))


def disk_needed(spec: Spec, *, prove: bool) -> int:
    """Bytes of all records of a comparison."""
    variants = _variants(spec.dtype)
    if prove:
        variants += _proof_variants(spec.dtype, variants)
    return sum(footprint.disk_needed(own_spec(variant, spec), 1) for variant in variants)


def _variants(dtype: str) -> list[Variant]:
    """What a verdict takes: the frameworks, and the reference with its noise floor."""
    plain = [Variant(name, dtype) for name in EVERYONE]
    return [*plain, *rounding_variants(REFERENCE, dtype)]


def _judge(made: Mapping[Variant, Run], dtype: str) -> Verdict:
    runs = [made[Variant(framework, dtype)] for framework in FRAMEWORKS]
    rounding = [made[variant] for variant in rounding_variants(REFERENCE, dtype)]
    return checks.judge(runs, made[Variant(REFERENCE, dtype)], rounding)


def _proof_variants(dtype: str, made: Iterable[Variant]) -> list[Variant]:
    """Those not made yet, of: every framework against itself, everything in float64, and every plain run again."""
    dtypes = dict.fromkeys((dtype, "float64"))
    wanted = [Variant(framework, d) for framework in EVERYONE for d in dtypes]
    wanted += [variant for framework in EVERYONE for variant in rounding_variants(framework, dtype)]
    wanted += rounding_variants(REFERENCE, "float64")
    wanted += [Variant(framework, d, repeated=True) for framework in EVERYONE for d in dtypes]
    return [variant for variant in dict.fromkeys(wanted) if variant not in set(made)]


def _yardstick(made: Mapping[Variant, Run], dtype: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """How far rounding alone carries each implementation; the frameworks' difference as a multiple of the largest."""
    yardstick = {}
    units: dict[str, float] = {}
    for framework in EVERYONE:
        for variant in rounding_variants(framework, dtype):
            climbed = checks.ladder(made[Variant(framework, dtype)], made[variant])
            against = variant.name.removeprefix(f"{framework} ")
            yardstick[f"{framework} {dtype} against {against}"] = {
                name: checks.largest(differences).absolute for name, differences in climbed.items()
            }
            units |= {name: max(d.unit for d in differences) for name, differences in climbed.items()}
    between = checks.ladder(*(made[Variant(framework, dtype)] for framework in FRAMEWORKS))
    factors = {
        name: checks.largest(differences).absolute / max(units[name], *(row[name] for row in yardstick.values()))
        for name, differences in between.items()
    }
    return yardstick, factors


def _repeats(made: Mapping[Variant, Run]) -> dict[str, bool]:
    """For each run that was made twice, whether all its arrays are the same, by their SHA-256."""
    pairs = {v: Variant(v.framework, v.dtype) for v in made if v.repeated}
    return {first.name: made[again].record.files == made[first].record.files for again, first in pairs.items()}


def _trace(spec: Spec, pythons: Mapping[str, Path], folder: Path, step: int, watcher: Watcher) -> FirstDivergence:
    """Run the frameworks again to see what enters their ReLUs up to `step`; leaves no records: they are large."""
    variants = [Variant(framework, spec.dtype, traced_until=step + 1) for framework in FRAMEWORKS]
    try:
        traced = make_runs(spec, variants, pythons, folder, watcher=watcher)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    a, b = (traced[variant] for variant in variants)
    unknown = "no ReLU's input had crossed zero before: the records do not show the cause"
    return first_divergence.trace_crossings(a, b, step + 1) or FirstDivergence(step, unknown, [])
