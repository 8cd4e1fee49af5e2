"""What an update is guessed to do otherwise."""

import pytest

from shared.pairs.causes import measured, rows
from shared.pairs.update_guesses import FORMULA, SAID
from shared.system.language import CHINESE, translated


@pytest.mark.parametrize("rule", FORMULA)
def test_what_the_table_says_of_a_formula_has_its_chinese(rule):
    row = rows()[FORMULA[rule]]
    words = {row.item, measured("PyTorch")[row.key], measured("TensorFlow")[row.key]}
    formulas = {word for word in words if " " not in word.replace(" + ", "+")}
    assert words - formulas == words & SAID.keys()
    assert all(translated(SAID[word], CHINESE) != word for word in words - formulas)
