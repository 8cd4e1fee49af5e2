"""Measure how many noise floors apart sound runs lie, over seeds and over other specs.

`python -m benchmarks.noise` makes the runs of a comparison for each, and writes benchmarks/noise.json and the tables
benchmarks/noise.md: what the limits of `shared.comparing.checks` are held against. A comparison has one floor and
three pairs; so any two runs of a configuration also take the frameworks' places, and any others the
reference's and its rounding runs'.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from shared import cli
from shared.comparing import checks
from shared.comparing.processes import find_interpreter
from shared.comparing.runs import Variant, Watcher, make_runs, rounding_variants
from shared.contract import FRAMEWORKS, REFERENCE
from shared.reporting import markdown
from shared.reporting.parts import Code, Table
from shared.running.record import Run

HERE = Path(__file__).resolve().parent
CHECKS = ("gradients", "weights after 10 steps", "step losses", "final weights", "test logits", "predictions")
SPECS = [
    *(["--seed", str(seed)] for seed in range(10)),
    ["--hidden-sizes", "512,256"],
    ["--batch-size", "32"],
    ["--batch-size", "256"],
    ["--learning-rate", "0.1"],
    ["--epochs", "20"],
    ["--epochs", "1"],
    *(["--dtype", "float64", "--seed", str(seed)] for seed in range(5)),
]
# Limit of a check, as text -> check -> multiple of a noise floor.
Multiples = dict[str, dict[str, float]]


def measure(options: list[str], folder: Path) -> dict[str, Any]:
    """Make and judge a configuration's runs: per check the multiples of the noise floor of each pair, and resampled."""
    configuration, _ = cli.parse(cli.make_parser("noise", "", ""), options)
    dtype = configuration.training.dtype
    reference, rounding = Variant(REFERENCE, dtype), rounding_variants(REFERENCE, dtype)
    frameworks = [Variant(framework, dtype) for framework in FRAMEWORKS]
    perturbed = [replace(variant, perturbed=True) for variant in frameworks]
    pythons = {framework: find_interpreter(framework, None) for framework in FRAMEWORKS}
    made = make_runs(configuration, [*frameworks, *perturbed, reference, *rounding], pythons, folder, watcher=Watcher())
    verdict = checks.judge([made[v] for v in frameworks], made[reference], [made[v] for v in rounding])
    if not verdict.pairs:
        raise RuntimeError(f"{' '.join(options)}: {verdict.reasons[0]}")
    pairs = {
        "-".join(pair).lower(): {check.name: check.factor for check in checks} for pair, checks in verdict.pairs.items()
    }
    drawn, resampled = resample([run for v, run in made.items() if v.dtype == dtype], len(rounding))
    return {
        "options": " ".join(options),
        "reasons": verdict.reasons,
        "pairs": pairs,
        "combinations": drawn,
        "resampled": resampled,
    }


def resample(runs: Sequence[Run], roundings: int) -> tuple[int, Multiples]:
    """Judge any two runs by any floor of others: how many combinations there are, and the largest multiples.

    A floor is of one run, for the reference, and of so many others, for its rounding runs.
    """
    everyone = range(len(runs))
    floors = [
        ({reference, *others}, checks.noise_floor(runs[reference], [runs[other] for other in others]))
        for reference in everyone
        for others in combinations([run for run in everyone if run != reference], roundings)
    ]
    drawn, largest = 0, Multiples()
    for pair in combinations(everyone, 2):
        a, b = (runs[run] for run in pair)
        diverged = checks.first_divergence_step(a, b)
        fitting = [floor for members, floor in floors if members.isdisjoint(pair)]
        drawn += len(fitting)
        for check in checks.checks_of(a.record.training):
            difference = checks.largest(check.compare(a, b)).absolute
            of_limit = largest.setdefault(str(check.limit(diverged)), {})
            multiples = [difference / floor[check.name] for floor in fitting]
            of_limit[check.name] = max(of_limit.get(check.name, 0.0), *multiples)
    return drawn, largest


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: PyTorch against TensorFlow, and in brackets the largest of the three pairs."""
    lines = []
    for row in rows:
        pairs = row["pairs"]
        cells = [f"{pairs['pytorch-tensorflow'][c]:.2f} ({max(p[c] for p in pairs.values()):.2f})" for c in CHECKS]
        lines.append([Code(row["options"]), *cells, "no" if row["reasons"] else "yes"])
    return markdown.table(Table(["options", *CHECKS, "match"], lines)) + "\n"


def resampled_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the largest multiples of all specs, by check, of pairs to which each limit applies."""
    limits = [str(limit) for limit in (checks.LIMIT, checks.DIVERGED_LIMIT, None)]

    def largest(check: str, limit: str) -> str:
        found = [row["resampled"].get(limit, {}).get(check) for row in rows]
        return f"{max(known):.2f}" if (known := [m for m in found if m is not None]) else "–"

    header = ["any two sound runs", f"limit {limits[0]}", f"diverged: limit {limits[1]}", "not judged"]
    names = rows[0]["pairs"]["pytorch-tensorflow"]
    return markdown.table(Table(header, [[name, *(largest(name, limit) for limit in limits)] for name in names])) + "\n"


def main() -> None:
    """Measure every configuration; what is done is kept after each."""
    rows: list[dict[str, Any]] = []
    for options in SPECS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(options, Path(folder) / "runs"))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
        drawn = sum(row["combinations"] for row in rows)
        said = "Any two sound runs of one configuration, by any floor of others: "
        said += f"the largest multiples in {drawn:,} combinations."
        (HERE / "noise.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
        (HERE / "noise.md").write_text(f"{table(rows)}\n{said}\n\n{resampled_table(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
