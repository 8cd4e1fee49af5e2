"""Measure how the cost of an epoch grows: with the examples, the width, the batch size and a second thread.

`python benchmarks/scaling.py` measures every engine and the floor, each point in a process of its own, and writes
benchmarks/scaling.json, scaling.md and scaling.png. `--quick` measures a few points in seconds, to see that it works.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a program in a folder sees that folder alone

from benchmarks import scaling_report, scaling_worker
from benchmarks.scaling_figures import Spread
from benchmarks.scaling_points import (
    AXES,
    ENGINES,
    FLOOR,
    KEEPS_COMPILED,
    Measured,
    Plan,
    Point,
    Sample,
    Setting,
    full_plan,
    quick_plan,
)
from shared import cli
from shared.comparing.processes import find_interpreter
from shared.system import ending, progress
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole
from shared.system.paths import ROOT

PROGRAM = "scaling.py"
HERE = Path(__file__).resolve().parent
LAST_WORDS = 2000  # characters


def main() -> int:
    """Measure, and write what was found; what is done is kept after each repeat."""
    parser = cli.Parser(prog=PROGRAM, description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="a few points, once: to see that the program works")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the results (default: benchmarks)")
    parser.add_argument("--worker", metavar="JSON", help=argparse.SUPPRESS)  # what the processes it starts are told

    def run() -> int:
        options = parser.parse_args()
        if options.worker:
            work(options.worker)
            return ending.OK
        plan = quick_plan() if options.quick else full_plan()
        pythons = {framework: find_interpreter(framework, None) for framework in ("PyTorch", "TensorFlow")}
        first: Measured = {}
        with progress.bar(len(plan.first), "Preparing, once") as advance:
            for point in plan.first:
                first[point] = [start_worker(point, 0, pythons)]
                advance(1)
        measured: Measured = {point: [] for point in plan.points}
        for repeat in range(plan.repeats):
            with progress.bar(len(plan.points), f"Repeat {repeat + 1}/{plan.repeats}") as advance:
                for point in plan.points:
                    measured[point].append(start_worker(point, plan.seconds, pythons))
                    advance(1)
            write(options.out, plan, measured, first)
        return ending.OK

    return ending.exit_status(PROGRAM, run)


def work(told: str) -> None:
    """Measure what a parent has asked for, and print it as one line."""
    order = json.loads(told)
    point = Point(order["engine"], Setting(**order["setting"]))
    print(json.dumps(scaling_worker.measure(point, order["seconds"])._asdict()), flush=True)


def start_worker(point: Point, seconds: float, pythons: dict[str, Path]) -> Sample:
    """Measure a point in a process of its own, and see from outside how much memory that took.

    Raises InputError with its last words where it fails.
    """
    framework = "PyTorch" if point.engine == FLOOR else ENGINES[point.engine].framework
    python = pythons[framework] if framework else Path(sys.executable)
    order = {"engine": point.engine, "setting": point.setting._asdict(), "seconds": seconds}
    command: list[str | Path] = [python, __file__, "--worker", json.dumps(order)]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as words,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=words, text=True, encoding="utf-8"
        ) as worker,
    ):
        assert worker.stdout is not None
        try:
            said = worker.stdout.read()
            # The figure is the larger of the worker's and of what this process held when it started the worker: so
            # this one stays small, and imports what draws only at the end.
            _, status, usage = os.wait4(worker.pid, 0)
        except BaseException:
            worker.kill()
            raise
        worker.returncode = os.waitstatus_to_exitcode(status)
        if worker.returncode:
            words.seek(0)
            last = words.read()[-LAST_WORDS:].strip().splitlines()
            end = "; was memory short?" if worker.returncode < 0 else ""
            raise InputError(f"{order}: status {worker.returncode}: {last[-1] if last else 'no words'}{end}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(**json.loads(said.splitlines()[-1]))._replace(peak_bytes=usage.ru_maxrss * unit)


def write(folder: Path, plan: Plan, measured: Measured, first: Measured) -> None:
    """The three files. Raises InputError where they can't be written."""
    from benchmarks import scaling_plot

    about = describe(plan, measured, first)
    rows = [row(point, samples) for point, samples in measured.items()]
    results = json.dumps(about | {"points": rows}, indent=1) + "\n"
    write_whole(folder / "scaling.json", lambda path: path.write_text(results, encoding="utf-8"))
    write_whole(
        folder / "scaling.md", lambda path: path.write_text(scaling_report.report(measured, about), encoding="utf-8")
    )
    write_whole(folder / "scaling.png", lambda path: scaling_plot.draw(measured, path))


def describe(plan: Plan, measured: Measured, first: Measured) -> dict[str, Any]:
    """What was measured on and with."""
    versions: dict[str, str] = {"python": platform.python_version()}
    for samples in measured.values():
        versions |= samples[-1].versions
    return {
        "machine": {
            "cpu": cpu_name(),
            "cores": cores(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "system": platform.platform(),
        },
        "versions": versions,
        "repeats": len(next(iter(measured.values()))),
        "timed_seconds": plan.seconds,
        "least_steps": scaling_worker.LEAST_STEPS,
        "axes": {axis.field: axis.values for axis in AXES},
        "first_compile_seconds": [
            sample.warm_up_seconds for point, (sample,) in first.items() if point.engine == KEEPS_COMPILED
        ],
    }


def row(point: Point, samples: list[Sample]) -> dict[str, Any]:
    """A point as the results hold it."""

    def spread(values: list[float]) -> dict[str, float]:
        return Spread.of(values)._asdict()

    resident = [sample.resident_bytes for sample in samples if sample.resident_bytes is not None]
    return {
        "engine": point.engine,
        **point.setting._asdict(),
        "hidden_sizes": point.setting.spec.hidden_sizes,
        "seconds_per_epoch": spread([sample.seconds_per_epoch for sample in samples]),
        "peak_bytes": spread([sample.peak_bytes for sample in samples]),
        "resident_bytes": spread([*resident]) if resident else None,
        "warm_up_seconds": spread([sample.warm_up_seconds for sample in samples]),
        "steps_timed": [sample.steps_timed for sample in samples],
    }


if __name__ == "__main__":
    sys.exit(main())
