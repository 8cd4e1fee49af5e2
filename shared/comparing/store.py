"""A cache of run records. The key holds everything that a record depends on, so no run is made twice."""

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np

from shared.configuration import Configuration
from shared.system import cache
from shared.system.machine import cpu_name, environment
from shared.system.paths import ROOT

KIND = "runs"  # of the cache; some 4 MB each


def key(module: str, configuration: Configuration, *more: str) -> str:
    """SHA-256 of all that a run depends on: program, configuration, `more` inputs, code, machine and settings."""
    # Only the code that makes a run: a change to what judges or shows it leaves the kept runs valid.
    own = module.replace(".", "/")
    folders = {ROOT / folder for folder in ("shared", "shared/running", "shared/reference", own)}
    code = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        code.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    machine = [cpu_name(), platform.platform(), platform.python_version(), np.__version__, environment()]
    described = json.dumps([module, configuration.model_dump(mode="json"), more, code.hexdigest(), machine])
    return hashlib.sha256(described.encode()).hexdigest()


def fetch(key: str, folder: Path) -> bool:
    """Copy the run of this key to `folder`, which must not exist. Returns False where there is no whole one."""
    kept = cache.find(KIND, key)
    if kept is None:
        return False
    try:
        shutil.copytree(kept, folder)
    except OSError:  # another process has just removed it, to make room for its own
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def keep(key: str, folder: Path) -> None:
    """Keep a copy of the run in `folder`, where the cache can be written."""

    def copy(entry: Path) -> None:
        for path in folder.iterdir():
            shutil.copy(path, entry)

    cache.kept(KIND, key, copy)
