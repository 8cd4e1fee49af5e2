"""A cache of run records. The key holds everything that a record depends on, so no run is made twice."""

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from shared.configuration import Configuration
from shared.system import cache
from shared.system.machine import cpu_name, environment, gpus
from shared.system.paths import ROOT

KIND = "runs"  # of the cache; some 4 MB each


class Maker(BaseModel):
    """What makes a run, beside its configuration: where it is equal, so are the bits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str  # SHA-256
    libraries: dict[str, str]  # versions
    machine: dict[str, str]  # the kind of machine that it is


def maker(module: str, libraries: dict[str, str], settings: dict[str, str] | None = None) -> Maker:
    """What makes a run of `module` here; with `settings`, in an environment that has these of those that count."""
    machine = {
        "processor": cpu_name(),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "settings": json.dumps(environment() if settings is None else settings),
        "GPUs": json.dumps(gpus()),
    }
    return Maker(code=_code(module), libraries=libraries, machine=machine)


def _code(module: str) -> str:
    """Of only that which makes a run: a change to what judges or shows it leaves the kept runs valid."""
    own = module.replace(".", "/")
    folders = {ROOT / folder for folder in ("shared", "shared/running", "shared/reference", own)}
    code = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        code.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return code.hexdigest()


def key(module: str, configuration: Configuration, *more: str, by: Maker | None = None) -> str:
    """SHA-256 of all that a run depends on: program, configuration, `more` inputs, and what makes it, here or `by`."""
    made_by = (by or maker(module, {})).model_dump()
    described = json.dumps([module, configuration.model_dump(mode="json"), more, made_by])
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
