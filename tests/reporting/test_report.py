"""What a reader is shown, of runs of the reference under the frameworks' names."""

import dataclasses
import json
import re

import numpy as np
import pytest

from shared.comparing import tutorial
from shared.comparing.checks import Verdict
from shared.comparing.first_divergence import Crossing, FirstDivergence
from shared.comparing.runs import Variant
from shared.comparing.segments import Crossing as Crossed
from shared.contract import FRAMEWORKS
from shared.reference.replay import Unit
from shared.reporting import charts, findings, report, terminal
from shared.reporting.parts import Paragraph, Section
from shared.system.machine import cpu_name
from shared.training import Training
from tests.marks import unmarked
from tests.small_runs import CONFIGURATION, make_runs, outcome_of, proof_of, verified, with_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def written(made, tmp_path):
    report.write(outcome_of(made), tmp_path, "python compare.py")
    return tmp_path


def test_every_picture_named_is_there_and_is_one(written):
    text = unmarked((written / "report.md").read_text(encoding="utf-8"))
    for picture in ("steps", "loss", "accuracy", "verification", "divergence"):
        assert f"]({picture}.png)" in text
        assert (written / f"{picture}.png").stat().st_size > 10_000
        assert (written / f"{picture}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_what_was_not_asked_for_is_said_with_its_command(written, made, tmp_path):
    text = unmarked((written / "report.md").read_text(encoding="utf-8"))
    assert "No proof was run" in text
    for option in ("--prove", "--seeds 10", "--explain"):
        assert f"`python compare.py {option}`" in text
    outcome = outcome_of(made)
    proven = dataclasses.replace(outcome, proof=proof_of(outcome, {"PyTorch float64": True}))
    sections = [Section("seeds", "10 seeds", [Paragraph("EQUIVALENT")], {"seeds": 10})]
    report.write(proven, tmp_path, "python compare.py", sections)
    text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert "EQUIVALENT" in text
    assert "No proof" not in text
    assert "--seeds" not in text
    assert text.index("10 seeds") < text.index("No attribution was run")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["seeds"] == {"seeds": 10}
    assert "why" not in results


def test_workers_are_shown_beside_one_process_and_nothing_is_said_where_there_are_none(made, written):
    outcome = outcome_of(made)
    results = {"PyTorch": outcome.verdict.pairs["PyTorch", "Reference"]}
    said = repr(report.comparison(outcome_of(made, against_one=results), "python compare.py --workers 2"))
    losses = next(result for result in results["PyTorch"] if result.name == "step losses").difference.absolute
    assert f"no step's loss lies further off than {losses:.1e} in PyTorch." in said
    assert "How far PyTorch's workers lie from one process" in said
    assert "Against one process" not in unmarked((written / "report.md").read_text(encoding="utf-8"))
    assert json.loads((written / "results.json").read_text(encoding="utf-8"))["comparison"]["against_one_process"] == {}


@pytest.mark.parametrize("words", ["--workers 2", "--workers=2 --engine=workers", "--engine workers --workers 12"])
def test_many_seeds_are_offered_without_the_workers_that_they_do_not_take(made, words):
    told = repr(report.comparison(outcome_of(made), f"python compare.py --epochs 2 {words} --out x"))
    assert "'python compare.py --epochs 2 --out x --seeds 10'" in told
    assert f"'python compare.py --epochs 2 {words} --out x --prove'" in told


def test_the_report_opens_with_the_verdict_and_ends_with_the_command(written, made):
    lines = unmarked((written / "report.md").read_text(encoding="utf-8")).splitlines()
    opening = (
        "**MATCH: in PyTorch and TensorFlow, each of the 60 steps in float64 follows from the weights before it, to "
    )
    shares = [segment.share for name in FRAMEWORKS for segment in verified(made[Variant(name, "float64")]).segments]
    assert 0 < max(shares) < 1
    assert lines[2].startswith(
        f"{opening}within {max(shares):.0%} of what rounding may do; 10,000 of 10,000 predictions"
    )
    assert lines[-1] == "Again: `python compare.py`"


def test_a_command_with_a_name_that_is_no_text_is_written_in_every_file(made, tmp_path):
    command = "python compare.py --out caf\udce9\n"
    report.write(outcome_of(made), tmp_path, command)
    for name in ("report.md", "index.html"):
        assert r"compare.py --out caf\udce9\n --prove" in (tmp_path / name).read_text(encoding="utf-8")


def test_results_are_the_runs_figures(written, made):
    results = json.loads((written / "results.json").read_text(encoding="utf-8"))
    losses = [made[Variant(name, "float64")].step_losses for name in FRAMEWORKS]
    assert results["comparison"]["max_step_loss_difference"] == np.abs(losses[0] - losses[1]).max()
    assert results["runs"]["pytorch"]["epochs"][0]["train_loss"] == pytest.approx(losses[0][:30].mean(), rel=1e-14)
    assert results["proof"] is None


def test_the_terminal_shows_every_epoch_and_the_verdict(made, capsys):
    terminal.show(outcome_of(made))
    shown = capsys.readouterr().out.splitlines()
    epochs = made[Variant("PyTorch", "float64")].record.epochs
    rows = [line.split() for line in shown[3:5]]
    assert [row[:2] for row in rows] == [[str(n), f"{epoch.train_loss:.4f}"] for n, epoch in enumerate(epochs, start=1)]
    assert rows[1][-2] == f"{epochs[-1].test_accuracy:.2%}"
    assert shown[-1].startswith("MATCH: ")


def test_a_network_that_has_learned_nothing_is_said(made):
    assert outcome_of(made).warnings == []
    logits = made[Variant("TensorFlow", "float64")].arrays["test_logits"].copy()
    logits[-1, :, 3] = logits.max() + 1
    (warning,) = outcome_of(with_run(made, "TensorFlow", test_logits=logits)).warnings
    assert warning.startswith(
        "TensorFlow: the network predicts one class for every test image, and has learned nothing"
    )


def test_different_devices_are_said_loudly_everywhere(made, tmp_path, capsys):
    variant = Variant("PyTorch", "float64")
    device = made[variant].record.device.model_copy(update={"type": "cuda", "name": "a GPU"})
    record = made[variant].record.model_copy(update={"device": device})
    outcome = outcome_of(made | {variant: dataclasses.replace(made[variant], record=record)})
    warning = f"PyTorch and TensorFlow differ in device: cuda (a GPU) and cpu ({cpu_name()})."
    assert outcome.match
    terminal.show(outcome)
    assert f"WARNING: {warning}" in capsys.readouterr().out
    report.write(outcome, tmp_path, "")
    assert f"**Warning.** {warning}" in unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))


def test_no_match_is_said_with_its_reason_and_no_number_is_made_up(made, tmp_path):
    losses = made[Variant("PyTorch", "float64")].step_losses.copy()
    losses[5:] = np.nan
    outcome = outcome_of(with_run(made, "PyTorch", step_losses=losses))
    assert findings.sentence(outcome) == "NO MATCH: PyTorch: the loss is nan from step 5."
    report.write(outcome, tmp_path, "")
    comparison = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["comparison"]
    assert (comparison["match"], comparison["max_step_loss_difference"]) == (False, None)
    assert (comparison["verification"], comparison["differences"]) == ({}, {})


def test_what_was_derived_again_is_told_check_by_check(written, made):
    text = unmarked((written / "report.md").read_text(encoding="utf-8"))
    section = text.partition("## Every step")[2].partition("\n## ")[0]
    found = [verified(made[Variant(name, "float64")]) for name in FRAMEWORKS]
    assert len(found[0].checks) == 7
    for check in found[0].checks:
        numbers = sum(finding.numbers for finding in found[0].checks[check])
        worst = [max(one.checks[check], key=lambda finding: finding.share) for one in found]
        cells = [
            cell
            for finding in worst
            for cell in (f"{finding.share:.0%} ✓", finding.where if finding.share else findings.SAME)
        ]
        assert f"| {check} | {numbers:,} | {' | '.join(cells)} |" in section
    for name in FRAMEWORKS:
        assert f"{name}: 0 inputs of a ReLU lay so near to zero that rounding decided their side, and the" in section
    assert section.count("There were too few segments to look for what is systematic.") == 2
    results = json.loads((written / "results.json").read_text(encoding="utf-8"))["comparison"]["verification"]
    for one in found:
        told = results[one.framework.lower()]
        assert (told["reasons"], told["crossings"], told["smallest_seen"]) == ([], [], {})
        assert [finding["share"] for finding in told["findings"]] == [finding.share for finding in one.findings]


def test_what_a_verification_would_have_seen_and_its_crossings_are_told(made, tmp_path):
    unit, plain = Unit(step=9, layer="fc1", row=1, unit=2), outcome_of(made)
    crossing = Crossed(unit, example=4321, value=1e-17, passes=False, ulps=0.5)
    first = plain.verdict.verified["PyTorch"]
    segments = [dataclasses.replace(first.segments[0], crossings=[crossing]), *first.segments[1:]]
    seen = dataclasses.replace(first, segments=segments, smallest={"rate": 3e-6, "decay": 2.5e-8})
    verdict = dataclasses.replace(plain.verdict, verified=plain.verdict.verified | {"PyTorch": seen})
    report.write(dataclasses.replace(plain, verdict=verdict), tmp_path, "")
    text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert "PyTorch: 1 input of a ReLU lay so near to zero that rounding decided its side, and" in text
    assert "A learning rate that is off by 3.0e-06 of itself would have been seen, and a decay of 2.5e-08." in text
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["comparison"]["verification"]["pytorch"]
    place = {"step": 9, "layer": "fc1", "row": 1, "unit": 2, "example": 4321}
    assert told["crossings"] == [place | {"value": 1e-17, "ulps": 0.5}]
    assert told["smallest_seen"] == {"rate": 3e-6, "decay": 2.5e-8}


def test_a_wrong_step_is_told_with_whose_it_is_and_where(made, tmp_path):
    weights = made[Variant("TensorFlow", "float64")].at(30, "weights")["fc2.weight"] + 1e-6
    outcome = outcome_of(with_run(made, "TensorFlow", **{"at/30/weights/fc2.weight": weights}))
    said = findings.sentence(outcome)
    assert said.startswith(
        "NO MATCH: TensorFlow's steps 8 to 29 are not what its weights before them lead to: fc2.weight"
    )
    assert said.endswith(" TensorFlow is the odd one out.")
    report.write(outcome, tmp_path, "")
    text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    (row,) = re.findall(r"\| every step \| .*", text)
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[3].endswith("✓")
    assert cells[5].endswith("✗")
    assert re.fullmatch(r"fc\d\.(weight|bias), steps (8 to 29|30 to 59)", cells[6])
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["comparison"]["verification"]
    assert found["pytorch"]["reasons"] == []
    assert len(found["tensorflow"]["reasons"]) > 0
    assert {f["passes"] for f in found["tensorflow"]["findings"] if f["check"] == "every step"} == {True, False}


def test_what_was_looked_for_in_one_run_alone_is_a_row_all_the_same(made, tmp_path):
    """Once steps fail, nothing is looked for that needs all of them."""
    plain = outcome_of(made)
    first = plain.verdict.verified["PyTorch"]
    leans = dataclasses.replace(first.findings[0], check="size of the updates", share=0.25, where="fc1.bias")
    wide = dataclasses.replace(first.findings[0], check="order of the examples", share=np.inf, where="epoch 1")
    kept = [finding for finding in first.findings if finding.check != "order of the examples"]
    seen = dataclasses.replace(first, findings=[*kept, wide, leans])
    for name, other in (("PyTorch", "TensorFlow"), ("TensorFlow", "PyTorch")):
        verified = {name: dataclasses.replace(seen, framework=name), other: plain.verdict.verified[other]}
        ordered = {framework: verified[framework] for framework in FRAMEWORKS}
        outcome = dataclasses.replace(plain, verdict=dataclasses.replace(plain.verdict, verified=ordered))
        (tmp_path / name).mkdir()
        report.write(outcome, tmp_path / name, "")
        text = unmarked((tmp_path / name / "report.md").read_text(encoding="utf-8"))
        (row,) = re.findall(r"\| size of the updates \| .*", text)
        assert "25% ✓" in row
        assert "not looked for" in row
        assert "not the same ✗" in text


def test_every_segment_is_drawn_where_it_ends(made):
    outcome = outcome_of(made)
    picture = charts.verified(outcome)
    assert picture.x.tolist() == [0, 7, 29, 59]
    for curve, name in zip(picture.curves, FRAMEWORKS, strict=True):
        segments = outcome.verdict.verified[name].segments
        assert (curve.label, curve.values.tolist()) == (name, [segment.share for segment in segments])
        assert (
            f"{name}’s 4 segments lie at most {max(s.share for s in segments):.0%} of what is allowed off"
            in picture.says
        )
    assert charts.verified(dataclasses.replace(outcome, verdict=Verdict([], {}, {}))) is None


def test_segments_that_end_at_other_steps_stand_each_at_its_own(made):
    """As those of a run that was looked at closer."""
    outcome = outcome_of(made)
    first = outcome.verdict.verified["PyTorch"]
    fewer = dataclasses.replace(first, segments=first.segments[::2])
    verdict = dataclasses.replace(outcome.verdict, verified=outcome.verdict.verified | {"PyTorch": fewer})
    picture = charts.verified(dataclasses.replace(outcome, verdict=verdict))
    assert picture.x.tolist() == [0, 7, 29, 59]
    assert np.isnan(picture.curves[0].values).tolist() == [False, True, False, True]
    assert "PyTorch’s 2 segments" in picture.says


def test_the_divergence_is_told_and_drawn(made, tmp_path):
    found = FirstDivergence(7, "a cause", [Crossing("fc1", 2, 3, (-1e-9, 1e-9), (False, True))])
    outcome = outcome_of(made, first_divergence=found)
    report.write(outcome, tmp_path, "")
    assert "They diverge at step 7, counted from 0: a cause." in unmarked(
        (tmp_path / "report.md").read_text(encoding="utf-8")
    )
    assert (
        json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["comparison"]["first_divergence"][
            "crossings"
        ][0]["unit"]
        == 2
    )


def test_the_last_step_is_drawn_and_told_however_many_there_are(made):
    configuration = CONFIGURATION.but(epochs=1_000)
    losses = np.ones(configuration.training.steps)
    longer = {v: dataclasses.replace(run, arrays=run.arrays | {"step_losses": losses}) for v, run in made.items()}
    jump = np.append(losses[1:], 1.25)
    outcome = dataclasses.replace(
        outcome_of(made), configuration=configuration, made=with_run(longer, "TensorFlow", step_losses=jump)
    )
    picture = charts.divergence(outcome)
    assert "PyTorch against TensorFlow, float64: 2.5e-01." in picture.words
    assert picture.x[-1] == configuration.training.steps - 1
    assert picture.x_label == charts.steps(outcome).x_label == "step (one in 3 of 30,000 is drawn)"
    assert picture.curves[-1].values[-2:].tolist() == [0, 0.25]


def test_a_run_that_does_not_repeat_is_no_match(made):
    outcome = outcome_of(made)
    assert dataclasses.replace(outcome, proof=proof_of(outcome, {"PyTorch float64": True})).match
    broken = dataclasses.replace(outcome, proof=proof_of(outcome, {"PyTorch float64": False}))
    assert broken.reasons == ["PyTorch float64, run twice, gave different bits"]


def test_the_headline_means_the_same_with_and_without_a_proof(made):
    outcome = outcome_of(made)
    proven = dataclasses.replace(outcome, proof=proof_of(outcome, {"PyTorch float64": True}))
    assert findings.key_figures(proven) == findings.key_figures(outcome)
    assert findings.sentence(proven) == findings.sentence(outcome)


def test_the_proof_is_in_the_report(made, tmp_path):
    outcome = outcome_of(made)
    report.write(dataclasses.replace(outcome, proof=proof_of(outcome, {"PyTorch float64": True})), tmp_path, "")
    text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert (
        "| largest difference | PyTorch against itself | PyTorch against TensorFlow, × the largest of these |" in text
    )
    assert "| input | 1.0e-16 | **0.50** |\n| fc1 | 1.0e-16 | **0.50** |" in text
    assert "| PyTorch float64 | yes |" in text
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["proof"]["same_bits_when_repeated"] == {
        "PyTorch float64": True
    }


@pytest.mark.parametrize(
    ("update", "comparable"),
    [
        ({}, True),
        ({"seed": 7}, True),
        ({"dtype": "float64"}, True),
        ({"epochs": 2}, True),
        ({"learning_rate": 0.1}, False),
    ],
)
def test_the_tutorials_curve_stands_beside_its_own_training_only(made, update, comparable):
    assert tutorial.comparable(Training(**update)) is comparable
