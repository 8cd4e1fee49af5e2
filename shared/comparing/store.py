"""Run records kept by all that they are a function of: a run that was made is not made again."""

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np

from shared.spec import Spec
from shared.system import cache
from shared.system.machine import cpu_name, environment
from shared.system.paths import ROOT

KIND = "runs"  # of the cache; some 4 MB each


def key(module: str, spec: Spec, *more: str) -> str:
    """SHA-256 of a run's program, its spec, what else it was given, its code, the machine, and the outer settings."""
    package = ROOT / module.partition(".")[0]
    code = hashlib.sha256()
    for path in sorted({*(ROOT / "shared").glob("*.py"), *package.glob("*.py")}):
        code.update(path.name.encode() + b"\0" + path.read_bytes())
    machine = [cpu_name(), platform.platform(), platform.python_version(), np.__version__, environment()]
    described = json.dumps([module, spec.model_dump(mode="json"), more, code.hexdigest(), machine])
    return hashlib.sha256(described.encode()).hexdigest()


def fetch(key: str, folder: Path) -> bool:
    """Copy the run of this key to `folder`, which must not exist. Returns whether there is one, and it is whole."""
    kept = cache.find(KIND, key)
    if kept is None:
        return False
    try:
        shutil.copytree(kept, folder)
    except OSError:  # another run has just made room for its own
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def keep(key: str, folder: Path) -> None:
    """Keep a copy of the run in `folder`, where the cache can be written."""

    def copy(entry: Path) -> None:
        for path in folder.iterdir():
            shutil.copy(path, entry)

    cache.kept(KIND, key, copy)
