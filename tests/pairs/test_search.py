"""What is called a cause: on a bench whose faults are known, each with the change that mends it."""

from types import SimpleNamespace

import pytest

from shared.pairs.causes import Candidate
from shared.pairs.climb import GRADIENTS, LIMITS, climb, first_beyond
from shared.pairs.protocol import Edit
from shared.pairs.search import Search
from shared.system.errors import InputError
from tests.pairs.test_climb import arrays, described, numbers

# What each fault puts off.
NORM, LOSS, RULE = "evaluation/call/0/out", "evaluation/loss", "after/1/dense/kernel"


class Bench:
    """The Keras side: `faults` are there unless a change mends them, `harm` is there if a change brings it."""

    def __init__(self, faults, harm=None, impossible=()):
        self.sides, self.asked, self.torch_weights = described(), SimpleNamespace(record_after=(1, 2)), {}
        self.faults, self.harm, self.impossible = faults, harm or {}, impossible

    def measure(self, edits, *_, **__):
        done = {edit.what for edit in edits}
        if done & set(self.impossible):
            raise InputError("it does not fit")
        off = [key for key, mended_by in self.faults.items() if not done & set(mended_by)]
        return numbers(arrays("TensorFlow", off=[*off, *(key for what, key in self.harm.items() if what in done)]))


def candidate(what, **more):
    return Candidate(f"{what} differs", (Edit(what=what),), f"mend {what}", **more)


def searched(bench, monkeypatch, readable=(), guesses=()):
    monkeypatch.setattr("shared.pairs.search.read", lambda *_: [candidate(what) for what in readable])
    monkeypatch.setattr("shared.pairs.search.guesses_at", lambda *_: list(guesses))
    torch, keras = numbers(arrays("PyTorch")), bench.measure([])
    causes, unexplained, explained = Search(bench, torch, keras, lambda _: None).run(climb(bench.sides, torch, keras))
    return [cause.candidate.edits[0].what for cause in causes], unexplained, explained


def test_three_faults_are_three_causes_and_what_brings_nothing_is_none(monkeypatch):
    bench = Bench({NORM: ["norm"], LOSS: ["loss"], RULE: ["rule"]})
    causes, unexplained, explained = searched(bench, monkeypatch, ["idle", "rule", "norm", "loss"])
    assert sorted(causes) == ["loss", "norm", "rule"]
    assert unexplained is None
    assert first_beyond(explained, LIMITS["float64"]) is None


def test_a_guess_is_tried_where_nothing_was_read(monkeypatch):
    bench = Bench({NORM: ["norm"], LOSS: ["loss"]})
    causes, unexplained, _ = searched(bench, monkeypatch, ["norm"], [candidate("other"), candidate("loss")])
    assert sorted(causes) == ["loss", "norm"]
    assert unexplained is None


def test_what_is_left_is_told_and_no_cause_is_made_up(monkeypatch):
    bench = Bench({NORM: ["norm"], LOSS: ["what nobody thinks of"]})
    causes, unexplained, _ = searched(bench, monkeypatch, ["norm", "idle"], [candidate("other")])
    assert causes == ["norm"]
    assert unexplained.what == "the loss"


def test_a_setting_whose_change_does_harm_is_left_out(monkeypatch):
    bench = Bench({NORM: ["norm"]}, harm={"read wrongly": RULE})
    causes, unexplained, _ = searched(bench, monkeypatch, ["read wrongly", "norm"])
    assert causes == ["norm"]
    assert unexplained is None


def test_of_two_changes_that_do_the_same_one_is_the_cause(monkeypatch):
    causes, unexplained, _ = searched(Bench({NORM: ["norm", "norm too"]}), monkeypatch, ["norm", "norm too"])
    assert len(causes) == 1
    assert unexplained is None


def test_a_factor_that_explains_one_number_is_no_cause(monkeypatch):
    # It makes the loss agree, as a factor of any one number would; the gradient stays off.
    bench = Bench({LOSS: ["factor"], "gradient/dense/kernel": []})
    causes, unexplained, _ = searched(bench, monkeypatch, guesses=[candidate("factor", beyond=GRADIENTS)])
    assert causes == []
    assert unexplained.what == "the loss"
    assert searched(bench, monkeypatch, guesses=[candidate("factor")])[0] == ["factor"]


def test_a_rate_of_a_later_step_is_told_where_another_cause_was_found_before(monkeypatch):
    class Stepwise(Bench):
        def measure(self, edits, *_, steps=(2,), **__):
            made = super().measure(edits).arrays
            if "rates" not in {edit.what for edit in edits}:
                made["rates"][1] = 0.2
            return numbers({key: of[: steps[-1]] if key in {"rates", "losses"} else of for key, of in made.items()})

    monkeypatch.setattr("shared.pairs.search.read", lambda *_: [candidate("norm")])
    bench, torch = Stepwise({NORM: ["norm"]}), numbers(arrays("PyTorch"))
    keras = bench.measure([])
    causes, unexplained, _ = Search(bench, torch, keras, lambda _: None).run(climb(bench.sides, torch, keras))
    told = [cause.candidate.what for cause in causes]
    assert told == ["norm differs", "the learning rate of step 2: 0.1 in PyTorch, 0.2 in Keras"]
    assert unexplained is None


def test_two_formulas_that_show_together_alone_are_tried_together(monkeypatch):
    class Both(Bench):
        def measure(self, edits, *_, **__):
            done = {edit.what for edit in edits}
            return numbers(arrays("TensorFlow", off=[] if done >= {"clip", "formula"} else [RULE]))

    guesses = [candidate("clip"), candidate("formula"), candidate("idle")]
    causes, unexplained, _ = searched(Both({}), monkeypatch, guesses=guesses)
    assert sorted(causes) == ["clip", "formula"]
    assert unexplained is None


@pytest.mark.parametrize("readable", [["impossible"], ["impossible", "norm"]])
def test_a_change_that_can_not_be_made_is_no_cause_and_no_match(monkeypatch, readable):
    causes, unexplained, _ = searched(Bench({NORM: ["norm"]}, impossible=["impossible"]), monkeypatch, readable)
    assert causes == [what for what in readable if what == "norm"]
    assert (unexplained is None) == ("norm" in readable)


def test_a_third_of_a_fault_is_not_taken_for_all_of_it(monkeypatch):
    # Alone, one brings the number ten times nearer; all three together mend it, and a fourth would do harm.
    class Three(Bench):
        def measure(self, edits, *_, **__):
            done = {edit.what for edit in edits}
            wrong = "harm" in done or not done >= {"clip", "formula", "eps"}
            numbers_there = arrays("TensorFlow", off=[RULE] if wrong else [])
            if wrong and "eps" in done:
                right = arrays("TensorFlow", off=[])[RULE]
                numbers_there[RULE] = right + (numbers_there[RULE] - right) / 100
            return numbers(numbers_there)

    guesses = [candidate(what) for what in ("clip", "formula", "eps", "harm")]
    causes, unexplained, _ = searched(Three({}), monkeypatch, guesses=guesses)
    assert sorted(causes) == ["clip", "eps", "formula"]
    assert unexplained is None


def test_what_is_mended_by_leaving_a_change_out_is_told_as_mended(monkeypatch):
    # Of two changes that bring the norm right, one puts the rule off.
    bench = Bench({NORM: ["norm", "both"], LOSS: ["both"], RULE: ["both"]}, harm={"norm": RULE})
    causes, unexplained, explained = searched(bench, monkeypatch, ["norm"], [candidate("both")])
    assert causes == ["both"]
    assert unexplained is None
    assert first_beyond(explained, LIMITS["float64"]) is None


def test_a_change_that_others_need_to_be_made_is_kept(monkeypatch):
    class Needing(Bench):
        def measure(self, edits, *_, **__):
            done = {edit.what for edit in edits}
            if "rule" in done and "dense" not in done:
                raise InputError("it does not fit")
            return numbers(arrays("TensorFlow", off=[] if "rule" in done else [RULE]))

    causes, unexplained, _ = searched(Needing({}), monkeypatch, guesses=[candidate("dense"), candidate("rule")])
    assert sorted(causes) == ["dense", "rule"]
    assert unexplained is None
