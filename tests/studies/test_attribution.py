"""A difference with a known composition is taken apart into it."""

import json

import numpy as np
import pytest

from library_defaults.rows import ROWS
from library_defaults.table import JSON_FILE
from shared.configuration import Configuration
from shared.reporting import attribution_report, report
from shared.studies import attribution
from shared.studies.attribution import FACTORS, estimate
from shared.studies.attribution import _jobs as jobs_of
from shared.studies.attribution import _take_apart as take_apart
from shared.studies.sweep import Figures
from shared.training import KERAS_DEFAULTS
from tests.marks import unmarked

CONFIGURATION = Configuration.of(epochs=2)
# What each default adds to the loss of every epoch; the accuracy moves by a tenth of it.
EFFECTS = {"kernels": -0.4, "biases": -0.05, "order": 0.0, "loss": 0.0}


def figures(start, effect, per_example=0.0):
    losses = [start + effect, start / 2 + effect]
    accuracy, per = 0.9 + effect / 10, [x + per_example for x in losses]
    return Figures(losses=losses, losses_per_example=per, accuracy=accuracy, files={}, machine={})


def runs(seed, draw=0.0):
    """A seed's runs in a world where effects add up; `draw` is what only the stock PyTorch run knows of."""
    start = 1 + seed / 100
    made = {
        "stock PyTorch": figures(start + draw, 0.0),
        "stock Keras": figures(start, sum(EFFECTS.values()) + 0.001),  # 0.001: it prints another average
        "matched": figures(start, 0.0, per_example=0.001),
        "step by step": figures(start, 0.0),
    }
    for default, effect in EFFECTS.items():
        made[f"matched with {default}"] = figures(start, effect)
        made[f"stock without {default}"] = figures(start, sum(EFFECTS.values()) - effect + 0.001)
    return made


@pytest.fixture
def found():
    return take_apart(CONFIGURATION.training, [0, 1, 2], [runs(seed) for seed in range(3)])


def test_each_share_is_what_the_default_does(found):
    shares = {share.factor.name: share for share in found.shares}
    for factor in FACTORS:
        if factor.default:
            share = shares[factor.name]
            np.testing.assert_allclose(share.share.mean[:2], EFFECTS[factor.default], atol=1e-12)
            np.testing.assert_allclose(share.share.mean[-1], EFFECTS[factor.default] / 10, atol=1e-12)
    np.testing.assert_allclose(shares["average that is printed"].share.mean, [0.001, 0.001, 0], atol=1e-12)
    np.testing.assert_allclose(shares["compilation"].share.mean, 0, atol=1e-12)
    assert [share.factor.name for share in found.shares][:2] == ["first kernels", "first biases"]


def test_shares_and_the_unexplained_add_up_to_the_gap(found):
    total = sum(share.share.mean for share in found.shares) + found.unexplained.mean
    np.testing.assert_allclose(total, found.gap.mean, atol=1e-12)
    np.testing.assert_allclose(found.unexplained.mean[:2], 0, atol=1e-12)


def test_what_no_factor_knows_of_is_left_unexplained():
    draws = [0.03, 0.05, 0.04]
    found = take_apart(CONFIGURATION.training, [0, 1, 2], [runs(seed, draw) for seed, draw in enumerate(draws)])
    assert found.unexplained.mean[0] == pytest.approx(-0.04)
    assert not found.unexplained.is_noise(0)


def test_an_interaction_is_shared_between_put_in_and_taken_out():
    made = [runs(seed) for seed in range(2)]
    for one in made:  # the biases matter only together with the kernels
        one["matched with biases"] = one["matched"]
    found = take_apart(CONFIGURATION.training, [0, 1], made)
    biases = next(share for share in found.shares if share.factor.default == "biases")
    assert (biases.added.mean[0], biases.removed.mean[0]) == (0, pytest.approx(-0.05))
    assert biases.share.mean[0] == pytest.approx(-0.025)


def test_interval_is_students():
    # Mean 2, standard deviation 1, three samples: 4.303 × 1/√3 from a table of Student's t.
    found = estimate(np.array([[1.0], [2.0], [3.0]]))
    assert found.mean[0] == 2
    assert found.half_width[0] == pytest.approx(4.303 / 3**0.5, rel=1e-3)
    assert found.is_noise(0)
    assert not estimate(np.array([[11.0], [12.0], [13.0]])).is_noise(0)


def test_every_seed_runs_each_default_put_in_and_taken_out():
    jobs = jobs_of(Configuration.of(seed=3))
    for default in KERAS_DEFAULTS:
        assert jobs[f"matched with {default}"][1].training.keras_defaults == (default,)
        assert set(jobs[f"stock without {default}"][1].training.keras_defaults) == set(KERAS_DEFAULTS) - {default}
    assert jobs["stock PyTorch"][0] == "PyTorch"
    assert jobs["stock Keras"][1].training.keras_defaults == KERAS_DEFAULTS
    assert {configuration.training.seed for _, configuration in jobs.values()} == {3}
    assert len(set(jobs.values())) == len(jobs)


def test_every_factor_names_a_row_that_was_measured_to_differ():
    rows = {row.key: row for row in ROWS}
    measured = json.loads(JSON_FILE.read_text(encoding="utf-8"))
    for factor in attribution.FACTORS:
        assert rows[factor.row].pytorch
        values = [measured[framework]["values"][factor.row] for framework in ("PyTorch", "TensorFlow")]
        assert values[0] != values[1]


def test_the_report_holds_every_figure_and_the_pictures(found, tmp_path):
    report.write_alone(attribution_report.section(found), tmp_path, "python compare.py --explain")
    said = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    for share in found.shares:
        assert f"| {share.factor.name} | {share.added.mean[0]:+.4f} ±" in said or not abs(share.added.mean[0]) > 1e-4
    assert "First kernels explain 89% of that" in said
    assert "nn.init.xavier_uniform_" in said
    assert {path.stem for path in tmp_path.iterdir()} == {"report", "report.zh-CN", "results", "stock", "shares"}
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["gap"]["mean"][0] == pytest.approx(-0.449)


def test_a_stock_pair_is_reported_without_shares_or_intervals(tmp_path):
    pytorch, keras = (estimate(np.array([losses])) for losses in ([1.07, 0.4, 0.91], [0.57, 0.31, 0.93]))
    gap = estimate(np.array([[-0.5, -0.09, 0.02]]))
    pair = attribution.Attribution(CONFIGURATION.training, [0], {"PyTorch": pytorch, "TensorFlow": keras}, gap, [], gap)
    report.write_alone(attribution_report.section(pair), tmp_path, "python compare.py --mode stock")
    said = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert "the tutorials’ losses are 1.070 in PyTorch and 0.570 in Keras" in said
    assert "| 2 | 0.4000 | 0.3100 | -0.0900 |" in said
    assert "| accuracy | 91.00% | 93.00% | +2.00% |" in said
    assert {path.stem for path in tmp_path.iterdir()} == {"report", "report.zh-CN", "results", "stock"}
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["gap"]["half_width"] == [None] * 3
