"""A report in Chinese: nothing that is said in words stays in English."""

import re

import pytest

from shared.reporting import markdown, report
from shared.reporting.glossary import TERMS
from shared.reporting.origin import Made
from shared.reporting.page_words import AROUND, OF_SCRIPT, UNITS
from shared.reporting.parts import Caution, Section, by_turns
from shared.system.language import CHINESE, ENGLISH, say, translated
from tests.small_runs import make_runs, outcome_of

CODE = re.compile(r"(`+).+?\1|\]\([^)]*\)|\{[^}]*\}", re.DOTALL)
HAN = re.compile("[\u4e00-\u9fff]")
WORDS = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")  # two in a row, in small letters: names and commands have one


def left_in_english(text):
    return WORDS.findall(CODE.sub("", text))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return report.comparison(outcome_of(make_runs(tmp_path_factory.mktemp("runs"))), "python compare.py")


def test_nothing_of_a_report_stays_in_english(made):
    assert left_in_english(markdown.document(made)) != []
    assert left_in_english(markdown.document(made, CHINESE)) == []


@pytest.mark.parametrize(
    "texts",
    [
        [text for term in TERMS for text in (term.name, term.meaning)],
        [*AROUND.values(), *OF_SCRIPT.values(), *(text for unit in UNITS.values() for text in unit)],
        [text for row in Made("", None, (), "").section([]).parts[0].rows for text in row],
    ],
    ids=["glossary", "page", "origin"],
)
def test_nothing_of_the_words_around_a_report_stays_in_english(texts):
    assert left_in_english("\n".join(texts)) != []
    assert [text for text in texts if left_in_english(translated(text, CHINESE))] == []


def test_a_file_of_markdown_lies_there_for_each_language(tmp_path):
    report.write_alone(Section("x", say("What was run"), [Caution("x")]), tmp_path, "python compare.py")
    english, chinese = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.md", "report.zh-CN.md"))
    assert english.startswith("# What was run\n\n> **Warning.** x\n")
    assert chinese.startswith("# 运行了什么\n\n> **警告。** x\n")
    assert not HAN.search(english)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.md", "report.zh-CN.md", "results.json"]


def test_what_is_code_stays_code():
    english, chinese = (by_turns(translated(AROUND["footer"], language)) for language in (ENGLISH, CHINESE))
    assert english[1::2] == chinese[1::2] == ["results.json", "runs"]
