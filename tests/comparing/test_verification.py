"""What is derived again of a run: on small runs of the reference, sound ones, altered ones, and ones gone wrong."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import shared.reference.train
from shared.comparing import runs as runs_of_a_comparison
from shared.comparing import verification, verifying
from shared.comparing.runs import Variant, Watcher
from shared.comparing.segments import Segments
from shared.comparing.verification import EVERY_STEP, Taking, verify
from shared.configuration import Configuration
from shared.reference import optimizers
from shared.reference.__main__ import load
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import runner
from shared.running.record import Steps, read_run
from shared.system.files import save_tensors

# 240 steps, in segments of at most 8.
CONFIGURATION = Configuration.of(epochs=2, batch_size=500, hidden_sizes=(6, 5), optimizer="momentum")
TAKE = Segments.take


def made(folder, how=load, configuration=CONFIGURATION, checkpoints="8"):
    options = [*configuration.options(), "--checkpoints", checkpoints, "--out", str(folder)]
    assert runner.main("Reference", how, options) == 0
    return read_run(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The reference plainly, and with reordered sums: a run that differs by rounding alone."""
    folder = tmp_path_factory.mktemp("runs")
    return {"plain": made(folder / "plain"), "reordered": made(folder / "reordered", load_reordered)}


def found_in(run):
    with ThreadPoolExecutor(1) as executor:
        return verify(run, executor)


def changed(run, name, change):
    """A copy of a run in which `change` was applied to a copy of one of its arrays."""
    where = "weights" if name in run.weights else "arrays"
    arrays = dict(getattr(run, where))
    arrays[name] = arrays[name].copy()
    change(arrays[name])
    return dataclasses.replace(run, **{where: arrays})


@pytest.mark.parametrize("name", ["plain", "reordered"])
def test_a_sound_run_is_verified(runs, name):
    found = found_in(runs[name])
    assert not found.reasons
    assert list(found.checks) == [
        "data on the device", "order of the examples", "initial weights", "first step", "every step",
        "size of the updates", "decay of the weights", "direction of what is left", "mean of the losses", "test logits",
        "figures of the epochs",
    ]  # fmt: skip
    assert sum(segment.until - segment.first for segment in found.segments) == CONFIGURATION.training.steps
    assert 0 < found.smallest["rate"] < 2e-6
    assert 0 < found.smallest["decay"] < 1e-4


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("at/0/input", "first step"),
        ("at/0/fc2", "first step"),
        ("at/0/logits", "first step"),
        ("at/0/loss", "first step"),
        ("at/0/gradient/fc2.bias", "first step"),
        ("at/64/weights/fc1.weight", "every step"),
        ("at/120/kept/mean/fc3.weight", "every step"),
        ("fc2.weight", "every step"),
        ("step_losses", "every step"),
        ("test_logits", "test logits"),
    ],
)
def test_one_number_altered_by_some_units_is_named(runs, name, check):
    def alter(values):
        values.flat[values.size // 3] += 100 * np.spacing(np.abs(values).max())

    found = found_in(changed(runs["plain"], name, alter))
    assert any(not finding.passes for finding in found.checks[check])
    last = name.rpartition("/")[2].replace("step_losses", "losses").replace("test_logits", "test logits")
    assert any(last in reason for reason in found.reasons)


def test_initial_weights_must_be_the_very_same(runs):
    def alter(values):
        values[0] = np.nextafter(values[0], np.float32(1))

    (reason, *_) = found_in(changed(runs["plain"], "at/0/weights/fc1.bias", alter)).reasons
    assert reason == "Reference starts from other weights than its configuration's: fc1.bias differs"


def test_initial_buffers_must_be_the_very_same(runs):
    def alter(values):
        values += np.float32(0.1)  # as Keras's Adagrad starts

    found = found_in(changed(runs["plain"], "at/0/kept/mean/fc2.weight", alter))
    assert found.reasons[0] == (
        "Reference's optimizer starts from other buffers than its configuration's: mean/fc2.weight differs"
    )


@pytest.mark.parametrize("figure", ["train_loss", "train_loss_per_example", "test_loss", "test_accuracy"])
def test_a_figure_that_the_record_does_not_make_is_named(runs, figure):
    first, second = runs["plain"].record.epochs
    second = second.model_copy(update={figure: getattr(second, figure) + 1e-4})
    run = with_record(runs["plain"], epochs=[first, second])
    (reason,) = found_in(run).reasons
    assert reason.startswith(f"Reference's {figure} of epoch 2 is ")


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"data_checksum": {"train": "x"}}, "Reference holds other train inputs or labels on its device"),
        ({"order_checksums": ["x", "y"]}, "Reference saw the examples of epoch 1 in another order"),
    ],
)
def test_other_data_and_another_order_are_named(runs, update, reason):
    assert found_in(with_record(runs["plain"], **update)).reasons[0].startswith(reason)


def with_record(run, **update):
    return dataclasses.replace(run, record=run.record.model_copy(update=update))


def at_step(number, change):
    """A `train_step` that does `change(model, optimizer, inputs, labels)` in place of one step; steps count from 0."""
    real, count = shared.reference.train.train_step, iter(range(10**6))

    def train_step(model, optimizer, inputs, labels):
        wrong = next(count) == number
        return change(real, model, optimizer, inputs, labels) if wrong else real(model, optimizer, inputs, labels)

    return train_step


def ignores_an_example(real, model, optimizer, inputs, labels):
    loss = model.backward(inputs, labels)[0]
    real(model, optimizer, inputs[1:], labels[1:])
    return loss


def leaves_a_bias_alone(real, model, optimizer, inputs, labels):
    before = model.parameters["fc2.bias"].copy()
    loss = real(model, optimizer, inputs, labels)
    model.parameters["fc2.bias"][...] = before
    return loss


def forgets_the_momentum(real, model, optimizer, inputs, labels):
    for kept in optimizer.kept.values():
        kept.mean[...] = 0
    return real(model, optimizer, inputs, labels)


def tells_the_loss_after(real, model, optimizer, inputs, labels):
    real(model, optimizer, inputs, labels)
    return model.backward(inputs, labels)[0]


@pytest.mark.parametrize(
    "change", [ignores_an_example, leaves_a_bias_alone, forgets_the_momentum, tells_the_loss_after]
)
@pytest.mark.parametrize("step", [9, 123, 239])
def test_one_wrong_step_is_found_where_it_is(monkeypatch, tmp_path, change, step):
    monkeypatch.setattr(shared.reference.train, "train_step", at_step(step, change))
    run = made(tmp_path / "wrong")
    monkeypatch.undo()
    found = found_in(run)
    wrong = [segment for segment in found.segments if segment.share > 1]
    assert [segment.first <= step < segment.until for segment in wrong] == [True]
    steps = f"steps {wrong[0].first} to {wrong[0].until - 1}"
    assert f"{steps} are not what its weights before them lead to" in found.reasons[0]


def pushed_one_way(gradient, _weights):
    return gradient + np.random.default_rng(len(gradient)).normal(0, 2e-8, gradient.shape).astype(gradient.dtype)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda gradient, _weights: gradient * np.float32(1 + 3e-6), "size of the updates"),
        (lambda gradient, weights: gradient + np.float32(1e-6) * weights, "decay of the weights"),
        (pushed_one_way, "direction of what is left"),
    ],
)
def test_what_is_too_small_for_any_step_is_seen_over_all(monkeypatch, tmp_path, change, check):
    real = optimizers.Optimizer.apply

    def apply(self, weights, gradients):
        real(self, weights, {name: change(gradient, weights[name]) for name, gradient in gradients.items()})

    monkeypatch.setattr(optimizers.Optimizer, "apply", apply)
    run = made(tmp_path / "wrong", configuration=CONFIGURATION.but(optimizer="sgd"))
    monkeypatch.undo()
    found = found_in(run)
    assert any(not finding.passes for finding in found.checks[check]), found.reasons
    assert all(finding.passes for finding in found.checks[EVERY_STEP])


def test_losses_that_lie_off_by_little_but_always_are_seen_over_all(runs):
    def raise_all(values):
        values[...] = np.nextafter(values, np.float32(9))

    found = found_in(changed(runs["plain"], "step_losses", raise_all))
    assert all(finding.passes for finding in found.checks[EVERY_STEP])
    assert "Reference's losses lie +1 units in the last place off, on average" in found.reasons[0]


@pytest.mark.parametrize(("ulps", "passes"), [(9, True), (-9, True), (150, False)])
def test_losses_of_a_large_batch_may_lie_off_as_far_as_their_sum_is_rounded(tmp_path, ulps, passes):
    """A compiled loop adds 60,000 in 16 lanes, one after the other. NumPy's sum is more exact."""

    def move(values):
        values[1] += ulps * np.spacing(values[1])

    run = made(tmp_path / "run", configuration=CONFIGURATION.but(batch_size=60_000, optimizer="sgd"))
    found = found_in(changed(run, "step_losses", move))
    assert all(finding.passes for finding in found.checks[EVERY_STEP]) == passes


class Fused(optimizers.Optimizer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs | {"fused": True})


@pytest.mark.parametrize("fused", [False, True])
def test_whether_a_decay_of_a_few_units_is_rounded_by_itself_is_the_frameworks_choice(monkeypatch, tmp_path, fused):
    """Rounded by itself, it is rounded the same way in each step. XLA rounds it together with the update alone."""
    if fused:
        monkeypatch.setattr(shared.reference.optimizers, "Optimizer", Fused)
    configuration = CONFIGURATION.but(optimizer="adamw", activation="tanh", learning_rate=1e-4, weight_decay=0.0036)
    run = made(tmp_path / "run", configuration=configuration, checkpoints="16")
    monkeypatch.undo()
    assert not found_in(run).reasons
    monkeypatch.setattr(Segments, "_fused", not fused)
    found = found_in(run)
    assert any(not finding.passes for finding in found.checks["direction of what is left"])


def test_no_more_is_looked_at_than_a_few_segments_that_fail(monkeypatch, tmp_path):
    real = optimizers.Optimizer.apply
    monkeypatch.setattr(
        optimizers.Optimizer,
        "apply",
        lambda self, weights, gradients: real(self, weights, {n: g * np.float32(1.1) for n, g in gradients.items()}),
    )
    run = made(tmp_path / "wrong")
    monkeypatch.undo()
    found = found_in(run)
    assert [segment.share > 1 for segment in found.segments] == [True] * verification.ENOUGH
    assert "size of the updates" not in found.checks


def test_what_must_be_seen_closer_is_run_again_and_must_repeat(monkeypatch, tmp_path, runs):
    """A mistake in step 123 is named with eight steps around it, and not with sixty-four."""
    monkeypatch.setattr(shared.reference.train, "train_step", at_step(123, ignores_an_example))
    name = Variant("PyTorch", "float32")
    wide = as_pytorch(made(tmp_path / name.folder, checkpoints="64"))
    monkeypatch.setattr(shared.reference.train, "train_step", at_step(123, ignores_an_example))
    close = as_pytorch(made(tmp_path / "close"))
    monkeypatch.undo()
    again = [close]
    monkeypatch.setattr(verifying, "make_runs", lambda _c, variants, *_, **__: {variants[0]: again[0]})
    monkeypatch.setattr(verifying, "read_made", lambda *_: wide)

    def reasons():
        with verifying.Verifying(CONFIGURATION, {}, tmp_path, Watcher()) as watcher:
            for variant in (name, Variant("TensorFlow", "float32")):
                watcher.ends(variant)
            return watcher.finish("float32")["PyTorch"].reasons

    assert "PyTorch's steps 120 to 127 are not what" in reasons()[0]
    again[0] = as_pytorch(runs["plain"])
    assert reasons()[0].startswith("PyTorch, run again to see more, gave other numbers")


def parts_of(run):
    """A run as it grows, epoch by epoch, and without its final weights."""
    training = run.record.training
    for epochs in range(1, training.epochs + 1):
        steps = epochs * training.steps_per_epoch
        seen = (name for name in run.arrays if name.startswith("at/") and int(name.split("/")[1]) < steps)
        arrays = {name: run.arrays[name] for name in seen}
        yield Steps(training, run.record.checkpoint_steps, arrays | {"step_losses": run.step_losses[:steps]}, {})


def taken_while_made(run, told=lambda _steps: None):
    taking = Taking(run.record.framework, told)
    with ThreadPoolExecutor(1) as executor:
        for part in parts_of(run):
            taking.go_on(part, executor)
    return taking


def test_a_run_taken_while_it_is_made_is_found_as_it_is_at_its_end(runs, monkeypatch):
    run, told = runs["reordered"], []
    taking = taken_while_made(run, told.append)
    assert told == [segment.until for segment in taking.segments]
    assert told[-1] == run.record.training.steps - 8  # the last ends with the final weights
    taken = []
    monkeypatch.setattr(Segments, "take", lambda self, *ends: taken.append(ends) or TAKE(self, *ends))
    with ThreadPoolExecutor(1) as executor:
        found = verify(run, executor, taking)
    assert taken == [(232, 240)]
    assert found.findings == found_in(run).findings


@pytest.mark.parametrize("name", ["at/64/weights/fc1.weight", "at/120/kept/mean/fc3.weight", "step_losses"])
def test_what_was_taken_of_other_numbers_than_the_record_holds_does_not_count(runs, name):
    taking = taken_while_made(runs["plain"])
    with ThreadPoolExecutor(1) as executor:
        found = verify(changed(runs["plain"], name, lambda values: values.__iadd__(1)), executor, taking)
    assert not all(finding.passes for finding in found.checks[EVERY_STEP])


def test_a_run_that_has_failed_is_not_taken_further(runs):
    def spoil(values):
        values[40:] += 1

    taking = taken_while_made(changed(runs["plain"], "step_losses", spoil))
    assert taking.has_failed
    assert len(taking.segments) == 1 + 40 // 8 + verification.ENOUGH  # steps 0, 1 to 7, and so on


class Hears(Watcher):
    def __init__(self):
        self.heard = []

    def hears(self, *told):
        self.heard.append(told)


def test_an_epoch_is_verified_while_the_run_goes_on_and_its_file_is_removed(runs, tmp_path, monkeypatch):
    name, part = Variant("PyTorch", "float32"), next(parts_of(runs["plain"]))
    monkeypatch.setattr(runs_of_a_comparison, "CHECKPOINT_STEPS", 8)
    for spare in (True, False):
        files = [tmp_path / f"{spare}-{number}" for number in range(3)]
        save_tensors(files[0], part.arrays)
        files[1].write_bytes(b"half")
        watcher = Hears()
        with verifying.Verifying(CONFIGURATION, {}, tmp_path, watcher, core_to_spare=spare) as verifier:
            for file in files:
                verifier.hears(name, {"epoch_arrays": str(file)})
                assert not file.exists()
            verifier._queue.submit(lambda: None).result()
        last = (dataclasses.replace(name, verified=True), {"doing": "Steps", "done": 112, "total": 240})
        assert watcher.heard[-1:] == ([last] if spare else [])


def as_pytorch(run):
    return with_record(run, framework="PyTorch")


def test_an_epoch_that_is_missing_ends_what_is_taken_early_and_no_more(runs, tmp_path, monkeypatch):
    name, (first, both) = Variant("PyTorch", "float32"), list(parts_of(runs["plain"]))
    monkeypatch.setattr(runs_of_a_comparison, "CHECKPOINT_STEPS", 8)
    losses = both.step_losses[len(first.step_losses) :]
    second = {n: a for n, a in both.arrays.items() if n not in first.arrays} | {"step_losses": losses}
    watcher = Hears()
    with verifying.Verifying(CONFIGURATION, {}, tmp_path, watcher, core_to_spare=True) as verifier:
        save_tensors(tmp_path / "second", second)
        verifier.hears(name, {"epoch_arrays": str(tmp_path / "second")})
        verifier._queue.submit(lambda: None).result()
        assert [part.exception() for part in verifier._parts[name]] == [None]
    assert watcher.heard == []


def test_a_run_is_verified_while_epochs_of_the_next_wait(runs, tmp_path, monkeypatch):
    part, go_on = next(parts_of(runs["plain"])), threading.Event()
    monkeypatch.setattr(verifying, "read_made", lambda *_: as_pytorch(runs["plain"]))
    with verifying.Verifying(CONFIGURATION, {}, tmp_path, Watcher(), core_to_spare=True) as verifier:
        verifier._queue.submit(go_on.wait)
        for name in (Variant("PyTorch", "float32"), Variant("TensorFlow", "float32")):
            save_tensors(tmp_path / "part", part.arrays)
            verifier.hears(name, {"epoch_arrays": str(tmp_path / "part")})
            verifier.ends(name)
        go_on.set()
        assert verifier._runs[Variant("PyTorch", "float32")].result(timeout=60)


def test_a_run_that_is_not_finite_is_not_verified_and_ends_nothing(monkeypatch, tmp_path, runs):
    def spoil(values):
        values[7:] = np.nan

    monkeypatch.setattr(verifying, "read_made", lambda *_: changed(runs["plain"], "step_losses", spoil))
    with verifying.Verifying(CONFIGURATION, {}, tmp_path, Watcher()) as watcher:
        for framework in ("PyTorch", "TensorFlow"):
            watcher.ends(Variant(framework, "float32"))
        assert watcher.finish("float32") == {}


def test_every_step_of_an_activation_with_slopes_is_verified(tmp_path):
    run = made(tmp_path / "tanh", load_reordered, CONFIGURATION.but(activation="tanh", optimizer="adam"))
    found = found_in(run)
    assert not found.reasons
    assert found.crossings == 0
    assert EVERY_STEP in found.checks
