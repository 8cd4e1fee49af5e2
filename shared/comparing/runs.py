"""The runs that comparisons are made of, and making them."""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from shared.comparing import store
from shared.comparing.processes import Child, Children
from shared.network import initial_weights, perturb, save_weights
from shared.running.record import RecordError, Run, read_run
from shared.spec import Spec
from shared.system import machine, progress
from shared.system.errors import InputError

FRAMEWORKS = ("PyTorch", "TensorFlow")
REFERENCE = "Reference"
MODULES = {"PyTorch": "pytorch_impl", "TensorFlow": "tensorflow_impl", REFERENCE: "shared.reference.reference"}


@dataclass(frozen=True)
class Variant:
    """One way to run a framework."""

    framework: str
    dtype: str
    # Initial weights moved by one unit in the last place.
    perturbed: bool = False
    # Every sum added in another order; the reference alone can do it.
    reordered: bool = False
    # The same again.
    repeated: bool = False
    # Keeps what enters the ReLUs at each step before this one.
    traced_until: int = 0

    @property
    def name(self) -> str:
        changes = " perturbed" * self.perturbed + " reordered" * self.reordered + " repeated" * self.repeated
        changes += f" traced until {self.traced_until}" if self.traced_until else ""
        return f"{self.framework} {self.dtype}{changes}"

    @property
    def folder(self) -> str:
        return self.name.lower().replace(" ", "-")

    @property
    def module(self) -> str:
        return "shared.reference.reordered" if self.reordered else MODULES[self.framework]


def rounding_variants(framework: str, dtype: str) -> list[Variant]:
    """The runs of one framework that differ from its plain run in `dtype` by rounding alone."""
    variants = [Variant(framework, "float64")] if dtype != "float64" else []
    variants.append(Variant(framework, dtype, perturbed=True))
    return variants + [Variant(framework, dtype, reordered=True)] * (framework == REFERENCE)


def own_spec(variant: Variant, spec: Spec) -> Spec:
    """The spec of a variant's run in a comparison by `spec`."""
    changes = {"dtype": variant.dtype} | ({"device": "cpu", "engine": "auto"} if variant.framework == REFERENCE else {})
    return spec.model_copy(update=changes)


def _options(variant: Variant, spec: Spec, folder: Path) -> list[str]:
    """The command line of a variant; writes the weights it starts from into `folder` where they are perturbed."""
    own = own_spec(variant, spec)
    options = [*own.options(), "--out", str(folder / variant.folder)]
    if variant.perturbed:
        perturbed = folder / f"{variant.folder}.safetensors"
        save_weights(perturbed, perturb(initial_weights(own, own.defaults_of(variant.framework))))
        options += ["--weights", str(perturbed)]
    if variant.traced_until:
        options += ["--activations-until", str(variant.traced_until)]
    return options


@dataclass
class Watcher:
    """Is told how far the runs are. This one keeps it to itself."""

    passes_on: bool = False  # whether what the frameworks print goes on to standard output
    listens: ClassVar = False  # whether it wants to hear what the runs tell on their way

    def starts(self, variant: Variant, number: int, count: int) -> None:
        """The turn of a run has come, the `number`-th of `count`."""

    def hears(self, variant: Variant, event: dict[str, Any]) -> None:
        """What `progress.tell` told."""

    def ends(self, variant: Variant) -> None:
        """The run is over."""


class Announcer(Watcher):
    """A line for each run."""

    def starts(self, variant: Variant, number: int, count: int) -> None:
        progress.notice(f"[{number}/{count}] {variant.name}")


def make_runs(
    spec: Spec,
    variants: Sequence[Variant],
    pythons: Mapping[str, Path],
    folder: Path,
    *,
    watcher: Watcher,
    side_by_side: bool = False,
) -> dict[Variant, Run]:
    """Make every run, each in a process of its own, and read its record.

    The frameworks train one after the other, or all at once `side_by_side`; the reference works beside them where there
    is a core to spare, quietly, and what it has done on this machine before it does not do again. Raises
    InputError where one dies or leaves no whole record, ChildRefusedError where one refuses its input.
    """
    folder.mkdir(exist_ok=True)
    frameworks = [variant for variant in variants if variant.framework != REFERENCE]
    references = [variant for variant in variants if variant.framework == REFERENCE]
    keys = {variant: _key(variant, spec) for variant in references if not variant.repeated}
    missing = [v for v in references if v not in keys or not store.fetch(keys[v], folder / v.folder)]
    # The pool is left last: the children have been stopped by then, so an interrupt never waits for them.
    with ThreadPoolExecutor(1) as background, Children() as children:

        def start(variant: Variant) -> Child:
            python = pythons.get(variant.framework, Path(sys.executable))
            command = [str(python), "-m", variant.module, *_options(variant, spec, folder)]
            watched = variant.framework != REFERENCE
            heard = watched and watcher.passes_on
            listen = functools.partial(watcher.hears, variant) if watcher.listens else None
            return children.start(variant.name, command, watched=watched, heard=heard, listen=listen)

        spare = machine.cores() - spec.threads - bool(missing)
        if spare < 0:
            _run_in_turn([*frameworks, *missing], start, watcher, ahead=0)
        elif side_by_side:
            _run_at_once(frameworks, start, watcher)
            _run_in_turn(missing, start, watcher, ahead=0)  # a core each for the frameworks, and none for it
        else:
            beside = background.submit(_run_in_turn, missing, start, watcher, ahead=0)
            _run_in_turn(frameworks, start, watcher, ahead=int(spare > 0))
            beside.result()
    made = {variant: read_made(variant, own_spec(variant, spec), folder) for variant in variants}
    for variant in keys.keys() & set(missing):
        store.keep(keys[variant], folder / variant.folder)
    return made


def _run_in_turn(
    variants: Sequence[Variant], start: Callable[[Variant], Child], watcher: Watcher, *, ahead: int
) -> None:
    """With as many started `ahead` of their turn: importing a framework takes longer than training."""
    started: list[Child] = []
    for number, variant in enumerate(variants, start=1):
        started += [start(v) for v in variants[len(started) : number]]
        watcher.starts(variant, number, len(variants))
        started[number - 1].take_turn()
        started += [start(v) for v in variants[len(started) : number + ahead]]
        started[number - 1].finish()
        watcher.ends(variant)


def _run_at_once(variants: Sequence[Variant], start: Callable[[Variant], Child], watcher: Watcher) -> None:
    started = [start(variant) for variant in variants]
    for number, (variant, child) in enumerate(zip(variants, started, strict=True), start=1):
        watcher.starts(variant, number, len(variants))
        child.take_turn()
    for variant, child in zip(variants, started, strict=True):
        child.finish()
        watcher.ends(variant)


def _key(variant: Variant, spec: Spec) -> str:
    return store.key(variant.module, own_spec(variant, spec), "perturbed" * variant.perturbed)


def read_made(variant: Variant, spec: Spec, folder: Path) -> Run:
    """The record of a variant in `folder`. Raises InputError where it is not whole, or is of another run."""
    try:
        run = read_run(folder / variant.folder)
    except RecordError as error:
        raise InputError(str(error)) from None
    if run.record.framework != variant.framework or run.record.spec != spec:
        raise InputError(f"{folder / variant.folder} is a record of another run than {variant.name}; run again")
    return run
