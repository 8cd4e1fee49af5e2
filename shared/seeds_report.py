"""Pairs over many seeds -> results.json, report.md, pictures, and the last words on the screen."""

import json
from pathlib import Path

import numpy as np
from matplotlib.ticker import PercentFormatter

from shared import plots, tutorial
from shared.attribution import CONFIDENCE, Estimate
from shared.experiment import FRAMEWORKS
from shared.pictures import GREY, STYLES
from shared.seeds import ALPHA, Equivalence, ManySeeds
from shared.tables import Table


def write(found: ManySeeds, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    (folder / "results.json").write_text(json.dumps(results(found), indent=2, allow_nan=False) + "\n")
    draw_losses(found, folder / "loss.png")
    draw_accuracies(found, folder / "accuracy.png")
    (folder / "report.md").write_text(markdown(found, command))


def results(found: ManySeeds) -> dict[str, object]:
    """What results.json holds."""
    return {
        "schema": 1,
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


def markdown(found: ManySeeds, command: str) -> str:
    """The page for a pull request."""
    parts = [
        f"# {len(found.seeds)} seeds",
        f"> {sentence(found)}",
        f"Mean over the seeds {found.seeds[0]} to {found.seeds[-1]}, ± half the {CONFIDENCE:.0%} confidence interval.",
        Table(["epoch", *(f"{name} loss" for name in FRAMEWORKS), "difference"], _epoch_rows(found)).markdown(),
        "![Training loss of both, bands over the seeds](loss.png)",
        "![Accuracy of both, seed by seed](accuracy.png)",
        "## Equivalence",
        (
            "Two one-sided tests of the paired differences. That no difference was found would prove nothing; here the "
            f"question is whether the mean difference is surely, at {ALPHA:.0%}, smaller than a margin. The margins "
            "were fixed before these seeds were run: a tenth of what changing the seed does to a default run."
        ),
        Table(
            ["figure", "mean difference", "margin", "p", "smallest margin that holds", "equivalent"], _test_rows(found)
        ).markdown(),
    ]
    if tutorial.comparable(found.spec):
        places = " and ".join(f"{found.tutorials_place(name):+.1f} in {name}" for name in FRAMEWORKS)
        parts.append(f"The tutorial's {tutorial.ACCURACY:.2%} lies, in standard deviations from the mean, {places}.")
    return "\n\n".join([*parts, "## Again", f"```sh\n{command}\n```"]) + "\n"


def _epoch_rows(found: ManySeeds) -> list[list[str]]:
    curves = [found.curve(name) for name in FRAMEWORKS]
    rows = [
        [str(epoch + 1), *(_loss(curve, epoch) for curve in curves), _tiny(found.difference, epoch)]
        for epoch in range(found.spec.epochs)
    ]
    accuracies = [f"{a.mean():.2%} (sd {a.std(ddof=1):.2%})" for a in found.accuracies.values()]
    return [*rows, ["accuracy", *accuracies, f"{found.equivalences[0].mean:+.1e}"]]


def _loss(curve: Estimate, epoch: int) -> str:
    return f"{curve.mean[epoch]:.4f} ± {curve.half_width[epoch]:.4f}"


def _tiny(difference: Estimate, epoch: int) -> str:
    return f"{difference.mean[epoch]:+.1e} ± {difference.half_width[epoch]:.0e}"


def _test_rows(found: ManySeeds) -> list[list[str]]:
    def row(e: Equivalence) -> list[str]:
        held = "yes" if e.holds else "not shown"
        return [e.figure, f"{e.mean:+.1e}", f"{e.margin:.1e}", f"{e.p_value:.1e}", f"{e.smallest_margin:.1e}", held]

    return [row(e) for e in found.equivalences]


def draw_losses(found: ManySeeds, path: Path) -> None:
    """Mean epoch losses, in bands from the lowest to the highest seed."""
    axes = plots.figure(
        f"Training loss over {len(found.seeds)} seeds: mean, lowest and highest", "cross-entropy (nats)"
    )
    epochs = np.arange(1, found.spec.epochs + 1)
    for name in FRAMEWORKS:
        losses, style = found.losses[name], STYLES[name.lower()]
        axes.plot(epochs, losses.mean(axis=0), label=name, **plots.line(style, len(epochs)))
        axes.fill_between(epochs, losses.min(axis=0), losses.max(axis=0), color=style.light, alpha=0.15, linewidth=0)
    if tutorial.comparable(found.spec):
        printed = tutorial.EPOCH_LOSSES[: found.spec.epochs]
        look = plots.line(STYLES["tutorial"], len(printed))
        axes.plot(epochs[: len(printed)], printed, label="the tutorial", **look)
    plots.save(axes, path)


def draw_accuracies(found: ManySeeds, path: Path) -> None:
    """Final accuracy of both for each seed, and the tutorial's."""
    axes = plots.figure("Accuracy on the 10,000 test images, seed by seed", "test accuracy", "seed")
    for name in FRAMEWORKS:
        look = plots.line(STYLES[name.lower()], len(found.seeds)) | {"linestyle": "none"}
        axes.plot(found.seeds, found.accuracies[name], label=name, **look)
    if tutorial.comparable(found.spec):
        label = f"the tutorial: {tutorial.ACCURACY:.2%}"
        axes.axhline(tutorial.ACCURACY, label=label, color=GREY, linestyle="--", linewidth=1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    plots.save(axes, path)


def summary(found: ManySeeds) -> str:
    """The epochs' table and the verdict for the terminal."""
    lines = [f"{'epoch':>8}  {'PyTorch':>16}  {'TensorFlow':>16}  {'difference':>18}"]
    lines += [f"{row[0]:>8}  {row[1]:>16}  {row[2]:>16}  {row[3]:>18}" for row in _epoch_rows(found)]
    return "\n".join([*lines, "", sentence(found)])
