"""Implementations as processes of their own: in one, PyTorch's first optimizer crashes where TensorFlow came first."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from shared.contract import IMPLEMENTATIONS
from shared.system import ending, progress
from shared.system.errors import CrashError, InputError
from shared.system.paths import ROOT

LAST_WORDS = 2000  # bytes
SECONDS_TO_ANSWER = 60
Event = dict[str, Any]  # a JSON object
OnEvent = Callable[[Event], object]


def find_interpreter(framework: str, named: Path | None) -> Path:
    """The Python that has `framework`: the one named, else the one in .venv, else the one that runs this.

    Raises InputError where it is no Python, or lacks the framework.
    """
    option, package = f"--{framework.lower()}-python", IMPLEMENTATIONS[framework].packages[0]
    ours = ROOT / ".venv" / framework.lower() / "bin" / "python"
    python = named or (ours if ours.exists() else Path(sys.executable))
    cure = f"run 'make setup', or name the Python that has it with {option}"
    probe = f"import importlib.util as u; print('found' if u.find_spec({package!r}) else 'missing')"
    try:
        asked = subprocess.run(
            [python, "-c", probe], check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS_TO_ANSWER
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {python}: {getattr(error, 'strerror', None) or error}; {cure}") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"{option} {python}: no answer in {SECONDS_TO_ANSWER} s; {cure}") from None
    match asked.stdout.split():
        case [b"found"]:
            return python
        case [b"missing"]:
            raise InputError(f"{python} has no {package}; {cure}")
    raise InputError(f"{option} {python}: it does not answer as a Python does (status {asked.returncode}); {cure}")


# A package can come from a distribution of another name, such as tensorflow from tensorflow-cpu.
_VERSIONS = """
import importlib.metadata as metadata, json, sys
owners = metadata.packages_distributions()
print(json.dumps({
    package: [(owner, metadata.version(owner)) for owner in sorted(set(owners.get(package, [])))]
    for package in sys.argv[1:]
}))
"""


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The versions of these packages that this Python has; with the distribution's name where it is another.

    Raises InputError where it can't be told.
    """
    command = [str(python), "-c", _VERSIONS, *packages]
    owners: dict[str, list[tuple[str, str]]] = {}
    with contextlib.suppress(OSError, ValueError):
        owners = json.loads(subprocess.run(command, check=False, capture_output=True).stdout)
    for package in packages:
        if not owners.get(package):
            told = f"{python}: nothing tells the version of its {package}"
            raise InputError(f"{told}; install it with pip, or run 'make setup'")
    return {
        package: ", ".join(
            version if name.replace("-", "_") == package else f"{version} of {name}"
            for name, version in owners[package]
        )
        for package in packages
    }


class Child:
    """A running implementation, which trains when its turn has come, and ends when this process does.

    It tells what happens as JSON objects on a pipe of its own, and these go to `on_event`. So do the lines that it or a
    library writes to standard error, each as a `notice`. The last thing that it tells is how it ended.
    """

    def __init__(self, name: str, command: list[str], on_event: OnEvent, without: Collection[str] = ()) -> None:
        self.name, self._on_event = name, on_event
        self.orders = 0  # that it was given
        self._tail = b""
        self._ended: Event | None = None  # as the child tells it; None where it was killed
        self._told_end = threading.Event()  # set when it has told so, or can tell no more
        self._interrupted = False
        channel, childs_end = os.pipe()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={
                **{variable: value for variable, value in os.environ.items() if variable not in without},
                progress.CHANNEL: str(childs_end),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[childs_end],
        )
        os.close(childs_end)
        self._readers = [
            threading.Thread(target=self._read_standard_error, daemon=True),
            threading.Thread(target=self._read_channel, args=(channel,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_standard_error(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            for line in pipe:
                self._tail = (self._tail + line)[-LAST_WORDS:]
                if not self._interrupted:
                    self._on_event({"notice": line.decode(errors="replace").rstrip("\n")})

    def _read_channel(self, channel: int) -> None:
        with open(channel, encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line) if line.endswith("\n") else {}  # else the child was killed while it wrote
                if "ended" in event:
                    self._ended = event["ended"]
                    self._told_end.set()
                elif event:
                    self._on_event(event)
        self._told_end.set()

    def take_turn(self) -> None:
        """Let it train."""
        self._write("")

    def take_order(self, name: str, words: Sequence[str]) -> None:
        """Let one that makes many runs make this one, of that name: `words` are its command line."""
        self.name, self._ended, self.orders = name, None, self.orders + 1
        self._told_end.clear()
        self._write(json.dumps(words))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, and `finish` says why
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def has_made(self, timeout: float) -> bool:
        """Whether its run is over within so many seconds, or it has ended itself."""
        return self._told_end.wait(timeout) or self.has_ended

    def finish_order(self) -> None:
        """After `has_made`: as `finish`, but one that goes on is left to make the next run."""
        if self._ended is None or self._ended["status"] not in (ending.OK, ending.FAILED):
            self.finish()

    def finish(self) -> None:
        """Wait for its end: returns on status 0, and on 1, a run that is not finite. Both leave a record.

        Raises InputError for status 2 and where it was killed or interrupted, CrashError for a fault of our own.
        """
        status = self._process.wait()
        self._join()
        told = self._ended or {"status": None, "line": ""}
        if status in (ending.OK, ending.FAILED) and told["status"] == status:
            return
        if told["status"] == status == ending.BAD_INPUT:
            raise InputError(f"{self.name}: {told['line']}")
        if told["status"] == status == ending.CRASHED:
            raise CrashError(f"{self.name}: {told['line']}")
        words = self._tail.decode(errors="replace").strip().splitlines()
        end = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        last = words[-1] if words else told["line"] or "none"
        cure = "was memory short?" if status == -signal.SIGKILL else "run again"
        raise InputError(f"{self.name} {end}; its last words: {last}; {cure}")

    def interrupt(self) -> None:
        """Ask it to end, if it still runs."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._interrupted = True
        if self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """Let none of it be left."""
        self.interrupt()
        self.stop()

    def stop(self) -> None:
        """After `interrupt`: wait until it has ended, and after a few seconds end it by force."""
        try:
            self._process.wait(timeout=progress.SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(timeout=progress.SECONDS_TO_END)  # a process that the child left behind may keep the pipes open


class Children:
    """Starts children; none outlives the `with` block, and none starts after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[Child] = []
        self._closed = False
        self._starter = ThreadPoolExecutor(1)

    def start(self, name: str, command: list[str], on_event: OnEvent, without: Collection[str] = ()) -> Child:
        """Start one, in our environment but for the variables it is to be `without`.

        Raises InputError where the block has ended.
        """
        # An interrupt reaches the main thread alone: in another, no child can be started and then forgotten.
        return self._starter.submit(self._start, name, command, on_event, without).result()

    def _start(self, name: str, command: list[str], on_event: OnEvent, without: Collection[str]) -> Child:
        with self._lock:
            if self._closed:
                raise InputError(f"{name} was not started: another run had failed; see above")
            self._started.append(Child(name, command, on_event, without))
            return self._started[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._closed = True
            for child in self._started:
                child.interrupt()
            for child in self._started:
                child.stop()
