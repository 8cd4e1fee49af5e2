"""The same command in the environment that `make setup` has made, where this Python can't run it.

A system's own Python is often an old one: this file, and those that lead to it, can be read by any from 3.8 on.
"""

import os
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parents[2]


def go_on() -> None:
    """Replace this process with the same command in .venv; return where there is none, or this is its Python."""
    if sys.argv[0] == "-m":  # a package is being looked for, whose name is not known yet
        return
    spec = sys.modules["__main__"].__spec__
    module = spec.name.replace(".__main__", "") if spec else ""
    folder = ROOT / ".venv" / ("tensorflow" if module.startswith("tensorflow_impl") else "pytorch")
    python = str(folder / "bin" / "python")
    if os.access(python, os.X_OK) and Path(sys.prefix).resolve() != folder.resolve():
        os.execv(python, [python, *(["-m", module] if module else sys.argv[:1]), *sys.argv[1:]])  # noqa: S606 this very program


def as_called() -> str:
    """This Python as a user calls it from here: a path below the working directory as the way from there.

    A report prints it in its commands, which so run as they stand.
    """
    return sys.orig_argv[0].removeprefix(f"{Path.cwd()}{os.sep}")


def leave_an_old_one() -> None:
    """Go on in .venv where this Python is too old. Exits with status 2 where there is none."""
    if sys.version_info < OLDEST:
        go_on()
        found, oldest = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
        cure = "run 'make setup', and use the Python in .venv/pytorch or .venv/tensorflow"
        sys.stderr.write(f"Python {found} is too old: {oldest} or later is needed; {cure}\n")
        sys.exit(2)
