"""Seconds by phase."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator

from shared.system import progress, trace
from shared.system.language import say

# As they are said while they last.
PHASES: dict[str, str] = {
    phase: phase
    for phase in (say("import"), say("data"), say("compile"), say("training"), say("evaluation"), say("record"))
}


class Clock:
    """Adds up wall-clock seconds by the name of a phase. While one phase runs within another, the outer one stops."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._within = 0.0  # seconds of the phases within the current one

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start, before = time.perf_counter(), self._within
        self._within = 0.0
        try:
            with progress.doing(PHASES.get(phase, phase)), trace.span(phase):
                yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[phase] += elapsed - self._within
            self._within = before + elapsed
