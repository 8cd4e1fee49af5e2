"""The reference's update rules against numbers worked by hand, and its schedules at known steps."""

import inspect
import math

import numpy as np
import pytest

from shared import update_rules
from shared.network import initial_weights
from shared.reference import data, optimizers, reordered
from shared.reference.__main__ import load
from shared.reference.model import Model
from shared.reference.optimizers import RULES, Optimizer, buffers, make_optimizer
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import batches
from shared.running.schedule import factor
from shared.training import Training
from shared.update_rules import UPDATE_RULES
from tests.small_runs import unwatched

# By two gradients, 3 and -1, each rule's directions, from its definition; epsilon, at most 3e-8 of them, is left out.
DIRECTIONS = {
    "sgd": (3, -1),
    "momentum": (3, 0.9 * 3 - 1),
    "nesterov": (3 + 0.9 * 3, -1 + 0.9 * (0.9 * 3 - 1)),
    # At first the corrected means are the gradient and its square. Then 0.9 × 0.3 - 0.1 = 0.17 over 1 - 0.9², and
    # 0.999 × 0.009 + 0.001 = 0.009991 over 1 - 0.999².
    "adam": (1, 0.17 / 0.19 / math.sqrt(0.009991 / 0.001999)),
    # 0.01 × 9 = 0.09, whose root is 0.3; 0.99 × 0.09 + 0.01 = 0.0991.
    "rmsprop": (3 / 0.3, -1 / math.sqrt(0.0991)),
    "adagrad": (3 / 3, -1 / math.sqrt(9 + 1)),
}
DIRECTIONS["adamw"] = DIRECTIONS["adam"]
# A gradient as large as what its root is once it has gone into the rule's mean, and half the direction is left.
AS_SMALL_AS_EPSILON = {
    "adam": (1e-8, 1 / 2),
    "adamw": (1e-8, 1 / 2),
    "rmsprop": (1e-7, 10 / 2),
    "adagrad": (1e-10, 1 / 2),
}


def moved(training, *gradients, start=2.0):
    """How far one weight that starts from `start` goes in each of these steps."""
    model = {"weight": np.array([start])}
    optimizer = Optimizer(training, model)
    distances = []
    for gradient in gradients:
        before = model["weight"].item()
        optimizer.apply(model, {"weight": np.array([float(gradient)])})
        distances.append(model["weight"].item() - before)
    return distances


def spec_of(optimizer, **changes):
    """Without decay, at a rate that leaves the digits of a direction to be read."""
    return Training(dtype="float64", optimizer=optimizer, **({"learning_rate": 0.25, "weight_decay": 0} | changes))


@pytest.mark.parametrize("optimizer", RULES)
def test_two_steps_by_hand(optimizer):
    expected = [-0.25 * direction for direction in DIRECTIONS[optimizer]]
    assert moved(spec_of(optimizer), 3, -1) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("optimizer", RULES)
def test_goes_on_from_what_was_kept_as_if_never_stopped(optimizer):
    training = spec_of(optimizer, epochs=1, batch_size=20_000, schedule="cosine")
    gradients = [{"fc1.bias": np.array([value, 1 - value])} for value in (3.0, -1.0, 0.5)]
    model = Model(("fc1",), None, {"fc1.bias": np.array([2.0, 2.0])})
    at_start = make_optimizer(training, model)
    at_start.apply(model.parameters, gradients[0])
    at_start.apply(model.parameters, gradients[1])
    kept = buffers(training, model, at_start)
    assert list(kept) == [f"{buffer}/fc1.bias" for buffer in UPDATE_RULES[optimizer].buffers]
    again = Model(("fc1",), None, {"fc1.bias": model.parameters["fc1.bias"].copy()})
    at_start.apply(model.parameters, gradients[2])  # changes nothing of what was given out before
    later = Optimizer(training, again.parameters, kept, 2)
    later.apply(again.parameters, gradients[2])
    np.testing.assert_array_equal(again.parameters["fc1.bias"], model.parameters["fc1.bias"])
    for name, values in buffers(training, again, later).items():
        np.testing.assert_array_equal(values, buffers(training, model, at_start)[name])


@pytest.mark.parametrize("optimizer", RULES)
def test_what_is_kept_by_hand(optimizer):
    # Of the gradients 3 and -1: as in the directions above.
    means = {"momentum": 0.9 * 3 - 1, "nesterov": 0.9 * 3 - 1, "adam": 0.17, "adamw": 0.17}
    squares = {"adam": 0.009991, "adamw": 0.009991, "rmsprop": 0.0991, "adagrad": 9 + 1}
    expected = {"mean/fc1.bias": means.get(optimizer), "square/fc1.bias": squares.get(optimizer)}
    training, model = spec_of(optimizer), Model(("fc1",), None, {"fc1.bias": np.array([2.0])})
    keeper = make_optimizer(training, model)
    for gradient in (3.0, -1.0):
        keeper.apply(model.parameters, {"fc1.bias": np.array([gradient])})
    found = {name: values.item() for name, values in buffers(training, model, keeper).items()}
    assert found == pytest.approx({name: value for name, value in expected.items() if value is not None}, rel=1e-12)


@pytest.mark.parametrize("optimizer", AS_SMALL_AS_EPSILON)
def test_epsilon_is_added_to_the_root_of_the_corrected_mean(optimizer):
    gradient, direction = AS_SMALL_AS_EPSILON[optimizer]
    assert moved(spec_of(optimizer), gradient) == pytest.approx([-0.25 * direction], rel=1e-12)


@pytest.mark.parametrize("optimizer", RULES)
def test_a_weight_that_never_had_a_gradient_stays_where_it_is(optimizer):
    assert moved(spec_of(optimizer), 0, 0) == [0, 0]


def test_decay_goes_through_the_rule_but_in_adamw():
    # From 2, with gradient 1 and decay 0.5, the gradient becomes 2, which Adam, like 1, makes a direction of 1.
    assert moved(spec_of("sgd", weight_decay=0.5), 1) == pytest.approx([-0.25 * 2])
    assert moved(spec_of("adam", weight_decay=0.5), 1) == pytest.approx([-0.25])
    assert moved(spec_of("adamw", weight_decay=0.5), 1) == pytest.approx([-0.25 - 0.25 * 0.5 * 2])
    assert moved(spec_of("adamw", weight_decay=0.5), 0) == pytest.approx([-0.25 * 0.5 * 2])


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_a_change_of_rate_counts_for_the_whole_buffer(optimizer):
    # Two steps: the rate falls to a tenth for the second.
    training = spec_of(optimizer, epochs=1, batch_size=30_000, schedule="step")
    first, second = DIRECTIONS[optimizer]
    assert moved(training, 3, -1) == pytest.approx([-0.25 * first, -0.025 * second])


def test_the_decay_of_adamw_goes_with_the_rate():
    training = spec_of("adamw", epochs=1, batch_size=30_000, schedule="step", weight_decay=0.5)
    assert moved(training, 0, 0) == pytest.approx([-0.25 * 0.5 * 2, -0.025 * 0.5 * 1.75])


@pytest.mark.parametrize("module", [optimizers, reordered])
def test_all_gradients_are_clipped_by_their_norm_together(module):
    gradients = {"a": np.array([3.0]), "b": np.array([[0.0, -4.0]])}

    def updated(clip_norm, gradients):
        model = {name: np.zeros_like(values) for name, values in gradients.items()}
        module.Optimizer(spec_of("sgd", clip_norm=clip_norm), model).apply(model, gradients)
        return model

    np.testing.assert_allclose(updated(1, gradients)["a"], [-0.25 * 3 / 5.000001], rtol=1e-15)
    np.testing.assert_allclose(updated(1, gradients)["b"], [[0, 0.25 * 4 / 5.000001]], rtol=1e-15)
    np.testing.assert_array_equal(updated(5.1, gradients)["b"], [[0, 1]])
    np.testing.assert_array_equal(updated(1, {"a": np.zeros(2)})["a"], np.zeros(2))


def test_gradients_are_clipped_before_the_decay():
    training = spec_of("sgd", clip_norm=1, weight_decay=0.5)
    assert moved(training, 100) == pytest.approx([-0.25 * (1 + 0.5 * 2)], rel=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", RULES)
def test_stays_in_its_dtype_and_leaves_the_gradients(optimizer, dtype):
    training = spec_of(optimizer, schedule="cosine", weight_decay=0.1, clip_norm=1).model_copy(update={"dtype": dtype})
    model, gradients = ({"weight": np.ones(3, dtype)} for _ in range(2))
    Optimizer(training, model).apply(model, gradients)
    assert model["weight"].dtype == dtype
    np.testing.assert_array_equal(gradients["weight"], np.ones(3, dtype))


@pytest.mark.parametrize("optimizer", RULES)
def test_reordered_it_trains_the_same_but_for_rounding(optimizer):
    training = Training(
        dtype="float64", optimizer=optimizer, schedule="cosine", weight_decay=0.01, clip_norm=0.5, epochs=1
    )
    examples, steps = data.read("test"), batches.split(np.arange(640), 64)
    found = []
    for implementation in (load(), load_reordered()):
        model = implementation.model.build(training, initial_weights(training), "cpu")
        dataset = implementation.data.to_dataset(examples, training, "cpu")
        optimizer = implementation.optimizers.make_optimizer(training, model)
        losses = implementation.train.train_epoch(model, optimizer, dataset, steps, unwatched(steps))
        kept = implementation.optimizers.buffers(training, model, optimizer)
        found.append((losses, implementation.model.weights(model) | kept))
    (losses, weights), (other_losses, other_weights) = found
    # Adagrad divides by what may be 1e-10: rounding, some 1e-17 in a gradient, grows to some 1e-9 of a step there.
    np.testing.assert_allclose(losses, other_losses, rtol=1e-13)
    assert list(weights) == list(other_weights)
    for name in weights:
        np.testing.assert_allclose(weights[name], other_weights[name], atol=1e-10)
        # An Adagrad's or an Adam's squares are small: to their own largest.
        largest = np.abs(weights[name]).max()
        np.testing.assert_allclose(weights[name], other_weights[name], atol=1e-9 * largest)


# 60,000 / 7,500 = 8 steps in one epoch.
@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1] * 8),
        ("step", [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", [1, 0.9619397663, 0.8535533906, 0.6913417162, 0.5, 0.3086582838, 0.1464466094, 0.0380602337]),
    ],
)
def test_schedules_by_hand(schedule, factors):
    training = Training(epochs=1, batch_size=7_500, schedule=schedule)
    assert [factor(training, step) for step in range(training.steps)] == pytest.approx(factors)
    longer = Training(epochs=2, batch_size=7_500, schedule=schedule)
    assert [factor(longer, step) for step in range(0, 16, 2)] == pytest.approx(factors)


def test_cosine_ends_at_nothing_and_no_schedule_rises():
    for schedule in ("constant", "step", "cosine"):
        training = Training(epochs=1, batch_size=601, schedule=schedule)
        factors = [factor(training, step) for step in range(training.steps + 1)]
        assert factors == sorted(factors, reverse=True)
    assert math.isclose(factors[-1], 0, abs_tol=1e-15)


def test_every_optimizer_of_the_spec_has_a_rule():
    assert set(RULES) == set(Training.model_fields["optimizer"].annotation.__args__) == set(UPDATE_RULES)


def test_constants_are_the_defaults_of_pytorchs_classes():
    optim = pytest.importorskip("torch").optim

    def default(optimizer, parameter):
        return inspect.signature(optimizer).parameters[parameter].default

    for adam in (optim.Adam, optim.AdamW):
        assert default(adam, "betas") == update_rules.ADAM_BETAS
        assert default(adam, "eps") == update_rules.ADAM_EPSILON
        assert default(adam, "lr") == UPDATE_RULES["adam"].learning_rate == UPDATE_RULES["adamw"].learning_rate
    assert default(optim.AdamW, "weight_decay") == UPDATE_RULES["adamw"].weight_decay
    assert default(optim.RMSprop, "alpha") == update_rules.RMSPROP_ALPHA
    assert default(optim.RMSprop, "eps") == update_rules.RMSPROP_EPSILON
    assert default(optim.Adagrad, "eps") == update_rules.ADAGRAD_EPSILON
    assert default(optim.Adagrad, "initial_accumulator_value") == update_rules.ADAGRAD_INITIAL_ACCUMULATOR
    assert default(optim.Adagrad, "lr") == UPDATE_RULES["adagrad"].learning_rate
