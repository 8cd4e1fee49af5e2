"""A comparison's outcome as results.json holds it."""

import dataclasses
import math
from itertools import combinations
from typing import Any

from shared.comparing import checks
from shared.comparing.checks import FINAL_WEIGHTS, STEP_LOSSES, TEST_LOGITS, Result, Verdict
from shared.comparing.comparison import Outcome, Proof
from shared.reporting.findings import identical_predictions
from shared.running.record import Run


def results(outcome: Outcome) -> dict[str, Any]:
    """What a comparison puts into results.json."""
    return {
        **outcome.configuration.model_dump(mode="json"),
        "runs": {run.record.framework.lower(): _run(run) for run in (*outcome.runs, outcome.reference)},
        "comparison": _comparison(outcome),
        "proof": outcome.proof and _proof(outcome.proof),
    }


def _run(run: Run) -> dict[str, Any]:
    about = {"device", "versions", "settings", "environment", "data_checksum", "order_checksums"}
    return run.record.model_dump(mode="json", include=about | {"epochs", "timing"})


def _comparison(outcome: Outcome) -> dict[str, Any]:
    largest = {
        check: max(checks.largest(check.compare(a, b)).absolute for a, b in combinations(outcome.runs, 2))
        for check in (STEP_LOSSES, FINAL_WEIGHTS, TEST_LOGITS)
    }
    return {
        "match": outcome.match,
        "reasons": outcome.reasons,
        "steps": min(len(run.step_losses) for run in outcome.runs),
        "max_step_loss_difference": largest[STEP_LOSSES],
        "max_weight_difference": largest[FINAL_WEIGHTS],
        "max_logit_difference": largest[TEST_LOGITS],
        "identical_predictions": identical_predictions(outcome),
        "test_examples": len(outcome.reference.test_logits),
        "verification": _verified(outcome.verdict),
        "differences": _pairs(outcome.verdict),
        "against_one_process": {
            name.lower(): [_result(result) for result in found] for name, found in outcome.against_one.items()
        },
        "first_divergence": outcome.first_divergence and dataclasses.asdict(outcome.first_divergence),
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "float64": {
            "match": proof.exact.match,
            "reasons": proof.exact.reasons,
            "verification": _verified(proof.exact),
            "differences": _pairs(proof.exact),
        },
        "yardstick": proof.yardstick,
        "times_largest_of_yardstick": proof.factors,
        "same_bits_when_repeated": proof.repeats,
    }


def _verified(verdict: Verdict) -> dict[str, Any]:
    """By framework, what was derived again."""
    return {
        name.lower(): {
            "reasons": found.reasons,
            "findings": [
                {key: getattr(finding, key) for key in ("check", "where", "numbers", "share", "size", "passes")}
                for finding in found.findings
            ],
            "crossings": [
                {**crossing.unit._asdict(), "example": crossing.example, "value": crossing.value, "ulps": crossing.ulps}
                for segment in found.segments
                for crossing in segment.crossings
            ],
            "smallest_seen": found.smallest,
        }
        for name, found in verdict.verified.items()
    }


def _pairs(verdict: Verdict) -> dict[str, Any]:
    return {f"{a.lower()}-{b.lower()}": [_result(result) for result in pair] for (a, b), pair in verdict.pairs.items()}


def _result(result: Result) -> dict[str, Any]:
    return {
        "check": result.name,
        "largest_difference": result.difference.absolute,
        "tensor": result.difference.tensor,
        "ulps": result.difference.ulps,
        "noise_floor": result.floor,
        "times_noise_floor": result.factor,
        "tensors": {d.tensor: d.absolute for d in result.tensors},
    }


def json_safe(value: Any) -> Any:
    """The same with null for every number that is not finite: JSON has none."""
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
