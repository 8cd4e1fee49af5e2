"""A verdict and its runs -> results.json, report.md, pictures, and the last words on the screen."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from shared import parity, plots, tutorial
from shared.comparison import Outcome, Proof
from shared.experiment import FRAMEWORKS
from shared.parity import LIMIT, PARTED_LIMIT, Rung, Verdict
from shared.record import Run

SCHEMA = 1


def results(outcome: Outcome) -> dict[str, Any]:
    """What results.json holds. Numbers that are not finite become null: JSON has none."""
    return {
        "schema": SCHEMA,
        "spec": outcome.spec.model_dump(mode="json"),
        "runs": {run.record.framework.lower(): _run(run) for run in (*outcome.runs, outcome.referee)},
        "comparison": _comparison(outcome),
        "proof": outcome.proof and _proof(outcome.proof),
    }


def _run(run: Run) -> dict[str, Any]:
    kept = {"device", "versions", "settings", "data_fingerprint", "order_fingerprints", "epochs", "timing"}
    return run.record.model_dump(mode="json", include=kept)


def _comparison(outcome: Outcome) -> dict[str, Any]:
    a, b = outcome.runs
    rungs = {name: parity.largest(differences).absolute for name, differences in parity.ladder(a, b).items()}
    return {
        "match": outcome.match,
        "reasons": outcome.reasons,
        "steps": min(len(a.step_losses), len(b.step_losses)),
        "max_step_loss_difference": rungs["step losses"],
        "max_weight_difference": rungs["final weights"],
        "max_logit_difference": rungs["test logits"],
        "identical_predictions": len(a.test_logits) - int(rungs["predictions"]),
        "test_examples": len(a.test_logits),
        "ladder": _ladders(outcome.verdict),
        "parting": outcome.parting and dataclasses.asdict(outcome.parting),
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "float64": {"match": proof.exact.match, "reasons": proof.exact.reasons, "ladder": _ladders(proof.exact)},
        "yardstick": proof.yardstick,
        "times_largest_of_yardstick": proof.factors,
        "same_bits_when_repeated": proof.repeats,
    }


def _ladders(verdict: Verdict) -> dict[str, Any]:
    return {f"{a.lower()}-{b.lower()}": [_rung(rung) for rung in pair] for (a, b), pair in verdict.pairs.items()}


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "rung": rung.name,
        "largest_difference": rung.difference.absolute,
        "tensor": rung.difference.tensor,
        "ulps": rung.difference.ulps,
        "noise_floor": rung.floor,
        "times_noise_floor": rung.factor,
        "limit": rung.limit,
        "tensors": {d.tensor: d.absolute for d in rung.tensors},
    }


def write(outcome: Outcome, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    text = json.dumps(json_safe(results(outcome)), indent=2, allow_nan=False)
    (folder / "results.json").write_text(text + "\n")
    runs = {run.record.framework: run for run in outcome.runs}
    plots.loss(runs, folder / "loss.png")
    plots.accuracy(runs, folder / "accuracy.png")
    plots.divergence(outcome, folder / "divergence.png")
    (folder / "report.md").write_text(markdown(outcome, command))


def json_safe(value: Any) -> Any:
    """The same with null for every number that is not finite: JSON has none."""
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sentence(outcome: Outcome) -> str:
    """The verdict in one sentence, with its figure."""
    if outcome.reasons:
        more = len(outcome.reasons) - 1
        return f"NO MATCH: {outcome.reasons[0]}{f' (and {more} more)' if more else ''}."
    rungs = outcome.verdict.pairs[FRAMEWORKS]
    factors = {rung.name: rung.factor for rung in rungs} if outcome.proof is None else outcome.proof.factors
    worst = max((rung.name for rung in rungs if rung.limit is not None), key=lambda name: factors[name])
    examples = len(outcome.referee.test_logits)
    return (
        f"MATCH: over {outcome.spec.steps:,} steps in {outcome.spec.dtype}, PyTorch and TensorFlow differ by at most "
        f"{factors[worst]:.2g} times what rounding alone does ({worst}); "
        f"{examples - int(rungs[-1].difference.absolute):,} of {examples:,} predictions are identical."
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _epochs_table(outcome: Outcome) -> str:
    shows_tutorial = plots.comparable_to_tutorial(outcome.spec)
    header = ["epoch"] + [f"{name} loss" for name in FRAMEWORKS] + ["difference"]
    header += ["tutorial loss"] * shows_tutorial + [f"{name} accuracy" for name in FRAMEWORKS]
    rows = []
    for index, (a, b) in enumerate(zip(*(run.record.epochs for run in outcome.runs), strict=True)):
        row = [str(index + 1), f"{a.train_loss:.4f}", f"{b.train_loss:.4f}", f"{abs(a.train_loss - b.train_loss):.1e}"]
        if shows_tutorial:
            losses = tutorial.EPOCH_LOSSES
            row.append(f"{losses[index]:.4f}" if index < len(losses) else "")
        rows.append([*row, f"{a.test_accuracy:.2%}", f"{b.test_accuracy:.2%}"])
    return table(header, rows)


def _ladder_table(rungs: list[Rung]) -> str:
    header = ["rung", "largest difference", "in", "ulps", "noise floor", "× floor", "judged"]
    rows = []
    for rung in rungs:
        judged = "" if rung.limit is None else f"≤ {rung.limit:g} {'✓' if rung.passes else '✗'}"
        counts = rung.name == "predictions"
        size = f"{rung.difference.absolute:.0f}" if counts else f"{rung.difference.absolute:.1e}"
        floor = f"{rung.floor:.0f}" if counts else f"{rung.floor:.1e}"
        ulps = "" if counts else f"{rung.difference.ulps:.3g}"
        rows.append([rung.name, size, rung.difference.tensor, ulps, floor, f"{rung.factor:.2f}", judged])
    return table(header, rows)


def markdown(outcome: Outcome, command: str) -> str:
    """The report as Markdown, with relative links to the pictures."""
    parts = ["# PyTorch and TensorFlow, the same network", f"**{sentence(outcome)}**"]
    parts += [f"> **Warning.** {warning}" for warning in outcome.warnings]
    if len(outcome.reasons) > 1:
        parts.append("\n".join(f"- {reason}" for reason in outcome.reasons))
    parts += ["![Training loss of both, overlaid](loss.png)", "![Test accuracy of both, overlaid](accuracy.png)"]
    parts.append(_epochs_table(outcome))
    parts.append("Loss is the mean of batch means, as the tutorial prints it; accuracy is on the 10,000 test images.")
    parts += ["## How far apart", "![Difference of the step losses, step by step](divergence.png)"]
    if outcome.parting:
        parts.append(f"They part at step {outcome.parting.step}, counted from 0: {outcome.parting.cause}.")
    parts.append(
        "Each rung of the ladder rests on those above it. The noise floor is how far rounding alone carries the "
        "referee, the same training in NumPy, in this very comparison. A pair matches while it stays within "
        f"{LIMIT:g} floors: two runs that each lie within one floor of exact arithmetic lie within two of each other, "
        "and the floor is itself a sample. "
        f"After two float32 runs have parted, by a ReLU, their losses and logits may lie {PARTED_LIMIT:g} apart."
    )
    for pair, rungs in outcome.verdict.pairs.items():
        parts += [f"### {' and '.join(pair)}", _ladder_table(rungs)]
    if outcome.proof:
        parts += _proof_parts(outcome.proof)
    parts += ["## Time", _time_table(outcome)]
    parts.append("One run each, on a machine that may have had other work: not a benchmark.")
    parts += ["## What was run", _facts_table(outcome), f"Again: `{command}`"]
    return "\n\n".join(parts) + "\n"


def _proof_parts(proof: Proof) -> list[str]:
    parts = ["## What rounding alone does", "Each implementation against itself:"]
    names = list(proof.factors)
    rows = [[who, *(f"{row[name]:.1e}" for name in names)] for who, row in proof.yardstick.items()]
    rows.append(
        ["**PyTorch against TensorFlow, × the largest**", *(f"**{proof.factors[name]:.2f}**" for name in names)]
    )
    parts.append(table(["largest difference", *names], rows))
    parts.append("## In float64")
    parts.append("\n".join(f"- {reason}" for reason in proof.exact.reasons) or "All three pairs match.")
    for pair, rungs in proof.exact.pairs.items():
        parts += [f"### {' and '.join(pair)}, float64", _ladder_table(rungs)]
    parts.append("## Run twice")
    parts.append(
        table(["run", "same bits again"], [[name, "yes" if same else "NO"] for name, same in proof.repeats.items()])
    )
    return parts


def _time_table(outcome: Outcome) -> str:
    phases = ("import", "data", "compile", "training", "evaluation")
    rows = [[r.record.framework, *(f"{r.record.timing.get(phase, 0):.2f}" for phase in phases)] for r in outcome.runs]
    return table(["seconds", *phases], rows)


def _facts_table(outcome: Outcome) -> str:
    facts = [[name, str(value)] for name, value in outcome.spec.model_dump(mode="json").items()]
    fingerprints = outcome.referee.record.data_fingerprint
    facts.append(["data, SHA-256", ", ".join(f"{split} {value[:12]}…" for split, value in fingerprints.items())])
    for run in outcome.runs:
        about = run.record
        facts.append([about.framework, ", ".join(f"{name} {version}" for name, version in about.versions.items())])
        facts.append([f"{about.framework} on", f"{about.device.type} ({about.device.name})"])
        facts.append([f"{about.framework} with", ", ".join(f"{k}: {v}" for k, v in about.settings.items())])
    return table(["what", "value"], facts).replace("---:", "---")


def summary(outcome: Outcome) -> str:
    """The short table and the verdict for the terminal."""
    lines = [f"{'epoch':>5}  {'PyTorch':>9}  {'TensorFlow':>10}  {'difference':>10}"]
    for number, (a, b) in enumerate(zip(*(run.record.epochs for run in outcome.runs), strict=True), start=1):
        gap = abs(a.train_loss - b.train_loss)
        lines.append(f"{number:>5}  {a.train_loss:>9.4f}  {b.train_loss:>10.4f}  {gap:>10.1e}")
    last = [run.record.epochs[-1].test_accuracy for run in outcome.runs]
    lines.append(f"{'test':>5}  {last[0]:>9.2%}  {last[1]:>10.2%}  {abs(last[0] - last[1]):>10.1e}")
    lines += ["", *(f"WARNING: {warning}" for warning in outcome.warnings), sentence(outcome)]
    return "\n".join(lines)
