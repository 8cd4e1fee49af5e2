"""The help of a program in the reader's language, whose characters may be two columns wide."""

import argparse
import re
import unicodedata
from collections.abc import Iterable

from shared.system.language import say, shown

# argparse's own words, which it makes itself.
OF_ARGPARSE: dict[str, str] = {
    text: text for text in (say("usage: "), say("options"), say("show this help message and exit"))
}
# What stays together on a line: a wide character or a word, and the punctuation that belongs to it.
WIDE = "\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
OPENING, CLOSING = "“《（", "”》）、，。：；！？"
PIECES = re.compile(rf"\s+|[{OPENING}]*(?:[{WIDE}]|[^\s{WIDE}]+)[{CLOSING}]*")


def in_language(text: str) -> str:
    """A text of the help, or of argparse's, as the reader is told it."""
    return shown(OF_ARGPARSE.get(text, text))


def columns_of(text: str) -> int:
    """How wide it is on a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, but for a longer word. A line can end between any two wide characters."""
    lines = [""]
    for piece in PIECES.findall(" ".join(text.split())):
        if lines[-1] and columns_of(lines[-1] + piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return lines


class Formatter(argparse.HelpFormatter):
    """Prints a parser's texts, as far as they are said, in the reader's language."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(in_language(usage or ""), actions, groups, prefix or in_language("usage: "))

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and in_language(heading))

    def add_text(self, text: str | None) -> None:
        super().add_text(text and in_language(text))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help and in_language(action.help)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return super()._split_lines(text, width) if text.isascii() else wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width))
