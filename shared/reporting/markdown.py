"""A report's parts as Markdown, for report.md: all that comes from outside is escaped."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.reporting import parts
from shared.reporting.parts import Code, Part, Table
from shared.system.escaping import code_lines, markdown_code
from shared.system.escaping import markdown as escaped


def document(report: parts.Report) -> str:
    """The whole file, with relative links to the pictures."""
    return f"# {escaped(report.title)}\n\n{_printed(report.parts, level=2)}\n"


def _printed(several: Sequence[Part], level: int) -> str:
    """Parts in turn; `level` is that of a heading among them."""
    return "\n\n".join(filter(None, (_part(part, level) for part in several)))


def _part(part: Part, level: int) -> str:
    if isinstance(part, parts.Section | parts.Group):
        return f"{'#' * level} {escaped(part.title)}\n\n{_printed(part.parts, level + 1)}"
    if isinstance(part, parts.Tabs):
        return _printed(part.charts, level)
    return PRINTERS[type(part)](part)


def _image(picture: parts.Chart | parts.Drawing) -> str:
    words = f". {picture.words}" if picture.words else ""
    return f"![{escaped(picture.title + words)}]({picture.name}.png)"


def table(part: Table) -> str:
    """A table, every cell escaped; columns of numbers are aligned to the right."""
    align = "---" if part.words else "---:"
    header, *rows = [[_cell(cell) for cell in row] for row in (part.header, *part.rows)]
    if part.sums_up == "row":
        rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
    if part.sums_up == "column":
        rows = [[*row, f"**{last}**"] for *row, last in rows]
    lines = [header, ["---"] + [align] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(cell: str) -> str:
    return markdown_code(cell, in_table=True) if isinstance(cell, Code) else escaped(cell)


def _sources(part: parts.Sources) -> str:
    """Each file under its name, in a fence that nothing in it can end."""
    printed = []
    for name, text in part.files:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        printed.append(f"{markdown_code(name)}\n\n{fence}python\n{code_lines(text)}\n{fence}")
    return "\n\n".join(printed)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


PRINTERS: dict[type[Part], Callable[[Any], str]] = {
    parts.Verdict: lambda part: f"**{escaped(part.sentence)}**",
    parts.Caution: lambda part: f"> **{part.title}.** {escaped(part.sentence)}",
    parts.KeyFigures: lambda part: _bullets(f"**{escaped(figure)}** {escaped(what)}" for figure, what in part.figures),
    parts.Paragraph: lambda part: escaped(part.text),
    parts.Bullets: lambda part: _bullets(map(escaped, part.sentences)),
    parts.Command: lambda part: f"{escaped(part.before)} {markdown_code(part.line)}".strip(),
    parts.Sources: _sources,
    Table: table,
    parts.Bars: lambda part: table(part.table()),
    parts.Digits: lambda part: table(part.table()),
    parts.Image: lambda part: escaped(part.sentence),
    parts.Chart: _image,
    parts.Drawing: _image,
    parts.Matrices: lambda _: "",  # they are there for their colours; the sentences beside them have what matters
}
