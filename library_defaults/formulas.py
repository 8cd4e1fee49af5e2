"""What layers, losses and data pipelines may compute, written out by hand: the candidates for what probes measure.

The inputs of the tiny computations are here once, for both frameworks. For optimizers, see `update_rules`.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from library_defaults.probing import UnrecognisedError, recognise
from shared import metrics

# --- Initial weights, of a layer so wide that its weights show their distribution, and no two candidates are close. ---

FAN_IN, FAN_OUT = 16, 100_000
QUANTILES = np.linspace(0.01, 0.99, 99)
# A share of the bound. By chance, a quantile of FAN_OUT uniform numbers moves so far less than once in 10^18 draws.
SAMPLING_TOLERANCE = 0.03


def _uniform(bound: float) -> np.ndarray:
    return bound * (2 * QUANTILES - 1)


def distribution(values: np.ndarray, fan_in: int, fan_out: int) -> str:
    """Which initialiser drew the values, judged by their quantiles."""
    normal = np.array([NormalDist().inv_cdf(share) for share in QUANTILES])
    candidates = {
        "zeros": 0 * normal,
        "U(±1/√fan_in)": _uniform(1 / math.sqrt(fan_in)),
        "U(±√(6/(fan_in + fan_out)))": _uniform(math.sqrt(6 / (fan_in + fan_out))),
        "U(±0.05)": _uniform(0.05),
        "N(0, 1)": normal,
    }
    return recognise(np.quantile(values, QUANTILES), candidates, SAMPLING_TOLERANCE)


# So large that a cut at ±2 shows, and one as it is used.
STANDARD_DEVIATION, USUAL_STANDARD_DEVIATION = 2.0, 0.02


def _truncated_normal(limit: float) -> np.ndarray:
    """Quantiles of the standard normal distribution where numbers beyond ±limit are drawn again."""
    beyond = NormalDist().cdf(-limit)
    return np.array([NormalDist().inv_cdf(beyond + share * (1 - 2 * beyond)) for share in QUANTILES])


def truncated_normal(values: np.ndarray, deviation: float = STANDARD_DEVIATION) -> str:
    """Where a truncated normal initialiser with this standard deviation, which drew the values, cuts."""
    by_deviations = _truncated_normal(2)
    candidates = {
        "±2": _truncated_normal(2 / deviation),
        "±2 · std": by_deviations,
        "±2 · std, and what is left is widened": by_deviations / TRUNCATED_DEVIATION,
    }
    scaled = {name: deviation * quantiles for name, quantiles in candidates.items()}
    return recognise(np.quantile(values, QUANTILES), scaled, SAMPLING_TOLERANCE)


# The standard deviation of a standard normal distribution that is cut at ±2.
TRUNCATED_DEVIATION = math.sqrt(1 - 4 * NormalDist().pdf(2) / (1 - 2 * NormalDist().cdf(-2)))


def he_normal(values: np.ndarray, fan_in: int) -> str:
    """Whether a normal initialiser of variance 2/fan_in, which drew the values, cuts."""
    candidates = {
        "whole": np.array([NormalDist().inv_cdf(share) for share in QUANTILES]),
        "cut at ±2 std": _truncated_normal(2),
        "cut at ±2 std, and widened to that variance": _truncated_normal(2) / TRUNCATED_DEVIATION,
    }
    scaled = {name: math.sqrt(2 / fan_in) * quantiles for name, quantiles in candidates.items()}
    return recognise(np.quantile(values, QUANTILES), scaled, SAMPLING_TOLERANCE)


RECURRENT_UNITS = 160  # so many that the weights of four gates show their distribution, as FAN_OUT units do


def recurrent_kernel(kernel: np.ndarray) -> str:
    """Which initialiser drew the recurrent weights of an LSTM of RECURRENT_UNITS, (4 · units, units) or transposed."""
    tall = kernel.reshape(-1, RECURRENT_UNITS) if len(kernel) > RECURRENT_UNITS else kernel.T
    if np.allclose(tall.T @ tall, np.eye(RECURRENT_UNITS), atol=1e-5):
        return "orthogonal"
    candidates = {"U(±1/√units)": _uniform(1 / math.sqrt(RECURRENT_UNITS))}
    return recognise(np.quantile(kernel, QUANTILES), candidates, SAMPLING_TOLERANCE)


# One step of a GRU of two units without biases, from this state and the input 1. The three blocks of columns are those
# of the gates, in whatever order a framework has.
GRU_STATE = np.array([[0.5, -1.0]])
GRU_KERNEL = np.array([[0.5, -0.5, 1.0, 0.25, -1.0, 0.75]])
GRU_RECURRENT_KERNEL = np.array([[0.25, 1.0, -0.5, 0.5, 1.0, -0.25], [0.75, -1.0, 0.5, 1.5, -0.75, 0.5]])


def _gru_step(order: str, *, reset_after: bool) -> np.ndarray:
    def sigmoid(numbers: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-numbers)))

    names = order.split(", ")
    inputs = dict(zip(names, np.split(GRU_KERNEL, 3, axis=1), strict=True))
    recurrent = dict(zip(names, np.split(GRU_RECURRENT_KERNEL, 3, axis=1), strict=True))
    reset, update = (sigmoid(inputs[gate] + GRU_STATE @ recurrent[gate]) for gate in ("reset", "update"))
    scaled = reset * (GRU_STATE @ recurrent["new"]) if reset_after else (reset * GRU_STATE) @ recurrent["new"]
    return np.asarray(update * GRU_STATE + (1 - update) * np.tanh(inputs["new"] + scaled))


def gru(outputs: np.ndarray) -> tuple[str, str]:
    """In which order a GRU has its gates, and where its reset gate scales the state, from that step."""
    orders, places = ("reset, update, new", "update, reset, new"), ("after", "before")
    candidates = {
        f"{order}; {place} the product with the recurrent weights": _gru_step(order, reset_after=place == "after")
        for order in orders
        for place in places
    }
    order, _, place = recognise(outputs, candidates).partition("; ")
    return order, place


# --- Convolution, pooling, and flattening after it. ---

# Four places of one channel. With a kernel of ones, each output is the sum of the places that it covers.
PLACES = np.array([1.0, 2.0, 3.0, 4.0])
KERNEL = 3


def halving_padding(outputs: np.ndarray) -> str:
    """Where a convolution of stride 2 added zeros to PLACES, from its two outputs."""
    return recognise(outputs, {"on both sides": [0 + 1 + 2, 2 + 3 + 4], "at the end only": [1 + 2 + 3, 3 + 4 + 0]})


def average_pooling(outputs: np.ndarray) -> str:
    """What the sum over a window of KERNEL is divided by at the border of PLACES, from outputs at stride 1."""
    padded = np.pad(PLACES, 1)
    sums = np.array([padded[place : place + KERNEL].sum() for place in range(len(PLACES))])
    return recognise(
        outputs,
        {"the size of the window": sums / KERNEL, "the inputs in the window": sums / np.array([2.0, 3.0, 3.0, 2.0])},
    )


# The value of each channel, the same everywhere in the image.
CHANNELS = (1.0, 2.0)
IMAGE_SIZE = 2


def flattened_order(values: np.ndarray) -> str:
    """In which order the values of an image of CHANNELS come when it is flattened."""
    pixels = IMAGE_SIZE**2
    return recognise(
        values,
        {"channel by channel": np.repeat(CHANNELS, pixels), "pixel by pixel": np.tile(CHANNELS, pixels)},
    )


# --- Normalisation and activations. ---

# Two examples of one feature: the mean is 2, the biased variance 1, the unbiased one 2.
BATCH = np.array([[1.0], [3.0]])


def running_variance(moved: float, weight: float) -> str:
    """Which variance of BATCH moved the running variance from 1 to `moved`; `weight` is that of a new batch."""
    taken_in = (moved - (1 - weight)) / weight
    return recognise(taken_in, {"biased: ÷ n": BATCH.var(), "unbiased: ÷ (n − 1)": BATCH.var(ddof=1)})


def kept_scale(kept: float, rate: float) -> str:
    """What dropout with this rate does to the inputs that it keeps; `kept` is what became of a 1."""
    return recognise(kept, {"÷ (1 − rate)": 1 / (1 - rate), "unchanged": 1.0})


def gelu(at_one: float) -> str:
    """Which GELU has the value `at_one` at 1."""
    return recognise(
        at_one,
        {
            "exact": NormalDist().cdf(1),
            "approximated by tanh": (1 + math.tanh(math.sqrt(2 / math.pi) * (1 + 0.044715))) / 2,
        },
    )


def gelu_dtype(at_one: float) -> str:
    """The dtype of the √½ in an exact GELU, from its float64 value at 1."""
    candidates = {kind.__name__: (1 + math.erf(float(kind(math.sqrt(0.5))))) / 2 for kind in (np.float32, np.float64)}
    return recognise(at_one, candidates, tolerance=1e-12)


# Where a function is clipped: its lower and its upper limit.
LIMITS = (0.0, 1.0)
NOWHERE = (0.0, 0.0)


def norm_gradient(gradient: Sequence[float]) -> str:
    """What the gradient of a norm at NOWHERE consists of."""
    return "NaN" if np.isnan(gradient).all() else recognise(gradient, {"0": NOWHERE})


# --- Losses. ---

PROBABILITIES = np.array([[0.5, 0.25, 0.25]])
# An example of class 0, and outputs that rule out class 0: as logits, and as probabilities.
CERTAIN_MISTAKE_LOGITS = np.array([[0.0, 1000.0]])
CERTAIN_MISTAKE = np.array([[0.0, 1.0]])
# Three examples, two classes. In batches of two, the last batch is short.
LOGITS = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
LABELS = np.array([0, 0, 1])
CLASS_WEIGHTS = (1.0, 0.25)
TARGETS = np.array([1.0, 2.0, 4.0])
# True and predicted distributions, of two examples over three classes.
TRUE = np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
PREDICTED = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]])


def _losses() -> np.ndarray:
    """Cross-entropy of each example of LOGITS: float64 (3,)."""
    return np.array([metrics.cross_entropy(LOGITS[[i]], LABELS[[i]]) for i in range(len(LABELS))])


def loss_input(loss: float) -> str:
    """What a cross-entropy takes its input for, from its loss for PROBABILITIES and class 0."""
    return recognise(
        loss,
        {
            "logits": metrics.cross_entropy(PROBABILITIES, np.array([0])),
            "probabilities": -math.log(PROBABILITIES[0, 0]),
        },
    )


def softmax_before_loss(loss: float) -> str:
    """What the loss does with a softmax layer before it, from its value for CERTAIN_MISTAKE_LOGITS and class 0."""
    return recognise(
        loss,
        {
            "is applied a second time": metrics.cross_entropy(CERTAIN_MISTAKE, np.array([0])),
            "is taken back: the loss is of its logits": metrics.cross_entropy(CERTAIN_MISTAKE_LOGITS, np.array([0])),
            "is where the loss starts": -math.log(1e-7),
        },
    )


def weighted_mean(loss: float) -> str:
    """What the summed loss is divided by where classes have weights, from the mean loss for LOGITS."""
    weights = np.array(CLASS_WEIGHTS)[LABELS]
    total = (weights * _losses()).sum()
    return recognise(loss, {"÷ Σ weights": total / weights.sum(), "÷ batch size": total / len(weights)})


# The class that stands for padding in LABELS.
PADDING = 1


def masked_mean(loss: float) -> str:
    """What the summed loss is divided by where LABELS has PADDING, from the mean loss for LOGITS."""
    counted = LABELS != PADDING
    total = _losses()[counted].sum()
    return recognise(loss, {"÷ tokens that count": total / counted.sum(), "÷ all tokens": total / len(LABELS)})


def divergence_mean(loss: float) -> str:
    """What the sum of a KL divergence is divided by, from that of PREDICTED from TRUE."""
    total = (TRUE * np.log(TRUE / PREDICTED)).sum()
    return recognise(loss, {"batch size": total / len(TRUE), "batch size · classes": total / TRUE.size})


def epoch_loss(loss: float) -> str:
    """How the loss of an epoch is averaged, from that of LOGITS in batches of two."""
    losses = _losses()
    return recognise(
        loss,
        {"over examples": losses.mean(), "over batches, the short one as a whole": (losses[:2].mean() + losses[2]) / 2},
    )


def column_against_vector(loss: float) -> str:
    """How predictions (B, 1) are compared with targets (B,), from the loss where both are TARGETS."""
    everyone = np.square(TARGETS[:, None] - TARGETS).mean()
    return recognise(loss, {"paired": 0.0, "each with every other: (B, B)": everyone})


# --- Data. ---

EXAMPLES = 1000
BUFFER = 10


def shuffled(order: Sequence[int]) -> bool:
    """Whether the examples, numbered from 0, came in a new order. Raises UnrecognisedError where some are missing."""
    if sorted(order) != list(range(len(order))):
        raise UnrecognisedError(f"{len(set(order))} different examples came, in {len(order)} places")
    return list(order) != sorted(order)


def shuffle_reach(order: Sequence[int]) -> str:
    """What a pipeline with a buffer of BUFFER shuffles, from how far before its old place an example came at most."""
    if not shuffled(order):
        raise UnrecognisedError("it did not shuffle")
    ahead = max(example - place for place, example in enumerate(order))
    if BUFFER <= ahead < EXAMPLES // 2:
        raise UnrecognisedError(f"an example came {ahead} places ahead, with a buffer of {BUFFER}")
    return "the buffer" if ahead < BUFFER else "the whole data set"


def short_batch(sizes: Sequence[int]) -> str:
    """What happened to the last, short batch, from the sizes of the batches of two that three examples gave."""
    return recognise(sizes, {"kept": (2, 1), "dropped": (2,), "filled up": (2, 2)})


PIXELS = np.arange(256, dtype=np.uint8)


def pixel_scaling(scaled: np.ndarray) -> str:
    """Which operation on PIXELS gives `scaled` bit for bit, in the dtype of `scaled`."""
    number = scaled.dtype.type
    pixels = PIXELS.astype(scaled.dtype)
    candidates = {"÷ 255": pixels / number(255), "× 1/255": pixels * number(1 / 255)}
    if number is np.float64:
        candidates["× 1/255 in float32"] = pixels * np.float32(1 / 255)
    return recognise(scaled, candidates, tolerance=0)


SMALLER = 3


def nearest(picked: np.ndarray) -> str:
    """By which rule PLACES were resized to SMALLER places, from those that were picked."""
    scale, numbers = len(PLACES) / SMALLER, np.arange(SMALLER)
    candidates = {"⌊i · scale⌋": numbers * scale, "⌊(i + ½) · scale⌋": (numbers + 0.5) * scale}
    return recognise(picked, {name: PLACES[places.astype(int)] for name, places in candidates.items()})


def linear_resize(values: np.ndarray) -> str:
    """From which of PLACES each value comes, where they were resized to SMALLER places by linear interpolation."""
    count, scale, numbers = len(PLACES), len(PLACES) / SMALLER, np.arange(SMALLER)
    centres = (numbers + 0.5) * scale
    two = {
        "the nearest two of each axis; centres lie at ½": centres - 0.5,
        "the nearest two of each axis; the corners stay": numbers * (count - 1) / (SMALLER - 1),
        "the nearest two of each axis; the first corner stays": numbers * scale,
    }
    candidates = {name: np.interp(places, np.arange(count), PLACES) for name, places in two.items()}
    shares = np.maximum(0, 1 - np.abs(np.arange(count) + 0.5 - centres[:, None]) / scale)
    candidates["all that it covers: antialias"] = shares @ PLACES / shares.sum(axis=1)
    return recognise(values, candidates)


INTEGERS = np.array([-1, -2])


def integer_mean(mean: float) -> str:
    """What becomes of the fraction in a mean of INTEGERS."""
    return recognise(mean, {"cuts off the fraction": -1.0, "rounds down": -2.0, "keeps the fraction": -1.5})


def standard_deviation(spread: float) -> str:
    """What the squares are divided by in a standard deviation, from that of BATCH."""
    return recognise(spread, {"n": BATCH.std(), "n − 1": BATCH.std(ddof=1)})


STEPS = 3


def python_calls(calls: int) -> str:
    """When the Python code of a model runs, from how often it was called in STEPS steps of training."""
    return recognise(calls, {"at every step": STEPS, "once, while a graph is traced": 1})
