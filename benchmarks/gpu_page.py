"""The page of `benchmarks.gpu_check`: what was found, in words, tables and charts, in one file."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.comparing.comparison import Outcome
from shared.comparing.runs import Variant
from shared.comparing.verification import Verification
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.reporting import charts, findings, glossary, origin, page, report, rules
from shared.reporting.parts import (
    Bars,
    Bullets,
    Paragraph,
    Part,
    Report,
    Section,
    Table,
    Tabs,
    Verdict,
)
from shared.reporting.results import results
from shared.reporting.styles import style_of
from shared.running.record import Run
from shared.system import own_python

PAGE = "gpu-check.html"
ALONE = (
    "Each of these runs was alone on the machine, but those in float64, which are the comparison's. The bare products "
    "are the eight matrix products of a step, through PyTorch's own library, and nothing else of a step. A step of so "
    "small a net keeps no GPU busy: what is measured is above all how fast a framework orders work."
)
NOT_DONE = "This was not done: see above."
MEANING = (
    "The programs switch TF32 off. Here it was switched on, to see what it does. It keeps 10 of the 23 bits behind a "
    "float32's point, and the verification must see that."
)


@dataclass(frozen=True)
class Attempt:
    """A run of one framework, and what was found of it."""

    framework: str
    engine: str
    tf32: bool
    run: Run
    verification: Verification

    @property
    def name(self) -> str:
        in_float64 = self.run.record.training.dtype == "float64"
        return f"{self.framework}, {self.engine}{', float64' * in_float64}{', TF32 on' * self.tf32}"

    @property
    def products(self) -> str:
        """The bare products to hold it against."""
        return "float32 in TF32" if self.tf32 else self.run.record.training.dtype

    @property
    def seconds_per_epoch(self) -> float:
        return self.run.record.timing["training"] / self.run.record.training.epochs

    @property
    def share(self) -> float:
        """Of what is allowed, how far off that lies which is furthest off."""
        return float(np.max([finding.share for finding in self.verification.findings]))  # no number is the furthest


@dataclass
class Found:
    """All that was measured, as far as it went."""

    configuration: Configuration
    environment: dict[str, str]
    floors: dict[str, float] = field(default_factory=dict)  # seconds per epoch of the bare products
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Outcome | None = None
    missing: dict[str, str] = field(default_factory=dict)  # each part that is not done, and why

    @property
    def device(self) -> str:
        """Where everything must have been."""
        return self.configuration.execution.device

    @property
    def reasons(self) -> list[str]:
        """Why this is no pass: a sentence for each reason. What is missing is one."""
        found = [f"{part}: {why}" for part, why in self.missing.items()]
        runs = {attempt.name: attempt.run for attempt in self.attempts}
        if self.outcome:
            found += [f"the comparison: {reason}" for reason in self.outcome.reasons]
            runs |= {run.record.framework: run for run in self.outcome.runs}
        for name, run in runs.items():
            if run.record.device.type != self.device:
                found.append(f"{name} ran on {run.record.device.type}, not on {self.device}")
        for attempt in self.attempts:
            products = attempt.run.record.settings["float32 matrix products"]
            if products != ("tf32" if attempt.tf32 else "ieee"):
                found.append(f"{attempt.name} tells of matrix products in {products}")
            if not attempt.tf32:  # with it on, a difference is what is looked for
                found += [f"{attempt.name}: {reason}" for reason in attempt.verification.reasons]
        return found


def write(found: Found, folder: Path) -> None:
    """Write gpu-check.html, which holds all it needs; beside it results.json, report.md and its pictures."""
    made = _report(found)
    stills = report.write_files(made, _results(found), folder)
    rendered = page.render(made, stills, found.configuration.training.dtype)
    (folder / PAGE).write_text(rendered, encoding="utf-8")


def sentence(found: Found) -> str:
    """The verdict, with its first reason where it is not good."""
    if reasons := found.reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return f"NOT PASSED: {reasons[0]}{more}."
    steps = found.configuration.training.steps
    return (
        f"PASSED: on {_device(found)}, with TF32 off, each of the {steps:,} steps follows from the weights before it, "
        f"in {findings.listed(list(FRAMEWORKS))}, by each engine in float32, and in float64; each run that was made "
        "twice gave the same bits."
    )


def _device(found: Found) -> str:
    """The name of what the runs were on."""
    names = dict.fromkeys(attempt.run.record.device.name for attempt in found.attempts)
    return " and ".join(names) or found.device


def _report(found: Found) -> Report:
    opening: list[Part] = [Verdict(sentence(found), not found.reasons)]
    if len(found.reasons) > 1:
        opening.append(Bullets(found.reasons))
    sections = [
        Section(
            "machine", "The machine", [Table(["what", "value"], [[*row] for row in found.environment.items()], True)]
        ),
        Section("engines", "Engines, and the bare products", _engines(found)),
        Section("tf32", "TF32", [Paragraph(MEANING), *_tf32(found)]),
        *_compared(found),
    ]
    return Report(f"Both frameworks on {_device(found)}", [*opening, *sections])


def _engines(found: Found) -> list[Part]:
    if not found.attempts:
        return [Paragraph(NOT_DONE)]
    attempts = [*found.attempts, *_in_float64(found)]
    rows = [
        [
            attempt.name,
            _ratio(found, attempt),
            f"{attempt.run.record.timing['compile']:.1f}",
            f"{attempt.run.record.epochs[-1].train_loss:.6f}",
            f"{attempt.share:.0%}" if np.isfinite(attempt.share) else "not the same",
        ]
        for attempt in attempts
    ]
    header = ["run", "÷ bare products", "compile, s", "last epoch's loss", "furthest of what is allowed"]
    floors = [[f"bare products, {name}", f"{seconds:.4f}"] for name, seconds in found.floors.items()]
    return [
        Bars(
            ["seconds per epoch", "training"],
            [(attempt.name, "") for attempt in attempts],
            np.array([[attempt.seconds_per_epoch] for attempt in attempts]),
            ".3f",
            [style_of(FRAMEWORKS[0])],
        ),
        Table(header, rows),
        Table(["PyTorch's library", "seconds per epoch"], floors),
        Paragraph(ALONE),
    ]


def _in_float64(found: Found) -> list[Attempt]:
    """Each framework's run in float64, which only the comparison has."""
    if found.outcome is None or found.outcome.proof is None:
        return []
    verified = found.outcome.proof.exact.verified
    runs = {name: found.outcome.made[Variant(name, "float64")] for name in verified}
    return [Attempt(name, run.record.settings["engine"], False, run, verified[name]) for name, run in runs.items()]


def _ratio(found: Found, attempt: Attempt) -> str:
    """An epoch as a multiple of its bare products in the same precision."""
    floor = found.floors.get(attempt.products)
    return f"{attempt.seconds_per_epoch / floor:.2f}" if floor else ""


def _pairs(found: Found) -> list[tuple[Attempt, Attempt]]:
    """Of each framework the run with TF32 off and that with it on, by one engine."""
    known = {(a.framework, a.engine, a.tf32): a for a in found.attempts}
    keys = [(name, IMPLEMENTATIONS[name].auto) for name in FRAMEWORKS]
    return [(known[*key, False], known[*key, True]) for key in keys if {(*key, False), (*key, True)} <= known.keys()]


def _tf32(found: Found) -> list[Part]:
    effects = [tf32_effect(off, on) for off, on in _pairs(found)]
    return [Bullets(effects)] if effects else [Paragraph(NOT_DONE)]


def tf32_effect(off: Attempt, on: Attempt) -> str:
    """What switching TF32 on does to a framework's run, in a sentence."""
    took = f"an epoch takes {on.seconds_per_epoch / off.seconds_per_epoch:.2f} times as long"
    if on.run.record.files == off.run.record.files:
        return f"{off.framework}: no bit changes: this device has no TF32. With it on {took}."
    apart = abs(on.run.record.epochs[-1].train_loss - off.run.record.epochs[-1].train_loss)
    worst = max(on.verification.findings, key=lambda finding: finding.share)
    seen = "is seen" if on.verification.reasons else "is NOT seen"
    return (
        f"{off.framework}: it {seen}: {worst.where} ({worst.check}) lies {worst.share:.3g} times what is allowed off. "
        f"The last epoch's loss differs by {apart:.1e}, and {took}."
    )


def _compared(found: Found) -> list[Section]:
    command = shlex.join([own_python.as_called(), "-m", "benchmarks.gpu_check"])
    outcome = found.outcome
    if outcome is None:
        return [Section("comparison", "The comparison", [Paragraph(NOT_DONE)]), origin.of_now(command).section([])]
    return [
        Section(
            "comparison",
            "The comparison",
            [Paragraph(findings.sentence(outcome)), Tabs("loss", charts.of("loss", outcome))],
        ),
        Section(
            "verification",
            "Every step",
            [*charts.of("verification", outcome), *findings.verification(outcome.verdict)],
        ),
        rules.section(outcome),
        Section(
            "divergence",
            "How far apart",
            [*charts.of("divergence", outcome), *findings.first_divergence(outcome), *findings.checks(outcome.verdict)],
        ),
        Section("proof", "float64, and every run twice", findings.proof(outcome)),
        glossary.section(),
        origin.of_runs(outcome.runs, command).section([findings.facts(outcome)]),
    ]


def _results(found: Found) -> dict[str, Any]:
    attempts = [
        {
            "run": attempt.name,
            "seconds_per_epoch": attempt.seconds_per_epoch,
            "timing": attempt.run.record.timing,
            "epoch_losses": [epoch.train_loss for epoch in attempt.run.record.epochs],
            "share_of_allowed": attempt.share,
            "reasons": attempt.verification.reasons,
        }
        for attempt in found.attempts
    ]
    told = {
        "passed": not found.reasons,
        "reasons": found.reasons,
        "environment": found.environment,
        "bare_products": found.floors,
        "attempts": attempts,
    }
    return told | ({"comparison": results(found.outcome)} if found.outcome else {})
