"""The comparison of the two frameworks, and its proof."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from threadpoolctl import threadpool_limits

from shared import metrics
from shared.comparing import checks, first_divergence
from shared.comparing.checks import Result, Verdict, checks_of, first_divergence_step, largest
from shared.comparing.first_divergence import FirstDivergence
from shared.comparing.runs import Announcer, Printer, Variant, Watcher, configuration_of, make_runs, rounding_variants
from shared.comparing.verification import Verification
from shared.comparing.verifying import Verifying
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS, REFERENCE
from shared.running import footprint
from shared.running.record import Run
from shared.system import machine, trace
from shared.system.errors import InputError
from shared.system.language import join, say
from shared.training import Training

EVERYONE = tuple(IMPLEMENTATIONS)


@dataclass(frozen=True)
class Proof:
    """What `--prove` adds."""

    exact: Verdict  # of the runs in float64
    # The noise of each implementation: which one, against itself -> check -> how far rounding alone carried it.
    yardstick: dict[str, dict[str, float]]
    factors: dict[str, float]  # check -> the frameworks' difference as a multiple of the largest noise
    repeats: dict[str, bool]  # run -> whether the same command gave the same bits again


@dataclass(frozen=True)
class Outcome:
    """A comparison's runs, and what was found."""

    configuration: Configuration
    made: Mapping[Variant, Run]
    verdict: Verdict
    first_divergence: FirstDivergence | None
    proof: Proof | None = None
    side_by_side: bool = False  # whether the frameworks trained at the same time
    # By framework, how far its workers lie from one process of the same framework; of runs without workers nothing.
    against_one: Mapping[str, list[Result]] = field(default_factory=dict)

    @property
    def training(self) -> Training:
        """What was trained."""
        return self.configuration.training

    @property
    def runs(self) -> list[Run]:
        """The frameworks'."""
        return [self.made[Variant(framework, self.training.dtype)] for framework in FRAMEWORKS]

    @property
    def reference(self) -> Run:
        return self.made[Variant(REFERENCE, self.training.dtype)]

    @property
    def reasons(self) -> list[str]:
        """Why this is no match: a sentence for each reason; empty where it is one."""
        if self.proof is None:
            return self.verdict.reasons
        exact = [] if self.training.dtype == "float64" else self.proof.exact.reasons
        in_float64 = [say("in float64, {reason}", reason=reason) for reason in exact]
        unrepeatable = [
            say("{run}, run twice, gave different bits", run=name)
            for name, same in self.proof.repeats.items()
            if not same
        ]
        return self.verdict.reasons + in_float64 + unrepeatable

    @property
    def match(self) -> bool:
        return not self.reasons

    @property
    def warnings(self) -> list[str]:
        """What a reader of the comparison must know before anything else."""
        found = [said for pair in combinations(self.runs, 2) for said in checks.unequal_surroundings(*pair)]
        if len({run.record.device.type for run in self.runs}) > 1:
            found.append(say("One framework ran on a GPU and one on a CPU: their times say nothing about each other."))
        if dead := [run.record.framework for run in self.runs if _predicts_one_class(run)]:
            told = say(
                "{names}: the network predicts one class for every test image, and has learned nothing. That "
                "predictions agree then says nothing; lower --learning-rate.",
                names=join(say(" and "), dead),
            )
            found.append(told)
        if self.side_by_side:
            found.append(
                say("The frameworks trained side by side: their times are longer than alone, each in its own way.")
            )
        return found


def _predicts_one_class(run: Run) -> bool:
    predicted = metrics.predictions(run.test_logits)
    return bool((predicted == predicted[0]).all() and predicted[0] >= 0)


def compare(
    configuration: Configuration,
    pythons: Mapping[str, Path],
    folder: Path,
    *,
    prove: bool = False,
    side_by_side: bool = False,
    watcher: Watcher | None = None,
) -> Outcome:
    """Run both frameworks, and the reference for its noise floor, and judge; with `prove`, make the proof as well.

    Without a `watcher` the frameworks' output is passed on, and a line announces each run of the proof.
    """
    # The reference's arithmetic, here in several threads, must round in the same way each time.
    with threadpool_limits(limits=1):
        outcome = _compare(configuration, pythons, folder, watcher or Printer(lines=not side_by_side), side_by_side)
        return _with_proof(outcome, pythons, folder, watcher or Announcer()) if prove else outcome


def _compare(
    configuration: Configuration, pythons: Mapping[str, Path], folder: Path, watcher: Watcher, side_by_side: bool
) -> Outcome:
    dtype = configuration.training.dtype
    spare = not side_by_side and machine.cores() > configuration.execution.cores
    with Verifying(configuration, pythons, folder, watcher, core_to_spare=spare) as verifying:
        variants = _variants(dtype)
        made = make_runs(configuration, variants, pythons, folder, watcher=verifying, side_by_side=side_by_side)
        if alone := _alone_variants(configuration):
            made |= make_runs(configuration, alone, pythons, folder, watcher=verifying)
        verified = verifying.finish(dtype)
    with trace.span("judging"):
        verdict = _judge(made, dtype, verified)
        first = _first_divergence(made, dtype, verified)
        against_one = _against_one(made, alone, dtype) if verdict.pairs else {}
    return Outcome(configuration, made, verdict, first, side_by_side=side_by_side, against_one=against_one)


def _with_proof(outcome: Outcome, pythons: Mapping[str, Path], folder: Path, watcher: Watcher) -> Outcome:
    configuration, dtype, made = outcome.configuration, outcome.training.dtype, dict(outcome.made)
    with Verifying(configuration, pythons, folder, watcher) as verifying:
        made |= make_runs(configuration, _proof_variants(dtype, made), pythons, folder, watcher=verifying)
        exact = outcome.verdict.verified if dtype == "float64" else verifying.finish("float64")
    proof = Proof(_judge(made, "float64", exact), *_yardstick(made, dtype), _repeats(made))
    return replace(outcome, made=made, proof=proof)


def refuse_what_the_machine_lacks(configuration: Configuration, *, prove: bool, side_by_side: bool) -> None:
    """Raise InputError where a comparison needs more cores or more memory than there are."""
    cores, busy = machine.cores(), configuration.execution.cores
    if side_by_side and cores < len(FRAMEWORKS) * busy:
        told = f"--side-by-side: {len(FRAMEWORKS)} runs of {busy} threads need more than {cores} cores"
        raise InputError(f"{told}; leave out --side-by-side, or lower --threads or --workers")
    needed = functools.partial(memory_needed, prove=prove, side_by_side=side_by_side)
    footprint.refuse_what_does_not_fit(configuration, needed)


def memory_needed(configuration: Configuration, *, prove: bool, side_by_side: bool) -> int:
    """Bytes of memory that a comparison takes: at the peak of the runs that go on at once, or for all records."""
    plain = [Variant(name, configuration.training.dtype) for name in EVERYONE]
    alone = {
        v.framework: footprint.memory_needed(configuration_of(v, configuration), v.framework, v.checkpoint_steps)
        for v in plain
    }
    for name in FRAMEWORKS:
        alone[name] *= configuration.execution.workers  # each has its own model and data
    in_turn = sum(alone[name] for name in FRAMEWORKS) if side_by_side else max(alone.values())
    return max(in_turn, _of_all(configuration, footprint.record_needed, prove=prove))


def disk_needed(configuration: Configuration, *, prove: bool) -> int:
    """Bytes on disk of all runs of a comparison."""
    return _of_all(configuration, footprint.disk_needed, prove=prove)


def _of_all(configuration: Configuration, needed: Callable[[Training, int | None], int], *, prove: bool) -> int:
    """What the runs of a comparison take together, where `needed` tells it of one."""
    variants = [*_variants(configuration.training.dtype), *_alone_variants(configuration)]
    if prove:
        variants += _proof_variants(configuration.training.dtype, variants)
    return sum(needed(configuration_of(v, configuration).training, v.checkpoint_steps) for v in variants)


def _variants(dtype: str) -> list[Variant]:
    """The runs that a verdict needs: the frameworks', the reference's, and those of its noise floor."""
    plain = [Variant(name, dtype) for name in EVERYONE]
    return [*plain, *rounding_variants(REFERENCE, dtype)]


def _alone_variants(configuration: Configuration) -> list[Variant]:
    """The frameworks' runs by one process, from which it is told how far workers lie."""
    if configuration.execution.engine != "workers":
        return []
    return [Variant(name, configuration.training.dtype, alone=True) for name in FRAMEWORKS]


def _against_one(made: Mapping[Variant, Run], alone: Iterable[Variant], dtype: str) -> dict[str, list[Result]]:
    """By framework, what lies between its workers and its one process: the order of the sums."""
    reference = made[Variant(REFERENCE, dtype)]
    floors = checks.noise_floors(reference, [made[variant] for variant in rounding_variants(REFERENCE, dtype)])
    return {
        variant.framework: [
            Result(check, check.compare(made[Variant(variant.framework, dtype)], made[variant]), floors[check.name])
            for check in checks_of(reference.record.training)
        ]
        for variant in alone
    }


def _judge(made: Mapping[Variant, Run], dtype: str, verified: Mapping[str, Verification]) -> Verdict:
    runs = [made[Variant(framework, dtype)] for framework in FRAMEWORKS]
    rounding = [made[variant] for variant in rounding_variants(REFERENCE, dtype)]
    return checks.judge(runs, made[Variant(REFERENCE, dtype)], rounding, verified)


def _proof_variants(dtype: str, made: Iterable[Variant]) -> list[Variant]:
    """The runs of a proof that are not made yet: everyone against itself, all in float64, every plain run again."""
    dtypes = dict.fromkeys((dtype, "float64"))
    wanted = [Variant(framework, d) for framework in EVERYONE for d in dtypes]
    wanted += [variant for framework in EVERYONE for variant in rounding_variants(framework, dtype)]
    wanted += rounding_variants(REFERENCE, "float64")
    wanted += [Variant(framework, d, repeated=True) for framework in EVERYONE for d in dtypes]
    return [variant for variant in dict.fromkeys(wanted) if variant not in set(made)]


def _yardstick(made: Mapping[Variant, Run], dtype: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The noise of each implementation, and the frameworks' difference as a multiple of the largest noise."""
    yardstick: dict[str, dict[str, float]] = {}
    factors: dict[str, float] = {}
    for check in checks_of(made[Variant(FRAMEWORKS[0], dtype)].record.training):
        units = []
        for variant in (v for name in EVERYONE for v in rounding_variants(name, dtype)):
            plain = Variant(variant.framework, dtype)
            differences = check.compare(made[plain], made[variant])
            row = yardstick.setdefault(say("{run} against {way}", run=plain.name, way=variant.way), {})
            row[check.name] = largest(differences).absolute
            units += [d.unit for d in differences]
        between = [
            largest(check.compare(made[Variant(a, dtype)], made[Variant(b, dtype)])).absolute
            for a, b in combinations(FRAMEWORKS, 2)
        ]
        factors[check.name] = max(between) / max(*units, *(row[check.name] for row in yardstick.values()))
    return yardstick, factors


def _repeats(made: Mapping[Variant, Run]) -> dict[str, bool]:
    """By run that was made twice, whether all its arrays are the same, by their SHA-256."""
    pairs = {v: Variant(v.framework, v.dtype) for v in made if v.repeated}
    return {first.name: made[again].record.files == made[first].record.files for again, first in pairs.items()}


def _first_divergence(
    made: Mapping[Variant, Run], dtype: str, verified: Mapping[str, Verification]
) -> FirstDivergence | None:
    """Where and why a framework's first step differs from the reference's; else where and why the frameworks diverge.

    Of several pairs, the one that diverges first. None where none does.
    """
    runs = {name: made[Variant(name, dtype)] for name in FRAMEWORKS if name in verified}
    reference = made[Variant(REFERENCE, dtype)]
    for name, run in runs.items():
        if found := first_divergence.start_differs(reference, run, verified[name]):
            return found
    steps = {pair: first_divergence_step(*(runs[name] for name in pair)) for pair in combinations(runs, 2)}
    diverging = {pair: step for pair, step in steps.items() if step is not None}
    if not diverging:
        return None
    a, b = min(diverging, key=lambda pair: diverging[pair])
    return first_divergence.between((runs[a], runs[b]), (verified[a], verified[b]))
