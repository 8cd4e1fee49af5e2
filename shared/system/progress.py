"""How far the work is: shown on a terminal; sent to compare.py by its children; otherwise said in lines.

Where a person waits, or a program reads, nothing is silent for long: `doing` names what is done, and where nothing else
was printed for some seconds, a line says that.
"""

import atexit
import contextlib
import functools
import json
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.system import language

if TYPE_CHECKING:
    from rich.console import Console

# An environment variable, set in a child of compare.py: the file descriptor to which the child writes what happens, one
# JSON object on each line. The parent writes a line to the child's standard input when the child may train; to a child
# that makes many runs, a line for each: the words of its command line, in JSON. The end of that input means that the
# parent is gone.
CHANNEL = "COMPARE_CHANNEL"
# An environment variable, set in a worker by our launcher: the launcher's process.
LAUNCHER = "WORKERS_LAUNCHER"
# Where so long nothing was printed, a line says what is done. A call into a library may delay it.
SECONDS_OF_SILENCE = 3.0
STILL = "... "  # what such a line begins with
SECONDS_BETWEEN_EVENTS = 0.1
SECONDS_BETWEEN_LOOKS = 0.5
MANY_SECONDS = 90  # from which on they are told as minutes
BYTES_AT_ONCE = 65_536
SECONDS_TO_END = 5  # for a child to end in: a call into a framework can't be interrupted
_turn = threading.Event()
_orders: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
_silent = threading.Event()
_doing: list["Doing"] = []  # what is done now; the last has begun last
_held_back: list[int] = []  # while standard error is held back: descriptors that still lead to it
_over = threading.Event()
_printed = time.monotonic()  # when something was


@functools.cache
def terminal() -> "Console":
    """Standard error, for a person. Rich is imported only where it shows something."""
    from rich.console import Console

    return Console(stderr=True)


def watched() -> bool:
    """Whether standard error is a terminal on which lines can be drawn again."""
    return sys.stderr.isatty() and terminal().is_interactive


def say(line: str) -> None:
    """Print a line of a run's results; in a child of compare.py, send the parent the line, and it decides."""
    if has_parent():
        tell(line=line)
    elif not _silent.is_set():
        print(line, flush=True)


def be_silent() -> None:
    """From now on say nothing of the work: another process, which does the same, says it."""
    _silent.set()


def notice(text: str) -> None:
    """Print one line for the person who waits; above the bars where there are any."""
    if _silent.is_set():
        return
    text = language.shown(text)
    if _held_back:
        with contextlib.suppress(OSError):
            os.write(_held_back[-1], text.encode(errors="replace") + b"\n")
    elif watched():
        terminal().out(text, highlight=False)
    else:
        print(text, file=sys.stderr, flush=True)


def printed() -> None:
    """Something was printed just now."""
    global _printed  # noqa: PLW0603 one time for the program
    _printed = time.monotonic()


class Doing:
    """Something that takes its time, and how far it is, where that is counted."""

    def __init__(self, what: str, total: int = 0) -> None:
        self.what, self.done, self.total = what, 0, total
        self.seconds_left: float | None = None  # as whoever does it estimates
        self._start = time.monotonic()

    def advance(self, more: int) -> None:
        self.done += more

    def describe(self, what: str, seconds_left: float | None = None) -> None:
        """Say it in other words, and how long it still takes."""
        self.what, self.seconds_left = what, seconds_left

    def said(self) -> str:
        """What is done, and how far it is."""
        seconds = time.monotonic() - self._start
        if not self.total:
            return language.say("{what}: {time} so far", what=self.what, time=in_words(seconds))
        left = self.seconds_left
        if left is None and self.done:
            left = seconds * (self.total - self.done) / self.done
        if left is None:
            return language.say("{what}: {done:,} of {total:,}", what=self.what, done=self.done, total=self.total)
        return language.say(
            "{what}: {done:,} of {total:,}, about {time} left",
            what=self.what,
            done=self.done,
            total=self.total,
            time=in_words(left),
        )


def in_words(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < MANY_SECONDS:
        return language.say("{n:.0f} s", n=seconds)
    return language.say("{n:.0f} min", n=seconds / 60)


@contextlib.contextmanager
def doing(what: str, total: int = 0) -> Iterator[Doing]:
    """While the block lasts, this is done."""
    begun = begin(what, total)
    try:
        yield begun
    finally:
        end(begun)


def begin(what: str, total: int = 0) -> Doing:
    """As `doing`, for whom a block does not fit: it lasts until `end`."""
    begun = Doing(what, total)
    _doing.append(begun)
    if not has_parent():
        _break_silences()
    return begun


def end(begun: Doing) -> None:
    """It is over."""
    with contextlib.suppress(ValueError):
        _doing.remove(begun)


@functools.cache
def _break_silences() -> None:
    """From now on, say every so often what is done, if nothing else is printed."""
    thread = threading.Thread(target=_speak, daemon=True)
    thread.start()

    def stop() -> None:
        _over.set()
        thread.join(1)

    atexit.register(stop)  # a thread that prints while the interpreter ends would be a fatal error


def _speak() -> None:
    wait = SECONDS_OF_SILENCE
    while not _over.wait(wait):
        wait = SECONDS_OF_SILENCE - (time.monotonic() - _printed)
        if wait <= 0:
            wait = SECONDS_OF_SILENCE
            with contextlib.suppress(IndexError):  # the last thing that was done has just ended
                notice(language.join("", (STILL, _doing[-1].said())))
                printed()


class Bar(NamedTuple):
    """Is called with the number of units done, and can be described anew, with the seconds that it still takes."""

    advance: Callable[[int], object]
    describe: Callable[[str, float | None], object] = lambda _description, _seconds_left: None

    def __call__(self, done: int) -> None:
        self.advance(done)


@contextlib.contextmanager
def bar(total: int, description: str) -> Iterator[Bar]:
    """Yield a bar, which shows what is left, and vanishes at the end."""
    if has_parent():
        yield Bar(_teller(total, description))
    elif watched() and not _silent.is_set():
        from rich.progress import Progress

        # What is printed meanwhile goes above the bar, unless standard output is a pipe or a file.
        with Progress(*columns(), console=terminal(), transient=True, redirect_stdout=sys.stdout.isatty()) as shown:
            task = shown.add_task(language.shown(description), total=total)
            yield Bar(
                functools.partial(shown.advance, task),
                lambda described, _: shown.update(task, description=language.shown(described)),
            )
    else:
        with doing(description, total) as begun:
            yield Bar(begun.advance, begun.describe)


def columns() -> list[Any]:
    """The columns of a bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    return [text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)]


def _teller(total: int, doing: str) -> Callable[[int], object]:
    """A function that tells of units done; not of every one, because telling takes longer than a step."""
    done, told, doing = 0, time.monotonic(), language.shown(doing)  # JSON would not remember how it is said

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        if done == total or time.monotonic() - told > SECONDS_BETWEEN_EVENTS:
            told = time.monotonic()
            tell(doing=doing, done=done, total=total)

    tell(doing=doing, done=0, total=total)
    return advance


def tell(**event: object) -> None:
    """In a child of compare.py, tell the parent what has happened."""
    if has_parent():
        with contextlib.suppress(OSError):  # the parent may be gone
            os.write(int(os.environ[CHANNEL]), json.dumps(event).encode() + b"\n")


def has_parent() -> bool:
    """Whether this is a child of compare.py, which then reports the results itself."""
    return CHANNEL in os.environ


def follow_parent() -> None:
    """In a child of compare.py: learn from the parent when to train, and end when the parent ends, however it ends."""
    if has_parent():
        threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    # Not sys.stdin, whose lock a thread must not hold when the interpreter ends.
    unread = b""
    while more := os.read(0, BYTES_AT_ONCE):
        *lines, unread = (unread + more).split(b"\n")
        for line in lines:
            if line:
                _orders.put(json.loads(line))
            _turn.set()
    _end()


def follow_launcher() -> None:
    """In a worker: end when its launcher has ended, which may have been killed and can't say so."""
    # By torchrun's own variable; under any other launcher a parent may end while its workers go on.
    if LAUNCHER in os.environ or "TORCHELASTIC_RUN_ID" in os.environ:
        parent = os.getppid()
        launcher = int(os.environ.get(LAUNCHER, parent))
        threading.Thread(target=_follow_launcher, args=(launcher, parent), daemon=True).start()


def _follow_launcher(launcher: int, parent: int) -> None:
    # The parent may be a shell, which the launcher has started; and a process that has ended can still be there.
    while os.getppid() == parent and _is_there(launcher):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    _end()


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os._exit(128 + signal.SIGTERM)


def next_order() -> list[str]:
    """In a child of compare.py that makes many runs, wait for the next: the words of its command line."""
    return _orders.get()


def wait_for_turn() -> None:
    """In a child of compare.py that was started ahead of its turn, wait for its turn."""
    if has_parent() and not _turn.is_set():
        tell(waits=True)
        _turn.wait()


@contextlib.contextmanager
def standard_error_only_on_failure() -> Iterator[None]:
    """Hold back what is written to standard error, also by C++ libraries, unless the block raises."""
    with tempfile.TemporaryFile() as held, _stderr_into(held.fileno()) as stderr:
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise


@contextlib.contextmanager
def _stderr_into(descriptor: int) -> Iterator[int]:
    """Send file descriptor 2 to `descriptor`. Yields one that still leads to the old standard error."""
    sys.stderr.flush()
    stderr = os.dup(2)
    os.dup2(descriptor, 2)
    _held_back.append(stderr)
    try:
        yield stderr
    finally:
        _held_back.remove(stderr)
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
