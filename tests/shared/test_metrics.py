import math

import numpy as np
import pytest

from shared.metrics import accuracy, cross_entropy, mean_of_batch_means, mean_per_example, predictions, probabilities

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        # Equal logits: every class has 1/2.
        ([[0, 0]], [0], math.log(2)),
        ([[5, 5]], [1], math.log(2)),
        # exp of the logits is 1, 2 and 5 of 8: shares 1/8, 1/4 and 5/8.
        ([[0, math.log(2), math.log(5)]], [0], math.log(8)),
        ([[0, math.log(2), math.log(5)]], [1], math.log(4)),
        ([[0, math.log(2), math.log(5)]], [2], math.log(8 / 5)),
        # A mean, not a sum: (ln 4 + ln 4/3) / 2.
        ([[0, math.log(3)], [0, math.log(3)]], [0, 1], (math.log(4) + math.log(4 / 3)) / 2),
        # exp(1000) overflows; the share of the other class, exp(-1000), is lost beside 1.
        ([[1000, 0]], [0], 0),
        ([[1000, 0]], [1], 1000),
        ([[-1000, 0]], [0], 1000),
    ],
)
def test_cross_entropy_by_hand(logits, labels, expected):
    assert cross_entropy(np.array(logits, dtype=np.float64), np.array(labels)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_cross_entropy_is_in_float64_whatever_the_logits_are(dtype):
    # ln(1 + exp(-16)) = exp(-16) - exp(-32)/2 ...: float32 has nothing between 1 and 1 + 1.2e-7.
    loss = cross_entropy(np.array([[0, -16]], dtype=dtype), np.array([0]))
    assert loss == pytest.approx(math.log1p(math.exp(-16)), rel=1e-8)


def test_cross_entropy_of_a_nan_is_a_nan():
    assert math.isnan(cross_entropy(np.array([[0, NAN], [0, 1]]), np.array([0, 1])))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0, 1, 2], 2),
        ([-3, -1, -2], 1),
        ([1, 1, 0], 0),  # a tie goes to the lowest class
        ([0, 7, 7], 1),
        ([0, 0, 0], 0),
        ([NAN, 0, 0], -1),
        ([0, 0, NAN], -1),
        ([0, INF, 0], -1),
        ([0, 1, -INF], -1),
    ],
)
def test_prediction_by_hand(row, expected):
    found = predictions(np.array([row, [9, 0, 0]], dtype=np.float32))
    assert found.dtype == np.int64
    assert found.tolist() == [expected, 0]


def test_accuracy_by_hand():
    # Right, wrong, a tie that falls to class 0 (right), and beside a NaN either class is wrong: 2 of 5.
    logits = np.array([[0, 1], [1, 0], [3, 3], [NAN, 5], [NAN, 5]])
    assert accuracy(logits, np.array([1, 1, 0, 0, 1])) == 0.4


@pytest.mark.parametrize(("label", "expected"), [(0, 1.0), (1, 0.0)])
def test_tie_is_right_for_the_lowest_class_alone(label, expected):
    assert accuracy(np.zeros((4, 10), np.float32), np.full(4, label)) == expected


# 60000 = 937 * 64 + 32. Full batches lose 1, the short last one 2:
# mean of batch means (937 * 1 + 2) / 938 = 939/938; per example (59968 * 1 + 32 * 2) / 60000 = 60032/60000.
RAGGED = np.array([1.0] * 937 + [2.0], dtype=np.float32)


def test_mean_of_batch_means_counts_the_short_last_batch_in_full():
    assert mean_of_batch_means(RAGGED) == pytest.approx(939 / 938, rel=1e-14)


def test_mean_per_example_counts_the_short_last_batch_by_its_size():
    assert mean_per_example(RAGGED, [64] * 937 + [32]) == pytest.approx(60_032 / 60_000, rel=1e-14)


def test_epoch_losses_are_summed_in_float64():
    # In float32 2**24 + 1 is 2**24, so the ones would be lost. (2**24 + 1 + 1 + 1) / 4 = 4194304.75.
    losses = np.array([2**24, 1, 1, 1], dtype=np.float32)
    assert mean_of_batch_means(losses) == 4_194_304.75
    assert mean_per_example(losses, [8] * 4) == 4_194_304.75


def test_one_nan_makes_the_epoch_a_nan():
    losses = np.array([1, NAN, 2], dtype=np.float32)
    assert math.isnan(mean_of_batch_means(losses))
    assert math.isnan(mean_per_example(losses, [4, 4, 2]))


def test_probabilities_are_the_softmax_and_nan_where_a_logit_is_no_number():
    logits = np.array([[0.0, np.log(3.0)], [1e4, 1e4], [0.0, np.inf]])
    assert probabilities(logits)[:2] == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert np.isnan(probabilities(logits)[2]).all()
