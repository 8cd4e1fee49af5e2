"""How fast each way of training is: ours, a tutorial's, Keras's own, JAX's, and the floor under all of them.

`make bench` runs every contender in fresh processes, all of them once before any a second time, and writes
benchmarks/speed.json, speed.md and speed.png. A ratio compares medians of the same run; seconds are of one machine.
"""

import json
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from shared.comparing.processes import find_interpreter, versions
from shared.mnist import MNIST
from shared.reporting.drawing import plt, ticker
from shared.reporting.pictures import BLUE, GREY
from shared.reporting.tables import Table
from shared.system import cache, ending, progress
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
REPEATS, EPOCHS = 5, 3
JAX = ROOT / ".venv" / "jax" / "bin" / "python"
# How far the epoch losses of contenders that train on the same batches may lie apart.
SAME = 1e-3


PACKAGES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "keras": "TensorFlow", "jax": "JAX", "numpy": "PyTorch"}


@dataclass(frozen=True)
class Contender:
    """A way to train, as a program of its own."""

    name: str
    framework: str  # whose Python runs it
    module: str
    options: tuple[str, ...] = ()
    ours: bool = True
    # Whether it trains from other weights on other batches than the rest, or not at all.
    trains_otherwise: bool = False

    @property
    def arguments(self) -> list[str]:
        # On the CPU wherever it runs, for the floor is the CPU's.
        return ["-m", self.module, *self.options, "--epochs", str(EPOCHS), "--device", "cpu"]


STOCK = ("--mode", "stock")
FLOOR = Contender("floor: 8 matrix products", "PyTorch", "benchmarks.floor", ours=False, trains_otherwise=True)
PEER = Contender("JAX, an epoch in one scan", "JAX", "benchmarks.jax_scan", ours=False)
FAST = Contender("PyTorch, fast", "PyTorch", "pytorch_impl", ("--engine", "fast"))
FIT = Contender("Keras, compile and fit", "TensorFlow", "tensorflow_impl", STOCK, ours=False, trains_otherwise=True)
TUTORIAL = Contender("PyTorch, tutorial's loop", "PyTorch", "pytorch_impl", STOCK, ours=False, trains_otherwise=True)
CONTENDERS = [
    FLOOR,
    PEER,
    FAST,
    Contender("TensorFlow, fast", "TensorFlow", "tensorflow_impl", ("--engine", "fast")),
    Contender("NumPy, the reference", "PyTorch", "shared.reference"),
    Contender("PyTorch, eager", "PyTorch", "pytorch_impl", ("--engine", "eager")),
    Contender("TensorFlow, eager", "TensorFlow", "tensorflow_impl", ("--engine", "eager")),
    FIT,
    TUTORIAL,
]


def main() -> int:
    """Measure, check that all trained the same, write."""
    pythons = {name: find_interpreter(name, None) for name in ("PyTorch", "TensorFlow")} | {"JAX": JAX}
    if not JAX.exists():
        raise InputError(f"{JAX} does not exist; run it as: make bench")
    first_compile = _compile_from_scratch(pythons["PyTorch"])
    measured: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in CONTENDERS}
    with progress.bar(REPEATS * len(CONTENDERS), "contenders") as advance:
        for _ in range(REPEATS):
            losses = {}
            for contender in CONTENDERS:
                figures, losses[contender.name] = measure(contender, pythons[contender.framework])
                measured[contender.name].append(figures)
                advance(1)
            _check_that_all_train_the_same(losses)
    result = {
        "machine": {"cpu": cpu_name(), "cores": cores(), "python": platform.python_version()},
        "versions": {name: versions(pythons[framework], [name])[name] for name, framework in PACKAGES.items()},
        "epochs": EPOCHS,
        "first_compile_of_pytorch_fast": first_compile,
        "measured": measured,
    }
    write_whole(
        HERE / "speed.json", lambda path: path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    )
    write_whole(HERE / "speed.md", lambda path: path.write_text(as_markdown(result), encoding="utf-8"))
    write_whole(HERE / "speed.png", lambda path: draw(result, path))
    print(as_markdown(result))
    return ending.OK


def measure(contender: Contender, python: Path, **environment: str) -> tuple[dict[str, float], list[float] | None]:
    """Seconds by phase, seconds per epoch and peak MiB of one fresh process; and its epoch losses where it trains.

    Raises InputError where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), *contender.arguments, "--out", f"{folder}/out"]
        said, peak_bytes = processes.run(contender.name, command, **environment)
        run_json = Path(folder) / "out" / "run.json"
        run = json.loads(run_json.read_text(encoding="utf-8") if run_json.exists() else said.splitlines()[-1])
    losses = run.get("epoch_losses") or ([epoch["train_loss"] for epoch in run["epochs"]] if "epochs" in run else None)
    if "epoch_seconds" in run:
        # A stock run's first epoch decodes and caches; all that come after it are alike.
        seconds = statistics.median(run["epoch_seconds"][contender.trains_otherwise :])
    else:
        seconds = run["timing"]["training"] / EPOCHS
    phases = {phase: run["timing"][phase] for phase in ("import", "data", "compile") if phase in run["timing"]}
    return {"seconds_per_epoch": seconds, "peak_mib": peak_bytes / 2**20, **phases}, losses


def _check_that_all_train_the_same(losses: dict[str, list[float] | None]) -> None:
    """Raises InputError where a contender trained something else: then its time says nothing."""
    expected = losses[PEER.name]
    assert expected is not None
    for contender in CONTENDERS:
        found = losses[contender.name]
        if contender.trains_otherwise:
            continue
        if found is None or not max(abs(a - b) for a, b in zip(found, expected, strict=True)) < SAME:
            raise InputError(f"{contender.name} trained to {found}, {PEER.name} to {expected}; see why before timing")


def _compile_from_scratch(python: Path) -> float:
    """Seconds that PyTorch's fast engine compiles where nothing has been kept."""
    with tempfile.TemporaryDirectory() as folder:
        figures, _ = measure(FAST, python, **{cache.VARIABLE: folder})
    return figures["compile"]


def medians(result: dict[str, Any], figure: str) -> dict[str, float]:
    """Contender -> the median of its repeats, where it has the figure."""
    return {
        name: statistics.median(repeat[figure] for repeat in repeats)
        for name, repeats in result["measured"].items()
        if figure in repeats[0]
    }


def as_markdown(result: dict[str, Any]) -> str:
    """The table, and what it was measured on."""
    seconds = medians(result, "seconds_per_epoch")
    phases = {figure: medians(result, figure) for figure in ("compile", "import", "data", "peak_mib")}
    rows = []
    for name, median in seconds.items():
        repeats = [repeat["seconds_per_epoch"] for repeat in result["measured"][name]]
        ratios = [f"{median / seconds[base.name]:.2f}" for base in (FLOOR, TUTORIAL, FIT, PEER)]
        spread = f"{median:.3f} ({min(repeats):.3f}–{max(repeats):.3f})"
        costs = [
            f"{phases[figure][name]:.2f}" if name in phases[figure] else "" for figure in ("compile", "import", "data")
        ]
        examples = f"{MNIST.train_examples / median:,.0f}" if name != FLOOR.name else ""
        rows.append([name, *ratios, spread, examples, *costs, f"{phases['peak_mib'][name]:,.0f}"])
    header = [
        "way to train",
        "÷ floor",
        "÷ tutorial",
        "÷ Keras fit",
        "÷ JAX",
        "seconds per epoch",
        "examples per second",
    ]
    first = result["first_compile_of_pytorch_fast"]
    machine, versions = result["machine"], ", ".join(f"{name} {v}" for name, v in result["versions"].items())
    return f"""<!-- Made by `make bench`: not edited by hand. -->

{Table([*header, "compile, s", "import, s", "data, s", "peak MiB"], rows).markdown()}

Medians of {REPEATS} fresh processes each, interleaved, {result["epochs"]} epochs of the default run on one thread; in
brackets the fastest and the slowest. {machine["cpu"]}, {machine["cores"]} cores, Python {machine["python"]},
{versions}.
The first time, PyTorch's fast engine compiles for {first:.0f} s, and keeps the result. The tutorial's loop and `fit`
are timed from their second epoch on, when the data is cached.
"""


def draw(result: dict[str, Any], path: Path) -> None:
    """Bars of seconds per epoch as multiples of the floor, on a logarithmic axis."""
    seconds = medians(result, "seconds_per_epoch")
    floor = seconds[FLOOR.name]
    names = sorted(seconds, key=lambda name: -seconds[name])
    _, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    ours = [next(c for c in CONTENDERS if c.name == name).ours for name in names]
    bars = axes.barh(names, [seconds[n] / floor for n in names], color=[BLUE if own else GREY for own in ours])
    axes.bar_label(bars, [f"{seconds[n] / floor:.2f}" for n in names], padding=4)
    axes.set_xscale("log")
    axes.set_xlim(0.8, 2 * max(seconds.values()) / floor)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_title("Time of an epoch, as a multiple of its matrix products alone", loc="left", fontsize=12)
    axes.set_xlabel("times the floor (logarithmic); blue: this project, grey: others")
    axes.spines[["top", "right"]].set_visible(False)
    plt.savefig(path, dpi=150, format="png")
    plt.close()


if __name__ == "__main__":
    sys.exit(ending.exit_status("speed.py", main))
