"""Small runs of the reference under the frameworks' names: a comparison to show, made in a second."""

import dataclasses

from shared.comparing import checks
from shared.comparing.comparison import Outcome, Proof
from shared.comparing.runs import FRAMEWORKS, REFERENCE, Variant, rounding_variants
from shared.network import initial_weights, perturb, save_weights
from shared.reference import reference, reordered
from shared.running import runner
from shared.running.record import read_run
from shared.spec import Spec

SPEC = Spec(epochs=2, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")


def make_runs(folder):
    save_weights(folder / "perturbed.safetensors", perturb(initial_weights(SPEC)))
    ways = {
        Variant(REFERENCE, "float64"): (reference, []),
        Variant(REFERENCE, "float64", perturbed=True): (
            reference,
            ["--weights", str(folder / "perturbed.safetensors")],
        ),
        Variant(REFERENCE, "float64", reordered=True): (reordered, []),
    }
    runs = {}
    for variant, (module, more) in ways.items():
        options = [*SPEC.options(), "--out", str(folder / variant.folder), *more]
        assert runner.main(REFERENCE, "reference", module.load, options) == 0
        runs[variant] = read_run(folder / variant.folder)
    for name, source in zip(FRAMEWORKS, ways, strict=False):
        record = runs[source].record.model_copy(update={"framework": name})
        runs[Variant(name, "float64")] = dataclasses.replace(runs[source], record=record)
    return runs


def outcome_of(made, **more):
    runs = [made[Variant(name, "float64")] for name in FRAMEWORKS]
    rounding = [made[variant] for variant in rounding_variants(REFERENCE, "float64")]
    verdict = checks.judge(runs, made[Variant(REFERENCE, "float64")], rounding)
    return Outcome(SPEC, made, verdict, **({"first_divergence": None} | more))


def with_run(made, framework, **arrays):
    variant = Variant(framework, "float64")
    return made | {variant: dataclasses.replace(made[variant], arrays=made[variant].arrays | arrays)}


def proof_of(outcome, repeats):
    checks = [check.name for check in outcome.verdict.pairs[FRAMEWORKS]]
    yardstick = {"PyTorch against itself": dict.fromkeys(checks, 1e-16)}
    return Proof(outcome.verdict, yardstick, dict.fromkeys(checks, 0.5), repeats)
