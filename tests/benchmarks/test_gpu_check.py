"""`make gpu-check`, all of it but the GPU."""

import dataclasses
import json
import os
import re
import sys
import time

import pytest

from benchmarks import gpu_check, gpu_page, processes
from benchmarks.gpu_page import Attempt, Found
from shared.comparing.processes import find_interpreter
from shared.comparing.runs import Variant
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS
from tests.conftest import run_program
from tests.small_runs import make_runs, verified

# One epoch of 31 steps of a small net: as long as the frameworks take to start.
SHORT = Configuration.of(device="cpu", epochs=1, batch_size=2_000, hidden_sizes=(6, 5))


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """Of each framework one run, with TF32 off: its name in the reference's own record."""
    runs = make_runs(tmp_path_factory.mktemp("runs"))
    told = [(name, runs[Variant(name, "float64")]) for name in FRAMEWORKS]
    made = []
    for name, run in told:
        record = run.record.model_copy(update={"settings": {"float32 matrix products": "ieee"}})
        made.append(Attempt(name, "eager", False, dataclasses.replace(run, record=record), verified(run)))
    return made


def test_without_a_gpu_it_says_so_in_a_line():
    run = run_program("-m", "benchmarks.gpu_check", env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch(r"gpu_check\.py: error: (no GPU: .+|\w+ sees no GPU, .+); .+\n", run.stderr)


@pytest.mark.parametrize(
    ("lines", "status", "expected"),
    [
        (["NVIDIA H100 80GB HBM3, 580.1, 81559 MiB, 9.0"], 0, ["NVIDIA H100 80GB HBM3, driver 580.1, 81559 MiB, "]),
        (["Tesla T4, 535.2, 15360 MiB, 7.5"] * 2, 0, ["Tesla T4, driver 535.2, 15360 MiB, "] * 2),
        (["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."], 9, []),
    ],
    ids=["one", "two", "none"],
)
def test_the_cards_are_those_that_nvidia_smi_tells_of(tmp_path, monkeypatch, lines, status, expected):
    """A script in its place, as it answers."""
    script = tmp_path / "nvidia-smi"
    script.write_text("\n".join(["#!/bin/sh", "cat <<'.'", *lines, ".", f"exit {status}"]), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(gpu_check.machine, "gpus", list)
    cards = gpu_check._cards()
    assert [card.rpartition("compute")[0] for card in cards] == expected
    assert all(card.endswith(("compute capability 9.0", "compute capability 7.5")) for card in cards)


def test_all_of_it_on_a_cpu(tmp_path, capsys):
    """The same from the first process to the page; only the card is none."""
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    status = gpu_check.check(SHORT, pythons, {"GPU 0": "none"}, tmp_path / "out", seconds=3_000)
    said = capsys.readouterr()
    assert status == 0, said
    assert said.out.startswith("PASSED: on ")
    assert said.out.endswith(f"Report, one file that can be sent: {tmp_path / 'out' / 'gpu-check.html'}\n")
    told = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert told["passed"] is True
    assert set(told["bare_products"]) == {"float32", "float32 in TF32", "float64"}
    ways = {f"{name}, {engine}" for name in FRAMEWORKS for engine in ("eager", "fast")}
    assert {attempt["run"] for attempt in told["attempts"]} == ways | {
        "PyTorch, eager, TF32 on",
        "TensorFlow, fast, TF32 on",
    }
    assert set(told["comparison"]["proof"]["same_bits_when_repeated"].values()) == {True}
    page = (tmp_path / "out" / "gpu-check.html").read_text(encoding="utf-8")
    for words in (
        "PyTorch, eager, float64",
        "no bit changes",
        "In float64",
        "Run twice",
        "bare products, float32 in TF32",
        "furthest of what",
    ):
        assert words in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # it needs no other file


def test_what_there_is_no_time_for_is_told_and_no_pass(tmp_path, capsys):
    pythons = dict.fromkeys(FRAMEWORKS, sys.executable)
    found = Found(SHORT, {})
    gpu_check._measure(found, pythons, tmp_path / "runs", time.monotonic())
    assert len(found.missing) == 10
    assert set(found.missing.values()) == {"not done, for the time was over"}
    assert gpu_page.sentence(found).startswith("NOT PASSED: the bare products in float32: not done, for the time was")
    gpu_page.write(found, tmp_path)
    assert "NOT PASSED" in (tmp_path / "gpu-check.html").read_text(encoding="utf-8")


def test_a_part_that_takes_too_long_is_ended():
    start = time.monotonic()
    with pytest.raises(gpu_check.OutOfTimeError), gpu_check._no_longer_than(0.5):
        processes.run("sleeper", [sys.executable, "-c", "import time; time.sleep(30)"])
    assert time.monotonic() - start < 20


def test_a_part_that_fails_is_told_and_the_others_are_done(tmp_path, monkeypatch):
    def only(*_arguments):
        raise_it = processes.run
        return {"one": lambda: raise_it("it", [sys.executable, "-c", "raise SystemExit('its words')"]), "two": int}

    monkeypatch.setattr(gpu_check, "_parts", only)
    found = Found(SHORT, {})
    gpu_check._measure(found, {}, tmp_path / "runs", time.monotonic() + 60)
    assert list(found.missing) == ["one"]
    assert "its words" in found.missing["one"]


def test_it_passes_only_what_was_on_the_device_in_full_precision(attempts):
    def reasons(device="cpu", **settings):
        first, second = attempts
        record = first.run.record
        record = record.model_copy(update={"settings": record.settings | settings})
        changed = dataclasses.replace(first, run=dataclasses.replace(first.run, record=record))
        return Found(SHORT.but(device=device), {}, attempts=[changed, second]).reasons

    assert reasons() == []
    assert reasons("cuda") == [f"{name}, eager, float64 ran on cpu, not on cuda" for name in FRAMEWORKS]
    told = {"float32 matrix products": "tf32"}
    assert reasons(**told) == ["PyTorch, eager, float64 tells of matrix products in tf32"]


def test_what_tf32_does_is_said_with_its_size(attempts):
    off, other = attempts
    finding = dataclasses.replace(off.verification.findings[0], check="first step", where="fc1", share=57.1)
    seen = dataclasses.replace(off.verification, findings=[finding])
    same = gpu_page.tf32_effect(off, dataclasses.replace(off, tf32=True))
    assert same.startswith("PyTorch: no bit changes: this device has no TF32. With it on an epoch takes 1.00 times")
    on = dataclasses.replace(other, framework="PyTorch", tf32=True, verification=seen)
    said = gpu_page.tf32_effect(off, on)
    assert said.startswith(
        "PyTorch: it is seen: fc1 (first step) lies 57.1 times what is allowed off. The last epoch's"
    )
