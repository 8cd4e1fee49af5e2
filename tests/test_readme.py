"""What the READMEs and docs/ say: the same in both languages, with links that lead somewhere."""

import re

import pytest

from tests.conftest import ROOT

CHINESE = sorted([*ROOT.glob("*.zh-CN.md"), *(ROOT / "docs").glob("*.zh-CN.md")])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/*.md")])
README = ROOT / "README.md"
# A figure has a decimal point, a percent sign or an exponent.
FIGURE = re.compile(r"(?<![\w.])[+−-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?%?")


def english(path):
    return path.with_name(path.name.replace(".zh-CN", ""))


def named(path):
    return str(path.relative_to(ROOT))


def read(path):
    return path.read_text(encoding="utf-8")


def commands(path):
    """Every line of every block of shell commands or of Python, without its comment."""
    blocks = re.findall(r"```(?:sh|console|python)\n(.*?)```", read(path), re.DOTALL)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines() if line.strip()]


def figures(path):
    """Those of every table and of what was quoted, in order, each after the place of its row."""
    lines = [line for line in read(path).splitlines() if line.startswith(("| ", "> "))]
    found = [(place, figure) for place, line in enumerate(lines) for figure in FIGURE.findall(line)]
    return [(place, figure) for place, figure in found if re.search(r"[.%e]", figure)]


def shape(path):
    """The level of each heading, and how many cells each row of a table has."""
    lines = read(path).splitlines()
    return [re.match(r"#+", line)[0] if line[0] == "#" else line.count("|") for line in lines if line[:1] in ("#", "|")]


def anchors(path):
    """What a link can name in a document: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("chinese", CHINESE, ids=named)
@pytest.mark.parametrize("of", [commands, figures, shape], ids=lambda of: of.__name__)
def test_both_languages_say_the_same(chinese, of):
    assert of(chinese) == of(english(chinese))


def test_there_is_something_to_compare():
    assert english(CHINESE[0]) == README
    assert len(CHINESE) >= 5
    assert len(figures(README)) > 60
    assert len(commands(README)) > 30


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(document):
    for target, anchor in re.findall(r'(?:\]\(|src="|srcset=")([^)#"]*)(?:#([^)"]+))?', read(document)):
        if not target.startswith("http"):
            path = document.parent / target if target else document
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), (target, anchor)


def test_what_is_quoted_of_the_tutorials_programs_stands_in_them():
    stock = [(ROOT / f"{package}_impl" / "stock.py") for package in ("pytorch", "tensorflow")]
    quoted = re.findall(r"```python\n# [^\n]*\n(.*?)```", read(README), re.DOTALL)
    assert len(quoted) == len(stock)
    for lines, path in zip(quoted, stock, strict=True):
        code = [line.strip() for line in read(path).splitlines()]
        assert set(map(str.strip, lines.splitlines())) <= set(code), path


def test_a_changed_figure_or_command_is_seen(tmp_path):
    other = tmp_path / "README.md"
    changed = read(README).replace("0.3830", "0.3831").replace("make test", "make tests").replace("## How fast", "")
    other.write_text(changed, encoding="utf-8")
    for of in (figures, commands, shape):
        assert of(other) != of(README)
