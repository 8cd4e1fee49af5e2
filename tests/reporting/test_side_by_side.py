"""Two texts side by side: every line once, in order, beside its counterpart."""

import pytest

from shared.reporting.page import CODE
from shared.reporting.side_by_side import Row, side_by_side
from tests.conftest import ROOT


def text(line):
    return None if line is None else "".join(piece for piece, _ in line.pieces)


def shown(left, right):
    return [(row.kind, text(row.left), text(row.right)) for row in side_by_side(left, right)]


@pytest.mark.parametrize("file", CODE)
def test_both_texts_are_there_whole_and_numbered(file):
    texts = [
        (ROOT / package / file).read_text(encoding="utf-8").splitlines()
        for package in ("pytorch_impl", "tensorflow_impl")
    ]
    rows = side_by_side(*map("\n".join, texts))
    for side, lines in zip(("left", "right"), texts, strict=True):
        there = [getattr(row, side) for row in rows if getattr(row, side)]
        assert [text(line) for line in there] == lines
        assert [line.number for line in there] == list(range(1, len(lines) + 1))


@pytest.mark.parametrize(
    ("left", "right", "rows"),
    [
        ("a\nb", "a\nb", [("same", "a", "a"), ("same", "b", "b")]),
        ("", "a", [("other", None, "a")]),
        ("a", "", [("other", "a", None)]),
        ("x = f(1)", "x = f(2)", [("changed", "x = f(1)", "x = f(2)")]),
        ("import torch", "while True: go()", [("other", "import torch", "while True: go()")]),
        (
            "def f(a):\n    return a.one()",
            "import os\ndef f(a):\n    return a.two()",
            [
                ("other", None, "import os"),
                ("same", "def f(a):", "def f(a):"),
                ("changed", "    return a.one()", "    return a.two()"),
            ],
        ),
    ],
)
def test_lines_stand_beside_their_counterparts(left, right, rows):
    assert shown(left, right) == rows


def test_a_long_line_counts_for_more_than_empty_ones():
    left = "\n\nloss = cross_entropy(model(inputs), labels)"
    right = "loss = cross_entropy(model(inputs), labels)\n\n"
    assert [row.kind for row in side_by_side(left, right)].count("same") == 1
    assert (
        "same",
        "loss = cross_entropy(model(inputs), labels)",
        "loss = cross_entropy(model(inputs), labels)",
    ) in shown(left, right)


def test_only_the_words_that_differ_are_marked():
    (row,) = side_by_side("x = torch.stack(losses)", "x = tf.stack(losses)")
    assert isinstance(row, Row)
    assert row.left.pieces == [("x = ", False), ("torch", True), (".stack(losses)", False)]
    assert row.right.pieces == [("x = ", False), ("tf", True), (".stack(losses)", False)]
