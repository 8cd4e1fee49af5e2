"""Pairs over many seeds as a part of a report."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from shared.comparing import tutorial
from shared.comparing.attribution import CONFIDENCE, Estimate
from shared.comparing.experiment import FRAMEWORKS
from shared.comparing.seeds import ALPHA, ManySeeds
from shared.reporting import plots
from shared.reporting.pictures import GREY, STYLES
from shared.reporting.section import Drawn, Section
from shared.reporting.tables import Table

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
    if tutorial.comparable(found.spec):
        places = " and ".join(f"{found.tutorials_place(name):+.1f} in {name}" for name in FRAMEWORKS)
        sentences.append(
            f"The tutorial’s {tutorial.ACCURACY:.2%} lies, in standard deviations from the mean, {places}."
        )
    pictures = [_losses_picture(found), _accuracies_picture(found)]
    return Section(
        "seeds", f"{len(found.seeds)} seeds", sentences, pictures, [_epochs(found), _tests(found)], _results(found)
    )


def _results(found: ManySeeds) -> dict[str, object]:
    return {
        "spec": found.spec.model_dump(mode="json"),
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
        [str(epoch + 1), *(_loss(curve, epoch) for curve in curves), _tiny(found.difference, epoch)]
        for epoch in range(found.spec.epochs)
    ]
    accuracies = [f"{a.mean():.2%} (sd {a.std(ddof=1):.2%})" for a in found.accuracies.values()]
    rows.append(["accuracy", *accuracies, f"{found.equivalences[0].mean:+.1e}"])
    return Table(["epoch", *(f"{name} loss" for name in FRAMEWORKS), "difference"], rows)


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


def _losses_picture(found: ManySeeds) -> Drawn:
    """Mean epoch losses, in bands from the lowest to the highest seed."""
    title = f"Training loss over {len(found.seeds)} seeds: mean, lowest and highest"
    axes = plots.figure(title, "cross-entropy (nats)")
    epochs = np.arange(1, found.spec.epochs + 1)
    for name in FRAMEWORKS:
        losses, style = found.losses[name], STYLES[name.lower()]
        axes.plot(epochs, losses.mean(axis=0), label=name, **plots.line(style, len(epochs)))
        axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=style.light, alpha=0.15, linewidth=0)
    if tutorial.comparable(found.spec):
        printed = tutorial.EPOCH_LOSSES[: found.spec.epochs]
        look = plots.line(STYLES["tutorial"], len(printed))
        axes.plot(epochs[: len(printed)], printed, label="the tutorial", **look)
    axes.legend(frameon=False)
    ends = [f"{name} from {v[:, 0].mean():.3f} to {v[:, -1].mean():.3f}" for name, v in found.losses.items()]
    words = f"{title}: {', '.join(ends)}"
    return Drawn("seeds-loss", *plots.files(axes.get_figure(root=True)), words)


def _accuracies_picture(found: ManySeeds) -> Drawn:
    """Final accuracy of both for each seed, and the tutorial's."""
    title = "Accuracy on the 10,000 test images, seed by seed"
    axes = plots.figure(title, "test accuracy", "seed")
    for name in FRAMEWORKS:
        look = plots.line(STYLES[name.lower()], len(found.seeds)) | {"linestyle": "none"}
        axes.plot(found.seeds, found.accuracies[name], label=name, **look)
    if tutorial.comparable(found.spec):
        label = f"the tutorial: {tutorial.ACCURACY:.2%}"
        axes.axhline(tutorial.ACCURACY, label=label, color=GREY, linestyle="--", linewidth=1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axes.legend(frameon=False)
    everyone = np.concatenate([found.accuracies[name] for name in FRAMEWORKS])
    words = f"{title}: from {everyone.min():.2%} to {everyone.max():.2%}"
    return Drawn("seeds-accuracy", *plots.files(axes.get_figure(root=True)), words)
