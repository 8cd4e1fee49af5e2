"""The reference against the definition of a derivative: nothing else stands above it."""

import numpy as np
import pytest

from shared import metrics
from shared.mnist import MNIST
from shared.network import initial_weights, weight_shapes
from shared.reference import data, reordered, train
from shared.reference.model import build
from shared.reference.optimizers import make_optimizer
from shared.training import Training

TRAINING = Training(dtype="float64", hidden_sizes=(7, 5))
# Every activation, and every number of layers that the backward pass treats in its own way.
NETWORKS = [
    TRAINING,
    Training(dtype="float64", hidden_sizes=(6, 5, 4), activation="tanh"),
    Training(dtype="float64", hidden_sizes=(4,), activation="sigmoid"),
    Training(dtype="float64", hidden_sizes=()),
]


def problem_of(training):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, MNIST.pixels))
    return build(training, initial_weights(training), "cpu"), inputs, rng.integers(0, 10, 6)


@pytest.fixture
def problem():
    return problem_of(TRAINING)


def test_loss_is_the_shared_metrics_loss(problem):
    model, inputs, labels = problem
    loss, _, outputs = model.backward(inputs, labels)
    assert loss == pytest.approx(metrics.cross_entropy(outputs[-1], labels), rel=1e-14)


@pytest.mark.parametrize(
    ("training", "name"), [(training, name) for training in NETWORKS for name in weight_shapes(training)]
)
def test_gradients_are_the_slopes_of_the_loss(training, name):
    model, inputs, labels = problem_of(training)
    _, gradients, _ = model.backward(inputs, labels)
    # Central differences: truncation of order h² against rounding of order 1e-16 / h.
    h = 1e-5
    values = model.parameters[name]
    for place in list(np.ndindex(*values.shape))[:40]:
        kept = values[place]
        sides = []
        for step in (h, -h):
            values[place] = kept + step
            sides.append(model.backward(inputs, labels)[0])
        values[place] = kept
        assert gradients[name][place] == pytest.approx((sides[0] - sides[1]) / (2 * h), abs=1e-8)


def test_a_step_is_minus_rate_times_gradient(problem):
    model, inputs, labels = problem
    before = {name: values.copy() for name, values in model.parameters.items()}
    loss, gradients, _ = model.backward(inputs, labels)
    assert train.train_step(model, make_optimizer(TRAINING, model), inputs, labels) == loss
    for name in model.parameters:
        np.testing.assert_array_equal(model.parameters[name], before[name] - 0.01 * gradients[name])


def test_given_slopes_take_the_place_of_the_activations(problem):
    model, inputs, labels = problem
    loss, gradients, outputs = model.backward(inputs, labels)
    asked = []

    def own(layer, entering):
        asked.append((layer, entering))
        return model.activation.derivative(entering)

    loss_again, same, _ = model.backward(inputs, labels, own)
    assert loss_again == loss
    for name in gradients:
        np.testing.assert_array_equal(same[name], gradients[name])
    assert [layer for layer, _ in asked] == ["fc2", "fc1"]
    for (_, entering), output in zip(asked, outputs[1::-1], strict=True):
        np.testing.assert_array_equal(entering, output)
    # A unit that passes nothing on has no gradient; with it alone, nothing that leads to it.
    _, stopped, _ = model.backward(inputs, labels, lambda _layer, entering: np.zeros_like(entering))
    assert not stopped["fc1.weight"].any()
    assert not stopped["fc2.bias"].any()
    np.testing.assert_array_equal(stopped["fc3.weight"], gradients["fc3.weight"])


def test_reordered_it_tells_its_inputs_in_the_canonical_order():
    examples = data.read("test")
    expected = data.to_dataset(examples, TRAINING, "cpu")
    made = reordered.to_dataset(examples, TRAINING, "cpu")
    assert not np.array_equal(made.inputs, expected.inputs)
    for found, values in zip(reordered.to_arrays(made), expected, strict=True):
        np.testing.assert_array_equal(found, values)


def test_a_relu_passes_no_gradient_at_zero(problem):
    model, inputs, labels = problem
    model.parameters["fc1.weight"][:] = 0
    model.parameters["fc1.bias"][:] = 0
    _, gradients, _ = model.backward(inputs, labels)
    assert not gradients["fc1.weight"].any()


def test_huge_logits_do_not_overflow(problem):
    model, inputs, labels = problem
    model.parameters["fc3.bias"][3] = 1e5
    loss, gradients, _ = model.backward(inputs, labels)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())
