"""Which words of a report are marked, and that each is explained; and where a report comes from."""

import datetime
import re

import numpy as np
import pytest

from shared.reporting import charts, glossary, markdown, origin
from shared.reporting.glossary import TERMS, Marker, Term
from shared.reporting.parts import Code, Paragraph, Report, Section, Table
from shared.system import checkout, own_python
from shared.system.language import CHINESE, translated

ULP, FLOOR = Term("ulp", ("ulps?",), "a unit"), Term("noise floor", ("noise floors?", "floor"), "how far")


def marked(marker, text):
    return [(piece, term and term.name) for piece, term in marker.split(text)]


def test_a_term_is_marked_once_in_any_form_and_never_within_a_word():
    marker = Marker([ULP, FLOOR])
    assert marked(marker, "gulps, ulps-free, 2 Ulps of it") == [
        ("gulps, ulps-free, 2 ", None),
        ("Ulps", "ulp"),
        (" of it", None),
    ]
    assert marked(marker, "an ulp") == [("an ulp", None)]
    assert marked(marker, Code("noise floor")) == [("noise floor", None)]
    assert marked(marker, "noise floors") == [("noise floors", "noise floor")]
    assert marker.close() == [FLOOR, ULP]
    assert marked(Marker([FLOOR]), "") == []


def named(text):
    """The Chinese words that are marked in a text, each for itself."""
    return [piece for term in TERMS for piece, found in Marker([term], CHINESE).split(text) if found]


def test_a_term_is_marked_in_chinese_and_never_within_a_longer_word():
    for term in TERMS:
        name = translated(term.name, CHINESE)
        assert Marker([term], CHINESE).split(f"这里的{name}")[-1][1] is term or name == "核（kernel）", name
    assert named("第 3 步与下一轮") == ["步", "轮"]
    assert named("每一步都走一遍；这一段的核（kernel）") == ["步", "段", "核"]
    assert named("进一步、逐步、步骤、初步、同步，一步一步；轮流，轮廓；阶段、手段；核对、核心、内核；自己的教程") == []
    assert named("float32的损失，不是 float321 的") == ["损失", "float32"]
    assert named("扰动 1 ulp") == ["ulp", "扰动 1 ulp"]
    [first, (piece, term), *_] = Marker(TERMS, CHINESE).split("从扰动 1 ulp 的权重开始")
    assert (first, piece, term.name) == (("从", None), "扰动 1 ulp", "perturbed by 1 ulp")


def test_after_the_glossary_nothing_is_marked():
    marker = Marker([ULP])
    assert marker.close() == []
    assert marked(marker, "an ulp") == [("an ulp", None)]


def test_no_two_terms_share_a_name_a_place_or_a_form():
    assert len({term.key for term in TERMS}) == len(TERMS)
    for term in TERMS:
        assert re.fullmatch(r"term-[a-z0-9-]+", term.key)
        assert [other.name for other in TERMS if marked(Marker([other]), term.name)[0][1]][:1] == [term.name]


def test_markdown_marks_prose_and_headers_and_no_name_from_outside():
    table = Table(["what", "ulps"], [["rounding", "seed"]], words=True)
    text = markdown.document(Report("", [Paragraph("Its loss_1 and *loss."), table, glossary.section()]))
    assert "Its loss_1 and \\**loss*." in text
    assert "| what | *ulps* |" in text
    assert "| rounding | seed |" in text
    assert "- *loss*: What training makes small" in text
    assert "- *ulp*: " in text
    assert "*seed*" not in text
    assert "*" not in markdown.document(Report("", [Paragraph("the loss"), Section("x", "x", [])]))


WHEN = datetime.datetime(2026, 11, 27, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("commits", "said"),
    [
        ((), "."),
        (("0123456789abcdef",), ", commit 0123456789ab."),
        (("0123456789abcdef-dirty", "fedc"), ", commit 0123456789ab-dirty, fedc."),
    ],
)
def test_a_report_tells_when_it_was_made_and_from_which_commits(commits, said):
    made = origin.Made("python compare.py", WHEN, commits, "a system")
    project = checkout.project()
    assert made.line.text == f"Made on 2026-11-27, 00:02 UTC by {project.name} {project.version}{said}"
    rows = dict(made.section([]).parts[0].rows)
    assert rows["commit"] == (", ".join(commits) or "not recorded")
    assert rows["system"] == "a system"
    assert "not recorded" in origin.Made("", None, (), "").line.text


def test_an_address_is_told_only_where_one_is_written_down(monkeypatch):
    made = origin.Made("", WHEN, (), "")
    assert "kept at" not in dict(made.section([]).parts[0].rows)
    monkeypatch.setattr(checkout, "project", lambda: checkout.Project("x", "1", "https://x.invalid"))
    assert dict(made.section([]).parts[0].rows)["kept at"] == "https://x.invalid"


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("python3", "python3"),
        ("{}/.venv/pytorch/bin/python", ".venv/pytorch/bin/python"),
        ("/opt/python", "/opt/python"),
    ],
)
def test_a_command_names_the_python_that_was_called(called, shown, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_python.sys, "orig_argv", [called.format(tmp_path.resolve()), "compare.py"])
    assert own_python.as_called() == shown


def test_a_running_mean_is_that_of_the_values_around():
    values = np.array([1.0, 2.0, 3.0, 10.0, 20.0])
    assert charts.running_mean(values, 3) == pytest.approx([1.5, 2.0, 5.0, 11.0, 15.0])
    assert charts.running_mean(values, 2) == pytest.approx(charts.running_mean(values, 3))
    assert np.isnan(charts.running_mean(np.array([1.0, np.nan, 1.0, 1.0]), 2)[1:]).all()
