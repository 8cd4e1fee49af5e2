"""benchmarks/scaling.py: a small run of it, how it times, and what it concludes from points whose truth is known.

What benchmarks/speed.py asks for, and what benchmarks/noise.py makes of runs whose distances are known.
"""

import json
import re

import numpy as np
import pytest

from benchmarks import noise, scaling, scaling_figures, scaling_report, scaling_worker, speed
from benchmarks.scaling_points import (
    AXES,
    BATCH_SIZE,
    ENGINES,
    EXAMPLES,
    FLOOR,
    SECOND_THREAD,
    WIDTH,
    Point,
    Sample,
    Setting,
    full_plan,
    quick_plan,
)
from shared import cli
from shared.comparing import checks
from shared.mnist import Examples
from shared.running import batches
from shared.system.errors import InputError
from tests.conftest import run_program

ENGINE = "PyTorch fast"


@pytest.mark.parametrize("contender", speed.CONTENDERS, ids=lambda contender: contender.name)
def test_what_is_held_against_the_cpus_floor_runs_on_the_cpu(contender):
    training, _ = cli.parse(cli.make_parser(contender.module, "", "out"), contender.arguments[2:])
    assert (training.device, training.epochs) == ("cpu", speed.EPOCHS)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("scaling")
    run = run_program("benchmarks/scaling.py", "--quick", "--out", out)
    assert run.returncode == 0, run.stderr
    assert run.stdout + run.stderr == ""
    return out


def test_a_quick_run_measures_each_of_its_points(quick):
    results = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))
    found = {(p["engine"], p["examples"], p["width"], p["batch_size"], p["threads"]): p for p in results["points"]}
    assert list(found) == [(engine, *setting) for engine, setting in quick_plan().points]
    for point in found.values():
        seconds = point["seconds_per_epoch"]
        assert 0 < seconds["min"] <= seconds["median"] <= seconds["max"] < 100
        # Linux counts either to within a few pages.
        assert 0 < point["resident_bytes"]["median"] <= 1.01 * point["peak_bytes"]["median"]
        assert all(steps >= 24 for steps in point["steps_timed"])
    assert {"torch", "tensorflow", "numpy"} <= results["versions"].keys()
    assert results["machine"]["cores"] >= 1


def test_a_quick_run_sees_the_examples_in_the_memory_of_the_reference(quick):
    points = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))["points"]
    peaks = {p["examples"]: p["peak_bytes"]["median"] for p in points if p["engine"] == "NumPy reference"}
    # 60,000 more examples: 784 pixels as a byte and as a float32 each, and a label of 8 bytes.
    assert peaks[2] - peaks[1] == pytest.approx(60_000 * (784 * 5 + 8), rel=0.1)


def test_a_quick_run_writes_its_tables_and_its_picture(quick):
    text = (quick / "scaling.md").read_text(encoding="utf-8")
    headings = re.findall("^## (.*)", text, re.MULTILINE)
    assert {"Slopes", "Memory against examples", "A second thread", *(axis.title for axis in AXES)} <= set(headings)
    assert all(f"\n| {engine} |" in text for engine in (*ENGINES, FLOOR))
    assert max(map(len, text.splitlines())) <= 130
    assert (quick / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_a_worker_that_fails_is_named_with_its_last_words():
    impossible = Point("NumPy reference", Setting(batch_size=0))
    with pytest.raises(InputError, match=r"NumPy reference.*status 70.*batch_size"):
        scaling.start_worker(impossible, 0, {})


def test_the_full_plan_has_every_engine_at_every_setting_once_and_all_that_ratios_need():
    plan = full_plan()
    assert len(plan.points) == len(set(plan.points))
    for axis in AXES:
        for value in axis.values:
            setting = axis.setting(value)
            assert {Point(engine, setting) for engine in ENGINES} <= set(plan.points)
            assert Point(FLOOR, setting._replace(examples=1)) in plan.points
    for setting in SECOND_THREAD:
        both = {Point(engine, setting._replace(threads=n)) for engine in ENGINES for n in (1, 2)}
        assert both <= set(plan.points)
    # What compiles in a process that is measured would be measured with it.
    assert {point for point in plan.points if point.engine == ENGINE} <= set(plan.first)


# How it times.


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where the test says so."""
    now = [0.0]
    monkeypatch.setattr(scaling_worker.time, "perf_counter", lambda: now[0])
    return now


def timed(clock, examples, batch_size, seconds, example_seconds=0.001):
    """What `time_epoch` finds where an example takes `example_seconds`; and the sizes of the batches it took."""
    taken = []

    def take(some):
        taken.append([len(batch) for batch in some])
        clock[0] += sum(taken[-1]) * example_seconds

    found = scaling_worker.time_epoch(take, batches.split(np.arange(examples), batch_size), seconds)
    return *found, taken


def test_times_whole_epochs_where_they_fit(clock):
    seconds, steps, taken = timed(clock, 1_000, 32, seconds=2.5)
    assert seconds == pytest.approx(1)
    assert steps == 2 * 32  # 31 full batches and a short one
    assert taken[-2:] == [[32] * 31 + [8]] * 2
    assert taken[0] == [32] * 8 + [8]  # each shape has been seen before


def test_times_a_part_of_a_long_epoch_and_multiplies_by_examples(clock):
    seconds, steps, taken = timed(clock, 10_000, 32, seconds=1.5)
    assert seconds == pytest.approx(10)
    assert taken[-1] == [32] * steps
    assert steps == 40  # 46 fit into 1.5 s; a multiple of 8


def test_times_no_fewer_steps_than_the_least(clock):
    assert timed(clock, 10_000, 32, seconds=0)[1] == 24
    seconds, steps, taken = timed(clock, 1_000, 100, seconds=0)  # an epoch of 10 steps: three of them
    assert (seconds, steps, taken[-3:]) == (pytest.approx(1), 30, [[100] * 10] * 3)


def test_repeats_the_examples():
    examples = Examples(np.arange(6, dtype=np.uint8).reshape(3, 2), np.array([7, 8, 9]))
    thrice = scaling_worker.repeated(examples, 3)
    assert thrice.images.tolist() == [[0, 1], [2, 3], [4, 5]] * 3
    assert thrice.labels.tolist() == [7, 8, 9] * 3


def test_the_floor_is_the_eight_products_of_a_step():
    training = Setting(batch_size=16).spec
    shapes = [(tuple(a.shape), tuple(b.shape), tuple(out.shape)) for a, b, out in scaling_worker.products(training)]
    forward = {((16, m), (m, n), (16, n)) for m, n in [(784, 128), (128, 64), (64, 10)]}
    by_weight = {((n, 16), (16, m), (n, m)) for m, n in [(784, 128), (128, 64), (64, 10)]}
    by_input = {((16, n), (n, m), (16, m)) for m, n in [(128, 64), (64, 10)]}
    assert len(shapes) == 8
    assert set(shapes) == forward | by_weight | by_input


# What it concludes.


def measured(points):
    """Points by setting, from (engine, setting, seconds of the repeats, bytes)."""
    return {
        Point(engine, setting): [Sample(second, 24, 0.0, size // 2, {}, size) for second in seconds]
        for engine, setting, seconds, size in points
    }


def on(axis, seconds, engine=ENGINE):
    """One repeat at each value of an axis, of `seconds(value)`."""
    return [(engine, axis.setting(value), [seconds(value)], 1) for value in axis.values]


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.field)
def test_the_slope_is_the_exponent_of_a_power_law(axis):
    points = measured(on(axis, lambda value: 3 * value**1.5))
    assert scaling_figures.exponent(points, ENGINE, axis) == pytest.approx(1.5)
    assert scaling_figures.exponent(points, "NumPy reference", axis) is None


def test_the_limit_is_the_first_value_within_a_quarter_of_the_floor():
    # Each step costs 2 whatever its size, and the floor is its size: 1.25 floors are reached at size 8.
    points = measured(on(WIDTH, lambda width: width, FLOOR) + on(WIDTH, lambda width: width + 2))
    assert scaling_figures.first_at_the_limit(points, ENGINE, WIDTH) == "×8"
    far = measured(on(BATCH_SIZE, lambda size: 1 / size, FLOOR) + on(BATCH_SIZE, lambda size: 1.3 / size))
    assert scaling_figures.first_at_the_limit(far, ENGINE, BATCH_SIZE) == "not reached"
    assert scaling_figures.first_at_the_limit({}, ENGINE, WIDTH) == "–"


def test_the_floor_of_more_examples_is_so_many_times_that_of_one_set():
    points = measured([(FLOOR, Setting(), [0.5], 1), (ENGINE, Setting(examples=4), [6.0], 1)])
    assert scaling_figures.to_floor(points, ENGINE, Setting(examples=4)) == 3


def test_a_second_thread_pays_where_every_repeat_is_faster():
    times = {1: ([1.0, 1.2], [1.1, 1.3]), 8: ([1.0, 1.2], [0.5, 1.1]), 32: ([1.0, 1.2], [0.6, 0.9])}
    points = measured(
        (ENGINE, Setting(width=width, threads=threads), seconds, 1)
        for width, pair in times.items()
        for threads, seconds in zip((1, 2), pair, strict=True)
    )
    assert scaling_figures.second_thread_pays(points, ENGINE) == "×32"
    assert scaling_figures.to_one_thread(points, ENGINE, SECOND_THREAD[-1]) == pytest.approx(1.1 / 0.75)


def test_memory_that_grows_beyond_the_arrays_is_said():
    arrays = 60_000 * (784 * 5 + 8)
    sizes = {"PyTorch eager": arrays, "TensorFlow eager": 3 * arrays}
    points = measured(
        (engine, setting, [1.0], 2 * (setting.examples * size + 10 * 2**20))
        for engine, size in sizes.items()
        for setting in map(EXAMPLES.setting, EXAMPLES.values)
    )
    line = scaling_figures.memory_line(points, "PyTorch eager", scaling_figures.resident)
    assert line == pytest.approx((arrays, 10 * 2**20))
    about = {"machine": {"cpu": "a CPU", "cores": 2, "memory_bytes": 2**34}, "versions": {}, "repeats": 1}
    about |= {"timed_seconds": 1.0, "least_steps": 24, "first_compile_seconds": [20.0]}
    text = scaling_report.report(points, about)
    assert "| PyTorch eager | 1.00 | 225 · n + 10 | nothing | 2.00 | 450 · n + 20 | 225 MiB |" in text
    assert "| TensorFlow eager | 3.00 | 674 · n + 10 | 450 MiB |" in text


# How far apart sound runs lie.


def test_any_two_runs_are_judged_by_any_floor_of_others(monkeypatch):
    def ladder(a, b):
        return {"step losses": [checks.Difference(abs(a - b), "step losses", 1e-9)]}

    monkeypatch.setattr(checks, "ladder", ladder)
    monkeypatch.setattr(checks, "first_divergence_step", lambda a, b: 0 if abs(a - b) > 5.5 else None)
    drawn, largest = noise.resample([0, 1, 5, 11], roundings=1)
    assert drawn == 6 * 2  # with one pair of four taken out, either of the two that are left may be the reference
    # 5 and 11 by the floor of 0 and 1. Those that have not diverged: 0 and 5 by that of 1 and 11.
    assert largest == {"6.0": {"step losses": 6 / 1}, "4.0": {"step losses": 5 / 10}}
    rows = [
        {"pairs": {"pytorch-tensorflow": {"step losses": 1}}, "resampled": r}
        for r in (largest, {"4.0": {"step losses": 0.25}})
    ]
    assert "| step losses | 0.50 | 6.00 | – |" in noise.resampled_table(rows)
    # The furthest of the others counts: 0 and 11 by 2 with 1 and 5, where one of them alone would make it 11.
    assert noise.resample([0, 1, 2, 5, 11], roundings=2)[1]["6.0"]["step losses"] == 6 / 1
