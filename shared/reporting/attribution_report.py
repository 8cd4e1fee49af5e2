"""An attribution as a part of a report."""

import dataclasses
import json
from typing import Any

import numpy as np

from library_defaults.rows import ROWS
from shared.reporting import plots
from shared.reporting.drawing import plt
from shared.reporting.parts import Chart, Code, Curve, Drawing, Paragraph, Part, Section, Table
from shared.reporting.styles import BLUE, GREY, ORANGE
from shared.studies.attribution import CONFIDENCE, STOCK_PAIR, UNMEASURED, Attribution, Estimate, Share

FIRST_EPOCH, LAST_EPOCH, ACCURACY = 0, -2, -1
SMALL = 1e-4  # below it figures are written in powers of ten
HOW_TO_READ = (
    "Figures are Keras’s minus PyTorch’s: the mean over {seeds} seeds and its {confidence:.0%} confidence interval. "
    "Where nothing else is said they are of the first epoch’s loss. Put in: only this default of Keras’s is put into "
    "the matched pair, which otherwise differs by rounding alone. Taken out: Keras’s own tutorial without this "
    "default. Share: the mean of both."
)


def section(found: Attribution) -> Section:
    """What report.md and the page show of it."""
    if not found.shares:
        title, sentences = "The tutorials’ own runs", [sentence(found)]
        shown: list[Part] = [_curves_chart(found), _epochs(found)]
    else:
        how = HOW_TO_READ.format(seeds=len(found.seeds), confidence=CONFIDENCE)
        unmeasured = " ".join(f"Not measured: {name}; {why}." for name, why in UNMEASURED.items())
        title, sentences = "Why they differ", [sentence(found), how, *map(_in_words, found.shares), unmeasured]
        shown = [_shares_picture(found), _curves_chart(found), _shares(found), _advice(found)]
    as_lists = json.dumps(
        dataclasses.asdict(found) | {"training": found.training.model_dump()}, default=np.ndarray.tolist
    )
    results: dict[str, Any] = json.loads(as_lists)
    return Section("why", title, [*map(Paragraph, sentences), *shown], results)


def sentence(found: Attribution) -> str:
    """The finding, with its figures."""
    a, b = (found.curves[name].mean for name in STOCK_PAIR)
    said = f"After one epoch the tutorials’ losses are {a[0]:.3f} in PyTorch and {b[0]:.3f} in Keras"
    if not found.shares:
        return f"{said}; in the end their accuracies are {a[ACCURACY]:.2%} and {b[ACCURACY]:.2%}. Why: --explain."
    first, gap, rest = found.shares[0], found.gap.mean[FIRST_EPOCH], found.unexplained
    return (
        f"{said}. {first.factor.name.capitalize()} explain {first.share.mean[FIRST_EPOCH] / gap:.0%} of that; "
        f"unexplained is {_shown(rest, FIRST_EPOCH)}{', which is noise' * rest.is_noise(FIRST_EPOCH)}."
    )


def _in_words(share: Share) -> str:
    noise = " Over these seeds its share can’t be told from zero." * share.share.is_noise(FIRST_EPOCH)
    return f"{share.factor.name.capitalize()}: {share.factor.what}.{noise}"


def _shown(estimate: Estimate, figure: int) -> str:
    """Mean and half the interval, where there is one; figures as small as rounding makes them in powers of ten."""
    mean, half = estimate.mean[figure], estimate.half_width[figure]
    if not mean and not half:
        return "0"
    if not np.isfinite(half):
        return f"{mean:+.4f}"
    return f"{mean:+.4f} ± {half:.4f}" if max(abs(mean), half) >= SMALL else f"{mean:+.0e} ± {half:.0e}"


def _shares(found: Attribution) -> Table:
    explained = found.gap.mean - found.unexplained.mean
    everything = Estimate(explained, np.full_like(explained, np.inf))
    rows = [_row(share.factor.name, share.share, found, share) for share in found.shares]
    rows.append(_row("all of these", everything, found))
    rows.append(_row("unexplained", found.unexplained, found))
    rows.append(_row("stock Keras − stock PyTorch", found.gap, found))
    columns = ["put in", "taken out", "share", "of the gap", f"loss, epoch {found.training.epochs}", "accuracy"]
    return Table(["what Keras does otherwise", *columns], rows, sums_up="row")


def _row(name: str, whole: Estimate, found: Attribution, share: Share | None = None) -> list[str]:
    parts = (share.added, share.removed) if share else (None, None)
    return [
        name,
        *(_shown(part, FIRST_EPOCH) if part else "" for part in parts),
        _shown(whole, FIRST_EPOCH),
        f"{whole.mean[FIRST_EPOCH] / found.gap.mean[FIRST_EPOCH]:z.1%}",
        _shown(whole, LAST_EPOCH),
        _shown(whole, ACCURACY),
    ]


def _advice(found: Attribution) -> Table:
    """The code that sets each factor as the other framework does."""
    by_key = {row.key: row for row in ROWS}
    rows = [
        [share.factor.name, Code(by_key[share.factor.row].pytorch), Code(by_key[share.factor.row].keras)]
        for share in found.shares
    ]
    return Table(["to set", "in PyTorch as in Keras", "in Keras as in PyTorch"], rows, words=True)


def _epochs(found: Attribution) -> Table:
    curves = [found.curves[name].mean for name in STOCK_PAIR]
    rows = [
        [str(epoch + 1), *(f"{curve[epoch]:.4f}" for curve in curves), f"{found.gap.mean[epoch]:+.4f}"]
        for epoch in range(found.training.epochs)
    ]
    accuracies = [f"{curve[ACCURACY]:.2%}" for curve in curves]
    rows.append(["accuracy", *accuracies, f"{found.gap.mean[ACCURACY]:+.2%}"])
    return Table(["epoch", "PyTorch loss", "Keras loss", "difference"], rows)


def _shares_picture(found: Attribution) -> Drawing:
    """A bar for each factor, the unexplained rest and the whole gap, with their intervals."""
    title = "Why Keras’s loss differs after one epoch"
    drawn, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    bars = [(share.factor.name, share.share, BLUE) for share in found.shares]
    bars += [("unexplained", found.unexplained, GREY), ("stock Keras − stock PyTorch", found.gap, ORANGE)]
    for name, estimate, colour in reversed(bars):
        half = np.nan_to_num(estimate.half_width[FIRST_EPOCH], posinf=0.0)
        axes.barh(name, estimate.mean[FIRST_EPOCH], xerr=half, color=colour, capsize=3, error_kw={"elinewidth": 1.2})
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xlabel(f"nats, Keras minus PyTorch; whiskers: {CONFIDENCE:.0%} interval over {len(found.seeds)} seeds")
    axes.spines[["top", "right"]].set_visible(False)
    words = "; ".join(f"{name} {_shown(estimate, FIRST_EPOCH)}" for name, estimate, _ in bars)
    return Drawing("shares", title, *plots.files(drawn), f"{words}.")


def _curves_chart(found: Attribution) -> Chart:
    """The epoch losses of both stock runs and of the matched pair, each in the band of its confidence interval."""
    looks = {
        "PyTorch": ("PyTorch, stock", "pytorch"),
        "TensorFlow": ("Keras, stock", "tensorflow"),
        "matched": ("both, matched", "matched"),
    }
    curves = []
    for name, estimate in found.curves.items():
        low, high = estimate.interval
        band = (low[:ACCURACY], high[:ACCURACY]) if len(found.seeds) > 1 else None
        curves.append(Curve(*looks[name], estimate.mean[:ACCURACY], band))
    ends = [f"{curve.label}: from {curve.values[0]:.3f} to {curve.values[-1]:.3f}" for curve in curves]
    bands = f" Means over {len(found.seeds)} seeds; bands: their {CONFIDENCE:.0%} confidence intervals."
    return Chart(
        name="stock",
        title="Training loss as the tutorials print it",
        x_label="epoch",
        y_label="cross-entropy (nats)",
        x=np.arange(1, found.training.epochs + 1),
        curves=curves,
        says=f"{'; '.join(ends)}.{bands * (len(found.seeds) > 1)}",
        compared=len(STOCK_PAIR),
    )
