"""What is said of two logs: one sentence, the cause that their numbers point to, and what led to it."""

from dataclasses import dataclass

import numpy as np

from shared.logs import signatures
from shared.logs.causes import CAUSES, Cause
from shared.logs.log_pair import LETTERS, LOSS, Column, Losses
from shared.logs.other_columns import RATES, SHARES, moved
from shared.logs.signatures import Growth

# A ratio of two first losses is a whole number where it is so near to one, relatively; and no ratio is known better.
SURELY_WHOLE, MOST_SURE = 0.02, 10
# First losses that differ by this share of themselves, or by this factor.
SLIGHT, MUCH = 1e-3, 1.3
TIMES = 2  # other examples alone, at the same weights, part the first losses by less: by 1.5 at most
# Numbers of classes that are met often, how near to chance a first loss lies, and the largest loss of probabilities
# that are clipped at 1e-7.
USUAL_CLASSES, NEAR_CHANCE, CLIPPED = (2, 3, 4, 5, 10, 20, 50, 100, 200, 1000, 10_000), 0.1, 16.2
# A gap is small beside what the loss changes from step to step; where it begins after the first update, and later.
SMALL_SHARE, SMALL_SHARE_LATER = 0.008, 0.02
# What is said of the losses where another column differs, by how their gap grows.
ALIKE = {"none": "the same", "rounding": "apart as rounding makes them", "unclear": "apart by far less"}
LARGEST_CARRIED = 3  # the update until which what one update leaves for the next shows
BEYOND = 1e6  # times what the files can hide: how many more says nothing more


@dataclass(frozen=True)
class Finding:
    """What two logs come to."""

    key: str  # of the cause, in CAUSES
    sentence: str  # a word or a few in capitals, a colon, and what was found
    numbers: str  # what in the numbers led to it
    good: bool  # whether the two are the same as far as the files tell, or differ as rounding makes them
    column: str = LOSS  # that it is about
    at: int | None = None  # the step

    @property
    def cause(self) -> Cause:
        """What it points to."""
        return CAUSES[self.key]


@dataclass(frozen=True)
class _Sign:
    """A signature that was found: what it points to, and in which numbers."""

    key: str
    numbers: str
    index: int = 0


@np.errstate(invalid="ignore", over="ignore", divide="ignore")  # what infinities give is within no limit
def find(losses: Losses) -> Finding:
    """The likeliest finding that the numbers support."""
    growth = signatures.growth(losses)
    if growth.kind in ("none", "rounding"):
        return _beside(losses, growth) or _as_good(losses, growth)
    if growth.kind == "unclear" and (beside := _beside(losses, growth)) is not None and not SHARES(beside.column):
        return beside
    sign = (
        _not_finite(losses, growth)
        or _logged_otherwise(losses)
        or _rate_logged(losses, growth)
        or _little_by_little(losses, growth)
        or _before_the_log(losses, growth)
        or _by_epoch(losses, growth)
        or _first_loss(losses, growth)
        or _after(losses, growth)
    )
    return _finding(losses, sign)


def _finding(losses: Losses, sign: _Sign) -> Finding:
    points = f"which points to {CAUSES[sign.key].points_to}"
    index = sign.index
    step = int(losses.steps[index])
    if sign.key == "unclear":
        sentence = f"UNDECIDED: they part at {_step(losses, index)}{_size(losses, index)}, {points}."
    elif sign.key in ("renumbered", "reported"):
        sentence = f"DIFFER in what is logged: {points}."
    elif index == 0:
        sentence = f"DIFFER from the first {losses.unit}, {step}{_size(losses, index)}, {points}."
    else:
        sentence = f"PART at {_step(losses, index)}{_size(losses, index)}, {points}."
    return Finding(sign.key, sentence, sign.numbers, good=False, at=step)


def _as_good(losses: Losses, growth: Growth) -> Finding:
    """Where nothing tells the two apart, or rounding can be all that does."""
    over = f"{len(losses.steps):,} {losses.unit}{'s' * (len(losses.steps) != 1)}"
    largest = losses.gap[losses.largest]
    complete = not any(len(steps) for steps in losses.only)
    what = "losses" if not losses.columns else f"losses and {len(losses.columns)} other columns"
    hidden = f"A difference below {losses.resolution.max():.1e} could not be seen in these files."
    if growth.kind == "none" and not losses.apart:
        how = f"differ by {largest:.1e} at most, which the files can hide" if largest else "are the same"
        if complete:
            sentence = f"SAME as far as these files can tell: over all {over} the {what} {how}."
            return Finding("same", sentence, hidden, good=True)
        sentence = f"OTHER STEPS: over the {over} that both have the {what} {how}; the rest has only one of the two."
        return Finding("same", sentence, hidden, good=False)
    how = f"the gap of the losses grows to {largest:.1e} by orders and with no jump, as rounding makes it"
    if growth.kind == "none":
        how = f"the losses are the same, and {_listed(losses.apart)} differ by no more than rounding carries"
    sentence = f"LIKE ROUNDING: over {over} {how}. That is less than a proof."
    first = losses.gap[: signatures.FEWEST].max() / growth.unit
    dtype = "float64" if growth.unit < np.spacing(np.abs(losses.values[:, 0]).max()) * 2 else "float32"
    numbers = (
        f"The gap begins at {first:.2g} units in the last place of {dtype} and ends at "
        f"{losses.gap[-1] / growth.unit:.2g}; in sound float32 pairs it rose to between 1 and 68,000 in 180 steps. A "
        "difference as small in the programs would look like this too."
    )
    return Finding("rounding", sentence, numbers, good=complete)


def _beside(losses: Losses, growth: Growth) -> Finding | None:
    """Where the losses are the same, or differ as rounding makes them, and another column does not."""
    all_moved = [name for name in losses.apart if moved(losses, losses.columns[name], growth)]
    if not all_moved:
        return None
    figures = [name for name in all_moved if not SHARES(name) and not RATES(name)]
    name = (figures or all_moved)[0]
    # With the evaluation's loss the same, a share of hits is counted otherwise; without one, anything there may differ.
    told = any(n.startswith("val") and not SHARES(n) for n in losses.columns)
    key = "evaluation" if figures or (name.startswith("val") and not told) else "metric"
    key = "reported" if RATES(name) else key
    column = losses.columns[name]
    index = column.first_apart or 0
    others = f"; so do {_listed(all_moved[1:])}" if len(all_moved) > 1 else ""
    alike = {"none": "the same", "rounding": "apart as rounding makes them", "unclear": "apart by far less"}[
        growth.kind
    ]
    sentence = (
        f"DIFFER in {name}, from {_step(losses, index, column)}{_size(column, index)}{others}; the losses are {alike}, "
        f"which points to {CAUSES[key].points_to}."
    )
    sentence = sentence.replace(": ", ", ", 1).replace(f"DIFFER in {name}, from", f"DIFFER in {name}: from", 1)
    numbers = f"The losses lie {losses.gap[losses.largest]:.1e} apart at most, {name} {column.gap[column.largest]:.1e}."
    return Finding(key, sentence, numbers, good=False, column=name, at=int(column.steps[index]))


def _not_finite(losses: Losses, growth: Growth) -> _Sign | None:
    index = growth.onset
    if index is None or np.isfinite(losses.values[:, index]).all():
        return None
    pairs = zip(LETTERS, losses.values[:, index], strict=True)
    said = " and ".join(f"{letter}'s loss is {value}" for letter, value in pairs if not np.isfinite(value))
    before = "It is the first step that both have."
    if index:
        before = f"Before it they differ by {losses.gap[:index].max():.1e} at most."
    return _Sign("not finite", f"{said}, which agrees with nothing, not even with the same. {before}", index)


def _logged_otherwise(losses: Losses) -> _Sign | None:
    """Where one curve follows from the other at every step."""
    shift, factor, offset = (
        signatures.shifted(losses),
        signatures.factor(losses, first=False),
        signatures.offset(losses),
    )
    if shift is not None:
        return _Sign("renumbered", f"B's loss at step s{shift:+d} is A's at step s, within what the files can hide.")
    if factor is not None:
        unit = "the same curve in another unit, where the loss is computed or only where it is logged"
        return _Sign("reduction", f"B's loss is {factor:.6g} times A's at every common step: {unit}.")
    if offset is not None:
        return _Sign("penalty", f"B's loss is A's and {offset:.6g} at every common step: the same curve, moved.")
    if (mean := signatures.running_mean(losses)) is not None:
        of, other = LETTERS[mean], LETTERS[1 - mean]
        return _Sign("reported", f"{of}'s loss is the mean of {other}'s losses so far, over the first steps at least.")
    if (added := signatures.smooth_offset(losses)) is not None:
        return _Sign(
            "penalty", f"B's loss is A's and {added:.3g} at first; the difference changes slowly, and smoothly."
        )
    return _trained_alike(losses)


def _trained_alike(losses: Losses) -> _Sign | None:
    """Where the loss differs, and the evaluation's loss does not."""
    for name, column in losses.columns.items():
        unit = signatures.AMPLIFIED * min(signatures.unit_of(losses), signatures.unit_of(column))
        if name.startswith("val") and not SHARES(name) and len(column.steps) > 1:
            same = (column.gap <= np.maximum(column.resolution, unit)).all()
            if same and losses.gap.max() > signatures.JUMP * max(float(column.gap.max()), unit / signatures.AMPLIFIED):
                index = losses.first_apart or 0
                if index == 0 and (whole := _whole_factor(losses) or _nearly_whole(losses)) is not None:
                    return whole
                return _Sign("reported", f"{name} is the same in both, so what was trained is.", index)
    return None


def _rate_logged(losses: Losses, growth: Growth) -> _Sign | None:
    """Where the logs have the learning rate, and it differs before the loss does."""
    assert growth.onset is not None
    for name in filter(RATES, losses.apart):
        column = losses.columns[name]
        index = column.first_apart
        assert index is not None
        if column.steps[index] <= losses.steps[growth.onset]:
            a, b = column.values[:, index]
            key = "rate" if index == 0 else "schedule"
            return _Sign(key, f"{name} is {a:.6g} in A and {b:.6g} in B at step {column.steps[index]}.", growth.onset)
    return None


def _little_by_little(losses: Losses, growth: Growth) -> _Sign | None:
    if growth.kind not in ("small", "unclear"):
        return None
    index = losses.first_apart if growth.onset is None else growth.onset
    assert index is not None
    largest = f"{losses.gap[losses.largest]:.1e} at {_step(losses, losses.largest)}"
    if growth.kind == "small" and signatures.from_the_second_update(losses):
        return _Sign("carried", f"The gap lies to one side from the second update on, and reaches {largest}.", index)
    if growth.kind == "small":
        numbers = f"The gap lies to one side from the start, grows with no jump, and reaches {largest}."
        return _Sign("small", numbers, index)
    return _Sign(
        "unclear", f"The gap grows with no jump and reaches {largest}, faster than rounding mostly does.", index
    )


def _before_the_log(losses: Losses, growth: Growth) -> _Sign | None:
    first = int(losses.steps[0])
    late = first > 1 or first > min(int(log.steps[0]) for log in losses.logs)
    if growth.onset != 0 or not late:
        return None
    return _Sign("begun late", f"The first step that both have is {first}.")


def _by_epoch(losses: Losses, growth: Growth) -> _Sign | None:
    if not signatures.by_epoch(losses):
        return None
    index = growth.onset
    assert index is not None
    if index == 0:
        factor = _whole_factor(losses)
        return factor or _Sign("first epoch", f"The first epoch's losses lie {losses.gap[0]:.1e} apart.")
    # Whoever draws another order does so from the second epoch on at the latest.
    key = "order" if index == 1 else "schedule"
    return _Sign(key, f"Until then the epochs' losses lie {losses.gap[:index].max():.1e} apart at most.", index)


def _whole_factor(losses: Losses) -> _Sign | None:
    """Where one first loss is a whole number of times the other."""
    factor = signatures.factor(losses, first=True)
    if factor is None or factor <= 0:
        return None
    times = max(factor, 1 / factor)
    error = times * float((losses.resolution[0] + 8 * signatures.unit_of(losses)) / np.abs(losses.values[:, 0]).min())
    whole = round(times)
    sure = error <= SURELY_WHOLE * min(whole, MOST_SURE)
    if whole == 1 or not sure or abs(times - whole) > error:
        return None
    more, less = LETTERS if factor < 1 else LETTERS[::-1]
    return _Sign("reduction", f"{more}'s first loss is {times:.5g} times {less}'s: {whole}, as far as the files tell.")


def _nearly_whole(losses: Losses) -> _Sign | None:
    """Where one loss is nearly a whole number of times the other at every step: rounding moved both since."""
    ratios = losses.values[1] / losses.values[0]
    more, less = LETTERS[::-1] if ratios[0] > 1 else LETTERS
    times = ratios if ratios[0] > 1 else 1 / ratios
    whole = np.round(times[0])
    if not whole > 1 or not (np.abs(times - whole) < SLIGHT * whole).all():
        return None
    return _Sign("reduction", f"{more}'s loss is {times[0]:.5g} times {less}'s at first, and nearly so to the end.")


def _first_loss(losses: Losses, growth: Growth) -> _Sign | None:
    """Where the first losses differ, before any update."""
    if growth.onset != 0:
        return None
    if (whole := _whole_factor(losses)) is not None:
        return whole
    a, b = losses.values[:, 0]
    factor = signatures.factor(losses, first=True)
    told = f"A's first loss is {a:.6g}, B's {b:.6g}" + (f": {factor:.4g} times A's." if factor else ".")
    if (slower := _flattened(losses)) is not None:
        classes = round(float(np.exp(losses.values[slower, 0])))
        told += (
            f" {LETTERS[slower]}'s loss hardly moves and stays above {signatures.least_of_two_softmax(classes):.3g}, "
            f"the least that a second softmax leaves of {classes} classes."
        )
        return _Sign("softmax twice", told)
    if factor is not None and not 1 / MUCH < factor < MUCH and (usual := _classes(losses)):
        told += f" ln {usual} is {np.log(usual):.4g}: what {usual} classes give at first."
        return _Sign("logits", told)
    return _by_ups_and_downs(losses, told)


def _classes(losses: Losses) -> int | None:
    """Of how many classes the smaller of the first losses is that of chance; None where it is of no usual number."""
    smaller = losses.values[int(losses.values[1, 0] < losses.values[0, 0]), : signatures.FEWEST]
    larger = losses.values[:, 0].max()
    if smaller[0] <= 0 or larger > CLIPPED or np.ptp(smaller) > NEAR_CHANCE * smaller[0]:
        return None
    return next((n for n in USUAL_CLASSES if abs(smaller[0] - np.log(n)) < NEAR_CHANCE / 2 * np.log(n)), None)


def _by_ups_and_downs(losses: Losses, told: str) -> _Sign:
    """The same batches make the same ups and downs, whatever else differs a little."""
    if signatures.astray(losses, 0):
        told += " The training goes astray: its ups and downs say nothing of the batches."
    correlation = signatures.same_batches(losses, 0)
    # By chance two first losses are as near, and not the next ones.
    slight = losses.gap[: signatures.FEWEST].max() < SLIGHT * np.abs(losses.values[:, 0]).max()
    a, b = np.abs(losses.values[:, 0])
    times_apart = max(a, b) > TIMES * min(a, b)
    if correlation is None:
        return _Sign("first loss", told)
    told += f" Their ups and downs correlate by {correlation:.2f}."
    if correlation <= signatures.OTHER_BATCHES and not times_apart:
        return _Sign("examples", told)
    if correlation < signatures.SAME_BATCHES:
        return _Sign("first loss", told)
    return _Sign("forward" if slight else "start", told)


def _flattened(losses: Losses) -> int | None:
    """Which of the two, 0 or 1, has the loss of a second softmax; None for neither."""
    moves = np.abs(np.diff(losses.values[:, :12], axis=1)).mean(axis=1)
    slower = int(moves[1] < moves[0])
    first, least = losses.values[slower, 0], losses.values[slower].min()
    if signatures.spaced(losses) or len(losses.steps) < 2 * signatures.FEWEST or not 0 < first < np.log(1e6):
        return None
    classes = round(float(np.exp(first)))
    floor = signatures.least_of_two_softmax(classes)
    # Probabilities are so alike at first that the loss is nearly that of chance.
    near = abs(first - np.log(max(classes, 1))) < SURELY_WHOLE * first
    below = losses.values[1 - slower].min() < 0.9 * floor
    return slower if near and below and least > 0.98 * floor and moves[slower] < 0.3 * moves[1 - slower] else None


def _after(losses: Losses, growth: Growth) -> _Sign:
    """Where the first losses are the same, and the two part at once after that."""
    index, at = growth.onset, signatures.updates(losses)
    assert index is not None
    share = signatures.share_of_a_step(losses, index)
    told = (
        f"Until then they lie {losses.gap[:index].max(initial=0):.1e} apart at most, there {losses.gap[index]:.1e}: "
        f"{share:.2g} times what the loss changes from step to step."
    )
    if signatures.spaced(losses):
        return _Sign("first updates", f"{told} Many steps are not logged.", index)
    if at is not None and at[index] <= LARGEST_CARRIED:
        return _first_updates(losses, int(at[index]), share, told, index)
    return _later(losses, share, told, index)


def _first_updates(losses: Losses, update: int, share: float, told: str, index: int) -> _Sign:
    if update > 1 and losses.gap[index] < signatures.JUMP_FROM_HIDDEN * losses.resolution[index]:
        return _Sign("first updates", f"{told} Up to {losses.resolution[index]:.1e} may be hidden before it.", index)
    if update > 1:
        carried = share >= SMALL_SHARE or signatures.from_the_second_update(losses)
        return _Sign("carried" if carried else "first updates", told, index)
    if (speed := signatures.speed(losses)) is not None:
        told += f" As an estimate, B's loss falls {speed:.2g} times as fast as A's."
    return _Sign("update", told, index)


def _later(losses: Losses, share: float, told: str, index: int) -> _Sign:
    lengths = [signatures.epoch_length(log) for log in losses.logs]
    if lengths[0] and lengths[1] and lengths[0] != lengths[1]:
        return _Sign("last batch", f"{told} An epoch has {lengths[0]} steps in A and {lengths[1]} in B.", index)
    length = lengths[0] or lengths[1]
    gone = int(losses.steps[index] - min(int(log.steps[0]) for log in losses.logs))
    if length:
        where = "the border of an epoch" if gone % length == 0 else "within an epoch"
        told += f" It is step {gone % length} of an epoch of {length}: {where}."
    if astray := signatures.astray(losses, index):
        told += " The training goes astray there."
    correlation = signatures.same_batches(losses, index)
    if correlation is not None:
        told += f" From there on their ups and downs correlate by {correlation:.2f}."
        if correlation <= signatures.OTHER_BATCHES:
            # Within an epoch the order seldom changes, and a rate that changes much takes the ups and downs away too.
            return _Sign("later" if length and gone % length else "order", told, index)
    if astray or share < SMALL_SHARE_LATER:
        return _Sign("later", told, index)
    if correlation is not None and correlation >= signatures.SAME_BATCHES:
        return _Sign("schedule", told, index)
    if length:
        return _Sign("order" if gone == length else "schedule", told, index)
    return _Sign("later", told, index)


def _step(losses: Losses, index: int, column: Column | None = None) -> str:
    return f"{losses.unit} {(column or losses).steps[index]}"


def _size(column: Column, index: int) -> str:
    """Both values, and how far apart they lie."""
    (a, b), gap, resolution = column.values[:, index], column.gap[index], column.resolution[index]
    values = f": {a:.9g} in A and {b:.9g} in B"
    if not np.isfinite(gap) or not resolution > 0:
        return values
    times = gap / resolution
    if times >= BEYOND:
        return f"{values}, {gap:.1e} apart, far more than the files can hide"
    shown = f"{times:,.0f}" if times >= 10 else f"{times:.2g}"  # noqa: PLR2004 as few digits as can be read
    return f"{values}, {gap:.1e} apart, {shown} times what the files can hide"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")  # noqa: PLR2004
