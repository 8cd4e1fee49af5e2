"""A process that has loaded what the tests import from outside, and forks for each test: none waits for imports.

It is run by its path, so that nothing of this project is loaded here: each fork loads that from the copy that it tests.
Orders come on standard input and are answered on standard output, a JSON object a line.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

LIBRARIES = (
    "numpy",
    "scipy.stats",
    "pydantic",
    "matplotlib.pyplot",
    "rich.progress",
    "jinja2",
    "psutil",
    "filelock",
    "babel.messages.pofile",
)
TOOLS = ("pytest", "hypothesis", "markdown_it", "playwright.sync_api", "axe_playwright_python.sync_playwright")
FRAMEWORKS = {"PyTorch": ("torch", "torchvision"), "TensorFlow": ("tensorflow", "keras", "tensorflow_datasets")}
HUNG = -1000  # no status of any process


def run_test(order: dict[str, str]) -> None:
    """In a process of its own: run one test in a copy of this project; never returns."""
    os.setsid()
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(said, number)
    os.chdir(order["folder"])
    os.environ["TMPDIR"] = order["temporary"]
    for name in ("CI", "BUILD_NUMBER"):  # by these pytest works out all that differs in two long lists: for minutes
        os.environ.pop(name, None)
    sys.path.insert(0, order["folder"])
    if order["mutated"]:  # what is compiled of a file that is changed and changed back within a second looks the same
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    status = 70
    try:
        import pytest

        temporary = ["--basetemp", f"{order['temporary']}/pytest"]
        loaded = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # Hypothesis is, before pytest could alter it
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *loaded, *temporary]
        status = int(pytest.main([*options, *order["options"], order["test"]]))
    except BaseException:  # noqa: BLE001 it is told, and this process ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(pid: int, seconds: float) -> int:
    """The status of a test; HUNG where it has to be ended."""
    deadline = time.monotonic() + seconds
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
        ended, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # it, and what it has left
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.waitpid(pid, 0)
    return HUNG


def main() -> None:
    sys.path.remove(str(Path(__file__).resolve().parent))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library says while it is loaded is no answer
    for name in (*LIBRARIES, *TOOLS, *FRAMEWORKS[sys.argv[1]]):
        with contextlib.suppress(ModuleNotFoundError):  # the page's tools are in one environment alone
            importlib.import_module(name)
    gc.freeze()  # what is loaded stays: no fork need look through it
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            answers.close()
            run_test(order)
        print(json.dumps(wait(pid, order["seconds"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
