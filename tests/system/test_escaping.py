"""Names from a user's files, where they come out: the report and the terminal."""

import os

import numpy as np
import pytest
from markdown_it import MarkdownIt
from safetensors.numpy import save_file

from shared.logs import log_pair, log_report
from shared.reporting import markdown as report_markdown
from shared.reporting import report
from shared.reporting.parts import Code, Command, Paragraph, Section, Table
from shared.running.record import RecordError
from shared.system.errors import InputError
from shared.system.escaping import markdown, markdown_code, one_line
from tests.faults import trying
from tests.marks import unmarked

# As a browser would show it: CommonMark with GitHub's tables and strikethrough.
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# What may be in a report beside its own headings, bold words, pictures and tables: nothing of these.
NEVER = {"html_inline", "html_block", "link_open", "em_open", "s_open", "hr", "fence", "code_block", "hardbreak"}

HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "a comment": "<!-- the rest is gone",
    "a picture": "![x](https://example.org/spy.png)",
    "a link": "[click](https://example.org)",
    "a reference": "[x]: https://example.org",
    "an address": "https://example.org www.example.org <https://example.org>",
    "a heading": "# MATCH",
    "a heading below": "x\n===",
    "a line of its own": "x\n\n# MATCH\n\n| a | b |\n| --- | --- |\n",
    "a carriage return": "x\r\n- y",
    "a quotation": "> x",
    "a list": "- x",
    "a numbered list": "1. x",
    "a rule": "---",
    "a fence": "```\nx",
    "a tilde fence": "~~~ x",
    "indentation": "    x",
    "a cell": "a|b|c",
    "an escaped cell": "a\\|b",
    "a backslash": "x\\",
    "backticks": "`x`` ```",
    "only a backtick": "`",
    "emphasis": "*x* _x_ __x__ ~x~ ~~x~~ **x**",
    "an entity": "&lt;b&gt; &#60; &amp;lt;",
    "mathematics": "$x$ $$x$$",
    "escape sequences": "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "another direction": "abc\u202egpj.exe\u2066\u2069\u200f",
    "a tab and a NUL": "a\tb\0c",
    "undecodable bytes": os.fsdecode(b"caf\xe9\xff"),
    "a line separator": "a\u2028b\u2029c\x85d",
    "nothing": "",
    "blanks": "  ",
}


def tokens(text):
    """Of a rendered text, those inside paragraphs and cells too."""
    for token in RENDERER.parse(text):
        yield token
        yield from token.children or ()


def shown(text):
    """What a reader sees of a paragraph."""
    return "".join(token.content for token in tokens(text) if token.type in ("text", "code_inline"))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_is_text_and_nothing_else_wherever_it_stands(name):
    with trying("name in Markdown"):
        line = one_line(name)
        assert line.isprintable()
        line.encode("utf-8")
        assert shown(markdown(name)) == line
        assert [t.type for t in RENDERER.parse(markdown(name))] in ([], ["paragraph_open", "inline", "paragraph_close"])
        assert {t.type for t in tokens(markdown(name))} <= {"paragraph_open", "inline", "paragraph_close", "text"}
        assert [t.content for t in tokens(markdown_code(name)) if t.type == "code_inline"] == [line or " "]
        table = report_markdown.table(Table([name, "x"], [[name, Code(name)], ["last", name]], words=True))
        cells = [shown(cell.content) for cell in tokens(table) if cell.type == "inline"]
        spanned = line or " "
        assert [cell.strip() for cell in cells] == [text.strip() for text in (line, "x", line, spanned, "last", line)]


def test_printable_text_stays_as_it_is_on_a_line():
    for text in ("fc1.weight", "größe × ≤ − …", "日本語 🙂", "C:\\n"):
        assert one_line(text) == text
    assert one_line("a\nb\x1b\u202e\udce9") == "a\\nb\\x1b\\u202e\\udce9"


def test_ordinary_names_and_sentences_stay_legible_in_markdown():
    for text in ("conv_1.weight_hh_l0", "DIFFER from step 3: 0.4 (-1.2e-05), 3 > 2; +0.1 & more.", "-0.5", "+1e-3"):
        assert markdown(text) == text


def test_every_error_is_one_line():
    for kind in (InputError, RecordError):
        assert str(kind("a\nb\x1b[2J\udce9: is bad")) == "a\\nb\\x1b[2J\\udce9: is bad"


@pytest.mark.parametrize(
    "name", [text for text in HOSTILE.values() if text], ids=[key for key in HOSTILE if key != "nothing"]
)
def test_a_tensors_name_and_a_files_reach_neither_report_nor_terminal_raw(tmp_path, name, monkeypatch):
    encodable = name.encode("utf-8", "replace").decode()
    folder = tmp_path / name.replace("/", ":").replace("\0", "0")
    folder.mkdir()
    for file, value, more in (("a", 1, f"{encodable} alone"), ("b", 2, "other")):
        save_file({encodable: np.full(3, value, "f4"), more: np.ones(2 * value, "f4")}, folder / f"{file}.safetensors")
    with trying("name in a report"):
        pair = log_pair.compare(folder / "a.safetensors", folder / "b.safetensors")
        log_report.write(pair, tmp_path, f"compare.py --records {folder}")
        text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
        assert not NEVER & {token.type for token in tokens(text)}
        assert [token.attrGet("src") for token in tokens(text) if token.type == "image"] == ["weights.png"]
        headings = [a.type for a in tokens(text)].count("heading_open")
        assert headings == 5  # with the words explained and what was run
        assert text.count("\n| ") == 14  # the lines of three tables, headers and rules too
        assert one_line(encodable) in shown(text)
        lines = log_report.summary(pair).splitlines()
        assert all(line.isprintable() for line in lines)
        assert len(lines) == 6
        (tmp_path / "results.json").read_text(encoding="utf-8").encode()


def test_a_command_of_any_bytes_is_written_in_every_report(tmp_path):
    command = f"compare.py --out '{HOSTILE['undecodable bytes']}\n`x`'"
    section = Section("why", "*T*", [Paragraph("A <b>sentence</b>."), Command("`x`")])
    report.write_alone(section, tmp_path, command)
    text = unmarked((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert not NEVER & {token.type for token in tokens(text)}
    assert f"Again: {one_line(command)}" in shown(text)
    assert "*T*A <b>sentence</b>.`x`" in shown(text)
