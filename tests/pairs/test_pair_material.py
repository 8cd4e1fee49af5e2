"""What is planted can be planted: each mistake in its place, and enough of each kind."""

import ast
import collections

import numpy as np
import pytest

from benchmarks.pair_material.pair import EXAMPLES as ROWS_OF_DATA
from benchmarks.pair_material.planted import EXAMPLES, KERAS, NAIVE, PLANTED, TORCH
from benchmarks.pair_material.ports import PORTS
from benchmarks.pair_material.sound import PAIRS
from library_defaults.rows import ROWS

NAMES = [f"{number} {mistake.example} {mistake.kind}" for number, mistake in enumerate(PLANTED)]


@pytest.mark.parametrize("mistake", PLANTED, ids=NAMES)
def test_a_mistake_is_one_edit_that_leaves_a_program(mistake):
    text = (EXAMPLES / mistake.example / mistake.file).read_text(encoding="utf-8")
    assert mistake.file in {TORCH, KERAS}
    assert text.count(mistake.old) == 1
    assert ast.dump(ast.parse(mistake.edited(text))) != ast.dump(ast.parse(text))
    assert mistake.places
    assert all(cause == cause.lower() for cause in mistake.causes)


def test_there_are_enough_of_many_kinds_in_each_example():
    kinds = collections.Counter(mistake.kind for mistake in PLANTED)
    examples = collections.Counter(mistake.example for mistake in PLANTED)
    assert len(PLANTED) >= 70
    assert len(set(PLANTED)) == len(PLANTED)
    assert len(kinds) >= 20
    assert examples.keys() == {"mlp", "cnn", "lstm", "gpt"}
    assert min(examples.values()) >= 15
    assert 0.75 <= sum(mistake.fixable for mistake in PLANTED) / len(PLANTED) <= 0.85


@pytest.mark.parametrize("case", NAIVE, ids=lambda case: case.example)
def test_a_naive_port_has_its_mistakes_together(case, tmp_path):
    torch, keras, data = case.write(tmp_path)
    assert data.is_file()
    texts = {TORCH: torch.read_text(encoding="utf-8"), KERAS: keras.read_text(encoding="utf-8")}
    for mistake in case.mistakes:
        assert mistake.new in texts[mistake.file]
        assert mistake.old not in texts[mistake.file] or mistake.old in mistake.new
    assert len(case.mistakes) > 2


@pytest.mark.parametrize("pair", [*PORTS, *PAIRS], ids=lambda pair: pair.name)
def test_a_pair_is_two_programs_and_their_data(pair, tmp_path):
    torch, keras, data = pair.write(tmp_path)
    for file, framework, other in ((torch, "torch", "keras"), (keras, "keras", "torch")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert framework in imported
        assert other not in imported
        assert "model" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    with np.load(data) as arrays:
        assert {len(array) for array in arrays.values()} == {ROWS_OF_DATA}
    assert {*pair.rows, *pair.rounded} <= {row.key for row in ROWS}


def test_there_are_enough_pairs_and_none_twice():
    names = [pair.name for pair in (*PORTS, *PAIRS)]
    assert len(set(names)) == len(names)
    assert len(PORTS) >= 13
    assert len(PAIRS) >= 30
    assert all(pair.rows or pair.hard for pair in PORTS)
    assert not any(pair.rows for pair in PAIRS)
