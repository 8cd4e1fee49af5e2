"""Measure what both frameworks do by default, and write the table of differences.

The probes of each framework run in a process of its own, with its own Python. What they measured goes to
docs/differences.json; docs/differences.md is made from that and from the rows.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from library_defaults.rows import ROWS, SECTIONS, Row
from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.system import ending
from shared.system.errors import InputError
from shared.system.paths import ROOT

COMMAND = "make differences"
JSON_FILE, MARKDOWN_FILE = ROOT / "docs" / "differences.json", ROOT / "docs" / "differences.md"
PROBES = {framework: f"library_defaults.{framework.lower()}" for framework in FRAMEWORKS}

# By framework, as `probing.main` prints it: "versions" by library; "values" and "unrecognised" by row.
Measured = dict[str, dict[str, Any]]


def measure(framework: str, python: Path) -> dict[str, Any]:
    """Run the probes of one framework. Raises InputError where they fail; standard error then says why."""
    command = [str(python), "-m", PROBES[framework]]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, encoding="utf-8")
    if run.returncode:
        raise InputError(f"{' '.join(command)} ended with status {run.returncode}; see above")
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured


def check(measured: Measured) -> None:
    """Raise InputError unless exactly the rows were measured, in both frameworks."""
    keys = {row.key for row in ROWS}
    for framework, found in measured.items():
        for key, what in found["unrecognised"].items():
            raise InputError(f"{key} in {framework}: {what}; add by hand, to the candidates, what it does now")
        for key in sorted(keys ^ found["values"].keys()):
            raise InputError(f"{key}: a row without a probe in {framework}, or a probe without a row")


def differs(row: Row, measured: Measured) -> bool:
    a, b = (measured[framework]["values"][row.key] for framework in FRAMEWORKS)
    return bool(a != b)


def _shown(value: Any) -> str:
    """A value as the table shows it."""
    if isinstance(value, list):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(header: list[str], rows: list[list[str]]) -> str:
    """In Markdown. Nothing is escaped: the rows' own text has marks of Markdown in it."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *rows])


def _values_table(rows: list[Row], measured: Measured) -> str:
    def line(row: Row) -> list[str]:
        return [row.item, *(_shown(measured[framework]["values"][row.key]) for framework in FRAMEWORKS), row.curve]

    return _table(["what", "PyTorch", "TensorFlow/Keras", "what it does to a curve"], [line(row) for row in rows])


def _code_table(rows: list[Row]) -> str:
    lines = [[row.item, f"`{row.pytorch}`", f"`{row.keras}`"] for row in rows]
    return _table(["what", "PyTorch, as Keras does it", "Keras, as PyTorch does it"], lines)


def markdown(measured: Measured) -> str:
    """The page: what differs and what it does to a curve, how to make it the same, and what is the same already."""
    differing = {title: [row for row in rows if differs(row, measured)] for title, rows in SECTIONS.items()}
    same = [row for row in ROWS if not differs(row, measured)]
    versions = ", ".join(
        f"{name} {number}" for found in measured.values() for name, number in found["versions"].items()
    )
    origin = (
        f"`{COMMAND}` made this page, with {versions}. Each value was measured on the installed library by a probe in "
        "`library_defaults/pytorch` or `library_defaults/tensorflow`: where possible, by a tiny computation whose "
        "result only one formula gives. The tests measure again, and fail where a library has changed. What a GPU "
        "would do is read from the switch that decides it."
    )
    parts = [
        f"# What the frameworks do unless told otherwise\n\n<!-- Made by `{COMMAND}`: not edited by hand. -->",
        origin,
        f"Of {len(ROWS)} defaults, {len(ROWS) - len(same)} differ, and [{len(same)} are the same](#the-same).",
        "## Different",
    ]
    for title, rows in differing.items():
        parts += [f"### {title}", _values_table(rows, measured)]
    advice = (
        "The tests run every piece of code. The names stand for your own; `step` counts from 1, `square` is the "
        "optimizer's mean or sum of squared gradients, `before` is the running variance before the batch, or the bias "
        "before the step, `chance` the probability that was given to the true label, `vectors` what an embedding gave "
        "for `tokens`. Code that sets a rate, an ε, a threshold or weights must run before each step or epoch. In "
        "Keras the step must then not be traced: a traced step keeps the number that it saw first."
    )
    parts += ["## To make it the same", advice]
    for title, rows in differing.items():
        parts += [f"### {title}", _code_table(rows)]
    parts += ["## The same", _values_table(same, measured)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Measure, and write both files. Returns the exit status."""
    measured = {framework: measure(framework, find_interpreter(framework, None)) for framework in FRAMEWORKS}
    check(measured)
    JSON_FILE.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    MARKDOWN_FILE.write_text(markdown(measured), encoding="utf-8")
    print(f"{MARKDOWN_FILE.relative_to(ROOT)}: {sum(differs(row, measured) for row in ROWS)} of {len(ROWS)} differ")
    return ending.OK
