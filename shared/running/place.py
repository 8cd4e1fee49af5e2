"""Which worker of how many this process is: told by its launcher, and known before a framework is imported."""

import json
import os
from collections.abc import Callable
from typing import NamedTuple

from shared.configuration import Configuration
from shared.contract import Entry
from shared.options import quoted
from shared.system.errors import InputError, in_one_line

# A worker waits so long for others that must answer. A record of gigabytes is written meanwhile, but no framework is
# installed and no data set is prepared.
SECONDS_TO_ANSWER = 120
# Whoever ends first is the one to name: those who only notice it wait so long before they say so.
SECONDS_TO_NOTICE = 1


class Place(NamedTuple):
    """A worker's place among all."""

    worker: int  # counted from 0, the first
    workers: int

    @property
    def is_first(self) -> bool:
        """Whether it is the one that prints, and writes the record."""
        return self.worker == 0


ALONE = Place(0, 1)


def place_of(configuration: Configuration, entry: Entry) -> Place:
    """The place of this process in a run of this configuration.

    Raises InputError where workers are asked for and no launcher has started them, or where it has started more or
    fewer than were asked for.
    """
    execution = configuration.execution
    if execution.engine != "workers":
        return ALONE
    place = _TOLD[entry.name]()
    if place is None:
        # PyTorch would end with a traceback; TensorFlow would train alone, and so would each of several.
        raise InputError(f"--engine workers: no launcher has started this process; start all with: {entry.launch}")
    if "workers" in execution.model_fields_set and execution.workers != place.workers:
        told = f"--workers {execution.workers}: the launcher has started {place.workers}"
        raise InputError(f"{told}; leave out --workers, or let it start {execution.workers}")
    return place


def _by_torchrun() -> Place | None:
    """As PyTorch's launchers tell it."""
    return _by_two_numbers("RANK", "WORLD_SIZE", "torchrun") if "RANK" in os.environ else None


def _by_two_numbers(worker: str, workers: str, launcher: str) -> Place:
    """As a launcher tells it in two variables."""
    found = [os.environ.get(name, "") for name in (worker, workers)]
    if not all(text.isdecimal() for text in found) or int(found[0]) >= int(found[1]):
        told = f"{worker} {quoted(found[0])} of {workers} {quoted(found[1])}: no worker has such a place"
        raise InputError(f"{told}; let {launcher} set both, or unset them")
    return Place(*map(int, found))


def _by_tf_config() -> Place | None:
    """As TensorFlow's launchers tell it: all addresses, and which of them is this worker's, in one variable."""
    text = os.environ.get("TF_CONFIG")
    if text is None:
        return None
    try:
        told = json.loads(text)
        jobs = {name: len(told["cluster"].get(name, [])) for name in ("chief", "worker")}  # in TensorFlow's order
        kind, index = told["task"]["type"], int(told["task"]["index"])
        if not 0 <= index < jobs[kind]:
            raise ValueError(f"there is no {kind} {index}")  # noqa: TRY301 told with the others
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise InputError(f"TF_CONFIG {quoted(text)}: {in_one_line(error)}; it must be like {example}") from None
    return Place(index + jobs["chief"] * (kind == "worker"), sum(jobs.values()))


def _by_slurm() -> Place | None:
    """As srun tells it to each task of a step, which TensorFlow's resolver reads too."""
    told = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
    return _by_two_numbers(*told, "srun") if {*told} <= os.environ.keys() else None


_TOLD: dict[str, Callable[[], Place | None]] = {
    "PyTorch": _by_torchrun,
    "TensorFlow": lambda: _by_tf_config() or _by_slurm(),
}
