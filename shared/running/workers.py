"""Start workers on this machine: `python -m shared.running.workers 2 python -m tensorflow_impl --engine workers`.

TensorFlow ships no launcher. This one sets what MultiWorkerMirroredStrategy reads, TF_CONFIG, and what torchrun sets,
for PyTorch: so it starts either. The first worker's output is passed on, and its record is the run's. Where one
ends badly all end, and one line names it.
"""

from shared.system import ending

PROGRAM = "shared.running.workers"
with ending.importing(PROGRAM):
    import argparse
    import contextlib
    import ctypes
    import json
    import os
    import select
    import signal
    import socket
    import struct
    import subprocess
    import sys
    import threading
    import time
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from shared import cli
    from shared.system import progress
    from shared.system.errors import InputError
    from shared.system.language import join, say

LOOPBACK = "127.0.0.1"
SECONDS_BETWEEN_LOOKS = 0.05
SECONDS_STOPPED = 4  # for a worker that is stopped to go on; TensorFlow gave it up after 10, and sooner at times
SECONDS_AFTER_FIRST = 30  # for the others to end when the first has
SECONDS_A_LINE_WAITS = 1.0  # the last line of a worker that ends badly is told here, with its number
LAST_WORDS = 4000  # bytes
# Of Linux's headers, for a network of one's own.
CLONE_NEWUSER, CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x10000000, 0x40000000, 0x8914, 1
INTERFACE_REQUEST = "16sH22x"  # a name and flags
CURE_OF_KILLED = "was memory short?"


class Worker:
    """A worker that runs."""

    def __init__(self, number: int, command: Sequence[str], variables: Mapping[str, str], channel: int | None) -> None:
        """Where there is a `channel`, the first worker tells compare.py by it what happens."""
        self.number, self.name = number, f"worker {number} (of {variables['WORLD_SIZE']}, counted from 0)"
        self._held = threading.Event()  # nothing is passed on any more
        self._tail = self._waiting = b""
        self._stopped_at: float | None = None
        first = number == 0
        passed = {} if channel is None or not first else {progress.CHANNEL: str(channel)}
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **variables, **passed},
            stdin=None if first else subprocess.DEVNULL,
            stdout=None if first else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[int(descriptor) for descriptor in passed.values()],
            start_new_session=True,  # an interrupt from the keyboard comes to this program alone
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Pass on the first worker's standard error, but of all that has just come not the last line."""
        assert self._process.stderr is not None
        pipe = self._process.stderr.fileno()
        while True:
            ready, _, _ = select.select([pipe], [], [], SECONDS_A_LINE_WAITS if self._waiting else None)
            if not ready:
                self.pass_on_the_rest()
                continue
            data = os.read(pipe, 1 << 16)
            if not data:
                return
            self._tail = (self._tail + data)[-LAST_WORDS:]
            if self.number == 0:
                self._waiting += data
                end = self._waiting.rfind(b"\n", 0, -1) + 1
                self._pass_on(self._waiting[:end])
                self._waiting = self._waiting[end:]

    def _pass_on(self, text: bytes) -> None:
        if text and not self._held.is_set():
            sys.stderr.write(text.decode(errors="replace"))
            sys.stderr.flush()

    def pass_on_the_rest(self) -> None:
        """Pass on the line that waits."""
        self._pass_on(self._waiting)
        self._waiting = b""

    def status(self) -> int | None:
        """How it ended, as subprocess has it; None while it runs."""
        return self._process.poll()

    def seconds_stopped(self) -> float:
        """How long it has been stopped by a signal; 0 while it runs."""
        if hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):
                seen = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
                if seen:
                    self._stopped_at = time.monotonic() if seen.si_code == os.CLD_STOPPED else None
        return 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at

    def last_words(self) -> str:
        """The last line that it wrote to standard error."""
        self._reader.join(timeout=SECONDS_A_LINE_WAITS)  # a process that it left behind may keep the pipe open
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def ask_to_end(self) -> None:
        self._held.set()
        self._send(signal.SIGTERM)

    def end(self, until: float) -> None:
        """After `ask_to_end`: wait for its end and that of all it has started, which comes by force from `until` on."""
        while (self.status() is None or self._send(0)) and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self._send(signal.SIGKILL)
        self._process.wait()

    def _send(self, number: int) -> bool:
        """Send a signal to all that the command has started: a shell does not pass it on. Returns whether any runs."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def launch(command: Sequence[str], count: int, channel: int | None) -> int:
    """Start `count` workers and wait for them. Returns the status: the first's, where no other has ended badly.

    Raises InputError where a worker ends badly; no worker outlives this call.
    """
    if not _have_own_network():
        told = say(
            "this system gives no network of one's own: TensorFlow's workers listen on all addresses of this machine"
        )
        progress.notice(join(": ", (PROGRAM, told)))
    workers: list[Worker] = []
    with _ports(count + 1) as ports:

        def start() -> None:
            for number in range(count):
                workers.append(Worker(number, command, variables(number, ports), channel))  # noqa: PERF401 one by one

        # An interrupt reaches the main thread alone: in another, no worker can be started and then forgotten.
        starter = ThreadPoolExecutor(1)
        try:
            starter.submit(start).result()
            return _watch(workers, told_by_the_first=channel is not None)
        except FileNotFoundError as error:
            raise InputError(f"{error.filename}: no such program; name the Python that has the framework") from None
        finally:
            starter.shutdown()
            for worker in workers:
                worker.ask_to_end()
            until = time.monotonic() + progress.SECONDS_TO_END
            for worker in workers:
                worker.end(until)


def variables(number: int, ports: Sequence[int]) -> dict[str, str]:
    """The environment variables that tell a worker its place: for TensorFlow, and for PyTorch.

    The last port is where PyTorch's meet; each of the others is a worker's.
    """
    *own, meeting = ports
    addresses = [f"{LOOPBACK}:{port}" for port in own]
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
    return {
        progress.LAUNCHER: str(os.getpid()),
        "TF_CONFIG": json.dumps(config),
        "TF_GRPC_REUSE_PORT": "1",  # or it could not take a port that is held for it
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(meeting),
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(len(own)),
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
    }


@contextlib.contextmanager
def _ports(count: int) -> Iterator[list[int]]:
    """Free ports of the loopback, which no other program is given while the block lasts: they are held, unheard."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            # With these a worker can take the port as well; a program that asks for any free port never gets it.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind((LOOPBACK, 0))
        yield [each.getsockname()[1] for each in sockets]


def _have_own_network() -> bool:
    """Go into a network that has a loopback alone, where the system lets one. Returns whether it does.

    TensorFlow listens on all addresses, whatever TF_CONFIG says, and whoever reaches a worker can run code in it.
    """
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    system = ctypes.CDLL(None)
    # Who may do it as the user that they are does: within a user namespace root can't write others' files.
    if system.unshare(CLONE_NEWNET):
        if system.unshare(CLONE_NEWUSER | CLONE_NEWNET):
            return False
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny", encoding="utf-8")
        (own / "uid_map").write_text(f"{user} {user} 1", encoding="utf-8")
        (own / "gid_map").write_text(f"{group} {group} 1", encoding="utf-8")
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(INTERFACE_REQUEST, b"lo", IFF_UP))
    return True


def _watch(workers: Sequence[Worker], *, told_by_the_first: bool) -> int:
    """Wait until all have ended. Returns the first's status. Raises InputError where one ends badly."""
    first_ended: float | None = None
    while True:
        running = [worker for worker in workers if worker.status() is None]
        for worker in workers:
            status = worker.status()
            own_words = told_by_the_first and status in (ending.BAD_INPUT, ending.CRASHED)
            if worker.number == 0 and status is not None and own_words:
                return status
            # The first ends with 1 where a number is not finite.
            if status not in ((None, ending.OK, ending.FAILED) if worker.number == 0 else (None, ending.OK)):
                raise InputError(_why(worker))
            if worker.seconds_stopped() > SECONDS_STOPPED:
                raise InputError(f"{worker.name} is stopped by a signal; all were ended; run again")
        if not running:
            workers[0].last_words()
            workers[0].pass_on_the_rest()
            return workers[0].status() or ending.OK
        if workers[0] not in running:
            first_ended = first_ended or time.monotonic()
            if time.monotonic() - first_ended > SECONDS_AFTER_FIRST:
                raise InputError(f"{running[0].name} does not end; all were ended; run again")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _why(worker: Worker) -> str:
    """What a worker that has ended badly has ended with."""
    status, words = worker.status(), worker.last_words()
    assert status is not None
    if status < 0:
        cure = CURE_OF_KILLED if status == -signal.SIGKILL else "run again"
        return f"{worker.name} was killed by signal {-status}; all were ended; {cure}"
    return f"{worker.name} has ended with status {status}: {words or 'it said nothing'}; all were ended"


def main() -> int:
    """Parse the command line, and launch. Returns the exit status."""
    channel = os.environ.pop(progress.CHANNEL, None)  # it is the first worker's: this program neither tells nor follows
    parser = cli.Parser(prog=f"python -m {PROGRAM}", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("workers", type=cli.count_of("workers", at_least=1), metavar="WORKERS", help="how many")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="what each worker runs")

    def run() -> int:
        options = parser.parse_args()
        if not options.command:
            raise InputError(f"no command is given that {options.workers} workers should run; {parser.prog} --help")
        try:
            return launch(options.command, options.workers, None if channel is None else int(channel))
        except InputError as error:
            if channel is None:
                raise
            told = {"ended": {"status": ending.BAD_INPUT, "line": str(error)}}
            with contextlib.suppress(OSError):  # compare.py may be gone
                os.write(int(channel), json.dumps(told).encode() + b"\n")
            return ending.BAD_INPUT

    return ending.exit_status(PROGRAM, run)


if __name__ == "__main__":
    sys.exit(main())
