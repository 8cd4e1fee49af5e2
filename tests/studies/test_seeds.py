"""Equivalence is shown, not assumed: by figures worked by hand and by runs that are not equivalent."""

import dataclasses
import json

import numpy as np
import pytest

from shared.contract import FRAMEWORKS
from shared.reporting import markdown, report, seeds_report
from shared.reporting.parts import Report, pictures
from shared.studies.seeds import Equivalence, gather
from shared.studies.sweep import Figures
from shared.training import Training


def pairs(shift, noise=1e-4, count=10, epochs=2):
    """Runs that vary much with the seed, and whose pairs differ by `shift` and a little noise."""
    random = np.random.default_rng(0)
    made = {}
    for seed in range(count):
        start = 0.27 + 0.0035 * random.standard_normal()
        for framework, moved in zip(FRAMEWORKS, (0.0, shift + noise * random.standard_normal()), strict=True):
            losses = [start + 0.7 + moved] + [start + moved] * (epochs - 1)
            made[framework, seed] = Figures(losses=losses, losses_per_example=None, accuracy=0.92 + start / 100 + moved)
    return gather(Training(epochs=epochs), list(range(count)), made)


def test_pairs_that_differ_by_less_than_the_margin_are_equivalent():
    assert pairs(0.0).equivalent


@pytest.mark.parametrize("shift", [4e-4, -4e-4])
def test_pairs_that_differ_by_more_are_not(shift):
    assert not pairs(shift).equivalent


def test_too_much_noise_shows_nothing():
    """No significant difference either: the test that people would have run instead would have passed."""
    found = pairs(0.0, noise=3e-3)
    assert not found.equivalent
    assert all(abs(e.mean) < e.smallest_margin for e in found.equivalences)


def test_of_three_frameworks_every_pair_must_be_equivalent():
    two = pairs(0.0)
    third = {"third": two.losses["TensorFlow"] + 1e-3}, {"third": two.accuracies["TensorFlow"]}
    found = dataclasses.replace(two, losses=two.losses | third[0], accuracies=two.accuracies | third[1])
    assert [e.holds for e in found.equivalences] == [True, True, True, False, True, False]
    assert not found.equivalent
    section = seeds_report.section(found)
    held = {name: e["holds"] for name, e in section.results["equivalence"].items()}
    assert held["final loss, TensorFlow minus PyTorch"]
    assert not held["final loss, third minus TensorFlow"]
    assert "third minus PyTorch: accuracy" in seeds_report.sentence(found)
    assert "| third minus TensorFlow |" in markdown.document(Report("", section.parts))


def test_smallest_margin_by_hand():
    # Mean 2, standard deviation 1, three pairs: 2 + 2.920 / √3, from a table of Student's t at 95 %.
    found = Equivalence("x", np.array([1.0, 2.0, 3.0]), margin=3.7)
    assert found.smallest_margin == pytest.approx(2 + 2.920 / 3**0.5, rel=1e-3)
    assert found.holds
    assert not Equivalence("x", np.array([1.0, 2.0, 3.0]), margin=3.68).holds
    assert not Equivalence("x", np.array([-1.0, -2.0, -3.0]), margin=3.68).holds


def test_the_test_and_the_smallest_margin_agree():
    differences = np.random.default_rng(1).normal(1e-4, 2e-4, 12)
    smallest = Equivalence("x", differences, 1.0).smallest_margin
    assert Equivalence("x", differences, smallest * 1.001).holds
    assert not Equivalence("x", differences, smallest * 0.999).holds


def test_pairs_without_any_difference_are_equivalent_and_those_off_by_the_margin_are_not():
    assert Equivalence("x", np.zeros(3), margin=1e-9).holds
    assert not Equivalence("x", np.full(3, 0.5), margin=0.5).holds


def test_the_report_holds_the_figures_and_the_pictures(tmp_path):
    found = pairs(0.0)
    report.write_alone(seeds_report.section(found), tmp_path, "python compare.py --seeds 10")
    said = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "EQUIVALENT over 10 paired seeds" in said
    assert f"| 2 | {found.losses['PyTorch'][:, 1].mean():.4f} ± " in said
    accuracies = found.accuracies["PyTorch"]
    half_width = 2.262 * accuracies.std(ddof=1) / 10**0.5  # Student's t at 97.5 %, ten seeds, from a table
    assert f"| accuracy | {accuracies.mean():.2%} ± {half_width:.2%} | " in said
    assert (tmp_path / "seeds-loss.svg").read_text(encoding="utf-8").count("fill-opacity: 0.2") == len(
        FRAMEWORKS
    )  # the bands
    assert {path.stem for path in tmp_path.iterdir()} == {"report", "results", "seeds-loss", "seeds-accuracy"}
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["equivalence"]["accuracy"]["smallest_margin"] == found.equivalences[0].smallest_margin
    assert "NOT SHOWN EQUIVALENT" in seeds_report.sentence(pairs(1e-3))


@pytest.mark.parametrize(("epochs", "shown"), [(2, False), (5, True)])
def test_the_tutorials_final_accuracy_stands_beside_runs_as_long_as_its_own(epochs, shown):
    section = seeds_report.section(pairs(0.0, epochs=epochs))
    assert ("92.81%" in markdown.document(Report("", section.parts))) is shown
    accuracies = list(pictures(section.parts))[1]
    assert ("the tutorial" in [curve.label for curve in accuracies.curves]) is shown
