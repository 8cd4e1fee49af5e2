"""What is done beside what is waited for."""

import subprocess
import sys
import time

import pytest

from shared.system import beside
from tests.conftest import ROOT


def test_a_module_is_imported_while_the_block_waits(monkeypatch, tmp_path):
    (tmp_path / "imported_beside.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with beside.importing("imported_beside"):
        until = time.monotonic() + 60
        while "imported_beside" not in sys.modules and time.monotonic() < until:
            time.sleep(0.01)
    assert sys.modules.pop("imported_beside")


def test_an_import_that_fails_is_told_to_who_needs_it_and_says_nothing_before(monkeypatch, tmp_path, capfd):
    (tmp_path / "fails_beside.py").write_text("raise ValueError('why')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with beside.importing("fails_beside"):
        time.sleep(0.1)
    with pytest.raises(ValueError, match="why"):
        __import__("fails_beside")
    assert capfd.readouterr() == ("", "")


def test_what_is_imported_late_is_missed_early():
    beside.refuse_without("json")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'") as raised:
        beside.refuse_without("json", "no_such_package")
    assert raised.value.name == "no_such_package"


def test_compare_py_starts_the_frameworks_before_it_imports_what_draws():
    code = "import sys, compare; print(sorted({'matplotlib', 'jinja2', 'shared.logs.log_pair'} & set(sys.modules)))"
    asked = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert asked.stdout == b"[]\n"


def test_a_package_can_be_left_out_of_what_is_imported_meanwhile():
    name = "antigravity"  # of the standard library, and imported by nobody
    with beside.without(name), pytest.raises(ModuleNotFoundError):
        __import__(name)
    assert name not in sys.modules
    with beside.without("json"):
        __import__("json")
    assert "json" in sys.modules
