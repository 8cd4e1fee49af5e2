"""A run on a worker of Dask: made in a process of its own, from the worker's own checkout."""

import functools
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask
from distributed import Worker, get_worker

from shared.comparing.processes import Child, Children, versions
from shared.comparing.store import Maker, maker
from shared.contract import IMPLEMENTATIONS
from shared.running.record import RUN_JSON, RecordError, read_run
from shared.system import machine
from shared.system.errors import InputError
from shared.system.paths import ROOT

SECONDS_BETWEEN_LOOKS = 0.2
ENDING = {"closing", "closed", "failed"}  # states of a worker
# Asking takes half a second: so a worker is started anew after its libraries were.
_versions = functools.cache(versions)


def make(order: Mapping[str, Any]) -> dict[str, Any]:
    """Make the run that `order` describes. Returns its `record` with that text's `sha256`, and its `maker`.

    Where code or libraries are not those of who asks, nothing is made. Raises InputError and CrashError.
    """
    worker = get_worker()
    task = worker.get_current_task()
    worker.log_event(order["topic"], {"begins": task})
    entry, python, settings = IMPLEMENTATIONS[order["framework"]], ROOT / order["python"], _settings()
    here, asked = maker(entry.module, {}, settings), Maker.model_validate(order["maker"])
    if here.code != asked.code:
        raise InputError("this program is of another version there; bring all machines to one, and start it again")
    here = here.model_copy(update={"libraries": _versions(python, entry.packages)})
    _refuse_other_libraries(here.libraries, asked.libraries)
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        out = Path(folder) / "out"
        command = [str(python), "-m", entry.module, *order["options"], "--out", str(out)]
        dasks = machine.environment().keys() - settings.keys()
        child = children.start(order["name"], command, lambda _event: None, without=dasks)
        child.take_turn()
        if not _ends_while_wanted(child, worker, task):
            return {}
        child.finish()
        record = (out / RUN_JSON).read_bytes()
        if order["has_arrays"]:
            _check_arrays(out, order["name"])
    return {"record": record, "sha256": hashlib.sha256(record).hexdigest(), "maker": here.model_dump()}


def _settings() -> dict[str, str]:
    """The settings that can change bits, without those of Dask's nanny, which no user has made."""
    made = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {name: value for name, value in machine.environment().items() if value != str(made.get(name))}


def _refuse_other_libraries(here: Mapping[str, str], asked: Mapping[str, str]) -> None:
    for name, version in asked.items():
        if here.get(name) != version:
            told = f"{name} is {here.get(name)} there, and {version} where it was asked for"
            raise InputError(f"{told}; install requirements/*.txt there, and start the workers again")


def _ends_while_wanted(child: Child, worker: Worker, task: str) -> bool:
    """Wait for the run's end. Returns False where nobody waits for it any more, or the worker ends."""
    while not child.has_ended(SECONDS_BETWEEN_LOOKS):
        known = worker.state.tasks.get(task)
        if known is None or known.state != "executing" or worker.status.name in ENDING:
            return False
    return True


def _check_arrays(out: Path, name: str) -> None:
    """Raise InputError unless the arrays on this disk are those whose checksums the record has."""
    try:
        read_run(out)
    except RecordError as error:
        raise InputError(f"{name}: {error}") from None
