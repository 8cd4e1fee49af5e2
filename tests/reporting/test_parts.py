"""A report as a list of parts: every kind is printed everywhere, and any number of frameworks stands in it."""

import dataclasses
import json

import numpy as np
import pytest

from shared.comparing.comparison import Outcome
from shared.comparing.runs import Variant
from shared.contract import FRAMEWORKS
from shared.reporting import charts, epochs, findings, markdown, page, report
from shared.reporting.parts import Chart, Drawing, Group, Paragraph, Part, Section, Table, Tabs, pictures
from shared.running.record import Epoch
from shared.training import Training
from tests.marks import unmarked
from tests.small_runs import CONFIGURATION, make_runs, verdict_of


class Three(Outcome):
    """A comparison of three frameworks."""

    warnings = ()

    @property
    def runs(self):
        return [*super().runs, self.made[Variant("JAX", "float64")]]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """The third has the first's run, with losses that move away, a last accuracy and an image of its own."""
    made = make_runs(tmp_path_factory.mktemp("runs"))
    first = made[Variant(FRAMEWORKS[0], "float64")]
    epochs = [*first.record.epochs[:-1], first.record.epochs[-1].model_copy(update={"test_accuracy": 0.4321})]
    record = first.record.model_copy(update={"framework": "JAX", "epochs": epochs, "timing": {"training": 12.34}})
    logits = first.arrays["test_logits"].copy()
    logits[-1, 5] = np.roll(logits[-1, 5], 1)
    moved = {"step_losses": first.step_losses + np.linspace(0, 1e-12, len(first.step_losses)), "test_logits": logits}
    made |= {Variant("JAX", "float64"): dataclasses.replace(first, record=record, arrays=first.arrays | moved)}
    runs = [made[Variant(name, "float64")] for name in (*FRAMEWORKS, "JAX")]
    return Three(CONFIGURATION, made, verdict_of(runs, made), None)


def test_a_third_framework_appears_everywhere(three, tmp_path):
    report.write(three, tmp_path, "python compare.py")
    text, page = (unmarked((tmp_path / name).read_text(encoding="utf-8")) for name in ("report.md", "index.html"))
    for said in (
        "# PyTorch, TensorFlow and JAX, the same network",
        "PyTorch loss | TensorFlow loss | JAX loss | difference",
        "PyTorch accuracy | TensorFlow accuracy | JAX accuracy |",
        "· 43.21%** test accuracy, PyTorch · TensorFlow · JAX",
        "### How far apart TensorFlow and JAX lie",
        "| JAX: of what is allowed | JAX: furthest off |",
        "JAX: 0 inputs of a ReLU lay so near to zero",
        "| seconds by phase | PyTorch | TensorFlow | JAX |",
        "| 12.34 |",
        "JAX gets ",
        "They disagree on 1 of 10,000 test images: PyTorch is right in ",
        "PyTorch says | TensorFlow says | JAX says |",
        "JAX on | cpu",
    ):
        assert said in text
    for said in ("JAX minus PyTorch", "<strong>JAX</strong>", '<th scope="col">JAX</th>', '"label": "JAX"'):
        assert said in page
    gap = max(np.ptp([run.step_losses for run in three.runs], axis=0))
    assert f"furthest apart at step {CONFIGURATION.training.steps - 1}: by {gap:.1e}" in charts.steps(three).says
    assert {curve.label for curve in charts.divergence(three).curves} >= {
        "PyTorch against JAX, float64",
        "TensorFlow against JAX, float64",
    }
    comparison = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["comparison"]
    assert comparison["max_step_loss_difference"] == gap
    assert comparison["identical_predictions"] == findings.identical_predictions(three) == 9_999


def test_the_difference_of_an_epoch_is_that_of_the_furthest_two():
    def epoch(loss):
        return Epoch(train_loss=loss, train_loss_per_example=1.0, test_loss=1.0, test_accuracy=0.5)

    table = epochs.table(Training(), {"A": [epoch(1.0)], "B": [epoch(4.0)], "C": [epoch(2.0)]})
    assert table.rows[0][table.header.index("difference")] == "3.0e+00"
    table = epochs.table(Training(), {"A": [epoch(1.0), epoch(np.nan)], "B": [epoch(2.0)], "C": []})
    assert [row[table.header.index("difference")] for row in table.rows] == ["", ""]
    table = epochs.table(Training(), {"A": [epoch(1.0)], "B": [epoch(np.nan)]})
    assert table.rows[0][table.header.index("difference")] == "nan"


def test_every_kind_of_part_is_printed_on_the_page_and_in_markdown():
    macros = page._environment({}).get_template("parts.html.jinja").module
    for kind in Part.__subclasses__():
        assert hasattr(macros, kind.__name__), kind
        assert kind in markdown.PRINTERS or kind in (Section, Group, Tabs), kind


def test_pictures_are_found_wherever_they_stand():
    chart = Chart("a", "", "", "", np.arange(1), [], "")
    drawing = Drawing("b", "", b"")
    within = [Group("", [Tabs("", [chart]), Paragraph("")]), drawing, Table([], [])]
    assert list(pictures([chart, Section("", "", within)])) == [chart, chart, drawing]
