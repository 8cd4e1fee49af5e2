"""The report on a pair: what it says, and what it must not say."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from library_defaults.rows import ROWS
from shared.pairs import pair_report, pair_words
from shared.pairs.carry import carry
from shared.pairs.causes import Candidate
from shared.pairs.climb import AFTER, EVALUATED, EVALUATION, GIVEN, GRADIENTS, TRAINING, Check
from shared.pairs.description import BATCH_NORM, DENSE
from shared.pairs.diagnosis import Diagnosis, Precision
from shared.pairs.pairing import Pairing, Sides
from shared.pairs.protocol import Edit
from shared.pairs.search import Cause
from shared.reporting import markdown as printed
from tests.marks import unmarked
from tests.pairs.sides import keras_side, layer, norm, torch_side

COMMAND = "python compare.py --pair my_torch.py my_keras.py --data data.npz"
SCRIPT = "<script>document.title = 'taken over'</script>"
SOURCES = (f"def model():\n\treturn 1  # {SCRIPT}\n", 'TEXT = """\n```\n你好\u202e"""\n')
PAIRINGS = (Pairing(0, 0, 0, 0), Pairing(1, 1, 1, 1))
EPSILON = next(row for row in ROWS if row.key == "batch_norm_epsilon")


def described():
    """A dense layer and a batch normalisation with another ε; Keras has a call more."""
    torch = torch_side(
        layer("fc", DENSE, {"weight": (3, 4), "bias": (3,)}),
        norm("norm", True, 3),
        calls=[("fc", DENSE), ("norm", BATCH_NORM)],
    )
    keras = keras_side(
        layer("dense", DENSE, {"kernel": (4, 3), "bias": (3,)}),
        norm("bn", False, 3),
        calls=[("dense", DENSE), ("bn", BATCH_NORM), ("scale", "")],
    )

    def with_eps(side, eps):
        calls = [c.model_copy(update={"settings": {"eps": eps}}) if c.kind == BATCH_NORM else c for c in side.calls]
        return side.model_copy(update={"calls": calls, "training_calls": calls})

    torch, keras = with_eps(torch, 1e-5), with_eps(keras, 1e-3)
    return Sides(torch, keras, carry(torch, keras), PAIRINGS, {}, (1, 3))


def climbed(multiple=0.5):
    """All checks of a sound pair but that of the normalisation's output, and what follows from it."""
    floor = 2.0**-52

    def check(stage, what, times=0.5, **more):
        return Check(stage, what, what, times * floor, floor, 1.0, **more)

    return [
        check(GIVEN, "the input of the model", 0),
        check(EVALUATION, "what goes into fc (nn.Linear)", pairing=PAIRINGS[0]),
        check(EVALUATION, "the output of fc (nn.Linear)", 3.25, pairing=PAIRINGS[0], inside=True),
        check(EVALUATION, "what goes into norm (nn.BatchNorm1d)", pairing=PAIRINGS[1]),
        check(EVALUATION, "the output of norm (nn.BatchNorm1d)", multiple, pairing=PAIRINGS[1], inside=True),
        check(EVALUATED, "the loss", multiple),
        check(TRAINING, "the output of fc (nn.Linear), in training", pairing=PAIRINGS[0], inside=True),
        check(GRADIENTS, "the gradient of fc.weight", multiple, tensor="dense/kernel"),
        dataclasses.replace(check(AFTER, "the rate of step 1", 900), key="rates/1"),
        check(AFTER + 3, "the weights fc.weight after 3 steps", multiple),
    ]


def found(multiple=0.5, plain=0.25, **more):
    losses = (np.array([2.0, 1.5, 1.0]), np.array([2.0, 1.5, 1.0 + 1e-15]))
    precisions = {
        "float64": Precision("float64", climbed(multiple), losses),
        "float32": Precision("float32", climbed(plain)[:8], (losses[0].astype("f4"), losses[1].astype("f4"))),
    }
    return Diagnosis(
        **{
            "files": (Path("my_torch.py"), Path("my_keras.py")),
            "sides": described(),
            "precisions": precisions,
            "causes": [],
            "unexplained": None,
        }
        | more
    )


def cause(*, by_default, what="ε of norm (nn.BatchNorm1d): 1e-05 in PyTorch, 0.001 in Keras"):
    edit = Edit(what="epsilon", place="bn", values={"value": 1e-5})
    code = ("keras.layers.BatchNormalization(…, epsilon=1e-05)", "nn.BatchNorm1d(…, eps=0.001)")
    return Cause(Candidate(what, (edit,), *code, EPSILON, by_default), climbed(2.5e9)[4])


def same():
    return found()


def defaults():
    return found(2.5e9, 2.5e9, causes=[cause(by_default=True)], explained=climbed())


def mistaken():
    return found(2.5e9, 2.5e9, causes=[cause(by_default=False)], explained=climbed())


def half_explained():
    left = climbed(7e5)
    return found(2.5e9, causes=[cause(by_default=False)], explained=left, unexplained=left[4])


def unexplained():
    return found(2.5e9, 2.5e9, unexplained=climbed(2.5e9)[4])


def read_only():
    return found(read_only=["dropout, as read: 0.25 (drop) in PyTorch, 0.5 (dropout) in Keras"])


def in_float32_alone():
    return found(plain=1e4)


def test_a_framework_default_beside_what_is_unexplained_does_not_excuse_it():
    left = climbed(7e5)
    both = {"causes": [cause(by_default=True)], "explained": left}
    assert found(2.5e9, unexplained=left[4], **both).verdict == "different"
    assert found(2.5e9, causes=[cause(by_default=True)], explained=climbed()).verdict == "defaults"


KINDS = {make.__name__: make for make in (same, defaults, mistaken, half_explained, unexplained, read_only)} | {
    "float32": in_float32_alone
}
WITHIN = "over 2 calls, 1 gradient and 3 steps."
FIRST = "DIFFERENT: they differ first in the output of norm (nn.BatchNorm1d), by 2.5e9 noise floors in float64; "
SENTENCES = {
    "same": "SAME: from the same weights the two models compute the same, in float64 to within 3.2 noise floors, in "
    f"float32 to within 3.2, {WITHIN}",
    "defaults": "SAME BUT FOR FRAMEWORK DEFAULTS: 1 framework default is confirmed by a trial; without it, from the "
    f"same weights the two models compute the same, in float64 to within 3.2 noise floors, {WITHIN}",
    "mistaken": f"{FIRST}1 cause is confirmed by a trial; with that change, from the same weights the two models "
    f"compute the same, in float64 to within 3.2 noise floors, {WITHIN}",
    "half_explained": f"{FIRST}1 cause is confirmed by a trial; with that change, they still differ first in the "
    "output of norm (nn.BatchNorm1d), by 7.0e5 noise floors.",
    "unexplained": f"{FIRST}no cause was confirmed.",
    "read_only": "DIFFERENT: dropout, as read: 0.25 (drop) in PyTorch, 0.5 (dropout) in Keras, which was not measured; "
    "apart from that, from the same weights the two models compute the same, in float64 to within 3.2 noise floors, "
    f"in float32 to within 3.2, {WITHIN}",
    # Float32 shows, and does not judge.
    "float32": "SAME: from the same weights the two models compute the same, in float64 to within 3.2 noise floors, in "
    f"float32 to within 1.0e4, {WITHIN}",
}


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def written(kind, tmp_path_factory):
    """The folder of a report."""
    folder = tmp_path_factory.mktemp(kind)
    pair_report.write(KINDS[kind](), SOURCES, folder, COMMAND)
    return folder


def markdown(diagnosis):
    return unmarked(printed.document(pair_report.report(diagnosis, SOURCES, COMMAND)))


def test_the_verdict_is_the_first_line_everywhere(kind, written):
    assert pair_words.sentence(KINDS[kind]()) == SENTENCES[kind]
    assert pair_report.summary(KINDS[kind]()).splitlines()[0] == SENTENCES[kind]
    lines = unmarked((written / "report.md").read_text(encoding="utf-8")).splitlines()
    assert lines[0] == "# my_torch.py and my_keras.py, from the same weights"
    assert lines[2].replace("\\", "") == f"**{SENTENCES[kind]}**"
    word = SENTENCES[kind].partition(":")[0]
    assert f"<title>{word}: my_torch.py and my_keras.py" in (written / "index.html").read_text(encoding="utf-8")
    assert json.loads((written / "results.json").read_text(encoding="utf-8"))["verdict"] == word


def test_confirmed_is_said_only_where_a_cause_was_tried(kind, written):
    tried = bool(KINDS[kind]().causes)
    for text in (pair_report.summary(KINDS[kind]()), unmarked((written / "report.md").read_text(encoding="utf-8"))):
        claimed = text.replace("no cause was confirmed", "").replace("No cause of it was confirmed", "")
        assert ("confirmed" in claimed) is tried
        assert ("the rest matches" in text) is (tried and kind != "half_explained")


def test_a_noise_floor_is_explained_in_the_first_section(written):
    text = unmarked((written / "report.md").read_text(encoding="utf-8"))
    assert text.index("A noise floor is how far rounding alone carries a number") < text.index(
        "\n## ", text.index("\n## ") + 1
    )


def test_a_cause_has_its_effect_its_code_on_either_side_and_its_row():
    text = markdown(defaults())
    assert "Without this change, they differ first in the output of norm" in text
    assert "In the Keras file: `keras.layers.BatchNormalization(…, epsilon=1e-05)`" in text
    assert "Or in the PyTorch file: `nn.BatchNorm1d(…, eps=0.001)`" in text
    assert f"“{EPSILON.item}”" in text
    assert "neither file is wrong" in text
    assert "neither file is wrong" not in markdown(mistaken())


def test_what_is_not_explained_comes_with_its_place_and_what_is_excluded():
    for text in (markdown(unexplained()), pair_report.summary(unexplained())):
        assert (
            "What goes into it agrees: the difference is made in this call. In Keras it is bn (batch"
            in text.replace("\\", "")
        )
        assert "what the models are given: all 1 check\n" in text
        assert "layers and functions in an evaluation: 3 of 4 checks" in text
        assert "gradients of the first batch: " not in text
    assert "Not explained" not in markdown(mistaken())


def test_a_difference_between_two_calls_is_placed_between_them():
    between = climbed(2.5e9)
    between[3] = dataclasses.replace(between[3], difference=1.0)
    precisions = found().precisions | {"float64": Precision("float64", between, found().precisions["float64"].losses)}
    told = pair_report.summary(found(precisions=precisions, unexplained=between[3]))
    assert "not explained: what goes into norm (nn.BatchNorm1d), by 4.5e15 noise floors" in told
    assert "the difference is made on the way from there to bn (batch_norm) in Keras" in told


@pytest.mark.parametrize(
    ("difference", "floor", "what", "told"),
    [
        (3.0, 0.0, "the input of the model", ", by 3 where rounding changes nothing"),
        (np.inf, 1e-9, "the loss", ", where one side has numbers that are not finite"),
        (np.inf, 0.0, "the gradient of a: PyTorch has one, Keras has none", ""),
        (4.2e-8, 1e-9, "the loss", ", by 42.0 noise floors"),
        (1.25e-6, 1e-9, "the loss", ", by 1,250 noise floors"),
    ],
)
def test_by_how_much_is_a_number_only_where_there_is_one(difference, floor, what, told):
    assert pair_words.off(Check(GIVEN, what, "", difference, floor, 1.0)) == told


def test_rates_are_settings_and_no_noise():
    assert pair_words.largest(found().precisions["float64"].checks) == 3.25


def test_the_weights_are_told_with_how_each_was_matched():
    text = markdown(same())
    assert "| fc (a.dense) | dense (a.dense) | the weight transposed |" in text
    assert "Here they do: all 6 checks of an evaluation in float64." in text
    assert "with the confirmed changes: all 6 checks" in markdown(mistaken())
    assert "the matching is not borne out" in markdown(unexplained())


def test_the_layers_are_in_order_and_the_first_is_marked():
    text = markdown(mistaken()).replace("\\", "")
    rows = ["| fc (dense) | dense (dense) | 0.5 | 3.2 | 3.2 |"]
    rows += ["| norm (batch_norm) | bn (batch_norm) | 0.5 | 2.5e9 ← the first | 0.5 |"]
    assert "\n".join(rows) in text
    chart = next(part for part in layers(mistaken()) if getattr(part, "name", "") == "checks-float64")
    assert chart.scale == "logarithmic"
    assert chart.mark == (5, "check 5: the first beyond the limit")
    assert [curve.label for curve in chart.curves] == ["as the files are", "with the confirmed changes", "limit: 1,000"]
    assert chart.curves[0].values[4] == pytest.approx(2.5e9)
    assert chart.curves[0].values[0] == 0.01  # for zero
    assert "first beyond the limit is check 5, the output of norm" in chart.says


def layers(diagnosis):
    report = pair_report.report(diagnosis, SOURCES, COMMAND)
    return next(part for part in report.parts if getattr(part, "name", "") == "layers").parts


def test_what_no_floor_covers_is_drawn_above_all():
    checks = climbed()
    checks[7] = dataclasses.replace(checks[7], difference=np.inf)
    precisions = found().precisions | {"float64": Precision("float64", checks, found().precisions["float64"].losses)}
    chart = layers(found(precisions=precisions, unexplained=checks[7]))[0]
    assert chart.curves[0].values[7] == max(chart.curves[0].values) == 100_000
    assert "drawn at the top" in chart.says
    assert "drawn at the top" not in layers(same())[0].says


def test_settings_that_differ_stand_side_by_side():
    differ, equal = pair_report.settings_that_differ(same())
    assert differ == [("norm (batch_norm); bn (batch_norm)", "eps", 1e-5, 1e-3)]
    assert equal > 5


def test_what_was_not_compared_is_said():
    text = markdown(same())
    assert "Keras has 1 call without a counterpart: scale" in text
    assert "PyTorch has" not in text
    assert "Dropout: its random numbers" not in text
    for rates in ({"drop": 0.5}, {"drop": 0.25}):
        torch = described().torch.model_copy(update={"dropout": rates, "random_in_evaluation": True})
        told = pair_words.not_compared(found(sides=dataclasses.replace(described(), torch=torch)))
        assert any(line.startswith("Dropout: its random numbers") for line in told)
        assert any(line.startswith("PyTorch’s model is random in an evaluation") for line in told)
    assert not any("rates are the same" in line for line in pair_words.not_compared(read_only()))


def test_the_losses_of_both_precisions_are_drawn(written):
    for name in ("checks-float64", "checks-float32", "loss-float64", "loss-float32", "apart"):
        assert (written / f"{name}.png").stat().st_size > 5_000
        assert f"]({name}.png)" in unmarked((written / "report.md").read_text(encoding="utf-8"))


def test_both_files_are_shown_and_nothing_in_them_is_taken_for_the_report(written):
    text = unmarked((written / "report.md").read_text(encoding="utf-8"))
    assert f"`my_torch.py`\n\n```python\ndef model():\n    return 1  # {SCRIPT}\n```" in text
    assert '`my_keras.py`\n\n````python\nTEXT = """\n```\n你好\\u202e"""\n````' in text
    html = (written / "index.html").read_text(encoding="utf-8")
    assert SCRIPT not in html
    assert "return 1  # &lt;script&gt;document.title" in html
    assert "\u202e" not in html
    assert "MNIST" not in html


def test_the_results_hold_every_check_and_nothing_that_json_has_not(tmp_path):
    checks = climbed()
    checks[7] = dataclasses.replace(checks[7], difference=np.inf)
    precisions = found().precisions | {"float64": Precision("float64", checks, found().precisions["float64"].losses)}
    pair_report.write(found(precisions=precisions, unexplained=checks[7]), SOURCES, tmp_path, COMMAND)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["precisions"]["float64"]["checks"][7]["times_noise_floor"] is None
    assert results["precisions"]["float64"]["first_beyond"]["what"] == "the gradient of fc.weight"
    assert results["precisions"]["float64"]["losses"]["keras"] == [2.0, 1.5, 1.0 + 1e-15]
    assert results["unexplained"]["what"] == "the gradient of fc.weight"
    assert results["causes"] == []
    assert results["weights"][0] == {"pytorch": ["fc"], "keras": ["dense"], "how": "the weight transposed"}


def test_the_results_hold_the_causes():
    (result,) = pair_report.results(mistaken())["causes"]
    assert result["row"] == "batch_norm_epsilon"
    assert result["framework_default"] is False
    assert result["without_it"]["times_noise_floor"] == pytest.approx(2.5e9)
    assert "epsilon=1e-05" in result["in_keras"]


def test_the_terminal_gets_no_control_character():
    hostile = dataclasses.replace(cause(by_default=False, what="ε\x1b[2J\u202e\nof all"))
    assert "ε\\x1b[2J\\u202e\\nof all" in pair_report.summary(found(2.5e9, causes=[hostile], explained=climbed()))
