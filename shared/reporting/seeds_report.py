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
from shared.studies.seeds import FIGURES, MEASURED_SEEDS, MEASURED_SPREADS, ManySeeds
from shared.studies.sweep import differing
from shared.system.language import join, say, say_number, sentences

ORIGINS = {"measured": "", "named": say(", as named"), "estimated": say(", estimated from these runs")}


def section(found: ManySeeds) -> Section:
    """What report.md and the page show of it."""
    said = [
        sentence(found),
        say(
            "Mean over the seeds {first} to {last}, ± half the {confidence:.0%} confidence interval.",
            first=found.seeds[0],
            last=found.seeds[-1],
            confidence=CONFIDENCE,
        ),
        _how_to_read(len(found.seeds)),
        *(_about(found, figure) for figure in FIGURES),
        *_the_same_for_each(found),
        *_other_machines(found),
    ]
    if _as_long_as_the_tutorial(found):
        places = (
            say(
                "{distance:+.1f} standard deviations ({deviation:.2%}) from {name}’s mean",
                distance=found.tutorials_place(name),
                deviation=found.accuracies[name].std(ddof=1),
                name=name,
            )
            for name in found.losses
        )
        where = join(say(" and "), places)
        said.append(say("The tutorial’s {accuracy:.2%} lies {places}.", accuracy=tutorial.ACCURACY, places=where))
    parts: list[Part] = [*map(Paragraph, said), _losses(found), _accuracies(found), _epochs(found), _tests(found)]
    return Section("seeds", say("Many seeds"), parts, _results(found))


def _how_to_read(count: int) -> str:
    return say(
        "To find no difference would prove nothing. So the question is whether the mean difference over seeds is shown "
        "to be smaller than a margin, with an error rate of {alpha:.0%}, by two one-sided tests of the paired "
        "differences: by Student’s t, which is exact where the differences are normal, and by flipping their signs, "
        "which is exact where they lie symmetrically around their mean. EQUIVALENT needs both, and for every figure. "
        "What {seeds} seeds can tell: t has {freedom}, and flipping signs makes no p below {smallest:.2g}.",
        alpha=ALPHA,
        seeds=count,
        freedom=say_number("{n} degree of freedom", "{n} degrees of freedom", n=count - 1),
        smallest=smallest_flip_p_value(count),
    )


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
    parts = [
        say("{difference}: {figures}", difference=_minus(pair), figures=join(say("; "), map(_within, of_pair)))
        for pair in found.pairs
        for of_pair in [found.equivalences_of(pair)]
    ]
    count, fewest = len(found.seeds), max(fewest_pairs(e.margin.alpha) for e in found.equivalences)
    told = say(
        "{verdict} over {count} paired seeds, {findings}.",
        verdict=verdict,
        count=count,
        findings=join(say("; "), parts),
    )
    if count >= fewest:
        return told
    too_few = say(
        "{count} seeds can’t show it: it takes {fewest} at least, --seeds {fewest}.", count=count, fewest=fewest
    )
    return sentences(told, too_few)


def _within(e: Equivalence) -> str:
    bound = say("the same for each seed")
    if e.bound is not None:
        bound = say("{level} one-sided bound {bound:.1e}", level=_level(e), bound=e.bound)
    return say(
        "{figure}, mean difference {mean:+.1e}, {bound} (margin {margin:.1e}{origin})",
        figure=e.figure,
        mean=e.mean,
        bound=bound,
        margin=e.margin.value,
        origin=ORIGINS[e.margin.origin],
    )


def _level(e: Equivalence) -> str:
    return f"{100 * (1 - e.margin.alpha):g}%"


def _about(found: ManySeeds, figure: str) -> str:
    """Where a margin is from."""
    margin = found.margin(figure)
    if margin.origin == "measured":
        return say(
            "Margin of the {figure}: {margin:.1e}, fixed before these runs. It is a tenth of {deviation:g}, the "
            "standard deviation of default runs over the seeds {first} to {last}.",
            figure=figure,
            margin=margin.value,
            deviation=MEASURED_SPREADS[figure],
            first=MEASURED_SEEDS[0],
            last=MEASURED_SEEDS[-1],
        )
    if margin.origin == "named":
        return say(
            "Margin of the {figure}: {margin:.1e}, named on the command line: fixed beforehand only if who named it "
            "had not seen these runs.",
            figure=figure,
            margin=margin.value,
        )
    estimated = spread(found.samples(figure, found.first))
    return say(
        "Margin of the {figure}: {margin:.1e}, not fixed beforehand, but estimated from these runs. {framework}’s "
        "standard deviation over them is {deviation:.1e}, and could be from {low:.1e} to {high:.1e} ({confidence:.0%} "
        "interval, exact where runs are normal). The margin is a tenth of the lower end. Half of the error rate goes "
        "to that estimate: the tests of this figure need p < {alpha:g}.",
        figure=figure,
        margin=margin.value,
        framework=found.first,
        deviation=estimated.value,
        low=estimated.low,
        high=estimated.high,
        confidence=1 - ALPHA,
        alpha=margin.alpha,
    )


def _the_same_for_each(found: ManySeeds) -> list[str]:
    """Of figures whose differences don't vary: what that leaves untold."""
    if all(e.varies for e in found.equivalences):
        return []
    return [say("Where a difference is the same for each seed, t has no variation to go by; only signs are flipped.")]


def _other_machines(found: ManySeeds) -> list[str]:
    """Where the runs were not made on one kind of machine: how many on which other."""
    first, *others = found.kinds_of_machines
    made_on = list(chain.from_iterable(found.machines.values()))
    return [
        say(
            "{n} of {count} runs were made on a machine of another kind than the first, whose bits may differ: {what}.",
            n=made_on.count(kind),
            count=len(made_on),
            what=differing(kind, first),
        )
        for kind in others
    ]


def _minus(pair: tuple[str, str]) -> str:
    return say("{a} minus {b}", a=pair[1], b=pair[0])


def _equivalences(found: ManySeeds) -> dict[str, Equivalence]:
    """By the figure, and where there are more than two frameworks by the pair."""
    named = [(pair, e) for pair in found.pairs for e in found.equivalences_of(pair)]
    if len(found.pairs) == 1:
        return {e.figure: e for _, e in named}
    return {say("{figure}, {difference}", figure=e.figure, difference=_minus(pair)): e for pair, e in named}


def _epochs(found: ManySeeds) -> Table:
    curves = list(map(found.curve, found.losses))
    rows = [
        [
            str(epoch + 1),
            *(_loss(curve, epoch) for curve in curves),
            *(_tiny(found.difference(pair), epoch) for pair in found.pairs),
            *(
                say("{low:.4f} to {high:.4f}", low=losses[:, epoch].min(), high=losses[:, epoch].max())
                for losses in found.losses.values()
            ),
        ]
        for epoch in range(found.training.epochs)
    ]
    accuracies = [f"{e.mean[0]:.2%} ± {e.half_width[0]:.2%}" for e in map(found.accuracy, found.losses)]
    differences = [_tiny(found.accuracy_difference(pair), 0) for pair in found.pairs]
    reach = [say("{low:.2%} to {high:.2%}", low=a.min(), high=a.max()) for a in found.accuracies.values()]
    rows.append([say("accuracy"), *accuracies, *differences, *reach])
    losses = [say("{name} loss", name=name) for name in found.losses]
    reaches = [say("{name}, lowest to highest", name=name) for name in found.losses]
    between = [say("difference")] if len(found.pairs) == 1 else list(map(_minus, found.pairs))
    return Table([say("epoch"), *losses, *between, *reaches], rows)


def _loss(curve: Estimate, epoch: int) -> str:
    return f"{curve.mean[epoch]:.4f} ± {curve.half_width[epoch]:.4f}"


def _tiny(difference: Estimate, epoch: int) -> str:
    return f"{difference.mean[epoch]:+.1e} ± {difference.half_width[epoch]:.0e}"


def _tests(found: ManySeeds) -> Table:
    rows = []
    for figure, e in _equivalences(found).items():
        held = say("yes") if e.holds else say("not shown")
        by_t = "–" if e.t_p_value is None else f"{e.t_p_value:.1e}"
        bound = "–" if e.bound is None else f"{e.bound:.1e} ({_level(e)})"
        rows.append([figure, f"{e.mean:+.1e}", bound, f"{e.margin.value:.1e}", by_t, f"{e.flip_p_value:.1e}", held])
    header = [say("figure"), say("mean difference"), say("one-sided bound"), say("margin")]
    return Table([*header, say("p, Student’s t"), say("p, sign flips"), say("equivalent")], rows)


def _losses(found: ManySeeds) -> Chart:
    """Mean epoch losses, each in the band of its confidence interval."""
    curves = [Curve(name, style_of(name), found.curve(name).mean, found.curve(name).interval) for name in found.losses]
    if tutorial.comparable(found.training):
        printed = padded(tutorial.EPOCH_LOSSES, found.training.epochs)
        curves.append(Curve(say("the tutorial (one seed)"), "tutorial", printed))
    means = {curve.label: curve.values for curve in curves[: len(found.losses)]}
    bands = say(
        "Bands: the {confidence:.0%} confidence intervals of the means, in the last epoch {half_widths} to either "
        "side.",
        confidence=CONFIDENCE,
        half_widths=join(say(" and "), (f"{found.curve(name).half_width[-1]:.4f}" for name in found.losses)),
    )
    return Chart(
        name="seeds-loss",
        title=say("Training loss, mean over {n} seeds", n=len(found.seeds)),
        x_label=say("epoch"),
        y_label=say("cross-entropy (nats)"),
        x=np.arange(1, found.training.epochs + 1),
        curves=curves,
        says=sentences(ends(means, ".4f"), bands),
        compared=len(found.losses),
    )


def _accuracies(found: ManySeeds) -> Chart:
    """Final accuracy of each for each seed, and the tutorial's."""
    curves = [Curve(name, style_of(name), found.accuracies[name], joined=False) for name in found.losses]
    everyone = np.concatenate([curve.values for curve in curves])
    says: str = say("From {low:.2%} to {high:.2%}.", low=everyone.min(), high=everyone.max())
    if _as_long_as_the_tutorial(found):
        curves.append(Curve(say("the tutorial"), "level", np.full(len(found.seeds), tutorial.ACCURACY)))
        says = sentences(says, say("The tutorial’s is {accuracy:.2%}.", accuracy=tutorial.ACCURACY))
    return Chart(
        name="seeds-accuracy",
        title=say("Accuracy on {images} after the last epoch, seed by seed", images=MNIST.test_images),
        x_label=say("seed"),
        y_label=say("test accuracy"),
        x=np.array(found.seeds),
        curves=curves,
        says=says,
        scale="percent",
        compared=len(found.losses),
    )
