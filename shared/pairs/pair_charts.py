"""The charts of a pair's report."""

from collections.abc import Sequence

import numpy as np

from shared.pairs.climb import LIMITS, Check
from shared.pairs.diagnosis import Diagnosis, Precision
from shared.pairs.pair_words import GROUPS, group, times
from shared.reporting.charts import ends, spread
from shared.reporting.parts import Chart, Curve
from shared.system.language import join, say, sentences

LEAST = 0.01  # noise floors: what is less is drawn as this, for on a logarithmic axis 0 has no place
ABOVE = 100  # times the largest number: there infinity is drawn
MOST_POINTS = 10_000


def climbed(precision: Precision, explained: Sequence[Check] = ()) -> Chart:
    """Every check's difference in noise floors, in the order of the climb; `explained` is with the causes' changes."""
    checks, limit, first = precision.checks, LIMITS[precision.dtype], precision.first
    multiples = [np.array([check.multiple for check in some]) for some in (checks, explained)]
    finite = np.concatenate([*multiples, [limit]])
    top = ABOVE * float(finite[np.isfinite(finite)].max())
    labels = [say("as the files are"), say("with the confirmed changes")]
    curves = [
        Curve(label, style, _drawn(some, top, len(checks)))
        for label, style, some in zip(labels, (precision.dtype, "tensorflow"), multiples, strict=True)
        if some.size
    ]
    if len(curves) == 1:
        curves = [Curve(say("difference"), precision.dtype, curves[0].values)]
    curves.append(Curve(say("limit: {limit:,.0f}", limit=limit), "level", np.full(len(checks), limit)))
    number = checks.index(first) + 1 if first else None
    return Chart(
        name=f"checks-{precision.dtype}",
        title=say("How far apart, in {dtype}", dtype=precision.dtype),
        x_label=say("check in the order of the climb"),
        y_label=say("noise floors"),
        x=np.arange(1, len(checks) + 1),
        curves=curves,
        says=_says(checks, first, number, infinite=any(np.isinf(some).any() for some in multiples)),
        scale="logarithmic",
        stairs=True,
        mark=(number, say("check {number}: the first beyond the limit", number=number)) if number else None,
    )


def _drawn(multiples: np.ndarray, top: float, length: int) -> np.ndarray:
    found = np.full(length, np.nan)
    shown = multiples[:length]
    found[: len(shown)] = np.clip(np.where(np.isfinite(shown), shown, top), LEAST, top)
    return found


def _says(checks: Sequence[Check], first: Check | None, number: int | None, *, infinite: bool) -> str:
    numbers: dict[int, list[int]] = {}
    for index, check in enumerate(checks, start=1):
        numbers.setdefault(group(check), []).append(index)
    said = [
        say("{numbers}: {what}", numbers=f"{of[0]}{f'–{of[-1]}' * (len(of) > 1)}", what=GROUPS[key])
        for key, of in numbers.items()
    ]
    found = say("None is beyond the limit.")
    if first:
        found = say("The first beyond the limit is check {number}, {what}.", number=number, what=first.what)
    return sentences(
        found,
        say("The checks are {groups}.", groups=join(say("; "), said)),
        say("What is less than {least} is drawn as that.", least=times(LEAST)),
        say("What no rounding explains is drawn at the top.") if infinite else "",
    )


def losses(precision: Precision) -> Chart:
    """The training loss of every step."""
    shown, label = _shown(len(precision.losses[0]))
    found = dict(zip(("PyTorch", "TensorFlow"), (of.astype(np.float64) for of in precision.losses), strict=True))
    names = {"PyTorch": "PyTorch", "TensorFlow": "Keras"}
    curves = [Curve(names[name], name.lower(), values[shown]) for name, values in found.items()]
    return Chart(
        name=f"loss-{precision.dtype}",
        title=say("Training loss in {dtype}", dtype=precision.dtype),
        x_label=label,
        y_label=say("loss"),
        x=shown + 1,
        curves=curves,
        says=ends({names[name]: values for name, values in found.items()}, ".4f"),
        compared=len(curves),
    )


def apart(diagnosis: Diagnosis) -> Chart:
    """How far apart the losses of both lie, step by step, in both precisions."""
    found = {p.dtype: spread([of.astype(np.float64) for of in p.losses]) for p in diagnosis.precisions.values()}
    shown, label = _shown(len(found["float64"]))
    said = [
        say("in {dtype} by {gap:.1e}", dtype=dtype, gap=float(np.nanmax(gap)))
        for dtype, gap in found.items()
        if np.isfinite(gap).any()
    ]
    at_most = say("At most {gaps}.", gaps=join(say(" and "), said))
    return Chart(
        name="apart",
        title=say("How far apart the losses lie"),
        x_label=label,
        y_label=say("difference of the losses"),
        x=shown + 1,
        curves=[Curve(dtype, dtype, gap[shown]) for dtype, gap in found.items()],
        says=at_most if said else say("They are nowhere both a number."),
        scale="logarithmic",
    )


def _shown(steps: int) -> tuple[np.ndarray, str]:
    """Which steps are drawn, the last always, and the label of their axis."""
    every = -(-steps // MOST_POINTS)
    shown = np.union1d(np.arange(0, steps, every), steps - 1)
    if every == 1:
        return shown, say("step")
    return shown, say("step (one in {every} of {steps:,} is drawn)", every=every, steps=steps)
