"""Measure how close sound runs come to what `shared.comparing.verification` allows, and how often one would fail.

`python -m benchmarks.sound` makes the comparisons of benchmarks.sound_space in both frameworks, hours on two cores,
and verifies every run. It writes benchmarks/sound.json and the tables of benchmarks/sound.md, which
docs/parity.md explains. What is measured is kept in out/sound/rows.jsonl, one line for each run as it comes: where it
is interrupted, the next one goes on from there, unless the code or the machine is another by then.
"""

import contextlib
import functools
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import sound_tables
from benchmarks.sound_space import Comparison, comparisons
from shared.comparing import verification
from shared.comparing.processes import find_interpreter, versions
from shared.comparing.segments import LOSSES, Segment
from shared.comparing.verification import EVERY_STEP, Verification, verify
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.running.record import FEWEST_CHECKPOINT_STEPS, Run, read_run
from shared.system import ending
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name, environment
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
NAME = "benchmarks.sound"
# All that a row depends on, beside the machine: what is run, what makes it, what judges it.
CODE = ("shared", "shared/running", "shared/reference", "shared/reference/reordered", "shared/comparing")
CODE_OF_ALL = (*CODE, *(IMPLEMENTATIONS[name].module for name in FRAMEWORKS))
RUNS_OF_A_PROCESS = 40  # TensorFlow keeps what it has compiled
AHEAD = 4  # runs that wait for their verification
Row = dict[str, Any]


@dataclass
class Maker:
    """Makes runs of one framework, one after the other, in processes that have imported it already."""

    framework: str
    python: Path
    folder: Path  # temporary
    _processes: dict[int, "subprocess.Popen[str]"] = field(default_factory=dict)  # by threads: none can change its own
    _made: dict[int, int] = field(default_factory=dict)

    @property
    def _errors(self) -> Path:
        return self.folder / f"{self.framework}.log"

    def make(self, configuration: Configuration, out: Path) -> int:
        """Make one into `out`. Returns its status: 0, or 1 where a number is not finite. Raises InputError."""
        threads = configuration.execution.threads
        process, answer = self._process(threads), ""
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):
            asked = [*configuration.options(), "--checkpoints", "--out", str(out)]
            print(json.dumps(asked), file=process.stdin, flush=True)
            answer = process.stdout.readline().strip()
        self._made[threads] += 1
        if configuration.execution.engine == "fast":  # PyTorch does not compile again in a process
            self._made[threads] = RUNS_OF_A_PROCESS
        if answer in {str(ending.OK), str(ending.FAILED)}:
            return int(answer)
        self._end(threads)
        words = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no words"]
        told = f"{self.framework} ended with status {answer or process.returncode}: {words[-1]}"
        raise InputError(f"{told}; run it alone: {' '.join(configuration.options())}")

    def _process(self, threads: int) -> "subprocess.Popen[str]":
        if self._made.get(threads, 0) >= RUNS_OF_A_PROCESS:
            self._end(threads)
        if threads not in self._processes:
            command = [str(self.python), "-m", "benchmarks.sound_runs", self.framework]
            # Else each run compiles in a folder of its own, which a later one, of the same process, still looks into.
            variables = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor")}
            pipe = subprocess.PIPE
            with self._errors.open("a", encoding="utf-8") as errors:
                self._processes[threads] = subprocess.Popen(
                    command, cwd=ROOT, env=variables, stdin=pipe, stdout=pipe, stderr=errors, encoding="utf-8"
                )
            self._made[threads] = 0
        return self._processes[threads]

    def _end(self, threads: int) -> None:
        self._made.pop(threads)
        process = self._processes.pop(threads)
        with contextlib.suppress(BrokenPipeError):
            process.communicate()

    def close(self) -> None:
        """End its processes."""
        for threads in [*self._processes]:
            self._end(threads)


class Made(NamedTuple):
    """A run that waits for its verification, or why there is none."""

    row: Row
    folder: Path
    configuration: Configuration


def make_closer(configuration: Configuration, framework: str, python: Path, folder: Path) -> Run:
    """The same run with checkpoints close together. Raises InputError."""
    out = folder / "closer"
    options = [*configuration.options(), "--checkpoints", str(FEWEST_CHECKPOINT_STEPS), "--out", str(out)]
    command = [str(python), "-m", IMPLEMENTATIONS[framework].module, *options]
    made = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8", errors="replace")
    if made.returncode not in (ending.OK, ending.FAILED):
        raise InputError(f"{framework} ended with status {made.returncode}: {made.stderr.strip()}")
    run = read_run(out)
    shutil.rmtree(out)
    return run


def make_all(wanted: Sequence[tuple[Comparison, str]], pythons: dict[str, Path], folder: Path) -> Iterator[Made]:
    """Make the run of each comparison and framework; both frameworks at once, and a few ahead of who takes them."""
    waiting: queue.Queue[Made | None] = queue.Queue(AHEAD)

    def make(framework: str) -> None:
        with contextlib.closing(Maker(framework, pythons[framework], folder)) as maker:
            for comparison in [c for c, name in wanted if name == framework]:
                row, out = _about(comparison, framework), folder / f"{framework}-{comparison.kind}-{comparison.number}"
                start = time.perf_counter()
                try:
                    row["finite"] = maker.make(comparison.of(framework), out) == ending.OK
                except InputError as error:
                    row["failed"] = str(error)
                row["seconds"] = round(time.perf_counter() - start, 2)
                waiting.put(Made(row, out, comparison.of(framework)))
        waiting.put(None)

    for framework in FRAMEWORKS:
        threading.Thread(target=make, args=(framework,), daemon=True).start()
    for _ in FRAMEWORKS:
        yield from iter(waiting.get, None)


def _about(comparison: Comparison, framework: str) -> Row:
    return {
        "kind": comparison.kind,
        "number": comparison.number,
        "framework": framework,
        "options": comparison.options,
    }


def verified(run: Run, executor: Executor, again: Callable[[], Run]) -> Row:
    """What a row says of a run that was verified, as compare.py does it.

    `again` makes it anew, with checkpoints close together, for where a segment fails.
    """
    start = time.perf_counter()
    found, closer = verify(run, executor), False
    if not all(finding.passes for finding in found.checks[EVERY_STEP]):
        run, first, closer = again(), run, True
        found = verify(run, executor).repeats(first, run)
    return {
        "verified_in": round(time.perf_counter() - start, 2),
        "looked_closer": closer,
        "steps": run.record.training.steps,
        "segments": len(found.segments),
        "crossings": found.crossings,
        "reasons": found.reasons,
        "checks": {check: _closest(found, check) for check in found.checks},
        **_in_two_looks(found),
        "systematic": _systematic(found.segments, float(np.finfo(run.record.training.numpy_dtype).eps)),
    }


def _closest(found: Verification, check: str) -> Row:
    closest = max(found.checks[check], key=lambda finding: finding.share)
    return {"share": closest.share, "where": closest.where, "size": closest.size}


def _in_two_looks(found: Verification) -> Row:
    """Of what is looked at twice, before and after rounding was measured: the furthest of each look.

    Only the second look can fail a run, so that a share of the first says nothing of how near that was.
    """
    first: dict[str, list[float]] = {}
    second = {"every step": 0.0, "test logits": 0.0}
    looked_twice = [segment for segment in found.segments if any(d.floor for d in segment.deviations.values())]
    second["every step"] = max((segment.share for segment in looked_twice), default=0.0)
    for finding in found.checks.get("test logits", []):
        if sound_tables.MEASURED in finding.size:
            second["test logits"] = max(second["test logits"], finding.share)
    for segment in found.segments:
        if segment in looked_twice:
            continue
        for name, deviation in segment.deviations.items():
            kind = LOSSES if name == LOSSES else "buffers" if "/" in name else "weights"
            most, rms = first.get(kind, [0.0, 0.0])
            first[kind] = [max(most, deviation.largest), max(rms, deviation.rms)]
    return {"first_look": first, "second_look": second, "looked_twice": len(looked_twice)}


def _systematic(segments: Sequence[Segment], epsilon: float) -> Row:
    """By check and tensor: the median over the segments, in epsilons or units in the last place, and its t."""
    if len(segments) < verification.FEWEST_SEGMENTS:
        return {}
    tensors = segments[0].of_update
    values = {
        "size of the updates": {t: [s.of_update[t] / epsilon for s in segments] for t in tensors},
        "decay of the weights": {t: [s.of_weights[t] / epsilon for s in segments] for t in tensors},
        "mean of the losses": {LOSSES: [s.loss_bias for s in segments]},
    }
    return {check: {tensor: _size_and_t(of) for tensor, of in tensors.items()} for check, tensors in values.items()}


def _size_and_t(values: Sequence[float]) -> tuple[float, float]:
    size, allowed = verification.median(values, 0.0)
    error = allowed / verification.STANDARD_ERRORS
    return size, size / error if error else 0.0


def key() -> str:
    """SHA-256 of all that a row depends on: what is run, the code, the machine."""
    digest = hashlib.sha256(json.dumps([cpu_name(), sys.version, np.__version__, environment()]).encode())
    for path in sorted(path for folder in CODE_OF_ALL for path in (ROOT / folder).glob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def kept_rows(file: Path) -> list[Row]:
    """The rows that were measured by this code on this machine; the file is begun anew where it has others."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if not lines or json.loads(lines[0]) != {"key": key()}:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"key": key()}) + "\n", encoding="utf-8")
        return []
    return [json.loads(line) for line in lines[1:]]


def measure(wanted: Sequence[Comparison], file: Path) -> list[Row]:
    """A row for each run of these comparisons; those that `file` lacks are made, and added to it."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    rows = kept_rows(file)
    known = {(row["kind"], row["number"], row["framework"], row["options"]) for row in rows}
    lacking = [(c, name) for c in wanted for name in FRAMEWORKS if (c.kind, c.number, name, c.options) not in known]
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    with (
        tempfile.TemporaryDirectory(prefix="sound-") as folder,
        ThreadPoolExecutor(cores()) as executor,
        file.open("a", encoding="utf-8") as kept,
    ):
        for about, out, configuration in make_all(lacking, pythons, Path(folder)):
            framework = about["framework"]
            again = functools.partial(make_closer, configuration, framework, pythons[framework], Path(folder))
            row = about | (verified(read_run(out), executor, again) if about.get("finite") else {})
            if row.get("reasons"):  # for who looks into why
                shutil.copytree(out, file.parent / "failing" / out.name, dirs_exist_ok=True)
            shutil.rmtree(out, ignore_errors=True)
            rows.append(row)
            print(json.dumps(row), file=kept, flush=True)
            print(sound_tables.line(row), flush=True)
    asked = {(c.kind, c.number, c.options) for c in wanted}
    return [row for row in rows if (row["kind"], row["number"], row["options"]) in asked]


def main() -> int:
    """Measure, and write."""
    rows = measure(comparisons(), ROOT / "out" / "sound" / "rows.jsonl")
    packages = {name: versions(find_interpreter(name, None), IMPLEMENTATIONS[name].packages) for name in FRAMEWORKS}
    told = {
        "machine": {"cpu": cpu_name(), "cores": cores(), "python": sys.version.split()[0]},
        "versions": packages,
        **sound_tables.results(rows),
    }
    text = json.dumps(told, indent=2) + "\n"
    write_whole(HERE / "sound.json", lambda path: path.write_text(text, encoding="utf-8"))
    tables = sound_tables.tables(told)
    write_whole(HERE / "sound.md", lambda path: path.write_text(tables, encoding="utf-8"))
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
