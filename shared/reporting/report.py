"""The report of a comparison, from its first part to its last, and the files that a report is printed to."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.comparing.comparison import Outcome
from shared.comparing.verification import examples_of
from shared.reporting import charts, epochs, findings, glossary, markdown, mistakes, origin, page, plots, rules
from shared.reporting.mistakes import Mistakes
from shared.reporting.parts import (
    Bullets,
    Caution,
    Command,
    Digits,
    Group,
    KeyFigures,
    Paragraph,
    Part,
    Report,
    Section,
    Tabs,
    Verdict,
    pictures,
)
from shared.reporting.results import json_safe, results
from shared.system import escaping, trace
from shared.system.language import ENGLISH, LANGUAGES, of_environment, say

NO_PROOF = say(
    "No proof was run: neither float64, nor each implementation against itself, nor every run twice. "
    "This command runs it:"
)
NO_SEEDS = say(
    "All of this is one seed. Only many seeds can tell how far another seed carries a run, and whether the frameworks "
    "are equivalent beside that. No other seed was run. This command trains both from ten seeds, and tests it:"
)
NO_ATTRIBUTION = say(
    "Here the frameworks were given the same weights, the same batches and the same precision, so that only rounding "
    "is left. What makes two ordinary ports differ is another question: each framework has its own initial weights, "
    "order of examples and printed loss. No attribution was run. This command trains both as their own tutorials do, "
    "and measures what each difference does:"
)
MATRICES = say("Rows are labels, columns are predictions; the images on the diagonal were recognised.")
SCHEMA = 1  # of results.json


def comparison(outcome: Outcome, command: str, studies: Sequence[Section] = ()) -> Report:
    """All parts of a comparison's report. `command` is what made it; `studies` were made besides."""
    found = mistakes.compare(outcome.runs, examples_of("test"))
    studied = {section.name: section for section in studies}
    title = say("{names}, the same network", names=findings.listed(findings.names(outcome)))
    made = origin.of_runs(outcome.runs, command)
    sections = [
        Section("loss", say("Loss"), _loss(outcome)),
        Section("accuracy", say("Accuracy"), charts.of("accuracy", outcome)),
        rules.section(outcome),
        Section("verification", say("Every step"), _verification(outcome)),
        Section("divergence", say("How far apart"), _divergence(outcome)),
        *_workers(outcome),
        Section("proof", say("The proof"), findings.proof(outcome) or _missing(NO_PROOF, f"{command} --prove")),
        studied.get("seeds")
        or Section("seeds", say("Many seeds"), _missing(NO_SEEDS, f"{_in_one_process(command)} --seeds 10")),
        # At the tutorials' own settings, whatever was compared here.
        studied.get("why")
        or Section("why", say("Why they differ"), _missing(NO_ATTRIBUTION, f"{_program(command)} --explain")),
        Section("time", say("Time"), [*map(Paragraph, findings.time_caveats(outcome)), findings.times(outcome)]),
        Section("mistakes", say("Mistakes"), _mistakes(found)),
        Section("digits", say("Digits"), _digits(found)),
        glossary.section(),
        made.section(_what_was_run(outcome)),
    ]
    return Report(title, [*_opening(outcome), made.line, *sections])


def _workers(outcome: Outcome) -> list[Section]:
    parts = findings.against_one(outcome)
    return [Section("workers", say("Against one process"), parts)] if parts else []


def _in_one_process(command: str) -> str:
    """The command without its workers: of many seeds each run is made in one process."""
    return re.sub(r" --(workers|engine)[ =](\d+|workers)(?= |$)", "", command)


def _program(command: str) -> str:
    """The command without its options."""
    return shlex.join(shlex.split(command)[:2])


def _missing(what: str, command: str) -> list[Part]:
    """Of a section that was not asked for: that, and the command that fills it."""
    return [Paragraph(what), Command(command)]


def _opening(outcome: Outcome) -> list[Part]:
    reasons = [Bullets(outcome.reasons)] if len(outcome.reasons) > 1 else []
    verdict = Verdict(findings.sentence(outcome), outcome.match)
    return [verdict, *map(Caution, outcome.warnings), *reasons, KeyFigures(findings.key_figures(outcome))]


def _loss(outcome: Outcome) -> list[Part]:
    curves = Tabs("loss", charts.of("loss", outcome))
    return [curves, epochs.of(outcome), Paragraph(epochs.MEANING)]


def _verification(outcome: Outcome) -> list[Part]:
    return [*charts.of("verification", outcome), *findings.verification(outcome.verdict)]


def _divergence(outcome: Outcome) -> list[Part]:
    first, checks = findings.first_divergence(outcome), findings.checks(outcome.verdict)
    return [*charts.of("divergence", outcome), *first, Paragraph(findings.SHOWN), *checks]


def _mistakes(found: Mistakes) -> list[Part]:
    sentences = [*mistakes.confusion_sentences(found), MATRICES]
    return [*map(Paragraph, sentences), mistakes.matrices(found)]


def _digits(found: Mistakes) -> list[Part]:
    wrong = say("Where both are wrong") if len(found.names) == mistakes.PAIR else say("Where all are wrong")
    chosen = {
        say("Where they disagree"): (mistakes.disagreement_sentence(found), found.disagreements),
        wrong: (mistakes.all_wrong_sentence(found), found.confident),
    }
    return [
        Group(title, [Paragraph(sentence), *([Digits(found.names, digits)] if digits else [])])
        for title, (sentence, digits) in chosen.items()
    ]


def _what_was_run(outcome: Outcome) -> list[Part]:
    return [findings.facts(outcome), Group(say("Checksums"), [findings.checksums(outcome)], folded=True)]


def write(outcome: Outcome, folder: Path, command: str, studies: Sequence[Section] = ()) -> None:
    """Write results.json, the pictures, report.md, also in each other language, and index.html, which holds them all.

    `command` is what reproduces them. The page opens in the language of the environment.
    """
    command = escaping.one_line(command)
    report = comparison(outcome, command, studies)
    stills = write_files(report, results(outcome) | {study.name: study.results for study in studies}, folder)
    with trace.span("page"):
        text = page.render(report, stills, outcome.training.dtype, language=of_environment())
    (folder / "index.html").write_text(text, encoding="utf-8")


def write_alone(section: Section, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md of a section that is a report of its own."""
    made = origin.of_now(command)
    parts = [*section.parts, glossary.section(), made.section([])]
    write_files(Report(section.title, parts), section.results, folder)


def write_files(
    report: Report, results: dict[str, Any], folder: Path, languages: Iterable[str] = LANGUAGES
) -> dict[str, str]:
    """Write results.json, the pictures and report.md, which is report.zh-CN.md in Chinese.

    Returns what the pictures' SVG files hold, by name. `languages` are those in which the report can be said.

    Numbers that are not finite become null in results.json: JSON has none.
    """
    text = json.dumps(json_safe({"schema": SCHEMA} | results), indent=2, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    with trace.span("drawing"):
        stills = plots.write(pictures(report.parts), folder)
    for language in languages:
        name = "report.md" if language == ENGLISH else f"report.{language}.md"
        (folder / name).write_text(markdown.document(report, language), encoding="utf-8")
    return stills
