"""A run on a worker of Dask: made in a process of its own, or of earlier such runs, from the worker's own checkout."""

import functools
import hashlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask
from distributed import Worker, get_worker

from shared.comparing.processes import Child, versions
from shared.comparing.store import Maker, maker
from shared.contract import IMPLEMENTATIONS
from shared.running.record import RUN_JSON, RecordError, read_run
from shared.running.runner import ORDERS
from shared.studies.pool import POOL
from shared.system import machine
from shared.system.errors import InputError
from shared.system.paths import ROOT

SECONDS_BETWEEN_LOOKS = 0.2
ONCE = ("import", "data", "compile")  # phases of a process, not of each of its runs
ENDING = {"closing", "closed", "failed"}  # states of a worker
# Asking takes half a second: so a worker is started anew after its libraries were.
_versions = functools.cache(versions)


def make(order: Mapping[str, Any]) -> dict[str, Any]:
    """Make the run that `order` describes.

    Returns its `record` with that text's `sha256`, its `maker`, and the `seconds` that it took without what its process
    does once.

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
    kind = f"{order['process']} {here.model_dump_json()}"
    command = [str(python), "-m", entry.module, ORDERS]
    dasks = machine.environment().keys() - settings.keys()
    at_most = worker.state.nthreads
    with tempfile.TemporaryDirectory() as folder, POOL.process(kind, command, dasks, at_most) as child:
        out, start = Path(folder) / "out", time.monotonic()
        child.take_order(order["name"], [*order["options"], "--out", str(out)])
        if not _is_made_while_wanted(child, worker, task):
            child.end()
            return {}
        child.finish_order()
        record = (out / RUN_JSON).read_bytes()
        if order["has_arrays"]:
            _check_arrays(out, order["name"])
    seconds = time.monotonic() - start - sum(json.loads(record)["timing"].get(phase, 0) for phase in ONCE)
    made = {"record": record, "sha256": hashlib.sha256(record).hexdigest(), "maker": here.model_dump()}
    return {**made, "seconds": seconds}


def _settings() -> dict[str, str]:
    """The settings that can change bits, without those of Dask's nanny, which no user has made."""
    made = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {name: value for name, value in machine.environment().items() if value != str(made.get(name))}


def _refuse_other_libraries(here: Mapping[str, str], asked: Mapping[str, str]) -> None:
    for name, version in asked.items():
        if here.get(name) != version:
            told = f"{name} is {here.get(name)} there, and {version} where it was asked for"
            raise InputError(f"{told}; install requirements/*.txt there, and start the workers again")


def _is_made_while_wanted(child: Child, worker: Worker, task: str) -> bool:
    """Wait for the run's end. Returns False where nobody waits for it any more, or the worker ends."""
    while not child.has_made(SECONDS_BETWEEN_LOOKS):
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
