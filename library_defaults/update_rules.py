"""What optimizers and their schedules may compute, written out by hand: the candidates for what probes measure.

The tiny computations are here once, for both frameworks: one weight, two updates. Their numbers are sums of powers of
2, so that nothing is lost where a framework keeps them in float32.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from library_defaults.probing import recognise

START = 1.0
# (learning rate, gradient) of each update.
STEADY = ((0.5, 1.0), (0.5, 0.25))
DROPPING = ((0.5, 1.0), (0.125, 0.25))
MOMENTUM = 0.5
DECAY = 0.25
BETAS = (0.5, 0.75)
# So large that it shows where ε is added.
EPSILON = 0.5
ACCUMULATED = 0.25
# No sum of powers of 2: it shows whether it was rounded to float32.
TENTH = 0.1

State = dict[str, float]
Update = Callable[[State, float, float], float]


def trajectory(update: Update, steps: Sequence[tuple[float, float]] = STEADY, *, start: float = 0.0) -> list[float]:
    """The weight after each step, where it starts at START.

    `update(state, rate, gradient)` returns what is subtracted from the weight; `start` is the first mean or sum of
    squares.
    """
    state: State = {"m": 0.0, "v": start, "step": 0, "weight": START}
    seen = []
    for rate, gradient in steps:
        state["step"] += 1
        state["weight"] -= update(state, rate, gradient)
        seen.append(state["weight"])
    return seen


def momentum(weights: np.ndarray) -> str:
    """Where the rate enters SGD with MOMENTUM, from the weights after the DROPPING steps."""

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
    """Adam's corrected first moment, its second moment without correction, and that correction."""
    beta1, beta2 = BETAS
    state["m"] = beta1 * state["m"] + (1 - beta1) * gradient
    state["v"] = beta2 * state["v"] + (1 - beta2) * gradient**2
    return state["m"] / (1 - beta1 ** state["step"]), state["v"], 1 - beta2 ** state["step"]


def adam_epsilon(weights: np.ndarray) -> str:
    """Where Adam with BETAS adds EPSILON, from the weights after the STEADY steps."""

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
    """Where RMSprop that keeps BETAS[1] of the old adds EPSILON, from the weights after the STEADY steps."""
    smoothing = BETAS[1]
    return _epsilon_and_root(weights, lambda state, g: smoothing * state["v"] + (1 - smoothing) * g**2)


def adagrad_epsilon(weights: np.ndarray) -> str:
    """Where Adagrad that begins at ACCUMULATED adds EPSILON, from the weights after the STEADY steps."""
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
    """How DECAY enters SGD with MOMENTUM, from the weights after the STEADY steps."""

    def plain(state: State, rate: float, gradient: float) -> float:
        state["m"] = MOMENTUM * state["m"] + gradient
        return rate * state["m"]

    return _decay(weights, plain)


def adam_decay(weights: np.ndarray) -> str:
    """How DECAY enters Adam with BETAS and without ε, from the weights after the STEADY steps."""

    def plain(state: State, rate: float, gradient: float) -> float:
        mean, square, correction = _adam(state, gradient)
        return rate * mean / math.sqrt(square / correction)

    return _decay(weights, plain)


OCCURRENCES = 3  # of one token, in one batch


def repeated_token(step: float) -> str:
    """What Adam's mean square takes in of a token's gradients, from the first step of its vector.

    The token occurs OCCURRENCES times, each time with the first gradient of the STEADY steps, and there is no ε.
    """
    (rate, gradient), _ = STEADY
    total = OCCURRENCES * gradient
    squares = {"the square of their sum": total**2, "the sum of their squares": OCCURRENCES * gradient**2}
    return recognise(step, {name: rate * total / math.sqrt(square) for name, square in squares.items()})


def clipped_token(step: float) -> str:
    """What the norm of a token's gradients takes in, from the first step of its vector with rate 1, clipped to 1.

    The token occurs OCCURRENCES times, each time with gradient 1.
    """
    norms = {"their sum": OCCURRENCES, "each by itself": math.sqrt(OCCURRENCES)}
    return recognise(step, {name: OCCURRENCES / norm for name, norm in norms.items()})


def gates_bias(moved: float, gradient: float) -> int:
    """By how many times TENTH · gradient a gate's bias has moved in a step of SGD with that rate, where it is whole."""
    return int(recognise(-moved / (TENTH * gradient), {str(times): float(times) for times in range(1, 4)}))


def accumulated(step: float) -> str:
    """What the optimizer gets of TWO_GRADIENTS, from the step of SGD with rate 1."""
    return recognise(step, {"their sum": sum(TWO_GRADIENTS), "their mean": sum(TWO_GRADIENTS) / 2})


def penalty_gradient(gradient: float) -> str:
    """What an L2 penalty of strength DECAY is, from what it adds to the gradient of a weight at START."""
    return recognise(gradient, {"λ·w": DECAY * START, "2·λ·w": 2 * DECAY * START})


def rate_dtype(weights: np.ndarray) -> str:
    """The dtype of a learning rate of TENTH, from a float64 weight after one step with gradient 1."""
    candidates = {kind.__name__: [START - float(kind(TENTH))] for kind in (np.float32, np.float64)}
    return recognise(weights, candidates, tolerance=1e-12)


# The second gradient is 0: only momentum makes the second step.
COASTING = ((0.5, 1.0), (0.5, 0.0))


def momentum_dtype(weights: np.ndarray) -> str:
    """The dtype of a momentum of TENTH, from a float64 weight after the COASTING steps."""
    (rate, gradient), _ = COASTING
    first = START - rate * gradient
    candidates = {
        kind.__name__: [first, first - float(kind(TENTH)) * rate * gradient] for kind in (np.float32, np.float64)
    }
    return recognise(weights, candidates, tolerance=1e-12)


# The gradient of (w + 1)² at w = 0. A weight that starts at 0 shows its first step in all digits of float32.
GRADIENT = 2.0


def default_optimizer(step: float) -> str:
    """Which optimizer, with Keras's defaults, subtracted `step` from a weight, in the first step with GRADIENT."""
    candidates = {
        "none": 0.0,
        "SGD": 0.01 * GRADIENT,
        "RMSprop": 0.001 * GRADIENT / math.sqrt((1 - 0.9) * GRADIENT**2),
    }
    return recognise(step, candidates)


MILESTONE = 3
STEPS_AROUND_IT = range(MILESTONE + 3)


def first_lower(rates: np.ndarray) -> int:
    """The first step, counted from 0, whose rate is lower than that of step 0."""
    return int(np.flatnonzero(rates < rates[0])[0])


def schedule_unit(weights: np.ndarray) -> str:
    """With what a schedule goes on that halves the rate ½, from a weight after two updates with gradient 1."""
    candidates = {"each call of `scheduler.step()`": (0.5, 0.5), "each update": (0.5, 0.25)}
    return recognise(weights, {unit: START - np.cumsum(rates) for unit, rates in candidates.items()})


SLOPE = 3.0


def second_pass(gradients: Sequence[float]) -> str:
    """What a second backward pass does with the first gradient, from the gradient after each; SLOPE is that of each."""
    return recognise(gradients, {"replaces it": (SLOPE, SLOPE), "is added to it": (SLOPE, 2 * SLOPE)})


TWO_GRADIENTS = (3.0, 4.0)
# As small as the 1e-6 that may be added to their norm.
TINY_GRADIENTS = (3 * 2.0**-21, 4 * 2.0**-21)
TINY_LIMIT = 2.0**-20


def clipping_scope(clipped: np.ndarray) -> str:
    """Which norm is limited to 1, from TWO_GRADIENTS after clipping."""
    first, second = TWO_GRADIENTS
    norm = math.hypot(first, second)
    return recognise(
        clipped, {"all gradients together": [first / norm, second / norm], "each gradient by itself": [1, 1]}
    )


def clipping_denominator(clipped: np.ndarray) -> str:
    """What the gradients are divided by, from TINY_GRADIENTS after clipping to TINY_LIMIT."""
    norm = math.hypot(*TINY_GRADIENTS)
    gradients = np.array(TINY_GRADIENTS)
    return recognise(
        clipped,
        {"norm": gradients * TINY_LIMIT / norm, "norm + 1e-6": gradients * TINY_LIMIT / (norm + 1e-6)},
    )


# The losses of two epochs. The second is lower by more than 1e-4 of the first; or by more than 1e-4 itself.
BETTER_RELATIVELY, BETTER_ABSOLUTELY = (0.01, 0.0099), (100.0, 99.999)
MANY_EQUAL_LOSSES = (1.0,) * 20


def plateau_threshold(drop_after_relatively_better: int, drop_after_absolutely_better: int) -> str:
    """What the threshold is relative to, from the epoch after which the rate dropped (0: none), with patience 0."""
    fates = drop_after_relatively_better, drop_after_absolutely_better
    return recognise(fates, {"relative": (0, 1), "absolute": (1, 0)})
