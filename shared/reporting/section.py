"""A part of a report that another room fills: for report.md, for the page, and for results.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.reporting.tables import Table


@dataclass(frozen=True)
class Drawn:
    """A picture, as files."""

    name: str
    png: bytes
    svg: str
    words: str  # what it shows, for who can't see it


@dataclass(frozen=True)
class Section:
    """Sentences, then pictures, then tables."""

    name: str  # of its place on the page and in results.json
    title: str
    sentences: list[str]
    pictures: list[Drawn]
    tables: list[Table]
    results: dict[str, Any]

    def markdown(self, level: int = 2) -> str:
        """As a part of report.md, with relative links to the pictures."""
        parts = [f"{'#' * level} {self.title}", *self.sentences]
        parts += [f"![{picture.words}]({picture.name}.png)" for picture in self.pictures]
        return "\n\n".join(parts + [table.markdown() for table in self.tables])

    def write_pictures(self, folder: Path) -> None:
        """Each as a PNG and an SVG file."""
        for picture in self.pictures:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            (folder / f"{picture.name}.svg").write_text(picture.svg)
