"""Many runs of which only the figures are kept: as many at once as there are cores, and none made twice."""

import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pydantic import FiniteFloat, ValidationError

from shared.comparing import store
from shared.comparing.processes import Children, versions
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.running import footprint
from shared.running.record import RUN_JSON, RunRecord, StockRecord, Strict
from shared.system import cache, machine, progress
from shared.system.errors import InputError

KIND, FILE = "figures", "figures.json"  # of the cache, and in an entry
Job = tuple[str, Configuration]  # an implementation's name, and what it is told


class Figures(Strict):
    """The figures of a run; losses are lists over its epochs. A stock run has only the loss that it prints."""

    losses: list[FiniteFloat]
    losses_per_example: list[FiniteFloat] | None
    accuracy: FiniteFloat  # on the test set, after the last epoch


def figures(jobs: Sequence[Job], pythons: Mapping[str, Path], description: str) -> dict[Job, Figures]:
    """The figures of every job, made or taken from the cache.

    Raises InputError where a run dies or its loss is not finite. What is done by then is kept.
    """
    keys = _keys(jobs, pythons)
    found = {job: kept for job in keys if (kept := _kept(keys[job]))}
    missing = [job for job in keys if job not in found]
    for framework, configuration in missing:
        footprint.refuse_what_does_not_fit(configuration, functools.partial(footprint.memory_needed, name=framework))
    workers = min((_at_once(*job) for job in missing), default=1)
    if missing:
        notice = f"{len(missing)} runs to make, {len(found)} kept from earlier; if interrupted, it continues from there"
        progress.notice(notice)
    # The pool is closed last, when the children have been stopped: so an interrupt never waits for them.
    with (
        ThreadPoolExecutor(workers) as pool,
        Children() as children,
        progress.bar(len(missing), description) as advance,
    ):
        made = {pool.submit(_make, job, pythons[job[0]], children, keys[job]): job for job in missing}
        try:
            for future in as_completed(made):
                found[made[future]] = future.result()
                advance(1)
        finally:
            for future in made:
                future.cancel()
    return found


def _keys(jobs: Sequence[Job], pythons: Mapping[str, Path]) -> dict[Job, str]:
    """The cache key of each job's figures: everything that they depend on, also the GPUs that a run could choose."""
    libraries = {name: json.dumps(versions(python, IMPLEMENTATIONS[name].packages)) for name, python in pythons.items()}
    return {job: store.key(IMPLEMENTATIONS[job[0]].module, job[1], libraries[job[0]], *machine.gpus()) for job in jobs}


def _at_once(framework: str, configuration: Configuration) -> int:
    """How many such runs can go on at the same time: one on a GPU, else as many as cores and memory allow."""
    if IMPLEMENTATIONS[framework].uses_gpu and configuration.execution.device != "cpu" and machine.gpus():
        return 1
    return max(
        1,
        min(
            machine.cores() // configuration.execution.threads,
            machine.memory() // footprint.memory_needed(configuration, framework),
        ),
    )


def _make(job: Job, python: Path, children: Children, key: str) -> Figures:
    """Make the run, and keep its figures."""
    framework, configuration = job
    name = f"{framework}, {configuration.training.mode}, seed {configuration.training.seed}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [str(python), "-m", IMPLEMENTATIONS[framework].module, *configuration.options(), "--out", str(out)]
        child = children.start(name, command, lambda _event: None)
        child.take_turn()
        child.finish()
        text = (out / RUN_JSON).read_text(encoding="utf-8")
    try:
        made = _from_record(configuration, text)
    except ValidationError:
        raise InputError(f"{name}: a loss is not finite; lower --learning-rate") from None
    text = made.model_dump_json() + "\n"
    cache.kept(KIND, key, lambda entry: (entry / FILE).write_text(text, encoding="utf-8"))
    return made


def _from_record(configuration: Configuration, text: str) -> Figures:
    if configuration.training.mode == "stock":
        stock = StockRecord.model_validate_json(text)
        return Figures(losses=stock.printed_losses, losses_per_example=None, accuracy=stock.test_accuracy)
    epochs = RunRecord.model_validate_json(text).epochs
    return Figures(
        losses=[epoch.train_loss for epoch in epochs],
        losses_per_example=[epoch.train_loss_per_example for epoch in epochs],
        accuracy=epochs[-1].test_accuracy,
    )


def _kept(key: str) -> Figures | None:
    entry = cache.find(KIND, key)
    if entry is None:
        return None
    try:
        return Figures.model_validate_json((entry / FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
