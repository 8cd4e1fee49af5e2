"""The runs of a comparison: which there are, and how they are made."""

import functools
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.comparing import store
from shared.comparing.processes import Child, Children, Event
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS, REFERENCE
from shared.network import initial_weights, perturb
from shared.running.record import CHECKPOINT_STEPS, FEWEST_CHECKPOINT_STEPS, RecordError, Run, read_run
from shared.system import machine, progress, trace
from shared.system.errors import InputError
from shared.system.files import save_tensors
from shared.system.language import join, say

LAUNCHER = "shared.running.workers"  # starts either framework's workers: it says why it ends, and when


@dataclass(frozen=True)
class Variant:
    """One way to run a framework."""

    framework: str
    dtype: str
    perturbed: bool = False  # initial weights moved by 1 ulp
    reordered: bool = False  # every sum added in another order, which only the reference can do
    repeated: bool = False  # the same run again
    alone: bool = False  # by one process, where the plain run has workers
    closer: bool = False  # with checkpoints closer together
    verified: bool = False  # not made, but taken again by the reference

    @property
    def name(self) -> str:
        return join(" ", [self.framework, self.way])

    @property
    def way(self) -> str:
        """What tells it from the other runs of its framework."""
        changes = {
            say("perturbed"): self.perturbed,
            say("reordered"): self.reordered,
            say("repeated"): self.repeated,
            say("in one process"): self.alone,
            say("looked at closer"): self.closer,
        }
        way = join(" ", [self.dtype, *(change for change, made in changes.items() if made)])
        return say("{way}, verified", way=way) if self.verified else way

    @property
    def folder(self) -> str:
        return self.name.lower().replace(" ", "-")

    @property
    def checkpoint_steps(self) -> int | None:
        """How far apart its checkpoints are; None where it has none: only a framework's own run is verified."""
        if self.framework == REFERENCE or self.perturbed or self.alone:
            return None
        return FEWEST_CHECKPOINT_STEPS if self.closer else CHECKPOINT_STEPS

    @property
    def module(self) -> str:
        return "shared.reference.reordered" if self.reordered else IMPLEMENTATIONS[self.framework].module


def rounding_variants(framework: str, dtype: str) -> list[Variant]:
    """The runs of one framework that differ from its plain run in `dtype` by rounding alone."""
    variants = [Variant(framework, "float64")] if dtype != "float64" else []
    variants.append(Variant(framework, dtype, perturbed=True))
    return variants + [Variant(framework, dtype, reordered=True)] * (framework == REFERENCE)


def configuration_of(variant: Variant, configuration: Configuration) -> Configuration:
    """The configuration of a variant's run, in a comparison of this configuration."""
    on_a_cpu = {} if IMPLEMENTATIONS[variant.framework].uses_gpu else {"device": "cpu", "engine": "auto", "workers": 1}
    alone = {"engine": "eager", "workers": 1} if variant.alone else {}
    return configuration.but(dtype=variant.dtype, **on_a_cpu, **alone)


def _options(variant: Variant, configuration: Configuration, folder: Path) -> list[str]:
    """The command line of a variant; writes the weights it starts from into `folder` where they are perturbed."""
    own = configuration_of(variant, configuration)
    options = [*own.options(), "--out", str(folder / variant.folder)]
    if variant.perturbed:
        perturbed = folder / f"{variant.folder}.safetensors"
        weights = initial_weights(own.training, own.training.defaults_of(variant.framework))
        save_tensors(perturbed, perturb(weights))
        options += ["--weights", str(perturbed)]
    if variant.checkpoint_steps is not None:
        options += ["--checkpoints", str(variant.checkpoint_steps)]
    return options


class Watcher:
    """Is told how far the runs are. This one does nothing with it."""

    def starts(self, variant: Variant, number: int, count: int) -> None:
        """The turn of a run has come, the `number`-th of `count`."""

    def hears(self, variant: Variant, event: Event) -> None:
        """A run has told something: `line`, `notice`, `epoch`, or `doing`, `done` and `total`."""

    def ends(self, variant: Variant) -> None:
        """The run is over."""


class Printer(Watcher):
    """Passes on the frameworks' notices, and with `lines` also what they print; for a screen that is no terminal."""

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines
        self._doing: dict[Variant, progress.Doing] = {}

    def starts(self, variant: Variant, number: int, count: int) -> None:
        """Say nothing, unless it takes long."""
        super().starts(variant, number, count)
        self._doing[variant] = progress.begin(say("{what} starts", what=variant.name))

    def hears(self, variant: Variant, event: Event) -> None:
        """Print it, unless it is the reference's; and keep in mind how far it is."""
        if "doing" in event and variant in self._doing:
            what = say("{run}, {doing}", run=variant.name, doing=event["doing"])
            if self._doing[variant].what != what:
                progress.end(self._doing[variant])
                self._doing[variant] = progress.begin(what, event["total"])
            self._doing[variant].done = event["done"]
        if variant.framework == REFERENCE:
            return
        if "line" in event and self._lines and not variant.alone:
            print(event["line"], flush=True)
        if "notice" in event:
            progress.notice(event["notice"])

    def ends(self, variant: Variant) -> None:
        """Say nothing."""
        super().ends(variant)
        progress.end(self._doing.pop(variant))


class Announcer(Printer):
    """Prints a line for each run, and the frameworks' notices."""

    def __init__(self) -> None:
        super().__init__(lines=False)

    def starts(self, variant: Variant, number: int, count: int) -> None:
        """Say which run it is."""
        super().starts(variant, number, count)
        if not variant.verified:
            progress.notice(join(" ", (f"[{number}/{count}]", variant.name)))


def make_runs(
    configuration: Configuration,
    variants: Sequence[Variant],
    pythons: Mapping[str, Path],
    folder: Path,
    *,
    watcher: Watcher,
    side_by_side: bool = False,
) -> dict[Variant, Run]:
    """Make every run, each in a process of its own, and read its record.

    The frameworks train one after the other, or all at once `side_by_side`. Where there is a core to spare, the next
    framework makes itself ready on it, and then the reference works there; runs of it that were made on this machine
    before are taken from the cache. Raises InputError where a run dies, refuses its input or leaves no whole record.
    """
    folder.mkdir(exist_ok=True)
    frameworks = [variant for variant in variants if variant.framework != REFERENCE]
    references = [variant for variant in variants if variant.framework == REFERENCE]
    keys = {variant: _key(variant, configuration) for variant in references if not variant.repeated}
    missing = [v for v in references if v not in keys or not store.fetch(keys[v], folder / v.folder)]
    free = threading.Event()  # whether there is a core for the reference
    # The pool is closed last, when the children have been stopped: so an interrupt never waits for them.
    with ThreadPoolExecutor(1) as background, Children() as children:

        def hears(variant: Variant, event: Event) -> None:
            if "waits" in event:
                free.set()
            else:
                watcher.hears(variant, event)

        def start(variant: Variant) -> Child:
            python = pythons.get(variant.framework, Path(sys.executable))
            command = [str(python), "-m", variant.module, *_options(variant, configuration, folder)]
            execution = configuration_of(variant, configuration).execution
            if execution.engine == "workers":
                command = [str(python), "-m", LAUNCHER, str(execution.workers), *command]
            return children.start(variant.name, command, functools.partial(hears, variant))

        def work_beside() -> None:
            free.wait()
            _run_in_turn(missing, start, watcher, ahead=0)

        spare = machine.cores() - configuration.execution.cores
        # Started ahead of their turn, the workers would wait for each other, which they do for some minutes only.
        ahead = int(spare > 0 and configuration.execution.engine != "workers")
        if spare < bool(missing):
            _run_in_turn([*frameworks, *missing], start, watcher, ahead=0)
        elif side_by_side:
            _run_at_once(frameworks, start, watcher)
            _run_in_turn(missing, start, watcher, ahead=0)  # while the frameworks train there is no core for it
        else:
            if spare > ahead or len(frameworks) <= ahead:
                free.set()
            try:
                beside = background.submit(work_beside)
                _run_in_turn(frameworks, start, watcher, ahead=ahead, free=free)
            finally:
                free.set()
            beside.result()
    with trace.span("reading records"):
        made = {variant: read_made(variant, configuration_of(variant, configuration), folder) for variant in variants}
    for variant in keys.keys() & set(missing):
        store.keep(keys[variant], folder / variant.folder)
    return made


def _run_in_turn(
    variants: Sequence[Variant],
    start: Callable[[Variant], Child],
    watcher: Watcher,
    *,
    ahead: int,
    free: threading.Event | None = None,
) -> None:
    """One after the other, so many started `ahead` of their turn: importing a framework takes longer than training.

    `free` is set when the first has ended.
    """
    started: list[Child] = []
    for number, variant in enumerate(variants, start=1):
        started += [start(v) for v in variants[len(started) : number]]
        watcher.starts(variant, number, len(variants))
        started[number - 1].take_turn()
        started += [start(v) for v in variants[len(started) : number + ahead]]
        started[number - 1].finish()
        if free:
            free.set()
        watcher.ends(variant)


def _run_at_once(variants: Sequence[Variant], start: Callable[[Variant], Child], watcher: Watcher) -> None:
    started = [start(variant) for variant in variants]
    for number, (variant, child) in enumerate(zip(variants, started, strict=True), start=1):
        watcher.starts(variant, number, len(variants))
        child.take_turn()
    for variant, child in zip(variants, started, strict=True):
        child.finish()
        watcher.ends(variant)


def _key(variant: Variant, configuration: Configuration) -> str:
    return store.key(variant.module, configuration_of(variant, configuration), "perturbed" * variant.perturbed)


def read_made(variant: Variant, configuration: Configuration, folder: Path) -> Run:
    """The record of a variant in `folder`. Raises InputError where it is not whole, or another run's."""
    try:
        run = read_run(folder / variant.folder)
    except RecordError as error:
        raise InputError(str(error)) from None
    told = run.record.framework, run.record.configuration, run.record.checkpoint_steps
    if told != (variant.framework, configuration, variant.checkpoint_steps):
        raise InputError(f"{folder / variant.folder} is a record of another run than {variant.name}; run again")
    return run
