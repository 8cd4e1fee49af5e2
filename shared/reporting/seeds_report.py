"""Pairs over many seeds as a part of a report."""

import numpy as np

from shared.comparing import tutorial
from shared.contract import FRAMEWORKS
from shared.reporting.pictures import Curve, Picture, ends, padded
from shared.reporting.section import Section
from shared.reporting.tables import Table
from shared.studies.attribution import CONFIDENCE, Estimate
from shared.studies.seeds import ALPHA, ManySeeds

HOW_TO_READ = (
    "Equivalence is asked by two one-sided tests of the paired differences. That no difference was found would prove "
    f"nothing; here the question is whether the mean difference is surely, at {ALPHA:.0%}, smaller than a margin. The "
    "margins were fixed before these seeds were run: a tenth of what changing the seed does to a default run."
)


def section(found: ManySeeds) -> Section:
    """What report.md and the page show of it."""
    sentences = [
        sentence(found),
        f"Mean over the seeds {found.seeds[0]} to {found.seeds[-1]}, ± half the {CONFIDENCE:.0%} confidence interval.",
        HOW_TO_READ,
    ]
    if _as_long_as_the_tutorial(found):
        places = " and ".join(
            f"{found.tutorials_place(name):+.1f} standard deviations ({found.accuracies[name].std(ddof=1):.2%}) from "
            f"{name}’s mean"
            for name in FRAMEWORKS
        )
        sentences.append(f"The tutorial’s {tutorial.ACCURACY:.2%} lies {places}.")
    pictures, tables = [_losses(found), _accuracies(found)], [_epochs(found), _tests(found)]
    return Section("seeds", f"{len(found.seeds)} seeds", sentences, pictures, tables, _results(found))


def _as_long_as_the_tutorial(found: ManySeeds) -> bool:
    """Whether the tutorial's final accuracy may stand beside these."""
    return tutorial.comparable(found.training) and found.training.epochs == len(tutorial.EPOCH_LOSSES)


def _results(found: ManySeeds) -> dict[str, object]:
    return {
        "training": found.training.model_dump(mode="json"),
        "seeds": found.seeds,
        "losses": {name: losses.tolist() for name, losses in found.losses.items()},
        "accuracies": {name: accuracies.tolist() for name, accuracies in found.accuracies.items()},
        "equivalent": found.equivalent,
        "equivalence": {
            e.figure: {
                "mean_difference": e.mean,
                "margin": e.margin,
                "p_value": e.p_value,
                "smallest_margin": e.smallest_margin,
                "holds": e.holds,
            }
            for e in found.equivalences
        },
    }


def sentence(found: ManySeeds) -> str:
    """The verdict, with its figures."""
    verdict = "EQUIVALENT" if found.equivalent else "NOT SHOWN EQUIVALENT"
    parts = [
        f"{e.figure} {e.mean:+.1e}, surely within {e.smallest_margin:.1e} (margin {e.margin:.1e})"
        for e in found.equivalences
    ]
    return f"{verdict} over {len(found.seeds)} paired seeds, TensorFlow minus PyTorch: {'; '.join(parts)}."


def _epochs(found: ManySeeds) -> Table:
    curves = [found.curve(name) for name in FRAMEWORKS]
    rows = [
        [
            str(epoch + 1),
            *(_loss(curve, epoch) for curve in curves),
            _tiny(found.difference, epoch),
            *(f"{losses[:, epoch].min():.4f} to {losses[:, epoch].max():.4f}" for losses in found.losses.values()),
        ]
        for epoch in range(found.training.epochs)
    ]
    accuracies = [f"{e.mean[0]:.2%} ± {e.half_width[0]:.2%}" for e in map(found.accuracy, FRAMEWORKS)]
    reach = [f"{a.min():.2%} to {a.max():.2%}" for a in found.accuracies.values()]
    rows.append(["accuracy", *accuracies, _tiny(found.accuracy_difference, 0), *reach])
    columns = [f"{name} loss" for name in FRAMEWORKS], [f"{name}, lowest to highest" for name in FRAMEWORKS]
    return Table(["epoch", *columns[0], "difference", *columns[1]], rows)


def _loss(curve: Estimate, epoch: int) -> str:
    return f"{curve.mean[epoch]:.4f} ± {curve.half_width[epoch]:.4f}"


def _tiny(difference: Estimate, epoch: int) -> str:
    return f"{difference.mean[epoch]:+.1e} ± {difference.half_width[epoch]:.0e}"


def _tests(found: ManySeeds) -> Table:
    rows = []
    for e in found.equivalences:
        held = "yes" if e.holds else "not shown"
        rows.append(
            [e.figure, f"{e.mean:+.1e}", f"{e.margin:.1e}", f"{e.p_value:.1e}", f"{e.smallest_margin:.1e}", held]
        )
    return Table(["figure", "mean difference", "margin", "p", "smallest margin that holds", "equivalent"], rows)


def _losses(found: ManySeeds) -> Picture:
    """Mean epoch losses, each in the band of its confidence interval."""
    curves = [Curve(name, name.lower(), found.curve(name).mean, found.curve(name).interval) for name in FRAMEWORKS]
    if tutorial.comparable(found.training):
        curves.append(
            Curve("the tutorial (one seed)", "tutorial", padded(tutorial.EPOCH_LOSSES, found.training.epochs))
        )
    half_widths = " and ".join(f"{found.curve(name).half_width[-1]:.4f}" for name in FRAMEWORKS)
    return Picture(
        name="seeds-loss",
        title=f"Training loss, mean over {len(found.seeds)} seeds",
        x_label="epoch",
        y_label="cross-entropy (nats)",
        x=np.arange(1, found.training.epochs + 1),
        curves=curves,
        words=f"{ends([curve.values for curve in curves[:2]], '.4f')} Bands: the {CONFIDENCE:.0%} confidence intervals "
        f"of the means, in the last epoch {half_widths} to either side.",
    )


def _accuracies(found: ManySeeds) -> Picture:
    """Final accuracy of both for each seed, and the tutorial's."""
    curves = [Curve(name, name.lower(), found.accuracies[name], joined=False) for name in FRAMEWORKS]
    everyone = np.concatenate([curve.values for curve in curves])
    words = f"From {everyone.min():.2%} to {everyone.max():.2%}."
    if _as_long_as_the_tutorial(found):
        curves.append(Curve("the tutorial", "level", np.full(len(found.seeds), tutorial.ACCURACY)))
        words += f" The tutorial’s is {tutorial.ACCURACY:.2%}."
    return Picture(
        name="seeds-accuracy",
        title="Accuracy on the 10,000 test images after the last epoch, seed by seed",
        x_label="seed",
        y_label="test accuracy",
        x=np.array(found.seeds),
        curves=curves,
        words=words,
        scale="percent",
    )
