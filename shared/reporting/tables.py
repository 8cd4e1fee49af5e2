"""A table as plain data: for Markdown and for pages."""

from dataclasses import dataclass
from typing import Literal


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
        """In Markdown; columns of numbers are aligned to the right."""
        align = "---" if self.words else "---:"
        rows = [[cell.replace("|", r"\|") for cell in row] for row in self.rows]
        if self.sums_up == "row":
            rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
        lines = [self.header, ["---"] + [align] * (len(self.header) - 1), *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
