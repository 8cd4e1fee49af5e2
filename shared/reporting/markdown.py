"""A report's parts as Markdown, a file for each language: all that comes from outside is escaped."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.reporting import parts
from shared.reporting.glossary import TERMS, Marker
from shared.reporting.parts import Code, Part, Table, by_turns, leading, titled
from shared.system.escaping import code_lines, markdown_code
from shared.system.escaping import markdown as escaped
from shared.system.language import ENGLISH, say, translated


class Writer:
    """Writes text into the file: all of it escaped, and a term that is explained in italics where it first stands."""

    def __init__(self, marker: Marker, language: str = ENGLISH) -> None:
        self._marker = marker
        self._language = language

    def plain(self, text: str) -> str:
        """A text in which no term is marked."""
        return escaped(translated(text, self._language))

    def __call__(self, text: str, *, in_table: bool = False) -> str:
        """A sentence, or a cell of a table; of `Prose`, what stands between two backticks as code."""
        if isinstance(text, Code):
            return markdown_code(text, in_table=in_table)
        text = translated(text, self._language)
        pieces = by_turns(text)
        if len(pieces) == 1:
            return self._marked(text)
        return "".join(
            markdown_code(piece, in_table=in_table) if number % 2 else self._marked(piece, within=True)
            for number, piece in enumerate(pieces)
        )

    def code(self, line: str) -> str:
        """What to type, which may be told in words."""
        return markdown_code(translated(line, self._language))

    def unmarking(self) -> "Writer":
        """Writes as this one, and marks nothing."""
        return Writer(Marker(), self._language)

    def cell(self, text: str) -> str:
        """A cell of a table."""
        return self(text, in_table=True)

    def _marked(self, text: str, *, within: bool = False) -> str:
        """Words without code. `within`: something stands beside them."""
        pieces = self._marker.split(text)
        if not within and len(pieces) == 1 and not pieces[0][1]:
            return escaped(text)
        return "".join(f"*{escaped(piece)}*" if term else _within(piece) for piece, term in pieces)

    def glossary(self) -> str:
        """What the terms mean that were found."""
        return _bullets(f"*{self.plain(term.name)}*: {self.plain(term.meaning)}" for term in self._marker.close())


def _within(piece: str) -> str:
    """Escaped, but for the spaces at its ends: something stands beside them."""
    text = piece.strip(" ")
    lead, tail = len(piece) - len(piece.lstrip(" ")), len(piece) - len(piece.rstrip(" "))
    return " " * lead + escaped(text) + " " * (tail if text else 0)


def document(report: parts.Report, language: str = ENGLISH) -> str:
    """The whole file, with relative links to the pictures."""
    explains = any(isinstance(part, parts.Section) and part.explains for part in report.parts)
    write = Writer(Marker(TERMS if explains else (), language), language)
    return f"# {write.plain(report.title)}\n\n{_printed(report.parts, write, level=2)}\n"


def _printed(several: Sequence[Part], write: Writer, level: int) -> str:
    """Parts in turn; `level` is that of a heading among them."""
    return "\n\n".join(filter(None, (_part(part, write, level) for part in several)))


def _part(part: Part, write: Writer, level: int) -> str:
    if isinstance(part, parts.Section | parts.Group):
        return f"{'#' * level} {write.plain(part.title)}\n\n{_printed(part.parts, write, level + 1)}"
    if isinstance(part, parts.Tabs):
        return _printed(part.charts, write, level)
    return PRINTERS[type(part)](part, write)


def _image(picture: parts.Chart | parts.Drawing, write: Writer) -> str:
    return f"![{write.plain(titled(picture.title, picture.words))}]({picture.name}.png)"


def table(part: Table) -> str:
    """A table, every cell escaped; columns of numbers are aligned to the right."""
    return _table(part, Writer(Marker()))


def _table(part: Table, write: Writer) -> str:
    align = "---" if part.words else "---:"
    names = write.unmarking() if part.words else write  # a name from outside is no term of ours
    header, *rows = [list(map(write.cell, part.header)), *([*map(names.cell, row)] for row in part.rows)]
    if part.sums_up == "row":
        rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
    if part.sums_up == "column":
        rows = [[*row, f"**{last}**"] for *row, last in rows]
    lines = [header, ["---"] + [align] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _sources(part: parts.Sources, _: Writer) -> str:
    """Each file under its name, in a fence that nothing in it can end."""
    printed = []
    for name, text in part.files:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        printed.append(f"{markdown_code(name)}\n\n{fence}python\n{code_lines(text)}\n{fence}")
    return "\n\n".join(printed)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


PRINTERS: dict[type[Part], Callable[[Any, Writer], str]] = {
    parts.Verdict: lambda part, write: f"**{write.plain(part.sentence)}**",  # which others quote as it stands
    parts.Caution: lambda part, write: f"> **{write.plain(leading(part.title))}** {write(part.sentence)}",
    parts.Origin: lambda part, write: write.plain(
        say("{made} “{title}” tells more.", made=part.text, title=part.title)
    ),
    parts.Glossary: lambda _, write: write.glossary(),
    parts.KeyFigures: lambda part, write: _bullets(
        f"**{write.plain(figure)}** {write(what)}" for figure, what in part.figures
    ),
    parts.Paragraph: lambda part, write: write(part.text),
    parts.Bullets: lambda part, write: _bullets(map(write, part.sentences)),
    parts.Command: lambda part, write: f"{write(part.before)} {write.code(part.line)}".strip(),
    parts.Sources: _sources,
    Table: _table,
    parts.Bars: lambda part, write: _table(part.table(), write),
    parts.Digits: lambda part, write: _table(part.table(), write),
    parts.Image: lambda part, write: write(part.sentence),
    parts.Chart: _image,
    parts.Drawing: _image,
    parts.Matrices: lambda _, __: "",  # they are there for their colours; the sentences beside them have what matters
}
