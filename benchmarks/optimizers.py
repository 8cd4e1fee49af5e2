"""Measure how far the frameworks' optimizers lie apart: as this project matches them, and as they come.

`python -m benchmarks.optimizers` trains one epoch in float64 by each, from the same weights and in the same order, and
writes the tables of benchmarks/optimizers.md, which docs/optimizers.md explains.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors.numpy import load_file

from shared.comparing.processes import find_interpreter
from shared.system.paths import ROOT
from shared.training import Training

MATCHED = [
    *(["--optimizer", optimizer] for optimizer in get_args(Training.model_fields["optimizer"].annotation)),
    *(["--optimizer", "momentum", "--schedule", schedule] for schedule in ("step", "cosine")),
    *(["--optimizer", optimizer, "--weight-decay", "0.01"] for optimizer in ("sgd", "adam", "rmsprop", "adagrad")),
    ["--optimizer", "sgd", "--clip-norm", "0.5"],
    ["--optimizer", "adam", "--clip-norm", "0.5"],
    *(
        ["--optimizer", optimizer, "--schedule", "cosine", "--weight-decay", "0.01", "--clip-norm", "0.5"]
        for optimizer in ("nesterov", "adamw", "adagrad")
    ),
]
# What a framework's own classes are told: nothing; the project's rate; and, in Keras, PyTorch's constants as well.
TOLD = {"nothing": "no more than that", "rate": "the rate too", "constants": "and PyTorch's constants"}
DECAY, CLIP_NORM = 0.01, 0.5
TRAINING = Training(dtype="float64", epochs=1)


def matched(options: list[str], folder: Path) -> dict[str, Any]:
    """Run compare.py: the largest difference of a step's loss between the frameworks, and in noise floors."""
    every = ["--epochs", "1", "--dtype", "float64", *options]
    command = [sys.executable, str(ROOT / "compare.py"), *every, "--out", str(folder)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")
    if run.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(options)}: {run.stderr.strip()}")
    comparison = json.loads((folder / "results.json").read_text(encoding="utf-8"))["comparison"]
    pairs = [{check["check"]: check for check in checks} for checks in comparison["checks"].values()]
    between = pairs[0]["step losses"]
    return {
        "options": " ".join(options),
        "match": comparison["match"],
        "step_loss": between["largest_difference"],
        "floor": between["noise_floor"],
        "multiple": max(check["times_noise_floor"] for checks in pairs for check in checks.values() if check["limit"]),
    }


def as_they_come(framework: str, folder: Path) -> dict[str, np.ndarray]:
    """Step losses by "CASE/TOLD" of a framework's own classes."""
    losses = folder / f"{framework}.safetensors"
    module = f"benchmarks.optimizers_{framework.lower()}"
    command = [str(find_interpreter(framework, None)), "-m", module, str(losses)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, encoding="utf-8")
    if run.returncode:
        raise RuntimeError(f"{module}: {run.stderr.strip()}")
    return load_file(losses)


def tables(matches: list[dict[str, Any]], gaps: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["Made to match, one epoch in float64: `compare.py --epochs 1 --dtype float64` and", ""]
    lines += ["| options | largest step-loss difference | its noise floor | largest multiple of a floor | match |"]
    lines += ["| --- | ---: | ---: | ---: | --- |"]
    for row in matches:
        figures = f"{row['step_loss']:.1e} | {row['floor']:.1e} | {row['multiple']:.2f}"
        lines.append(f"| `{row['options']}` | {figures} | {'yes' if row['match'] else 'no'} |")
    lines += ["", "As they come: each framework's own classes, told what the first column says and", ""]
    lines += [
        f"| optimizer | mean loss, PyTorch | {' | '.join(TOLD.values())} |",
        "| --- |" + " ---: |" * (len(TOLD) + 1),
    ]
    for row in gaps:
        cells = [f"{row[told]['largest']:.1e} / {row[told]['last']:.1e} / {row[told]['mean']:.1e}" for told in TOLD]
        lines.append(f"| {row['case']} | {row['mean']:.4f} | {' | '.join(cells)} |")
    lines += ["", "In each cell: the largest difference of a step's loss, that of the last step's, that of the means."]
    return "\n".join(lines) + "\n"


def gap(pytorch: np.ndarray, keras: np.ndarray) -> dict[str, float]:
    """How far step losses (steps,) of two runs lie apart."""
    apart = np.abs(pytorch - keras)
    return {"largest": apart.max(), "last": apart[-1], "mean": abs(pytorch.mean() - keras.mean())}


def main() -> None:
    """Measure; what has been measured is kept after each."""
    with tempfile.TemporaryDirectory() as name:
        pytorch, keras = (as_they_come(framework, Path(name)) for framework in ("PyTorch", "TensorFlow"))
    cases = sorted({key.rpartition("/")[0] for key in pytorch}, key=lambda case: ("," in case, case))
    gaps = [
        {"case": case, "mean": pytorch[f"{case}/rate"].mean()}
        | {told: gap(pytorch[f"{case}/{told}"], keras[f"{case}/{told}"]) for told in TOLD}
        for case in cases
    ]
    matches = []
    for options in MATCHED:
        with tempfile.TemporaryDirectory() as folder:
            matches.append(matched(options, Path(folder) / "out"))
        print(f"{matches[-1]['options']}: {matches[-1]['step_loss']:.1e}", flush=True)
        (ROOT / "benchmarks" / "optimizers.md").write_text(tables(matches, gaps), encoding="utf-8")


if __name__ == "__main__":
    main()
