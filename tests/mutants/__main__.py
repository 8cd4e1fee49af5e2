"""`make mutants`: a line for each mutant, and which were not killed. Words select those whose names have them."""

import concurrent.futures
import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from shared.comparing.processes import find_interpreter
from shared.system import machine
from shared.system.paths import ROOT
from tests.mutants import MUTANTS, Mutant, warm

SECONDS = 300  # that no killer takes, however busy the machine is
LAST_WORDS = 1500  # characters
COPIED = ("benchmarks", "library_defaults", "shared", "pytorch_impl", "tensorflow_impl", "tests")
COPIED_FILES = ("compare.py", "pyproject.toml", "README.md", "README.zh-CN.md", "Makefile")
LINKED = ("data", "docs", ".venv", ".cache")


def copy_of_the_repository(folder: Path) -> None:
    """What the tests need; the data, the documents and the environments are not copied but linked."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED_FILES:
        shutil.copy2(ROOT / name, folder)
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to((ROOT / name).resolve())


class Worker:
    """A copy of the repository, in which one test at a time runs, and a warm process for each framework."""

    def __init__(self, folder: Path, pythons: dict[str, Path]) -> None:
        self.folder, self.copy = folder, folder / "copy"
        self._pythons = pythons
        self._warm: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir()
        copy_of_the_repository(self.copy)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._warm.values():
            process.communicate()

    def run(self, mutant: Mutant, *, mutated: bool) -> int:
        """The status of the mutant's killer, in the copy as it is now."""
        framework = framework_of(mutant)
        if framework not in self._warm:
            self._warm[framework] = subprocess.Popen(
                [self._pythons[framework], warm.__file__, framework],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        stdin, stdout = self._warm[framework].stdin, self._warm[framework].stdout
        assert stdin
        assert stdout
        temporary = self.folder / "temporary"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        options = ["--framework", framework.lower()] if mutant.killer.startswith("tests/implementations/") else []
        order = {"folder": self.copy, "temporary": temporary, "said": self.folder / "said", "test": mutant.killer}
        more = {"options": options, "mutated": mutated, "seconds": SECONDS}
        print(json.dumps({name: str(value) for name, value in order.items()} | more), file=stdin, flush=True)
        return int(json.loads(stdout.readline()))

    def fate(self, mutant: Mutant) -> str:
        """Mutate, test, and put the file back."""
        path = self.copy / mutant.file
        before, text = path.stat(), path.read_text(encoding="utf-8")
        if mutant.old not in text:
            return "NOT APPLICABLE"
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        try:
            status = self.run(mutant, mutated=True)
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return {0: "SURVIVED", 1: "killed", warm.HUNG: "HUNG"}.get(status, f"TEST COULD NOT RUN ({status})")

    def last_words(self) -> str:
        """Of the test that ran last."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:]


def framework_of(mutant: Mutant) -> str:
    """In whose environment the mutant's killer runs."""
    return "TensorFlow" if mutant.file.startswith("tensorflow_impl") else "PyTorch"


class Workers:
    """As many as there are cores; each does one thing at a time."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(len(workers))
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in workers:
            self._idle.put(worker)

    def passing(self, mutants: Sequence[Mutant]) -> bool:
        """Whether the killer of each passes while nothing is broken."""

        def failure(mutant: Mutant) -> str | None:
            with self._one() as worker:
                status = worker.run(mutant, mutated=False)
                return f"status {status}\n{worker.last_words()}" if status else None

        killers = list({(mutant.killer, framework_of(mutant)): mutant for mutant in mutants}.values())
        failed = 0
        for mutant, words in zip(killers, self._pool.map(failure, killers), strict=True):
            if words is not None:
                failed += 1
                print(f"fails without any mutant: {mutant.killer}\n{words}", flush=True)
        return not failed

    def fates(self, mutants: Sequence[Mutant]) -> Iterator[tuple[str, str]]:
        """How each fares, in order: in a word, and what its killer said where that was not wanted."""

        def fate(mutant: Mutant) -> tuple[str, str]:
            with self._one() as worker:
                found = worker.fate(mutant)
                return found, worker.last_words() if found not in ("killed", "NOT APPLICABLE") else ""

        return self._pool.map(fate, mutants)

    @contextlib.contextmanager
    def _one(self) -> Iterator[Worker]:
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)


def main() -> int:
    """Print a line per mutant and the count. Status 0 when all are killed."""
    words = sys.argv[1:]
    mutants = [mutant for mutant in MUTANTS if all(word in mutant.what for word in words)]
    pythons = {name: find_interpreter(name, None) for name in warm.FRAMEWORKS}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        numbers = range(machine.cores())
        workers = Workers([stack.enter_context(Worker(folder / f"worker-{n}", pythons)) for n in numbers])
        if not workers.passing(mutants):
            return 1
        missed = []
        for mutant, (fate, said) in zip(mutants, workers.fates(mutants), strict=True):
            print(f"{fate:8}  {mutant.what:62}  {mutant.killer.removeprefix('tests/')}", flush=True)
            if fate != "killed":
                missed.append(f"{fate}: {mutant.what}\n{said}")
    print(f"{len(mutants) - len(missed)} of {len(mutants)} mutants killed")
    print("\n".join(missed), end="")
    return 0 if mutants and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
