"""The matched pair over many seeds: how far a seed carries a run; are the frameworks equivalent next to that?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

import numpy as np

from shared.comparing import tutorial
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS
from shared.studies.attribution import Estimate, estimate
from shared.studies.equivalence import SHARE, Equivalence, Margin
from shared.studies.sweep import Figures, figures
from shared.system.language import say
from shared.training import Training

FIGURES: tuple[str, str] = (say("accuracy"), say("training loss of the last epoch"))
ACCURACY, LAST_LOSS = FIGURES
FEWEST_SEEDS = 2  # that have a spread
# The standard deviation of each figure over these seeds, in default runs of the first framework:
# benchmarks/seed_spread.json.
MEASURED_SEEDS = range(100, 110)
MEASURED_SPREADS = {ACCURACY: 0.0036, LAST_LOSS: 0.0035}


@dataclass(frozen=True)
class ManySeeds:
    """Runs of every framework, one for each seed."""

    training: Training
    seeds: list[int]
    losses: dict[str, np.ndarray]  # framework -> (seeds, epochs)
    accuracies: dict[str, np.ndarray]  # framework -> (seeds,)
    named_margins: Mapping[str, float]  # figure -> margin, where a user has named one
    machines: dict[str, list[dict[str, str]]]  # framework -> the kind of machine that made each run
    checksums: dict[str, list[dict[str, str]]]  # framework -> SHA-256 of each run's weights and arrays, by file

    def curve(self, framework: str) -> Estimate:
        """Mean loss of each epoch, with its confidence interval."""
        return estimate(self.losses[framework])

    def accuracy(self, framework: str) -> Estimate:
        """Mean final accuracy, with its confidence interval."""
        return estimate(self.accuracies[framework][:, np.newaxis])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Of frameworks; a difference is the second's minus the first's."""
        return list(combinations(self.losses, 2))

    def difference(self, pair: tuple[str, str]) -> Estimate:
        """Of the losses of each epoch."""
        a, b = (self.losses[framework] for framework in pair)
        return estimate(b - a)

    def accuracy_difference(self, pair: tuple[str, str]) -> Estimate:
        """Of the final accuracies."""
        a, b = (self.accuracies[framework] for framework in pair)
        return estimate((b - a)[:, np.newaxis])

    def samples(self, figure: str, framework: str) -> np.ndarray:
        """A figure of each run: (seeds,)."""
        return self.accuracies[framework] if figure == ACCURACY else self.losses[framework][:, -1]

    @property
    def first(self) -> str:
        """The framework by whose runs a margin is measured or estimated."""
        return next(iter(self.losses))

    @property
    def kinds_of_machines(self) -> list[dict[str, str]]:
        """Each kind that made a run, once, that of the first run first."""
        kinds: list[dict[str, str]] = []
        for kind in chain.from_iterable(self.machines.values()):
            if kind not in kinds:
                kinds.append(kind)
        return kinds

    def margin(self, figure: str) -> Margin:
        """As named; else as measured, for what the default run trains; else estimated from these runs."""
        if figure in self.named_margins:
            return Margin(self.named_margins[figure], "named")
        if tutorial.comparable(self.training) and self.training.epochs == Training().epochs:
            return Margin(SHARE * MEASURED_SPREADS[figure], "measured")
        return Margin.estimated(self.samples(figure, self.first))

    def equivalences_of(self, pair: tuple[str, str]) -> list[Equivalence]:
        """One for each figure."""
        found = []
        for figure in FIGURES:
            a, b = (self.samples(figure, framework) for framework in pair)
            found.append(Equivalence(figure, b - a, self.margin(figure)))
        return found

    @property
    def equivalences(self) -> list[Equivalence]:
        return [equivalence for pair in self.pairs for equivalence in self.equivalences_of(pair)]

    @property
    def equivalent(self) -> bool:
        return all(equivalence.holds for equivalence in self.equivalences)

    def tutorials_place(self, framework: str) -> float:
        """How far the tutorial's accuracy lies from the mean of the seeds, in their standard deviations."""
        accuracies = self.accuracies[framework]
        return float((tutorial.ACCURACY - accuracies.mean()) / accuracies.std(ddof=1))


def run_seeds(
    configuration: Configuration,
    count: int,
    pythons: Mapping[str, Path],
    named_margins: Mapping[str, float],
    scheduler: str | None = None,
) -> ManySeeds:
    """Train the matched pair from `count` seeds, the configuration's being the first. Raises InputError."""
    seeds = list(range(configuration.training.seed, configuration.training.seed + count))
    jobs = {(framework, seed): (framework, configuration.but(seed=seed)) for seed in seeds for framework in FRAMEWORKS}
    made = figures(list(jobs.values()), pythons, say("seeds"), scheduler)
    return gather(configuration.training, seeds, {key: made[job] for key, job in jobs.items()}, named_margins)


def gather(
    training: Training,
    seeds: list[int],
    made: Mapping[tuple[str, int], Figures],
    named_margins: Mapping[str, float],
) -> ManySeeds:
    """The figures of each (framework, seed) as arrays."""
    losses = {name: np.array([made[name, seed].losses for seed in seeds]) for name in FRAMEWORKS}
    accuracies = {name: np.array([made[name, seed].accuracy for seed in seeds]) for name in FRAMEWORKS}
    machines = {name: [made[name, seed].machine for seed in seeds] for name in FRAMEWORKS}
    checksums = {name: [made[name, seed].files for seed in seeds] for name in FRAMEWORKS}
    return ManySeeds(training, seeds, losses, accuracies, named_margins, machines, checksums)
