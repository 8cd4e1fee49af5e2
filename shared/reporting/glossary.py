"""The words of a report that not every reader knows: each is marked where it first stands, and explained at the end."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.reporting.parts import Code, Glossary, Section
from shared.system.language import ENGLISH, say, translated


@dataclass(frozen=True)
class Term:
    """A word, the forms in which it stands in sentences, and what it means."""

    name: str
    forms: tuple[str, ...]  # as regular expressions, between the edges of words
    meaning: str
    forms_in_chinese: tuple[str, ...] = ()  # where its Chinese name alone would find too little, or too much

    @property
    def key(self) -> str:
        """Its place on a page."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


TERMS = (
    Term(
        say("step"),
        ("steps?",),
        say("One update of the weights, from the gradient of one batch’s loss. Counted from 0."),
        ("(?<![逐同初让徒])(?<!进一)(?<!下一)(?<!一步一)步(?![骤伐调入]|一步)",),
    ),
    Term(
        say("epoch"),
        ("epochs?",),
        say("A pass over all training images, each once."),
        ("轮(?![流廓换到])",),
    ),
    Term(
        say("loss"),
        (r"loss(?:es)?",),
        say("What training makes small: how wrong the predictions of a batch are."),
    ),
    Term(
        say("nats"),
        ("nats",),
        say("The unit of the cross-entropy: minus the natural logarithm of the right class’s probability."),
        ("奈特", "nats?"),
    ),
    Term(
        say("mean of batch means"),
        ("mean of batch means",),
        say(
            "The loss of an epoch as tutorials print it: the mean over its batches of each batch’s mean "
            "loss. The last batch is shorter, and counts as a whole one."
        ),
    ),
    Term(
        say("the tutorial"),
        ("the tutorial", "tutorial loss"),
        say(
            "A public PyTorch tutorial on MNIST, with which this project began. Its figures were printed by "
            "its own run, from another seed: they stand here for comparison, and nothing is judged by them."
        ),
        ("(?<!自己的)(?<!各自的)(?<!官方)教程",),
    ),
    Term(
        "float32",
        ("float32",),
        say("A number of 32 bits, with some 7 decimal digits: what networks are usually trained in."),
    ),
    Term(
        "float64",
        ("float64",),
        say("A number of 64 bits, with some 16 decimal digits: rounding almost vanishes in it."),
    ),
    Term(
        say("rounding"),
        ("rounding",),
        say(
            "What a computer drops from each result, because a number has only so many digits. It depends on "
            "the order in which a sum is added, and each framework has its own order."
        ),
    ),
    Term(
        say("ulp"),
        ("ulps?", "units? in the last place"),
        say(
            "A unit in the last place: the distance from a number to the next one that its format can hold. "
            "Near 1 it is 1.2e-07 in float32. For a tensor, that of its largest number."
        ),
        ("ulp", "末位单位"),
    ),
    Term(
        say("reference implementation"),
        ("reference implementation", r"the reference(?! implementation)"),
        say(
            "A third implementation of the same training, in NumPy, with its gradients written out by hand. "
            "It uses neither framework."
        ),
    ),
    Term(
        say("segment"),
        ("segments?",),
        say("The steps from one set of recorded weights to the next. The reference implementation takes them again."),
        ("(?<![阶片手分字时地])段(?![落位])",),
    ),
    Term(
        say("check"),
        ("checks?",),
        say("One thing that is compared, by its name, such as the logits or the gradients."),
    ),
    Term(
        say("noise floor"),
        ("noise floors?",),
        say(
            "How far rounding alone carries a number, as measured here: the same is computed again, and only "
            "its rounding is changed."
        ),
    ),
    Term(
        say("perturbed by 1 ulp"),
        ("perturbed by 1 ulp",),
        say(
            "Started from weights each of which is the next number up or down, at random: as little as "
            "rounding changes."
        ),
    ),
    Term(
        say("reordered sums"),
        ("reordered sums",),
        say("The same computation with its sums added in another order. Only rounding makes a difference then."),
    ),
    Term(
        say("first divergence"),
        ("first divergence", "diverged?s?", "divergence"),
        say(
            "Two runs that only differ by rounding diverge where they begin to go different ways, mostly "
            "where rounding decides on which side of zero the input of one ReLU lies. Where that happens "
            "first is the first divergence."
        ),
        ("首次分歧", "分歧"),
    ),
    Term(
        "ReLU",
        ("ReLUs?",),
        say("What follows a hidden layer: a number below zero becomes zero, and its gradient stops there."),
    ),
    Term(
        "logits",
        ("logits",),
        say("What the last layer gives for each class. Softmax makes probabilities of them."),
    ),
    Term(
        say("not finite"),
        ("not finite", "non-finite", "nan"),
        say("Infinite, or not a number (NaN): such a number matches nothing."),
        ("非有限", "nan"),
    ),
    Term(
        say("checksum"),
        ("checksums?", "SHA-256"),
        say("A short fingerprint of a file or a tensor: where it is the same, all is the same, to the last bit."),
        ("校验和", "SHA-256"),
    ),
    Term(
        say("engine"),
        ("engines?",),
        say("How the steps are run: “eager”, one by one from Python; “fast”, compiled into calls of many steps."),
    ),
    Term(
        say("seed"),
        ("seeds?",),
        say("The number from which the first weights and the order of the examples are drawn."),
        ("随机种子", "种子"),
    ),
    Term(
        say("margin"),
        ("margins?",),
        say("How large a mean difference may be and still count as none. It should be fixed before the runs are seen."),
    ),
    Term(
        say("confidence interval"),
        ("confidence intervals?",),
        say("Where a mean over all seeds is likely to lie, as the seeds that were run tell."),
    ),
    Term(
        say("kernel"),
        ("kernels?",),
        say("The weights of a layer without its bias."),
        ("(?<![内多单审])核(?![心对算实验查])", "kernel"),
    ),
    Term(
        say("framework default"),
        ("framework defaults?",),
        say("What a framework does unless it is told otherwise. The other one may do otherwise."),
    ),
    Term(
        say("carried into"),
        ("carried into",),
        say("Put from one model into the other: each tensor is turned into the layout of the other framework."),
    ),
)


class Marker:
    """Finds each term where it first stands in a report, which is read once and in order."""

    def __init__(self, terms: Sequence[Term] = (), language: str = ENGLISH) -> None:
        self._language = language
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
        found = [(match, term) for term in self._unseen if (match := self._pattern(term).search(text))]
        if not found:
            return None
        match, term = min(found, key=lambda each: (each[0].start(), -each[0].end()))
        return term, match.start(), match.end()

    def _pattern(self, term: Term) -> re.Pattern[str]:
        """A letter or a figure beside it makes it part of a longer word. Chinese has no such edges."""
        forms = term.forms
        if self._language != ENGLISH:
            forms = term.forms_in_chinese or (re.escape(translated(term.name, self._language)),)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])", re.IGNORECASE | re.ASCII)

    def close(self) -> list[Term]:
        """Those that were found, in the order of the alphabet. From here on nothing is marked."""
        self._closed = True
        return sorted(self._seen, key=lambda term: term.name.lower())


def section() -> Section:
    """Stands after all that it explains."""
    return Section("words", say("What the words mean"), [Glossary()])
