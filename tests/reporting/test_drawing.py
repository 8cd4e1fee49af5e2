"""What a user has set for matplotlib, and what it does to the pictures: nothing."""

import re

import pytest

from tests.conftest import ROOT, run_program
from tests.faults import trying

DRAW = """
import hashlib
from shared.reporting import plots
axes = plots.figure("Title $x^2$", "y")
axes.plot([1, 2, 3])
print(*(hashlib.sha256(part if isinstance(part, bytes) else part.encode()).hexdigest()
        for part in plots.files(axes.get_figure())))
"""
OTHER = "text.usetex: True\nfigure.facecolor: red\naxes.grid: True\nbackend: nonsense\nsavefig.dpi: 10\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draws in a folder with these files and environment variables."""
    default = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path_factory.mktemp("home"))}

    def draw(folder, said=r"", **environment):
        run = run_program("-c", DRAW, cwd=folder, env=default | environment)
        assert run.returncode == 0
        assert re.fullmatch(said, run.stderr)
        return run.stdout.split()

    return draw


@pytest.fixture(scope="module")
def plain(drawn, tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("plain"))


def in_the_working_directory(folder, content):
    (folder / "matplotlibrc").write_bytes(content)
    return {}


def in_a_variable(folder, content):
    (folder / "mine").write_bytes(content)
    return {"MATPLOTLIBRC": str(folder / "mine")}


def at_home(folder, content):
    (folder / ".config/matplotlib").mkdir(parents=True)
    (folder / ".config/matplotlib/matplotlibrc").write_bytes(content)
    return {"HOME": str(folder)}


@pytest.mark.parametrize("place", [in_the_working_directory, in_a_variable, at_home])
@pytest.mark.parametrize("content", [OTHER.encode(), b"\xff\xfe\x00", b"no such: thing\n"], ids=ascii)
def test_no_matplotlibrc_changes_a_picture_or_stops_it(drawn, plain, tmp_path, place, content):
    with trying("matplotlib's settings"):
        assert drawn(tmp_path, **place(tmp_path, content)) == plain


@pytest.mark.parametrize("environment", [{"MPLBACKEND": "nonsense"}, {"MPLBACKEND": "tkagg"}, {"HOME": "/dev/null"}])
def test_no_variable_stops_a_picture(drawn, plain, tmp_path, environment):
    with trying("matplotlib's settings"):
        assert drawn(tmp_path, **environment) == plain


def test_where_the_cache_cannot_be_written_a_picture_is_drawn_all_the_same(drawn, plain, tmp_path):
    (tmp_path / "file").touch()
    with trying("matplotlib's settings"):
        assert drawn(tmp_path, r"Nothing is kept .+\n", TWIN_TRAINING_CACHE=str(tmp_path / "file/cache")) == plain
