"""The outline of a run, driven with the referee, against the same training written out flat."""

import numpy as np
import pytest

from shared import batches, metrics, record, referee, runner, seeding
from shared.errors import InputError
from shared.normalisation import normalise
from shared.record import read_run
from shared.spec import Spec
from shared.weights import initial_weights

# 60,000 = 15 × 3,840 + 2,400: the last batch is short.
SPEC = Spec(epochs=2, batch_size=3_840, hidden_sizes=(6, 5), seed=3, dtype="float64")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    options = [*SPEC.options(), "--out", str(folder), "--activations-until", "18"]
    assert runner.main("Referee", "referee", referee.load, options) == 0
    return read_run(folder)


@pytest.fixture(scope="module")
def flat():
    """The whole training in one screen, with nothing of the runner in it."""
    train, test = referee.read("train"), referee.read("test")
    inputs, test_inputs = (normalise(split.images, np.dtype("float64")) for split in (train, test))
    model = dict(initial_weights(SPEC))
    weights_before, fc1_before, losses, logits = [], [], [], []
    for epoch in range(2):
        order = batches.epoch_order(3, epoch)
        for start in range(0, 60_000, 3_840):
            batch = order[start : start + 3_840]
            weights_before.append({name: values.copy() for name, values in model.items()})
            fc1_before.append(referee.forward(model, inputs[batch[:1024]])[0])
            loss, gradients, _ = referee.backward(model, inputs[batch], train.labels[batch])
            losses.append(loss)
            model = {name: values - 0.01 * gradients[name] for name, values in model.items()}
        logits.append(referee.forward(model, test_inputs)[-1])
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
    assert run.record.order_fingerprints == [batches.fingerprint(batches.epoch_order(3, epoch)) for epoch in (0, 1)]
    assert run.record.schema_version == record.SCHEMA


def test_keras_habits_are_tensorflows_alone(tmp_path):
    spec = SPEC.model_copy(update={"epochs": 1, "keras_habits": ("kernels", "order")})
    made = {}
    for framework in ("PyTorch", "TensorFlow"):  # by name: the referee does the work
        options = [*spec.options(), "--out", str(tmp_path / framework)]
        assert runner.main(framework, "referee", referee.load, options) == 0
        made[framework] = read_run(tmp_path / framework)
    for framework, habits, draw in (("PyTorch", (), seeding.ORDER), ("TensorFlow", ("kernels",), seeding.OTHER_ORDER)):
        for name, values in initial_weights(spec, habits).items():
            np.testing.assert_array_equal(made[framework].at(0, "weights")[name], values)
        order = batches.epoch_order(3, 0, draw)
        assert made[framework].record.order_fingerprints == [batches.fingerprint(order)]


def test_an_engine_is_the_one_asked_for_or_the_frameworks_own_choice():
    some = runner.Implementation(None, None, None, None, train="train", fast="fast", engine="fast")
    assert [some.run_by(engine) for engine in ("auto", "eager", "fast")] == [
        ("fast", "fast"),
        ("eager", "train"),
        ("fast", "fast"),
    ]
    with pytest.raises(InputError, match="--engine fast: the referee has no such engine; use --engine auto or eager"):
        referee.load().run_by("fast")


def test_the_referee_has_no_stock_run(tmp_path, capsys):
    assert runner.main("Referee", "referee", referee.load, ["--mode", "stock", "--out", str(tmp_path / "out")]) == 2
    assert "--mode stock: the referee has no tutorial; use --mode matched" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_starts_from_given_weights_and_goes_on_as_if_never_stopped(run, tmp_path):
    """Weights travel: one epoch, a file, and a second epoch with the second epoch's order would be the same run."""
    options = [*SPEC.model_copy(update={"epochs": 1}).options(), "--out", str(tmp_path / "half")]
    assert runner.main("Referee", "referee", referee.load, options) == 0
    half = read_run(tmp_path / "half")
    for name, values in run.at(16, "weights").items():
        np.testing.assert_array_equal(values, half.weights[name])
    again = [*options[:-1], str(tmp_path / "again"), "--weights", str(tmp_path / "half/weights.safetensors")]
    assert runner.main("Referee", "referee", referee.load, again) == 0
    for name, values in read_run(tmp_path / "again").at(0, "weights").items():
        np.testing.assert_array_equal(values, half.weights[name])
