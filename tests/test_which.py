"""docs/which.md: its links lead somewhere, its commands are known, and its pictures are small."""

import re
import shlex

import compare
from benchmarks.which import LARGEST, PICTURES
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "which.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)[2:]
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if " compare.py " in line
]


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_link_leads_to_a_heading_or_a_file():
    headings = {anchor(line.lstrip("# ")) for line in TEXT.splitlines() if line.startswith("#")}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 12
    for link in links:
        assert link[1:] in headings if link.startswith("#") else (PAGE.parent / link).is_file(), link


def test_every_result_has_a_small_picture():
    shown = re.findall(r"\]\(which-(\w+)\.png\)", TEXT)
    assert set(shown) <= set(PICTURES)
    assert {f"which-{name}.png" for name in shown} == {path.name for path in PAGE.parent.glob("which-*.png")}
    for name in shown:
        assert (PAGE.parent / f"which-{name}.png").stat().st_size <= LARGEST


def test_every_command_is_taken_and_leaves_its_report_where_the_picture_is_taken_from():
    parsed = [compare.make_parser().parse_args(command) for command in COMMANDS]
    assert [str(options.out) for options in parsed] == [f"out/which/{name}" for name in PICTURES]
    assert parsed[1].prove
    assert all(path.is_file() for path in parsed[4].pair)


def test_the_help_names_the_page():
    assert "docs/which.md" in compare.make_parser().format_help()
