"""The reference against the definition of a derivative: nothing else stands above it."""

import numpy as np
import pytest

from shared import metrics
from shared.mnist import MNIST
from shared.network import initial_weights, weight_shapes
from shared.reference import train
from shared.reference.model import build
from shared.reference.optimizers import make_optimizer
from shared.training import Training

TRAINING = Training(dtype="float64", hidden_sizes=(7, 5))
SHAPES = weight_shapes(TRAINING)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, MNIST.pixels))
    return build(TRAINING, initial_weights(TRAINING), "cpu"), inputs, rng.integers(0, 10, 6)


def test_loss_is_the_shared_metrics_loss(problem):
    model, inputs, labels = problem
    loss, _, outputs = model.backward(inputs, labels)
    assert loss == pytest.approx(metrics.cross_entropy(outputs[-1], labels), rel=1e-14)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_the_slopes_of_the_loss(problem, name):
    model, inputs, labels = problem
    _, gradients, _ = model.backward(inputs, labels)
    # Central differences: truncation of order h² against rounding of order 1e-16 / h.
    h = 1e-5
    for place in list(np.ndindex(*SHAPES[name]))[:40]:
        kept = model.parameters[name][place]
        sides = []
        for step in (h, -h):
            model.parameters[name][place] = kept + step
            sides.append(model.backward(inputs, labels)[0])
        model.parameters[name][place] = kept
        assert gradients[name][place] == pytest.approx((sides[0] - sides[1]) / (2 * h), abs=1e-8)


def test_a_step_is_minus_rate_times_gradient(problem):
    model, inputs, labels = problem
    before = {name: values.copy() for name, values in model.parameters.items()}
    loss, gradients, _ = model.backward(inputs, labels)
    assert train.train_step(model, make_optimizer(TRAINING, model), inputs, labels) == loss
    for name in model.parameters:
        np.testing.assert_array_equal(model.parameters[name], before[name] - 0.01 * gradients[name])


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
