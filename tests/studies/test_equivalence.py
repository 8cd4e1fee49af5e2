"""Equivalence by figures worked by hand, by another implementation, and by how often it is claimed where it is not."""

import numpy as np
import pytest
from scipy import stats

from shared.studies import equivalence
from shared.studies.equivalence import Equivalence, Margin, fewest_pairs, sign_flip, smallest_flip_p_value, spread


def judged(differences, margin, origin="named"):
    return Equivalence("x", np.array(differences, float), Margin(margin, origin))


def test_bound_by_hand():
    # Mean 2, standard deviation 1, three pairs: 2 + 2.920 / √3, from a table of Student's t at 95 %.
    found = judged([1, 2, 3], 3.7)
    assert found.bound == pytest.approx(2 + 2.920 / 3**0.5, rel=1e-3)
    assert found.t_p_value < 0.05
    assert judged([1, 2, 3], 3.68).t_p_value > 0.05
    assert judged([-1, -2, -3], 3.68).t_p_value > 0.05


def test_students_test_and_the_bound_agree():
    differences = np.random.default_rng(1).normal(1e-4, 2e-4, 12)
    for origin, alpha in (("named", 0.05), ("estimated", 0.025)):
        bound = judged(differences, 1.0, origin).bound
        assert judged(differences, bound * 1.001, origin).t_p_value < alpha
        assert judged(differences, bound * 0.999, origin).t_p_value > alpha


def test_signs_flipped_by_hand():
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == 1 / 8  # as they stand
    assert sign_flip(np.array([-1.0, 2.0, 3.0])) == 2 / 8  # and with the first turned
    assert sign_flip(np.array([-1.0, -2.0, -3.0])) == 1
    assert sign_flip(np.zeros(4)) == 1
    # What is a tie on paper is one here: 0.1 + 0.2 - 0.3 is not 0 in float64, and flipped it is.
    assert sign_flip(np.array([0.1, 0.2, -0.3])) == sign_flip(np.array([1.0, 2.0, -3.0])) == 5 / 8


def test_signs_flipped_as_scipy_flips_them():
    for count in (5, 9):
        values = np.random.default_rng(count).normal(0.5, 1, count)
        asked = {"permutation_type": "samples", "alternative": "greater", "n_resamples": np.inf}
        assert sign_flip(values) == pytest.approx(stats.permutation_test((values,), np.mean, **asked).pvalue, rel=1e-12)


def test_of_many_pairs_random_flips_come_close_to_all(monkeypatch):
    values = np.random.default_rng(0).normal(0.4, 1, 14)
    every = sign_flip(values)
    monkeypatch.setattr(equivalence, "MOST_COUNTED", 13)
    assert 0.01 < every < 0.2
    assert sign_flip(values) == pytest.approx(every, abs=4 * (every / equivalence.DRAWN) ** 0.5)
    assert sign_flip(np.ones(40)) == smallest_flip_p_value(40) == 1 / (1 + equivalence.DRAWN)


def test_both_sides_are_tested_by_flips_too():
    inside = np.linspace(-0.1, 0.1, 8)
    for shift, held in ((0, True), (0.9, False), (-0.9, False)):
        assert judged(inside + shift, 0.8).holds is held
    assert judged(inside + 0.9, 0.8).flip_p_value == judged(inside - 0.9, 0.8).flip_p_value == 1


def test_where_the_two_tests_differ_nothing_is_shown():
    # One of five pairs lies outside: 2 of 32 flips make as large a sum, and what t takes for normal is not.
    outlier = judged([0, 0, 0, 0, 1.05], 1)
    assert (outlier.t_p_value < 0.05, outlier.flip_p_value, outlier.holds) == (True, 2 / 32, False)
    # All lie inside, and one of ten so far from the others that their mean is known badly.
    spread_out = judged([0.999] * 9 + [-0.999], 1)
    assert (spread_out.t_p_value > 0.05, spread_out.flip_p_value < 0.05, spread_out.holds) == (True, True, False)


@pytest.mark.parametrize(("origin", "fewest"), [("measured", 5), ("named", 5), ("estimated", 6)])
def test_too_few_pairs_show_nothing_however_close(origin, fewest):
    assert fewest_pairs(Margin(1.0, origin).alpha) == fewest
    for count, held in ((2, False), (fewest - 1, False), (fewest, True)):
        found = judged(1e-9 * np.arange(count), 1.0, origin)
        assert found.t_p_value < 0.025
        assert found.flip_p_value == 0.5**count == smallest_flip_p_value(count)
        assert found.holds is held


@pytest.mark.parametrize("differences", [[0.0] * 10, [0.25] * 10, [0.9301 - 0.93, 0.9008 - 0.9007] * 5])
def test_from_differences_that_are_all_the_same_students_t_claims_nothing(differences):
    found = judged(differences, 0.5)
    assert (found.t_p_value, found.bound) == (None, None)
    assert found.flip_p_value == 0.5 ** len(differences)
    assert found.holds
    assert not judged(differences[:4], 0.5).holds


def test_pairs_off_by_the_margin_are_not_equivalent():
    assert not judged([0.5] * 10, 0.5).holds
    assert not judged([0.0] * 10, 0.0).holds


def test_spread_by_hand():
    # From a table of chi-square with 9 degrees of freedom: 2.700 and 19.023.
    found = spread(np.array([-1.0, 1.0] * 5))
    assert found.value == pytest.approx((10 / 9) ** 0.5)
    assert found.low == pytest.approx((10 / 19.023) ** 0.5, rel=1e-4)
    assert found.high == pytest.approx((10 / 2.700) ** 0.5, rel=1e-4)
    assert Margin.estimated(np.array([-1.0, 1.0] * 5)).value == pytest.approx(found.low / 10)


def share_held(make, draws=400):
    random = np.random.default_rng(0)
    return np.mean([make(random).holds for _ in range(draws)])


@pytest.mark.parametrize("count", [6, 10])
@pytest.mark.parametrize("noise", [1e-3, 0.05])
def test_a_margin_from_the_same_runs_is_seldom_wider_than_the_truth(count, noise):
    """The runs differ by exactly a tenth of what a seed does. With a tenth of their own spread a third would pass."""

    def make(random):
        runs, differences = random.standard_normal(count), 0.1 + noise * random.standard_normal(count)
        return Equivalence("x", differences, Margin.estimated(runs))

    assert share_held(make) < 0.05


@pytest.mark.parametrize("draw", ["standard_normal", "uniform"])
def test_at_the_margin_equivalence_is_claimed_in_one_case_of_twenty_at_most(draw):
    def make(random):
        noise = getattr(random, draw)(size=8)
        return judged(0.3 + noise - 0.5 * (draw == "uniform"), 0.3)

    assert share_held(make) < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
