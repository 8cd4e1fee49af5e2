"""Many runs of which only the figures are kept: Dask makes them, as many at once as there is room for, none twice."""

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import FiniteFloat, ValidationError

from shared.comparing import store
from shared.comparing.processes import versions
from shared.comparing.store import Maker
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.running import footprint
from shared.running.record import RunRecord, StockRecord, Strict
from shared.studies import cluster
from shared.system import cache, machine, progress
from shared.system.errors import InputError
from shared.system.language import join, say
from shared.system.paths import ROOT

if TYPE_CHECKING:
    from distributed import Client

KIND, FILE = "figures", "figures.json"  # of the cache, and in an entry
NAMES_SHOWN = 4  # of runs that are under way
Job = tuple[str, Configuration]  # an implementation's name, and what it is told


class Figures(Strict):
    """The figures of a run; losses are lists over its epochs. A stock run has only the loss that it prints."""

    losses: list[FiniteFloat]
    losses_per_example: list[FiniteFloat] | None
    accuracy: FiniteFloat  # on the test set, after the last epoch
    files: dict[str, str]  # SHA-256 of its weights and arrays; a stock run has none
    machine: dict[str, str]  # the kind of machine that made it


def figures(
    jobs: Sequence[Job], pythons: Mapping[str, Path], description: str, scheduler: str | None = None
) -> dict[Job, Figures]:
    """The figures of every job, taken from the cache, or made: here, or by the workers of a Dask `scheduler`.

    Raises InputError where a run dies or its loss is not finite. What is done by then is kept.
    """
    makers = _makers(pythons)
    found = {job: kept for job in jobs if (kept := _find(job, makers[job[0]], anywhere=scheduler is not None))}
    # Those of one framework after each other, the slow ones first, and those that compile the same together.
    missing = sorted((job for job in dict.fromkeys(jobs) if job not in found), key=_kind)
    if not missing:
        return found
    with _engine(missing, scheduler) as client:
        notice = say(
            "{n} runs to make, {kept} kept from earlier; if interrupted, it continues from there",
            n=len(missing),
            kept=len(found),
        )
        progress.notice(notice)
        orders = [_order(job, pythons[job[0]], makers[job[0]]) for job in missing]
        others: set[str] = set()  # kinds of machines
        is_first = True
        with (
            progress.bar(len(missing), description) as bar,
            cluster.Errands(client, scheduler, orders) as errands,
        ):
            for number, answer in errands.answers():
                if answer is not None:
                    job = missing[number]
                    found[job] = _take(job, answer, makers[job[0]], others)
                    bar(1)
                _tell(bar, description, [orders[number]["name"] for number in errands.under_way], errands.seconds_left)
                if answer is not None and is_first and errands.seconds_left:
                    left = progress.in_words(errands.seconds_left)
                    progress.notice(say("the first run is over; about {time} left", time=left))
                    is_first = False
    return found


def _tell(bar: progress.Bar, description: str, names: Sequence[str], seconds_left: float | None) -> None:
    """Show which runs are under way, and how long all will take."""
    shown, more = join(say("; "), names[:NAMES_SHOWN]), len(names) - NAMES_SHOWN
    if more > 0:
        shown = say("{names} and {n} more", names=shown, n=more)
    bar.describe(say("{what} ({names})", what=description, names=shown) if names else description, seconds_left)


def _makers(pythons: Mapping[str, Path]) -> dict[str, Maker]:
    """What makes each implementation's runs here: also the GPUs that a run could choose."""
    entries = {name: IMPLEMENTATIONS[name] for name in pythons}
    return {name: store.maker(entry.module, versions(pythons[name], entry.packages)) for name, entry in entries.items()}


def _key(job: Job, maker: Maker) -> str:
    return store.key(IMPLEMENTATIONS[job[0]].module, job[1], by=maker)


def _anywhere(maker: Maker) -> Maker:
    """The same program and libraries on whatever machine a scheduler has."""
    return maker.model_copy(update={"machine": {}})


def _find(job: Job, maker: Maker, *, anywhere: bool) -> Figures | None:
    """What is kept of a job: made by a machine of this kind, or `anywhere`."""
    return _kept(_key(job, maker)) or (_kept(_key(job, _anywhere(maker))) if anywhere else None)


@contextlib.contextmanager
def _engine(jobs: Sequence[Job], scheduler: str | None) -> Iterator["Client"]:
    """What makes these runs."""
    if scheduler is not None:
        with cluster.there(scheduler) as client:
            cluster.say_what_is_there(client, scheduler)
            yield client
        return
    for framework, configuration in jobs:
        footprint.refuse_what_does_not_fit(configuration, functools.partial(footprint.memory_needed, name=framework))
    with cluster.embedded(min(_at_once(*job) for job in jobs)) as client:
        yield client


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


def _kind(job: Job) -> tuple[str, bool, str]:
    framework, configuration = job
    return framework, configuration.training.mode != "stock", repr(configuration.but(seed=0))


def _named(job: Job) -> str:
    framework, configuration = job
    training = configuration.training
    return say("{framework}, {mode}, seed {seed}", framework=framework, mode=training.mode, seed=training.seed)


def _order(job: Job, python: Path, maker: Maker) -> cluster.Order:
    """What a worker is told. A Python in this checkout is that of the worker's own."""
    framework, configuration = job
    # TensorFlow takes threads and precision once in a process; the rest of the execution is alike for every run too.
    of_a_process = [framework, str(python), configuration.training.dtype, configuration.but(engine="auto").execution]
    return {
        "name": _named(job),
        "process": repr(of_a_process),
        "model": repr(configuration.but(seed=0)),
        "framework": framework,
        "options": configuration.options(),
        "python": str(python.relative_to(ROOT) if python.is_relative_to(ROOT) else python),
        "maker": maker.model_dump(),
        "has_arrays": configuration.training.mode != "stock",
    }


def _take(job: Job, answer: cluster.Answer, asked: Maker, others: set[str]) -> Figures:
    """The figures of a run that has come, which are kept. Says once of each other kind of machine that it is one."""
    name = _named(job)
    record, maker = answer["record"], Maker.model_validate(answer["maker"])
    if hashlib.sha256(record).hexdigest() != answer["sha256"]:
        raise InputError(f"{name}: its record has not come from {answer['worker']} as it was sent; run again")
    try:
        made = _from_record(job, record, maker)
    except ValidationError:
        raise InputError(f"{name}: a loss is not finite; lower --learning-rate") from None
    _keep(_key(job, maker), made)
    if maker.machine != asked.machine:
        _keep(_key(job, _anywhere(maker)), made)
        if (kind := str(maker.machine)) not in others:
            others.add(kind)
            told = say(
                "{worker} is a machine of another kind, whose bits may differ: {what}",
                worker=answer["worker"],
                what=differing(maker.machine, asked.machine),
            )
            progress.notice(told)
    return made


def differing(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """In what two kinds of machines differ, in words."""
    return join(
        say("; "),
        (
            say("{what} {there}, here {here}", what=what, there=there[what], here=here[what])
            for what in here
            if there[what] != here[what]
        ),
    )


def _keep(key: str, made: Figures) -> None:
    text = made.model_dump_json() + "\n"
    cache.kept(KIND, key, lambda entry: (entry / FILE).write_text(text, encoding="utf-8"))


def _from_record(job: Job, text: bytes, maker: Maker) -> Figures:
    """Raises ValidationError for a number that is not finite, and InputError for another run's record."""
    kind = StockRecord if job[1].training.mode == "stock" else RunRecord
    record = kind.model_validate_json(text)
    if (record.framework, record.configuration) != job:
        raise InputError(f"{_named(job)}: a record of another run has come; run again")
    if isinstance(record, StockRecord):
        losses, accuracy = record.printed_losses, record.test_accuracy
        return Figures(losses=losses, losses_per_example=None, accuracy=accuracy, files={}, machine=maker.machine)
    return Figures(
        losses=[epoch.train_loss for epoch in record.epochs],
        losses_per_example=[epoch.train_loss_per_example for epoch in record.epochs],
        accuracy=record.epochs[-1].test_accuracy,
        files=record.files,
        machine=maker.machine,
    )


def _kept(key: str) -> Figures | None:
    entry = cache.find(KIND, key)
    if entry is None:
        return None
    try:
        return Figures.model_validate_json((entry / FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
