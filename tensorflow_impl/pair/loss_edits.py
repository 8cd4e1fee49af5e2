"""What can be done otherwise with the loss of a Keras file: PyTorch's losses, and how they are called."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from tensorflow_impl.pair.subject import Model


def _loss(model: "Model", _place: str, kind: str, settings: dict[str, Any]) -> None:
    """Take PyTorch's loss of this kind, with these settings."""
    model.loss = functools.partial(LOSSES[kind], **settings)


def _loss_scale(model: "Model", _place: str, scale: float) -> None:
    loss = model.loss
    model.loss = lambda targets, outputs: loss(targets, outputs) * scale


def _loss_shape(model: "Model", _place: str) -> None:
    """Give the loss outputs of the targets' shape."""
    loss = model.loss
    model.loss = lambda targets, outputs: loss(targets, tf.reshape(outputs, targets.shape))


def _loss_broadcast(model: "Model", _place: str) -> None:
    """Set each output against all targets."""
    loss = model.loss
    everyone = lambda x: tf.reshape(tf.tile(x, [len(x), 1]), (-1, 1))  # noqa: E731
    model.loss = lambda targets, outputs: loss(
        everyone(tf.reshape(targets, (-1, 1))), tf.reshape(tf.repeat(outputs, len(targets), axis=0), (-1, 1))
    )


def _cross_entropy(  # noqa: PLR0913, PLR0917 what PyTorch's is told
    targets: tf.Tensor,
    outputs: tf.Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    of_logarithms: bool = False,
    reduction: str = "mean",
    weight: list[float] | None = None,
    **_: Any,
) -> tf.Tensor:
    classes = outputs.shape[-1]
    logits = tf.reshape(outputs, (-1, classes))
    # NLL takes logarithms of probabilities, and looks at nothing else.
    log_probabilities = logits - (0 if of_logarithms else tf.reduce_logsumexp(logits, axis=-1, keepdims=True))
    weights = tf.ones(classes, logits.dtype) if weight is None else tf.constant(weight, logits.dtype)
    if targets.dtype.is_integer:
        labels = tf.reshape(targets, (-1,))
        kept = tf.cast(labels != ignore_index, logits.dtype)
        truth = tf.one_hot(tf.where(labels == ignore_index, tf.zeros_like(labels), labels), classes, dtype=logits.dtype)
    else:
        truth = tf.reshape(targets, (-1, classes))
        kept = tf.ones(len(truth), logits.dtype)
    if targets.dtype.is_integer:
        kept *= tf.reduce_sum(truth * weights, -1)  # each example counts as its class
        share = label_smoothing / classes * weights / tf.reduce_sum(truth * weights, -1, keepdims=True)
    else:
        share = label_smoothing / classes * weights
        truth *= weights
    truth = truth * (1 - label_smoothing) + share
    losses = -tf.reduce_sum(truth * log_probabilities, -1) * kept
    return tf.reduce_sum(losses) / (tf.reduce_sum(kept) if reduction == "mean" else 1)


def _mse(targets: tf.Tensor, outputs: tf.Tensor, reduction: str = "mean", **_: Any) -> tf.Tensor:
    squares = (outputs - targets) ** 2
    return tf.reduce_mean(squares) if reduction == "mean" else tf.reduce_sum(squares)


def _mae(targets: tf.Tensor, outputs: tf.Tensor, reduction: str = "mean", **_: Any) -> tf.Tensor:
    sizes = tf.abs(outputs - targets)
    return tf.reduce_mean(sizes) if reduction == "mean" else tf.reduce_sum(sizes)


def _binary_cross_entropy(
    targets: tf.Tensor, outputs: tf.Tensor, from_logits: bool = True, reduction: str = "mean", **_: Any
) -> tf.Tensor:
    targets = tf.cast(tf.reshape(targets, outputs.shape), outputs.dtype)
    if from_logits:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)
    else:
        losses = -targets * tf.math.log(outputs) - (1 - targets) * tf.math.log(1 - outputs)
    return tf.reduce_mean(losses) if reduction == "mean" else tf.reduce_sum(losses)


def _huber(
    targets: tf.Tensor,
    outputs: tf.Tensor,
    delta: float = 1.0,
    beta: float | None = None,
    reduction: str = "mean",
    **_: Any,
) -> tf.Tensor:
    """PyTorch's Huber loss with `delta`; with `beta` its smooth L1, which is that divided by it."""
    edge = delta if beta is None else beta
    sizes = tf.abs(outputs - targets)
    losses = tf.where(sizes < edge, sizes**2 / 2, edge * (sizes - edge / 2)) / (1.0 if beta is None else beta)
    return tf.reduce_mean(losses) if reduction == "mean" else tf.reduce_sum(losses)


LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "cross_entropy": _cross_entropy,
    "nll": functools.partial(_cross_entropy, of_logarithms=True),
    "mse": _mse,
    "mae": _mae,
    "binary_cross_entropy": _binary_cross_entropy,
    "huber": _huber,
    "smooth_l1": _huber,
}


TABLE: dict[str, Callable[..., None]] = {
    "loss": _loss,
    "loss scale": _loss_scale,
    "loss shape": _loss_shape,
    "loss broadcast": _loss_broadcast,
}
