"""The two processes of a pair, each with one framework and one of the user's files."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.pairs.description import Description
from shared.pairs.protocol import Arrays, Carrying, Edit, Opening, Shapes, Until, Wanted
from shared.pairs.serving import load, save
from shared.system import ending, progress
from shared.system.errors import CrashError, InputError
from shared.system.paths import ROOT

LAST_WORDS = 2000  # characters
# Both on the processor, which is what is the same everywhere: a file that asks whether there is a GPU is told no.
WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}


class Process:
    """A process that answers requests about one file."""

    def __init__(self, framework: str, python: Path, folder: Path) -> None:
        self.framework, self._folder = framework, folder
        self._errors = folder / f"{framework}.txt"
        self._number = 0
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", f"{IMPLEMENTATIONS[framework].module}.pair"],
                cwd=ROOT,
                env=os.environ | WITHOUT_GPU,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
            )

    def _ask(self, request: Opening | Shapes | Wanted | Carrying) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request.model_dump_json() + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "bad input" in answer:
            raise InputError(f"{self.framework}: {answer['bad input']}")
        if "fault" in answer:
            fault = RuntimeError(f"{self.framework}: {answer['fault']}")
            fault.add_note(answer["traceback"])  # which is written where this one's is
            raise fault
        return answer

    def _ended(self) -> Exception:
        """What to raise where the process has ended: a fault of the program's own has its own status and words."""
        status = self._process.wait()
        words = self._errors.read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:].strip().splitlines()
        if status == ending.CRASHED and words:
            return CrashError(f"{self.framework}: {words[-1]}")
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        said = f"its last words: {words[-1]}" if words else "it said nothing"
        cure = "mend what it says" if words else "see whether the file, or what it calls, ends the program"
        if status == -signal.SIGKILL:
            cure = "was memory short? Make the model smaller, or give a smaller --batch-size"
        return InputError(f"{self.framework} {how}; {said}; {cure}")

    def _file(self) -> Path:
        self._number += 1
        return self._folder / f"{self.framework}-{self._number}.npz"

    def open(self, **opening: Any) -> tuple[Description, Arrays]:
        """What the file's model is, and its tensors as they are at first."""
        asked = Opening(**opening, out=self._file(), inputs_out=self._file())
        self.inputs = asked.inputs_out
        description = Description.model_validate(self._ask(asked))
        return description, _taken(asked.out)

    def shapes(self, file: Path, seed: int) -> dict[str, Any]:
        """What the file's model takes and gives, of one example."""
        return self._ask(Shapes(file=file, seed=seed))

    def run(  # noqa: PLR0913, PLR0917 what is asked of a run
        self,
        weights: Mapping[str, Any],
        record_after: list[int],
        edits: list[Edit] | None = None,
        until: Until = "training",
        perturbed: int | None = None,
        reverse: bool = False,
        inputs: Path | None = None,
    ) -> Arrays:
        """Evaluate and train from these weights; returns all that was seen."""
        given = self._file()
        save(given, dict(weights))
        asked = Wanted(
            weights=given,
            record_after=record_after,
            edits=edits or [],
            given=inputs,
            until=until,
            perturbed=perturbed,
            reversed=reverse,
            out=self._file(),
        )
        try:
            self._ask(asked)
        finally:
            given.unlink()
        return _taken(asked.out)

    def carry(self, weights: Arrays) -> Arrays | None:
        """What the user's own `carry` makes of PyTorch's tensors; None where there is none."""
        given = self._file()
        save(given, weights)
        asked = Carrying(weights=given, out=self._file())
        try:
            has = self._ask(asked)["has"]
        finally:
            given.unlink()
        return _taken(asked.out) if has else None

    def close(self) -> None:
        """End it, whatever it is doing."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=progress.SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


def _taken(path: Path) -> Arrays:
    arrays = load(path)
    path.unlink()
    return arrays


@contextlib.contextmanager
def both(pythons: Mapping[str, Path]) -> Iterator[tuple[Process, Process]]:
    """PyTorch's process and Keras's. Both end with the block, on whatever it ends."""
    with tempfile.TemporaryDirectory(prefix="pair-") as folder, contextlib.ExitStack() as started:
        processes = []
        for name in FRAMEWORKS:
            processes.append(Process(name, pythons[name], Path(folder)))
            started.callback(processes[-1].close)
        yield processes[0], processes[1]


def at_once(*calls: Any) -> list[Any]:
    """What each returns, all called at the same time; the first that raises, in their order, is raised.

    Nothing is waited for then, nor after an interrupt: the others end with their processes.
    """
    executor = ThreadPoolExecutor(len(calls))
    try:
        return [future.result() for future in [executor.submit(call) for call in calls]]
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
