"""Several workers against one, in the environment of their framework: `make test` runs this in both.

The workers are real processes. In float64 only the order of the sums differs.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.workers_steps import MISTAKES, ONE_SHARE, apart, cases
from benchmarks.workers_trials import AFTER, BEFORE, END, EPOCH, IMPORT, LAUNCHER, TORCHRUN, Trial, make, trials
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS, check_engine
from shared.running.record import RecordError, read_run
from shared.system.errors import InputError
from shared.system.files import read_safetensors
from shared.training import Training
from tests.conftest import run_program

NUMBERS = (1, 3)  # `python -m benchmarks.workers` takes all to 4, and longer
# Losses are between 0.5 and 5; so these are some units in the last place.
LOSSES, WEIGHTS = 2e-15, 1e-14
SMALL = ["--epochs", "1", "--batch-size", "4096", "--hidden-sizes", "16,8", "--dtype", "float64"]


@pytest.fixture(scope="module")
def package(framework):
    if framework == "reference":
        pytest.skip("the reference has one worker")
    return f"{framework}_impl"


def launch(number, *command, **options):
    """Start so many workers that run this command of Python's, and wait for all."""
    return run_program("-m", "shared.running.workers", number, sys.executable, *command, **options)


@pytest.fixture(scope="module")
def found(framework, package, tmp_path_factory):
    """{how many workers: {case: arrays}}."""
    results = {}
    for number in NUMBERS:
        folder = tmp_path_factory.mktemp(f"workers{number}")
        run = launch(number, "-m", "benchmarks.workers_steps", framework, folder)
        assert run.returncode == 0, run.stderr
        results[number] = {path.stem: read_safetensors(path) for path in folder.iterdir()}
    return results


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("case", [case.name for case in cases()])
def test_workers_train_as_one_does(found, number, case):
    losses, weights, logits = apart(found[number][case])
    assert losses <= LOSSES
    assert max(weights, logits) <= WEIGHTS
    if number == 1:
        assert (losses, weights, logits) == (0, 0, 0)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_distributed_training_is_seen(found, framework, mistake):
    if framework not in MISTAKES[mistake]:
        pytest.skip("only the other framework lets one make it")
    assert apart(found[3][mistake]).losses > 1e6 * LOSSES


def test_an_evaluation_of_one_share_is_seen(framework, package, tmp_path):
    """By who reads the record, for no step is wrong."""
    program = ["-m", "benchmarks.workers_steps", framework, "--planted", ONE_SHARE]
    run = launch(2, *program, "--engine", "workers", *SMALL, "--checkpoints", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    with pytest.raises(RecordError, match="test_logits is missing or not of shape"):
        read_run(tmp_path / "out")


@pytest.fixture(scope="module")
def trained(package, tmp_path_factory):
    """What the real program says with two workers, and its record."""
    out = tmp_path_factory.mktemp("trained") / "out"
    run = launch(2, "-m", package, "--engine", "workers", *SMALL, "--checkpoints", "--out", out)
    assert run.returncode == 0, run.stderr
    return run, out


def test_only_the_first_speaks_and_the_record_says_who_trained(package, framework, trained, tmp_path):
    run, out = trained
    words = [line.split(":")[0] for line in run.stdout.splitlines()[1:]]
    assert words == ["CUDA available", "Device", "Epoch 1/1, Loss", "Accuracy"]
    assert run.stderr == f"Run record: {out}\n"
    made = read_run(out)
    about = made.record
    assert (about.execution.engine, about.execution.workers) == ("workers", 2)
    backend = {"pytorch": "gloo", "tensorflow": "RING"}[framework]
    assert (about.settings["engine"], about.settings["workers"], about.settings["backend"]) == ("workers", "2", backend)
    assert not {"TF_CONFIG", "TF_GRPC_REUSE_PORT"} & about.environment.keys()
    alone = run_program("-m", package, "--engine", "eager", *SMALL, "--checkpoints", "--out", tmp_path / "alone")
    assert alone.stdout == run.stdout
    other = read_run(tmp_path / "alone")
    assert made.arrays.keys() == other.arrays.keys()
    for name, values in made.arrays.items():
        assert np.abs(values - other.arrays[name]).max() <= WEIGHTS, name


def test_torchrun_starts_them_too(framework, package, trained, tmp_path):
    if framework != "pytorch":
        pytest.skip("torchrun is PyTorch's")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", package]
    run = run_program(*command, "--engine", "workers", *SMALL, "--checkpoints", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    found, expected = read_run(tmp_path / "out"), read_run(trained[1])
    for name, values in found.arrays.items():
        np.testing.assert_array_equal(values, expected.arrays[name])


@pytest.mark.parametrize("option", [["--seed", "1"], ["--learning-rate", "0.02"], ["--weights"]])
def test_a_worker_that_was_told_otherwise_ends_all(package, trained, option, tmp_path):
    """In a shell that gives the second worker one option more."""
    more = [*option, str(trained[1] / "weights.safetensors")] if option == ["--weights"] else option
    program = f'"$0" -m {package} --engine workers "$@" $([ "$RANK" = 1 ] && echo {" ".join(more)})'
    command = ["sh", "-c", program, sys.executable, *SMALL, "--out", str(tmp_path / "out")]
    run = run_program("-m", "shared.running.workers", "2", *command)
    assert run.returncode == 2
    assert "worker 1, counted from 0, was given another training or other weights; start all with" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert "Epoch" not in run.stdout
    assert list(tmp_path.iterdir()) == []


SAID = {
    "kill": r"was killed by signal 9; all were ended; was memory short\?",
    "raise": "has ended with status 70: .*something is wrong; this is a fault of the program; .*; all were ended",
    "stop": "is stopped by a signal; all were ended; run again",
}
# `python -m benchmarks.workers_trials` makes all.
TRIALS = [
    (LAUNCHER, "worker 0", IMPORT, "kill"),
    (LAUNCHER, "worker 1", BEFORE, "raise"),
    (LAUNCHER, "worker 0", AFTER, "stop"),
    (LAUNCHER, "worker 1", EPOCH, "kill"),
    (LAUNCHER, "worker 0", END, "raise"),
    (LAUNCHER, "the launcher", EPOCH, "kill"),
    (TORCHRUN, "the launcher", EPOCH, "kill"),
]


@pytest.mark.parametrize("harm", TRIALS, ids=", ".join)
def test_who_comes_to_harm_ends_all_soon_and_is_named(framework, package, harm):
    name = next(name for name in FRAMEWORKS if name.lower() == framework)
    trial = Trial(name, *harm)
    if trial not in trials():
        pytest.skip("torchrun is PyTorch's")
    ended = make(trial, Path(sys.executable))
    assert ended.good(trial), ended
    if trial.what != "the launcher":
        line = rf"shared.running.workers: error: {trial.what} \(of 2, counted from 0\) {SAID[trial.how]}"
        assert re.fullmatch(line, ended.said), ended.said


def test_without_a_launcher_it_says_how_it_is_started(package, framework, tmp_path):
    run = run_program("-m", package, "--engine", "workers", *SMALL, "--out", tmp_path / "out")
    launch_command = next(entry.launch for entry in IMPLEMENTATIONS.values() if entry.key == framework)
    told = f"--engine workers: no launcher has started this process; start all with: {launch_command}"
    assert (run.returncode, run.stderr, run.stdout) == (2, f"{package}: error: {told}\n", "")
    assert launch_command.endswith(f"-m {package} --engine workers")


def test_another_number_than_was_asked_for_is_refused(package, tmp_path):
    run = launch(1, "-m", package, "--workers", "2", *SMALL, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "--workers 2: the launcher has started 1; leave out --workers, or let it start 2" in run.stderr


@pytest.mark.parametrize("name", ["Reference", *FRAMEWORKS])
def test_what_no_workers_can_train_is_refused_before_anything_is_imported(name):
    configuration = Configuration.of(engine="workers", keras_defaults=("loss",))
    if name == "PyTorch":  # which keeps none of Keras's defaults
        return check_engine(configuration, name)
    words = {"Reference": "the reference has no such engine", "TensorFlow": "it adds up losses of logits"}[name]
    with pytest.raises(InputError, match=f"^--engine workers.*{words}; use --engine auto or eager$"):
        check_engine(configuration, name)
    assert Training().keras_defaults == ()
    return None
