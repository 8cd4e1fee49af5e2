"""benchmarks/scaling.py: a small run of it, how it times, and what it concludes from points whose truth is known.

What benchmarks/speed.py asks for, and what seed_spread.py there makes of runs whose distances are known.
"""

import json
import re
import sys

import numpy as np
import pytest

from benchmarks import floor, scaling, seed_spread, speed
from benchmarks.scaling import AXES, ENGINES, FLOOR, WIDTHS, Point, Sample
from shared import cli
from shared.mnist import Examples
from shared.running import batches
from shared.system.errors import InputError
from tests.conftest import run_program
from tests.studies.test_seeds import pairs

ENGINE = "PyTorch fast"


@pytest.mark.parametrize("contender", speed.CONTENDERS, ids=lambda contender: contender.name)
def test_what_is_held_against_the_cpus_floor_runs_on_the_cpu(contender):
    configuration, _ = cli.parse(cli.make_parser(contender.module, "", "out"), contender.arguments[2:])
    assert (configuration.execution.device, configuration.training.epochs) == ("cpu", speed.EPOCHS)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("scaling")
    run = run_program("-m", "benchmarks.scaling", "--quick", "--out", out)
    assert run.returncode == 0, run.stderr
    assert run.stdout + run.stderr == ""
    return out


def test_a_quick_run_measures_each_of_its_points(quick):
    results = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))
    found = {Point(*(point[field] for field in Point._fields)): point["samples"] for point in results["points"]}
    assert list(found) == scaling.quick_plan()
    for (sample,) in found.values():
        assert 0 < sample["seconds_per_epoch"] < 100
        assert sample["peak_bytes"] > 0
        assert sample["steps_timed"] >= 24
    assert {"torch", "tensorflow", "numpy"} <= results["versions"].keys()
    assert results["cores"] >= 1


def test_a_quick_run_sees_the_examples_in_the_memory_of_the_reference(quick):
    points = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))["points"]
    alone = [p for p in points if p["engine"] == "NumPy reference" and not p["seeds"]]
    peaks = {p["examples"]: p["samples"][0]["peak_bytes"] for p in alone}
    # 60,000 more examples: 784 pixels as a byte and as a float32 each, and a label of 8 bytes.
    assert peaks[2] - peaks[1] == pytest.approx(60_000 * (784 * 5 + 8), rel=0.1)


def test_a_quick_run_writes_its_tables_and_its_picture(quick):
    text = (quick / "scaling.md").read_text(encoding="utf-8")
    headings = re.findall("^## (.*)", text, re.MULTILINE)
    assert {"Slopes", "A second thread", "Where each overtakes the other", *scaling.TITLES.values()} == set(headings)
    assert all(f"\n| {engine} |" in text for engine in (*ENGINES, FLOOR))
    assert max(map(len, text.splitlines())) <= 130
    assert (quick / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_a_worker_that_fails_is_named_with_its_last_words():
    impossible = Point("NumPy reference", batch_size=0)
    with pytest.raises(InputError, match=r"NumPy reference.*status 70.*batch_size"):
        scaling.start_worker(impossible, 0, {"NumPy": sys.executable})


def test_where_a_point_fails_it_is_said_and_the_rest_is_measured(monkeypatch, tmp_path, capsys):
    def start_worker(point, _seconds, _pythons):
        if point.width > 1:
            raise InputError("out of memory")
        return Sample(2.0, 24, 2**20)

    monkeypatch.setattr(scaling, "start_worker", start_worker)
    points = [Point(engine, width=width) for width in (1, 2) for engine in (FLOOR, ENGINE)]
    assert scaling.measure_all(points, 2, 0.1, tmp_path) == 1
    assert capsys.readouterr().err.count("out of memory") == 4
    text = (tmp_path / "scaling.md").read_text(encoding="utf-8")
    assert "| PyTorch fast | 2.00 | – | – | – | – | – |" in text


def test_the_full_plan_has_every_engine_at_every_setting_once_and_all_that_ratios_need():
    plan = scaling.full_plan()
    assert len(plan) == len(set(plan))
    for axis, values in AXES.items():
        for value in values:
            assert {Point(engine, **{axis: value}) for engine in ENGINES} <= set(plan)
            assert Point(FLOOR, **{axis: value})._replace(examples=1, seeds=0) in plan
    assert {Point(engine, width=width, threads=n) for engine in ENGINES for width in WIDTHS for n in (1, 2)} <= set(
        plan
    )


# How it times.


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where the test says so."""
    now = [0.0]
    monkeypatch.setattr(scaling.time, "perf_counter", lambda: now[0])
    return now


def timed(clock, examples, batch_size, seconds, example_seconds=0.001):
    """What `time_epoch` finds where an example takes `example_seconds`; and the sizes of the batches it took."""
    taken = []

    def take(some):
        taken.append([len(batch) for batch in some])
        clock[0] += sum(taken[-1]) * example_seconds

    found = scaling.time_epoch(take, batches.split(np.arange(examples), batch_size), seconds)
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
    thrice = scaling.repeated(examples, 3)
    assert thrice.images.tolist() == [[0, 1], [2, 3], [4, 5]] * 3
    assert thrice.labels.tolist() == [7, 8, 9] * 3


def test_the_floor_is_the_eight_products_of_a_step():
    training, cpu = Point(FLOOR, batch_size=16).configuration.training, floor.torch.device("cpu")
    shapes = [(tuple(a.shape), tuple(b.shape), tuple(out.shape)) for a, b, out in floor.products(training, cpu)]
    forward = {((16, m), (m, n), (16, n)) for m, n in [(784, 128), (128, 64), (64, 10)]}
    by_weight = {((n, 16), (16, m), (n, m)) for m, n in [(784, 128), (128, 64), (64, 10)]}
    by_input = {((16, n), (n, m), (16, m)) for m, n in [(128, 64), (64, 10)]}
    assert len(shapes) == 8
    assert set(shapes) == forward | by_weight | by_input


# What it concludes.


def measured(points):
    """Points, each with the seconds of its repeats, as samples."""
    return {point: [Sample(second, 24, 2**20) for second in seconds] for point, seconds in points.items()}


def on(axis, seconds):
    """One repeat at each value of an axis, of `seconds(value)`."""
    return {Point(ENGINE, **{axis: value}): [seconds(value)] for value in AXES[axis]}


@pytest.mark.parametrize("axis", AXES)
def test_the_slope_is_the_exponent_of_a_power_law(axis):
    points = measured(on(axis, lambda value: 3 * value**1.5))
    assert scaling.exponent(points, ENGINE, axis) == pytest.approx(1.5)
    assert np.isnan(scaling.exponent(points, "NumPy reference", axis))


def test_the_floor_of_more_examples_is_so_many_times_that_of_one_set():
    points = measured({Point(FLOOR): [0.5], Point(ENGINE, examples=4): [6.0]})
    assert scaling.to_floor(points, Point(ENGINE, examples=4)) == 3


def test_a_second_thread_pays_where_every_repeat_is_faster():
    times = {1: ([1.0, 1.2], [1.1, 1.3]), 8: ([1.0, 1.2], [0.5, 1.1]), 32: ([1.0, 1.2], [0.6, 0.9])}
    points = measured(
        {
            Point(ENGINE, width=width, threads=threads): seconds
            for width, pair in times.items()
            for threads, seconds in zip((1, 2), pair, strict=True)
        }
    )
    assert scaling.second_thread_pays(points, ENGINE) == "32"
    assert scaling.speedup(points, ENGINE, 32) == pytest.approx(1.1 / 0.75)


# How far a seed carries a run.


@pytest.fixture
def measured_spread(monkeypatch, tmp_path):
    """Run benchmarks.seed_spread, with these options, of runs that are made already; into a folder of its own."""
    asked = []

    def run_seeds(configuration, count, _pythons, _named, _scheduler):
        asked.append((configuration.training.seed, count))
        return pairs(0.0, count=count)

    monkeypatch.setattr(seed_spread, "HERE", tmp_path)
    monkeypatch.setattr(seed_spread, "run_seeds", run_seeds)

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["seed_spread", *options])
        assert seed_spread.main() == 0
        assert asked == [(100, 10)]
        return tmp_path / "seed_spread.json"

    return run


def test_the_spread_over_seeds_is_measured_and_named_as_margins(measured_spread, capsys):
    told = json.loads(measured_spread().read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    losses, measured = (
        pairs(0.0).losses["PyTorch"][:, -1],
        told["measured"]["PyTorch"]["training loss of the last epoch"],
    )
    assert (measured["runs"], measured["value"]) == (losses.tolist(), pytest.approx(losses.std(ddof=1)))
    assert f"PyTorch, training loss of the last epoch: {losses.std(ddof=1):.2g} (95% interval" in said
    assert re.search(rf"--accuracy-margin \S+ --loss-margin {losses.std(ddof=1) / 10:.1e}\n$", said)
    assert {"machine", "versions", "training", "seeds"} < told.keys()


def test_the_spread_of_another_configuration_is_said_and_written_nowhere(measured_spread):
    assert not measured_spread("--epochs", "1").exists()


def test_the_spread_of_another_configuration_is_written_where_that_is_named(measured_spread, tmp_path):
    measured_spread("--epochs", "1", "--out", str(tmp_path / "other"))
    told = json.loads((tmp_path / "other" / "seed_spread.json").read_text(encoding="utf-8"))
    assert told["training"]["epochs"] == 1
    assert not (tmp_path / "seed_spread.json").exists()


def test_the_seeds_of_a_spread_are_no_option():
    run = run_program("-m", "benchmarks.seed_spread", "--seed", "3")
    assert (run.returncode, run.stdout) == (2, "")
    assert "takes no --seed: its seeds are 100 to 109" in run.stderr


def test_one_is_ahead_where_its_slowest_is_faster_than_the_others_fastest_by_a_tenth():
    seconds = {1: ([1.0, 1.1], [1.3, 1.4]), 2: ([1.3, 2.0], [1.4, 1.5]), 4: ([1.0], [1.05]), 8: ([3.0], [2.0])}
    rivals = scaling.RIVALS["by default"]
    measured = {
        Point(name, depth=depth): [Sample(s, 24) for s in found]
        for depth, both in seconds.items()
        for name, found in zip(rivals, both, strict=True)
    }
    assert scaling.ahead(measured, "depth", rivals) == (["1"], ["8"], ["2", "4"])
    assert scaling.measured_axes(measured) == {"depth": AXES["depth"]}


def test_a_depth_is_so_many_hidden_layers_of_the_second_ones_width():
    assert Point("", depth=1).configuration.training.hidden_sizes == (128,)
    assert Point("", depth=4, width=2).configuration.training.hidden_sizes == (256, 128, 128, 128)
    assert Point("").configuration.training.hidden_sizes == scaling.DEFAULT.hidden_sizes
