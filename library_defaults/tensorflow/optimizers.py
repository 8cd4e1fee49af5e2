"""What Keras's optimizers, clipping and schedules do unless told otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from library_defaults import update_rules
from library_defaults.probing import default, printed_by
from library_defaults.update_rules import BETAS, DECAY, EPSILON, START, STEADY


def _updated(kind: Callable[..., Any], steps: Sequence[tuple[float, float]] = STEADY, **options: Any) -> np.ndarray:
    """A float64 weight that starts at START, after each step with its (rate, gradient): float64 (steps,)."""
    weight = keras.Variable(START, dtype="float64")
    optimizer = kind(steps[0][0], **options)
    optimizer.build([weight])
    seen = []
    for rate, gradient in steps:
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(gradient, tf.float64)], [weight])
        seen.append(weight.numpy().item())
    return np.array(seen)


def sgd_learning_rate() -> float:
    return default(keras.optimizers.SGD, "learning_rate")


def sgd_momentum() -> str:
    """Where the rate enters SGD with momentum; it shows when the rate changes."""
    return update_rules.momentum(_updated(keras.optimizers.SGD, update_rules.DROPPING, momentum=update_rules.MOMENTUM))


def sgd_weight_decay() -> str:
    """How `weight_decay` enters SGD; it shows with momentum."""
    return update_rules.sgd_decay(_updated(keras.optimizers.SGD, momentum=update_rules.MOMENTUM, weight_decay=DECAY))


def adam_learning_rate() -> float:
    return default(keras.optimizers.Adam, "learning_rate")


def adam_epsilon() -> float:
    return default(keras.optimizers.Adam, "epsilon")


def adam_epsilon_place() -> str:
    """Where Adam adds ε; it shows with a large ε."""
    return update_rules.adam_epsilon(_updated(keras.optimizers.Adam, beta_1=BETAS[0], beta_2=BETAS[1], epsilon=EPSILON))


def adam_weight_decay() -> str:
    """How `weight_decay` enters Adam."""
    options: dict[str, Any] = {"beta_1": BETAS[0], "beta_2": BETAS[1], "epsilon": 0.0, "weight_decay": DECAY}
    return update_rules.adam_decay(_updated(keras.optimizers.Adam, **options))


def adam_repeated_token() -> str:
    """What Adam's mean square takes in where a batch has one token several times."""
    (rate, gradient), _ = STEADY
    embedding = keras.layers.Embedding(1, 1, embeddings_initializer="zeros", dtype="float64")
    optimizer = keras.optimizers.Adam(rate, beta_1=BETAS[0], beta_2=BETAS[1], epsilon=0.0)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(gradient * embedding(tf.zeros(update_rules.OCCURRENCES, tf.int64)))
    optimizer.apply(tape.gradient(total, embedding.trainable_variables), embedding.trainable_variables)
    return update_rules.repeated_token(-embedding.embeddings.numpy().item())


def adamw_weight_decay() -> float:
    return default(keras.optimizers.AdamW, "weight_decay")


def nadam_learning_rate() -> float:
    return default(keras.optimizers.Nadam, "learning_rate")


def rmsprop_learning_rate() -> float:
    return default(keras.optimizers.RMSprop, "learning_rate")


def rmsprop_smoothing() -> float:
    """The share of the old value in RMSprop's mean square."""
    return default(keras.optimizers.RMSprop, "rho")


def rmsprop_epsilon() -> float:
    return default(keras.optimizers.RMSprop, "epsilon")


def rmsprop_epsilon_place() -> str:
    """Where RMSprop adds ε; it shows with a large ε."""
    return update_rules.rmsprop_epsilon(_updated(keras.optimizers.RMSprop, rho=BETAS[1], epsilon=EPSILON))


def adagrad_learning_rate() -> float:
    return default(keras.optimizers.Adagrad, "learning_rate")


def adagrad_accumulator() -> float:
    """Where Adagrad's sum of squares begins."""
    return default(keras.optimizers.Adagrad, "initial_accumulator_value")


def adagrad_epsilon() -> float:
    return default(keras.optimizers.Adagrad, "epsilon")


def adagrad_epsilon_place() -> str:
    """Where Adagrad adds ε; it shows with a large ε."""
    options: dict[str, Any] = {"initial_accumulator_value": update_rules.ACCUMULATED, "epsilon": EPSILON}
    return update_rules.adagrad_epsilon(_updated(keras.optimizers.Adagrad, **options))


def adadelta_learning_rate() -> float:
    return default(keras.optimizers.Adadelta, "learning_rate")


def adadelta_smoothing() -> float:
    """The share of the old value in Adadelta's mean squares."""
    return default(keras.optimizers.Adadelta, "rho")


def adadelta_epsilon() -> float:
    return default(keras.optimizers.Adadelta, "epsilon")


def adamax_learning_rate() -> float:
    return default(keras.optimizers.Adamax, "learning_rate")


def adamax_epsilon() -> float:
    return default(keras.optimizers.Adamax, "epsilon")


def default_optimizer() -> str:
    """Which optimizer makes the first step of a training for which none was named."""
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(loss="mse")
    model.train_on_batch(np.ones((1, 1)), -np.ones((1, 1)))
    return update_rules.default_optimizer(-layer.kernel.numpy().item())


def learning_rate_dtype() -> str:
    """The dtype of SGD's rate for a float64 weight."""
    return update_rules.rate_dtype(_updated(keras.optimizers.SGD, [(update_rules.TENTH, 1.0)]))


def momentum_dtype() -> str:
    """The dtype of SGD's momentum for a float64 weight."""
    return update_rules.momentum_dtype(
        _updated(keras.optimizers.SGD, update_rules.COASTING, momentum=update_rules.TENTH)
    )


def l2_gradient() -> str:
    """What an L2 penalty of strength λ adds to the gradient."""
    # Keras has this penalty as the regulariser of a layer, PyTorch as the `weight_decay` of SGD.
    weight = tf.Variable(START, dtype=tf.float64)
    with tf.GradientTape() as tape:
        penalty = keras.regularizers.L2(DECAY)(weight)
    return update_rules.penalty_gradient(tape.gradient(penalty, weight).numpy())


def _clipped(gradients: Sequence[float], **options: Any) -> np.ndarray:
    """The gradients (weights,) after clipping by norm, one number for each weight: float64 (weights,)."""
    weights = [keras.Variable(0.0, dtype="float64") for _ in gradients]
    optimizer = keras.optimizers.SGD(1.0, **options)
    optimizer.build(weights)
    optimizer.apply([tf.constant(gradient, tf.float64) for gradient in gradients], weights)
    return np.array([-weight.numpy() for weight in weights])


def clipping_scope() -> str:
    """Which norm is limited where gradients are clipped by norm."""
    return update_rules.clipping_scope(_clipped(update_rules.TWO_GRADIENTS, clipnorm=1.0))


def clipping_denominator() -> str:
    """What the gradients are divided by where all are clipped together."""
    return update_rules.clipping_denominator(
        _clipped(update_rules.TINY_GRADIENTS, global_clipnorm=update_rules.TINY_LIMIT)
    )


def clipping_repeated_token() -> str:
    """What the norm of a gradient takes in where a batch has one token several times."""
    embedding = keras.layers.Embedding(1, 1, embeddings_initializer="zeros", dtype="float64")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(embedding(tf.zeros(update_rules.OCCURRENCES, tf.int64)))
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    optimizer.apply(tape.gradient(total, embedding.trainable_variables), embedding.trainable_variables)
    return update_rules.clipped_token(-embedding.embeddings.numpy().item())


def gradients_of_two_passes() -> str:
    """What the second backward pass does with the gradient of the first."""
    weight = tf.Variable(START)
    gradients = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            outputs = update_rules.SLOPE * weight
        gradients.append(tape.gradient(outputs, weight).numpy().item())
    return update_rules.second_pass(gradients)


def accumulated_gradients() -> str:
    """What the optimizer gets of the gradients of several batches."""
    weight = keras.Variable(0.0)
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=len(update_rules.TWO_GRADIENTS))
    for gradient in update_rules.TWO_GRADIENTS:
        optimizer.apply([tf.constant(gradient)], [weight])
    return update_rules.accumulated(-weight.numpy().item())


def replicated_gradients() -> str:
    """What the optimizer gets of the gradients of several replicas."""
    return update_rules.accumulated(printed_by("library_defaults.tensorflow.replicas"))


def _first_drop(losses: Sequence[float], **options: Any) -> int:
    """The epoch after which the rate dropped on a plateau, counted from 0; 0 where it never did."""
    model = keras.Sequential()
    model.compile(keras.optimizers.SGD(1.0))
    callback = keras.callbacks.ReduceLROnPlateau(**options)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.optimizer.learning_rate < 1:
            return epoch
    return 0


def plateau_threshold() -> float:
    """How much lower a loss must be to count as better."""
    return default(keras.callbacks.ReduceLROnPlateau, "min_delta")


def plateau_threshold_mode() -> str:
    """Whether that threshold is absolute, or relative to the best loss."""
    return update_rules.plateau_threshold(
        _first_drop(update_rules.BETTER_RELATIVELY, patience=0), _first_drop(update_rules.BETTER_ABSOLUTELY, patience=0)
    )


def plateau_patience() -> int:
    return default(keras.callbacks.ReduceLROnPlateau, "patience")


def plateau_epochs_waited() -> int:
    """After how many epochs in a row that are not better the rate drops."""
    return _first_drop(update_rules.MANY_EQUAL_LOSSES)


def milestone() -> int:
    """The first step, counted from 0, with the rate that follows a milestone."""
    weight = keras.Variable(START, dtype="float64")
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([update_rules.MILESTONE], [0.5, 0.25])
    optimizer = keras.optimizers.SGD(schedule)
    optimizer.build([weight])
    seen = [START]
    for _ in update_rules.STEPS_AROUND_IT:
        optimizer.apply([tf.constant(1.0, tf.float64)], [weight])
        seen.append(weight.numpy().item())
    return update_rules.first_lower(-np.diff(seen))


def schedule_unit() -> str:
    """With what a schedule goes on."""
    weight = keras.Variable(START, dtype="float64")
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5))
    seen = []
    for _ in range(2):
        optimizer.apply([tf.constant(1.0, tf.float64)], [weight])
        seen.append(weight.numpy().item())
    return update_rules.schedule_unit(np.array(seen))
