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
from shared.system.language import begun, join, say, sentences

FIRST_EPOCH, LAST_EPOCH, ACCURACY = 0, -2, -1
UNEXPLAINED, GAP = say("unexplained"), say("stock Keras − stock PyTorch")
SMALL = 1e-4  # below it figures are written in powers of ten


def section(found: Attribution) -> Section:
    """What report.md and the page show of it."""
    if not found.shares:
        title, said = say("The tutorials’ own runs"), [sentence(found)]
        shown: list[Part] = [_curves_chart(found), _epochs(found)]
    else:
        unmeasured = [say("Not measured: {name}; {why}.", name=name, why=why) for name, why in UNMEASURED.items()]
        title = say("Why they differ")
        said = [sentence(found), _how_to_read(found), *map(_in_words, found.shares), sentences(*unmeasured)]
        shown = [_shares_picture(found), _curves_chart(found), _shares(found), _advice(found)]
    as_lists = json.dumps(
        dataclasses.asdict(found) | {"training": found.training.model_dump()}, default=np.ndarray.tolist
    )
    results: dict[str, Any] = json.loads(as_lists)
    return Section("why", title, [*map(Paragraph, said), *shown], results)


def sentence(found: Attribution) -> str:
    """The finding, with its figures."""
    a, b = (found.curves[name].mean for name in STOCK_PAIR)
    if not found.shares:
        return say(
            "After one epoch the tutorials’ losses are {a:.3f} in PyTorch and {b:.3f} in Keras; in the end their "
            "accuracies are {a_accuracy:.2%} and {b_accuracy:.2%}. Why: --explain.",
            a=a[0],
            b=b[0],
            a_accuracy=a[ACCURACY],
            b_accuracy=b[ACCURACY],
        )
    first, gap, rest = found.shares[0], found.gap.mean[FIRST_EPOCH], found.unexplained
    unexplained: str = _shown(rest, FIRST_EPOCH)
    if rest.is_noise(FIRST_EPOCH):
        unexplained = say("{figure}, which is noise", figure=unexplained)
    return say(
        "After one epoch the tutorials’ losses are {a:.3f} in PyTorch and {b:.3f} in Keras. {factor} explain "
        "{share:.0%} of that; unexplained is {rest}.",
        a=a[0],
        b=b[0],
        factor=begun(first.factor.name),
        share=first.share.mean[FIRST_EPOCH] / gap,
        rest=unexplained,
    )


def _how_to_read(found: Attribution) -> str:
    return say(
        "Figures are Keras’s minus PyTorch’s: the mean over {seeds} seeds and its {confidence:.0%} confidence "
        "interval. Where nothing else is said they are of the first epoch’s loss. Put in: only this default of Keras’s "
        "is put into the matched pair, which otherwise differs by rounding alone. Taken out: Keras’s own tutorial "
        "without this default. Share: the mean of both.",
        seeds=len(found.seeds),
        confidence=CONFIDENCE,
    )


def _in_words(share: Share) -> str:
    noise = say("Over these seeds its share can’t be told from zero.") if share.share.is_noise(FIRST_EPOCH) else ""
    return sentences(say("{factor}: {what}.", factor=begun(share.factor.name), what=share.factor.what), noise)


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
    rows.append(_row(say("all of these"), everything, found))
    rows.append(_row(UNEXPLAINED, found.unexplained, found))
    rows.append(_row(GAP, found.gap, found))
    last = say("loss, epoch {n}", n=found.training.epochs)
    columns = [say("put in"), say("taken out"), say("share"), say("of the gap"), last, say("accuracy")]
    return Table([say("what Keras does otherwise"), *columns], rows, sums_up="row")


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
    return Table([say("to set"), say("in PyTorch as in Keras"), say("in Keras as in PyTorch")], rows, words=True)


def _epochs(found: Attribution) -> Table:
    curves = [found.curves[name].mean for name in STOCK_PAIR]
    rows = [
        [str(epoch + 1), *(f"{curve[epoch]:.4f}" for curve in curves), f"{found.gap.mean[epoch]:+.4f}"]
        for epoch in range(found.training.epochs)
    ]
    accuracies = [f"{curve[ACCURACY]:.2%}" for curve in curves]
    rows.append([say("accuracy"), *accuracies, f"{found.gap.mean[ACCURACY]:+.2%}"])
    return Table([say("epoch"), say("PyTorch loss"), say("Keras loss"), say("difference")], rows)


def _shares_picture(found: Attribution) -> Drawing:
    """A bar for each factor, the unexplained rest and the whole gap, with their intervals."""
    title = say("Why Keras’s loss differs after one epoch")
    drawn, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    bars = [(share.factor.name, share.share, BLUE) for share in found.shares]
    bars += [(UNEXPLAINED, found.unexplained, GREY), (GAP, found.gap, ORANGE)]
    for name, estimate, colour in reversed(bars):
        half = np.nan_to_num(estimate.half_width[FIRST_EPOCH], posinf=0.0)
        axes.barh(name, estimate.mean[FIRST_EPOCH], xerr=half, color=colour, capsize=3, error_kw={"elinewidth": 1.2})
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xlabel(f"nats, Keras minus PyTorch; whiskers: {CONFIDENCE:.0%} interval over {len(found.seeds)} seeds")
    axes.spines[["top", "right"]].set_visible(False)
    words = join(say("; "), (join(" ", (name, _shown(estimate, FIRST_EPOCH))) for name, estimate, _ in bars))
    return Drawing("shares", title, *plots.files(drawn), say("{words}.", words=words))


def _curves_chart(found: Attribution) -> Chart:
    """The epoch losses of both stock runs and of the matched pair, each in the band of its confidence interval."""
    looks = {
        "PyTorch": (say("PyTorch, stock"), "pytorch"),
        "TensorFlow": (say("Keras, stock"), "tensorflow"),
        "matched": (say("both, matched"), "matched"),
    }
    curves = []
    for name, estimate in found.curves.items():
        low, high = estimate.interval
        band = (low[:ACCURACY], high[:ACCURACY]) if len(found.seeds) > 1 else None
        curves.append(Curve(*looks[name], estimate.mean[:ACCURACY], band))
    ends = [
        say("{curve}: from {first:.3f} to {last:.3f}", curve=curve.label, first=curve.values[0], last=curve.values[-1])
        for curve in curves
    ]
    bands = say(
        "Means over {n} seeds; bands: their {confidence:.0%} confidence intervals.",
        n=len(found.seeds),
        confidence=CONFIDENCE,
    )
    return Chart(
        name="stock",
        title=say("Training loss as the tutorials print it"),
        x_label=say("epoch"),
        y_label=say("cross-entropy (nats)"),
        x=np.arange(1, found.training.epochs + 1),
        curves=curves,
        says=sentences(say("{words}.", words=join(say("; "), ends)), bands if len(found.seeds) > 1 else ""),
        compared=len(STOCK_PAIR),
    )
