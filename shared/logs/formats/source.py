"""A file from outside that may be a log: what a format looks at to recognise it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shared.system import files

HEAD = 65_536  # bytes that tell which format it is


@dataclass(frozen=True)
class LogFile:
    """A file, and what was asked for in it."""

    path: Path
    asked: str | None = None  # the column, or the run, that holds the losses

    @cached_property
    def head(self) -> bytes:
        return files.read_head(self.path, HEAD)

    @cached_property
    def lines(self) -> list[str]:
        """The first lines that are not blank, whole ones only where there are several."""
        text = self.head.decode("utf-8-sig", "replace")
        lines = text.splitlines()
        if len(self.head) == HEAD and len(lines) > 1:
            lines = lines[:-1]
        return [line for line in lines if line.strip()]

    @property
    def is_large(self) -> bool:
        """Whether only the measures that matter most are read, so that memory stays bounded."""
        return files.size(self.path) > LARGE


LARGE = 24 * 2**20
LEFT_OUT = "Of a log as large as this only losses, accuracies and learning rates are read, and no other measures."
