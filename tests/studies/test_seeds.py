"""Equivalence is shown, not assumed; by a margin of which the report says where it is from."""

import dataclasses
import json

import numpy as np
import pytest

import compare
from shared import cli
from shared.contract import FRAMEWORKS
from shared.reporting import markdown, report, seeds_report
from shared.reporting.parts import Report, pictures
from shared.studies.equivalence import Margin, spread
from shared.studies.seeds import ACCURACY, FIGURES, LAST_LOSS, MEASURED_SEEDS, MEASURED_SPREADS, gather
from shared.studies.sweep import Figures
from shared.training import Training
from tests.conftest import ROOT
from tests.marks import unmarked

MACHINE = {"processor": "one", "system": "Linux"}


def pairs(shift, noise=1e-4, count=10, named=None, **training):
    """Runs that vary much with the seed, and whose pairs differ by `shift` and a little noise."""
    random = np.random.default_rng(0)
    training, made = Training(**training), {}
    for seed in range(count):
        start = 0.27 + 0.0035 * random.standard_normal()
        for framework, moved in zip(FRAMEWORKS, (0.0, shift + noise * random.standard_normal()), strict=True):
            losses = [start + 0.7 + moved] + [start + moved] * (training.epochs - 1)
            accuracy = 0.92 + start / 100 + moved
            made[framework, seed] = Figures(
                losses=losses, losses_per_example=None, accuracy=accuracy, files={}, machine=MACHINE
            )
    return gather(training, list(range(count)), made, named or {})


def test_pairs_that_differ_by_less_than_the_margin_are_equivalent():
    assert pairs(0.0).equivalent


@pytest.mark.parametrize("shift", [4e-4, -4e-4])
def test_pairs_that_differ_by_more_are_not(shift):
    assert not pairs(shift).equivalent


def test_too_much_noise_shows_nothing():
    """No significant difference either: the test that people would have run instead would have passed."""
    found = pairs(0.0, noise=3e-3)
    assert not found.equivalent
    assert all(abs(e.mean) < e.bound for e in found.equivalences)


def test_of_three_frameworks_every_pair_must_be_equivalent():
    two = pairs(0.0)
    third = {"third": two.losses["TensorFlow"] + 1e-3}, {"third": two.accuracies["TensorFlow"]}
    found = dataclasses.replace(two, losses=two.losses | third[0], accuracies=two.accuracies | third[1])
    assert [e.holds for e in found.equivalences] == [True, True, True, False, True, False]
    assert not found.equivalent
    section = seeds_report.section(found)
    held = {name: e["holds"] for name, e in section.results["equivalence"].items()}
    assert held["training loss of the last epoch, TensorFlow minus PyTorch"]
    assert not held["training loss of the last epoch, third minus TensorFlow"]
    assert "third minus PyTorch: accuracy" in seeds_report.sentence(found)
    assert "| third minus TensorFlow |" in markdown.document(Report("", section.parts))


def test_the_margin_is_named_or_measured_for_the_default_run_or_else_of_these_runs():
    default = pairs(0.0, seed=7, dtype="float64")
    assert {figure: default.margin(figure).value for figure in FIGURES} == {
        ACCURACY: pytest.approx(3.6e-4),
        LAST_LOSS: pytest.approx(3.5e-4),
    }
    for other in ({"epochs": 1}, {"epochs": 6}, {"learning_rate": 0.1}, {"hidden_sizes": (64,)}):
        found = pairs(0.0, **other)
        for figure, samples in ((ACCURACY, found.accuracies["PyTorch"]), (LAST_LOSS, found.losses["PyTorch"][:, -1])):
            # From a table of chi-square at 97.5 %, nine degrees of freedom.
            low = samples.std(ddof=1) * (9 / 19.023) ** 0.5
            assert found.margin(figure) == Margin(pytest.approx(low / 10, rel=1e-4), "estimated")
    for training in ({}, {"epochs": 2}):
        found = pairs(0.0, named={LAST_LOSS: 0.02}, **training)
        assert found.margin(LAST_LOSS) == Margin(0.02, "named")
        assert found.margin(ACCURACY).origin == ("estimated" if training else "measured")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], {}),
        (["--accuracy-margin", "1e-3"], {ACCURACY: 1e-3}),
        (["--loss-margin", "0.02", "--accuracy-margin", ".5"], {ACCURACY: 0.5, LAST_LOSS: 0.02}),
    ],
)
def test_a_margin_that_is_an_option_is_that_of_its_figure(words, named, monkeypatch):
    monkeypatch.setattr(
        compare, "run_seeds", lambda _configuration, count, _pythons, named, _scheduler: pairs(0.0, 0, count, named)
    )
    configuration, options = cli.parse(compare.make_parser(), ["--seeds", "5", *words])
    compare.refuse(compare.make_parser(), configuration, options)
    ((section, equivalent),) = compare.studies(configuration, options, {})
    assert equivalent
    assert section.results["training"] == Training().model_dump(mode="json")
    for figure, told in section.results["equivalence"].items():
        assert told["margin_origin"] == ("named" if figure in named else "measured")
        assert told["margin"] == pytest.approx(named.get(figure, MEASURED_SPREADS[figure] / 10))


def test_the_default_runs_margins_are_of_the_spread_that_was_measured():
    told = json.loads((ROOT / "benchmarks/seed_spread.json").read_text(encoding="utf-8"))
    assert told["training"] == Training().model_dump(mode="json", exclude={"seed"})
    assert told["seeds"] == list(MEASURED_SEEDS)
    for figure, kept in MEASURED_SPREADS.items():
        measured = told["measured"][FRAMEWORKS[0]][figure]
        assert measured["value"] == pytest.approx(np.std(measured["runs"], ddof=1))
        assert kept == float(f"{measured['value']:.1e}")


def test_runs_of_machines_of_another_kind_are_counted_in_the_report():
    found = pairs(0.0)
    another = "bits may differ: processor another, here one."
    assert another not in told(found)
    found.machines["TensorFlow"][2] = {"processor": "another", "system": "Linux"}
    assert f"1 of 20 runs were made on a machine of another kind than the first, whose {another}" in told(found)
    assert seeds_report.section(found).results["machines"] == [MACHINE, found.machines["TensorFlow"][2]]


def told(found):
    """The section as Markdown."""
    return markdown.document(Report("", seeds_report.section(found).parts))


def test_the_report_says_where_each_margin_is_from():
    fixed, estimated = "fixed before these runs", "not fixed beforehand, but estimated from these runs"
    default, other = pairs(0.0), pairs(0.0, named={ACCURACY: 1e-3}, epochs=1)
    assert (told(default).count(fixed), told(default).count(estimated)) == (2, 0)
    assert "seeds 100 to 109" in told(default)
    assert (told(other).count(fixed), told(other).count(estimated)) == (0, 1)
    assert "named on the command line" in told(other)
    assert "(margin 1.0e-03, as named)" in told(other)
    low, high = spread(other.losses["PyTorch"][:, -1])[1:]
    assert f"could be from {low:.1e} to {high:.1e}" in told(other)
    assert f"(margin {low / 10:.1e}, estimated from these runs)" in told(other)
    assert "97.5% one-sided bound" in told(other)


def test_the_report_tells_both_tests_and_what_so_many_seeds_can_tell():
    found = pairs(0.0)
    accuracy = found.equivalences[0]
    row = f"{accuracy.bound:.1e} (95%) | 3.6e-04 | {accuracy.t_p_value:.1e} | 9.8e-04 | yes |"
    assert f"| accuracy | {accuracy.mean:+.1e} | {row}" in told(found)
    assert "t has 9 degrees of freedom, and flipping signs makes no p below 0.00098" in told(found)
    assert "can’t show it" not in told(found)


def test_the_report_of_two_seeds_says_that_they_can_not_show_it():
    found = pairs(0.0, noise=1e-9, count=2)
    assert found.equivalences[0].t_p_value < 0.05
    said = seeds_report.sentence(found)
    assert said.startswith("NOT SHOWN EQUIVALENT over 2 paired seeds")
    assert said.endswith("2 seeds can’t show it: it takes 5 at least, --seeds 5.")
    assert "t has 1 degree of freedom, and flipping signs makes no p below 0.25" in told(found)


def test_the_report_of_pairs_without_any_difference_claims_no_more_than_they_show():
    found = pairs(0.0, noise=0.0)
    assert "accuracy, mean difference +0.0e+00, the same for each seed (margin 3.6e-04)" in seeds_report.sentence(found)
    assert "| accuracy | +0.0e+00 | – | 3.6e-04 | – | 9.8e-04 | yes |" in told(found)
    assert "t has no variation to go by" in told(found)
    assert "t has no variation to go by" not in told(pairs(0.0))
    results = seeds_report.section(found).results["equivalence"]["accuracy"]
    assert (results["p_value_t"], results["bound"]) == (None, None)


def test_the_report_holds_the_figures_and_the_pictures(tmp_path):
    found = pairs(0.0)
    report.write_alone(seeds_report.section(found), tmp_path, "python compare.py --seeds 10")
    said = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert "EQUIVALENT over 10 paired seeds" in said
    assert f"| 2 | {found.losses['PyTorch'][:, 1].mean():.4f} ± " in said
    accuracies = found.accuracies["PyTorch"]
    half_width = 2.262 * accuracies.std(ddof=1) / 10**0.5  # Student's t at 97.5 %, ten seeds, from a table
    assert f"| accuracy | {accuracies.mean():.2%} ± {half_width:.2%} | " in said
    assert (tmp_path / "seeds-loss.svg").read_text(encoding="utf-8").count("fill-opacity: 0.2") == len(
        FRAMEWORKS
    )  # the bands
    files = {path.stem for path in tmp_path.iterdir()}
    assert files == {"report", "report.zh-CN", "results", "seeds-loss", "seeds-accuracy"}
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["equivalence"]["accuracy"]["bound"] == found.equivalences[0].bound
    assert "NOT SHOWN EQUIVALENT" in seeds_report.sentence(pairs(1e-3))


@pytest.mark.parametrize(("epochs", "shown"), [(2, False), (5, True)])
def test_the_tutorials_final_accuracy_stands_beside_runs_as_long_as_its_own(epochs, shown):
    section = seeds_report.section(pairs(0.0, epochs=epochs))
    assert ("92.81%" in markdown.document(Report("", section.parts))) is shown
    accuracies = list(pictures(section.parts))[1]
    assert ("the tutorial" in [curve.label for curve in accuracies.curves]) is shown
