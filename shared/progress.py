"""Progress bars: on a terminal only, on standard error."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from tqdm import tqdm

# Set for a child whose standard error is a pipe to a parent that has a terminal.
TERMINAL_BEHIND_PIPE = "PROGRESS_ON_STDERR"


def wanted() -> bool:
    return sys.stderr.isatty() or TERMINAL_BEHIND_PIPE in os.environ


@contextlib.contextmanager
def bar(steps: int, description: str) -> Iterator[Callable[[], object]]:
    """Yield what to call after each step. The bar vanishes at the end."""
    with tqdm(total=steps, desc=description, unit="step", disable=not wanted(), leave=False, ncols=80) as progress:
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
