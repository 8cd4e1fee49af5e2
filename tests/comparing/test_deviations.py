"""How far numbers lie apart, by hand."""

import numpy as np
import pytest

from shared.comparing.deviations import Limits, deviation

LIMITS = Limits(most=4.0, rms=100.0)
UNIT = 2.0**-52  # in the last place of 1


def ones(**moved):
    """A hundred ones, some of them moved by so many units: `at_3=2`."""
    values = np.ones(100)
    for where, units in moved.items():
        values[int(where.removeprefix("at_"))] += units * UNIT
    return values


@pytest.mark.parametrize(
    ("recorded", "largest", "share"), [(ones(), 0, 0), (ones(at_3=2), 2, 0.5), (ones(at_3=2, at_9=-5), 5, 1.25)]
)
def test_the_furthest_value_counts(recorded, largest, share):
    found = deviation(recorded, ones(), LIMITS)
    assert (found.largest, found.share, found.floor) == (largest, share, 0)


def test_all_values_together_count_by_their_mean_square():
    everywhere = ones(**{f"at_{where}": 2 * (-1) ** where for where in range(100)})
    found = deviation(everywhere, ones(), Limits(most=4.0, rms=1.0))
    assert (found.largest, found.rms, found.share) == (2, 2, 2)
    # One value far off counts there as just too far: the rest decides.
    assert deviation(ones(at_3=1000), ones(), Limits(most=4.0, rms=1.0)).rms == 0.4
    # Of a few values the mean square says no more than the largest.
    assert deviation(everywhere[:2], ones()[:2], Limits(most=4.0, rms=1.0)).share == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sides", [(0,), (1,), (0, 1)])
def test_what_is_no_number_is_infinitely_far(bad, sides):
    pair = [ones(), ones()]
    for side in sides:
        pair[side][5] = bad
    assert deviation(*pair, LIMITS).share == np.inf


def test_other_shapes_are_infinitely_far():
    assert deviation(ones(), ones()[:-1], LIMITS).share == np.inf


def test_measured_rounding_allows_multiples_of_what_it_does():
    rounded = [ones(at_3=1), ones(at_3=-2, at_7=0.5)]
    found = deviation(ones(at_50=8), ones(), LIMITS, rounded)
    assert (found.floor, found.share) == (2, 8 / (LIMITS.times * 2))
    small = Limits(most=4.0, rms=0.01)
    assert deviation(ones(at_3=2), ones(), small, [ones(at_9=1)]).share == pytest.approx(2 / LIMITS.times_rms)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rounding_that_is_no_number_allows_nothing(bad):
    assert deviation(ones(at_3=8), ones(), LIMITS, [np.full(100, bad)]).share == 2
