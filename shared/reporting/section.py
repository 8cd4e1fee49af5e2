"""A part of a report that another room fills: for report.md, for the page, and for results.json."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.comparing.comparison import Outcome
from shared.reporting.pictures import Drawn, Picture
from shared.reporting.tables import Table
from shared.system.escaping import markdown, markdown_code

NO_PROOF = "No proof was run: neither float64, nor each framework against itself, nor every run twice. This does it:"
NO_SEEDS = (
    "All of this is one seed. How far another would carry a run, and whether the two frameworks are equivalent beside "
    "that, only many can tell. No other seed was run. This trains both from ten, and tests it:"
)
NO_ATTRIBUTION = (
    "Here both were given the same weights, the same batches and the same precision, so that nothing but rounding is "
    "left. What makes two ordinary ports differ, each framework’s own initial weights, order of examples and printed "
    "loss, is another question. No attribution was run. This trains both as their own tutorials would, and takes the "
    "difference apart:"
)


@dataclass(frozen=True)
class Section:
    """Sentences, then a command, pictures and tables."""

    name: str  # of its place on the page and in results.json
    title: str
    sentences: list[str]
    pictures: Sequence[Picture | Drawn] = ()
    tables: Sequence[Table] = ()
    results: dict[str, Any] = field(default_factory=dict)
    command: str = ""  # that fills a section of which nothing was asked

    def markdown(self, level: int = 2) -> str:
        """As a part of report.md, with relative links to the pictures."""
        parts = [f"{'#' * level} {markdown(self.title)}", *map(markdown, self.sentences)]
        parts += [markdown_code(self.command)] if self.command else []
        parts += map(image, self.pictures)
        return "\n\n".join(parts + [table.markdown() for table in self.tables])


def image(picture: Picture | Drawn) -> str:
    """A picture in report.md."""
    return f"![{markdown(f'{picture.title}. {picture.words}')}]({picture.name}.png)"


def complete(outcome: Outcome, sections: Sequence[Section], command: str) -> list[Section]:
    """These and those that were not asked for, which say so, in the order of reading. `command` made the report."""
    missing = [
        Section("proof", "The proof", [NO_PROOF], command=f"{command} --prove"),
        Section("seeds", "Many seeds", [NO_SEEDS], command=f"{command} --seeds 10"),
        # At the tutorials' own settings, whatever was compared here.
        Section("why", "Why they differ", [NO_ATTRIBUTION], command="python compare.py --explain"),
    ]
    found = {section.name: section for section in (*missing, *sections)}
    if outcome.proof:
        del found["proof"]
    return list(found.values())
