"""The optimizers in Keras: the library's own, made to follow PyTorch's formulas where theirs differ.

Here a Python float meets a tensor in an operator, which takes it as it is. Keras's own rules prepare their constants by
`keras.ops.cast` and `tf.cast`, which round them to float32 first, even in a float64 run.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

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
    Buffer,
)
from tensorflow_impl.model import MLP, interchange

# Keras's names for the buffers, one or another in each of its classes.
NAMES: dict[Buffer, set[str]] = {
    "mean": {"momentums", "_momentums"},
    "square": {"_velocities", "_accumulators"},
}


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of each step. Keras asks for it at each step; PyTorch's scheduler sets the next one after each step."""

    def __init__(self, training: Training) -> None:
        rates = [training.learning_rate * factor(training, step) for step in range(training.steps)]
        self._rates = tf.constant(rates, training.dtype)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of the step with this number, counted from 0, ()."""
        return tf.gather(self._rates, step)


class LikePyTorch(keras.optimizers.Optimizer):
    """What PyTorch does with gradients before any of its rules sees them: clip, and add the decay."""

    def __init__(self, training: Training, **constants: Any) -> None:
        rate = training.learning_rate if training.schedule == "constant" else Schedule(training)
        super().__init__(learning_rate=rate, **constants)
        self.clip_norm, self.decay, self.coupled = (
            training.clip_norm,
            training.weight_decay,
            training.optimizer != "adamw",
        )

    def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable]) -> None:
        """One update of the variables from their gradients."""
        if self.clip_norm:
            # Keras's global_clipnorm divides by the norm alone, and its clipnorm takes each tensor by itself; PyTorch
            # adds 1e-6 to the norm of all.
            shrinking = ops.minimum(self.clip_norm / (tf.linalg.global_norm(grads) + CLIP_EPSILON), 1)
            grads = [shrinking * gradient for gradient in grads]
        if self.decay and self.coupled:
            # Keras's weight_decay is outside the rule in all, as in AdamW; PyTorch's is part of the gradient.
            pairs = zip(grads, trainable_variables, strict=True)
            grads = [gradient + self.decay * variable for gradient, variable in pairs]
        super().apply(grads, trainable_variables)


class SGD(LikePyTorch, keras.optimizers.SGD):
    """Keras's rule is PyTorch's."""


class Momentum(LikePyTorch, keras.optimizers.SGD):
    """Nesterov's too: the buffer adds up gradients, and is multiplied by the rate of the current step.

    Keras's adds up gradients that were multiplied by the rate of their own step. The two differ once the rate changes.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One update of one variable."""
        buffer = self.momentums[self._get_variable_index(variable)]
        self.assign(buffer, self.momentum * buffer + gradient)
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        self.assign_sub(variable, learning_rate * direction)


class Adam(LikePyTorch, keras.optimizers.Adam):
    """Corrects the bias, in double precision, and then adds epsilon.

    Keras adds epsilon before, and corrects in the variable's dtype: in float32, 1 - 0.999 alone is 1.3e-5 off.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One update of one variable."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        count = tf.cast(self.iterations + 1, tf.float64)
        step_size = tf.cast(tf.cast(learning_rate, tf.float64) / (1 - self.beta_1**count), variable.dtype)
        root = ops.sqrt(square) / tf.cast(tf.sqrt(1 - self.beta_2**count), variable.dtype)
        self.assign_sub(variable, step_size * mean / (root + self.epsilon))


class AdamW(Adam):
    """Multiplies each weight by 1 - rate × decay, outside the rule.

    Keras subtracts weight × decay × rate, which is the same but for rounding: in float32 1 - 1e-5 is off by 1.4e-8,
    which is 0.14 % of the decay, and by the same at every step.
    """

    def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable]) -> None:
        """One update of the variables from their gradients."""
        kept = 1 - tf.cast(self.learning_rate, tf.float64) * self.decay
        for variable in trainable_variables:
            self.assign(variable, tf.cast(kept, variable.dtype) * variable)
        super().apply(grads, trainable_variables)


class RMSprop(LikePyTorch, keras.optimizers.RMSprop):
    """Adds epsilon to the root; Keras to what is under it."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One update of one variable."""
        square = self._velocities[self._get_variable_index(variable)]
        self.assign(square, self.rho * square + (1 - self.rho) * ops.square(gradient))
        self.assign_sub(variable, learning_rate * gradient / (ops.sqrt(square) + self.epsilon))


class Adagrad(LikePyTorch, keras.optimizers.Adagrad):
    """Adds epsilon to the root; Keras to what is under it, which by default starts from 0.1."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One update of one variable."""
        total = self._accumulators[self._get_variable_index(variable)]
        self.assign_add(total, ops.square(gradient))
        self.assign_sub(variable, learning_rate * gradient / (ops.sqrt(total) + self.epsilon))


def make_optimizer(training: Training, model: MLP) -> keras.optimizers.Optimizer:
    """The training's optimizer for the model, at its first step. It clips, decays and changes its rate by itself."""
    match training.optimizer:
        case "sgd":
            optimizer = SGD(training)
        case "momentum" | "nesterov":
            optimizer = Momentum(training, momentum=MOMENTUM, nesterov=training.optimizer == "nesterov")
        case "adam" | "adamw":
            adam = AdamW if training.optimizer == "adamw" else Adam
            optimizer = adam(training, beta_1=ADAM_BETAS[0], beta_2=ADAM_BETAS[1], epsilon=ADAM_EPSILON)
        case "rmsprop":
            optimizer = RMSprop(training, rho=RMSPROP_ALPHA, epsilon=RMSPROP_EPSILON)
        case "adagrad":
            optimizer = Adagrad(
                training, initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR, epsilon=ADAGRAD_EPSILON
            )
    optimizer.build(model.trainable_variables)
    return optimizer


def buffers(training: Training, model: MLP, optimizer: keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    """Copies of what it keeps of earlier gradients, as `mean/fc1.weight` and so on, in the interchange form."""
    found: dict[str, np.ndarray] = {}
    for buffer in UPDATE_RULES[training.optimizer].buffers:
        variables = next(getattr(optimizer, name) for name in NAMES[buffer] if hasattr(optimizer, name))
        tensors = [variable.value for variable in variables]
        found |= {f"{buffer}/{name}": values for name, values in interchange(model, tensors).items()}
    return found
