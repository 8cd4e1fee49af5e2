"""What other programs open of a run: written by whole runs, and read by those programs' own readers."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader, LegacyEventFileLoader
from tensorboard.backend.event_processing.io_wrapper import IsTensorFlowEventsFile

from shared.configuration import Configuration
from shared.logs.sources import read_source
from shared.reference.__main__ import load
from shared.running import exports, footprint, runner
from shared.running.record import read_run
from shared.system import checkout
from shared.system.output import is_whole, read_manifest
from tests.conftest import ROOT, run_program
from tests.test_programs import PYTHONS

# 60,000 = 4 × 14,000 + 4,000: five steps an epoch.
CONFIGURATION = Configuration.of(epochs=2, batch_size=14_000, hidden_sizes=(6, 5))


def trained(folder, configuration=CONFIGURATION):
    before = time.time()
    assert runner.main("Reference", load, [*configuration.options(), "--out", str(folder)]) == 0
    return folder, (before, time.time())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "out")


def rows(folder):
    with (folder / exports.LOSSES_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def points(folder, loader=LegacyEventFileLoader):
    """The events of a curve by its tag, as (step, value, time)."""
    found = {}
    for event in loader(str(folder / exports.EVENTS_FILE)).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value, event.wall_time))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_read_back_as_the_very_numbers(dtype, tmp_path):
    folder, _ = trained(tmp_path / "out", CONFIGURATION.but(dtype=dtype))
    run = read_run(folder)
    read = rows(folder)
    assert list(read[0]) == ["step", "epoch", "loss"]
    assert [(int(row["step"]), int(row["epoch"])) for row in read] == [(step, 1 + step // 5) for step in range(10)]
    losses = np.array([row["loss"] for row in read]).astype(dtype)
    np.testing.assert_array_equal(losses, run.step_losses, strict=True)
    assert all(row["loss"] == str(loss) for row, loss in zip(read, losses, strict=True))  # in the shortest form
    log = read_source(folder / exports.LOSSES_FILE).log
    np.testing.assert_array_equal(log.losses, run.step_losses.astype("float64"))
    assert log.precision == f"{dtype} numbers"


def test_what_is_not_finite_or_tiny_reads_back_too(tmp_path):
    losses = np.array([np.inf, 1e-30, 1.1754944e-38, np.nan, 16777216.0, 3.4028235e38], np.float32)
    exports.write(tmp_path, exports.Curves([{exports.EPOCH_LOSS: np.nan}], [1.0], [losses]), "")
    read = np.array([row["loss"] for row in rows(tmp_path)])
    np.testing.assert_array_equal(read.astype(np.float32), losses)
    values = np.array([value for _, value, _ in points(tmp_path)["loss"]], np.float32)
    np.testing.assert_array_equal(values, losses)


def test_tensorboard_shows_every_loss_and_the_figures_of_the_epochs(made):
    folder, (before, after) = made
    run, found = read_run(folder), points(folder)
    assert list(found) == ["loss", "epoch_loss", "test_loss", "test_accuracy"]
    assert [step for step, _, _ in found["loss"]] == list(range(10))
    np.testing.assert_array_equal([value for _, value, _ in found["loss"]], run.step_losses)
    names = {"epoch_loss": "train_loss", "test_loss": "test_loss", "test_accuracy": "test_accuracy"}
    for tag, name in names.items():
        assert [step for step, _, _ in found[tag]] == [1, 2]
        expected = [np.float32(getattr(epoch, name)) for epoch in run.record.epochs]
        np.testing.assert_array_equal([value for _, value, _ in found[tag]], expected)
    times = [time for curve in found.values() for _, _, time in curve]
    assert before < min(times) < max(times) < after
    assert len(set(times)) == 2  # the ends of both epochs: nothing finer was known


def test_tensorboard_takes_the_file_for_its_own(made):
    folder, _ = made
    assert IsTensorFlowEventsFile(str(folder / exports.EVENTS_FILE))
    first, *others = EventFileLoader(str(folder / exports.EVENTS_FILE)).Load()
    assert first.file_version == "brain.Event:2"
    assert len(others) == 10 + 3 * 2
    assert {value.metadata.plugin_data.plugin_name for event in others for value in event.summary.value} == {"scalars"}


def test_the_same_run_differs_in_its_times_alone(made, tmp_path):
    folder, _ = made
    again, _ = trained(tmp_path / "again")
    files = [(one / exports.LOSSES_FILE).read_bytes() for one in (folder, again)]
    assert files[0] == files[1]
    curves = [{tag: [point[:2] for point in curve] for tag, curve in points(one).items()} for one in (folder, again)]
    assert curves[0] == curves[1]
    for copy in ("one", "other"):
        (tmp_path / copy).mkdir()
        exports.write(tmp_path / copy, exports.Curves([{"epoch_loss": 0.5}], [1.5], [np.ones(3)]), "")
    events = [(tmp_path / copy / exports.EVENTS_FILE).read_bytes() for copy in ("one", "other")]
    assert events[0] == events[1]


def test_of_a_long_training_the_events_are_one_step_in_so_many(tmp_path):
    epochs = [np.arange(first, first + 7_001, dtype=np.float64) for first in (0, 7_001, 14_002)]
    figures = [{"epoch_loss": losses.mean()} for losses in epochs]
    exports.write(tmp_path, exports.Curves(figures, [1.0, 2.0, 3.0], epochs), "")
    assert len(rows(tmp_path)) == 21_003
    found = points(tmp_path)
    np.testing.assert_array_equal([step for step, _, _ in found["loss"]], range(0, 21_003, 3))
    assert all(step == value for step, value, _ in found["loss"])
    assert len(found["loss"]) <= exports.MOST_EVENTS
    assert len(found["epoch_loss"]) == 3
    events = EventFileLoader(str(tmp_path / exports.EVENTS_FILE)).Load()
    told = {v.metadata.summary_description for event in events for v in event.summary.value if v.tag == "loss"}
    assert told == {"one step in 3; losses.csv has them all", ""}


def test_a_stock_run_tells_what_it_prints(tmp_path):
    figures = [{"epoch_loss": 1.25}, {"epoch_loss": 0.1, "test_accuracy": 0.75}]
    exports.write(tmp_path, exports.Curves(figures, [1.0, 2.0]), "")
    assert rows(tmp_path) == [{"epoch": "1", "loss": "1.25"}, {"epoch": "2", "loss": "0.1"}]
    found = points(tmp_path)
    assert found["epoch_loss"] == [(1, 1.25, 1.0), (2, np.float32(0.1), 2.0)]
    assert found["test_accuracy"] == [(2, 0.75, 2.0)]


@pytest.mark.parametrize("framework", PYTHONS)
def test_a_stock_run_writes_them_too(framework, tmp_path):
    options = ["--mode", "stock", "--epochs", "1", "--batch-size", "6000", "--out", tmp_path / "out"]
    run = run_program("-m", f"{framework.lower()}_impl", *options, python=PYTHONS[framework])
    assert run.returncode == 0, run.stderr
    told = json.loads((tmp_path / "out/run.json").read_text(encoding="utf-8"))
    assert [float(row["loss"]) for row in rows(tmp_path / "out")] == told["printed_losses"]
    found = points(tmp_path / "out")
    assert [value for _, value, _ in found["test_accuracy"]] == [np.float32(told["test_accuracy"])]
    assert told["provenance"]["command"].endswith(f"--out {tmp_path / 'out'}")


# --- A failed export. ---


def test_without_the_package_a_line_says_so_and_the_run_is_whole(tmp_path, monkeypatch, capsys):
    needed = "tensorboard.compat.proto.event_pb2"
    monkeypatch.setitem(sys.modules, needed, None)
    folder, _ = trained(tmp_path / "out")
    left_out, *more = capsys.readouterr().err.splitlines()
    why, cure = left_out.split("; ")
    assert why == f"{exports.EVENTS_FILE} is left out: {needed} is not installed for {sys.executable}"
    assert cure == f"to have it next time: {sys.executable} -m pip install -r requirements/pytorch.txt"
    assert more == [f"Run record: {folder}"]
    assert not (folder / exports.EVENTS_FILE).exists()
    assert len(rows(folder)) == 10
    assert is_whole(folder)
    read_run(folder)


@pytest.mark.parametrize("function", ["_lines", "_points"])
@pytest.mark.parametrize("error", [RuntimeError("no\nsuch thing"), MemoryError(), TypeError("descriptors")])
def test_whatever_fails_costs_a_line_and_no_run(function, error, tmp_path, monkeypatch, capsys):
    def fail(*_):
        yield from ()
        raise error

    monkeypatch.setattr(exports, function, fail)
    exports.write(tmp_path, exports.Curves([{"epoch_loss": 0.5}], [1.0], [np.ones(3)]), "pip install it")
    names = {"_lines": exports.LOSSES_FILE, "_points": exports.EVENTS_FILE}
    left_out = names.pop(function)
    told = rf"{re.escape(left_out)} is left out: {type(error).__name__}[^\n]*; to have it next time: pip install it\n"
    assert re.fullmatch(told, capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == list(names.values())


def test_a_disk_without_room_is_told_as_for_any_other_file(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "_lines", fail)
    assert runner.main("Reference", load, [*CONFIGURATION.options(), "--out", str(tmp_path / "out")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_record_is_read_without_what_lies_beside_it(made, tmp_path):
    """As those that earlier versions wrote: with neither these files nor a word on where a run comes from."""
    folder = shutil.copytree(made[0], tmp_path / "older")
    for name in (exports.LOSSES_FILE, exports.EVENTS_FILE):
        (folder / name).unlink()
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del told["provenance"]
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    older = read_run(folder)
    assert older.record.provenance is None
    np.testing.assert_array_equal(older.step_losses, read_run(made[0]).step_losses)


# --- Where a run comes from. ---


def test_a_run_says_where_it_comes_from(made):
    folder, (before, after) = made
    told = read_run(folder).record.provenance
    assert before <= told.started.timestamp() <= told.ended.timestamp() <= after
    assert told.started.utcoffset() == timedelta(0)
    assert told.commit == checkout.commit()
    assert told.system.split("-")[0] in ("Linux", "macOS")
    listed = read_manifest(folder)
    assert {*listed} >= {exports.LOSSES_FILE, exports.EVENTS_FILE, "run.json", "arrays.safetensors"}


def test_the_command_can_be_given_to_a_shell_again(tmp_path):
    out = tmp_path / "a folder"
    options = ["--epochs", "1", "--batch-size", "60000", "--hidden-sizes", "2,2"]
    assert run_program("-m", "shared.reference", *options, "--out", out).returncode == 0
    first = json.loads((out / "run.json").read_text(encoding="utf-8"))
    command = first["provenance"]["command"]
    assert subprocess.run(command, shell=True, cwd=ROOT, check=False, capture_output=True).returncode == 0  # noqa: S602
    again = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (again["files"], again["provenance"]["command"]) == (first["files"], command)
    ended = datetime.fromisoformat(first["provenance"]["ended"])
    started = datetime.fromisoformat(again["provenance"]["started"])
    assert ended < started


def test_a_command_with_bytes_that_are_no_text_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "x", "\udcff"])
    folder, _ = trained(tmp_path / "out", CONFIGURATION.but(epochs=1, batch_size=60_000))
    assert "\\udcff" in read_run(folder).record.provenance.command


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder in a repository, and that repository's commit."""
    program = shutil.which("git")
    if not program:
        pytest.skip("no git")
    outer, inner = tmp_path / "outer", tmp_path / "outer/inner"
    inner.mkdir(parents=True)

    def git(*words):
        own = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]
        run = subprocess.run([program, *own, *words], cwd=outer, check=True, capture_output=True, encoding="utf-8")
        return run.stdout.strip()

    git("init", "-q")
    (outer / "file").write_text("as it was", encoding="utf-8")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    return outer, inner, git("rev-parse", "HEAD")


def test_the_commit_is_that_of_the_programs_own_checkout(repository, monkeypatch):
    outer, inner, commit = repository
    monkeypatch.setattr(checkout, "ROOT", outer)
    assert checkout.commit() == commit
    (outer / "file").write_text("as it is", encoding="utf-8")
    assert checkout.commit() == f"{commit}-dirty"
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setattr(checkout, "ROOT", inner)
    assert checkout.commit() is None
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent / "nothing"))
    assert checkout.commit() is None


# --- What it costs. ---


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1.0, 1e-4])
def test_the_files_take_as_much_disk_as_foretold(dtype, size, tmp_path):
    training = Configuration.of(epochs=25, batch_size=60, dtype=dtype).training
    epochs = list((size * np.random.default_rng(0).random((25, 1_000))).astype(dtype))
    figures = [{"epoch_loss": 0.5, "test_loss": 0.5, "test_accuracy": 0.5}] * 25
    exports.write(tmp_path, exports.Curves(figures, [1.0] * 25, epochs), "")
    taken = sum(path.stat().st_size for path in tmp_path.iterdir())
    foretold = footprint.disk_needed(training) - footprint.record_needed(training)
    assert taken <= foretold <= 1.3 * taken


def test_no_framework_is_imported_for_it(tmp_path):
    """Where TensorFlow is installed, tensorboard.compat would import it at a touch."""
    code = (
        "import sys; from shared.reference.__main__ import load; from shared.running import runner\n"
        "assert runner.main('Reference', load) == 0\n"
        "assert 'tensorboard' in sys.modules\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)"
    )
    options = [*CONFIGURATION.options(), "--out", tmp_path / "out"]
    run = run_program("-c", code, *options, python=PYTHONS["TensorFlow"])
    assert run.returncode == 0, run.stderr


def test_the_files_of_the_default_training_take_a_fraction_of_a_second(tmp_path):
    epochs = [np.random.default_rng(0).random(938, np.float32) for _ in range(5)]
    figures = [{"epoch_loss": 0.5, "test_loss": 0.5, "test_accuracy": 0.5}] * 5
    exports.write(tmp_path, exports.Curves(figures, [1.0] * 5, epochs), "")  # the import has its own time
    start = time.process_time()
    exports.write(tmp_path, exports.Curves(figures, [1.0] * 5, epochs), "")
    assert time.process_time() - start < 0.5
