"""What a report is made of: an ordered list of parts.

`markdown`, `page` and `plots` print them, and know nothing of what the parts say.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from shared.system.language import Said, join, say, sentences, translated

NO_PREDICTION = -1
LIKELIEST = 0.9999  # what is above it would be written as a certainty


class Part:
    """Of a report: each kind has a macro in `assets/parts.html.jinja` and an entry in `markdown.PRINTERS`."""


class Code(str):
    """A cell that is a name from outside or a piece of code."""

    __slots__ = ()


class Prose(Said):
    """A text of the project's own, with nothing from outside in it: what stands between backticks is code."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Of a text that may be said in another language."""
        prose = str.__new__(cls, text)
        prose.message, prose.many, prose.values = "{text}", "", {"text": text}
        return prose

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.values["text"],)

    def in_language(self, language: str) -> "Prose":
        return Prose(translated(self.values["text"], language))


def by_turns(text: str) -> list[str]:
    """Words, code, words ...: of anything but `Prose` all is words."""
    return re.split("`([^`]+)`", text) if isinstance(text, Prose) else [text]


@dataclass(frozen=True)
class Verdict(Part):
    """The answer of the report: a word or two in capitals, a colon, and the finding."""

    sentence: str
    good: bool


@dataclass(frozen=True)
class Caution(Part):
    """What a reader must know before anything else."""

    sentence: str
    title: str = say("Warning")


@dataclass(frozen=True)
class Origin(Part):
    """Where the report comes from, in a line, and the section that tells more of it."""

    text: str
    section: str  # its name
    title: str  # of the section


@dataclass(frozen=True)
class Glossary(Part):
    """What the terms mean that stand in the parts before this one."""


@dataclass(frozen=True)
class KeyFigures(Part):
    """The figures to remember, each with what it is."""

    figures: list[tuple[str, str]]


@dataclass(frozen=True)
class Paragraph(Part):
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets(Part):
    """Sentences, each for itself."""

    sentences: Sequence[str]


@dataclass(frozen=True)
class Command(Part):
    """A command line, and what is said before it."""

    line: str
    before: str = ""


@dataclass(frozen=True)
class Sources(Part):
    """Files of code beside each other, each its name and its text."""

    files: list[tuple[str, str]]


@dataclass(frozen=True)
class Table(Part):
    """Rows of text under a header."""

    header: list[str]
    rows: list[list[str]]
    words: bool = False  # no column of numbers; else every column but the first is one
    sums_up: Literal["", "row", "column"] = ""  # whether the last one draws a conclusion from the others
    title: str = ""  # for who can't see it, where others on the page have the same header


@dataclass(frozen=True)
class Bars(Part):
    """A table of figures whose lengths can be compared: `values` (rows, columns)."""

    header: list[str]
    rows: list[tuple[str, str]]  # what each row is: a name, and what it means
    values: np.ndarray
    form: str
    styles: list[str]  # of the columns

    def table(self) -> Table:
        """The figures alone."""
        cells = [[f"{value:{self.form}}" for value in row] for row in self.values]
        return Table(self.header, [[name, *row] for (name, _), row in zip(self.rows, cells, strict=True)])


@dataclass(frozen=True)
class Curve:
    """`values` (N,) over the chart's `x`; NaN where there is none."""

    label: str
    style: str  # of STYLES
    values: np.ndarray
    band: tuple[np.ndarray, np.ndarray] | None = None  # from where to where, (N,) each
    joined: bool = True  # by a line; else points, however many
    mean: np.ndarray | None = None  # (N,) of the values around each: drawn over them, and they are pale then


@dataclass(frozen=True)
class Chart(Part):
    """One pair of axes, and what it shows in words."""

    name: str  # of its files
    title: str
    x_label: str
    y_label: str
    x: np.ndarray  # (N,) whole numbers, rising
    curves: list[Curve]
    says: str  # what there is to see
    scale: Literal["linear", "logarithmic", "percent"] = "linear"
    stairs: bool = False  # a value holds until the next
    mark: tuple[int, str] | None = None  # where on x, and what is there
    compared: int = 0  # how many curves, the first ones, are of one quantity: the page tells how far apart they lie

    @property
    def words(self) -> str:
        """What it shows, and which of its curves can't be drawn: those of NaN, or of zero on a logarithmic axis."""
        logarithmic = self.scale == "logarithmic"
        floor = 0.0 if logarithmic else -np.inf
        undrawn = [c.label for c in self.curves if not np.any(np.isfinite(c.values) & (c.values > floor))]
        if not undrawn:
            return self.says
        named = join(say("; "), undrawn)
        if logarithmic:
            return sentences(self.says, say("Not drawn, being nowhere above zero: {curves}.", curves=named))
        return sentences(self.says, say("Not drawn, being nowhere a number: {curves}.", curves=named))


@dataclass(frozen=True)
class Drawing(Part):
    """A picture as files, of a kind that the page's script does not draw."""

    name: str
    title: str
    png: bytes
    svg: str = ""  # empty where there is none
    words: str = ""  # for who can't see it, where the title does not say it all


@dataclass(frozen=True)
class Tabs(Part):
    """Charts that take turns in one place of a page, the first shown first."""

    name: str  # of the place
    charts: list[Chart]


@dataclass(frozen=True)
class Cell:
    """A number of a matrix, and what it says."""

    text: str
    share: float  # of the largest number, -1 to 1
    words: str


@dataclass(frozen=True)
class Matrix:
    """A square table of counts, each on a ground as dark as its share."""

    title: str
    what: str
    cells: list[list[Cell]]
    styles: tuple[str, str]  # of the ground where a share is above zero, and where it is below

    @property
    def name(self) -> str:
        """All that its caption says."""
        return say("{title}, {what}", title=self.title, what=self.what)


@dataclass(frozen=True)
class Matrices(Part):
    """Matrices side by side."""

    matrices: list[Matrix]


@dataclass(frozen=True)
class Digit:
    """One test image, and what each framework makes of it."""

    index: int  # into the test images in the canonical order
    image: np.ndarray  # uint8 (P,), the data set's pixels
    label: int
    predictions: tuple[int, ...]  # of each framework
    probabilities: np.ndarray  # (frameworks, 10)

    def classes(self) -> list[int]:
        """The label, and what was predicted beside it."""
        return list(dict.fromkeys(c for c in (self.label, *self.predictions) if c != NO_PREDICTION))

    @property
    def alternative(self) -> str:
        """For who can't see it."""
        return say("Handwritten digit labelled {label}, test image {index}", label=self.label, index=self.index)

    @property
    def caption(self) -> str:
        """Which one it is."""
        return say("Test image {index}", index=self.index)


@dataclass(frozen=True)
class Digits(Part):
    """Test images with what the frameworks `names` make of them."""

    names: list[str]
    digits: list[Digit]

    def table(self) -> Table:
        """The same in words."""
        rows = []
        for digit in self.digits:
            said = [
                say("nothing")
                if c == NO_PREDICTION
                else say("{digit} ({probability})", digit=c, probability=probability(p[c]))
                for c, p in zip(digit.predictions, digit.probabilities, strict=True)
            ]
            rows.append([str(digit.index), str(digit.label), *said])
        header: list[str] = [say("test image"), say("label"), *(say("{name} says", name=name) for name in self.names)]
        return Table(header, rows)


@dataclass(frozen=True)
class Image(Part):
    """A training image, and a sentence about it."""

    image: np.ndarray  # uint8 (P,), the data set's pixels
    alternative: str  # for who can't see it
    sentence: str


@dataclass(frozen=True)
class Group(Part):
    """Parts under a small heading; a page may show them only when asked."""

    title: str
    parts: Sequence[Part]
    folded: bool = False


@dataclass(frozen=True)
class Section(Part):
    """Parts under a heading."""

    name: str  # of its place on the page and in results.json
    title: str
    parts: Sequence[Part]
    results: dict[str, Any] = field(default_factory=dict)  # what results.json holds of it

    @property
    def explains(self) -> bool:
        """Whether it holds the glossary."""
        return any(isinstance(part, Glossary) for part in self.parts)


@dataclass(frozen=True)
class Report:
    """All of it, in the order of reading."""

    title: str
    parts: Sequence[Part]


def leading(title: str) -> str:
    """A title before what it is the title of, in the same line."""
    return say("{title}.", title=title)


def titled(title: str, words: str) -> str:
    """A title, and what stands after it; there may be nothing."""
    return say("{title}. {words}", title=title, words=words) if words else title


def pictures(parts: Iterable[Part]) -> Iterator[Chart | Drawing]:
    """Every picture among these parts and in them, in the order of reading."""
    for part in parts:
        if isinstance(part, Chart | Drawing):
            yield part
        elif isinstance(part, Tabs):
            yield from part.charts
        elif isinstance(part, Section | Group):
            yield from pictures(part.parts)


def probability(value: float) -> str:
    """A probability as it is written."""
    if not np.isfinite(value):
        return "–"
    return f"> {LIKELIEST:.2%}" if value > LIKELIEST else f"{value:.2%}"
