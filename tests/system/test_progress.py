"""Nothing is silent for long: where nothing is printed, a line says what is done, and how long it takes."""

import sys

import pytest

from shared.system import progress
from shared.system.language import join, say
from tests import silence
from tests.conftest import ROOT

# Of a call into a library that lets no other thread run, on a busy machine.
SECONDS_OF_DELAY = 2.0
SILENT = """
import sys, time
from shared.system import progress
from shared.system.language import join, say
with progress.doing("the sum is taken"):
    time.sleep(float(sys.argv[1]))
"""


def program(text, *words):
    return silence.longest([sys.executable, "-c", text, *map(str, words)])


def test_what_takes_long_says_so():
    seconds, _, status = program(SILENT, 3 * progress.SECONDS_OF_SILENCE)
    assert status == 0
    assert seconds < progress.SECONDS_OF_SILENCE + SECONDS_OF_DELAY
    seconds, before, _ = program(SILENT.replace("with progress", "if progress"), 3 * progress.SECONDS_OF_SILENCE)
    assert (seconds > 3 * progress.SECONDS_OF_SILENCE, before) == (True, "its start")  # a silence is seen


@pytest.mark.parametrize("program", ["pytorch", "tensorflow"])
def test_a_run_of_one_framework_is_not_silent_for_long(program, tmp_path):
    python = ROOT / ".venv" / program / "bin" / "python"
    command = [python, "-m", f"{program}_impl", "--epochs", "1", "--batch-size", "6000", "--out", tmp_path / "out"]
    seconds, before, status = silence.longest(command)
    assert status == 0
    assert seconds < progress.SECONDS_OF_SILENCE + SECONDS_OF_DELAY, before


def test_how_far_it_is_in_words(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    doing = progress.Doing("steps")
    counted = progress.Doing("steps", 1_200)
    now = 4.0
    assert doing.said() == "steps: 4 s so far"
    assert counted.said() == "steps: 0 of 1,200"
    counted.advance(300)
    assert counted.said() == "steps: 300 of 1,200, about 12 s left"
    counted.describe("the rest", 120.0)
    assert counted.said() == "the rest: 300 of 1,200, about 2 min left"


def test_how_far_it_is_and_notices_are_in_the_readers_language(monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    doing = progress.Doing(say("training"), 1_200)
    doing.done, doing.seconds_left = 300, 120.0
    progress.notice(join("", (progress.STILL, doing.said())))
    assert capsys.readouterr().err == "... 训练：300/1,200，还需约 2 分钟\n"


def test_a_child_tells_its_parent_how_far_it_is_in_the_readers_language(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    told = []
    monkeypatch.setattr(progress, "has_parent", lambda: True)
    monkeypatch.setattr(progress, "tell", lambda **event: told.append(event["doing"]))
    with progress.bar(2, say("Epoch {number}/{count}", number=1, count=5)) as advance:
        advance(2)
    assert told == ["第 1/5 轮"] * 2
