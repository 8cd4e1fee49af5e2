"""Small runs of the referee under the frameworks' names: a comparison to show, made in a second."""

import dataclasses

from shared import referee, renumbered, runner
from shared.comparing import parity
from shared.comparing.comparison import Outcome, Proof
from shared.comparing.experiment import FRAMEWORKS, REFEREE, Variant, rounding_variants
from shared.record import read_run
from shared.spec import Spec
from shared.weights import initial_weights, nudge, save_weights

SPEC = Spec(epochs=2, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")


def make_runs(folder):
    save_weights(folder / "nudged.safetensors", nudge(initial_weights(SPEC)))
    ways = {
        Variant(REFEREE, "float64"): (referee, []),
        Variant(REFEREE, "float64", nudged=True): (referee, ["--weights", str(folder / "nudged.safetensors")]),
        Variant(REFEREE, "float64", renumbered=True): (renumbered, []),
    }
    runs = {}
    for variant, (module, more) in ways.items():
        options = [*SPEC.options(), "--out", str(folder / variant.folder), *more]
        assert runner.main(REFEREE, "referee", module.load, options) == 0
        runs[variant] = read_run(folder / variant.folder)
    for name, source in zip(FRAMEWORKS, ways, strict=False):
        record = runs[source].record.model_copy(update={"framework": name})
        runs[Variant(name, "float64")] = dataclasses.replace(runs[source], record=record)
    return runs


def outcome_of(made, **more):
    runs = [made[Variant(name, "float64")] for name in FRAMEWORKS]
    rounding = [made[variant] for variant in rounding_variants(REFEREE, "float64")]
    verdict = parity.judge(runs, made[Variant(REFEREE, "float64")], rounding)
    return Outcome(SPEC, made, verdict, **({"parting": None} | more))


def with_run(made, framework, **arrays):
    variant = Variant(framework, "float64")
    return made | {variant: dataclasses.replace(made[variant], arrays=made[variant].arrays | arrays)}


def proof_of(outcome, repeats):
    rungs = [rung.name for rung in outcome.verdict.pairs[FRAMEWORKS]]
    yardstick = {"PyTorch against itself": dict.fromkeys(rungs, 1e-16)}
    return Proof(outcome.verdict, yardstick, dict.fromkeys(rungs, 0.5), repeats)
