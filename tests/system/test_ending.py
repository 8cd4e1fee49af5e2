"""How a program ends: its status, its one line, and what becomes of it when the screen is gone."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from shared.system import cache, ending, output
from shared.system.ending import INTERRUPTS, exit_status
from shared.system.errors import CrashError, InputError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def handlers():
    """`exit_status` leaves interrupts ignored after one. The handler here keeps a failing test from ending pytest."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in INTERRUPTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("status", [0, 1])
def test_status_is_that_of_the_program(capsys, status):
    assert exit_status("program", lambda: status) == status
    assert capsys.readouterr() == ("", "")


def raises(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("--epochs 0: too few"), 2, "program: error: --epochs 0: too few\n"),
        (KeyboardInterrupt(), 130, "program: interrupted\n"),
        (
            OSError(28, "No space left on device", "/disk/x"),
            2,
            "program: error: /disk/x: No space left on device; .+\n",
        ),
        (MemoryError(), 2, "program: error: out of memory; lower --hidden-sizes .+\n"),
        (CrashError("PyTorch: ValueError: x"), 70, "program: crashed: PyTorch: ValueError: x\n"),
        (InputError("a name with\nlines and \x1b[31mcolour"), 2, r"program: error: a name with\\nlines and \\x1b.+\n"),
    ],
)
def test_each_end_has_its_status_and_one_line(capsys, error, status, line):
    assert exit_status("program", raises(error)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(line, err)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by\nzero"), FileNotFoundError(2, "No such file"), RecursionError()]
)
def test_an_unforeseen_exception_is_status_70_one_line_and_a_traceback_in_a_file(capsys, own_cache, error):
    assert exit_status("program", raises(error)) == 70
    said = capsys.readouterr().err
    assert said.startswith(f"program: crashed: {type(error).__name__}")
    assert said.count("\n") == 1
    (report,) = (own_cache / "crashes").iterdir()
    assert str(report) in said
    assert "in main\n    raise error" in report.read_text(encoding="utf-8")


def test_crash_reports_do_not_pile_up(capsys, own_cache):
    for _ in range(30):
        exit_status("program", raises(ValueError()))
    assert len(list((own_cache / "crashes").iterdir())) <= 20


def test_a_crash_that_cannot_be_written_down_is_told_whole(capsys, tmp_path, own_cache, monkeypatch):
    own_cache.parent.mkdir()
    own_cache.write_text("in the way", encoding="utf-8")
    assert exit_status("program", raises(ValueError("x"))) == 70
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].endswith("its traceback stands above")
    assert cache.folder() is None


@pytest.mark.parametrize("number", INTERRUPTS)
def test_signals_interrupt(number):
    def main():
        signal.raise_signal(number)
        return 0

    assert exit_status("program", main) == 130


def test_nohup_is_respected():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def main():
        signal.raise_signal(signal.SIGHUP)
        return 1

    assert exit_status("program", main) == 1


def test_a_second_interrupt_does_not_cut_the_tidying_up_short():
    tidied = []

    def main():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            tidied.append(1)

    assert exit_status("program", main) == 130
    assert tidied


def test_an_interrupt_that_a_library_swallows_is_not_lost():
    def main():
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        ending.raise_lost_interrupt()
        return 0

    assert exit_status("program", main) == 130
    assert exit_status("program", lambda: 0) == 0


def test_an_interrupt_that_a_library_turns_into_an_error_is_one_all_the_same(capsys):
    def main():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:  # as Python does in the middle of a class
            raise RuntimeError("Error calling __set_name__") from error
        return 0

    assert exit_status("program", main) == 130
    assert capsys.readouterr().err == "program: interrupted\n"


def test_an_interrupt_waits_until_a_failed_run_has_tidied_up(tmp_path, capsys):
    """As it comes to a worker that has just been refused, when its launcher ends all."""
    real, tidied = shutil.rmtree, []

    def interrupted(folder, **options):
        signal.raise_signal(signal.SIGTERM)
        real(folder, **options)
        tidied.append(folder)

    def main():
        with output.fresh_folder(tmp_path / "out"):
            raise InputError("worker 1 was given other weights")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.shutil, "rmtree", interrupted)
        assert exit_status("program", main) == 130
    assert len(tidied) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "program: interrupted\n"


def test_an_interrupt_does_not_wait_longer_than_the_tidying():
    went_on = []

    def main():
        with ending.uninterrupted(), ending.uninterrupted():
            signal.raise_signal(signal.SIGINT)
            went_on.append(1)
        went_on.append(2)
        return 0

    assert exit_status("program", main) == 130
    assert went_on == [1]
    assert exit_status("program", lambda: 0) == 0


def test_who_interrupts_again_after_a_while_is_heeded_again(monkeypatch):
    monkeypatch.setattr(ending, "SECONDS_OF_TIDYING", 0)

    def main():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return 0

    assert exit_status("program", main) == 130


TALKS = """
import sys
from shared.system import ending

def main():
    for number in range(3000):
        print("naïve × τ 数", number)
        print("naïve × τ 数", number, file=sys.stderr)
    open(sys.argv[1], "w", encoding="utf-8").write("written")
    return int(sys.argv[2])

sys.exit(ending.exit_status("talks", main))
"""


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize(
    "redirected", ["| head -1", "> /dev/full", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>&1 | :"]
)
@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_what_becomes_of_the_screen_changes_nothing(redirected, status, locale, tmp_path):
    program, written = tmp_path / "talks.py", tmp_path / "written"
    program.write_text(TALKS, encoding="utf-8")
    command = f"{{ {sys.executable} {program} {written} {status}; echo $? > {tmp_path / 'status'}; }} {redirected}"
    run = subprocess.run(
        ["/bin/sh", "-c", command],
        env=os.environ | locale | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (tmp_path / "status").read_text(encoding="utf-8") == f"{status}\n"
    assert written.exists()
    for word in (b"Traceback", b"Error", b"Exception"):
        assert word not in run.stderr + run.stdout


def test_nothing_that_can_be_shown_is_lost(tmp_path):
    program = tmp_path / "talks.py"
    program.write_text(TALKS, encoding="utf-8")
    command = [sys.executable, program, tmp_path / "written", "0"]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    assert run.stdout.decode().splitlines() == [f"naïve × τ 数 {number}" for number in range(3000)]
    assert run.stdout == run.stderr
