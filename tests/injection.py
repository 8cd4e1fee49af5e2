"""Runs programs with one fault in each: `python -m tests.injection` takes orders, a JSON object a line.

The programs are loaded once, and every run is a fork of that: a run with a fault costs what it does and no more. An
order names a function of the program and what happens when it is called for the n-th time. Its run is a session of its
own, so that whoever gave the order can see whether all of its processes have ended.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import threading

import compare
from shared.comparing.verification import datasets
from shared.reference.__main__ import load
from shared.running import runner
from shared.system import ending
from tests import stand_in

# What a run imports late is there before it is forked, as the rest is.
for late in ("compat.proto.event_pb2", "compat.proto.summary_pb2", "summary.writer.record_writer"):
    importlib.import_module(f"tensorboard.{late}")
importlib.import_module("shared.reporting.report")

PROGRAMS = {
    "compare.py": lambda options: ending.exit_status("compare.py", lambda: run_compare(options)),
    "reference": lambda options: runner.main("Reference", load, options),
}


def run_compare(options):
    sys.argv = ["compare.py", *options]
    return compare.main()


def find_code(name):
    """The code of a function, "shared.system.output:fresh_folder"."""
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found.__code__


def inject(function, call, what):
    """Let `what` happen when the function is called for the `call`-th time."""
    code, calls = find_code(function), 0

    def watch(frame, event, _argument):
        nonlocal calls
        if event == "call" and frame.f_code is code:
            calls += 1
            if calls == call:
                sys.setprofile(None)
                threading.setprofile(None)
                stand_in.cause(what)

    threading.setprofile(watch)
    sys.setprofile(watch)


def obey(order):
    """In a process of its own: run the program as the order says; never returns."""
    os.setsid()
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # to which a shell's jobs in the background are deaf
    status = 99
    with contextlib.suppress(BaseException):
        for number, path in enumerate(("/dev/null", order["stdout"], order["stderr"])):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.update(order["environment"])
        if order["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)
        if order["fault"]:
            inject(*order["fault"])
        status = PROGRAMS[order["program"]](order["options"])
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def main():
    datasets("float32")  # with which a comparison verifies: forks share them
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            obey(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"session": pid, "status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
