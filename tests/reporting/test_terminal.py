"""What compare.py shows on a terminal, on one that is narrow or wants no colours, and in a pipe."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest
from rich.cells import cell_len
from rich.console import Console

from shared.comparing.processes import Children
from shared.comparing.runs import Printer, Variant
from shared.contract import FRAMEWORKS, REFERENCE
from shared.reporting import epochs, terminal
from shared.reporting.parts import Table
from shared.running.record import Epoch
from shared.system import language, progress
from shared.training import Training
from tests import stand_in
from tests.conftest import ROOT, run_program
from tests.small_runs import make_runs, outcome_of, with_run

SMALL = ["--epochs", "1", "--batch-size", "512", "--hidden-sizes", "16,8"]
COLOUR = re.compile(r"\x1b\[[\d;]*(?:3[0-7]|38)[\d;]*m")
STYLE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
SHOW_CURSOR = "\x1b[?25h"


def on_a_terminal(*arguments, columns=100, until=None, **environment):
    """Run a program on a terminal of its own, interrupt it where it says `until`: its status and all it has written."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**inherited, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(its)
    written = b""
    while True:
        try:
            written += os.read(ours, 65_536)
        except OSError:  # the last that could write has gone
            break
        if until and until in written:
            process.send_signal(signal.SIGINT)
            until = None
    os.close(ours)
    return process.wait(timeout=60), written.decode()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return on_a_terminal("compare.py", *SMALL, "--out", tmp_path_factory.mktemp("shown") / "out")


def test_a_terminal_is_shown_both_runs_while_they_train_and_then_the_verdict(shown):
    status, written = shown
    assert status == 0
    for name in FRAMEWORKS:
        assert f"{name} float32" in written
    assert "Epoch 1/1" in written
    lines = STYLE.sub("", written).split("\r\n")
    last = [line for line in lines if not line.startswith(progress.STILL)][-6:]  # which a busy machine says
    assert re.fullmatch(r" +1 +\d\.\d{4} +\d\.\d{4} +\S+ +\d\d\.\d\d% +\d\d\.\d\d%", last[0])
    assert " ".join(last[2:4]).startswith("MATCH: in PyTorch and TensorFlow, each of the 118 steps in float32")
    assert last[-2].startswith("Report: ")


def test_the_terminal_is_left_as_it_was_found(shown, tmp_path):
    assert shown[1].rindex(SHOW_CURSOR) > shown[1].rindex("Epoch 1/1")
    status, written = on_a_terminal("compare.py", "--epochs", "500", "--out", tmp_path / "out", until=b"Epoch 2/500")
    assert status == 130
    assert written.rstrip().endswith("compare.py: interrupted")
    assert SHOW_CURSOR in written[written.rindex("Epoch ") :]
    assert not any(tmp_path.iterdir())


def test_colours_are_on_a_terminal_that_wants_them_and_nowhere_else(tmp_path):
    command = ["compare.py", *SMALL, *stand_in.interpreters(tmp_path), "--out", tmp_path / "out"]
    _, coloured = on_a_terminal(*command)
    assert COLOUR.search(coloured)
    _, without = on_a_terminal(*command, NO_COLOR="1")
    assert "MATCH" in without
    assert not COLOUR.search(without)
    piped = run_program(*command, env={**os.environ, "FORCE_COLOR": "1"})
    assert "MATCH" in piped.stdout
    assert "\x1b" not in piped.stdout + piped.stderr


def test_a_refusal_on_a_terminal_is_one_line(tmp_path):
    options = ["--device", "cuda", "--out", tmp_path / "out"]
    status, written = on_a_terminal("compare.py", *options, columns=400, CUDA_VISIBLE_DEVICES="-1")
    assert status == 2
    assert (
        len(re.findall(r"compare.py: error: PyTorch float32: --device cuda: .+; .+\r\n", STYLE.sub("", written))) == 1
    )


def test_a_bar_of_one_framework_alone_stays_off_standard_output(tmp_path):
    out = tmp_path / "out"
    options = f"--epochs 2 --batch-size 512 --out {out}"
    command = f"{sys.executable} -m shared.reference {options} > {tmp_path / 'printed'}"
    code = f"import subprocess, sys; sys.exit(subprocess.run({command!r}, shell=True).returncode)"
    status, written = on_a_terminal("-c", code)
    assert status == 0
    assert "Epoch 2/2" in written
    printed = (tmp_path / "printed").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in printed[3:5]] == ["Epoch 1/2", "Epoch 2/2"]


# The last row of five: each figure in it is another.
FIVE_EPOCHS = {
    name: [
        Epoch(
            train_loss=1.2345 + place / 1e4,
            train_loss_per_example=1.3456 + place / 1e4,
            test_loss=1.4567 + place / 1e4,
            test_accuracy=0.8714 + place / 1e4,
        )
    ]
    * 5
    for place, name in enumerate(FRAMEWORKS)
}
TABLE = epochs.table(Training(), FIVE_EPOCHS)
HEADER, ROW = TABLE.header, TABLE.rows[-1]


@pytest.mark.parametrize("columns", range(28, 125))
def test_no_number_is_cut_and_what_is_left_out_is_named(columns):
    console = Console(width=columns, color_system=None)
    with console.capture() as captured:
        console.print(terminal._fitting(Table(HEADER, [ROW]), console))
    lines = captured.get().splitlines()
    assert all(len(line) <= columns for line in lines)
    row = next(number for number, line in enumerate(lines) if line.lstrip().startswith("5"))
    named = " ".join(" ".join(lines[row + 1 :]).split())
    for name, value in zip(HEADER, ROW, strict=True):
        assert (value in lines[row].split()) != (name in named)
    assert {"PyTorch", "TensorFlow", "epoch"} <= set(" ".join(lines[:row]).split())


@pytest.mark.parametrize("columns", range(28, 125, 4))
def test_in_chinese_each_number_ends_below_its_columns_name_and_what_is_left_out_is_named(columns, monkeypatch):
    chinese = {
        **language._catalogue(language.CHINESE),
        "epoch": "轮",
        "tutorial loss": "教程损失",
        "difference": "差异",
    }
    for framework in FRAMEWORKS:
        chinese |= {f"{framework} loss": f"{framework} 损失", f"{framework} accuracy": f"{framework} 准确率"}
    monkeypatch.setattr(language, "_catalogue", lambda _: chinese)
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    console = Console(width=columns, color_system=None)
    with console.capture() as captured:
        console.print(terminal._fitting(Table([language.say(name) for name in HEADER], [ROW]), console))
    lines = captured.get().splitlines()
    assert max(map(cell_len, lines)) <= columns
    rule = next(number for number, line in enumerate(lines) if "─" in line)
    *head, _, row = lines[: rule + 2]
    told = "".join(lines[rule + 2 :])
    for name, value in zip(HEADER, ROW, strict=True):
        assert (value in row.split()) != (chinese[name] in told)
    ends = {cell_len(row[: number.end()]) for number in re.finditer(r"\S+", row)}
    names = [name for line in head for name in re.finditer(r"\S+(?: \S+)*", line)]
    assert names
    assert {cell_len(name.string[: name.end()]) for name in names} <= ends


def test_the_verdict_and_the_bars_are_in_the_readers_language(monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    terminal.say(language.say("Run record: {out}", out="out"), good=True)
    table = terminal.LiveTable(Training(), Console(width=120, height=20, color_system=None))
    variant = Variant("PyTorch", "float32")
    table.starts(variant, 1, 4)
    with table.console.capture() as captured:
        table.console.print(table.draw())
    assert "PyTorch float32（第 1 个，共 4 个） 启动中" in captured.get()
    table.hears(variant, {"doing": language.say("Steps"), "done": 938, "total": 4_690})
    with table.console.capture() as captured:
        table.console.print(table.draw())
    assert " 步 " in captured.get()
    assert capsys.readouterr().out == "运行记录：out\n"


def test_the_live_table_holds_the_compared_runs_alone():
    table = terminal.LiveTable(Training(epochs=3), Console(width=120, height=20, color_system=None))
    figures = Epoch(train_loss=1.2345, train_loss_per_example=1.0, test_loss=1.0, test_accuracy=0.9)
    others = (
        Variant("PyTorch", "float64"),
        Variant("PyTorch", "float32", perturbed=True),
        Variant(REFERENCE, "float32"),
    )
    for variant in (Variant("PyTorch", "float32"), *others):
        table.starts(variant, 1, 4)
        table.hears(variant, {"epoch": figures.model_dump()})
    with table.console.capture() as captured:
        table.console.print(table.draw())
    assert captured.get().count("1.2345") == 1
    assert captured.get().count("(1 of 4)") == 4
    table.ends(others[0])
    with table.console.capture() as captured:
        table.console.print(table.draw())
    assert captured.get().count("(1 of 4)") == 3


def test_of_many_epochs_the_live_table_shows_the_last_that_fit():
    table = terminal.LiveTable(Training(epochs=50), Console(width=120, height=16, color_system=None))
    variant = Variant("PyTorch", "float32")
    figures = Epoch(train_loss=1.0, train_loss_per_example=1.0, test_loss=1.0, test_accuracy=0.9)
    table.starts(variant, 1, 1)
    for _ in range(40):
        table.hears(variant, {"epoch": figures.model_dump()})
    with table.console.capture() as captured:
        table.console.print(table.draw())
    assert len(captured.get().splitlines()) <= 16
    assert "\n   40" in captured.get()


def test_a_verification_has_a_bar_while_it_goes_on():
    table = terminal.LiveTable(Training(), Console(width=120, height=20, color_system=None))
    verified = Variant("PyTorch", "float32", verified=True)
    table.starts(verified, 1, 2)
    table.hears(verified, {"doing": "Steps", "done": 938, "total": 4_690})

    def drawn():
        with table.console.capture() as captured:
            table.console.print(table.draw())
        return captured.get()

    assert "PyTorch float32, verified (1 of 2)" in drawn()
    assert "938/4690" in drawn()
    table.ends(verified)
    assert "verified" not in drawn()


def test_where_nobody_watches_a_silence_is_broken_by_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.05)
    monkeypatch.setattr(progress, "_over", threading.Event())
    progress._break_silences.cache_clear()
    printer, verified = Printer(lines=True), Variant("PyTorch", "float32", verified=True)
    printer.starts(verified, 1, 2)
    printer.hears(verified, {"doing": "Steps", "done": 64, "total": 4_690})
    said = ""
    while "64 of 4,690" not in said:
        said = capsys.readouterr().err
    assert said.startswith("... PyTorch float32, verified, Steps: 64 of 4,690, about ")
    printer.ends(verified)


def test_a_verdict_against_is_said_in_red(tmp_path, capsys, monkeypatch):
    made = make_runs(tmp_path)
    losses = made[Variant("PyTorch", "float64")].step_losses
    wrong = with_run(made, "PyTorch", step_losses=losses + 1e-3)
    monkeypatch.setattr(terminal, "_output", lambda: Console(force_terminal=True, width=200, color_system="standard"))
    for compared, verdict in ((made, "\x1b[1;32mMATCH\x1b[0m:"), (wrong, "\x1b[1;31mNO MATCH\x1b[0m:")):
        terminal.show(outcome_of(compared))
        assert verdict in capsys.readouterr().out


def test_what_a_child_tells_arrives_in_order_and_not_of_every_step():
    code = (
        "from shared.system import progress\n"
        "with progress.bar(100_000, 'Epoch 1/1') as advance:\n"
        "    for _ in range(100_000): advance(1)\n"
        "progress.tell(epoch={'train_loss': float('nan')})\n"
        "progress.tell(ended={'status': 0, 'line': ''})"
    )
    events = []
    with Children() as children:
        child = children.start("X", [sys.executable, "-c", code], events.append)
        child.take_turn()
        child.finish()
    first, *between, last, epoch = events
    assert first == {"doing": "Epoch 1/1", "done": 0, "total": 100_000}
    assert last == {"doing": "Epoch 1/1", "done": 100_000, "total": 100_000}
    assert len(between) < 100
    assert [event["done"] for event in between] == sorted(event["done"] for event in between)
    assert epoch["epoch"]["train_loss"] != epoch["epoch"]["train_loss"]  # not a number, as told


def test_a_child_that_outlives_its_listener_goes_on(monkeypatch):
    listener, told = os.pipe()
    os.close(listener)
    monkeypatch.setenv(progress.CHANNEL, str(told))
    progress.tell(epoch={})
    os.close(told)


def test_a_listener_sees_an_event_while_its_child_runs():
    code = "import time; from shared.system import progress; progress.tell(epoch=1); time.sleep(60)"
    heard = []
    with Children() as children:
        children.start("X", [sys.executable, "-c", code], heard.append)
        deadline = time.monotonic() + 20
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)
    assert heard == [{"epoch": 1}]
