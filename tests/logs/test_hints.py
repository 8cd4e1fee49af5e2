"""What is said of two curves, of each kind once; and not said where the numbers do not bear it."""

import numpy as np
import pytest

from shared.logs.hints import hint
from shared.logs.log_pair import compare_logs
from shared.logs.loss_logs import LossLog
from shared.logs.sources import Source

STEPS = np.arange(200)
RANDOM = np.random.default_rng(0)
CURVE = 2 * np.exp(-STEPS / 50) + 0.3 + 0.05 * RANDOM.standard_normal(200)
NOISE = RANDOM.standard_normal(200)


def compared(a, b, steps_a=STEPS, steps_b=STEPS, counts="step"):
    """Two logs whose losses are known to 5e-5."""
    logs = [
        LossLog(steps[: len(losses)], np.asarray(losses), np.full(len(losses), 5e-5), counts, "4 decimals")
        for losses, steps in ((a, steps_a), (b, steps_b))
    ]
    return compare_logs(tuple(Source(None, log) for log in logs))


def moved_from(step, by):
    return CURVE + np.where(step <= STEPS, by, 0)


SPOILED = CURVE.copy()
SPOILED[7] = np.nan

KINDS = {
    "nothing": (CURVE, CURVE + 5e-5, "Nothing here tells the two apart. A difference below 1.0e-04 could not be seen"),
    "rounding": (CURVE, CURVE + 1e-4 * np.tanh(NOISE) * 4, "never lie further apart than 8 times what the files can"),
    "not a number": (CURVE, SPOILED, "At step 7 B's loss is nan, which agrees with nothing"),
    "not a number on either side": (SPOILED, SPOILED, "At step 7 A's loss is nan and B's loss is nan, which"),
    "doubled": (CURVE, 2 * CURVE, "B's loss is 2 times A's at every common step"),
    "summed over 64": (64 * CURVE, CURVE, "B's loss is 0.015625 times A's at every common step"),
    "moved": (CURVE, CURVE + 0.25, "B's loss is A's and 0.25 at every common step"),
    "the start": (CURVE, CURVE + 0.1 * NOISE + 0.1, "The two differ at the first step, 0."),
    "at once": (
        CURVE,
        moved_from(60, 0.1 * NOISE),
        "agree over their first 60 common steps, and diverge at step 60 at",
    ),
    "growing": (
        CURVE,
        moved_from(60, (STEPS - 59) * 3e-4),
        "differ by a little from step 60 on, and diverge at step 62.",
    ),
}


@pytest.mark.parametrize(("a", "b", "said"), KINDS.values(), ids=KINDS)
def test_each_kind_is_said(a, b, said):
    assert said in hint(compared(a, b))


def test_growing_from_the_first_step_is_not_taken_for_another_start():
    said = hint(compared(CURVE, CURVE + STEPS * 3e-4 + 2e-4))
    assert said.startswith("The two differ by a little from step 0 on, and diverge at step 3.")
    assert "first examples" not in said


def test_the_first_common_step_is_not_taken_for_the_first():
    said = hint(compared(CURVE, CURVE + NOISE, STEPS + 500, STEPS + 500))
    assert said.startswith("The two differ at the first step that both have, 500. Where they diverged before, these")


def test_the_loss_of_an_epoch_says_less_than_that_of_a_step():
    said = hint(compared(CURVE, CURVE + NOISE, counts="epoch"))
    assert said.startswith("The two differ in the first epoch already. Its loss comes after many updates")


@pytest.mark.parametrize(
    ("a", "b", "steps_a", "steps_b", "shift"),
    [
        (CURVE, CURVE, STEPS, STEPS + 1, "s+1"),
        (CURVE, CURVE, STEPS + 1, STEPS, "s-1"),
        (CURVE[1:], CURVE[:-1], STEPS, STEPS, "s+1"),  # logged one step late
        (CURVE, CURVE, STEPS, STEPS + 50, "s+50"),
    ],
)
def test_the_same_losses_numbered_differently_are_recognised(a, b, steps_a, steps_b, shift):
    assert f"B's loss at step {shift} is A's at step s" in hint(compared(a, b, steps_a, steps_b))


def test_a_few_points_fit_everything_and_so_prove_nothing():
    for said in (hint(compared(CURVE[:3], 2 * CURVE[:3])), hint(compared(CURVE[:3], CURVE[:3], STEPS, STEPS + 1))):
        assert "every common step" not in said
        assert "numbered differently" not in said


def test_a_curve_that_is_almost_another_times_a_factor_is_not_called_so():
    b = 2 * CURVE
    b[100] += 0.01
    assert "every common step" not in hint(compared(CURVE, b))
