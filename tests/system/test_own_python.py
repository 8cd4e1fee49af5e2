"""A program that any Python starts goes on in the environment that can run it."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.system import own_python
from tests.conftest import ROOT

READ_BY_AN_OLD_ONE = ("compare.py", "shared/__init__.py", "shared/system/__init__.py", "shared/system/own_python.py")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Python without any library."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def run(python, *arguments, folder=ROOT):
    return subprocess.run(
        [python, *arguments], cwd=folder, check=False, capture_output=True, encoding="utf-8", timeout=60
    )


@pytest.mark.skipif(not Path(ROOT, ".venv").is_dir(), reason="the environments are not made here")
@pytest.mark.parametrize("start", [("compare.py",), ("-m", "tensorflow_impl"), ("-m", "shared.running.workers")])
def test_a_python_without_libraries_hands_over(bare, start):
    told = run(bare, *start, "--wat", "a b")
    program = start[-1]
    assert told.returncode == 2
    assert told.stderr.startswith(f"{program}: error: ")
    assert "not installed" not in told.stderr
    assert run(bare, *start, "--help").stdout.startswith("usage: ")


def test_without_an_environment_it_is_told_in_one_line(bare, tmp_path):
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "compare.py", tmp_path)
    told = run(bare, "compare.py", "--help", folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.endswith(f"is not installed for {bare}; run 'make setup', and start again\n")
    assert len(told.stderr.splitlines()) == 1


def test_an_old_python_is_told_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(own_python, "ROOT", tmp_path)
    own_python.leave_an_old_one()
    monkeypatch.setattr(own_python, "OLDEST", (4, 0))
    with pytest.raises(SystemExit) as error:
        own_python.leave_an_old_one()
    assert error.value.code == 2
    found = f"Python 3.{sys.version_info.minor} is too old: 4.0 or later is needed; run 'make setup', and use"
    assert capsys.readouterr().err.startswith(found)


@pytest.mark.parametrize("name", READ_BY_AN_OLD_ONE)
def test_an_old_python_can_read_what_comes_before_that(name):
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n case 1: pass\n", feature_version=(3, 8))
