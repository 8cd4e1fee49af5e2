"""benchmarks/sound.py and its tables: what is asked for, what a row says, and rates whose truth is known."""

import dataclasses
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sound, sound_tables
from benchmarks.sound_space import DRAWN, Comparison, comparisons
from shared import cli
from shared.comparing.deviations import WEIGHTS, deviation
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, REFERENCE, check_engine
from shared.reference.__main__ import load
from shared.running import runner
from shared.running.record import checkpoints, read_run
from shared.system.errors import InputError

TINY = Configuration.of(epochs=3, batch_size=2_000, hidden_sizes=(5,), dtype="float64", learning_rate=0.1)


def test_the_same_comparisons_each_time_and_each_can_be_made():
    made = comparisons()
    assert made == comparisons()
    assert len({(comparison.configuration, *comparison.engines.values()) for comparison in made}) >= 200
    assert [c.number for c in made if c.kind == "drawn"] == list(range(DRAWN))
    for comparison in made:
        for framework in FRAMEWORKS:
            check_engine(comparison.of(framework), framework)
            assert comparison.of(framework).training == comparison.configuration.training


def test_the_first_comparisons_stand_for_all():
    made = comparisons()
    for part in (made[:50], made[-50:]):
        assert abs(sum(c.kind == "drawn" for c in part) / 50 - DRAWN / len(made)) < 0.05


def test_a_comparisons_options_are_those_of_its_runs():
    parser = cli.make_parser("sound", "", "")
    for comparison in comparisons()[:30]:
        words = comparison.options.split()
        of_both = words[: words.index("--engine")] if "--engine" in words else words
        configuration, _ = cli.parse(parser, [*of_both, "--device", "cpu"])
        assert configuration.training == comparison.configuration.training
        assert configuration.execution == comparison.configuration.execution


# What is said of a run.


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "run"
    options = [*TINY.options(), "--checkpoints", "8", "--out", str(folder)]
    assert runner.main(REFERENCE, load, options) == 0
    return read_run(folder)


def row_of(run, again=None):
    with ThreadPoolExecutor(1) as executor:
        about = {"kind": "seed", "number": 0, "framework": "PyTorch", "options": "", "seconds": 0.1}
        return about | sound.verified(run, executor, lambda: again or run)


def test_a_run_that_is_the_reference_lies_nowhere_off(tiny_run):
    row = row_of(tiny_run)
    assert (row["reasons"], row["looked_twice"], row["steps"], row["segments"]) == ([], 0, 90, 13)
    assert set(sound_tables.deciding(row).values()) == {0.0}
    assert row["first_look"] == {kind: [0.0, 0.0] for kind in ("losses", "weights")}
    assert set(row["systematic"]["size of the updates"]) == set(tiny_run.weights)
    assert "0.00" in sound_tables.line(row)


def test_a_run_that_fails_is_looked_at_closer_and_must_repeat(tiny_run):
    losses = tiny_run.step_losses.copy()
    losses[40] *= 1.001
    wrong = dataclasses.replace(tiny_run, arrays=tiny_run.arrays | {"step_losses": losses})
    assert not row_of(tiny_run)["looked_closer"]
    row = row_of(wrong)
    assert row["looked_closer"]
    assert "steps 38 to 45 are not what" in " ".join(row["reasons"])
    assert any("does not repeat" in reason for reason in row_of(wrong, tiny_run)["reasons"])


def test_what_leans_is_measured_in_epsilons(tiny_run):
    epsilon, growing = float(np.finfo(np.float64).eps), dict(tiny_run.arrays)
    for index, step in enumerate(checkpoints(TINY.training, 8)):
        for name, values in tiny_run.at(step, "weights").items():
            growing[f"at/{step}/weights/{name}"] = values * (1 + 1.0 * epsilon * index)
    row = row_of(dataclasses.replace(tiny_run, arrays=growing))
    size, t = row["systematic"]["decay of the weights"]["fc1.weight"]
    assert size == pytest.approx(1.0, rel=0.5)
    assert t > 5
    assert row["reasons"]


def test_only_the_look_after_rounding_was_measured_can_fail_a_run():
    row = {
        "checks": {"every step": {"share": 0.97}, "first step": {"share": 0.2}, "initial weights": {"share": 0.0}},
        "second_look": {"every step": 0.3, "test logits": 0.0},
    }
    assert sound_tables.deciding(row) == {"every step": 0.3, "first step": 0.2, "initial weights": 0.0}


def test_a_size_says_that_rounding_was_measured():
    values = np.ones(3)
    assert sound_tables.MEASURED in deviation(values, values, WEIGHTS, [np.nextafter(values, 2)]).size
    assert sound_tables.MEASURED not in deviation(values, values, WEIGHTS).size


# How often one fails.


def test_where_none_fails_as_many_as_three_in_so_many_may():
    found = sound_tables.rate([0.1 + number / 1_000 for number in range(300)])
    assert (found.comparisons, found.failing) == (300, 0)
    assert found.at_most == pytest.approx(3 / 300, rel=0.01)


@pytest.mark.parametrize(
    ("law", "draw", "truth"),
    [
        ("exponential", lambda random: random.exponential(0.1, 400), np.exp(-10)),
        ("Pareto", lambda random: 0.1 * random.uniform(size=400) ** (-1 / 3), 1e-3),
    ],
)
def test_the_tail_tells_how_often_one_would_fail(law, draw, truth):
    random = np.random.default_rng(0)
    rates = [sound_tables.rate(draw(random)) for _ in range(200)]
    assert np.mean([rate.by_tail_at_most >= truth for rate in rates]) >= 0.95
    if law == "Pareto":
        estimates = [rate.by_tail for rate in rates if rate.tail == law]
        assert len(estimates) > 100
        assert np.median(estimates) == pytest.approx(truth, rel=0.5)


def test_a_comparison_is_as_close_as_the_closer_of_its_runs():
    def row(number, share):
        return {"kind": "drawn", "number": number, "checks": {"first step": {"share": share}}, "second_look": {}}

    rows = [row(0, 0.2), row(0, 0.7), row(1, 0.4)]
    assert sound_tables.of_comparisons(rows) == sound_tables.of_comparisons(rows, "first step") == [0.7, 0.4]
    assert sound_tables.of_comparisons(rows, "test logits") == []


def test_tables_are_made_of_rows_and_those_that_were_not_judged_are_named(tiny_run):
    row = row_of(tiny_run)
    failed = {"kind": "drawn", "number": 1, "framework": "PyTorch", "options": "--seed 5", "failed": "no memory"}
    chaotic = row | {"kind": "chaotic", "options": "--learning-rate 1.0"}
    told = sound_tables.results([row | {"number": number} for number in range(30)] + [failed, chaotic])
    assert told["rates"]["all"]["comparisons"] == 30
    assert told["not_judged"] == ["drawn 1 PyTorch --seed 5: no memory"]
    (apart,) = told["chaotic"]
    assert "--learning-rate 1.0" in apart
    json.dumps(told)
    tables = sound_tables.tables(told)
    assert tables.count("\n\n") == 3
    for check in told["checks"]:
        assert f"| {check} |" in tables


# One run after the other, and on from where it was interrupted.


def test_goes_on_from_where_it_was_interrupted_but_not_with_other_code(monkeypatch, tmp_path):
    wanted = [Comparison("seed", n, TINY.but(seed=n), dict.fromkeys(FRAMEWORKS, "auto")) for n in range(3)]
    asked, ends_after = [], [3]

    def make_all(lacking, _pythons, folder):
        for number, (comparison, framework) in enumerate(lacking):
            if number == ends_after[0]:
                raise KeyboardInterrupt
            asked.append((comparison.number, framework))
            row = sound._about(comparison, framework) | {"failed": "not made"}
            yield sound.Made(row, folder / "none", comparison.of(framework))

    monkeypatch.setattr(sound, "make_all", make_all)
    monkeypatch.setattr(sound, "find_interpreter", lambda name, _named: name)
    file = tmp_path / "rows" / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sound.measure(wanted, file)
    ends_after[0] = None
    assert len(sound.measure(wanted, file)) == len(asked) == len(set(asked)) == 6
    assert len(sound.measure(wanted[:1], file)) == 2
    assert len(asked) == 6
    monkeypatch.setattr(sound, "key", lambda: "another")
    sound.measure(wanted, file)
    assert len(asked) == 12


def test_a_process_makes_many_runs_and_says_which_failed(tmp_path):
    maker = sound.Maker(REFERENCE, Path(sys.executable), tmp_path)
    try:
        for seed in range(2):
            assert maker.make(TINY.but(seed=seed, epochs=1), tmp_path / str(seed)) == 0
            assert read_run(tmp_path / str(seed)).record.checkpoint_steps
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes.txt").write_text("mine", encoding="utf-8")
        with pytest.raises(InputError, match="Reference ended with status 2"):
            maker.make(TINY, tmp_path / "mine")
        assert maker.make(TINY.but(epochs=1), tmp_path / "after") == 0
    finally:
        maker.close()
