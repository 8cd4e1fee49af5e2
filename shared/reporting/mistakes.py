"""What the networks get wrong: confusion matrices, and the digits that tell most about the runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared import metrics
from shared.mnist import MNIST, Examples
from shared.reporting.parts import NO_PREDICTION, Cell, Digit, Matrices, Matrix
from shared.reporting.styles import style_of
from shared.running.record import Run
from shared.system.language import join, say, sentences

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
    return say("once") if number == 1 else say("{n:,} times", n=number)


def confusion_sentences(found: Mistakes) -> list[str]:
    """How many each gets wrong, and what it takes for what most often."""
    told: list[str] = []
    for name, wrong, without, counts in zip(found.names, found.wrong, found.without, found.confusion, strict=True):
        sentence = say("{name} gets {wrong:,} of {all:,} wrong", name=name, wrong=wrong, all=found.examples)
        off = counts - np.diag(np.diag(counts))
        if off.any():
            label, taken_for = np.unravel_index(off.argmax(), off.shape)
            sentence = say(
                "{sentence}, most often a {label} taken for a {taken_for}: {often}",
                sentence=sentence,
                label=int(label),
                taken_for=int(taken_for),
                often=how_often(int(off.max())),
            )
        not_numbers = say("{sentence}; for {without:,} its logits are not numbers.", sentence=sentence, without=without)
        told.append(not_numbers if without else say("{sentence}.", sentence=sentence))
    return told


def matrices(found: Mistakes) -> Matrices:
    """The confusion matrix of each run, and how each other one differs from the first."""
    mistaken = max(int(np.max(m - np.diag(np.diag(m)))) for m in found.confusion) or 1
    made = []
    for name, wrong, counts in zip(found.names, found.wrong, found.confusion, strict=True):
        # What was recognised has no share: it would outshine every mistake.
        cells = [
            [
                Cell(f"{n}", n / mistaken * (label != taken_for), _words(label, taken_for, how_often(n)))
                for taken_for, n in enumerate(row)
            ]
            for label, row in enumerate(counts.tolist())
        ]
        made.append(Matrix(name, say("{wrong:,} wrong", wrong=wrong), cells, (style_of(name), style_of(name))))
    return Matrices(made + [_change(found, other) for other in range(1, len(found.names))])


def _change(found: Mistakes, other: int) -> Matrix:
    """How another run's confusion matrix differs from the first one's."""
    change = found.confusion[other] - found.confusion[0]
    names = found.names[0], found.names[other]
    most = int(np.abs(change).max()) or 1

    def cell(label: int, taken_for: int, number: int) -> Cell:
        more = say("{often} more by {name}", often=how_often(abs(number)), name=names[number > 0])
        oftener = more if number else say("as often by both")
        text = f"{number:+d}".replace("-", "−") if number else "0"
        return Cell(text, number / most, _words(label, taken_for, oftener))

    cells = [[cell(label, c, n) for c, n in enumerate(row)] for label, row in enumerate(change.tolist())]
    what = say("{more} minus {less}", more=names[1], less=names[0])
    return Matrix(say("Difference"), what, cells, (style_of(names[1]), style_of(names[0])))


def _words(label: int, taken_for: int, often: str) -> str:
    if label == taken_for:
        return say("{label} recognised: {often}", label=label, often=often)
    return say("{label} taken for {taken_for}: {often}", label=label, taken_for=taken_for, often=often)


def disagreement_sentence(found: Mistakes) -> str:
    pair = len(found.names) == PAIR
    if not found.disagreed:
        two = say("The two frameworks predict the same for every test image.")
        return two if pair else say("All frameworks predict the same for every test image.")
    (name, right), *others = zip(found.names, found.right, strict=True)
    counts = [
        say("{name} is right in {right:,}", name=name, right=right),
        *(say("{name} in {right:,}", name=name, right=right) for name, right in others),
        say("neither in {n:,}", n=found.none_right) if pair else say("none in {n:,}", n=found.none_right),
    ]
    told = say(
        "They disagree on {disagreed:,} of {all:,} test images: {counts}.",
        disagreed=found.disagreed,
        all=found.examples,
        counts=join(say(", "), counts),
    )
    shown = len(found.disagreements)
    which = say("Shown are the {shown} on which their probabilities lie furthest apart:", shown=shown)
    return sentences(told, which if shown < found.disagreed else "")


def all_wrong_sentence(found: Mistakes) -> str:
    wrong, shown = found.all_wrong, len(found.confident)
    if len(found.names) == PAIR:
        told, which = (
            say("Both get {n:,} wrong.", n=wrong),
            say("Shown are the {n} of which both are most certain:", n=shown),
        )
    else:
        told, which = (
            say("All get {n:,} wrong.", n=wrong),
            say("Shown are the {n} of which all are most certain:", n=shown),
        )
    order = say("the order is that of the lowest probability that one of them gives to its wrong answer.")
    return sentences(told, which, order) if shown else told
