"""Seconds by phase."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator

from shared.system import progress, trace


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
            with progress.doing(phase), trace.span(phase):
                yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[phase] += elapsed - self._within
            self._within = before + elapsed
