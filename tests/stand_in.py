"""The reference under a framework's name: a comparison with two of it takes a second or two, and is a comparison.

`compare.py --pytorch-python` and `--tensorflow-python` are given the interpreters that `interpreters` writes. What the
stand-in is told in FAULT, "PyTorch epoch kill parent 9", it does when it tells compare.py that event: so a fault comes
at a known stage, and no test waits for one by sleeping.
"""

import os
import sys
import time

from shared.reference.__main__ import load
from shared.running import runner
from shared.system import ending, progress

MODULES = {"pytorch_impl": "PyTorch", "tensorflow_impl": "TensorFlow"}
SCRIPT = """#!/bin/sh
if [ "$1" = -m ]; then module=$2; shift 2; exec {python} -m tests.stand_in "$module" "$@"; fi
if [ "$1" = -c ]; then echo found; fi
"""


def interpreters(folder):
    """Options of compare.py that make it start the stand-ins."""
    script = folder / "python"
    script.write_text(SCRIPT.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    return ["--pytorch-python", str(script), "--tensorflow-python", str(script)]


def cause(what):
    """Do to this process, or to its parent, what a fault does."""
    match what.split():
        case ["kill", whom, *numbers]:
            for number in numbers:
                os.kill(os.getppid() if whom == "parent" else os.getpid(), int(number))
                time.sleep(0.1 * (len(numbers) > 1))
        case ["raise", "OSError", number]:
            raise OSError(int(number), os.strerror(int(number)), "/full")
        case ["raise", name]:
            raise getattr(__import__("builtins"), name)("on purpose")
        case ["exit", status]:
            os._exit(int(status))


def main(module, *options):
    """Run the reference as this module's framework."""
    framework = MODULES[module]
    who, stage, what = [*os.environ.get("FAULT", "").split(" ", 2), "", "", ""][:3]
    real = progress.tell

    def tell(**event):
        if who == framework and stage in event:
            cause(what)
        real(**event)

    progress.tell = tell
    if who == framework and stage == "start":
        return ending.exit_status(module, lambda: cause(what) or 0)
    return runner.main(framework, load, options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
