"""A table as plain data: for Markdown and for pages."""

from dataclasses import dataclass
from typing import Literal

from shared.system.escaping import markdown, markdown_code


class Code(str):
    """A cell that is a name from outside or a piece of code."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: list[str]
    rows: list[list[str]]
    words: bool = False  # no column of numbers; else every column but the first is one
    sums_up: Literal["", "row", "column"] = ""  # whether the last one draws a conclusion from the others

    def transposed(self) -> "Table":
        """Rows as columns: of a table whose columns are many and whose rows are few."""
        header, *rows = [list(column) for column in zip(self.header, *self.rows, strict=True)]
        return Table(header, rows, self.words, "column" if self.sums_up else "")

    def markdown(self) -> str:
        """In Markdown, every cell escaped; columns of numbers are aligned to the right."""
        align = "---" if self.words else "---:"
        header, *rows = [[_escaped(cell) for cell in row] for row in (self.header, *self.rows)]
        if self.sums_up == "row":
            rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
        lines = [header, ["---"] + [align] * (len(header) - 1), *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escaped(cell: str) -> str:
    return markdown_code(cell, in_table=True) if isinstance(cell, Code) else markdown(cell)
