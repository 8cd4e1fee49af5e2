"""What two runs get wrong, worked out by hand for three images."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from shared.mnist import Examples
from shared.reporting import mistakes
from shared.reporting.parts import Digits, probability

SURE, LESS_SURE, UNSURE = 9.0, 5.0, 1.0
LABELS = np.array([3, 5, 7, 7])


def run(name, *predicted):
    """A run that predicts these classes, each with the logit given; None where a logit is no number."""
    logits = np.zeros((len(predicted), 10))
    for row, prediction in zip(logits, predicted, strict=True):
        if prediction is None:
            row[4] = np.nan
        else:
            row[prediction[0]] = prediction[1]
    return SimpleNamespace(test_logits=logits, record=SimpleNamespace(framework=name))


@pytest.fixture
def found():
    a = run("A", (3, SURE), (6, UNSURE), (1, LESS_SURE), (1, UNSURE))
    b = run("B", (3, SURE), (5, LESS_SURE), (1, LESS_SURE), (2, SURE))
    return mistakes.compare([a, b], Examples(np.arange(4 * 784, dtype=np.uint8).reshape(4, 784), LABELS))


def test_confusion_has_labels_in_rows_and_predictions_in_columns(found):
    a, b = found.confusion
    assert (a[3, 3], a[5, 6], a[7, 1], a.sum()) == (1, 1, 2, 4)
    assert (b[5, 5], b[7, 1], b[7, 2], b.sum()) == (1, 1, 1, 4)
    assert found.wrong == [3, 2]


def test_disagreements_are_counted_and_come_the_furthest_apart_first(found):
    assert (found.disagreed, found.right, found.none_right, found.all_wrong) == (2, [0, 1], 1, 2)
    assert [digit.index for digit in found.disagreements] == [3, 1]
    first = found.disagreements[0]
    assert (first.label, first.predictions, first.classes()) == (7, (1, 2), [7, 1, 2])
    assert first.probabilities[1, 2] == pytest.approx(np.exp(SURE) / (np.exp(SURE) + 9))
    assert np.array_equal(first.image, np.arange(3 * 784, 4 * 784).astype(np.uint8))


def test_confidently_wrong_is_what_both_are_sure_of(found):
    assert [digit.index for digit in found.confident] == [2, 3]  # of 3 one is surer, the other is not sure


def test_the_sentences_have_the_figures(found):
    assert mistakes.confusion_sentences(found) == [
        "A gets 3 of 4 wrong, most often a 7 taken for a 1: 2 times.",
        "B gets 2 of 4 wrong, most often a 7 taken for a 1: once.",
    ]
    expected = "They disagree on 2 of 4 test images: A is right in 0, B in 1, neither in 1."
    assert mistakes.disagreement_sentence(found) == expected
    expected = (
        "Both get 2 wrong. Shown are the 2 of which both are most certain: the order is that of the lowest probability "
        "that one of them gives to its wrong answer."
    )
    assert mistakes.all_wrong_sentence(found) == expected
    assert Digits(found.names, found.disagreements).table().rows[1] == ["1", "5", "6 (23.20%)", "5 (94.28%)"]


def test_no_more_digits_are_shown_than_there_is_room_for():
    count = mistakes.SHOWN + 5
    a, b = run("A", *[(1, SURE)] * count), run("B", *[(2, SURE)] * count)
    found = mistakes.compare([a, b], Examples(np.zeros((count, 784), np.uint8), np.zeros(count, np.int64)))
    assert len(found.disagreements) == len(found.confident) == mistakes.SHOWN
    assert mistakes.disagreement_sentence(found).endswith(
        "Shown are the 12 on which their probabilities lie furthest apart:"
    )


def test_logits_that_are_no_numbers_are_no_predictions():
    a, b = run("A", None, (5, SURE)), run("B", (3, SURE), (5, SURE))
    found = mistakes.compare([a, b], Examples(np.zeros((2, 784), np.uint8), LABELS[:2]))
    assert (found.without, found.wrong, found.disagreed, found.all_wrong) == ([1, 0], [1, 0], 1, 0)
    assert Digits(found.names, found.disagreements).table().rows == [["0", "3", "nothing", "3 (99.89%)"]]
    assert mistakes.confusion_sentences(found)[0] == "A gets 1 of 2 wrong; for 1 its logits are not numbers."
    assert found.confident == []


def test_two_that_agree_throughout(found):
    a = run("A", (3, SURE), (5, SURE))
    found = mistakes.compare([a, a], Examples(np.zeros((2, 784), np.uint8), LABELS[:2]))
    assert mistakes.disagreement_sentence(found) == "The two frameworks predict the same for every test image."
    assert mistakes.all_wrong_sentence(found) == "Both get 0 wrong."
    assert mistakes.confusion_sentences(found)[0] == "A gets 0 of 2 wrong."
    assert dataclasses.asdict(found)["disagreements"] == []


@pytest.mark.parametrize(
    ("value", "words"), [(0.5, "50.00%"), (0.99985, "99.98%"), (0.99996, "> 99.99%"), (np.nan, "–"), (0.0, "0.00%")]
)
def test_a_probability_is_never_written_as_a_certainty(value, words):
    assert probability(value) == words
