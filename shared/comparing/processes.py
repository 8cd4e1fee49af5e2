"""Implementations as processes of their own: PyTorch and TensorFlow crash when both are loaded into one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from shared import cli, progress
from shared.errors import ChildRefusedError, InputError
from shared.paths import ROOT

PACKAGES = {"PyTorch": "torch", "TensorFlow": "tensorflow"}
LAST_WORDS = 2000  # bytes
Listener = Callable[[dict[str, Any]], object]


def find_interpreter(framework: str, named: Path | None) -> Path:
    """The Python that has `framework`: the one named, else the one in .venv, else the one that runs this.

    Raises InputError where it does not exist or lacks the framework.
    """
    option, package = f"--{framework.lower()}-python", PACKAGES[framework]
    ours = ROOT / ".venv" / framework.lower() / "bin" / "python"
    python = named or (ours if ours.exists() else Path(sys.executable))
    cure = f"run 'make setup', or name the Python that has it with {option}"
    probe = f"import sys, importlib.util as u; sys.exit(u.find_spec({package!r}) is None)"
    try:
        has_framework = subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0
    except OSError as error:
        raise InputError(f"{option} {python}: {error.strerror}; {cure}") from None
    if not has_framework:
        raise InputError(f"{python} has no {package}; {cure}")
    return python


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
    """The versions of these packages that this Python has; with the distribution's name, where that is another.

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
    """A running implementation, which trains when its turn has come. Its last words are kept.

    If `watched`, what it writes to standard error passes through; if `heard`, standard output as well. What it tells of
    its progress goes to `listen`.
    """

    def __init__(
        self, name: str, command: list[str], *, watched: bool, heard: bool, listen: Listener | None = None
    ) -> None:
        self.name, self._watched, self._tail = name, watched, b""
        self._turn, self._silenced = threading.Event(), False
        telling = {}
        if listen:
            events, told = os.pipe()
            telling = {progress.EVENTS: str(told)}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, progress.TURNS: "1", **telling},
            stdin=subprocess.PIPE,
            stdout=None if heard else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[int(descriptor) for descriptor in telling.values()],
        )
        self._readers = [threading.Thread(target=self._pass_through, daemon=True)]
        if listen:
            os.close(told)
            self._readers.append(threading.Thread(target=_listen, args=(events, listen), daemon=True))
        for reader in self._readers:
            reader.start()

    def _pass_through(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            for line in pipe:
                self._tail = (self._tail + line)[-LAST_WORDS:]
                self._turn.wait()  # nobody asks yet what one says that was started ahead
                if self._watched and not self._silenced:
                    progress.notice(line.decode(errors="replace").rstrip("\n"))

    def take_turn(self) -> None:
        """Let it train, and be heard."""
        self._turn.set()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:  # `finish` says why it has died
            pipe.write(b"\n")

    def finish(self) -> None:
        """Wait. Returns for status 0 and for 1, a run that diverged; both leave a record.

        Raises ChildRefusedError for status 2, and InputError with its last words where it died.
        """
        status = self._process.wait()
        self._turn.set()
        self._join()
        if status in (cli.OK, cli.FAILED) and b"Traceback" not in self._tail:
            return
        words = self._tail.decode(errors="replace").strip().splitlines()
        if status == cli.BAD_INPUT and self._watched:
            raise ChildRefusedError
        end = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        cure = "was memory short?" if status == -signal.SIGKILL else "see above"
        raise InputError(f"{self.name} {end}; its last words: {words[-1] if words else 'none'}; {cure}")

    def stop(self) -> None:
        """End it if it runs still: politely, and after five seconds by force."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._silenced = not self._turn.is_set()
        self._turn.set()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()


def _listen(events: int, listen: Listener) -> None:
    with open(events, encoding="utf-8") as lines:
        for line in lines:
            listen(json.loads(line))


class Children:
    """Starts children; none outlives the `with` block, and none starts after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[Child] = []
        self._closed = False

    def start(
        self, name: str, command: list[str], *, watched: bool, heard: bool, listen: Listener | None = None
    ) -> Child:
        with self._lock:
            if self._closed:
                raise InputError(f"{name} was not started: another run had failed; see above")
            self._started.append(Child(name, command, watched=watched, heard=heard, listen=listen))
            return self._started[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._closed = True
            for child in self._started:
                child.stop()
