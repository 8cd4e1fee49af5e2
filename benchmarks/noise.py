"""Measure how many noise floors apart sound runs lie, over seeds and over other specs.

`python -m benchmarks.noise` makes the runs of a comparison for each, and writes benchmarks/noise.json and the tables
benchmarks/noise.md: what the limits of `shared.comparing.parity` are held against. A comparison has one floor and three
pairs; so any two runs of a spec also take the frameworks' places, and any others the referee's and its rounding runs'.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from shared import cli
from shared.comparing import parity
from shared.comparing.experiment import FRAMEWORKS, REFEREE, Variant, Watcher, make_runs, rounding_variants
from shared.comparing.processes import find_interpreter
from shared.record import Run

HERE = Path(__file__).resolve().parent
RUNGS = ("gradients", "weights after 10 steps", "step losses", "final weights", "test logits", "predictions")
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
# Limit of a rung, as text -> rung -> multiple of a noise floor.
Multiples = dict[str, dict[str, float]]


def measure(options: list[str], folder: Path) -> dict[str, Any]:
    """Make and judge the runs of a spec: per rung the multiples of the noise floor of each pair, and the resampled."""
    spec, _ = cli.parse(cli.make_parser("noise", "", ""), options)
    frameworks = [Variant(framework, spec.dtype) for framework in FRAMEWORKS]
    referee, rounding = Variant(REFEREE, spec.dtype), rounding_variants(REFEREE, spec.dtype)
    nudged = [replace(variant, nudged=True) for variant in frameworks]
    pythons = {framework: find_interpreter(framework, None) for framework in FRAMEWORKS}
    made = make_runs(spec, [*frameworks, *nudged, referee, *rounding], pythons, folder, watcher=Watcher())
    verdict = parity.judge([made[v] for v in frameworks], made[referee], [made[v] for v in rounding])
    if not verdict.pairs:
        raise RuntimeError(f"{' '.join(options)}: {verdict.reasons[0]}")
    pairs = {
        "-".join(pair).lower(): {rung.name: rung.factor for rung in rungs} for pair, rungs in verdict.pairs.items()
    }
    drawn, resampled = resample([run for v, run in made.items() if v.dtype == spec.dtype], len(rounding))
    return {
        "options": " ".join(options),
        "reasons": verdict.reasons,
        "pairs": pairs,
        "combinations": drawn,
        "resampled": resampled,
    }


def resample(runs: Sequence[Run], roundings: int) -> tuple[int, Multiples]:
    """Judge any two runs by any floor of others: how many combinations there are, and the largest multiples.

    A floor is of one run, for the referee, and of so many others, for its rounding runs.
    """
    everyone = range(len(runs))
    floors = [
        ({referee, *others}, parity.noise_floor(runs[referee], [runs[other] for other in others]))
        for referee in everyone
        for others in combinations([run for run in everyone if run != referee], roundings)
    ]
    drawn, largest = 0, Multiples()
    for pair in combinations(everyone, 2):
        a, b = (runs[run] for run in pair)
        parted, rungs = parity.parted_step(a, b), parity.ladder(a, b)
        fitting = [floor for members, floor in floors if members.isdisjoint(pair)]
        drawn += len(fitting)
        for rung, differences in rungs.items():
            limit = str(parity.limit(rung, parted))
            multiple = max(parity.largest(differences).absolute / floor[rung] for floor in fitting)
            of_limit = largest.setdefault(limit, {})
            of_limit[rung] = max(of_limit.get(rung, 0.0), multiple)
    return drawn, largest


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: PyTorch against TensorFlow, and in brackets the largest of the three pairs."""
    lines = ["| spec | " + " | ".join(RUNGS) + " | match |", "| --- |" + " ---: |" * (len(RUNGS) + 1)]
    for row in rows:
        pairs = row["pairs"]
        cells = [f"{pairs['pytorch-tensorflow'][r]:.2f} ({max(p[r] for p in pairs.values()):.2f})" for r in RUNGS]
        lines.append(f"| `{row['options']}` | " + " | ".join(cells) + f" | {'no' if row['reasons'] else 'yes'} |")
    return "\n".join(lines) + "\n"


def resampled_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the largest multiples of all specs, by rung, of pairs to which each limit applies."""
    limits = [str(limit) for limit in (parity.LIMIT, parity.PARTED_LIMIT, None)]

    def largest(rung: str, limit: str) -> str:
        found = [row["resampled"].get(limit, {}).get(rung) for row in rows]
        return f"{max(known):.2f}" if (known := [m for m in found if m is not None]) else "–"

    lines = [f"| any two sound runs | limit {limits[0]} | parted: limit {limits[1]} | not judged |"]
    lines += ["| --- |" + " ---: |" * len(limits)]
    rungs = rows[0]["pairs"]["pytorch-tensorflow"]
    lines += [f"| {rung} | " + " | ".join(largest(rung, limit) for limit in limits) + " |" for rung in rungs]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every spec; what is done is kept after each."""
    rows: list[dict[str, Any]] = []
    for options in SPECS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(options, Path(folder) / "runs"))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
        drawn = sum(row["combinations"] for row in rows)
        said = f"Any two sound runs of a spec, by any floor of others: the largest multiples in {drawn:,} combinations."
        (HERE / "noise.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
        (HERE / "noise.md").write_text(f"{table(rows)}\n{said}\n\n{resampled_table(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
