"""The network: its layers and their shapes, and the weights that it starts from.

Weights travel in the interchange form: a dict from PyTorch's `state_dict` names to NumPy arrays in PyTorch's layout,
`fc1.weight` (out, in), `fc1.bias` (out,) and so on.
"""

import math
from collections.abc import Collection, Mapping
from itertools import pairwise

import numpy as np

from shared import random_numbers
from shared.mnist import MNIST
from shared.training import KerasDefault, Training

Weights = Mapping[str, np.ndarray]


def layer_sizes(training: Training) -> dict[str, tuple[int, int]]:
    """(fan_in, fan_out) of each layer by name, `fc1` first. The last gives the logits, the others are hidden."""
    sizes = pairwise((MNIST.pixels, *training.hidden_sizes, len(MNIST.classes)))
    return {f"fc{number}": pair for number, pair in enumerate(sizes, start=1)}


def hidden_layers(training: Training) -> list[str]:
    """The names of the layers before the last."""
    return list(layer_sizes(training))[:-1]


def weight_shapes(training: Training) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter by name, named and laid out as in PyTorch's `state_dict`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, fan_out) in layer_sizes(training).items():
        shapes[f"{layer}.weight"] = (fan_out, fan_in)
        shapes[f"{layer}.bias"] = (fan_out,)
    return shapes


def count_weights(training: Training) -> int:
    """How many numbers the network learns."""
    return sum(math.prod(shape) for shape in weight_shapes(training).values())


def initial_weights(training: Training, defaults: Collection[KerasDefault] = ()) -> dict[str, np.ndarray]:
    """PyTorch's default for `nn.Linear`: weights and biases both uniform in ±1/√fan_in.

    With Keras's `defaults` the same random numbers are scaled as in its `Dense`: `kernels` uniform in
    ±√(6 / (fan_in + fan_out)), after Glorot; `biases` zero. All are rounded to float32 first, so that runs in float32
    and float64 start at the same point.
    """
    weights: dict[str, np.ndarray] = {}
    shapes = weight_shapes(training)
    for layer, (fan_in, fan_out) in layer_sizes(training).items():
        divisors = {
            f"{layer}.weight": math.sqrt((fan_in + fan_out) / 6 if "kernels" in defaults else fan_in),
            f"{layer}.bias": math.inf if "biases" in defaults else math.sqrt(fan_in),
        }
        for name, divisor in divisors.items():
            stream = {"seed": training.seed, "purpose": random_numbers.WEIGHTS, "index": len(weights)}
            values = (2 * random_numbers.uniform(math.prod(shapes[name]), **stream) - 1) / divisor
            weights[name] = values.reshape(shapes[name]).astype(np.float32).astype(training.numpy_dtype)
    return weights


def perturb(weights: Weights, draw: int = 0) -> dict[str, np.ndarray]:
    """Every weight moved by 1 ulp, one unit in the last place of its dtype, up or down at random, as rounding does."""
    moved: dict[str, np.ndarray] = {}
    for index, (name, values) in enumerate(weights.items()):
        raw = random_numbers.bits(values.size, seed=draw, purpose=random_numbers.SIGNS, index=index)
        infinity = np.where(raw.reshape(values.shape) >> np.uint64(63), np.inf, -np.inf)
        moved[name] = np.nextafter(values, infinity.astype(values.dtype))
    return moved
