"""What the two networks get wrong: confusion matrices, and the digits that tell most about a pair of runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared import metrics
from shared.mnist import MNIST, Examples
from shared.reporting.tables import Table
from shared.running.record import Run

SHOWN = 12  # digits of each kind
NO_PREDICTION = -1
LIKELIEST = 0.9999  # what is above it would be written as a certainty


@dataclass(frozen=True)
class Digit:
    """One test image, and what the two frameworks make of it."""

    index: int  # into the test images in the canonical order
    image: np.ndarray  # uint8 (784,)
    label: int
    predictions: tuple[int, int]
    probabilities: np.ndarray  # (2, 10)

    def classes(self) -> list[int]:
        """The label, and what was predicted beside it."""
        return list(dict.fromkeys(c for c in (self.label, *self.predictions) if c != NO_PREDICTION))


@dataclass(frozen=True)
class Mistakes:
    """What two runs, `names`, make of the test images."""

    names: tuple[str, str]
    confusion: tuple[np.ndarray, np.ndarray]  # (10, 10) each, [label, prediction] -> how many
    without: tuple[int, int]  # how many images have no prediction, their logits not being numbers
    disagreed: int
    right: tuple[int, int]  # of those they disagree on, how many each gets right
    both_wrong: int
    disagreements: list[Digit]  # the first few, those whose probabilities lie furthest apart first
    confident: list[Digit]  # that both get wrong, the most confidently wrong first

    @property
    def examples(self) -> int:
        return int(self.confusion[0].sum()) + self.without[0]

    @property
    def wrong(self) -> tuple[int, int]:
        a, b = (int(m.sum() - np.trace(m)) + n for m, n in zip(self.confusion, self.without, strict=True))
        return a, b


def confusion(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each label (rows) was taken for each class (columns), (10, 10); without images not predicted."""
    counts = np.zeros((len(MNIST.classes), len(MNIST.classes)), np.int64)
    made = predicted != NO_PREDICTION
    np.add.at(counts, (labels[made], predicted[made]), 1)
    return counts


def compare(runs: Sequence[Run], test: Examples) -> Mistakes:
    """Look at what both runs predict for every image of the test set."""
    a, b = (metrics.predictions(run.test_logits) for run in runs)
    probabilities = np.stack([metrics.probabilities(run.test_logits) for run in runs])  # (2, N, 10)
    labels = test.labels

    def digits(chosen: np.ndarray) -> list[Digit]:
        return [
            Digit(int(i), test.images[i], int(labels[i]), (int(a[i]), int(b[i])), probabilities[:, i])
            for i in chosen[:SHOWN]
        ]

    differ = np.flatnonzero(a != b)
    apart = np.nan_to_num(np.abs(probabilities[0] - probabilities[1]).max(axis=1), nan=np.inf)
    wrong = np.flatnonzero((a != labels) & (b != labels) & (a != NO_PREDICTION) & (b != NO_PREDICTION))
    # A digit counts as confidently wrong when both are sure: by the less sure of the two.
    sure = np.minimum(*(p[np.arange(len(labels)), v] for p, v in zip(probabilities, (a, b), strict=True)))
    first, second = (run.record.framework for run in runs)
    return Mistakes(
        names=(first, second),
        confusion=(confusion(a, labels), confusion(b, labels)),
        without=(int((a == NO_PREDICTION).sum()), int((b == NO_PREDICTION).sum())),
        disagreed=len(differ),
        right=(int((a[differ] == labels[differ]).sum()), int((b[differ] == labels[differ]).sum())),
        both_wrong=int(((a != labels) & (b != labels)).sum()),
        disagreements=digits(differ[np.argsort(-apart[differ], kind="stable")]),
        confident=digits(wrong[np.argsort(-sure[wrong], kind="stable")]),
    )


def probability(value: float) -> str:
    """A probability as it is written."""
    if not np.isfinite(value):
        return "–"
    return f"> {LIKELIEST:.2%}" if value > LIKELIEST else f"{value:.2%}"


def how_often(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def confusion_sentences(mistakes: Mistakes) -> list[str]:
    """How many each gets wrong, and what it takes for what most often."""
    found = []
    for name, wrong, without, counts in zip(
        mistakes.names, mistakes.wrong, mistakes.without, mistakes.confusion, strict=True
    ):
        sentence = f"{name} gets {wrong:,} of {mistakes.examples:,} wrong"
        off = counts - np.diag(np.diag(counts))
        if off.any():
            label, taken_for = np.unravel_index(off.argmax(), off.shape)
            sentence += f", most often a {label} taken for a {taken_for}: {how_often(int(off.max()))}"
        found.append(sentence + (f"; for {without:,} its logits are not numbers." if without else "."))
    return found


def disagreement_sentence(mistakes: Mistakes) -> str:
    if not mistakes.disagreed:
        return "The two frameworks predict the same for every test image."
    (first, second), (a, b) = mistakes.names, mistakes.right
    shown = len(mistakes.disagreements)
    return (
        f"They disagree on {mistakes.disagreed:,} of {mistakes.examples:,} test images: {first} is right in {a:,}, "
        f"{second} in {b:,}, neither in {mistakes.disagreed - a - b:,}."
        + (f" The {shown} on which their probabilities lie furthest apart:" if shown < mistakes.disagreed else "")
    )


def both_wrong_sentence(mistakes: Mistakes) -> str:
    shown = len(mistakes.confident)
    return f"Both get {mistakes.both_wrong:,} wrong." + (
        f" The {shown} of which both are surest, by the less sure of the two:" if shown else ""
    )


def disagreements_table(mistakes: Mistakes) -> Table:
    """The digits on which the two disagree, in words."""
    header = ["test image", "label", *(f"{name} says" for name in mistakes.names)]
    rows = []
    for digit in mistakes.disagreements:
        said = [
            "nothing" if c == NO_PREDICTION else f"{c} ({probability(p[c])})"
            for c, p in zip(digit.predictions, digit.probabilities, strict=True)
        ]
        rows.append([str(digit.index), str(digit.label), *said])
    return Table(header, rows)
