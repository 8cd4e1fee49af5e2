"""benchmarks/mistakes.py: what it plants is a mistake that applies, and what it makes of runs that are known."""

import ast
import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import mistakes
from benchmarks.mistakes import FALSE_ALARM, MISSED, NOTHING, REFUSED, SEEN, SOUND
from benchmarks.planted import MISTAKES, Change, Mistake, Place
from shared.contract import FRAMEWORKS
from shared.running.record import Epoch, RecordError
from shared.system.errors import InputError
from shared.system.paths import ROOT
from tests.mutants import MUTANTS


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_changes_text_that_is_there_once_and_leaves_a_program(mistake, tmp_path):
    assert mistake.changes
    for change in mistake.changes:
        (tmp_path / change.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / change.file).write_text((ROOT / change.file).read_text(encoding="utf-8"), encoding="utf-8")
    mistakes.plant(mistake, tmp_path)
    for change in mistake.changes:
        text = (tmp_path / change.file).read_text(encoding="utf-8")
        assert text != (ROOT / change.file).read_text(encoding="utf-8")
        ast.parse(text)


def test_there_are_enough_mistakes_about_half_in_each_framework():
    count = Counter(mistake.framework for mistake in MISTAKES)
    assert count.total() >= 60
    assert all(count[framework] >= 0.4 * count.total() for framework in FRAMEWORKS)
    assert len({mistake.what for mistake in MISTAKES}) == len(MISTAKES)


def test_a_mistake_is_in_its_own_frameworks_program():
    for mistake in MISTAKES:
        others = {f"{framework.lower()}_impl" for framework in FRAMEWORKS} - {f"{mistake.framework.lower()}_impl"}
        assert not others & {change.file.partition("/")[0] for change in mistake.changes}


def test_no_mistake_is_a_mutant():
    mutants = {(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}
    assert not mutants & {tuple(change) for mistake in MISTAKES for change in mistake.changes}


def test_code_is_planted_with_the_indentation_of_its_place():
    place = Place("a.py", "    take()\n", "step = 7")
    assert place.around("if step:\n    pass", after="done()").new == (
        "    step = 7\n    if step:\n        pass\n    take()\n    done()\n"
    )
    assert place.instead("leave()").new == "    step = 7\n    leave()\n"


def test_a_text_that_has_gone_is_said(tmp_path):
    (tmp_path / "a.py").write_text("one, one", encoding="utf-8")
    for old, times in (("one", 2), ("two", 0)):
        with pytest.raises(ValueError, match=rf"off: a.py has '{old}' {times} times, not once"):
            mistakes.plant(Mistake("off", "PyTorch", (Change("a.py", old, "three"),)), tmp_path)


def record(weight=1.0, loss=0.5, accuracy=0.9, order="order"):
    """A run of two numbers and an epoch."""
    epoch = Epoch(train_loss=0.5, train_loss_per_example=0.5, test_loss=0.5, test_accuracy=accuracy)
    training = SimpleNamespace(numpy_dtype=np.dtype(np.float32))
    about = SimpleNamespace(training=training, epochs=[epoch], data_checksum={}, order_checksums=[order])
    numbers = {"weight": np.float32([weight, 0.25])}, {"step_losses": np.float32([loss])}
    return SimpleNamespace(record=about, weights=numbers[0], arrays=numbers[1])


@pytest.mark.parametrize(
    ("changed", "ulps"),
    [({}, 0), ({"weight": 1 + 2**-22}, 2), ({"loss": 0.5 + 2**-23}, 2), ({"accuracy": 0.9 + 2**-25}, 0.5)],
)
def test_the_largest_change_is_in_ulps_of_the_largest_beside_it(changed, ulps):
    assert mistakes.largest_change(record(), record(**changed)) == pytest.approx(ulps, rel=1e-6)


class Trainer:
    """Its run is made already."""

    def __init__(self, made):
        self._made = made

    def run(self, _mistake):
        if isinstance(self._made, Exception):
            raise self._made
        return self._made


def fate(monkeypatch, made, *shares):
    """Of a mistake whose run is this, or of no mistake, where the verification finds these shares."""
    findings = [
        SimpleNamespace(check=f"check {i}", where="here", size="far", share=share, sentence="so", passes=share <= 1)
        for i, share in enumerate(shares)
    ]
    monkeypatch.setattr(mistakes, "judge", lambda _run: SimpleNamespace(findings=findings))
    sound_runs = mistakes.SoundRuns(Trainer(record()))
    return mistakes.try_one(MISTAKES[0] if made else mistakes.without(MISTAKES[0]), sound_runs, Trainer(made))


def test_a_mistake_is_seen_where_a_check_fails(monkeypatch):
    found = fate(monkeypatch, record(weight=2.0), 0.5, 3.0, np.inf)
    assert (found.fate, found.check, found.share, found.checks) == (SEEN, "check 1", 3.0, ["check 1", "check 2"])
    assert fate(monkeypatch, record(weight=2.0), np.inf).share is None


def test_a_mistake_that_passes_is_not_seen_and_the_nearest_check_is_told(monkeypatch):
    found = fate(monkeypatch, record(weight=2.0), 0.5, 0.75, 0.25)
    assert (found.fate, found.check, found.share, found.checks) == (MISSED, "check 1", 0.75, [])
    assert found.ulps == 2**23


def test_a_mistake_that_changes_nothing_does_not_count(monkeypatch):
    assert fate(monkeypatch, record(), np.inf).fate == NOTHING
    assert fate(monkeypatch, record(order="another"), np.inf).fate == SEEN


def test_a_run_without_a_mistake_must_not_be_seen(monkeypatch):
    assert fate(monkeypatch, None, 1.0).fate == SOUND
    assert fate(monkeypatch, None, 1.5).fate == FALSE_ALARM


def test_what_changes_nothing_is_counted_apart():
    rows = [{"fate": of} for of in (SEEN, SEEN, MISSED, NOTHING, SOUND, FALSE_ALARM)]
    of_mistakes = "2 of 3 mistakes are seen; 1 more change no recorded number."
    assert mistakes.counts(rows) == f"{of_mistakes} Of 2 runs without a mistake, 1 are found to have one."


def test_no_segment_is_taken_after_the_first_that_is_wrong():
    taken = mistakes.UntilWrong().map(
        lambda ends: SimpleNamespace(share=ends[1]), [(0, 0.5), (1, 1.0), (2, 1.5), (3, 9)]
    )
    assert [segment.share for segment in taken] == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("error", [InputError("bad"), RecordError("not a record")])
def test_a_run_that_is_refused_is_seen(monkeypatch, error):
    found = fate(monkeypatch, error)
    assert (found.fate, found.check, found.sentence, found.ulps) == (SEEN, REFUSED, str(error), None)


def test_what_was_measured_counts_where_mistake_and_machine_are_the_same(tmp_path):
    file, row = tmp_path / "mistakes.json", mistakes.in_json(MISTAKES[0]) | {"fate": SEEN}
    other = mistakes.in_json(MISTAKES[1]) | {"changes": []}
    assert mistakes.kept(file, {"cpu": "one"}) == {}
    file.write_text(json.dumps({"environment": {"cpu": "one"}, "mistakes": [row, other]}), encoding="utf-8")
    assert mistakes.kept(file, {"cpu": "one"}) == {MISTAKES[0].what: row}
    assert mistakes.kept(file, {"cpu": "another"}) == {}
