"""How much memory a run takes at its peak, beside what `shared.running.footprint` foretells.

`python -m benchmarks.footprint` makes whole runs, large each in another way, for some ten minutes, and writes
benchmarks/footprint.md. The peak is that of the resident set, as the system counts it for the run's own process.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks import processes
from shared.comparing.processes import find_interpreter
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.options import written
from shared.reporting import markdown
from shared.reporting.parts import Table
from shared.running import footprint
from shared.system import ending, progress
from shared.system.output import write_whole

HERE = Path(__file__).resolve().parent
WIDE = (2048, 2048)
# Of few steps, for what is measured is size.
SPECS = [
    Configuration.of(epochs=1, batch_size=6_000, device="cpu"),
    Configuration.of(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=WIDE),
    Configuration.of(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=WIDE, dtype="float64", optimizer="adam"),
    Configuration.of(epochs=1, batch_size=60_000, device="cpu", hidden_sizes=(1024, 1024)),
    Configuration.of(epochs=1, batch_size=4_000, device="cpu", hidden_sizes=(4096, 4096)),
]
ENGINES = [
    ("Reference", "eager"),
    *((name, engine) for name in ("PyTorch", "TensorFlow") for engine in ("eager", "fast")),
]


def peak(framework: str, engine: str, configuration: Configuration, python: Path) -> int:
    """Bytes. Raises InputError where the run fails."""
    options = configuration.but(engine=engine).options()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-m", IMPLEMENTATIONS[framework].module, *options, "--out", f"{folder}/out"]
        _, peak_bytes = processes.run(f"{framework}, {engine},", command)
    return peak_bytes


def main() -> int:
    """Measure all, and write the table."""
    pythons = {name: find_interpreter(name, None) for name in ("PyTorch", "TensorFlow")} | {
        "Reference": Path(sys.executable)
    }
    wanted = [(framework, engine, configuration) for configuration in SPECS for framework, engine in ENGINES]
    header = ["hidden sizes, batch, dtype, optimizer, run", "peak, GB", "foretold, GB", "share"]
    rows = []
    with progress.bar(len(wanted), "runs") as advance:
        for framework, engine, configuration in wanted:
            taken, foretold = (
                peak(framework, engine, configuration, pythons[framework]),
                footprint.memory_needed(configuration, framework),
            )
            training = configuration.training
            sizes = written(training.hidden_sizes)
            about = f"{sizes}; {training.batch_size:,}; {training.dtype}; {training.optimizer}; {framework}, {engine}"
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
