"""benchmarks/pairs.py and its tables: where a check is, what a row proves, and what the tables make of rows."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import pairs, pairs_tables
from benchmarks.pairs_tables import NAIVE_PORT, PLANT, PORT, SOUND
from shared.pairs import climb
from shared.pairs.causes import Candidate
from shared.pairs.climb import Check
from shared.pairs.pairing import Pairing
from shared.pairs.protocol import Edit
from shared.pairs.search import Cause
from shared.system.errors import InputError


def side(*places, buffers=(), **tensors):
    """A side with these calls, and these tensors in layers."""
    calls = [SimpleNamespace(place=place) for place in places]
    layers = [SimpleNamespace(path=path, tensors={"own": name}) for path, name in tensors.items()]
    facts = {name: SimpleNamespace(buffer=name in buffers) for name in tensors.values()}
    return SimpleNamespace(calls=calls, training_calls=calls[::-1], layers=layers, tensors=facts)


SIDES = SimpleNamespace(
    torch=side("0", "1", fc="fc.weight", norm="norm.mean"),
    keras=side("dense", "", "dense_1", dense="dense/kernel", norm_1="norm_1/mean", buffers=("norm_1/mean",)),
    carry=SimpleNamespace(sources={"dense/kernel": ("fc.weight",), "norm_1/mean": ("norm.mean",)}),
    pairings=(Pairing(0, 0, 0, 0), Pairing(1, 2, 1, 2)),
)


def check(stage, key="", tensor="", pairing=None, multiple=5000.0):
    return Check(stage, "what", key, multiple, 1.0, 1.0, pairing, tensor=tensor)


@pytest.mark.parametrize(
    ("of", "names"),
    [
        (check(climb.GIVEN, "given/alone"), {"input"}),
        (check(climb.EVALUATION, pairing=SIDES.pairings[0]), {"0", "dense"}),
        (check(climb.TRAINING, pairing=SIDES.pairings[0]), {"1", "training 1", "dense_1", "training dense_1"}),
        (check(climb.EVALUATED, "evaluation/loss"), {"loss"}),
        (check(climb.TRAINED, "training/output/"), {"output"}),
        (
            check(climb.GRADIENTS, "gradient/dense/kernel", "dense/kernel"),
            {"fc", "dense", "gradient of fc", "gradient of dense"},
        ),
        (check(climb.AFTER, "rates/1"), {"rate", "optimizer"}),
        (check(climb.AFTER + 2, "losses/2"), {"optimizer"}),
        (check(climb.AFTER + 1, "after/1/dense/kernel", "dense/kernel"), {"optimizer"}),
        (
            check(climb.AFTER + 1, "after/1/norm_1/mean", "norm_1/mean"),
            {"optimizer", "norm", "norm_1", "training norm", "training norm_1"},
        ),
    ],
)
def test_a_check_is_somewhere_with_the_names_of_both_sides(of, names):
    assert pairs.names_of(of, SIDES) == names


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("2", {"dense_1", "1"}),
        ("dense", {"dense", "0"}),
        ("dense/kernel", {"dense/kernel", "fc", "dense"}),
        ("", set()),
    ],
)
def test_a_cause_is_where_its_fix_is_made_and_where_its_lack_shows(place, names):
    candidate = Candidate("what", (Edit(what="pad", place=place),), "code")
    assert pairs.names_of_cause(Cause(candidate, check(climb.EVALUATED, "evaluation/loss")), SIDES) == {*names, "loss"}


def test_the_largest_of_each_kind_of_check_is_kept_and_infinity_has_a_sign_in_json():
    made = [
        check(climb.GIVEN, multiple=1.0),
        check(climb.EVALUATED, multiple=3.23456),
        check(climb.TRAINED, multiple=np.inf),
        check(climb.AFTER, "rates/1", multiple=9.0),
        check(climb.AFTER, "losses/1", multiple=2.0),
        check(climb.AFTER + 1, "after/1/x", multiple=4.0),
    ]
    found = {kind: of["multiple"] for kind, of in pairs._largest(made).items()}
    assert found == {"evaluation": 3.235, "training": None, "rates": 9.0, "losses": 2.0, "weights": 4.0}
    assert pairs_tables.size({"multiple": None}) == np.inf


def cause(what, *names, code="", row=None):
    return {"what": what, "code": code, "row": row, "names": [*names]}


def planted(causes_found=(), first=("0", "dense"), **more):
    """A row of an activation that is another, after layer 0."""
    known = {"kind": PLANT, "name": "mlp 1", "example": "mlp", "places": ["0", "dense"], "causes": ["relu"]}
    known |= {"fixable": True, "hard": "", "verdict": "different", "unexplained": None, "read_only": [], "seconds": 1}
    seen = {"what": "the output of 0", "multiple": 5e6, "names": [*first]} if first else None
    return known | {"first": seen, "causes_found": [*causes_found]} | more


def refused(text, key="refused"):
    row = planted(**{key: text})
    for gone in ("verdict", "first", "causes_found", "unexplained", "read_only"):
        row.pop(gone)
    return row


RELU = cause("the activation after 0: nn.ReLU in PyTorch", "0")


@pytest.mark.parametrize(
    ("row", "detected", "place", "named", "wrong"),
    [
        (planted([RELU]), True, True, True, False),
        (planted([RELU], ("2",)), True, True, True, False),  # where the cause is
        (planted([cause("padding", "1", code="… relu …")], ("2",)), True, False, True, False),
        (planted([cause("padding", "1"), RELU], ("00",)), True, True, True, False),
        (planted([cause("padding", "1")], ("2",)), True, False, False, True),
        (planted([], ("dense_1", "0.0")), True, False, False, False),  # whole names only
        (planted([], (), verdict="same"), False, False, False, False),
        (planted([RELU], verdict="defaults"), True, True, True, False),
        (planted([], ("loss",), read_only=["dropout: 0.5 (d.1)"], places=["setting d.1"]), True, True, False, False),
        (planted([], ("loss",), read_only=["dropout: 0.5 (d.11)"], places=["setting d.1"]), True, False, False, False),
        (refused("dense/bias has no counterpart"), True, True, False, False),
        (refused("a.0.bias, dense_1/bias and 0.25 have none"), True, False, False, False),
        (refused("KeyError: dense/bias", "fault"), False, False, False, False),
    ],
)
def test_what_a_row_proves(row, detected, place, named, wrong):
    judged = (pairs_tables.detected, pairs_tables.right_place, pairs_tables.named, pairs_tables.wrong)
    assert tuple(judge(row) for judge in judged) == (detected, place, named, wrong)
    assert row["name"] in pairs_tables.line(row)


def test_mistakes_are_counted_by_example_and_by_what_can_be_fixed():
    rows = [
        planted([RELU]),
        planted([cause("ε", "0")]),
        planted(verdict="same", first=(), fixable=False, example="gpt"),
    ]
    lines = pairs_tables.planted(rows).splitlines()
    assert (
        lines[0]
        == "|  | mistakes | detected | of these refused | right place | cause confirmed | only read | wrong cause |"
    )
    assert lines[2:] == [
        "| mlp | 2 | 2 (100%) | 0 (0%) | 2 (100%) | 1 (50%) | 0 (0%) | 1 (50%) |",
        "| gpt | 1 | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) |",
        "| a fix can be tried | 2 | 2 (100%) | 0 (0%) | 2 (100%) | 1 (50%) | 0 (0%) | 1 (50%) |",
        "| in the user's arithmetic | 1 | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) | 0 (0%) |",
        "| **all** | **3** | **2 (67%)** | **0 (0%)** | **2 (67%)** | **1 (33%)** | **0 (0%)** | **1 (33%)** |",
    ]


def test_what_is_missed_is_told_with_why():
    arithmetic = planted([], fixable=False)
    assert pairs_tables.missed([planted([RELU]), arithmetic]) == ""
    told = pairs_tables.missed([planted([cause("padding", "9")], ("9",), hard="it hides"), refused("no", "fault")])
    assert "| not right place nor cause confirmed; a wrong cause | different | padding | it hides |" in told
    assert "| not detected nor right place nor cause confirmed | fault | no | – |" in told


def sound(name, multiple, verdict="same"):
    largest = {kind: {"multiple": multiple, "what": "the loss"} for kind in pairs_tables.CHECKS}
    row = {"kind": SOUND, "name": name, "verdict": verdict, "largest": {"float64": largest, "float32": largest}}
    return row | {"first": None, "causes_found": [], "unexplained": None, "read_only": [], "seconds": 1}


def test_sound_pairs_are_told_by_the_furthest_and_those_that_are_doubted():
    told = pairs_tables.sound_pairs([sound("near", 1.5), sound("far", 12.0), sound("doubted", None, "different")])
    assert "2 of 3 sound pairs are found to be the same" in told
    assert "| evaluation | 12.0 | 1000 | the loss of far | 12.0 | 64 | the loss of far |" in told
    assert "| doubted | different | – |" in told


def test_a_ports_causes_stand_beside_those_expected():
    row = {"kind": PORT, "name": "gru", "rows": ["a", "b"], "hard": "", "verdict": "defaults", "unexplained": None}
    row |= {"causes_found": [cause("x", row="a"), cause("y", row="c"), cause("of none")], "read_only": []}
    assert "| gru | yes | defaults | 1 of 2 | b | c; of none | – | – |" in pairs_tables.ports([row])
    lost = {"kind": PORT, "name": "gru", "rows": ["a"], "hard": "", "refused": "no counterpart"}
    assert "| gru | no | refused | 0 of 1 | a | – | no counterpart | – |" in pairs_tables.ports([lost])


def test_of_several_mistakes_those_are_told_that_one_run_names():
    mistakes = [{"kind": "activation", "causes": ["relu"]}, {"kind": "ε", "causes": ["epsilon"]}]
    row = planted([RELU], kind=NAIVE_PORT, name="mlp", mistakes=mistakes)
    assert "| mlp | different | 1 of 2 | ε | – |" in pairs_tables.several([row])


def test_all_tables_can_be_made_of_what_is_kept():
    rows = [sound("near", 1.5), planted([RELU]), refused("dense/bias has none")]
    told = pairs_tables.tables(json.loads(json.dumps(rows)))
    assert [line for line in told.splitlines() if line.startswith("## ")] == [
        "## Sound pairs",
        "## Planted mistakes",
        "## What was missed",
        "## Each mistake",
    ]


def test_each_case_has_a_name_of_its_own():
    made = pairs.cases()
    assert len({(case.kind, case.name) for case in made}) == len(made)
    assert {case.kind for case in made} == {SOUND, PORT, PLANT, NAIVE_PORT}
    assert not any({"kind", "name"} & {*case.known} for case in made)


def test_rows_are_kept_while_code_and_material_are_the_same(tmp_path):
    file = tmp_path / "rows.jsonl"
    assert pairs.kept_rows(file, "one") == {}
    with file.open("a", encoding="utf-8") as kept:
        for seconds in (1, 2):
            kept.write(json.dumps({"kind": PLANT, "name": "mlp 1", "seconds": seconds}) + "\n")
    assert pairs.kept_rows(file, "one")["planted mlp 1"]["seconds"] == 2
    assert pairs.kept_rows(file, "two") == {}
    assert pairs.kept_rows(file, "one") == {}


@pytest.mark.parametrize(("died", "key"), [(False, "refused"), (True, "fault")])
def test_a_process_that_dies_is_no_refusal(monkeypatch, died, key):
    def failing(*_, **__):
        raise InputError("off")

    monkeypatch.setattr(pairs, "diagnose", failing)
    processes = SimpleNamespace(take=lambda: None, close=lambda: None, died=died)
    row = pairs.try_one(next(case for case in pairs.cases() if case.kind == PLANT), processes)
    assert (row[key], pairs_tables.outcome(row)) == ("off", key)


def test_a_fault_of_one_pair_is_a_row_and_ends_its_processes(monkeypatch):
    def failing(*_, **__):
        raise ValueError("off")

    monkeypatch.setattr(pairs, "diagnose", failing)
    processes = SimpleNamespace(take=lambda: None, closed=0)
    processes.close = lambda: setattr(processes, "closed", processes.closed + 1)
    row = pairs.try_one(next(case for case in pairs.cases() if case.kind == PLANT), processes)
    assert (row["fault"], processes.closed, pairs_tables.outcome(row)) == ("ValueError: off", 1, "fault")
