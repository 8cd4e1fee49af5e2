"""The reference against the definition of a derivative: nothing else stands above it."""

import numpy as np
import pytest

from shared import metrics
from shared.network import initial_weights
from shared.reference import reference
from shared.reference.optimizers import make_optimizer
from shared.spec import PIXELS, Spec

SPEC = Spec(dtype="float64", hidden_sizes=(7, 5))


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, PIXELS))
    return dict(initial_weights(SPEC)), inputs, rng.integers(0, 10, 6)


def test_loss_is_the_shared_metrics_loss(problem):
    model, inputs, labels = problem
    loss, _, outputs = reference.backward(model, inputs, labels)
    assert loss == pytest.approx(metrics.cross_entropy(outputs[-1], labels), rel=1e-14)


@pytest.mark.parametrize("name", SPEC.weight_shapes)
def test_gradients_are_the_slopes_of_the_loss(problem, name):
    model, inputs, labels = problem
    _, gradients, _ = reference.backward(model, inputs, labels)
    # Central differences: truncation of order h² against rounding of order 1e-16 / h.
    h = 1e-5
    for place in list(np.ndindex(*SPEC.weight_shapes[name]))[:40]:
        kept = model[name][place]
        sides = []
        for step in (h, -h):
            model[name][place] = kept + step
            sides.append(reference.backward(model, inputs, labels)[0])
        model[name][place] = kept
        assert gradients[name][place] == pytest.approx((sides[0] - sides[1]) / (2 * h), abs=1e-8)


def test_a_step_is_minus_rate_times_gradient(problem):
    model, inputs, labels = problem
    before = {name: values.copy() for name, values in model.items()}
    loss, gradients, _ = reference.backward(model, inputs, labels)
    assert reference.train_step(model, make_optimizer(SPEC, model), inputs, labels) == loss
    for name in model:
        np.testing.assert_array_equal(model[name], before[name] - 0.01 * gradients[name])


def test_a_relu_passes_no_gradient_at_zero(problem):
    model, inputs, labels = problem
    model["fc1.weight"][:] = 0
    model["fc1.bias"][:] = 0
    _, gradients, _ = reference.backward(model, inputs, labels)
    assert not gradients["fc1.weight"].any()


def test_huge_logits_do_not_overflow(problem):
    model, inputs, labels = problem
    model["fc3.bias"][3] = 1e5
    loss, gradients, _ = reference.backward(model, inputs, labels)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())
