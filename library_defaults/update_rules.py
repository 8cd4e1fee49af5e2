"""What an optimizer may compute, written out by hand: the candidates that the optimizers' probes are held against.

The tiny computations, one weight and two updates, stand here once for both frameworks. Their numbers are dyadic, so
that a framework that keeps some of them in float32 loses nothing.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from library_defaults.probing import recognise

START = 1.0
# (rate, gradient) of each update.
STEADY = ((0.5, 1.0), (0.5, 0.25))
DROPPING = ((0.5, 1.0), (0.125, 0.25))
MOMENTUM = 0.5
DECAY = 0.25
BETAS = (0.5, 0.75)
# Large, so that its place shows.
EPSILON = 0.5
ACCUMULATED = 0.25
# Not dyadic: to be seen is whether it is rounded.
TENTH = 0.1

State = dict[str, float]
Update = Callable[[State, float, float], float]


def trajectory(update: Update, steps: Sequence[tuple[float, float]] = STEADY, *, start: float = 0.0) -> list[float]:
    """The weight, from START, after each step. `update(state, rate, gradient)` returns what is subtracted from it.

    `start` is where a sum or mean of squares begins.
    """
    state: State = {"m": 0.0, "v": start, "step": 0, "weight": START}
    seen = []
    for rate, gradient in steps:
        state["step"] += 1
        state["weight"] -= update(state, rate, gradient)
        seen.append(state["weight"])
    return seen


def momentum(weights: np.ndarray) -> str:
    """Where the rate enters SGD with MOMENTUM, from weights after the DROPPING steps."""

    def outside(state: State, rate: float, gradient: float) -> float:
        state["m"] = MOMENTUM * state["m"] + gradient
        return rate * state["m"]

    def inside(state: State, rate: float, gradient: float) -> float:
        state["m"] = MOMENTUM * state["m"] + rate * gradient
        return state["m"]

    return recognise(
        weights,
        {
            "outside: w −= η·b, b = μ·b + g": trajectory(outside, DROPPING),
            "inside: w −= v, v = μ·v + η·g": trajectory(inside, DROPPING),
        },
    )


def _adam(state: State, gradient: float) -> tuple[float, float, float]:
    """Adam's first moment, corrected; its second moment, not corrected; and the correction of that."""
    beta1, beta2 = BETAS
    state["m"] = beta1 * state["m"] + (1 - beta1) * gradient
    state["v"] = beta2 * state["v"] + (1 - beta2) * gradient**2
    return state["m"] / (1 - beta1 ** state["step"]), state["v"], 1 - beta2 ** state["step"]


def adam_epsilon(weights: np.ndarray) -> str:
    """Where Adam with BETAS adds EPSILON, from weights after the STEADY steps."""

    def after(state: State, rate: float, gradient: float) -> float:
        mean, square, correction = _adam(state, gradient)
        return rate * mean / (math.sqrt(square / correction) + EPSILON)

    def before(state: State, rate: float, gradient: float) -> float:
        mean, square, correction = _adam(state, gradient)
        return rate * mean * math.sqrt(correction) / (math.sqrt(square) + EPSILON)

    return recognise(
        weights,
        {"after the bias correction": trajectory(after), "before the bias correction": trajectory(before)},
    )


def _epsilon_and_root(weights: np.ndarray, second_moment: Callable[[State, float], float], start: float = 0.0) -> str:
    def outside(state: State, rate: float, gradient: float) -> float:
        state["v"] = second_moment(state, gradient)
        return rate * gradient / (math.sqrt(state["v"]) + EPSILON)

    def inside(state: State, rate: float, gradient: float) -> float:
        state["v"] = second_moment(state, gradient)
        return rate * gradient / math.sqrt(state["v"] + EPSILON)

    return recognise(weights, {"√v + ε": trajectory(outside, start=start), "√(v + ε)": trajectory(inside, start=start)})


def rmsprop_epsilon(weights: np.ndarray) -> str:
    """Where RMSprop with the second of BETAS adds EPSILON, from weights after the STEADY steps."""
    smoothing = BETAS[1]
    return _epsilon_and_root(weights, lambda state, g: smoothing * state["v"] + (1 - smoothing) * g**2)


def adagrad_epsilon(weights: np.ndarray) -> str:
    """Where Adagrad that begins at ACCUMULATED adds EPSILON, from weights after the STEADY steps."""
    return _epsilon_and_root(weights, lambda state, g: state["v"] + g**2, ACCUMULATED)


def _decay(weights: np.ndarray, plain: Update) -> str:
    def coupled(state: State, rate: float, gradient: float) -> float:
        return plain(state, rate, gradient + DECAY * state["weight"])

    def decoupled(state: State, rate: float, gradient: float) -> float:
        return rate * DECAY * state["weight"] + plain(state, rate, gradient)

    return recognise(
        weights,
        {"coupled: in the gradient": trajectory(coupled), "decoupled: beside the gradient": trajectory(decoupled)},
    )


def sgd_decay(weights: np.ndarray) -> str:
    """How DECAY enters SGD with MOMENTUM, from weights after the STEADY steps."""

    def plain(state: State, rate: float, gradient: float) -> float:
        state["m"] = MOMENTUM * state["m"] + gradient
        return rate * state["m"]

    return _decay(weights, plain)


def adam_decay(weights: np.ndarray) -> str:
    """How DECAY enters Adam with BETAS and without ε, from weights after the STEADY steps."""

    def plain(state: State, rate: float, gradient: float) -> float:
        mean, square, correction = _adam(state, gradient)
        return rate * mean / math.sqrt(square / correction)

    return _decay(weights, plain)


def penalty_gradient(gradient: float) -> str:
    """What an L2 penalty of strength DECAY adds to the gradient of a weight at START."""
    return recognise(gradient, {"λ·w": DECAY * START, "2·λ·w": 2 * DECAY * START})


def rate_dtype(weights: np.ndarray) -> str:
    """The dtype of a rate of TENTH, from a float64 weight after one step with gradient 1."""
    candidates = {kind.__name__: [START - float(kind(TENTH))] for kind in (np.float32, np.float64)}
    return recognise(weights, candidates, tolerance=1e-12)


# The second gradient is 0: that step is momentum's alone.
COASTING = ((0.5, 1.0), (0.5, 0.0))


def momentum_dtype(weights: np.ndarray) -> str:
    """The dtype of a momentum of TENTH, from a float64 weight after the COASTING steps."""
    (rate, gradient), _ = COASTING
    first = START - rate * gradient
    candidates = {
        kind.__name__: [first, first - float(kind(TENTH)) * rate * gradient] for kind in (np.float32, np.float64)
    }
    return recognise(weights, candidates, tolerance=1e-12)


MILESTONE = 3
STEPS_AROUND_IT = range(MILESTONE + 3)


def first_lower(rates: np.ndarray) -> int:
    """The first step, from 0, whose rate is below the first one's."""
    return int(np.flatnonzero(rates < rates[0])[0])


SLOPE = 3.0


def second_pass(gradients: Sequence[float]) -> str:
    """What a second backward pass did with the gradient of the first, SLOPE each, from what was there after each."""
    return recognise(gradients, {"replaces it": (SLOPE, SLOPE), "is added to it": (SLOPE, 2 * SLOPE)})


TWO_GRADIENTS = (3.0, 4.0)
# As small as what may be added to it.
TINY_GRADIENTS = (3 * 2.0**-21, 4 * 2.0**-21)
TINY_LIMIT = 2.0**-20


def clipping_scope(clipped: np.ndarray) -> str:
    """Whose norm is limited to 1, from what became of TWO_GRADIENTS."""
    first, second = TWO_GRADIENTS
    norm = math.hypot(first, second)
    return recognise(
        clipped, {"all gradients together": [first / norm, second / norm], "each gradient by itself": [1, 1]}
    )


def clipping_denominator(clipped: np.ndarray) -> str:
    """What gradients are divided by when clipped to TINY_LIMIT, from what became of TINY_GRADIENTS."""
    norm = math.hypot(*TINY_GRADIENTS)
    gradients = np.array(TINY_GRADIENTS)
    return recognise(
        clipped,
        {"norm": gradients * TINY_LIMIT / norm, "norm + 1e-6": gradients * TINY_LIMIT / (norm + 1e-6)},
    )


# Two epochs' losses each: the second is better by more than 1e-4 of the first, or by more than 1e-4.
BETTER_RELATIVELY, BETTER_ABSOLUTELY = (0.01, 0.0099), (100.0, 99.999)
MANY_EQUAL_LOSSES = (1.0,) * 20


def plateau_threshold(drop_after_relatively_better: int, drop_after_absolutely_better: int) -> str:
    """What counts as better, from the epoch (0: none) after which the rate dropped where patience is 0."""
    fates = drop_after_relatively_better, drop_after_absolutely_better
    return recognise(fates, {"relative": (0, 1), "absolute": (1, 0)})
