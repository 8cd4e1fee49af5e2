"""Verifies each framework's run while it is made, beside the runs."""

import dataclasses
import shutil
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np

from shared.comparing import checks
from shared.comparing.processes import Event
from shared.comparing.runs import Variant, Watcher, configuration_of, make_runs, read_made
from shared.comparing.verification import EVERY_STEP, Taking, Verification, verify
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS
from shared.running.record import Run, Steps
from shared.system import beside, machine, progress, trace
from shared.system.errors import CrashError, InputError
from shared.system.files import read_safetensors
from shared.system.language import say

VERIFYING = "verifying"  # as a trace names it


class Verifying(Watcher):
    """Passes on to another watcher what it is told, and verifies every plain run of a framework.

    Its segments are taken epoch by epoch while it trains, where there is a core for it.
    """

    def __init__(
        self,
        configuration: Configuration,
        pythons: Mapping[str, Path],
        folder: Path,
        watcher: Watcher,
        *,
        core_to_spare: bool = False,
    ) -> None:
        """`core_to_spare` while a framework trains."""
        self._configuration, self._pythons, self._folder, self._watcher = configuration, pythons, folder, watcher
        self._core_to_spare = core_to_spare
        self._begun: dict[Variant, Taking] = {}
        self._so_far: dict[Variant, dict[str, np.ndarray]] = {}
        self._parts: defaultdict[Variant, list[Future[None]]] = defaultdict(list)
        self._runs: dict[Variant, Future[Verification | None]] = {}
        self._last = self._over = False  # whether the last run has begun, and whether it has ended

    def __enter__(self) -> Self:
        cores, busy = machine.cores(), self._configuration.execution.cores
        # One thread verifies; those of the others take a segment each. All give way to the runs, whose times are told.
        self._queue, self._beside, self._alone = (
            ThreadPoolExecutor(count, initializer=beside.give_way) for count in (1, max(1, cores - busy), cores)
        )
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
        """Pass it on; but take the arrays of an epoch."""
        if "epoch_arrays" not in event:
            self._watcher.hears(variant, event)
            return
        path = Path(event["epoch_arrays"])
        try:
            if self._core_to_spare and self._is_plain(variant):
                self._parts[variant].append(self._queue.submit(self._go_on, variant, read_safetensors(path)))
        except (OSError, ValueError, RuntimeError):
            pass  # the run is over, or all is: what is missing is taken from its record
        finally:
            path.unlink(missing_ok=True)

    @property
    def _threads(self) -> Executor:
        return self._alone if self._over else self._beside

    @staticmethod
    def _is_plain(variant: Variant) -> bool:
        return variant in [Variant(name, variant.dtype) for name in FRAMEWORKS]

    def _begin(self, variant: Variant) -> Taking:
        """What takes the run's segments. The watcher is told how far it is."""
        if variant not in self._begun:
            verified, steps = dataclasses.replace(variant, verified=True), self._configuration.training.steps
            self._watcher.starts(verified, FRAMEWORKS.index(variant.framework) + 1, len(FRAMEWORKS))
            self._begun[variant] = Taking(
                variant.framework,
                lambda done: self._watcher.hears(verified, {"doing": say("Steps"), "done": done, "total": steps}),
            )
        return self._begun[variant]

    def _verified(self, variant: Variant, run: Run, executor: Executor) -> Verification:
        with trace.span(VERIFYING):
            found = verify(run, executor, self._begin(variant))
        self._watcher.ends(dataclasses.replace(variant, verified=True))
        return found

    def _go_on(self, variant: Variant, arrays: dict[str, np.ndarray]) -> None:
        """Take the segments that an epoch's arrays complete. Where one is missing, the record has the rest later."""
        so_far = self._so_far.setdefault(variant, {})
        losses = [each["step_losses"] for each in (so_far, arrays) if each]
        next_step = sum(map(len, losses[:-1]))
        if not any(name.startswith(f"at/{next_step}/") for name in arrays):
            return
        so_far |= arrays | {"step_losses": np.concatenate(losses)}
        if all(np.isfinite(values).all() for values in so_far.values()):
            training = configuration_of(variant, self._configuration).training
            with trace.span(VERIFYING):
                self._begin(variant).go_on(Steps(training, variant.checkpoint_steps, so_far, {}), self._threads)

    def ends(self, variant: Variant) -> None:
        """Verify the run, if it is a framework's own."""
        self._watcher.ends(variant)
        self._over = self._last
        if self._is_plain(variant):
            self._runs[variant] = self._queue.submit(self._verify, variant)

    def _verify(self, variant: Variant) -> Verification | None:
        for part in self._parts[variant]:  # done: they were queued before this
            part.result()
        run = read_made(variant, configuration_of(variant, self._configuration), self._folder)
        if checks.not_finite(run):
            return None
        return self._verified(variant, run, self._threads)

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
            made = make_runs(self._configuration, [closer], self._pythons, self._folder, watcher=self)
            run = read_made(variant, configuration_of(variant, self._configuration), self._folder)
        except (InputError, CrashError) as error:
            progress.notice(say("{run} was not looked at closer: {error}", run=variant.name, error=error))
            return first
        finally:
            shutil.rmtree(self._folder / closer.folder, ignore_errors=True)  # some 260 MB
        return self._verified(closer, made[closer], self._alone).repeats(run, made[closer])
