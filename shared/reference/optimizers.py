"""The reference's optimizers: PyTorch's formulas in NumPy, by hand.

Each update rule makes a direction of a gradient and of what is kept of earlier ones. Then, in all of them,
weight -= rate × direction. docs/optimizers.md has the formulas, and how Keras's differ.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from shared.network import Weights
from shared.reference.model import Model
from shared.running.schedule import factor
from shared.training import Training
from shared.update_rules import (
    ADAGRAD_EPSILON,
    ADAGRAD_INITIAL_ACCUMULATOR,
    ADAM_BETAS,
    ADAM_EPSILON,
    CLIP_EPSILON,
    MOMENTUM,
    RMSPROP_ALPHA,
    RMSPROP_EPSILON,
    UPDATE_RULES,
)


class Kept(NamedTuple):
    """What is kept of earlier gradients for one weight tensor, of its shape and dtype. Changed in place."""

    mean: np.ndarray
    square: np.ndarray


# From (gradient, kept, number of this step from 1) to the direction, all of the shape and dtype of the weights.
Rule = Callable[[np.ndarray, Kept, int], np.ndarray]


def _sgd(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    return gradient


def _momentum(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    # Polyak's momentum, as Sutskever et al. 2013 write it; but they, and Keras, keep the rate inside the buffer.
    kept.mean[...] = MOMENTUM * kept.mean + gradient
    return kept.mean


def _nesterov(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    return gradient + MOMENTUM * _momentum(gradient, kept, count)


def _adam(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    # Algorithm 1 of Kingma and Ba 2015 (arXiv 1412.6980). Both means start from 0, for which the division corrects.
    beta1, beta2 = ADAM_BETAS
    kept.mean[...] = beta1 * kept.mean + (1 - beta1) * gradient
    kept.square[...] = beta2 * kept.square + (1 - beta2) * gradient**2
    mean, square = kept.mean / (1 - beta1**count), kept.square / (1 - beta2**count)
    return mean / (np.sqrt(square) + ADAM_EPSILON)


def _rmsprop(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    kept.square[...] = RMSPROP_ALPHA * kept.square + (1 - RMSPROP_ALPHA) * gradient**2
    direction: np.ndarray = gradient / (np.sqrt(kept.square) + RMSPROP_EPSILON)
    return direction


def _adagrad(gradient: np.ndarray, kept: Kept, count: int) -> np.ndarray:
    kept.square[...] += gradient**2  # their sum: no share of it is lost
    direction: np.ndarray = gradient / (np.sqrt(kept.square) + ADAGRAD_EPSILON)
    return direction


RULES: dict[str, Rule] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "adamw": _adam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
}


class Optimizer:
    """Applies gradients to a model, and keeps what its rule needs from step to step."""

    def __init__(
        self, training: Training, weights: Weights, kept: Weights | None = None, steps: int = 0, *, fused: bool = False
    ) -> None:
        """After so many `steps`, and with the `buffers` of then in `kept`; without, at the start.

        `fused`: AdamW's shrunk float32 weights are not rounded before their update is subtracted.
        """
        self._training, self._steps, self._fused = training, steps, fused
        start = ADAGRAD_INITIAL_ACCUMULATOR if training.optimizer == "adagrad" else 0.0
        self.kept = {name: Kept(np.zeros_like(w), np.full_like(w, start)) for name, w in weights.items()}
        for buffer_and_name, values in (kept or {}).items():
            buffer, name = buffer_and_name.split("/")
            getattr(self.kept[name], buffer)[...] = values

    def apply(self, weights: dict[str, np.ndarray], gradients: Weights) -> None:
        """One update of `weights` in place. `gradients` has its names, shapes and dtype, and is left as it is."""
        training, decay = self._training, self._training.weight_decay
        rate = training.learning_rate * factor(training, self._steps)
        self._steps += 1
        if training.clip_norm:
            shrinking = np.minimum(training.clip_norm / (self.norm(gradients) + CLIP_EPSILON), 1)
            gradients = {name: shrinking * gradient for name, gradient in gradients.items()}
        shrunk: Weights = weights
        if decay and training.optimizer == "adamw":
            # Decoupled: weights shrink outside the rule (Loshchilov and Hutter 2019, arXiv 1711.05101).
            exactly = np.float64 if self._fused else None  # as the product of two float32 is in float64
            shrunk = {
                name: np.multiply(values, values.dtype.type(1 - rate * decay), dtype=exactly)
                for name, values in weights.items()
            }
        elif decay:
            # Coupled: the gradient of decay / 2 × |weights|², which goes through the rule like the rest.
            gradients = {name: gradient + decay * weights[name] for name, gradient in gradients.items()}
        for name, gradient in gradients.items():
            update = rate * RULES[training.optimizer](gradient, self.kept[name], self._steps)
            np.subtract(shrunk[name], update, out=weights[name], casting="same_kind")

    def norm(self, gradients: Weights) -> np.floating:
        """The Euclidean norm of all gradients together, by which they are clipped: Pascanu et al. 2013."""
        norm: np.floating = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
        return norm


def make_optimizer(training: Training, model: Model) -> Optimizer:
    """The training's optimizer for the model, at its first step."""
    return Optimizer(training, model.parameters)


def buffers(training: Training, model: Model, optimizer: Optimizer) -> dict[str, np.ndarray]:
    """Copies of what it keeps of earlier gradients, as `mean/fc1.weight` and so on, in the interchange form."""
    return {
        f"{buffer}/{name}": getattr(kept, buffer).copy()
        for buffer in UPDATE_RULES[training.optimizer].buffers
        for name, kept in optimizer.kept.items()
    }
