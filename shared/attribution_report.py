"""An attribution -> results.json, report.md, pictures, and the last words on the screen."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from shared import plots
from shared.attribution import CONFIDENCE, UNMEASURED, Attribution, Estimate, Share
from shared.habits import ROWS
from shared.report import json_safe, table

ACCURACY = -1  # the last figure
FIRST_EPOCH = 0
SMALL = 1e-4  # below it figures are written in powers of ten
HOW_TO_READ = """\
Figures are Keras's minus PyTorch's, of the first epoch's loss where nothing else is said: the mean over {seeds} seeds
and its {confidence:.0%} confidence interval. *Put in*: the matched pair, equal to rounding, with this habit of Keras's
alone. *Taken out*: Keras's own tutorial without it. *Share*: the mean of both."""


def write(found: Attribution, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    plain = json_safe(dataclasses.asdict(found) | {"spec": found.spec.model_dump(mode="json")})
    (folder / "results.json").write_text(json.dumps(plain, indent=2, allow_nan=False, default=_listed) + "\n")
    draw_curves(found, folder / "loss.png")
    draw_shares(found, folder / "shares.png")
    (folder / "report.md").write_text(markdown(found, command))


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


def sentence(found: Attribution) -> str:
    """The finding, with its figures."""
    a, b = (found.curves[name].mean[FIRST_EPOCH] for name in ("PyTorch", "TensorFlow"))
    first, gap, rest = found.shares[0], found.gap.mean[FIRST_EPOCH], found.unexplained
    return (
        f"After one epoch the tutorials' losses are {a:.3f} in PyTorch and {b:.3f} in Keras. "
        f"{first.factor.name.capitalize()} explain {first.share.mean[FIRST_EPOCH] / gap:.0%} of that; "
        f"unexplained is {_shown(rest, FIRST_EPOCH)}{', which is noise' * rest.is_noise(FIRST_EPOCH)}."
    )


def _shown(estimate: Estimate, figure: int) -> str:
    """Mean and half the interval; tiny figures, where rounding is at work, in powers of ten."""
    mean, half = estimate.mean[figure], estimate.half_width[figure]
    if not mean and not half:
        return "0"
    return f"{mean:+.4f} ± {half:.4f}" if max(abs(mean), half) >= SMALL else f"{mean:+.0e} ± {half:.0e}"


def markdown(found: Attribution, command: str) -> str:
    """The page for a pull request."""
    rows = {row.key: row for row in ROWS}
    last = found.spec.epochs
    header = [
        "what Keras does otherwise",
        "put in",
        "taken out",
        "share",
        "of the gap",
        f"loss, epoch {last}",
        "accuracy",
    ]
    lines = [_row(share, found) for share in found.shares]
    total = ["**all of these**", "", "", *_totals(found)]
    rest = [
        "unexplained",
        "",
        "",
        _shown(found.unexplained, 0),
        "",
        _shown(found.unexplained, -2),
        _shown(found.unexplained, -1),
    ]
    gap = [
        "**stock Keras − stock PyTorch**",
        "",
        "",
        _shown(found.gap, 0),
        "",
        _shown(found.gap, -2),
        _shown(found.gap, -1),
    ]
    parts = [
        "# Why the curves differ",
        f"> {sentence(found)}",
        HOW_TO_READ.format(seeds=len(found.seeds), confidence=CONFIDENCE),
        table(header, [*lines, total, rest, gap]),
        "![What each habit does to the first epoch's loss](shares.png)",
        "![The tutorials' losses, and the matched pair's](loss.png)",
        "## What each is, and how to set it",
    ]
    for share in found.shares:
        row = rows[share.factor.row]
        noise = "" if not share.share.is_noise(FIRST_EPOCH) else " Over these seeds its share can't be told from zero."
        parts.append(
            f"**{share.factor.name.capitalize()}**: {share.factor.what}.{noise}\n\n"
            f"- in PyTorch as in Keras: `{row.pytorch}`\n- in Keras as in PyTorch: `{row.keras}`"
        )
    parts += ["## Not measured", "\n".join(f"- {name}: {why}." for name, why in UNMEASURED.items())]
    parts += ["## Again", f"```sh\n{command}\n```"]
    return "\n\n".join(parts) + "\n"


def _row(share: Share, found: Attribution) -> list[str]:
    return [
        share.factor.name,
        _shown(share.added, FIRST_EPOCH),
        _shown(share.removed, FIRST_EPOCH) if share.removed else "",
        _shown(share.share, FIRST_EPOCH),
        f"{share.share.mean[FIRST_EPOCH] / found.gap.mean[FIRST_EPOCH]:.1%}",
        _shown(share.share, ACCURACY - 1),
        _shown(share.share, ACCURACY),
    ]


def _totals(found: Attribution) -> list[str]:
    explained = found.gap.mean - found.unexplained.mean
    return [
        f"{explained[0]:+.4f}",
        f"{explained[0] / found.gap.mean[0]:.1%}",
        f"{explained[-2]:+.4f}",
        f"{explained[-1]:+.4f}",
    ]


def draw_shares(found: Attribution, path: Path) -> None:
    """A bar for each factor, the unexplained rest and the whole gap, with their intervals."""
    _, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    bars = [(share.factor.name, share.share, plots.BLUE) for share in found.shares]
    bars += [("unexplained", found.unexplained, plots.GREY), ("stock Keras − stock PyTorch", found.gap, plots.ORANGE)]
    for name, estimate, colour in reversed(bars):
        half = np.nan_to_num(estimate.half_width[FIRST_EPOCH], posinf=0.0)
        axes.barh(name, estimate.mean[FIRST_EPOCH], xerr=half, color=colour, capsize=3, error_kw={"elinewidth": 1.2})
    axes.axvline(0, color=plots.GREY, linewidth=0.8)
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
        style = plots.STYLES.get(name, {"color": plots.GREY, "linestyle": "--", "linewidth": 1.2})
        axes.plot(epochs, estimate.mean[:ACCURACY], label=labels[name], **style)
        low, high = (estimate.mean + sign * np.nan_to_num(estimate.half_width, posinf=0.0) for sign in (-1, 1))
        axes.fill_between(epochs, low[:ACCURACY], high[:ACCURACY], color=style["color"], alpha=0.15, linewidth=0)
    plots.save(axes, path)


def summary(found: Attribution) -> str:
    """The ranked factors for the terminal."""
    lines = [f"{share.factor.name:<26} {_shown(share.share, FIRST_EPOCH):>22}" for share in found.shares]
    lines += [
        f"{name:<26} {_shown(e, FIRST_EPOCH):>22}"
        for name, e in (("unexplained", found.unexplained), ("in all", found.gap))
    ]
    return "\n".join([*lines, "", sentence(found)])
