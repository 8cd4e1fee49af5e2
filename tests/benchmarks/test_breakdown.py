"""benchmarks/breakdown.py: what it makes of a trace whose seconds are known, and that every process writes into one."""

import json
import os

import pytest

from benchmarks import breakdown
from benchmarks.breakdown import Comparison
from shared.running.clock import Clock
from shared.system import trace
from shared.system.errors import InputError
from tests.conftest import run_program


def line(what, began, ended, *, program="compare.py", process=1, cpu=1.0):
    return json.dumps(
        {
            "what": what,
            "began": 100.0 + began,
            "ended": 100.0 + ended,
            "cpu": cpu,
            "process": process,
            "program": program,
            "beside": what == "verifying",
        }
    )


@pytest.fixture
def comparison():
    lines = [
        line("record", 3, 4, program="pytorch_impl", process=2),
        line("training", 2, 6, program="pytorch_impl", process=2),
        line("training", 6, 7, program="pytorch_impl", process=2),
        line(trace.WHOLE, 1, 8, program="pytorch_impl", process=2, cpu=5.0),
        line("verifying", 5, 9, cpu=2.0),
        line("drawing", 9, 10, cpu=3.5),
    ]
    return Comparison(10.0, breakdown.read(lines, 100.0))


def test_a_second_counts_for_the_innermost_span_alone(comparison):
    assert breakdown.own_seconds(comparison.spans) == {
        ("PyTorch", trace.WHOLE): 2.0,
        ("PyTorch", "training"): 4.0,
        ("PyTorch", "record"): 1.0,
        ("compare.py, beside", "verifying"): 4.0,
        ("compare.py", "drawing"): 1.0,
    }
    assert comparison.cpu == 8.5


def test_the_table_and_the_picture_are_made_of_it(comparison, tmp_path):
    result = {"machine": {"cpu": "a processor", "cores": 2}, "tutorial_seconds": [40.0, 20.0], "warm_seconds": [10.0]}
    text = breakdown.as_markdown({"warm": comparison}, result)
    assert "## Warm: 10.0 s, 0.33 of the tutorial's loop" in text
    assert "| training |  | 4.00 |  |" in text
    assert "8.5 CPU seconds: shared evenly by all cores, 4.2 s, 0.14 of the loop" in text
    breakdown.draw({"warm": comparison}, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")


def test_a_program_that_has_no_lane_is_refused():
    with pytest.raises(InputError, match=r"another\.program, which has no lane"):
        breakdown.read([line("start", 0, 1, program="another.program")], 100.0)


def test_a_program_writes_its_spans_where_the_variable_says_and_nothing_else(tmp_path):
    traced, out = tmp_path / "trace", tmp_path / "out"
    options = ("--epochs", 1, "--batch-size", 4096, "--out", out)
    run = run_program("-m", "shared.reference", *options, env={**os.environ, trace.VARIABLE: str(traced)})
    assert run.returncode == 0, run.stderr
    spans = breakdown.read(traced.read_text(encoding="utf-8").splitlines(), 0.0)
    assert {"start", "import", "data", "training", "record", trace.WHOLE} <= {span.what for span in spans}
    assert {span.lane for span in spans} == {"the reference"}
    timing = json.loads((out / "run.json").read_text(encoding="utf-8"))["timing"]
    assert breakdown.own_seconds(spans)["the reference", "training"] == pytest.approx(timing["training"], abs=0.1)


def test_without_the_variable_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.delenv(trace.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with Clock()("training"):
        pass
    assert list(tmp_path.iterdir()) == []
