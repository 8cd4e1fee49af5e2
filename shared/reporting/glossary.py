"""The words of a report that not every reader knows: each is marked where it first stands, and explained at the end."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.reporting.parts import Code, Glossary, Section


@dataclass(frozen=True)
class Term:
    """A word, the forms in which it stands in sentences, and what it means."""

    name: str
    forms: tuple[str, ...]  # as regular expressions, between the edges of words
    meaning: str

    @property
    def key(self) -> str:
        """Its place on a page."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


TERMS = (
    Term("step", ("steps?",), "One update of the weights, from the gradient of one batch’s loss. Counted from 0."),
    Term("epoch", ("epochs?",), "A pass over all training images, each once."),
    Term("loss", ("loss(?:es)?",), "What training makes small: how wrong the predictions of a batch are."),
    Term(
        "nats",
        ("nats",),
        "The unit of the cross-entropy: minus the natural logarithm of the right class’s probability.",
    ),
    Term(
        "mean of batch means",
        ("mean of batch means",),
        "The loss of an epoch as tutorials print it: the mean over its batches of each batch’s mean loss. The last "
        "batch is shorter, and counts as a whole one.",
    ),
    Term(
        "the tutorial",
        ("the tutorial", "tutorial loss"),
        "A public PyTorch tutorial on MNIST, with which this project began. Its figures were printed by its own run, "
        "from another seed: they stand here for comparison, and nothing is judged by them.",
    ),
    Term(
        "float32",
        ("float32",),
        "A number of 32 bits, with some 7 decimal digits: what networks are usually trained in.",
    ),
    Term("float64", ("float64",), "A number of 64 bits, with some 16 decimal digits: rounding almost vanishes in it."),
    Term(
        "rounding",
        ("rounding",),
        "What a computer drops from each result, because a number has only so many digits. It depends on the order in "
        "which a sum is added, and each framework has its own order.",
    ),
    Term(
        "ulp",
        ("ulps?", "units? in the last place"),
        "A unit in the last place: the distance from a number to the next one that its format can hold. Near 1 it is "
        "1.2e-07 in float32. For a tensor, that of its largest number.",
    ),
    Term(
        "reference implementation",
        ("reference implementation", r"the reference(?! implementation)"),
        "A third implementation of the same training, in NumPy, with its gradients written out by hand. It uses "
        "neither framework.",
    ),
    Term(
        "segment",
        ("segments?",),
        "The steps from one set of recorded weights to the next. The reference implementation takes them again.",
    ),
    Term("check", ("checks?",), "One thing that is compared, by its name, such as the logits or the gradients."),
    Term(
        "noise floor",
        ("noise floors?",),
        "How far rounding alone carries a number, as measured here: the same is computed again, and only its rounding "
        "is changed.",
    ),
    Term(
        "perturbed by 1 ulp",
        ("perturbed by 1 ulp",),
        "Started from weights each of which is the next number up or down, at random: as little as rounding changes.",
    ),
    Term(
        "reordered sums",
        ("reordered sums",),
        "The same computation with its sums added in another order. Only rounding makes a difference then.",
    ),
    Term(
        "first divergence",
        ("first divergence", "diverged?s?", "divergence"),
        "Two runs that only differ by rounding diverge where they begin to go different ways, mostly where rounding "
        "decides on which side of zero the input of one ReLU lies. Where that happens first is the first divergence.",
    ),
    Term(
        "ReLU",
        ("ReLUs?",),
        "What follows a hidden layer: a number below zero becomes zero, and its gradient stops there.",
    ),
    Term("logits", ("logits",), "What the last layer gives for each class. Softmax makes probabilities of them."),
    Term(
        "not finite",
        ("not finite", "non-finite", "nan"),
        "Infinite, or not a number (NaN): such a number matches nothing.",
    ),
    Term(
        "checksum",
        ("checksums?", "SHA-256"),
        "A short fingerprint of a file or a tensor: where it is the same, all is the same, to the last bit.",
    ),
    Term(
        "engine",
        ("engines?",),
        "How the steps are run: “eager”, one by one from Python; “fast”, compiled into calls of many steps.",
    ),
    Term("seed", ("seeds?",), "The number from which the first weights and the order of the examples are drawn."),
    Term(
        "margin",
        ("margins?",),
        "How large a mean difference may be and still count as none. It should be fixed before the runs are seen.",
    ),
    Term(
        "confidence interval",
        ("confidence intervals?",),
        "Where a mean over all seeds is likely to lie, as the seeds that were run tell.",
    ),
    Term("kernel", ("kernels?",), "The weights of a layer without its bias."),
    Term(
        "framework default",
        ("framework defaults?",),
        "What a framework does unless it is told otherwise. The other one may do otherwise.",
    ),
    Term(
        "carried into",
        ("carried into",),
        "Put from one model into the other: each tensor is turned into the layout of the other framework.",
    ),
)


class Marker:
    """Finds each term where it first stands in a report, which is read once and in order."""

    def __init__(self, terms: Sequence[Term] = ()) -> None:
        self._unseen = list(terms)
        self._seen: list[Term] = []
        self._closed = False

    def split(self, text: str) -> list[tuple[str, Term | None]]:
        """The text in pieces. A piece that is a term where it first stands comes with the term."""
        pieces: list[tuple[str, Term | None]] = []
        while text:
            found = None if isinstance(text, Code) or self._closed else self._first(text)
            if not found:
                return [*pieces, (text, None)]
            term, start, end = found
            self._unseen.remove(term)
            self._seen.append(term)
            pieces += [(text[:start], None)] * (start > 0) + [(text[start:end], term)]
            text = text[end:]
        return pieces

    def _first(self, text: str) -> tuple[Term, int, int] | None:
        """The term of this text that stands first, the longest of those that begin there, and from where to where."""
        found = [(match, term) for term in self._unseen if (match := _pattern(term).search(text))]
        if not found:
            return None
        match, term = min(found, key=lambda each: (each[0].start(), -each[0].end()))
        return term, match.start(), match.end()

    def close(self) -> list[Term]:
        """Those that were found, in the order of the alphabet. From here on nothing is marked."""
        self._closed = True
        return sorted(self._seen, key=lambda term: term.name.lower())


def _pattern(term: Term) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(term.forms)})(?![\w-])", re.IGNORECASE)


def section() -> Section:
    """Stands after all that it explains."""
    return Section("words", "What the words mean", [Glossary()])
