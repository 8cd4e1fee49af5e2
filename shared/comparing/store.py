"""Run records kept by all that they are a function of: a run that was made is not made again."""

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np

from shared.machine import cpu_name, environment
from shared.output import CACHE, fresh_folder
from shared.paths import ROOT
from shared.record import RUN_JSON, RecordError, read_run
from shared.spec import Spec

FOLDER = CACHE / "runs"
# The oldest go first: some 4 MB each.
KEPT = 100


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
    try:
        read_run(FOLDER / key)
    except RecordError:
        shutil.rmtree(FOLDER / key, ignore_errors=True)
        return False
    shutil.copytree(FOLDER / key, folder)
    return True


def keep(key: str, folder: Path) -> None:
    """Keep a copy of the run in `folder`."""
    with fresh_folder(FOLDER / key, marker=RUN_JSON) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
    kept = sorted(
        (path for path in FOLDER.iterdir() if path.suffix != ".partial"), key=lambda path: path.stat().st_ctime
    )
    for old in kept[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
