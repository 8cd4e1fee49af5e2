"""A verdict and its runs -> results.json, report.md, index.html and pictures."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.comparing import checks
from shared.comparing.checks import Result, Verdict
from shared.comparing.comparison import Outcome, Proof
from shared.reference import data
from shared.reporting import findings, mistakes, page, pictures, plots
from shared.reporting.mistakes import Mistakes
from shared.reporting.pictures import Picture
from shared.reporting.section import Section, complete, image
from shared.running.record import Run
from shared.system import escaping

SCHEMA = 1


def results(outcome: Outcome) -> dict[str, Any]:
    """What results.json holds. Numbers that are not finite become null: JSON has none."""
    return {
        "schema": SCHEMA,
        **outcome.configuration.model_dump(mode="json"),
        "runs": {run.record.framework.lower(): _run(run) for run in (*outcome.runs, outcome.reference)},
        "comparison": _comparison(outcome),
        "proof": outcome.proof and _proof(outcome.proof),
    }


def _run(run: Run) -> dict[str, Any]:
    kept = {
        "device",
        "versions",
        "settings",
        "environment",
        "data_checksum",
        "order_checksums",
        "epochs",
        "timing",
    }
    return run.record.model_dump(mode="json", include=kept)


def _comparison(outcome: Outcome) -> dict[str, Any]:
    a, b = outcome.runs
    largest = {check.name: checks.largest(check.compare(a, b)).absolute for check in checks.checks_of(outcome.training)}
    return {
        "match": outcome.match,
        "reasons": outcome.reasons,
        "steps": min(len(a.step_losses), len(b.step_losses)),
        "max_step_loss_difference": largest["step losses"],
        "max_weight_difference": largest["final weights"],
        "max_logit_difference": largest["test logits"],
        "identical_predictions": len(a.test_logits) - int(largest["predictions"]),
        "test_examples": len(a.test_logits),
        "ladder": _ladders(outcome.verdict),
        "first_divergence": outcome.first_divergence and dataclasses.asdict(outcome.first_divergence),
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "float64": {"match": proof.exact.match, "reasons": proof.exact.reasons, "ladder": _ladders(proof.exact)},
        "yardstick": proof.yardstick,
        "times_largest_of_yardstick": proof.factors,
        "same_bits_when_repeated": proof.repeats,
    }


def _ladders(verdict: Verdict) -> dict[str, Any]:
    return {f"{a.lower()}-{b.lower()}": [_check(check) for check in pair] for (a, b), pair in verdict.pairs.items()}


def _check(check: Result) -> dict[str, Any]:
    return {
        "check": check.name,
        "largest_difference": check.difference.absolute,
        "tensor": check.difference.tensor,
        "ulps": check.difference.ulps,
        "noise_floor": check.floor,
        "times_noise_floor": check.factor,
        "limit": check.limit,
        "tensors": {d.tensor: d.absolute for d in check.tensors},
    }


def write(outcome: Outcome, folder: Path, command: str, sections: Sequence[Section] = ()) -> None:
    """Write results.json, the pictures, report.md and index.html. `command` is what reproduces them."""
    command = escaping.one_line(command)
    found_elsewhere = {section.name: section.results for section in sections}
    text = json.dumps(json_safe(results(outcome) | found_elsewhere), indent=2, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    drawn = pictures.pictures(outcome)
    stills = plots.write([*drawn, *(picture for section in sections for picture in section.pictures)], folder)
    found = mistakes.compare(outcome.runs, data.read("test"))
    sections = complete(outcome, sections, command)
    (folder / "report.md").write_text(markdown(outcome, drawn, found, command, sections), encoding="utf-8")
    (folder / "index.html").write_text(page.render(outcome, drawn, stills, found, command, sections), encoding="utf-8")


def write_alone(section: Section, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md of a section that is a report of its own."""
    (folder / "results.json").write_text(
        json.dumps(json_safe(section.results), indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    plots.write(section.pictures, folder)
    (folder / "report.md").write_text(
        f"{section.markdown(level=1)}\n\nAgain: {escaping.markdown_code(command)}\n", encoding="utf-8"
    )


def json_safe(value: Any) -> Any:
    """The same with null for every number that is not finite: JSON has none."""
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(
    outcome: Outcome, drawn: list[Picture], found: Mistakes, command: str, sections: Sequence[Section] = ()
) -> str:
    """The report as Markdown, with relative links to the pictures."""
    images = {picture.name: image(picture) for picture in drawn}
    parts = ["# PyTorch and TensorFlow, the same network", f"**{escaping.markdown(findings.sentence(outcome))}**"]
    parts += [f"> **Warning.** {escaping.markdown(warning)}" for warning in outcome.warnings]
    if len(outcome.reasons) > 1:
        parts.append(_bullets(outcome.reasons))
    parts += [images["loss"], images["steps"], images["accuracy"]]
    parts += [findings.epochs(outcome).markdown(), findings.LOSS_MEANS]
    parts += ["## How far apart", images["divergence"]]
    if first := outcome.first_divergence:
        parts.append(f"They diverge at step {first.step}, counted from 0: {escaping.markdown(first.cause)}.")
    parts.append(findings.RULE)
    for pair, judged in outcome.verdict.pairs.items():
        parts += [f"### {escaping.markdown(' and '.join(pair))}", findings.ladder(judged).markdown()]
    if outcome.proof:
        parts += _proof_parts(outcome.proof)
    parts += [section.markdown() for section in sections]
    parts += [
        "## Time",
        findings.times(outcome).markdown(),
        escaping.markdown(" ".join(findings.time_caveats(outcome))),
    ]
    sentences = [" ".join(mistakes.confusion_sentences(found)), mistakes.disagreement_sentence(found)]
    parts += ["## Mistakes", *map(escaping.markdown, sentences)]
    if found.disagreements:
        parts.append(mistakes.disagreements_table(found).markdown())
    parts += ["## What was run", findings.facts(outcome).markdown(), f"Again: {escaping.markdown_code(command)}"]
    return "\n\n".join(parts) + "\n"


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {escaping.markdown(sentence)}" for sentence in sentences)


def _proof_parts(proof: Proof) -> list[str]:
    parts = ["## What rounding alone does", findings.YARDSTICK_MEANS, findings.yardstick(proof).markdown()]
    parts.append("## In float64")
    parts.append(_bullets(proof.exact.reasons) or "All three pairs match.")
    for pair, judged in proof.exact.pairs.items():
        parts += [f"### {escaping.markdown(' and '.join(pair))}, float64", findings.ladder(judged).markdown()]
    return [*parts, "## Run twice", findings.repeats(proof).markdown()]
