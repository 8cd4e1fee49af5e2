"""Both READMEs name the same commands and the same figures."""

import re

import pytest

from tests.conftest import ROOT

ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
# A figure has a decimal point, a percent sign or an exponent.
FIGURE = re.compile(r"(?<![\w.])[+−-]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?%?")


def commands(path):
    """Every line of every block of shell commands, without its comment."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [line.partition(" #")[0].rstrip() for block in blocks for line in block.splitlines() if line.strip()]


def figures(path):
    """Those of every table and of what was quoted, in order, each after the name of its row or its first words."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(("| ", "> "))]
    named = [(" ".join(line.split()[:3]), figure) for line in lines for figure in FIGURE.findall(line)]
    return [(name, figure) for name, figure in named if re.search(r"[.%e]", figure)]


def test_same_commands():
    assert commands(CHINESE) == commands(ENGLISH)


def test_same_figures():
    assert figures(CHINESE) == figures(ENGLISH)
    assert len(figures(ENGLISH)) > 60


@pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_every_link_leads_somewhere(readme):
    for target in re.findall(r'(?:\]\(|src="|srcset=")([^)#"]+)', readme.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_a_changed_figure_or_command_is_seen(tmp_path):
    other = tmp_path / "README.md"
    text = ENGLISH.read_text(encoding="utf-8")
    other.write_text(text.replace("0.3830", "0.3831").replace("make test", "make tests"), encoding="utf-8")
    assert figures(other) != figures(ENGLISH)
    assert commands(other) != commands(ENGLISH)
