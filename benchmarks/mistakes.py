"""Plant real mistakes in one framework's training, one at a time, and ask whether the verification sees each.

`python -m benchmarks.mistakes` makes the mistakes of `benchmarks.planted` in a copy of the programs, trains there as a
user does, and verifies the record by the unchanged programs; an hour. It prints a table and writes
benchmarks/mistakes.json and mistakes.md, after each mistake. Words select those whose names have them all, and
--continue leaves out those that the file has already, if it is of the same machine and libraries.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.planted import MISTAKES, Mistake
from shared.comparing.processes import find_interpreter, versions
from shared.comparing.verification import Finding, Verification, verify
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.reporting import markdown
from shared.reporting.parts import Code, Table
from shared.running.record import RecordError, Run, read_run
from shared.system import cache, ending, progress
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
NAME = "benchmarks.mistakes"
COPIED = ("shared", *(IMPLEMENTATIONS[name].module for name in FRAMEWORKS))
LINKED = ("data", ".venv")
AT_ONCE = 2
# What became of a mistake.
SEEN, MISSED, NOTHING = "seen", "not seen", "changes nothing"
# What became of a run without one.
SOUND, FALSE_ALARM = "sound", "FALSE ALARM"
# What sees it before anything is verified.
REFUSED = "the run is refused"


class Outcome(NamedTuple):
    """What became of a mistake: `check` is the first that fails, or, where all pass, the one that is nearest to it."""

    fate: str
    checks: list[str]  # all that fail, of the segments to the first that is wrong
    check: str
    where: str
    size: str
    share: float | None  # of what is allowed; None where that is no number
    sentence: str
    ulps: float | None  # the largest change of a recorded number; None where there is no record to compare


class Trainer:
    """Makes runs in copies of the programs, each in a folder of its own, which goes."""

    def __init__(self, pythons: dict[str, Path]) -> None:
        self._pythons = pythons

    def run(self, mistake: Mistake) -> Run:
        """The run with this mistake in its program.

        Raises InputError where the program refuses it, RecordError where its record is none, and RuntimeError where the
        program crashes: then the mistake is badly planted.
        """
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / "copy"
            copy_of_the_programs(copy)
            plant(mistake, copy)
            command = [str(self._pythons[mistake.framework]), "-m", IMPLEMENTATIONS[mistake.framework].module]
            options = ["--checkpoints", "--device", "cpu", *mistake.options, "--out", f"{temporary}/out"]
            ended = subprocess.run(
                [*command, *options], cwd=copy, check=False, capture_output=True, text=True, encoding="utf-8"
            )
            last = (ended.stderr.strip().splitlines() or ["no words"])[-1]
            if ended.returncode == ending.BAD_INPUT:
                raise InputError(last)
            if ended.returncode != ending.OK:
                raise RuntimeError(f"{mistake.what}: status {ended.returncode}\n{ended.stderr}")
            return read_run(Path(temporary) / "out")


def without(mistake: Mistake) -> Mistake:
    """The same run with no mistake in it, which must not be seen."""
    what = " ".join(["no mistake", *mistake.options, f"({mistake.framework})"])
    return Mistake(what, mistake.framework, (), mistake.options)


class SoundRuns:
    """The runs without a mistake, each made once, when it is first asked for."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._made: dict[str, Run] = {}

    def beside(self, mistake: Mistake) -> Run:
        """The run that this mistake is planted in, without it."""
        sound = without(mistake)
        with self._locks[sound.what]:
            if sound.what not in self._made:
                self._made[sound.what] = self._trainer.run(sound)
            return self._made[sound.what]


def copy_of_the_programs(folder: Path) -> None:
    """What a run needs. The data, the environments and the cache are not copied but linked."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    linked = {name: ROOT / name for name in LINKED} | {".cache": cache.folder()}
    for name, there in linked.items():
        if there and there.exists():
            (folder / name).symlink_to(there.resolve())


def plant(mistake: Mistake, folder: Path) -> None:
    """Make the mistake in a copy. Raises ValueError where a text that it changes is not there exactly once."""
    for change in mistake.changes:
        path = folder / change.file
        text = path.read_text(encoding="utf-8")
        if text.count(change.old) != 1:
            raise ValueError(
                f"{mistake.what}: {change.file} has {change.old!r} {text.count(change.old)} times, not once"
            )
        path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def numbers(run: Run) -> Iterator[np.ndarray]:
    """All numbers of a record, array by array; those of an epoch in the run's dtype, so that they have its ulp."""
    yield from (run.weights[name] for name in sorted(run.weights))
    yield from (run.arrays[name] for name in sorted(run.arrays))
    for epoch in run.record.epochs:
        yield from (np.array(value) for _, value in epoch)


def largest_change(sound: Run, other: Run) -> float:
    """Of any recorded number, in units in the last place of the largest in its array."""
    largest, dtype = 0.0, sound.record.training.numpy_dtype
    for before, after in zip(numbers(sound), numbers(other), strict=True):
        largest_value = np.abs(before).max() or np.abs(after).max()  # an optimizer may start from zeros
        unit = float(np.spacing(largest_value.astype(dtype)))
        largest = max(largest, float(np.abs(before.astype(np.float64) - after).max()) / unit)
    return largest


def given(run: Run) -> tuple[object, ...]:
    """What a record says of the data and their order."""
    return run.record.data_checksum, run.record.order_checksums


class UntilWrong(Executor):
    """Takes segments one by one, and none after the first that is wrong: the search for crossings takes long."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: object) -> Iterator[Any]:
        """As an executor does, in this thread."""
        for arguments in zip(*iterables, strict=True):
            yield (segment := fn(*arguments))
            if segment.share > 1:
                return


def judge(run: Run) -> Verification:
    """What the unchanged programs find, up to the first segment that is wrong."""
    return verify(run, UntilWrong())


def try_one(mistake: Mistake, sound_runs: SoundRuns, trainer: Trainer) -> Outcome:
    """Plant it, train, and look at the record."""
    sound = sound_runs.beside(mistake)
    try:
        run = trainer.run(mistake) if mistake.changes else sound
    except (InputError, RecordError) as error:
        return Outcome(SEEN, [REFUSED], REFUSED, "", "", None, str(error), None)
    ulps = largest_change(sound, run)
    if mistake.changes and not ulps and given(run) == given(sound):
        return Outcome(NOTHING, [], "", "", "", 0.0, "", 0.0)
    found = judge(run)
    failing = [finding for finding in found.findings if not finding.passes]
    seen, missed = (SEEN, MISSED) if mistake.changes else (FALSE_ALARM, SOUND)
    fate, checks = (seen if failing else missed), list(dict.fromkeys(finding.check for finding in failing))
    told = failing[0] if failing else max(found.findings, key=lambda finding: finding.share)
    return Outcome(fate, checks, told.check, told.where, told.size, _share(told), told.sentence, ulps)


def _share(finding: Finding) -> float | None:
    return finding.share if np.isfinite(finding.share) else None  # JSON has no infinity


# The mistakes, and the runs that they are planted in.
ALL = list(dict.fromkeys([*MISTAKES, *map(without, MISTAKES)]))


def environment(pythons: dict[str, Path]) -> dict[str, Any]:
    """Where this is measured."""
    return {
        "machine": {"cpu": cpu_name(), "cores": cores(), "python": platform.python_version()},
        "versions": {name: versions(pythons[name], IMPLEMENTATIONS[name].packages) for name in FRAMEWORKS},
    }


def kept(file: Path, where: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a file of the same environment tells of mistakes that have not changed since, by their names."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if told["environment"] != where:
        return {}
    as_now = [in_json(mistake) for mistake in ALL]
    return {row["what"]: row for row in told["mistakes"] if {name: row[name] for name in as_now[0]} in as_now}


def in_json(mistake: Mistake) -> dict[str, Any]:
    """The mistake, as the file has it."""
    changes = [change._asdict() for change in mistake.changes]
    return {
        "what": mistake.what,
        "framework": mistake.framework,
        "options": " ".join(mistake.options),
        "changes": changes,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for each mistake."""
    header = [
        "mistake",
        "framework",
        "options",
        "seen",
        "check",
        "where",
        "off",
        "of the limit",
        "largest change, ulps",
    ]
    lines = []
    for row in rows:
        share = "–" if row["share"] is None else f"{row['share']:.2g}"
        ulps = "–" if row["ulps"] is None else f"{row['ulps']:.3g}"
        off = row["size"].partition(" units")[0].removeprefix("up to ")
        options = Code(row["options"]) if row["options"] else ""
        cells = [row["what"], row["framework"], options, row["fate"], row["check"], row["where"], off, share, ulps]
        lines.append(cells)
    return markdown.table(Table(header, lines, words=True)) + "\n"


def counts(rows: Sequence[dict[str, Any]]) -> str:
    """How many are seen, in a sentence."""
    fates = [row["fate"] for row in rows]
    seen, missed, nothing, sound, alarms = (fates.count(of) for of in (SEEN, MISSED, NOTHING, SOUND, FALSE_ALARM))
    said = f"{seen} of {seen + missed} mistakes are seen; {nothing} more change no recorded number. "
    return f"{said}Of {sound + alarms} runs without a mistake, {alarms} are found to have one."


def write(rows: dict[str, dict[str, Any]], where: dict[str, Any]) -> list[dict[str, Any]]:
    """Write both files; returns the rows in the order of the table of mistakes."""
    ordered = [rows[mistake.what] for mistake in ALL if mistake.what in rows]
    told = json.dumps({"environment": where, "mistakes": ordered}, indent=2) + "\n"
    text = f"{counts(ordered)}\n\n{table(ordered)}"
    write_whole(HERE / "mistakes.json", lambda path: path.write_text(told, encoding="utf-8"))
    write_whole(HERE / "mistakes.md", lambda path: path.write_text(text, encoding="utf-8"))
    return ordered


def main() -> int:
    """Try the mistakes asked for, and tell of all."""
    parser = argparse.ArgumentParser(NAME, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only the mistakes whose names have all of these")
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="leave out those that are in the file")
    options = parser.parse_args()
    threadpool_limits(1)
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    trainer, where = Trainer(pythons), environment(pythons)
    rows = kept(HERE / "mistakes.json", where)
    asked = [mistake for mistake in ALL if all(word in mistake.what for word in options.words)]
    wanted = [mistake for mistake in asked if not (options.goes_on and mistake.what in rows)]
    sound_runs, crashed = SoundRuns(trainer), list[str]()
    with ThreadPoolExecutor(AT_ONCE) as pool, progress.bar(len(wanted), "mistakes") as advance:
        tried = {pool.submit(try_one, m, sound_runs, trainer): m for m in wanted}
        for done in as_completed(tried):
            advance(1)
            try:
                rows[tried[done].what] = in_json(tried[done]) | done.result()._asdict()
            except RuntimeError as error:
                crashed.append(str(error))
                continue
            write(rows, where)
    found = [rows[mistake.what] for mistake in asked if mistake.what in rows]
    print("\n".join([table(found), counts(found), *crashed]))
    failed = crashed or any(row["fate"] == FALSE_ALARM for row in found)
    return ending.FAILED if failed else ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
