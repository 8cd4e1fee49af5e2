"""Verifies each framework's run as soon as it is made, beside the runs that still go on."""

import dataclasses
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from shared.comparing import checks
from shared.comparing.processes import Event
from shared.comparing.runs import Variant, Watcher, configuration_of, make_runs, read_made
from shared.comparing.verification import EVERY_STEP, Verification, verify
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS
from shared.system import machine, progress
from shared.system.errors import CrashError, InputError


class Verifying(Watcher):
    """Passes on to another watcher what it is told, and verifies every plain run of a framework that ends."""

    def __init__(
        self, configuration: Configuration, pythons: Mapping[str, Path], folder: Path, watcher: Watcher
    ) -> None:
        self._configuration, self._pythons, self._folder, self._watcher = configuration, pythons, folder, watcher
        self._runs: dict[Variant, Future[Verification | None]] = {}
        self._last = False  # whether no other run is to come

    def __enter__(self) -> Self:
        cores, threads = machine.cores(), self._configuration.execution.threads
        self._queue = ThreadPoolExecutor(1)
        # Each thread takes a segment.
        self._beside, self._alone = ThreadPoolExecutor(max(1, cores - threads)), ThreadPoolExecutor(cores)
        return self

    def __exit__(self, *exception: object) -> None:
        for executor in (self._queue, self._beside, self._alone):
            executor.shutdown(cancel_futures=True)

    def starts(self, variant: Variant, number: int, count: int) -> None:
        """Pass it on."""
        self._watcher.starts(variant, number, count)
        if variant.framework in FRAMEWORKS:
            self._last = number == count

    def hears(self, variant: Variant, event: Event) -> None:
        """Pass it on."""
        self._watcher.hears(variant, event)

    def ends(self, variant: Variant) -> None:
        """Verify the run, if it is a framework's own."""
        self._watcher.ends(variant)
        if variant in [Variant(name, variant.dtype) for name in FRAMEWORKS]:
            self._runs[variant] = self._queue.submit(self._verify, variant)

    def _verify(self, variant: Variant) -> Verification | None:
        run = read_made(variant, configuration_of(variant, self._configuration), self._folder)
        if checks.not_finite(run):
            return None
        return verify(run, self._alone if self._last else self._beside)

    def finish(self, dtype: str) -> dict[str, Verification]:
        """The verifications of the frameworks' runs in `dtype`; of those alone whose numbers are finite."""
        found = {}
        for variant in (Variant(name, dtype) for name in FRAMEWORKS):
            verification = self._runs[variant].result()
            if verification and not all(finding.passes for finding in verification.checks[EVERY_STEP]):
                verification = self._closer(variant, verification)
            if verification:
                found[variant.framework] = verification
        return found

    def _closer(self, variant: Variant, first: Verification) -> Verification:
        """The verification of the same run with checkpoints close together, which tells where it goes wrong.

        Where training itself enlarges rounding, only so can it be judged. `first` is what was found without; it stands
        where the run can't be made again.
        """
        closer = dataclasses.replace(variant, closer=True)
        try:
            made = make_runs(self._configuration, [closer], self._pythons, self._folder, watcher=self._watcher)
            run = read_made(variant, configuration_of(variant, self._configuration), self._folder)
        except (InputError, CrashError) as error:
            progress.notice(f"{variant.name} was not looked at closer: {error}")
            return first
        finally:
            shutil.rmtree(self._folder / closer.folder, ignore_errors=True)  # some 260 MB
        return verify(made[closer], self._alone).repeats(run, made[closer])
