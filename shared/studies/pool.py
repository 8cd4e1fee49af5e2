"""Processes that make one run after another, kept from run to run.

To import a framework, to read the data and to compile takes longer than most runs.
"""

import contextlib
import threading
from collections.abc import Collection, Iterator

from shared.comparing.processes import Child

SECONDS_IDLE = 20  # after which a process is ended that nobody needs
# Of one process: TensorFlow keeps what it has compiled for earlier models, some 30 MB each.
MOST_RUNS = 10


class Pool:
    """Processes that make runs. One that has made its run waits for a while for another that needs its kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Child, threading.Timer]] = []  # the longest idle first
        self._busy = 0

    @contextlib.contextmanager
    def process(self, kind: str, command: list[str], without: Collection[str], at_most: int) -> Iterator[Child]:
        """A process of this kind, an idle one or a new one. Of all kinds there are `at_most` so many.

        If the block raises, it is ended.
        """
        with self._lock:
            self._busy += 1
            child = self._take(kind)
            surplus = 0 if child else max(0, self._busy + len(self._idle) - at_most)
            others, self._idle = self._idle[:surplus], self._idle[surplus:]
        try:
            for _, other, timer in others:  # first, for memory may not be enough for more
                timer.cancel()
                other.end()
            child = child or Child("a run", command, lambda _event: None, without)
            try:
                yield child
            except BaseException:
                child.end()
                raise
        finally:
            with self._lock:
                self._busy -= 1
        if child.orders >= MOST_RUNS:
            child.end()
        elif not child.has_ended:
            self._keep(kind, child)

    def _take(self, kind: str) -> Child | None:
        for number, (found, child, timer) in enumerate(self._idle):
            if found == kind and not child.has_ended:  # it may have been killed meanwhile
                timer.cancel()
                del self._idle[number]
                return child
        return None

    def _keep(self, kind: str, child: Child) -> None:
        timer = threading.Timer(SECONDS_IDLE, self.end_idle, [child])
        timer.daemon = True
        with self._lock:
            self._idle.append((kind, child, timer))
        timer.start()

    def end_idle(self, child: Child | None = None) -> None:
        """End this process, if it is idle; without one, all that are."""
        with self._lock:
            ended = [entry for entry in self._idle if child in (None, entry[1])]
            self._idle = [entry for entry in self._idle if entry not in ended]
        for _, idle, timer in ended:
            timer.cancel()
            idle.end()


POOL = Pool()  # of this program, or of this worker of Dask
