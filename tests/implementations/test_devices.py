"""On a machine with a GPU, nothing is left on the CPU: of PyTorch seen in fake tensors, of TensorFlow on a second CPU.

Neither shows that a real GPU computes right. `make gpu-check` does, where there is one.
"""

import dataclasses
import functools
import importlib
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest

from shared.network import initial_weights
from shared.running import batches, runner
from shared.running.record import read_run
from shared.training import Training
from tests.conftest import run_program
from tests.small_runs import unwatched

# 16 steps: two calls of PyTorch's compiled eight, and the last batch is short.
SHORT = ["--epochs", "1", "--batch-size", "3900", "--hidden-sizes", "16,8", "--checkpoints"]
# What a host does to tensors on the CPU: move them, look at them, put them together. None of it is arithmetic.
OF_THE_HOST = {"_to_copy", "to", "lift_fresh", "detach", "alias", "view", "select", "unbind", "cat", "stack"}


@pytest.fixture
def gpu(framework):
    if framework != "pytorch":
        pytest.skip("fake tensors are PyTorch's")
    return importlib.import_module("tests.fake_gpu")


@pytest.fixture
def on_a_gpu(gpu, implementation, monkeypatch):
    """Runs the whole program on a fake GPU, and tells what was computed where: (name, type of the device)."""

    def run(folder, *options):
        with gpu.machine(monkeypatch) as seen:
            load = functools.partial(host_reads, implementation, gpu.unset_fake_temporarily, seen.clear)
            assert runner.main("PyTorch", load, [*options, "--device", "cuda", "--out", str(folder)]) == 0
        return set(seen)

    return run


def host_reads(implementation, outside, before_training):
    """The implementation, with its files read `outside` of whatever stands in for a GPU."""

    def read(split):
        with outside():
            return implementation.data.read(split)

    def train(*arguments):
        before_training()
        implementation.train.train(*arguments)

    data = SimpleNamespace(**vars(implementation.data) | {"read": read})
    training = SimpleNamespace(**vars(implementation.train) | {"train": train})
    return dataclasses.replace(implementation, data=data, train=training)


ALL_AT_ONCE = ["--optimizer", "adam", "--clip-norm", "1", "--weight-decay", "0.1", "--schedule", "cosine"]
WAYS = [
    ["--engine", "eager"],
    ["--engine", "fast"],
    ALL_AT_ONCE,
    ["--optimizer", "rmsprop"],
    ["--optimizer", "adagrad"],
]


@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_pytorch_trains_evaluates_and_looks_at_what_is_on_the_gpu_alone(on_a_gpu, tmp_path, options):
    seen = on_a_gpu(tmp_path / "out", *SHORT, *options)
    assert {("addmm", "cuda"), ("index_select", "cuda"), ("nll_loss_backward", "cuda")} <= seen
    assert {name for name, place in seen if place != "cuda"} <= OF_THE_HOST
    record = read_run(tmp_path / "out").record
    assert (record.device.type, record.device.cuda_available, record.checkpoint_steps) == ("cuda", True, 64)


def test_pytorchs_tutorial_trains_on_the_gpu(on_a_gpu, gpu, implementation, monkeypatch, tmp_path):
    def load(_split, training):
        images, labels = np.zeros((training.batch_size, 1, 28, 28), np.float32), np.zeros(training.batch_size, np.int64)
        return [(torch.from_numpy(images), torch.from_numpy(labels))] * 3

    torch = gpu.torch
    monkeypatch.setattr(implementation.stock, "load", load)
    seen = on_a_gpu(tmp_path / "out", "--mode", "stock", "--epochs", "2")
    assert {place for name, place in seen if name in ("addmm", "mm", "nll_loss_backward")} == {"cuda"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pytorchs_steps_as_a_graph_are_its_eager_steps_bit_for_bit(gpu, implementation, device, monkeypatch, dtype):
    """The graph is played by a CPU, and takes effect only when it is replayed, as on a GPU."""
    gpu.graphs(monkeypatch)
    monkeypatch.setattr(implementation.fast, "many_steps", functools.lru_cache(implementation.fast._capture))
    training, steps = Training(dtype=dtype), batches.split(np.arange(25 * 64 + 17), 64)
    dataset = implementation.data.to_dataset(implementation.data.read("test"), training, device)
    found = []
    for engine in (implementation.train, implementation.fast):
        model = implementation.model.build(training, initial_weights(training), device)
        optimizer = implementation.optimizers.make_optimizer(training, model)
        engine.warm_up(training, model, optimizer, dataset)
        losses = engine.train_epoch(model, optimizer, dataset, steps, unwatched(steps))
        found.append({"losses": losses} | implementation.model.weights(model))
    assert len(np.unique(found[0]["losses"])) == len(steps)
    for name, values in found[0].items():
        np.testing.assert_array_equal(found[1][name], values, strict=True)


# How TensorFlow tells of an operation, of one by itself and of one in a graph, where it is placed.
PLACED = re.compile(
    r"Executing op (\S+) in device \S+(CPU:\d)$|placer\.cc:\d+\] \S+: \((\S+)\): \S+(CPU:\d)$", re.MULTILINE
)


@pytest.mark.parametrize(
    "options", [["--engine", "fast"], ["--engine", "eager", *ALL_AT_ONCE], ["--mode", "stock"]], ids=" ".join
)
def test_tensorflow_places_every_operation_on_the_device(framework, tmp_path, options):
    if framework != "tensorflow":
        pytest.skip("PyTorch places nothing by itself")
    short = SHORT if "stock" not in options else ["--epochs", "1"]
    told = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    run = run_program("-m", "tests.second_device", *short, *options, "--out", tmp_path / "out", env=told)
    assert run.returncode == 0, run.stderr[-2000:]
    log = re.sub("^reads files$.*?^has read files$", "", run.stderr, flags=re.DOTALL | re.MULTILINE)
    placed = {(one or other, place or there) for one, place, other, there in PLACED.findall(log)}
    assert {("MatMul", "CPU:1"), ("VarHandleOp", "CPU:1"), ("AssignVariableOp", "CPU:1")} <= placed
    assert any(name.startswith("__inference_") for name, _ in placed)  # a graph as a whole, one that XLA compiled too
    assert {name for name, place in placed if place != "CPU:1"} <= {"_Arg", "_DeviceArg"}  # a graph's, from the host
