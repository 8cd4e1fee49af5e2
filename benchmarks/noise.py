"""Measure how many noise floors apart the frameworks lie, over seeds and over other specs.

`python benchmarks/noise.py` runs compare.py once for each, and writes benchmarks/noise.json and the table
benchmarks/noise.md: what `shared.comparing.parity.LIMIT` is held against.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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


def measure(options: list[str], folder: Path) -> dict[str, Any]:
    """Run compare.py; returns the largest multiple of the noise floor among the three pairs, per rung."""
    command = [sys.executable, str(HERE.parent / "compare.py"), *options, "--out", str(folder)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(options)}: {run.stderr.strip()}")
    comparison = json.loads((folder / "results.json").read_text())["comparison"]
    if not comparison["ladder"]:
        raise RuntimeError(f"{' '.join(options)}: {comparison['reasons'][0]}")
    pairs = {
        pair: {rung["rung"]: rung["times_noise_floor"] for rung in rungs}
        for pair, rungs in comparison["ladder"].items()
    }
    return {"options": " ".join(options), "reasons": comparison["reasons"], "pairs": pairs}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: PyTorch against TensorFlow, and in brackets the largest of the three pairs."""
    lines = ["| spec | " + " | ".join(RUNGS) + " | match |", "| --- |" + " ---: |" * (len(RUNGS) + 1)]
    for row in rows:
        pairs = row["pairs"]
        cells = [f"{pairs['pytorch-tensorflow'][r]:.2f} ({max(p[r] for p in pairs.values()):.2f})" for r in RUNGS]
        lines.append(f"| `{row['options']}` | " + " | ".join(cells) + f" | {'no' if row['reasons'] else 'yes'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every spec; what is done is kept after each."""
    rows = []
    for options in SPECS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(options, Path(folder) / "out"))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
        (HERE / "noise.json").write_text(json.dumps(rows, indent=2) + "\n")
        (HERE / "noise.md").write_text(table(rows))


if __name__ == "__main__":
    main()
