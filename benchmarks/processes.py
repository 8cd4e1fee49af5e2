"""Run what is measured in a fresh process of its own, and see from outside how much memory it took."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from shared.system.errors import InputError
from shared.system.paths import ROOT

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of a peak as the system tells it


def run(name: str, command: Sequence[str], **environment: str) -> tuple[str, int]:
    """Run to the end. Returns standard output, and the peak of the resident set in bytes.

    Raises InputError, with the last line on standard error, where it fails.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complained,
    ):
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=said, stderr=complained)
        try:
            # No less than what this process held when it started the child: so it had better be small.
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            complained.seek(0)
            last = (complained.read().strip().splitlines() or ["no words"])[-1]
            cure = "was memory short?" if child.returncode < 0 else f"run it alone: {' '.join(command)}"
            raise InputError(f"{name} ended with status {child.returncode}: {last}; {cure}")
        said.seek(0)
        return said.read(), usage.ru_maxrss * UNIT
