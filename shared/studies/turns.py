"""Which run is made next: one that a process at hand can make, rather than one that needs a new process."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import NamedTuple


class Need(NamedTuple):
    """What a run needs: runs of one process are made by one process, those of one model without compiling again."""

    process: str
    model: str


@dataclass
class _Slot:
    """Where one run is made at a time, by one process."""

    number: int | None = None  # of the run
    need: Need | None = None  # of its last run
    since: float = 0.0
    is_first: bool = False  # of its process


class Turns:
    """Runs on their way through so many `slots`."""

    def __init__(self, needs: Sequence[Need], slots: int) -> None:
        self._needs = needs
        self._left = list(range(len(needs)))
        self._slots = [_Slot() for _ in range(slots)]
        self._starts: defaultdict[str, list[float]] = defaultdict(list)  # seconds, by process
        self._runs: defaultdict[Need, list[float]] = defaultdict(list)  # and of each run without its process's start

    def ends(self, number: int, seconds: float) -> None:
        """This run is over, and took so many seconds without what a process does once."""
        slot = next(slot for slot in self._slots if slot.number == number)
        need = self._needs[number]
        self._runs[need].append(seconds)
        if slot.is_first:
            self._starts[need.process].append(time.monotonic() - slot.since - seconds)
        slot.number = None

    def seconds_left(self) -> float | None:
        """How long all that is not over will take, about; None where no run is over."""
        under_way = [slot.number for slot in self._slots if slot.number is not None]
        return self._seconds([*self._left, *under_way]) / len(self._slots) if self._runs else None

    def _seconds(self, numbers: Iterable[int]) -> float:
        """Of these runs, one after another. One of a kind of which none is over is taken to be like those that are."""
        everything = list(chain.from_iterable(self._runs.values()))
        return sum(median(self._runs.get(self._needs[number], everything)) for number in numbers)

    def begin(self) -> list[int]:
        """The numbers of the runs that begin now."""
        begun = []
        for slot in self._slots:
            if slot.number is None and (number := self._choose(slot)) is not None:
                need = self._needs[number]
                self._left.remove(number)
                slot.is_first = slot.need is None or slot.need.process != need.process
                slot.number, slot.need, slot.since = number, need, time.monotonic()
                begun.append(number)
        return begun

    def _choose(self, slot: _Slot) -> int | None:
        """A run for a free slot: of its process, and if possible of its model; else one that is worth a new process."""
        fitting = [number for number in self._left if slot.need and self._needs[number].process == slot.need.process]
        if fitting:
            return next((number for number in fitting if self._needs[number] == slot.need), fitting[0])
        waiting: dict[str, list[int]] = {}
        for number in self._left:
            waiting.setdefault(self._needs[number].process, []).append(number)
        for process in sorted(waiting, key=lambda process: self._served(process) / len(waiting[process])):
            if self._is_worth_a_process(process, waiting[process], is_new=slot.need is None):
                return waiting[process][0]
        return None

    def _served(self, process: str) -> int:
        """How many slots have such a process."""
        return sum(slot.need is not None and slot.need.process == process for slot in self._slots)

    def _is_worth_a_process(self, process: str, waiting: Sequence[int], *, is_new: bool) -> bool:
        """Whether those who wait for such a process would wait longer than for the start of one more."""
        served, starts = self._served(process), self._starts[process]
        if not served or (is_new and not self._runs):
            return True
        if not starts:
            return False  # nobody knows yet
        return self._seconds(waiting) / served > median(starts) + self._seconds(waiting[:1])
