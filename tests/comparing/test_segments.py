"""Steps taken again from a run's own weights, on small runs of the reference and on what has been done to them."""

import dataclasses

import numpy as np
import pytest

from shared.comparing import verification
from shared.comparing.segments import NEAR_ZERO, TRIES, Segments, sides
from shared.configuration import Configuration
from shared.network import initial_weights
from shared.reference.replay import AllPerturbed, Replay, State, Unit, on, rounding_steppers
from shared.running.record import FEWEST_CHECKPOINT_STEPS, Steps, checkpoints
from shared.training import Training

# The segment that is looked at is the second: steps 1 to 7.
CONFIGURATION = Configuration.of(epochs=1, batch_size=500, hidden_sizes=(6, 5), dtype="float64")
TRAINING = CONFIGURATION.training
END, UNIT = 8, 2


@pytest.fixture(scope="module")
def replay():
    train_set, _ = verification.datasets("float64")
    return Replay(TRAINING, train_set, 1)


def steps_of(start, taken):
    """As much of a record as that segment needs."""
    arrays = {f"at/1/weights/{name}": values for name, values in start.weights.items()}
    arrays |= {f"at/{END}/weights/{name}": values for name, values in taken.end.weights.items()}
    return Steps(TRAINING, 64, arrays | {"step_losses": np.concatenate([[0.0], taken.losses])}, {})


def take(replay, start, taken):
    return Segments(steps_of(start, taken), replay).take(1, END)


@pytest.fixture(scope="module")
def near_zero(replay):
    """A start at which the ReLU of one unit is given zero, but for rounding, for one example of the next step."""
    weights = initial_weights(TRAINING)
    inputs = replay.dataset.inputs[replay.batch(1)]
    row = int(np.argmax(inputs @ weights["fc1.weight"][UNIT]))  # an example whose gradient is felt

    def entering(bias):
        return (inputs @ weights["fc1.weight"].T + bias)[row, UNIT]

    weights["fc1.bias"][UNIT] -= entering(weights["fc1.bias"])
    return State(1, weights, {}), Unit(1, "fc1", row, UNIT)


def test_steps_of_other_rounding_are_found_sound(replay):
    start = State(1, initial_weights(TRAINING), {})
    plain, *others = replay.rounded(start, END)
    for taken in (plain, *others):
        segment = take(replay, start, taken)
        assert segment.share <= 1
        assert not segment.crossings
    assert all((other.end.weights["fc1.weight"] != plain.end.weights["fc1.weight"]).any() for other in others)


def test_every_way_to_round_probes_and_predicts_the_same(replay):
    start = State(0, initial_weights(TRAINING), {})
    batch = replay.batch(0)[:50]
    examples = replay.dataset.inputs[batch], replay.dataset.labels[batch]
    plain, *others = rounding_steppers(TRAINING, start)
    for other in others:
        for name, values in other.probe(*examples).items():
            np.testing.assert_allclose(values, plain.probe(*examples)[name], rtol=0, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(other.predict(examples[0]), plain.predict(examples[0]), rtol=0, atol=1e-13)


def test_float32_is_also_rounded_from_float64():
    training = Training(hidden_sizes=(6, 5))
    *_, wide = rounding_steppers(training, State(0, initial_weights(training), {}))
    assert wide.state.weights["fc1.weight"].dtype == np.float64
    assert len(rounding_steppers(training, State(0, initial_weights(training), {}))) == 4


@pytest.mark.parametrize("draw", [77, 78, 79])
def test_steps_that_only_the_rounding_of_saturated_slopes_explains_are_found_sound(draw):
    """Of a saturated tanh the slope is the rounding of a number near 1, and RMSprop makes steps of it."""
    configuration = CONFIGURATION.but(batch_size=8, activation="tanh", optimizer="rmsprop", dtype="float32")
    training, (train_set, _) = configuration.training, verification.datasets("float32")
    weights = initial_weights(training)
    weights |= {name: 80 * values for name, values in weights.items() if not name.startswith("fc3")}
    start = State(1, weights, {f"square/{name}": np.full_like(values, 1e-16) for name, values in weights.items()})
    replay, stepper = Replay(training, train_set, 1), AllPerturbed(training, start, draw)
    losses = [
        stepper.take(train_set.inputs[batch], train_set.labels[batch]) for batch in map(replay.batch, range(1, END))
    ]
    end = stepper.state
    arrays = {f"at/{s.step}/weights/{name}": values for s in (start, end) for name, values in s.weights.items()}
    arrays |= {f"at/{s.step}/kept/{name}": values for s in (start, end) for name, values in s.kept.items()}
    arrays["step_losses"] = np.array([0, *losses], np.float32)
    assert Segments(Steps(training, 64, arrays, {}), replay).take(1, END).share <= 1


def test_a_relu_on_the_other_side_of_zero_is_found(replay, near_zero):
    start, unit = near_zero
    plain = replay.take(start, END)
    passes = not take(replay, start, plain).crossings and _passes(replay, start, unit)
    other = replay.take(start, END, on({unit: not passes}))
    assert not np.array_equal(other.end.weights["fc1.weight"], plain.end.weights["fc1.weight"])
    segment = take(replay, start, other)
    assert segment.share <= 1
    (crossing,) = segment.crossings
    assert (crossing.unit, crossing.passes) == (unit, not passes)
    assert crossing.example == replay.batch(1)[unit.row]
    assert abs(crossing.ulps) <= NEAR_ZERO
    assert sides(segment.crossings) == {unit: not passes}


def _passes(replay, start, unit):
    seen = {}
    replay.take(start, 2, lambda _step, layer, _entering, slopes: seen.setdefault(layer, slopes))
    return bool(seen[unit.layer][unit.row, unit.unit])


def test_where_all_inputs_are_near_zero_no_more_are_kept_than_are_tried(replay, near_zero):
    """As where training is chaotic: of large batches these are millions."""
    start, _ = near_zero
    taken = replay.take(start, END)
    end = State(END, {name: values + 1e-9 for name, values in taken.end.weights.items()}, {})
    segments = Segments(steps_of(start, dataclasses.replace(taken, end=end)), replay)
    found = segments._near_zero(start, taken, [], 1e16)
    assert len(found) == TRIES
    assert found == sorted(found, key=lambda crossing: abs(crossing.ulps))
    first = found[0]
    assert first.unit not in {crossing.unit for crossing in segments._near_zero(start, taken, [first], 1e16)}
    inputs = []
    replay.take(start, END, lambda _step, _layer, entering, slopes: inputs.append(np.abs(entering).ravel()) or slopes)
    assert abs(first.value) == np.concatenate(inputs).min()


def test_a_relu_that_is_far_from_zero_has_no_other_side(replay):
    start = State(1, initial_weights(TRAINING), {})
    seen = {}

    def sees(step, layer, entering, slopes):
        seen[layer] = entering, slopes
        return slopes

    replay.take(start, 2, sees)
    entering, slopes = seen["fc1"]
    row = int(np.abs(entering[:, UNIT]).argmax())
    other = replay.take(start, END, on({Unit(1, "fc1", row, UNIT): not slopes[row, UNIT]}))
    segment = take(replay, start, other)
    assert segment.share > 1
    assert not segment.crossings


@pytest.mark.parametrize("tensor", ["fc1.weight", "fc2.bias", "fc3.weight"])
def test_a_weight_that_the_steps_do_not_lead_to_is_named(replay, tensor):
    start = State(1, initial_weights(TRAINING), {})
    taken = replay.take(start, END)
    taken.end.weights[tensor].flat[3] += 100 * np.spacing(np.abs(taken.end.weights[tensor]).max())
    segment = take(replay, start, taken)
    assert (segment.worst, segment.first_loss) == (tensor, None)
    assert segment.share > 1


def test_a_loss_that_the_steps_do_not_have_is_named_with_its_step(replay):
    start = State(1, initial_weights(TRAINING), {})
    taken = replay.take(start, END)
    taken.losses[1] += 1e-12
    segment = take(replay, start, taken)
    assert (segment.worst, segment.first_loss) == ("losses", 2)
    assert segment.share > 1


def test_what_is_a_share_of_the_update_or_of_the_weights_is_measured(replay):
    start = State(1, initial_weights(TRAINING), {})
    taken = replay.take(start, END)
    longer = {n: w + 1e-9 * (w - start.weights[n]) for n, w in taken.end.weights.items()}
    shrunk = {n: w - 1e-9 * start.weights[n] for n, w in taken.end.weights.items()}
    segment = take(replay, start, dataclasses.replace(taken, end=State(END, longer, {})))
    assert segment.of_update["fc1.weight"] == pytest.approx(1e-9, rel=1e-3)
    segment = take(replay, start, dataclasses.replace(taken, end=State(END, shrunk, {})))
    assert segment.of_weights["fc1.weight"] == pytest.approx(-1e-9, rel=1e-3)
    # Nothing but rounding is left of either.
    assert np.abs(segment.left["fc1.weight"]).max() < 1e-16


def test_checkpoints_begin_close_together_and_again_with_each_epoch():
    assert checkpoints(Training(epochs=2), 64)[:5] == [0, 1, 8, 64, 128]
    assert {938, 1002} <= set(checkpoints(Training(epochs=2), 64))
    assert checkpoints(Training(), None) == []
    # A compiled engine that takes eight steps at once takes them from the same steps on.
    closer = set(checkpoints(Training(), FEWEST_CHECKPOINT_STEPS))
    assert set(checkpoints(Training(), 64)) <= closer
    # A network so large that each checkpoint takes a gigabyte has few.
    assert len(checkpoints(Training(hidden_sizes=(16_384, 16_384), epochs=1), 64)) < 10
