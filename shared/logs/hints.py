"""What two loss curves point to: only what their numbers support."""

import numpy as np

from shared.comparing.checks import DIVERGED_ULPS
from shared.logs.log_pair import LETTERS, Losses
from shared.logs.loss_logs import EPOCH

# Fewer points fit a line too easily.
FEWEST = 4


def hint(losses: Losses) -> str:
    """The likely kind of cause, in plain words, one paragraph: the first kind that the numbers support."""
    return (
        _none_needed(losses)
        or _renumbered(losses)
        or _as_rounding_does(losses)
        or _not_finite(losses)
        or _same_shape(losses)
        or _from_the_first_step(losses)
        or _later(losses)
    )


def _none_needed(losses: Losses) -> str | None:
    if losses.first_apart is not None:
        return None
    coarsest = losses.resolution.max()
    return f"Nothing here tells the two apart. A difference below {coarsest:.1e} could not be seen in these files."


def _renumbered(losses: Losses) -> str | None:
    """Where one is the other under other step numbers, as when one counts from 0 and the other from 1."""
    a, b = losses.logs
    for shift in dict.fromkeys((int(b.steps[0] - a.steps[0]), 1, -1)):
        steps, in_a, in_b = np.intersect1d(a.steps + shift, b.steps, assume_unique=True, return_indices=True)
        with np.errstate(invalid="ignore"):  # of two infinities; a NaN is within nothing
            gap = np.abs(a.losses[in_a] - b.losses[in_b])
        enough = max(FEWEST, min(len(a.steps), len(b.steps)) - abs(shift))
        if shift and len(steps) >= enough and (gap <= a.resolution[in_a] + b.resolution[in_b]).all():
            return (
                f"B's loss at step s{shift:+d} is A's at step s, within what the files can hide, at all {len(steps):,} "
                "such steps: the same losses, numbered differently. Number both in the same way and compare again."
            )
    return None


def _as_rounding_does(losses: Losses) -> str | None:
    if losses.diverged is not None:
        return None
    return (
        f"The two never lie further apart than {DIVERGED_ULPS} times what the files can hide: rounding alone looks "
        "like this, and so does any other difference as small."
    )


def _not_finite(losses: Losses) -> str | None:
    """Where either is NaN or infinite at the step at which the two diverge."""
    assert losses.diverged is not None
    values = losses.values[:, losses.diverged]
    if np.isfinite(values).all():
        return None
    said = [f"{letter}'s loss is {x}" for letter, x in zip(LETTERS, values, strict=True) if not np.isfinite(x)]
    return (
        f"At step {losses.steps[losses.diverged]} {' and '.join(said)}, which agrees with nothing, not even with the "
        f"same. {_before(losses)}."
    )


def _before(losses: Losses) -> str:
    """How it was before the two diverged."""
    apart, diverged = losses.first_apart, losses.diverged
    assert apart is not None
    if diverged == 0:
        return "It is the first step that both have"
    alike = f"agree over their first {apart:,} common step{'s' * (apart > 1)}"
    little = f"differ by a little from step {losses.steps[apart]} on"
    return f"The two {', '.join([alike] * (apart > 0) + [little] * (apart != diverged))}"


def _same_shape(losses: Losses) -> str | None:
    """Where one curve is the other times a factor, or moved by a constant, at every step."""
    a, b = losses.values
    resolution = DIVERGED_ULPS * losses.resolution
    if len(a) < FEWEST or not np.isfinite(losses.values).all() or np.ptp(a) <= resolution.max():
        return None
    factor = float(a @ b / (a @ a))
    if (np.abs(factor * a - b) <= resolution * max(1.0, abs(factor))).all():
        return (
            f"B's loss is {factor:.6g} times A's at every common step: the same curve in another unit. The loss is "
            "summed or averaged differently, or weighted, where it is computed or only where it is logged."
        )
    moved = float(np.mean(b - a))
    if (np.abs(a + moved - b) <= resolution).all():
        return (
            f"B's loss is A's and {moved:.6g} at every common step: the same curve, moved. One loss has a term more "
            "than the other, and it stays the same."
        )
    return None


def _from_the_first_step(losses: Losses) -> str | None:
    if losses.diverged != 0:
        return None
    first = losses.steps[0]
    if first > 1 or first > min(log.steps[0] for log in losses.logs):
        return (
            f"The two differ at the first step that both have, {first}. Where they diverged before, these files can't "
            "tell: log both from the start, every step."
        )
    if any(log.counts == EPOCH for log in losses.logs):
        return (
            "The two differ in the first epoch already. Its loss comes after many updates, so that can be anything: "
            "the start, the data, the loss, the update. Log every step to see which comes first."
        )
    return (
        f"The two differ at the first step, {first}. If that loss was taken before the first update, it depends on the "
        "initial weights, the first examples and the definition of the loss alone: one of these differs, and nothing "
        "can be said of the optimizer yet."
    )


def _later(losses: Losses) -> str:
    apart, diverged = losses.first_apart, losses.diverged
    assert diverged is not None
    step = losses.steps[diverged]
    if diverged == apart:
        return (
            f"{_before(losses)}, and diverge at step {step} at once: until there, start, data and definition of the "
            "loss were the same. Look for what first acts there: a schedule, another order of the examples from there "
            "on (an epoch that begins, a restart), a batch that only one has; or, in float32, a ReLU whose input was "
            "rounded to either side of zero."
        )
    return (
        f"{_before(losses)}, and diverge at step {step}. The difference grows: as rounding does in float32, and as a "
        "small difference in the update does (a rate, an epsilon, a decay). The same two runs in float64 tell which: "
        "rounding then almost vanishes."
    )
