"""How far the work is: shown to a person at a terminal, told to compare.py by its children, and else kept quiet."""

import contextlib
import functools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Set in a child of compare.py: the file descriptor on which it tells what happens, a JSON object a line. The other way,
# a line on its standard input says that its turn to train has come, and the end of that input that its parent is gone.
CHANNEL = "COMPARE_CHANNEL"
SECONDS_BETWEEN_EVENTS = 0.1
SECONDS_TO_END = 5  # when the parent is gone; a call into a framework can't be interrupted
_turn = threading.Event()


@functools.cache
def terminal() -> "Console":
    """Standard error, for a person. Rich is loaded only where it shows something."""
    from rich.console import Console

    return Console(stderr=True)


def watched() -> bool:
    """Whether a person watches standard error, on a terminal where lines can be drawn anew."""
    return sys.stderr.isatty() and terminal().is_interactive


def say(line: str) -> None:
    """Print a line of a run's results; in a child of compare.py, tell it the line, and it decides."""
    if has_parent():
        tell(line=line)
    else:
        print(line, flush=True)


def notice(text: str) -> None:
    """One line for the person who waits; above the bars where there are any."""
    if watched():
        terminal().out(text, highlight=False)
    else:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def bar(total: int, description: str) -> Iterator[Callable[[int], object]]:
    """Yield what to tell of units done. The bar shows how many are left and how long they take, and then vanishes."""
    if has_parent():
        yield _teller(total, description)
    elif watched():
        from rich.progress import Progress

        # What is printed meanwhile goes above the bar; but never from a pipe or a file onto the terminal.
        with Progress(*columns(), console=terminal(), transient=True, redirect_stdout=sys.stdout.isatty()) as shown:
            yield functools.partial(shown.advance, shown.add_task(description, total=total))
    else:
        yield lambda _done: None


def columns() -> list[Any]:
    """What a bar is made of."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    return [text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)]


def _teller(total: int, doing: str) -> Callable[[int], object]:
    """Tells of units done; not of every one: a step takes less time than its telling."""
    done, told = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        if done == total or time.monotonic() - told > SECONDS_BETWEEN_EVENTS:
            told = time.monotonic()
            tell(doing=doing, done=done, total=total)

    tell(doing=doing, done=0, total=total)
    return advance


def tell(**event: object) -> None:
    """In a child of compare.py, tell it what has happened."""
    if has_parent():
        with contextlib.suppress(OSError):  # nobody listens any more
            os.write(int(os.environ[CHANNEL]), json.dumps(event).encode() + b"\n")


def has_parent() -> bool:
    """Whether this is a child of compare.py, which speaks of its results itself."""
    return CHANNEL in os.environ


def follow_parent() -> None:
    """In a child of compare.py: hear of it when to train, and end when it ends, however it ends."""
    if has_parent():
        threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    # Not sys.stdin, whose lock a thread must not hold when the interpreter ends.
    while os.read(0, 1):
        _turn.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os._exit(128 + signal.SIGTERM)


def wait_for_turn() -> None:
    """In a child of compare.py that was started ahead of its turn, wait until it has come."""
    if has_parent():
        _turn.wait()


@contextlib.contextmanager
def standard_error_only_on_failure() -> Iterator[None]:
    """Hold back what is written to standard error, C++ libraries' lines too, unless the block raises."""
    with tempfile.TemporaryFile() as held, _stderr_into(held.fileno()) as stderr:
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise


@contextlib.contextmanager
def _stderr_into(descriptor: int) -> Iterator[int]:
    """Send file descriptor 2 to `descriptor`; yields the one that still leads to the old standard error."""
    sys.stderr.flush()
    stderr = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield stderr
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
