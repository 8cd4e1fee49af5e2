"""The outline of a run, driven with the reference, against the same training written out flat."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from shared import metrics, random_numbers
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS, Implementation
from shared.mnist import checksum
from shared.network import initial_weights
from shared.normalisation import normalise
from shared.reference import data, optimizers, train
from shared.reference.__main__ import load
from shared.reference.model import build
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import batches, record, runner
from shared.running.record import read_run

# 60,000 = 15 × 3,840 + 2,400: the last batch is short.
CONFIGURATION = Configuration.of(epochs=2, batch_size=3_840, hidden_sizes=(6, 5), seed=3, dtype="float64")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    options = [*CONFIGURATION.options(), "--out", str(folder), "--checkpoints", "8"]
    assert runner.main("Reference", load, options) == 0
    return read_run(folder)


@pytest.fixture(scope="module")
def flat():
    """The whole training in one screen, with nothing of the runner in it."""

    def built(weights):
        return build(CONFIGURATION.training, weights, "cpu")

    train, test = data.read("train"), data.read("test")
    inputs, test_inputs = (normalise(split.images, np.dtype("float64")) for split in (train, test))
    model = dict(initial_weights(CONFIGURATION.training))
    weights_before, losses, logits = [], [], []
    for epoch in range(2):
        order = batches.epoch_order(3, epoch)
        for start in range(0, 60_000, 3_840):
            batch = order[start : start + 3_840]
            weights_before.append({name: values.copy() for name, values in model.items()})
            loss, gradients, _ = built(model).backward(inputs[batch], train.labels[batch])
            losses.append(loss)
            model = {name: values - 0.01 * gradients[name] for name, values in model.items()}
        logits.append([*built(model).outputs(test_inputs)][-1])
    weights_before.append(model)
    return weights_before, np.array(losses), logits, test.labels


def test_takes_every_step_of_every_epoch_in_order(run, flat):
    np.testing.assert_array_equal(run.step_losses, flat[1])
    assert len(run.step_losses) == 32


def test_records_the_weights_before_the_steps_it_promises_and_at_the_end(run, flat):
    steps = (0, 1, 8, 16, 24)  # as checkpoints, 8 apart; the first of the second epoch is 16
    assert sorted({int(name.split("/")[1]) for name in run.arrays if name.startswith("at/")}) == list(steps)
    for step in steps:
        assert run.at(step, "weights").keys() == run.weights.keys()
        for name, values in run.at(step, "weights").items():
            np.testing.assert_array_equal(values, flat[0][step][name])
    for name, values in run.weights.items():
        np.testing.assert_array_equal(values, flat[0][-1][name])


def test_records_what_the_first_step_computes_and_of_no_other(run, flat):
    training = CONFIGURATION.training
    batch = batches.epoch_order(3, 0)[:1024]
    examples = data.to_dataset(data.read("train"), training, "cpu")
    expected = train.probe(build(training, initial_weights(training), "cpu"), examples, batch)
    found = {name: values for name, values in run.at(0).items() if not name.startswith("weights/")}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert {name.partition("/")[0] for step in (1, 8, 16, 24) for name in run.at(step)} == {"weights"}


@pytest.mark.parametrize("how", [load, load_reordered], ids=["in order", "reordered"])
def test_records_what_the_optimizer_keeps_at_each_checkpoint(how, tmp_path):
    configuration = CONFIGURATION.but(optimizer="momentum", learning_rate=0.01)
    options = [*configuration.options(), "--out", str(tmp_path / "run"), "--checkpoints", "8"]
    assert runner.main("Reference", how, options) == 0
    run = read_run(tmp_path / "run")
    assert run.record.checkpoint_steps == 8
    assert {name: (values == 0).all() for name, values in run.at(0, "kept").items()} == {
        f"mean/{name}": True for name in run.weights
    }
    # Plain momentum: the buffer is the last move, divided by the rate. It was 0 before step 0.
    for name, values in run.at(1, "kept").items():
        weight = name.removeprefix("mean/")
        moved = run.at(0, "weights")[weight] - run.at(1, "weights")[weight]
        np.testing.assert_allclose(values, moved / 0.01, rtol=1e-9, atol=1e-13)
    # And of a checkpoint is what the run goes on from: the steps after it, taken from there alone, are the same.
    inputs, labels = data.to_dataset(data.read("train"), configuration.training, "cpu")
    model = build(configuration.training, run.at(8, "weights"), "cpu")
    optimizer = optimizers.Optimizer(configuration.training, model.parameters, run.at(8, "kept"), 8)
    steps = batches.split(batches.epoch_order(3, 0), 3_840)[8:]
    again = [train.train_step(model, optimizer, inputs[batch], labels[batch]) for batch in steps]
    np.testing.assert_allclose(again, run.step_losses[8:16], rtol=1e-13)
    for name, values in optimizers.buffers(configuration.training, model, optimizer).items():
        np.testing.assert_allclose(run.at(16, "kept")[name], values, rtol=1e-9, atol=1e-13)


def test_a_run_without_checkpoints_leaves_none(tmp_path):
    configuration = CONFIGURATION.but(optimizer="momentum")
    assert runner.main("Reference", load, [*configuration.options(), "--out", str(tmp_path / "run")]) == 0
    run = read_run(tmp_path / "run")
    assert run.record.checkpoint_steps is None
    assert sorted({int(name.split("/")[1]) for name in run.arrays if name.startswith("at/")}) == [0, 1, 8, 16]
    assert not any("/kept/" in name for name in run.arrays)


def test_evaluates_after_each_epoch_at_fixed_weights(run, flat):
    _, losses, logits, labels = flat
    np.testing.assert_array_equal(run.arrays["test_logits"], logits)
    np.testing.assert_array_equal(run.test_logits, logits[-1])
    for epoch, found in enumerate(run.record.epochs):
        own = losses[epoch * 16 : epoch * 16 + 16]
        assert found.train_loss == pytest.approx(sum(own) / 16, rel=1e-14)
        assert found.train_loss_per_example == pytest.approx(
            (sum(own[:15]) * 3_840 + own[15] * 2_400) / 60_000, rel=1e-14
        )
        assert found.test_loss == metrics.cross_entropy(logits[epoch], labels)
        assert found.test_accuracy == np.mean(logits[epoch].argmax(1) == labels)


def test_records_the_order_it_used(run):
    assert run.record.order_checksums == [batches.checksum(batches.epoch_order(3, epoch)) for epoch in (0, 1)]
    assert run.record.schema_version == record.SCHEMA


def test_records_the_checksum_of_what_is_on_the_device(run, tmp_path):
    datasets = {split: data.to_dataset(data.read(split), CONFIGURATION.training, "cpu") for split in ("train", "test")}
    assert run.record.data_checksum == {split: checksum(*dataset) for split, dataset in datasets.items()}

    def alter(dataset):
        dataset.inputs[7, 400] = np.nextafter(dataset.inputs[7, 400], 2)

    def warm_up(_training, _model, _optimizer, train_set):
        """Where one pixel of the set on the device is no longer what was put there."""
        alter(train_set)

    altered = dataclasses.replace(load(), train=SimpleNamespace(**vars(train) | {"warm_up": warm_up}))
    options = [*CONFIGURATION.but(epochs=1).options(), "--out", str(tmp_path / "run")]
    assert runner.main("Reference", lambda: altered, options) == 0
    found = read_run(tmp_path / "run").record.data_checksum
    alter(datasets["train"])
    assert found == {split: checksum(*dataset) for split, dataset in datasets.items()}
    assert found["train"] != run.record.data_checksum["train"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_data_than_mnist_is_refused_before_training(split, tmp_path, capsys):
    def read(asked):
        examples = data.read(asked)
        if asked == split:
            examples.labels[0] = (examples.labels[0] + 1) % 10
        return examples

    altered = SimpleNamespace(read=read, to_dataset=data.to_dataset, to_arrays=data.to_arrays)
    options = [*CONFIGURATION.options(), "--out", str(tmp_path / "run")]
    assert runner.main("Reference", lambda: dataclasses.replace(load(), data=altered), options) == 2
    said = capsys.readouterr()
    assert f"the {split} images or labels have SHA-256" in said.err
    assert "Epoch" not in said.out
    assert not (tmp_path / "run").exists()


def test_keras_defaults_are_tensorflows_alone(tmp_path):
    configuration = CONFIGURATION.but(epochs=1, keras_defaults=("kernels", "order"))
    made = {}
    for framework in ("PyTorch", "TensorFlow"):  # by name: the reference does the work
        options = [*configuration.options(), "--out", str(tmp_path / framework)]
        assert runner.main(framework, load, options) == 0
        made[framework] = read_run(tmp_path / framework)
    for framework, defaults, draw in (
        ("PyTorch", (), random_numbers.ORDER),
        ("TensorFlow", ("kernels",), random_numbers.OTHER_ORDER),
    ):
        for name, values in initial_weights(configuration.training, defaults).items():
            np.testing.assert_array_equal(made[framework].at(0, "weights")[name], values)
        order = batches.epoch_order(3, 0, draw)
        assert made[framework].record.order_checksums == [batches.checksum(order)]


def test_an_engine_is_the_one_asked_for_or_the_frameworks_own_choice():
    some = Implementation(None, None, None, None, train="train", fast="fast")
    assert [some.engine(name) for name in ("eager", "fast")] == ["train", "fast"]
    assert {name: entry.auto for name, entry in IMPLEMENTATIONS.items()} == {
        "PyTorch": "eager",
        "TensorFlow": "fast",
        "Reference": "eager",
    }


def refusal(words, capsys, framework="Reference"):
    """What is said of a command line that is refused at once: there is nothing to load."""
    assert runner.main(framework, None, words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    return said.err.removeprefix(f"{IMPLEMENTATIONS[framework].module}: error: ")


@pytest.mark.parametrize(
    "words",
    [
        ["--epochs", "5"],
        ["--engine", "eager"],
        ["--mode", "stock"],
        ["--out", "x"],
        ["--checkpoints", "64"],
        ["--checkpoints"],
        ["--optimizer", "adam"],
        ["--keras-defaults", "order"],
    ],
)
def test_an_evaluation_takes_no_option_of_the_training(words, capsys):
    told = f"--evaluate takes no {words[0]}: it does not train; leave out {words[0]}\n"
    assert refusal(["--evaluate", *words], capsys) == told


def test_an_evaluation_takes_what_makes_the_weights_and_where_it_runs(tmp_path, capsys):
    configuration = CONFIGURATION.but(epochs=1, seed=3, device="cpu")
    assert runner.main("Reference", load, [*configuration.options(), "--out", str(tmp_path / "out")]) == 0
    trained = capsys.readouterr().out.splitlines()[-1]
    words = ["--seed", "3", "--hidden-sizes", "6,5", "--dtype", "float64", "--device", "cpu", "--threads", "1"]
    words += ["--weights", str(tmp_path / "out/weights.safetensors"), "--evaluate"]
    assert runner.main("Reference", load, words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == trained


@pytest.mark.parametrize("words", [["--weights", "x"], ["--checkpoints", "64"], ["--checkpoints"]])
def test_a_stock_run_takes_nothing_that_it_would_ignore(words, capsys):
    assert refusal(["--mode", "stock", *words], capsys, "PyTorch").startswith(f"--mode stock takes no {words[0]}: ")


@pytest.mark.parametrize("text", ["٣", "٣٢", "1_0", " 9 ", "-1", "20.0", "", "7"])
def test_a_number_of_steps_is_plainly_written(text, capsys):
    said = refusal([f"--checkpoints={text}"], capsys)
    assert said.startswith(f"argument --checkpoints: {text!r} is not a number of steps from 8 on; ")


def test_the_reference_has_no_fast_engine(capsys):
    told = "--engine fast: the reference has no such engine; use --engine auto or eager\n"
    assert refusal(["--engine", "fast"], capsys) == told


def test_the_reference_has_no_stock_run(tmp_path, capsys):
    assert runner.main("Reference", load, ["--mode", "stock", "--out", str(tmp_path / "out")]) == 2
    assert "--mode stock: the reference has no tutorial; use --mode matched" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_starts_from_given_weights_and_goes_on_as_if_never_stopped(run, tmp_path):
    """Weights travel: one epoch, a file, and a second epoch with the second epoch's order would be the same run."""
    options = [*CONFIGURATION.but(epochs=1).options(), "--out", str(tmp_path / "half")]
    assert runner.main("Reference", load, options) == 0
    half = read_run(tmp_path / "half")
    for name, values in run.at(16, "weights").items():
        np.testing.assert_array_equal(values, half.weights[name])
    again = [*options[:-1], str(tmp_path / "again"), "--weights", str(tmp_path / "half/weights.safetensors")]
    assert runner.main("Reference", load, again) == 0
    for name, values in read_run(tmp_path / "again").at(0, "weights").items():
        np.testing.assert_array_equal(values, half.weights[name])
