"""When each process did what, where an environment variable names a file for it: `make bench` draws it.

Every process of a comparison adds its own lines to that file, one JSON object each. Without the variable nothing is
written, and a span costs a microsecond.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator

VARIABLE = "TWIN_TRAINING_TRACE"
WHOLE = "all of it"  # the span of a program's main function: what no other span names is shown as that


@contextlib.contextmanager
def span(what: str) -> Iterator[None]:
    """Note when the block began and ended, in seconds since 1970, and how many CPU seconds the process had used."""
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    began = time.time()
    try:
        yield
    finally:
        thread = threading.current_thread() is not threading.main_thread()
        noted = {
            "what": what,
            "began": began,
            "ended": time.time(),
            "cpu": time.process_time(),
            "process": os.getpid(),
            "program": _program(),
            "beside": thread,  # whether another thread than the main one did it
        }
        # One call, at the end of the file: so lines of several processes never mix.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, json.dumps(noted).encode() + b"\n")
            finally:
                os.close(descriptor)


def _program() -> str:
    """The module that runs, or the name of the file."""
    words = sys.orig_argv[1:]
    return words[words.index("-m") + 1] if "-m" in words[:-1] else os.path.basename(sys.argv[0])  # noqa: PTH119
