"""Let one worker of two come to harm, each in each way at each stage, and record how all ended.

`python -m benchmarks.workers_trials` makes 79 trials, for half an hour, and writes benchmarks/workers_trials.md. In
each trial a launcher starts the real program. When one worker comes to a stage it is killed, stopped, or raises; or it
is the launcher that is killed. Words select those trials whose names have them all: their rows alone are made anew.
"""

import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil

from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS, Implementation
from shared.reporting import markdown
from shared.reporting.parts import Table
from shared.running import runner
from shared.system import ending, progress
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
NAME = "benchmarks.workers_trials"
LAUNCHER = "shared.running.workers"
TORCHRUN = "torch.distributed.run"
COMPARE = "compare.py"
IMPORT, BEFORE, AFTER, EPOCH, END = STAGES = ("import", "before join", "after join", "epoch", "end")
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
HARM = (*SIGNALS, "raise")
MARK = "TRIAL_MARK"  # an environment variable: the file that says when harm was done, and to which process
STEP = 7  # of the epoch
FAULT = "something is wrong"
SMALL = ["--epochs", "1", "--batch-size", "4096", "--hidden-sizes", "16,8"]
SECONDS_TO_START = 600.0
SECONDS_TO_END = 150.0
WORKERS = 2
AT_ONCE = 2


class Trial(NamedTuple):
    """What comes to harm: a worker at a stage, or what has started it."""

    framework: str
    launcher: str
    what: str  # "worker 0", "worker 1", "the launcher"
    stage: str
    how: str

    @property
    def name(self) -> str:
        return f"{self.framework}, {self.launcher}, {self.what}, {self.stage}, {self.how}"


# While TensorFlow's workers wait for each other they hear nothing, until they give up.
DEAF = Trial("TensorFlow", LAUNCHER, "the launcher", BEFORE, "kill")


class Ended(NamedTuple):
    """How a trial ended."""

    seconds: float  # from the harm on; infinite where it had to be ended
    status: int
    said: str
    left: int  # processes
    out: bool  # whether there is a result

    def good(self, trial: Trial) -> bool:
        """Whether it ended as it should."""
        most = SECONDS_TO_END if trial == DEAF else progress.SECONDS_TO_END * 6
        soon = self.seconds < most and not self.left and not self.out
        if trial.launcher == TORCHRUN or trial.what == "the launcher":
            return soon  # torchrun's status and words are its own, and who is killed says nothing
        status, said = ending.BAD_INPUT, trial.what
        if (trial.launcher, trial.what, trial.how) == (COMPARE, "worker 0", "raise"):
            # The first worker tells compare.py what a run without workers tells: a fault of the program, and which.
            status, said = ending.CRASHED, FAULT
        lines = [line for line in self.said.splitlines() if ", verified: " not in line]  # that is how far compare.py is
        return soon and self.status == status and len(lines) == 1 and said in lines[0]


def trials() -> Iterator[Trial]:
    """All of them."""
    for framework in FRAMEWORKS:
        for stage in STAGES:
            for what in ("worker 0", "worker 1"):
                for how in HARM:
                    yield Trial(framework, LAUNCHER, what, stage, how)
        for stage in (BEFORE, EPOCH):
            yield Trial(framework, LAUNCHER, "the launcher", stage, "kill")
        for what in ("worker 0", "worker 1"):
            for how in HARM:
                yield Trial(framework, COMPARE, what, EPOCH, how)
    yield Trial("PyTorch", TORCHRUN, "the launcher", EPOCH, "kill")
    for what in ("worker 0", "worker 1"):
        yield Trial("PyTorch", TORCHRUN, what, EPOCH, "kill")


def make(trial: Trial, python: Path) -> Ended:
    """Start all, wait for the harm, and see how it ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worker = ["-m", NAME, "--worker", json.dumps(trial), *SMALL, "--engine", "workers", "--out", f"{folder}/out"]
        if trial.launcher == COMPARE:
            # The Python that it is told of is a script, which runs this module in place of the implementation.
            command = [sys.executable, "compare.py", *SMALL, "--workers", str(WORKERS), "--out", f"{folder}/out"]
            command += [f"--{trial.framework.lower()}-python", str(_stand_in(folder, trial, python))]
        elif trial.launcher == TORCHRUN:
            count = ["--standalone", "--nproc-per-node", str(WORKERS)]
            command = [str(python), "-m", TORCHRUN, *count, *worker]
        else:
            command = [str(python), "-m", LAUNCHER, str(WORKERS), str(python), *worker]
        variables = {**os.environ, MARK: f"{folder}/mark"}
        with (folder / "said").open("wb") as said:
            run = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=said)
            harmed, seen = _wait_for_harm(run, folder / "mark")
            if trial.what == "the launcher":
                run.kill()
                harmed = time.time()
            try:
                status = run.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                run.kill()
                status = run.wait()
                harmed = -float("inf")
        _, left = psutil.wait_procs(seen, timeout=0 if trial.what != "the launcher" else SECONDS_TO_END)
        seconds = time.time() - harmed
        for process in left:
            process.kill()
        return Ended(
            seconds,
            status,
            _said(folder / "said"),
            len(left),
            _has_out(folder),
        )


def _has_out(folder: Path) -> bool:
    return (folder / "out").exists()


def _stand_in(folder: Path, trial: Trial, python: Path) -> Path:
    """A Python for compare.py whose workers are this module's."""
    module = f"{trial.framework.lower()}_impl"
    script = folder / "python"
    text = f'''#!{sys.executable}
import os, sys
words = sys.argv[1:]
if words[:2] == ["-m", "{module}"]:
    words[1:2] = ["{NAME}", "--worker", {json.dumps(trial)!r}]
os.execv({str(python)!r}, [{str(python)!r}, *words])
'''
    script.write_text(text, encoding="utf-8")
    script.chmod(0o700)
    return script


def _wait_for_harm(run: subprocess.Popen[bytes], mark: Path) -> tuple[float, list[psutil.Process]]:
    """When harm was done, and the processes that there were. Raises RuntimeError where none is done."""
    deadline = time.monotonic() + SECONDS_TO_START
    seen: dict[int, psutil.Process] = {}
    while not mark.exists():
        if run.poll() is not None or time.monotonic() > deadline:
            run.kill()
            said = mark.with_name("said").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"it ended before harm was done, with status {run.poll()}: {said}")
        with contextlib.suppress(psutil.Error):
            seen |= {process.pid: process for process in psutil.Process(run.pid).children(recursive=True)}
        time.sleep(0.05)
    with contextlib.suppress(psutil.Error):
        seen |= {process.pid: process for process in psutil.Process(run.pid).children(recursive=True)}
    return mark.stat().st_mtime, list(seen.values())


def be_worker(trial: Trial, options: Sequence[str]) -> int:
    """The real program, in which harm is done at the stage. Returns its status."""

    def harm_at(stage: str) -> None:
        if stage == trial.stage and trial.what in ("the launcher", f"worker {os.environ['RANK']}"):
            Path(os.environ[MARK]).touch()
            if trial.what == "the launcher":  # the other process does it
                return
            if trial.how == "raise":
                raise RuntimeError(FAULT)
            os.kill(os.getpid(), SIGNALS[trial.how])

    def load() -> Implementation[Any, Any, Any, Any]:
        harm_at(IMPORT)
        module = importlib.import_module(f"{trial.framework.lower()}_impl.__main__")
        implementation: Implementation[Any, Any, Any, Any] = module.load()
        workers: Any = implementation.workers

        @contextlib.contextmanager
        def join(device: object) -> Iterator[None]:
            harm_at(BEFORE)
            with workers.join(device):
                harm_at(AFTER)
                yield
                harm_at(END)  # the first has written its record

        def train_epoch(model: Any, optimizer: Any, dataset: Any, batches: Any, session: Any) -> Any:
            def before_step(step: int) -> None:
                if step == STEP:
                    harm_at(EPOCH)
                    time.sleep(SECONDS_TO_END * (trial.what == "the launcher"))
                session.before_step(step)

            watched = SimpleNamespace(stops=session.stops, before_step=before_step)
            return workers.train_epoch(model, optimizer, dataset, batches, watched)

        harmed: Any = SimpleNamespace(**{**vars(workers), "join": join, "train_epoch": train_epoch})
        return replace(implementation, workers=harmed)

    return runner.main(trial.framework, load, options)


def _said(file: Path) -> str:
    """All but that it is still at work, which a slow machine says."""
    lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith(progress.STILL))


def _in_short(said: str) -> str:
    """The line that tells why all ended; of torchrun's many, the one with the worker and its signal."""
    by_torchrun = re.search(r"failed \(exitcode: \S+ local_rank: \d+", said)
    last = by_torchrun[0] if by_torchrun else "".join(said.splitlines()[-1:]).rpartition("error: ")[2]
    return re.sub(r"; its traceback is in [^;]*", "", last).replace(f"{ROOT}/", "")


def row(trial: Trial, ended: Ended) -> list[str]:
    """How a trial ended."""
    how = [f"{ended.seconds:.1f}", str(ended.status), _in_short(ended.said), str(ended.left)]
    return [*trial, *how, "yes" if ended.good(trial) else "NO"]


def table(rows: Sequence[list[str]]) -> str:
    """Markdown."""
    header = ["framework", "started by", "harmed", "at", "how", "ended after, s", "status", "said", "left", "good"]
    return markdown.table(Table(header, list(rows), words=True))


def merged(page: str, rows: Sequence[list[str]]) -> str:
    """The page with these rows in place of those of the same trials."""
    lines = page.splitlines()
    for new in table(rows).splitlines()[2:]:
        of = new.split("|")[: len(Trial._fields) + 1]
        lines = [new if line.split("|")[: len(of)] == of else line for line in lines]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Make the trials that the words select, and write the table."""
    words = sys.argv[1:]
    wanted = [trial for trial in trials() if all(word in trial.name for word in words)]
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    rows, good = [], True
    with progress.bar(len(wanted), "trials") as advance, ThreadPoolExecutor(AT_ONCE) as threads:
        for trial, ended in zip(
            wanted, threads.map(lambda each: make(each, pythons[each.framework]), wanted), strict=True
        ):
            rows.append(row(trial, ended))
            good = good and ended.good(trial)
            print(*rows[-1], sep=", ", flush=True)
            advance(1)
    page = HERE / "workers_trials.md"
    text = f"# A worker that comes to harm\n\n`python -m {NAME}` made this page.\n\n{table(rows)}\n"
    if words:
        text = merged(page.read_text(encoding="utf-8"), rows)
    write_whole(page, lambda path: path.write_text(text, encoding="utf-8"))
    return ending.OK if good else ending.FAILED


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        ending.leave(be_worker(Trial(*json.loads(sys.argv[2])), sys.argv[3:]))
    sys.exit(ending.exit_status(NAME, main))
