"""What the networks get wrong: confusion matrices, and the digits that tell most about the runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared import metrics
from shared.mnist import MNIST, Examples
from shared.reporting.parts import NO_PREDICTION, Cell, Digit, Matrices, Matrix
from shared.reporting.styles import style_of
from shared.running.record import Run

SHOWN = 12  # digits of each kind
PAIR = 2  # of two one says "both", of more "all"


@dataclass(frozen=True)
class Mistakes:
    """What the runs `names` make of the test images."""

    names: list[str]
    confusion: list[np.ndarray]  # (10, 10) for each run, [label, prediction] -> how many
    without: list[int]  # how many images have no prediction, their logits not being numbers
    disagreed: int  # on how many not all say the same
    right: list[int]  # of those, how many each gets right
    none_right: int  # of those, how many nobody gets right
    all_wrong: int  # of all images
    disagreements: list[Digit]  # the first few, those whose probabilities lie furthest apart first
    confident: list[Digit]  # that all get wrong, the most confidently wrong first

    @property
    def examples(self) -> int:
        return int(self.confusion[0].sum()) + self.without[0]

    @property
    def wrong(self) -> list[int]:
        return [int(m.sum() - np.trace(m)) + n for m, n in zip(self.confusion, self.without, strict=True)]


def confusion(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often each label (rows) was taken for each class (columns), (10, 10); without images not predicted."""
    counts = np.zeros((len(MNIST.classes),) * 2, np.int64)
    made = predicted != NO_PREDICTION
    np.add.at(counts, (labels[made], predicted[made]), 1)
    return counts


def compare(runs: Sequence[Run], test: Examples) -> Mistakes:
    """Look at what all runs predict for every image of the test set."""
    predicted = np.stack([metrics.predictions(run.test_logits) for run in runs])  # (runs, N)
    probabilities = np.stack([metrics.probabilities(run.test_logits) for run in runs])  # (runs, N, 10)
    labels, made = test.labels, predicted != NO_PREDICTION
    right = predicted == labels

    def digits(chosen: np.ndarray) -> list[Digit]:
        return [
            Digit(int(i), test.images[i], int(labels[i]), tuple(predicted[:, i].tolist()), probabilities[:, i])
            for i in chosen[:SHOWN]
        ]

    differ = np.flatnonzero((predicted != predicted[0]).any(axis=0))
    apart = np.nan_to_num((probabilities.max(axis=0) - probabilities.min(axis=0)).max(axis=1), nan=np.inf)
    wrong = np.flatnonzero((made & ~right).all(axis=0))
    # A digit counts as confidently wrong when all are sure: by the least sure of them.
    sure = np.take_along_axis(probabilities, predicted[..., np.newaxis], axis=2)[..., 0].min(axis=0)
    return Mistakes(
        names=[run.record.framework for run in runs],
        confusion=[confusion(one, labels) for one in predicted],
        without=(~made).sum(axis=1).tolist(),
        disagreed=len(differ),
        right=right[:, differ].sum(axis=1).tolist(),
        none_right=int((~right[:, differ]).all(axis=0).sum()),
        all_wrong=int((~right).all(axis=0).sum()),
        disagreements=digits(differ[np.argsort(-apart[differ], kind="stable")]),
        confident=digits(wrong[np.argsort(-sure[wrong], kind="stable")]),
    )


def how_often(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def confusion_sentences(found: Mistakes) -> list[str]:
    """How many each gets wrong, and what it takes for what most often."""
    sentences = []
    for name, wrong, without, counts in zip(found.names, found.wrong, found.without, found.confusion, strict=True):
        sentence = f"{name} gets {wrong:,} of {found.examples:,} wrong"
        off = counts - np.diag(np.diag(counts))
        if off.any():
            label, taken_for = np.unravel_index(off.argmax(), off.shape)
            sentence += f", most often a {label} taken for a {taken_for}: {how_often(int(off.max()))}"
        sentences.append(sentence + (f"; for {without:,} its logits are not numbers." if without else "."))
    return sentences


def matrices(found: Mistakes) -> Matrices:
    """The confusion matrix of each run, and how each other one differs from the first."""
    mistaken = max(int(np.max(m - np.diag(np.diag(m)))) for m in found.confusion) or 1
    made = []
    for name, wrong, counts in zip(found.names, found.wrong, found.confusion, strict=True):
        # What was recognised has no share: it would outshine every mistake.
        cells = [
            [
                Cell(f"{n}", n / mistaken * (label != taken_for), f"{_what(label, taken_for)}: {how_often(n)}")
                for taken_for, n in enumerate(row)
            ]
            for label, row in enumerate(counts.tolist())
        ]
        made.append(Matrix(name, f"{wrong:,} wrong", cells, (style_of(name), style_of(name))))
    return Matrices(made + [_change(found, other) for other in range(1, len(found.names))])


def _change(found: Mistakes, other: int) -> Matrix:
    """How another run's confusion matrix differs from the first one's."""
    change = found.confusion[other] - found.confusion[0]
    names = found.names[0], found.names[other]
    most = int(np.abs(change).max()) or 1

    def cell(label: int, taken_for: int, number: int) -> Cell:
        oftener = f"{how_often(abs(number))} more by {names[number > 0]}" if number else "as often by both"
        text = f"{number:+d}".replace("-", "−") if number else "0"
        return Cell(text, number / most, f"{_what(label, taken_for)}: {oftener}")

    cells = [[cell(label, c, n) for c, n in enumerate(row)] for label, row in enumerate(change.tolist())]
    return Matrix("Difference", f"{names[1]} minus {names[0]}", cells, (style_of(names[1]), style_of(names[0])))


def _what(label: int, taken_for: int) -> str:
    return f"{label} recognised" if label == taken_for else f"{label} taken for {taken_for}"


def disagreement_sentence(found: Mistakes) -> str:
    pair = len(found.names) == PAIR
    if not found.disagreed:
        return f"{'The two' if pair else 'All'} frameworks predict the same for every test image."
    rights = [f"{name} {{}}in {right:,}" for name, right in zip(found.names, found.right, strict=True)]
    first, *others = rights
    counts = ", ".join([first.format("is right "), *(other.format("") for other in others)])
    shown = len(found.disagreements)
    return (
        f"They disagree on {found.disagreed:,} of {found.examples:,} test images: {counts}, "
        f"{'neither' if pair else 'none'} in {found.none_right:,}."
        + (
            f" Shown are the {shown} on which their probabilities lie furthest apart:"
            if shown < found.disagreed
            else ""
        )
    )


def all_wrong_sentence(found: Mistakes) -> str:
    everyone = "Both" if len(found.names) == PAIR else "All"
    shown = len(found.confident)
    return f"{everyone} get {found.all_wrong:,} wrong." + (
        f" Shown are the {shown} of which {everyone.lower()} are most certain: the order is that of the lowest "
        "probability that one of them gives to its wrong answer."
        if shown
        else ""
    )
