"""An attribution -> results.json, report.md, pictures, and the last words on the screen."""

import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from shared import plots
from shared.attribution import CONFIDENCE, UNMEASURED, Attribution, Estimate, Share
from shared.experiment import FRAMEWORKS
from shared.habits import ROWS
from shared.pictures import BLUE, GREY, ORANGE, STYLES
from shared.report import json_safe
from shared.tables import Table

ACCURACY = -1  # the last figure
FIRST_EPOCH, LAST_EPOCH = 0, -2
SMALL = 1e-4  # below it figures are written in powers of ten
HOW_TO_READ = """\
Figures are Keras's minus PyTorch's, of the first epoch's loss where nothing else is said: the mean over {seeds} seeds
and its {confidence:.0%} confidence interval. *Put in*: the matched pair, equal to rounding, with this habit of Keras's
alone. *Taken out*: Keras's own tutorial without it. *Share*: the mean of both."""


def write(found: Attribution, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    lists = json.loads(
        json.dumps(dataclasses.asdict(found) | {"spec": found.spec.model_dump()}, default=np.ndarray.tolist)
    )
    (folder / "results.json").write_text(json.dumps(json_safe(lists), indent=2, allow_nan=False) + "\n")
    draw_curves(found, folder / "loss.png")
    if found.shares:
        draw_shares(found, folder / "shares.png")
    (folder / "report.md").write_text(markdown(found, command))


def sentence(found: Attribution) -> str:
    """The finding, with its figures."""
    a, b = (found.curves[name].mean for name in ("PyTorch", "TensorFlow"))
    said = f"After one epoch the tutorials' losses are {a[0]:.3f} in PyTorch and {b[0]:.3f} in Keras"
    if not found.shares:
        return f"{said}; in the end their accuracies are {a[ACCURACY]:.2%} and {b[ACCURACY]:.2%}. Why: --explain."
    first, gap, rest = found.shares[0], found.gap.mean[FIRST_EPOCH], found.unexplained
    return (
        f"{said}. {first.factor.name.capitalize()} explain {first.share.mean[FIRST_EPOCH] / gap:.0%} of that; "
        f"unexplained is {_shown(rest, FIRST_EPOCH)}{', which is noise' * rest.is_noise(FIRST_EPOCH)}."
    )


def _shown(estimate: Estimate, figure: int) -> str:
    """Mean and half the interval, where there is one; figures as small as rounding makes them in powers of ten."""
    mean, half = estimate.mean[figure], estimate.half_width[figure]
    if not mean and not half:
        return "0"
    if not np.isfinite(half):
        return f"{mean:+.4f}"
    return f"{mean:+.4f} ± {half:.4f}" if max(abs(mean), half) >= SMALL else f"{mean:+.0e} ± {half:.0e}"


def markdown(found: Attribution, command: str) -> str:
    """The page for a pull request."""
    parts = [_shares_part(found)] if found.shares else [_epochs_table(found)]
    parts.append("![The tutorials' losses](loss.png)")
    if found.shares:
        parts += ["## What each is, and how to set it", *map(_advice, found.shares)]
        parts += ["## Not measured", "\n".join(f"- {name}: {why}." for name, why in UNMEASURED.items())]
    title = "# Why the curves differ" if found.shares else "# The tutorials' own runs"
    return "\n\n".join([title, f"> {sentence(found)}", *parts, "## Again", f"```sh\n{command}\n```"]) + "\n"


def _shares_part(found: Attribution) -> str:
    explained = found.gap.mean - found.unexplained.mean
    everything = Estimate(explained, np.full_like(explained, np.inf))
    rows = [_row(share.factor.name, share.share, found, share) for share in found.shares]
    rows.append(_row("**all of these**", everything, found))
    rows += [_row("unexplained", found.unexplained, found), _row("**stock Keras − stock PyTorch**", found.gap, found)]
    columns = ["put in", "taken out", "share", "of the gap", f"loss, epoch {found.spec.epochs}", "accuracy"]
    return "\n\n".join(
        [
            HOW_TO_READ.format(seeds=len(found.seeds), confidence=CONFIDENCE),
            Table(["what Keras does otherwise", *columns], rows).markdown(),
            "![What each habit does to the first epoch's loss](shares.png)",
        ]
    )


def _row(name: str, whole: Estimate, found: Attribution, share: Share | None = None) -> list[str]:
    parts = (share.added, share.removed) if share else (None, None)
    return [
        name,
        *(_shown(part, FIRST_EPOCH) if part else "" for part in parts),
        _shown(whole, FIRST_EPOCH),
        f"{whole.mean[FIRST_EPOCH] / found.gap.mean[FIRST_EPOCH]:.1%}",
        _shown(whole, LAST_EPOCH),
        _shown(whole, ACCURACY),
    ]


def _advice(share: Share) -> str:
    """What the factor is, and the code that sets it."""
    row = next(row for row in ROWS if row.key == share.factor.row)
    noise = " Over these seeds its share can't be told from zero." * share.share.is_noise(FIRST_EPOCH)
    return (
        f"**{share.factor.name.capitalize()}**: {share.factor.what}.{noise}\n\n"
        f"- in PyTorch as in Keras: `{row.pytorch}`\n- in Keras as in PyTorch: `{row.keras}`"
    )


def _epochs_table(found: Attribution) -> str:
    curves = [found.curves[name].mean for name in ("PyTorch", "TensorFlow")]
    rows = [
        [str(epoch + 1), *(f"{curve[epoch]:.4f}" for curve in curves), f"{found.gap.mean[epoch]:+.4f}"]
        for epoch in range(found.spec.epochs)
    ]
    accuracies = [f"{curve[ACCURACY]:.2%}" for curve in curves]
    rows.append(["accuracy", *accuracies, f"{found.gap.mean[ACCURACY]:+.2%}"])
    return Table(["epoch", "PyTorch loss", "Keras loss", "difference"], rows).markdown()


def draw_shares(found: Attribution, path: Path) -> None:
    """A bar for each factor, the unexplained rest and the whole gap, with their intervals."""
    _, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    bars = [(share.factor.name, share.share, BLUE) for share in found.shares]
    bars += [("unexplained", found.unexplained, GREY), ("stock Keras − stock PyTorch", found.gap, ORANGE)]
    for name, estimate, colour in reversed(bars):
        half = np.nan_to_num(estimate.half_width[FIRST_EPOCH], posinf=0.0)
        axes.barh(name, estimate.mean[FIRST_EPOCH], xerr=half, color=colour, capsize=3, error_kw={"elinewidth": 1.2})
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_title("What makes Keras's loss another after one epoch", loc="left", fontsize=12)
    axes.set_xlabel(f"nats, Keras minus PyTorch; whiskers: {CONFIDENCE:.0%} interval over {len(found.seeds)} seeds")
    axes.spines[["top", "right"]].set_visible(False)
    plt.savefig(path, dpi=150)
    plt.close()


def draw_curves(found: Attribution, path: Path) -> None:
    """The epoch losses of both stock runs and of the matched pair, with a band for the interval."""
    axes: Axes = plots.figure("Training loss as the tutorials print it", "cross-entropy (nats)")
    labels = {"PyTorch": "PyTorch, stock", "TensorFlow": "Keras, stock", "matched": "both, matched"}
    for name, estimate in found.curves.items():
        epochs = np.arange(1, len(estimate.mean))
        style = plots.line(STYLES[name.lower() if name in FRAMEWORKS else "matched"], len(epochs))
        axes.plot(epochs, estimate.mean[:ACCURACY], label=labels[name], **style)
        low, high = (estimate.mean + sign * np.nan_to_num(estimate.half_width, posinf=0.0) for sign in (-1, 1))
        axes.fill_between(epochs, low[:ACCURACY], high[:ACCURACY], color=style["color"], alpha=0.15, linewidth=0)
    plots.save(axes, path)


def summary(found: Attribution) -> str:
    """The ranked factors for the terminal."""
    if not found.shares:
        return sentence(found)
    lines = [f"{share.factor.name:<26} {_shown(share.share, FIRST_EPOCH):>22}" for share in found.shares]
    lines += [
        f"{name:<26} {_shown(e, FIRST_EPOCH):>22}"
        for name, e in (("unexplained", found.unexplained), ("in all", found.gap))
    ]
    return "\n".join([*lines, "", sentence(found)])
