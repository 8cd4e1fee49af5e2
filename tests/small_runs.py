"""Small runs of the reference under the frameworks' names: a comparison to show, made in a second or two."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from threadpoolctl import threadpool_limits

from shared.comparing import checks
from shared.comparing.comparison import Outcome, Proof
from shared.comparing.runs import Variant, rounding_variants
from shared.comparing.verification import verify
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, REFERENCE
from shared.network import initial_weights, perturb
from shared.reference.__main__ import load
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import runner
from shared.running.record import read_run
from shared.system.files import save_tensors

CONFIGURATION = Configuration.of(epochs=2, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")
# By the identity of a run: a run that several tests show is verified once. It is kept beside, so that no other run can
# have its identity.
VERIFIED = {}


def unwatched(batches, told=lambda _step: None, training=CONFIGURATION.training):
    """The session of an epoch of these batches, of which nothing is kept; `told` hears of steps to come."""
    return SimpleNamespace(training=training, stops=(0, len(batches)), before_step=told)


def make_runs(folder):
    """Of the frameworks, one has the reference's own run, the other that with reordered sums: only rounding differs."""
    save_tensors(folder / "perturbed.safetensors", perturb(initial_weights(CONFIGURATION.training)))
    plain, reordered = Variant(REFERENCE, "float64"), Variant(REFERENCE, "float64", reordered=True)
    ways = {
        plain: (load, []),
        Variant(REFERENCE, "float64", perturbed=True): (load, ["--weights", str(folder / "perturbed.safetensors")]),
        reordered: (load_reordered, []),
    }
    runs = {}
    for variant, (how, more) in ways.items():
        options = [*CONFIGURATION.options(), "--checkpoints", "--out", str(folder / variant.folder), *more]
        assert runner.main(REFERENCE, how, options) == 0
        runs[variant] = read_run(folder / variant.folder)
    for name, source in zip(FRAMEWORKS, (plain, reordered), strict=True):
        record = runs[source].record.model_copy(update={"framework": name})
        runs[Variant(name, "float64")] = dataclasses.replace(runs[source], record=record)
    return runs


def verified(run):
    """As `verify` finds it."""
    if id(run) not in VERIFIED:
        with threadpool_limits(1), ThreadPoolExecutor(1) as executor:
            VERIFIED[id(run)] = run, verify(run, executor)
    return VERIFIED[id(run)][1]


def verdict_of(runs, made):
    """As in a comparison: those runs are verified whose numbers are finite."""
    rounding = [made[variant] for variant in rounding_variants(REFERENCE, "float64")]
    found = {run.record.framework: verified(run) for run in runs if not checks.not_finite(run)}
    return checks.judge(runs, made[Variant(REFERENCE, "float64")], rounding, found)


def outcome_of(made, **more):
    verdict = verdict_of([made[Variant(name, "float64")] for name in FRAMEWORKS], made)
    return Outcome(CONFIGURATION, made, verdict, **({"first_divergence": None} | more))


def with_run(made, framework, **arrays):
    variant = Variant(framework, "float64")
    return made | {variant: dataclasses.replace(made[variant], arrays=made[variant].arrays | arrays)}


def proof_of(outcome, repeats):
    checks = [check.name for check in outcome.verdict.pairs[FRAMEWORKS]]
    yardstick = {"PyTorch against itself": dict.fromkeys(checks, 1e-16)}
    return Proof(outcome.verdict, yardstick, dict.fromkeys(checks, 0.5), repeats)
