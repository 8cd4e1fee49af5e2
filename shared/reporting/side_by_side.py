"""Two texts side by side, with what differs marked: by line, and within a line by word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

# Two lines that share less than this are other lines, and not one line changed.
ALIKE = 0.5
# What two empty lines have in common: less than any word.
EMPTY_LINES = 0.5

Piece = tuple[str, bool]  # text, and whether the other side's differs


@dataclass(frozen=True)
class Line:
    """A line of one side."""

    number: int  # from 1
    pieces: list[Piece]


@dataclass(frozen=True)
class Row:
    """What stands side by side; None where one side has nothing there."""

    kind: Literal["same", "changed", "other"]  # one line, the same line changed, or two that have nothing in common
    left: Line | None
    right: Line | None


def side_by_side(left: str, right: str) -> list[Row]:
    """Every line of both texts, in order. Lines without a counterpart stand beside the other side's."""
    a, b = left.splitlines(), right.splitlines()
    rows = []
    before = (-1, -1)
    for i, j in [*_paired(a, b), (len(a), len(b))]:
        alone_left = [Line(n + 1, [(a[n], False)]) for n in range(before[0] + 1, i)]
        alone_right = [Line(n + 1, [(b[n], False)]) for n in range(before[1] + 1, j)]
        rows += [Row("other", *lines) for lines in zip_longest(alone_left, alone_right)]
        if i < len(a) and j < len(b):
            pieces = _pieces(a[i], b[j])
            rows.append(Row("same" if a[i] == b[j] else "changed", Line(i + 1, pieces[0]), Line(j + 1, pieces[1])))
        before = i, j
    return rows


def _paired(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    """Indices of the lines that are each other's counterpart, in order.

    Of all ways to pair lines without crossing, the one in which the pairs have most in common.
    """
    common = [[_in_common(x, y) for y in b] for x in a]
    # most[i][j]: what the lines from i and from j on can have in common.
    most = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            most[i][j] = max(common[i][j] + most[i + 1][j + 1], most[i + 1][j], most[i][j + 1])
    i = j = 0
    while i < len(a) and j < len(b):
        if most[i][j] == most[i + 1][j]:
            i += 1
        elif most[i][j] == most[i][j + 1]:
            j += 1
        else:
            yield i, j
            i, j = i + 1, j + 1


def _in_common(left: str, right: str) -> float:
    """How many characters two lines have in common, so that long lines decide; nothing where they are not alike."""
    if left == right:
        return len(left) + EMPTY_LINES
    matcher = SequenceMatcher(None, left.strip(), right.strip(), autojunk=False)
    # The quick ones are upper bounds.
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return matcher.ratio() * min(len(left), len(right)) if all(ratio() >= ALIKE for ratio in ratios) else 0.0


def _pieces(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both lines cut up, word by word where they differ."""
    a, b = (re.findall(r"\w+|\s+|.", line) for line in (left, right))
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for side, words in zip(pieces, (a[a0:a1], b[b0:b1]), strict=True):
            if words:
                side.append(("".join(words), tag != "equal"))
    return pieces
