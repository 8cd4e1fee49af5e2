"""The longest silence of a program whose output goes into pipes: `python -m tests.silence COMMAND …` measures it."""

import selectors
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def longest(command):
    """The seconds of the longest silence, the line before it, and the exit status.

    It counts from the start of the program to its end.
    """
    found, last, before, line = 0.0, time.monotonic(), b"its start", b"its start"
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        selectors.DefaultSelector() as waiting,
    ):
        for pipe in (process.stdout, process.stderr):
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                said = key.fileobj.read1()
                if not said:
                    waiting.unregister(key.fileobj)
                now = time.monotonic()
                if now - last > found:
                    found, before = now - last, line
                last, line = now, said.strip().splitlines()[-1] if said.strip() else line
    return found, before.decode(errors="replace"), process.returncode


if __name__ == "__main__":
    seconds, line, status = longest(sys.argv[1:])
    print(f"longest silence: {seconds:.1f} s, after: {line}; status {status}")
