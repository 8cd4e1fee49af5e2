"""The runs that a comparison is made of, and making them."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError
from shared.parity import Verdict, judge
from shared.processes import Children
from shared.record import RecordError, Run, read_run
from shared.spec import Spec
from shared.weights import initial_weights, nudge, save_weights

FRAMEWORKS = ("PyTorch", "TensorFlow")
REFEREE = "Referee"
MODULES = {"PyTorch": "pytorch_impl", "TensorFlow": "tensorflow_impl", REFEREE: "shared.referee"}


@dataclass(frozen=True)
class Variant:
    """One way to run a framework."""

    framework: str
    dtype: str
    # Initial weights moved by one unit in the last place.
    nudged: bool = False
    # Every sum added in another order; the referee alone can do it.
    renumbered: bool = False

    @property
    def name(self) -> str:
        changes = " nudged" * self.nudged + " renumbered" * self.renumbered
        return f"{self.framework} {self.dtype}{changes}"

    @property
    def folder(self) -> str:
        return self.name.lower().replace(" ", "-")

    @property
    def module(self) -> str:
        return "shared.renumbered" if self.renumbered else MODULES[self.framework]


def rounding_variants(framework: str, dtype: str) -> list[Variant]:
    """The runs of one framework that differ from its plain run in `dtype` by rounding alone."""
    variants = [Variant(framework, "float64")] if dtype != "float64" else []
    variants.append(Variant(framework, dtype, nudged=True))
    return variants + [Variant(framework, dtype, renumbered=True)] * (framework == REFEREE)


@dataclass(frozen=True)
class Outcome:
    """A comparison's runs and what was made of them."""

    runs: list[Run]
    referee: Run
    rounding: list[Run]
    verdict: Verdict

    @property
    def everyone(self) -> list[Run]:
        return [*self.runs, self.referee]

    @property
    def spec(self) -> Spec:
        return self.runs[0].record.spec

    @property
    def warnings(self) -> list[str]:
        """What a reader of the comparison must know before anything else."""
        kinds = {run.record.framework: run.record.device.type for run in self.runs}
        if len(set(kinds.values())) == 1:
            return []
        where = " and ".join(
            f"{framework} on {'the GPU' if k == 'cuda' else 'the CPU'}" for framework, k in kinds.items()
        )
        return [f"The frameworks ran on different devices: {where}. Their times say nothing about each other."]


def compare(spec: Spec, pythons: Mapping[str, Path], folder: Path) -> Outcome:
    """Run both frameworks, and the referee with its noise floor, and judge."""
    referees = [Variant(REFEREE, spec.dtype), *rounding_variants(REFEREE, spec.dtype)]
    frameworks = [Variant(framework, spec.dtype) for framework in FRAMEWORKS]
    made = make_runs(spec, frameworks + referees, pythons, folder)
    runs = [made[variant] for variant in frameworks]
    referee, *rounding = (made[variant] for variant in referees)
    return Outcome(runs, referee, rounding, judge(runs, referee, rounding))


def _options(variant: Variant, spec: Spec, folder: Path) -> list[str]:
    """The command line of a variant; writes the weights it starts from into `folder` where they are nudged."""
    changes = {"dtype": variant.dtype} | ({"device": "cpu"} if variant.framework == REFEREE else {})
    own = spec.model_copy(update=changes)
    options = [*own.options(), "--out", str(folder / variant.folder)]
    if variant.nudged:
        nudged = folder / f"nudged-{variant.dtype}.safetensors"
        save_weights(nudged, nudge(initial_weights(own)))
        options += ["--weights", str(nudged)]
    return options


def make_runs(spec: Spec, variants: list[Variant], pythons: Mapping[str, Path], folder: Path) -> dict[Variant, Run]:
    """Make every run, each in a process of its own, and read its record.

    The frameworks run one after the other; the referee works beside them where there is a core to spare, quietly.
    Raises InputError where one dies or leaves no whole record, ChildRefusedError where one refuses its input.
    """
    folder.mkdir()
    referees = [v for v in variants if v.framework == REFEREE]
    frameworks = [v for v in variants if v.framework != REFEREE]
    # The pool is left last: the children have been stopped by then, so an interrupt never waits for them.
    with ThreadPoolExecutor(1) as background, Children() as children:

        def run_in_turn(variants: list[Variant]) -> None:
            for variant in variants:
                python = pythons.get(variant.framework, Path(sys.executable))
                options = _options(variant, spec, folder)
                quiet = variant.framework == REFEREE
                children.start(variant.name, python, variant.module, options, quiet=quiet).finish()

        if (os.cpu_count() or 1) > spec.threads:
            beside = background.submit(run_in_turn, referees)
            run_in_turn(frameworks)
            beside.result()
        else:
            run_in_turn(frameworks + referees)
    return {variant: _read(variant, folder) for variant in variants}


def _read(variant: Variant, folder: Path) -> Run:
    try:
        run = read_run(folder / variant.folder)
    except RecordError as error:
        raise InputError(str(error)) from None
    if run.record.framework != variant.framework:
        raise InputError(f"{folder / variant.folder} is a record of {run.record.framework}; run again")
    return run
