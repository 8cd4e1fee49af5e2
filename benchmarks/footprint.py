"""How much memory a run takes at its peak, beside what `shared.running.footprint` foretells.

`python -m benchmarks.footprint` makes whole runs, large each in another way, for some ten minutes, and writes
benchmarks/footprint.md. The peak is that of the resident set, as the system counts it for the run's own process.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.comparing.processes import find_interpreter
from shared.comparing.runs import MODULES
from shared.reporting import markdown
from shared.reporting.parts import Table
from shared.running import footprint
from shared.spec import Spec
from shared.system import ending, progress
from shared.system.errors import InputError
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
WIDE = (2048, 2048)
# Of few steps, for what is measured is size.
SPECS = [
    Spec(epochs=1, batch_size=6_000, device="cpu"),
    Spec(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=WIDE),
    Spec(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=WIDE, dtype="float64", optimizer="adam"),
    Spec(epochs=1, batch_size=60_000, device="cpu", hidden_sizes=(1024, 1024)),
    Spec(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=(4096, 4096)),
]
ENGINES = [
    ("Reference", "eager"),
    *((name, engine) for name in ("PyTorch", "TensorFlow") for engine in ("eager", "fast")),
]


def peak(framework: str, engine: str, spec: Spec, python: Path) -> int:
    """Bytes. Raises InputError where the run fails."""
    options = spec.model_copy(update={"engine": engine}).options()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-m", MODULES[framework], *options, "--out", f"{folder}/out"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != ending.OK:
        raise InputError(
            f"{framework}, {engine}, ended with status {child.returncode}; run it alone: {' '.join(command)}"
        )
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Measure all, and write the table."""
    pythons = {name: find_interpreter(name, None) for name in ("PyTorch", "TensorFlow")} | {
        "Reference": Path(sys.executable)
    }
    # PyTorch's fast engine compiles plain SGD alone, and says so of any other.
    wanted = [
        (framework, engine, spec)
        for spec in SPECS
        for framework, engine in ENGINES
        if (framework, engine) != ("PyTorch", "fast") or spec.optimizer == "sgd"
    ]
    header = ["hidden sizes, batch, dtype, optimizer, run", "peak, GB", "foretold, GB", "share"]
    rows = []
    with progress.bar(len(wanted), "runs") as advance:
        for framework, engine, spec in wanted:
            taken, foretold = (
                peak(framework, engine, spec, pythons[framework]),
                footprint.memory_needed(spec, framework),
            )
            sizes = ",".join(map(str, spec.hidden_sizes))
            about = f"{sizes}; {spec.batch_size:,}; {spec.dtype}; {spec.optimizer}; {framework}, {engine}"
            figures = [f"{taken / 1e9:.2f}", f"{foretold / 1e9:.2f}", f"{foretold / taken:.0%}"]
            rows.append([about, *figures])
            advance(1)
    text = "# What a run takes of memory, and what is foretold\n\n`python -m benchmarks.footprint` made this page.\n\n"
    text += markdown.table(Table(header, rows)) + "\n"
    write_whole(HERE / "footprint.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(text)
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status("benchmarks.footprint", main))
