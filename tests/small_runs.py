"""Small runs of the reference under the frameworks' names: a comparison to show, made in a second."""

import dataclasses
from types import SimpleNamespace

from shared.comparing import checks
from shared.comparing.comparison import Outcome, Proof
from shared.comparing.runs import Variant, rounding_variants
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, REFERENCE
from shared.network import initial_weights, perturb
from shared.reference.__main__ import load
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import runner
from shared.running.record import read_run
from shared.system.files import save_tensors

CONFIGURATION = Configuration.of(epochs=2, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")


def unwatched(batches, told=lambda _step: None):
    """The session of an epoch of these batches, of which nothing is kept; `told` hears of steps to come."""
    return SimpleNamespace(stops=(0, len(batches)), before_step=told)


def make_runs(folder):
    save_tensors(folder / "perturbed.safetensors", perturb(initial_weights(CONFIGURATION.training)))
    ways = {
        Variant(REFERENCE, "float64"): (load, []),
        Variant(REFERENCE, "float64", perturbed=True): (load, ["--weights", str(folder / "perturbed.safetensors")]),
        Variant(REFERENCE, "float64", reordered=True): (load_reordered, []),
    }
    runs = {}
    for variant, (how, more) in ways.items():
        options = [*CONFIGURATION.options(), "--out", str(folder / variant.folder), *more]
        assert runner.main(REFERENCE, how, options) == 0
        runs[variant] = read_run(folder / variant.folder)
    for name, source in zip(FRAMEWORKS, ways, strict=False):
        record = runs[source].record.model_copy(update={"framework": name})
        runs[Variant(name, "float64")] = dataclasses.replace(runs[source], record=record)
    return runs


def outcome_of(made, **more):
    runs = [made[Variant(name, "float64")] for name in FRAMEWORKS]
    rounding = [made[variant] for variant in rounding_variants(REFERENCE, "float64")]
    verdict = checks.judge(runs, made[Variant(REFERENCE, "float64")], rounding)
    return Outcome(CONFIGURATION, made, verdict, **({"first_divergence": None} | more))


def with_run(made, framework, **arrays):
    variant = Variant(framework, "float64")
    return made | {variant: dataclasses.replace(made[variant], arrays=made[variant].arrays | arrays)}


def proof_of(outcome, repeats):
    checks = [check.name for check in outcome.verdict.pairs[FRAMEWORKS]]
    yardstick = {"PyTorch against itself": dict.fromkeys(checks, 1e-16)}
    return Proof(outcome.verdict, yardstick, dict.fromkeys(checks, 0.5), repeats)
