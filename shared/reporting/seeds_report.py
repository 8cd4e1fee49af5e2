"""Pairs over many seeds as a part of a report."""

from itertools import chain

import numpy as np

from shared.comparing import tutorial
from shared.mnist import MNIST
from shared.reporting.charts import ends, padded
from shared.reporting.parts import Chart, Curve, Paragraph, Part, Section, Table
from shared.reporting.styles import style_of
from shared.studies.attribution import CONFIDENCE, Estimate
from shared.studies.equivalence import ALPHA, Equivalence, fewest_pairs, smallest_flip_p_value, spread
from shared.studies.seeds import FEWEST_SEEDS, FIGURES, MEASURED_SEEDS, MEASURED_SPREADS, ManySeeds
from shared.studies.sweep import differing

HOW_TO_READ = (
    "To find no difference would prove nothing. So the question is whether the mean difference over seeds is shown to "
    f"be smaller than a margin, with an error rate of {ALPHA:.0%}, by two one-sided tests of the paired differences: "
    "by Student’s t, which is exact where the differences are normal, and by flipping their signs, which is exact "
    "where they lie symmetrically around their mean. EQUIVALENT needs both, and for every figure. What {seeds} seeds "
    "can tell: t has {freedom}, and flipping signs makes no p below {smallest:.2g}."
)
ORIGINS = {"measured": "", "named": ", as named", "estimated": ", estimated from these runs"}


def section(found: ManySeeds) -> Section:
    """What report.md and the page show of it."""
    count = len(found.seeds)
    freedom = f"{count - 1} degree{'s' * (count > FEWEST_SEEDS)} of freedom"
    sentences = [
        sentence(found),
        f"Mean over the seeds {found.seeds[0]} to {found.seeds[-1]}, ± half the {CONFIDENCE:.0%} confidence interval.",
        HOW_TO_READ.format(seeds=count, freedom=freedom, smallest=smallest_flip_p_value(count)),
        *(_about(found, figure) for figure in FIGURES),
        *_the_same_for_each(found),
        *_other_machines(found),
    ]
    if _as_long_as_the_tutorial(found):
        places = " and ".join(
            f"{found.tutorials_place(name):+.1f} standard deviations ({found.accuracies[name].std(ddof=1):.2%}) from "
            f"{name}’s mean"
            for name in found.losses
        )
        sentences.append(f"The tutorial’s {tutorial.ACCURACY:.2%} lies {places}.")
    parts: list[Part] = [*map(Paragraph, sentences), _losses(found), _accuracies(found), _epochs(found), _tests(found)]
    return Section("seeds", "Many seeds", parts, _results(found))


def _as_long_as_the_tutorial(found: ManySeeds) -> bool:
    """Whether the tutorial's final accuracy may stand beside these."""
    return tutorial.comparable(found.training) and found.training.epochs == len(tutorial.EPOCH_LOSSES)


def _results(found: ManySeeds) -> dict[str, object]:
    return {
        "training": found.training.model_dump(mode="json"),
        "seeds": found.seeds,
        "losses": {name: losses.tolist() for name, losses in found.losses.items()},
        "accuracies": {name: accuracies.tolist() for name, accuracies in found.accuracies.items()},
        "machines": found.kinds_of_machines,
        "checksums": found.checksums,
        "equivalent": found.equivalent,
        "equivalence": {
            figure: {
                "mean_difference": e.mean,
                "margin": e.margin.value,
                "margin_origin": e.margin.origin,
                "alpha": e.margin.alpha,
                "p_value_t": e.t_p_value,
                "p_value_sign_flips": e.flip_p_value,
                "bound": e.bound,
                "holds": e.holds,
            }
            for figure, e in _equivalences(found).items()
        },
    }


def sentence(found: ManySeeds) -> str:
    """The verdict, with its figures."""
    verdict = "EQUIVALENT" if found.equivalent else "NOT SHOWN EQUIVALENT"
    parts = [f"{_minus(pair)}: {'; '.join(map(_within, found.equivalences_of(pair)))}" for pair in found.pairs]
    count, fewest = len(found.seeds), max(fewest_pairs(e.margin.alpha) for e in found.equivalences)
    too_few = f" {count} seeds can’t show it: it takes {fewest} at least, --seeds {fewest}." if count < fewest else ""
    return f"{verdict} over {count} paired seeds, {'; '.join(parts)}.{too_few}"


def _within(e: Equivalence) -> str:
    bound = f"{_level(e)} one-sided bound {e.bound:.1e}" if e.bound is not None else "the same for each seed"
    margin = f"margin {e.margin.value:.1e}{ORIGINS[e.margin.origin]}"
    return f"{e.figure}, mean difference {e.mean:+.1e}, {bound} ({margin})"


def _level(e: Equivalence) -> str:
    return f"{100 * (1 - e.margin.alpha):g}%"


def _about(found: ManySeeds, figure: str) -> str:
    """Where a margin is from."""
    margin = found.margin(figure)
    said = f"Margin of the {figure}: {margin.value:.1e}, "
    if margin.origin == "measured":
        return said + (
            f"fixed before these runs. It is a tenth of {MEASURED_SPREADS[figure]:g}, the standard deviation "
            f"of default runs over the seeds {MEASURED_SEEDS[0]} to {MEASURED_SEEDS[-1]}."
        )
    if margin.origin == "named":
        return said + "named on the command line: fixed beforehand only if who named it had not seen these runs."
    estimated = spread(found.samples(figure, found.first))
    return said + (
        f"not fixed beforehand, but estimated from these runs. {found.first}’s standard deviation over them is "
        f"{estimated.value:.1e}, and could be from {estimated.low:.1e} to {estimated.high:.1e} ({1 - ALPHA:.0%} "
        "interval, exact where runs are normal). The margin is a tenth of the lower end. Half of the error rate goes "
        f"to that estimate: the tests of this figure need p < {margin.alpha:g}."
    )


def _the_same_for_each(found: ManySeeds) -> list[str]:
    """Of figures whose differences don't vary: what that leaves untold."""
    if all(e.varies for e in found.equivalences):
        return []
    return ["Where a difference is the same for each seed, t has no variation to go by; only signs are flipped."]


def _other_machines(found: ManySeeds) -> list[str]:
    """Where the runs were not made on one kind of machine: how many on which other."""
    first, *others = found.kinds_of_machines
    made_on = list(chain.from_iterable(found.machines.values()))
    return [
        f"{made_on.count(kind)} of {len(made_on)} runs were made on a machine of another kind than the first, whose "
        f"bits may differ: {differing(kind, first)}."
        for kind in others
    ]


def _minus(pair: tuple[str, str]) -> str:
    return f"{pair[1]} minus {pair[0]}"


def _equivalences(found: ManySeeds) -> dict[str, Equivalence]:
    """By the figure, and where there are more than two frameworks by the pair."""
    named = {(pair, e.figure): e for pair in found.pairs for e in found.equivalences_of(pair)}
    several = len(found.pairs) > 1
    return {f"{figure}, {_minus(pair)}" if several else figure: e for (pair, figure), e in named.items()}


def _epochs(found: ManySeeds) -> Table:
    curves = list(map(found.curve, found.losses))
    rows = [
        [
            str(epoch + 1),
            *(_loss(curve, epoch) for curve in curves),
            *(_tiny(found.difference(pair), epoch) for pair in found.pairs),
            *(f"{losses[:, epoch].min():.4f} to {losses[:, epoch].max():.4f}" for losses in found.losses.values()),
        ]
        for epoch in range(found.training.epochs)
    ]
    accuracies = [f"{e.mean[0]:.2%} ± {e.half_width[0]:.2%}" for e in map(found.accuracy, found.losses)]
    differences = [_tiny(found.accuracy_difference(pair), 0) for pair in found.pairs]
    reach = [f"{a.min():.2%} to {a.max():.2%}" for a in found.accuracies.values()]
    rows.append(["accuracy", *accuracies, *differences, *reach])
    losses, reaches = ([f"{name}{what}" for name in found.losses] for what in (" loss", ", lowest to highest"))
    between = ["difference"] if len(found.pairs) == 1 else list(map(_minus, found.pairs))
    return Table(["epoch", *losses, *between, *reaches], rows)


def _loss(curve: Estimate, epoch: int) -> str:
    return f"{curve.mean[epoch]:.4f} ± {curve.half_width[epoch]:.4f}"


def _tiny(difference: Estimate, epoch: int) -> str:
    return f"{difference.mean[epoch]:+.1e} ± {difference.half_width[epoch]:.0e}"


def _tests(found: ManySeeds) -> Table:
    rows = []
    for figure, e in _equivalences(found).items():
        held = "yes" if e.holds else "not shown"
        by_t = "–" if e.t_p_value is None else f"{e.t_p_value:.1e}"
        bound = "–" if e.bound is None else f"{e.bound:.1e} ({_level(e)})"
        rows.append([figure, f"{e.mean:+.1e}", bound, f"{e.margin.value:.1e}", by_t, f"{e.flip_p_value:.1e}", held])
    header = ["figure", "mean difference", "one-sided bound", "margin", "p, Student’s t", "p, sign flips", "equivalent"]
    return Table(header, rows)


def _losses(found: ManySeeds) -> Chart:
    """Mean epoch losses, each in the band of its confidence interval."""
    curves = [Curve(name, style_of(name), found.curve(name).mean, found.curve(name).interval) for name in found.losses]
    if tutorial.comparable(found.training):
        printed = padded(tutorial.EPOCH_LOSSES, found.training.epochs)
        curves.append(Curve("the tutorial (one seed)", "tutorial", printed))
    means = {curve.label: curve.values for curve in curves[: len(found.losses)]}
    half_widths = " and ".join(f"{found.curve(name).half_width[-1]:.4f}" for name in found.losses)
    return Chart(
        name="seeds-loss",
        title=f"Training loss, mean over {len(found.seeds)} seeds",
        x_label="epoch",
        y_label="cross-entropy (nats)",
        x=np.arange(1, found.training.epochs + 1),
        curves=curves,
        says=f"{ends(means, '.4f')} Bands: the {CONFIDENCE:.0%} confidence intervals of the means, in the last epoch "
        f"{half_widths} to either side.",
        compared=len(found.losses),
    )


def _accuracies(found: ManySeeds) -> Chart:
    """Final accuracy of each for each seed, and the tutorial's."""
    curves = [Curve(name, style_of(name), found.accuracies[name], joined=False) for name in found.losses]
    everyone = np.concatenate([curve.values for curve in curves])
    says = f"From {everyone.min():.2%} to {everyone.max():.2%}."
    if _as_long_as_the_tutorial(found):
        curves.append(Curve("the tutorial", "level", np.full(len(found.seeds), tutorial.ACCURACY)))
        says += f" The tutorial’s is {tutorial.ACCURACY:.2%}."
    return Chart(
        name="seeds-accuracy",
        title=f"Accuracy on {MNIST.test_images} after the last epoch, seed by seed",
        x_label="seed",
        y_label="test accuracy",
        x=np.array(found.seeds),
        curves=curves,
        says=says,
        scale="percent",
        compared=len(found.losses),
    )
