"""The outline of a run, driven with the reference, against the same training written out flat."""

import numpy as np
import pytest

from shared import metrics, random_numbers
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS, Implementation, check_engine
from shared.network import initial_weights
from shared.normalisation import normalise
from shared.reference import data
from shared.reference.__main__ import load
from shared.reference.model import build
from shared.running import batches, record, runner
from shared.running.record import read_run

# 60,000 = 15 × 3,840 + 2,400: the last batch is short.
CONFIGURATION = Configuration.of(epochs=2, batch_size=3_840, hidden_sizes=(6, 5), seed=3, dtype="float64")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    options = [*CONFIGURATION.options(), "--out", str(folder), "--activations-until", "18"]
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
    weights_before, fc1_before, losses, logits = [], [], [], []
    for epoch in range(2):
        order = batches.epoch_order(3, epoch)
        for start in range(0, 60_000, 3_840):
            batch = order[start : start + 3_840]
            weights_before.append({name: values.copy() for name, values in model.items()})
            fc1_before.append(next(built(model).outputs(inputs[batch[:1024]])))
            loss, gradients, _ = built(model).backward(inputs[batch], train.labels[batch])
            losses.append(loss)
            model = {name: values - 0.01 * gradients[name] for name, values in model.items()}
        logits.append([*built(model).outputs(test_inputs)][-1])
    weights_before.append(model)
    return weights_before, fc1_before, np.array(losses), logits, test.labels


def test_takes_every_step_of_every_epoch_in_order(run, flat):
    np.testing.assert_array_equal(run.step_losses, flat[2])
    assert len(run.step_losses) == 32


def test_records_the_weights_before_the_steps_it_promises_and_at_the_end(run, flat):
    for step in (0, 1, 10, 16):
        for name, values in run.at(step, "weights").items():
            np.testing.assert_array_equal(values, flat[0][step][name])
    for name, values in run.weights.items():
        np.testing.assert_array_equal(values, flat[0][-1][name])


def test_records_activations_before_each_step_asked_for(run, flat):
    for step in range(18):
        np.testing.assert_array_equal(run.at(step)["fc1"], flat[1][step])
    assert run.at(18) == {}


def test_evaluates_after_each_epoch_at_fixed_weights(run, flat):
    *_, losses, logits, labels = flat
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
        ["--activations-until", "3"],
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


@pytest.mark.parametrize("words", [["--weights", "x"], ["--activations-until", "3"]])
def test_a_stock_run_takes_nothing_that_it_would_ignore(words, capsys):
    assert refusal(["--mode", "stock", *words], capsys, "PyTorch").startswith(f"--mode stock takes no {words[0]}: ")


@pytest.mark.parametrize("text", ["٣", "1_0", " 5 ", "-1", "2.0", ""])
def test_a_number_of_steps_is_plainly_written(text, capsys):
    said = refusal([f"--activations-until={text}"], capsys)
    assert said.startswith(f"argument --activations-until: {text!r} is not a number of steps from 0 on; ")


@pytest.mark.parametrize(
    "changes", [{"optimizer": "adam"}, {"schedule": "step"}, {"weight_decay": 0.5}, {"clip_norm": 1.0}]
)
def test_a_fast_engine_is_refused_at_once_where_it_lacks_the_update(changes, capsys):
    name, value = next(iter(changes.items()))
    words = Configuration.of(engine="fast", **changes).options()
    told = f"--engine fast with --{name.replace('_', '-')} {value}: in PyTorch it takes steps of plain SGD only; use"
    assert refusal(words, capsys, "PyTorch").startswith(told)
    check_engine(Configuration.of(engine="fast", **changes), "TensorFlow")  # whose fast engine takes all


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
