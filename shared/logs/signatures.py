"""What the numbers of two curves show: how far apart, since when, how the gap grows. Causes are not named here.

The limits come from pairs of runs that rounding alone tells apart, float32 and on a CPU: networks with and without
batch normalisation, recurrent ones, and transformers, 180 steps each, in two frameworks and in two precisions
(benchmarks/logs.md has the table). Batch normalisation carries rounding furthest, and sets every limit.
"""

from dataclasses import dataclass

import numpy as np

from shared.comparing.checks import first_beyond
from shared.logs.log_pair import Column, Losses, common
from shared.logs.loss_logs import EPOCH, LossLog

# Fewer points fit a line, or a factor, too easily.
FEWEST = 4
# How far rounding was seen to carry a loss until the N-th update, in units in the last place of float32, and four
# times that: (0, 37), (3, 811), (10, 5,910), (20, 56,400).
EARLY = ((0, 150), (3, 3_200), (10, 24_000), (20, 225_000))
# How many times the largest gap before it the next one was: 203 at the first update, 81 at the second, then 20 at most;
# and the one four steps later: 441 until the tenth, then 170. Nothing below FLOOR units counts as a gap.
JUMP, WINDOW, JUMP_OF_A_WINDOW, FLOOR = 100, 4, 600, 4
RISE = 500  # a cause makes so much of a gap that rounding before it, of a network that amplifies it, is not its begin
SETTLED, BEFORE_IT = 12, 3  # the update from which so much is a jump; before it, so many times that
# A file is coarse where it hides so many units. What comes out of hiding is this many times as large as what is hidden
# where it came at once: rounding rises that fast in one step of some thousand.
COARSE, JUMP_FROM_HIDDEN = 64, 10
# Where many updates lie between two losses: from one to the next rounding grew by 415 at most, and
# came out of hiding 51 times as large as what is hidden.
JUMP_OF_MANY, MANY_FROM_HIDDEN = 1_500, 150
# And it reached 68,000 units at most. Where each step is seen, how it grew tells more than how far.
MANY_AT_MOST = 100_000
# A small difference that acts in every step moves the loss to one side for so many steps from the start; rounding did
# so for 7 at most where it was visible, by VISIBLE units.
ONE_SIDED, VISIBLE, SKIPPED = 10, 8, 3
GROWN = 4  # times so much it has grown until then at least; what stays as it was may be rounding, for it never grew
OUT_OF_HIDING = 40  # the update until which it comes out of what a coarse file hides; later a schedule does that too
# Later it did so for 26 at most, by less than USUAL units.
LONG = 30
USUAL = 256
# What acts in every update shows after the first or the second, by 154 units at least where it was met. Until there
# rounding reached 23 in 81 of 83 sound pairs, and until the tenth no more than 5,914. The N-th update, and the units:
AT_ONCE = ((2, 64), (10, 6_000))
# A training goes astray where its loss rises above so many times the first; by noise it was 1.2 at most.
ASTRAY = 1.5
# Rank correlation of the changes of both losses, from step to step. With the same batches it was 0.4 or more, in most
# pairs 0.7, with others 0.35 at most in loops over 40 steps and more.
SAME_BATCHES, OTHER_BATCHES, ENOUGH, MOST = 0.6, 0.3, 30, 100
# A loss of evaluation moved by rounding 8.9 times as far as the loss of training until then, in 83 sound pairs, and a
# share of hits 52 times; where only an epoch's mean is known of the training, 85 and 335 times. Four times that:
AMPLIFIED, SHARE, BY_EPOCH = 36, 6, 10
# What parts two trainings late leaves one loss above the other: in the second half, or the last quarter, by a mean that
# is so much of the root of the mean square, and so much of what the loss changes from step to step. In 132 sound pairs
# a gap of that size leaned by 0.51 at most, and one that leaned so much was at most 3e-5 of such a change.
LEANS, SEEN_IN_THE_CURVE = 0.7, 0.05
# A term that one loss has alone moves by so little of itself, and of what the loss moves, over the first losses: a
# penalty by 0.12 at most in most pairs, and all else that parts the first losses by 0.5 at least.
STEADY = 0.2


@dataclass(frozen=True)
class Growth:
    """How the gap of two curves grows from where rounding would leave it."""

    kind: str  # "none", "rounding", "jump", "small" for one-sided growth from the start, "unclear"
    onset: int | None  # index of the first common step that rounding doesn't explain; None for none and rounding
    unit: float  # of rounding, in which the gap is told


def updates(losses: Losses) -> np.ndarray | None:
    """(N,) How many updates each common loss comes after. None where the logs do not tell."""
    first = {int(log.steps[0]) for log in losses.logs}
    if by_epoch(losses) or len(first) > 1 or not first <= {0, 1}:
        return None
    found: np.ndarray = losses.steps - losses.steps[0]
    return found


def by_epoch(losses: Losses) -> bool:
    """Whether a loss is that of an epoch, on either side."""
    return any(EPOCH in (log.counts, log.taken) for log in losses.logs)


def unit_of(losses: Column) -> float:
    """A unit in the last place of the largest loss before the two diverge: of float32, or of float64 where nearer."""
    finite = np.isfinite(losses.gap)
    if not finite.any():
        return float(np.spacing(1.0))
    until = 1 + (losses.diverged if losses.diverged is not None else len(losses.steps) - 1)
    values = np.abs(losses.values[:, :until][:, finite[:until]])
    largest = float(values.max()) if values.size else float(np.abs(losses.values[:, finite]).max())
    # A unit of float32 by its size alone: what a file holds may be beyond any float32.
    double = float(np.spacing(largest))
    single = double * 2.0**29
    start = losses.gap[:FEWEST][finite[:FEWEST]]
    in_double = losses.resolution.max() < single / 1e3 and len(start) and 0 < start.max() < single / 1e4
    return max(double if in_double else single, float(np.spacing(0.0)))


def growth(losses: Losses) -> Growth:
    """Classify how the gap grows; by its size at each update, its jumps and its sign, and not by the files' digits."""
    unit, hidden = unit_of(losses), np.maximum.accumulate(losses.resolution)
    if losses.first_apart is None:
        return Growth("none", None, unit)
    gap = _beside_the_first(losses)
    floor = np.maximum(hidden, unit)
    at, seldom = updates(losses), spaced(losses)
    jump = first_beyond(gap, np.maximum(_largest_jump(gap, floor, unit, seldom=seldom), floor))
    large = first_beyond(gap, np.maximum(_largest_early(at, len(gap)) * unit, floor))
    small = _one_sided_from_the_start(losses, at, unit)
    # What is large after three updates is no small constant, however steadily it grows.
    at_once = large is not None and (at is None or at[large] <= EARLY[1][0])
    if small is not None and not at_once and (jump is None or not _at_once(gap, floor, jump)):
        return Growth("small", small, unit)
    if large is not None and (jump is None or large < jump):
        begun = np.maximum(VISIBLE * floor if hidden.max() <= COARSE * unit else floor, gap[large] / RISE)
        return Growth("jump", min(large, first_beyond(gap, begun) or 0), unit)
    if jump is not None:
        return Growth("jump", _begin(gap, floor, jump), unit)
    fast = _as_fast_as_a_cause(at, gap, unit, float(hidden[0]))
    coarse = seldom or hidden.max() > COARSE * unit
    far = seldom and gap.max() > MANY_AT_MOST * unit
    if (
        fast
        or far
        or (coarse and gap.max() > max(USUAL * unit, hidden.max()) and _one_sided(losses, losses.first_apart))
    ):
        return Growth("unclear", losses.first_apart, unit)
    late = _begins_late(losses, gap)
    return Growth("rounding" if late is None else "jump", late, unit)


def _as_fast_as_a_cause(at: np.ndarray | None, gap: np.ndarray, unit: float, hidden: float) -> bool:
    """Whether the gap is as large as a cause makes it in the first updates, and rounding seldom does."""
    if at is None:
        return bool(gap[0] > max(USUAL * unit, hidden))
    return any(gap[at <= until].max(initial=0) > max(units * unit, hidden) for until, units in AT_ONCE)


def _beside_the_first(losses: Losses) -> np.ndarray:
    """(N,) The gap; where a training goes astray, and its loss rises above the first, less by as many times."""
    size = np.maximum.accumulate(np.where(np.isfinite(losses.values), np.abs(losses.values), 0.0).max(axis=0))
    risen = np.maximum(1.0, size / size[0]) if size[0] > 0 else np.ones(len(size))
    found: np.ndarray = losses.gap / risen
    return found


def _signed(losses: Losses) -> np.ndarray:
    """(N,) B's loss less A's; NaN where either is not finite."""
    finite = np.isfinite(losses.values).all(axis=0)
    found = np.full(len(finite), np.nan)
    found[finite] = losses.values[1, finite] - losses.values[0, finite]
    return found


def spaced(losses: Losses) -> bool:
    """Whether many updates lie between one loss and the next."""
    return by_epoch(losses) or (len(losses.steps) > 1 and float(np.median(np.diff(losses.steps))) > WINDOW)


def _largest_jump(gap: np.ndarray, floor: np.ndarray, unit: float, *, seldom: bool) -> np.ndarray:
    """(N,) How far rounding takes a gap, at each step, from the gaps before it."""
    largest = np.maximum.accumulate(gap)
    one, several = (np.concatenate([np.zeros(back), largest])[: len(gap)] for back in (1, WINDOW))
    # What a coarse file hides may have been almost as large as what it hides.
    coming_out = (floor > COARSE * unit) & (one <= floor)
    times, from_hidden = (JUMP_OF_MANY, MANY_FROM_HIDDEN) if seldom else (JUMP, JUMP_FROM_HIDDEN)
    least = unit * (1 if seldom else FLOOR)
    limit: np.ndarray = np.where(coming_out, from_hidden * floor, times * np.maximum(one, least))
    if not seldom:
        before = np.maximum.reduce([several, np.full(len(gap), FLOOR * unit), floor / 2])
        early = np.where(np.arange(len(gap)) < SETTLED, BEFORE_IT, 1)
        limit = np.minimum(limit, JUMP_OF_A_WINDOW * early * before)
        limit[:3] = np.inf  # so early, how far tells more than how fast
    return limit


def _largest_early(at: np.ndarray | None, count: int) -> np.ndarray:
    """(N,) How far rounding takes a gap until each update, in units; without limit after the last that was measured."""
    allowed = np.full(count, np.inf)
    if at is None:
        allowed[0] = EARLY[-1][1]
        return allowed
    for until, units in reversed(EARLY):
        allowed[at <= until] = units
    return allowed


def _at_once(gap: np.ndarray, floor: np.ndarray, index: int) -> bool:
    """Whether the gap came there in one step, and not little by little."""
    return bool(index == 0 or gap[index] > JUMP * max(gap[:index].max(), floor[index]))


def _begin(gap: np.ndarray, floor: np.ndarray, index: int) -> int:
    """Index of the step with which the rise that ends at `index` begins."""
    for earlier in range(max(0, index - WINDOW + 1), index):
        before = gap[:earlier].max(initial=0.0)
        if gap[earlier] > VISIBLE * max(before, floor[earlier]):
            return earlier
    return index


def _one_sided_from_the_start(losses: Losses, at: np.ndarray | None, unit: float) -> int | None:
    """Index of the first step of a gap that lies to one side from the start on, and grows; None where it does not."""
    if at is None or len(at) < ONE_SIDED or np.any(np.diff(at[:ONE_SIDED]) != 1):
        return None
    apart = _signed(losses)
    seen = np.flatnonzero(np.abs(apart) > np.maximum(losses.resolution / 2, 0.4 * unit))
    if not len(seen) or losses.gap[seen[0]] > unit * EARLY[1][1] + losses.resolution.max():
        return None
    if losses.gap[0] > max(unit * EARLY[0][1], losses.resolution[0]):
        return None
    seen = seen[: 8 * LONG]
    signs = np.sign(apart[seen])
    coarse = losses.resolution.max() > FLOOR * unit
    for first in range(min(LONG, len(signs))):
        run = first_beyond(-signs[first:] * signs[first], 0.0)
        length = len(signs) - first if run is None else run
        # The first may be of either sign: an update of small effect is hidden by rounding.
        short = length >= ONE_SIDED and first < SKIPPED and at[seen[first]] <= (OUT_OF_HIDING if coarse else WINDOW)
        if at[seen[first]] > OUT_OF_HIDING:
            return None
        count, visible = (ONE_SIDED, VISIBLE) if short else (LONG, USUAL)
        if length >= count:
            last = seen[first + count - 1]
            begin, end = (
                losses.gap[seen[first : first + 2]].max(),
                losses.gap[seen[first + count // 2] : last + 1].max(),
            )
            if end > GROWN * begin and losses.gap[: last + 1].max() > max(visible * unit, losses.resolution.max()):
                return int(seen[first])
    return None


def _begins_late(losses: Losses, gap: np.ndarray) -> int | None:
    """Index of the fastest rise of a gap that ends to one side and shows in the curve; None where it does not."""
    apart, count = _signed(losses), len(gap)
    if count < 2 * ENOUGH or spaced(losses) or not np.isfinite(apart).all():
        return None
    changes = np.abs(np.diff(losses.values[0]))
    for tail in (count // 2, count // 4):
        last, usual = apart[-tail:], float(np.median(changes[-tail:]))
        leans = abs(last.mean()) > LEANS * np.sqrt(np.mean(last**2))
        if tail >= ENOUGH and leans and np.abs(last).mean() > SEEN_IN_THE_CURVE * usual:
            largest = np.maximum.accumulate(gap)
            rise = largest[SETTLED:] / np.maximum(largest[SETTLED - WINDOW : -WINDOW], losses.resolution.max())
            end = SETTLED + int(np.argmax(rise))
            return end - WINDOW + 1 + int(np.argmax(gap[end - WINDOW + 1 : end + 1] > largest[end - WINDOW]))
    return None


def from_the_second_update(losses: Losses) -> bool:
    """Whether the gap jumps with the second update: after the first it is hardly more than nothing."""
    at = updates(losses)
    if at is None or at[:3].tolist() != [0, 1, 2]:
        return False
    before = max(float(losses.gap[:2].max()), FLOOR * unit_of(losses), float(losses.resolution[:3].max()))
    return bool(losses.gap[2] > JUMP * before)


def _one_sided(losses: Losses, since: int) -> bool:
    """Whether the gap, where it is visible at all, lies to one side nearly always; or is seen too seldom to tell."""
    apart = _signed(losses)[since:]
    signs = np.sign(apart[np.abs(apart) > losses.resolution[since:]])
    return len(signs) < FEWEST or bool(abs(signs.mean()) > SAME_BATCHES)


def same_batches(losses: Losses, since: int) -> float | None:
    """Rank correlation of how both losses change from step to step, from an index on; None where it can't tell."""
    values = losses.values[:, since : since + MOST]
    if by_epoch(losses) or values.shape[1] < ENOUGH or astray(losses, since):
        return None
    if np.any(np.diff(losses.steps[since : since + MOST]) != 1):
        return None
    a, b = (np.argsort(np.argsort(np.diff(one))).astype(float) for one in values)
    return float(np.corrcoef(a, b)[0, 1])


def astray(losses: Losses, since: int) -> bool:
    """Whether a loss explodes after an index: then its ups and downs tell of the explosion, and not of the batches."""
    values, first = losses.values[:, since : since + MOST], losses.values[:, :1]
    return not np.isfinite(values).all() or bool((values > ASTRAY * np.abs(first)).any())


def share_of_a_step(losses: Losses, index: int) -> float:
    """The gap there, as a share of what the loss changes from one step to the next around it."""
    around = losses.values[0, max(0, index - 12) : index + 12]
    changes = np.abs(np.diff(around[np.isfinite(around)]))
    usual = float(np.median(changes)) if len(changes) else 0.0
    return float(losses.gap[index] / usual) if usual > 0 else np.inf


def epoch_length(log: LossLog) -> int | None:
    """How many steps an epoch has, where values of evaluations come as regularly as an epoch ends; else None."""
    for name, series in log.series.items():
        if name.startswith("val") and len(series.steps) > 1 and log.counts != EPOCH:
            lengths = np.diff(series.steps)
            length = int(lengths[0])
            begins = int(series.steps[0] - log.steps[0]) + 1
            if (lengths == length).all() and length > 1 and begins in (length, length + 1):
                return length
    return None


def factor(losses: Losses, *, first: bool) -> float | None:
    """What B's loss is times A's: at the first common step, or at all of them; None where no factor fits all."""
    a, b = losses.values
    if first:
        return float(b[0] / a[0]) if a[0] and np.isfinite(losses.gap[0]) else None
    resolution = 8 * losses.resolution
    if (
        losses.diverged is None
        or len(a) < FEWEST
        or not np.isfinite(losses.values).all()
        or np.ptp(a) <= resolution.max()
    ):
        return None
    found = float(a @ b / (a @ a))
    return found if (np.abs(found * a - b) <= resolution * max(1.0, abs(found))).all() else None


def offset(losses: Losses) -> float | None:
    """What B's loss is more than A's at every common step; None where it is not the same at all of them."""
    a, b = losses.values
    if (
        losses.diverged is None
        or len(a) < FEWEST
        or not np.isfinite(losses.values).all()
        or np.ptp(a) <= 8 * losses.resolution.max()
    ):
        return None
    found = float(np.mean(b - a))
    return found if (np.abs(a + found - b) <= 8 * losses.resolution).all() else None


def smooth_offset(losses: Losses) -> float | None:
    """The first gap, where it stays nearly the same over the first losses, and the losses move meanwhile; else None."""
    apart, count = _signed(losses)[: 2 * FEWEST], 2 * FEWEST
    hidden = losses.resolution[:count]
    if len(apart) < count or not np.isfinite(apart).all() or not (losses.gap[:count] > hidden).all():
        return None
    moves, usual = (float(np.median(np.abs(np.diff(one)))) for one in (apart, losses.values[0, :count]))
    steady = np.ptp(apart) < STEADY * abs(apart[0])
    return float(apart[0]) if steady and moves < STEADY * usual else None


def least_of_two_softmax(classes: int) -> float:
    """The least that the cross-entropy of probabilities, taken for logits, can be."""
    return float(np.log(1 + (classes - 1) / np.e))


def shifted(losses: Losses) -> int | None:
    """By how many steps B's log is A's, numbered differently; None where it is not."""
    a, b = losses.logs
    for shift in dict.fromkeys((int(b.steps[0] - a.steps[0]), 1, -1)):
        in_a, in_b = common(a.steps + shift, b.steps)
        with np.errstate(invalid="ignore"):  # of two infinities; a NaN is within nothing
            gap = np.abs(a.losses[in_a] - b.losses[in_b])
        enough = max(FEWEST, min(len(a.steps), len(b.steps)) - abs(shift))
        if shift and in_a.sum() >= enough and (gap <= a.resolution[in_a] + b.resolution[in_b]).all():
            return shift
    return None


def running_mean(losses: Losses) -> int | None:
    """Which of the two, 0 or 1, is the mean of the other so far, over the first steps at least; None for neither."""
    if updates(losses) is None or len(losses.steps) < 2 * FEWEST or np.any(np.diff(losses.steps[: 2 * FEWEST]) != 1):
        return None
    hidden = losses.resolution[: 2 * FEWEST].max() + 8 * unit_of(losses)
    count = np.arange(1, 2 * FEWEST + 1)
    for of, other in ((1, 0), (0, 1)):
        mean = np.cumsum(losses.values[other, : 2 * FEWEST]) / count
        if (np.abs(mean - losses.values[of, : 2 * FEWEST]) <= hidden).all():
            return of
    return None


def speed(losses: Losses) -> float | None:
    """How many times as fast B's loss falls as A's: in how many steps both pass the same levels; None if unsteady."""
    a, b = (np.minimum.accumulate(_smoothed(one)) for one in losses.values)
    if len(a) < 4 * FEWEST or not np.isfinite(losses.values).all():
        return None
    low, high = max(a[-1], b[-1]), min(a[0], b[0])
    if not high > low:
        return None
    levels = high - (high - low) * np.linspace(0.2, 0.9, 8)
    ratios = np.array([(np.argmax(a <= level) + 1) / (np.argmax(b <= level) + 1) for level in levels])
    middle = float(np.median(ratios))
    steady = ratios.max() < 2 * ratios.min()
    return middle if steady and not 0.6 < middle < 1.6 else None  # noqa: PLR2004 about 1 says nothing of a rate


def _smoothed(values: np.ndarray) -> np.ndarray:
    width = max(1, min(8, len(values) // 8))
    found: np.ndarray = np.convolve(values, np.ones(width) / width, mode="valid")
    return found
