"""Which runs are made, and which records are taken for theirs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.comparing.processes import Children, find_interpreter
from shared.comparing.runs import Variant, Watcher, make_runs, read_made, rounding_variants
from shared.comparing.runs import _options as command_line
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, REFERENCE
from shared.network import initial_weights
from shared.reference.__main__ import load
from shared.running import runner
from shared.running.record import read_run
from shared.running.weights_file import load_weights
from shared.system import cache, machine, trace
from shared.system.errors import InputError
from shared.system.files import read_safetensors
from tests import stand_in

CONFIGURATION = Configuration.of(epochs=1, batch_size=6_000, hidden_sizes=(6, 5), device="cpu")
PLAIN = Variant(REFERENCE, "float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in (PLAIN.folder, "reference-float64", "pytorch-float32"):
        assert runner.main(REFERENCE, load, [*CONFIGURATION.options(), "--out", str(folder / name)]) == 0
    return folder


def test_a_record_of_the_run_is_read(folder):
    assert read_made(PLAIN, CONFIGURATION, folder).record.configuration == CONFIGURATION


def test_a_stale_record_is_refused(folder):
    stale = CONFIGURATION.but(learning_rate=0.02)
    for variant, configuration in (
        (PLAIN, stale),
        (Variant(REFERENCE, "float64"), CONFIGURATION.but(dtype="float64")),
    ):
        with pytest.raises(InputError, match=r"is a record of another run than Reference float(32|64); run again"):
            read_made(variant, configuration, folder)


def test_a_record_of_another_framework_is_refused(folder):
    with pytest.raises(InputError, match="is a record of another run than PyTorch float32"):
        read_made(Variant("PyTorch", "float32"), CONFIGURATION, folder)


def test_a_missing_record_is_refused(folder):
    with pytest.raises(InputError, match="is not a whole record"):
        read_made(Variant(REFERENCE, "float32", perturbed=True), CONFIGURATION, folder)


def test_rounding_variants_differ_from_the_plain_run_by_rounding_alone(tmp_path):
    assert [v.name for v in rounding_variants("PyTorch", "float32")] == ["PyTorch float64", "PyTorch float32 perturbed"]
    assert [v.name for v in rounding_variants("PyTorch", "float64")] == ["PyTorch float64 perturbed"]
    variants = [PLAIN, *rounding_variants(REFERENCE, "float32")]
    made = make_runs(CONFIGURATION, variants, {}, tmp_path / "runs", watcher=Watcher())
    assert [run.record.training.dtype for run in made.values()] == ["float32", "float64", "float32", "float32"]
    losses = [run.step_losses.astype("float64") for run in made.values()]
    for other in losses[1:]:
        assert 0 < abs(losses[0] - other).max() < 1e-5


def test_a_perturbed_run_starts_one_unit_from_where_its_framework_does(tmp_path):
    configuration = CONFIGURATION.but(keras_defaults=("kernels", "biases"))
    starts = {}
    for framework, defaults in (
        ("PyTorch", ()),
        ("TensorFlow", configuration.training.keras_defaults),
        (REFERENCE, ()),
    ):
        words = command_line(Variant(framework, "float32", perturbed=True), configuration, tmp_path)
        starts[framework] = load_weights(Path(words[words.index("--weights") + 1]), configuration.training)
        own = initial_weights(configuration.training, defaults)
        for name, values in starts[framework].items():
            up = values > own[name]
            there = np.nextafter(own[name], np.where(up, np.inf, -np.inf).astype(np.float32))
            np.testing.assert_array_equal(values, there)
            assert up.any()
            assert not up.all()
    assert not np.array_equal(starts["PyTorch"]["fc1.weight"], starts["TensorFlow"]["fc1.weight"])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.kill(os.getpid(), 9)", "X was killed by signal 9; its last words: none; was memory short?"),
        ("raise MemoryError('no room')", "X ended with status 1; its last words: MemoryError: no room; run again"),
        ("import sys; sys.exit(7)", "X ended with status 7; its last words: none; run again"),
    ],
)
def test_a_child_that_dies_is_reported_with_its_last_words(code, message):
    with Children() as children, pytest.raises(InputError) as error:
        children.start("X", [sys.executable, "-c", code], lambda _event: None).finish()
    assert str(error.value) == message


def test_no_child_outlives_the_block_and_none_starts_after_it():
    with Children() as children:
        child = children.start("X", [sys.executable, "-c", "import time; time.sleep(60)"], lambda _event: None)
    with pytest.raises(InputError, match=r"was killed by signal 15|ended with status"):
        child.finish()
    with pytest.raises(InputError, match="was not started"):
        children.start("Y", [sys.executable, "-c", ""], lambda _event: None)


def test_an_interrupt_while_a_child_starts_leaves_no_child(monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt), Children() as children:
        children.start("X", [sys.executable, "-c", "import time; time.sleep(60)"], lambda _event: None)
    assert [process.returncode for process in started] == [-signal.SIGTERM]


def test_a_child_hands_over_each_epoch_as_it_ends(tmp_path):
    handed_over = []

    def hears(event):
        if "epoch_arrays" in event:
            handed_over.append(read_safetensors(Path(event["epoch_arrays"])))

    configuration = CONFIGURATION.but(epochs=2, optimizer="momentum")
    command = [sys.executable, "-m", "shared.reference", *configuration.options(), "--checkpoints", "8"]
    with Children() as children:
        child = children.start("X", [*command, "--out", str(tmp_path / "out")], hears)
        child.take_turn()
        child.finish()
    run = read_run(tmp_path / "out")
    first, second = handed_over
    assert set(first) & set(second) == {"step_losses"}
    losses = np.concatenate([first["step_losses"], second["step_losses"]])
    handed = first | second | {"step_losses": losses}
    assert handed.keys() == run.arrays.keys() - {"test_logits"}
    for name, values in handed.items():
        np.testing.assert_array_equal(values, run.arrays[name])


def test_the_interpreter_named_is_the_one_used():
    with pytest.raises(InputError, match=r"--pytorch-python /no/such: No such file or directory; run 'make setup'"):
        find_interpreter("PyTorch", Path("/no/such"))


@pytest.mark.skipif(machine.cores() < 2, reason="on one core nothing is beside anything")
def test_the_reference_takes_the_spare_core_when_the_next_framework_is_ready(monkeypatch, tmp_path):
    monkeypatch.setenv(trace.VARIABLE, str(tmp_path / "trace"))
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "empty"))
    cache.folder.cache_clear()
    _, python, *_ = stand_in.interpreters(tmp_path)
    threads = machine.cores() - 1
    configuration = CONFIGURATION.but(threads=threads)
    variants = [Variant(name, "float32") for name in (*FRAMEWORKS, REFERENCE)]
    pythons = dict.fromkeys(FRAMEWORKS, Path(python))
    try:
        made = make_runs(configuration, variants, pythons, tmp_path / "runs", watcher=Watcher())
    finally:
        cache.folder.cache_clear()
    assert list(made) == variants
    spans = [json.loads(line) for line in (tmp_path / "trace").read_text(encoding="utf-8").splitlines()]
    of_frameworks = [span for span in spans if span["program"] == "tests.stand_in"]
    ready = min(span["began"] for span in of_frameworks if span["what"] == "waiting for its turn")
    assert min(span["began"] for span in spans if span["program"] == "shared.reference") >= ready
