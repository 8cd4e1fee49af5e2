"""What is imported early, late, or not at all; and work that gives way to all else."""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator

from shared.system import trace

NICENESS = 10


def give_way() -> None:
    """Let the thread that calls this run only where a core has nothing else to do; on macOS, the whole process."""
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def refuse_without(*packages: str) -> None:
    """Raise ModuleNotFoundError where one is not installed that is imported later, when work would be lost."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


@contextlib.contextmanager
def without(package: str) -> Iterator[None]:
    """Let a package that is not imported yet seem not to be installed while the block lasts."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment] # so Python's own documents have it
    try:
        yield
    finally:
        del sys.modules[package]


@contextlib.contextmanager
def importing(module: str) -> Iterator[None]:
    """Import a module while the block waits for something else: then it is there when it is needed.

    Where that fails, whoever imports it after the block is told why.
    """

    # At its full priority: a thread that gives way can be stopped while it holds Python's lock, which the others need.
    def work() -> None:
        with contextlib.suppress(Exception), trace.span("import"):
            importlib.import_module(module)

    threading.Thread(target=work, daemon=True).start()
    yield
