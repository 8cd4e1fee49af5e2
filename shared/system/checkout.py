"""The checkout that this program runs from."""

import functools
import os
import subprocess
import tomllib
from dataclasses import dataclass

from shared.system.paths import ROOT

SECONDS_TO_ANSWER = 10  # of git, on a slow disk


@dataclass(frozen=True)
class Project:
    """What pyproject.toml says of this program."""

    name: str
    version: str
    address: str | None  # where it is kept; None where that is not written down


@functools.cache
def project() -> Project:
    """This program."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = next(iter(told.get("urls", {}).values()), None)
    return Project(told["name"], told["version"], address)


def commit() -> str | None:
    """The commit that is checked out, with "-dirty" where tracked files have changed since; None where git can't tell.

    A folder that was unpacked inside somebody's repository has no commit: that repository's would say nothing of it.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        told = subprocess.run(
            command,
            cwd=ROOT,
            env=own | {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() if told.returncode == 0 else None
