"""Measure what several workers do to the curve, and what they take; write the tables of docs/workers.md.

`python -m benchmarks.workers` makes all, for half an hour; `exact`, `optimizers`, `mistakes` and `cost` name one each.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.workers_steps import MISTAKES, Apart, apart
from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.network import Weights
from shared.reporting import markdown
from shared.reporting.parts import Table
from shared.system import ending, progress
from shared.system.errors import InputError
from shared.system.files import read_safetensors
from shared.system.output import write_whole
from shared.system.paths import ROOT
from shared.update_rules import UPDATE_RULES

NAME = "benchmarks.workers"
DOCUMENT = ROOT / "docs" / "workers.md"
LAUNCHER, STEPS = "shared.running.workers", "benchmarks.workers_steps"
NUMBERS = (1, 2, 3, 4)
MANY = 3  # workers of the mistakes: no batch of theirs is divided evenly
NETWORKS = {"default": (64, (128, 64)), "2048,2048": (512, (2048, 2048))}
# What is timed: an engine, its workers and threads.
WAYS = {
    "one process": ("eager", 1, 1),
    "one process, 2 threads": ("eager", 1, 2),
    "1 worker": ("workers", 1, 1),
    "2 workers": ("workers", 2, 1),
}
TIMES = 1  # each way, in turn: other work on the machine then slows all of them


def run(command: Sequence[str], *, statuses: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run it to its end. Raises InputError where it ends with another status."""
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, encoding="utf-8")
    if ended.returncode not in statuses:
        last = "".join(ended.stderr.strip().splitlines()[-1:])
        raise InputError(f"{' '.join(command)} ended with status {ended.returncode}: {last}; run it alone")
    return ended


def launched(framework: str, count: int, *words: str) -> list[str]:
    """The command that starts so many workers of a framework, each of which runs a module with these words."""
    python = str(find_interpreter(framework, None))
    return [python, "-m", LAUNCHER, str(count), python, "-m", STEPS, framework.lower(), *words]


def exact() -> Table:
    """One epoch of the default run, by compare.py."""
    header = ["dtype, workers", *(f"{name}: {what}" for name in FRAMEWORKS for what in ("losses", "weights", "logits"))]
    rows = []
    for dtype, numbers in {"float64": NUMBERS, "float32": (2,)}.items():
        for number in numbers:
            with tempfile.TemporaryDirectory() as folder:
                options = ["--workers", str(number), "--engine", "workers", "--epochs", "1", "--dtype", dtype]
                run([sys.executable, "compare.py", *options, "--out", f"{folder}/out"], statuses=(0, 1))
                found = json.loads(Path(folder, "out", "results.json").read_text(encoding="utf-8"))["comparison"]
            cells = []
            for name in FRAMEWORKS:
                checks = {check["check"]: check for check in found["against_one_process"][name.lower()]}
                cells += [
                    checks[what]["largest_difference"] for what in ("step losses", "final weights", "test logits")
                ]
            between = found["max_step_loss_difference"]
            verdict = "MATCH" if found["match"] else "NO MATCH"
            rows.append([f"{dtype}, {number}", *(f"{cell:.1e}" for cell in cells), f"{between:.1e}", verdict])
            say(rows[-1])
    return Table([*header, "one framework from the other: losses", "verdict"], rows)


def optimizers() -> Table:
    """300 steps by each optimizer with decay, clipping and the schedule, in float64."""
    found: dict[str, dict[str, Apart]] = {}
    for framework in FRAMEWORKS:
        for number in NUMBERS:
            arrays = steps(framework, number, "--long")
            found[f"{framework}, {number}"] = {name: apart(those) for name, those in arrays.items()}
            found["one unit"] = {name: apart(those, "moved") for name, those in arrays.items()}
            say([framework, number])
    moved = found.pop("one unit")
    rows = []
    for optimizer in UPDATE_RULES:
        those = [cases[optimizer] for cases in found.values()]
        most = [max(each.weights for each in those), max(each.logits for each in those), moved[optimizer].losses]
        rows.append([optimizer, *(f"{value:.1e}" for value in (*(each.losses for each in those), *most))])
    return Table(["optimizer", *found, "weights", "logits", "one unit: losses"], rows)


def steps(framework: str, number: int, *more: str) -> dict[str, Weights]:
    """What the steps of each case leave."""
    with tempfile.TemporaryDirectory() as folder:
        run(launched(framework, number, folder, *more))
        return {path.stem: read_safetensors(path) for path in Path(folder).iterdir()}


def mistakes() -> Table:
    """By how much each moves the curve."""
    found = {framework: steps(framework, MANY) for framework in FRAMEWORKS}
    rows = []
    for name, made in MISTAKES.items():
        moved = [apart(found[each][name]).losses if each.lower() in made else None for each in FRAMEWORKS]
        rows.append([name, *("–" if size is None else f"{size:.1e}" for size in moved)])
    return Table(["the loss of a step is off by", *FRAMEWORKS], rows)


def cost() -> Table:
    """What a step takes: medians of several turns."""
    rows = []
    for framework in FRAMEWORKS:
        for network, (batch, sizes) in NETWORKS.items():
            taken: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
            for _ in range(TIMES):
                for way, (engine, count, threads) in WAYS.items():
                    words = ["--cost", engine, *map(str, (threads, batch, *sizes))]
                    taken[way].append(json.loads(run(launched(framework, count, *words)).stdout))
            for way, those in taken.items():
                cpu, wall, sent, peak = (
                    statistics.median(each[key] for each in those) for key in ("cpu", "wall", "bytes", "peak")
                )
                figures = [f"{cpu * 1e3:.2f}", f"{wall * 1e3:.2f}", f"{sent / 2**20:.2f}", f"{peak / 2**30:.2f}"]
                rows.append([f"{framework}, {network}, {way}", *figures])
                say(rows[-1])
    header = ["framework, network, how", "CPU ms a step and process", "ms a step", "MiB sent a step", "GiB a process"]
    return Table(header, rows)


TABLES: dict[str, Callable[[], Table]] = {f.__name__: f for f in (exact, optimizers, mistakes, cost)}


def say(row: Sequence[object]) -> None:
    """Tell of what has been measured."""
    progress.notice(", ".join(map(str, row)))


def with_table(text: str, name: str, table: Table) -> str:
    """The document with this table in place of the one between its marks."""
    first, last = f"<!-- {name}: python -m {NAME} {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not end:
        raise InputError(f"{DOCUMENT}: it has no place for {name}; put it between {first.strip()} and {last}")
    return f"{before}{first}\n{markdown.table(table)}\n\n{last}{after}"


def put(text: str) -> None:
    """Write the document."""
    write_whole(DOCUMENT, lambda path: path.write_text(text, encoding="utf-8"))


def main() -> int:
    """Measure, and write each table when it is made."""
    parser = argparse.ArgumentParser(prog=f"python -m {NAME}", description=(__doc__ or "").partition("\n")[0])
    # Without [] argparse would refuse that none is named.
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[*TABLES, []], help=", ".join(TABLES))
    for name in parser.parse_args().tables or TABLES:
        table = TABLES[name]()
        put(with_table(DOCUMENT.read_text(encoding="utf-8"), name, table))
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
