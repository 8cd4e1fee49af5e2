"""benchmarks/logs.py: what counts as right, which pairs there are, and that the tables are of the rows."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import logs
from benchmarks.log_material.plan import LATER, PLANTED, SOUND
from shared.logs.causes import CAUSES


@pytest.mark.parametrize(
    ("key", "right", "good", "sound", "said"),
    [
        ("update", ("update", "rate"), False, False, logs.RIGHT),
        ("schedule", ("update",), False, False, logs.WRONG),
        ("first updates", ("carried",), False, False, logs.WIDE),
        ("first updates", ("start",), False, False, logs.WRONG),
        ("unclear", ("update",), False, False, logs.UNKNOWN),
        ("rounding", ("update",), True, False, logs.HIDDEN),
        ("rounding", ("same", "rounding"), True, True, logs.RIGHT),
        ("small", ("same", "rounding"), False, True, logs.WRONG),
    ],
)
def test_what_is_said_is_counted_as_what_it_is(key, right, good, sound, said):
    assert logs.said(SimpleNamespace(key=key, good=good), right, sound=sound) == said


def test_every_pair_is_another_and_names_causes_that_there_are():
    pairs = logs.everything()
    assert pairs == logs.everything()
    assert len(PLANTED) + len(LATER) >= 30
    assert len(SOUND) >= 10
    assert {key for pair in pairs for key in pair.right} <= CAUSES.keys()
    assert {key for wider in logs.WIDER.values() for key in wider} | logs.WIDER.keys() <= CAUSES.keys()


def test_the_tables_are_of_the_rows_that_are_kept():
    told = json.loads((logs.HERE / "logs.json").read_text(encoding="utf-8"))
    text = (logs.HERE / "logs.md").read_text(encoding="utf-8")
    assert text == logs.INTRODUCTION + logs.tables(told["pairs"])
    assert [row["name"] for row in told["pairs"]] == [pair.name for pair in logs.everything()]
    made_with = [row for row in told["pairs"] if row.get("held_out") != logs.AFRESH]
    assert not [row["name"] for row in made_with if row["said"] == logs.WRONG]
