"""Progress bars: on a terminal only, on standard error."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from tqdm import tqdm

# Set in a child of compare.py: whether there is a terminal behind the pipe that is its standard error.
PARENT_SHOWS_PROGRESS = "COMPARE_SHOWS_PROGRESS"
# Set in a child of compare.py that reads from its standard input when to train.
TURNS = "COMPARE_TURNS"


def wanted() -> bool:
    """Whether somebody watches."""
    return sys.stderr.isatty() or os.environ.get(PARENT_SHOWS_PROGRESS) == "1"


def has_parent() -> bool:
    """Whether this is a child of compare.py, which speaks of its results itself."""
    return PARENT_SHOWS_PROGRESS in os.environ


def wait_for_turn() -> None:
    """In a child that was started ahead of its turn, wait until compare.py says that it has come."""
    if os.environ.get(TURNS) == "1" and not sys.stdin.readline():
        raise KeyboardInterrupt  # nobody will say it any more


@contextlib.contextmanager
def bar(total: int, description: str, unit: str = "step") -> Iterator[Callable[[int], object]]:
    """Yield what to tell of units done. The bar shows what is left, and vanishes at the end."""
    with tqdm(total=total, desc=description, unit=unit, disable=not wanted(), leave=False, ncols=80) as progress:
        yield progress.update


def notice(text: str) -> None:
    """One line for the person who waits."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def standard_error_only_on_failure() -> Iterator[None]:
    """Hold back what is written to standard error, C++ libraries' lines too, unless the block raises."""
    with tempfile.TemporaryFile() as held, _stderr_into(held.fileno()) as stderr:
        try:
            yield
        except BaseException:
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
