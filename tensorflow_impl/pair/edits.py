"""What can be done otherwise in a Keras model than its file says: each difference is tried as a change of this kind."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from shared.pairs.protocol import GIVEN, Edit
from shared.update_rules import CLIP_EPSILON

if TYPE_CHECKING:
    from tensorflow_impl.pair.subject import Model

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "": lambda x: x,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "gelu": lambda x, approximate="none": tf.nn.gelu(x, approximate == "tanh"),
    "leaky_relu": lambda x, negative_slope=0.01: tf.where(x > 0, x, negative_slope * x),
    "elu": lambda x, alpha=1.0: tf.where(x > 0, x, alpha * tf.math.expm1(x)),
    "silu": tf.nn.silu,
    "tanh": tf.math.tanh,
    "sigmoid": tf.math.sigmoid,
    "softplus": tf.math.softplus,
    # Keras takes a softmax back where it finds one before a loss of logits.
    "softmax": lambda x: tf.identity(tf.nn.softmax(x)),
}


def apply(model: "Model", edit: Edit) -> None:
    """Do it. What a model is given is not its own, and is changed elsewhere."""
    if edit.what == GIVEN:
        return
    TABLE[edit.what](model, edit.place, **edit.values)


def _layer(model: "Model", path: str) -> Any:
    return next(layer for layer in model.model._flatten_layers() if path in (layer.path, layer.name))


def _set_epsilon(model: "Model", path: str, value: float) -> None:
    _layer(model, path).epsilon = value


def _set_momentum(model: "Model", path: str, value: float) -> None:
    _layer(model, path).momentum = 1 - value


def _set_attribute(model: "Model", path: str, name: str, value: Any) -> None:
    layer = _layer(model, path)
    if "activation" not in name:
        setattr(layer, name, tuple(value) if isinstance(value, list) else value)
        return
    for each in (getattr(layer, "forward_layer", layer), getattr(layer, "backward_layer", layer)):
        setattr(each.cell, name, keras.activations.get(value))


def _no_mask(model: "Model", path: str) -> None:
    """Mask nothing."""
    layer = _layer(model, path)
    layer.mask_zero = layer.supports_masking = False
    model.watch.masks = False  # a functional model has them in its graph


def _pad(model: "Model", path: str, padding: list[list[int]], fill: str = "zeros", count: bool = True) -> None:
    """Pad explicitly, and then take the layer's windows without padding."""
    layer = _layer(model, path)
    call, last = layer.call, getattr(layer, "data_format", "channels_last") == "channels_last"
    layer.padding = "valid"
    mode = {"zeros": "CONSTANT", "reflect": "REFLECT"}.get(fill, "CONSTANT")
    lowest = fill == "lowest"

    def padded(inputs: tf.Tensor, **named: Any) -> Any:
        whole = [[0, 0], *padding, [0, 0]] if last else [[0, 0], [0, 0], *padding]
        kept = [[max(a, 0), max(b, 0)] for a, b in whole]
        filled = tf.pad(inputs, kept, mode, **({"constant_values": inputs.dtype.min} if lowest else {}))
        sums = call(filled, **named)
        if count:
            return sums
        ones = call(tf.pad(tf.ones_like(inputs), kept), **named)
        return sums / ones

    layer.call = padded


def _padding_mode(model: "Model", number: str, padding: list[list[int]], fill: str) -> None:
    """Let a padding add as many as this, and fill them with this."""
    mode = {"zeros": "CONSTANT", "reflect": "REFLECT", "replicate": "SYMMETRIC"}[
        fill
    ]  # of one pixel, the edge and its mirror are the same
    model.watch.functions[int(number)] = lambda x: tf.pad(x, [[0, 0], *padding, [0, 0]], mode)


def _told(model: "Model", number: str, name: str, value: Any) -> None:
    """Let a function be told something else."""
    model.watch.named.setdefault(int(number), {})[name] = value


def _activation(model: "Model", number: str, kind: str, settings: dict[str, Any]) -> None:
    model.watch.functions[int(number)] = functools.partial(ACTIVATIONS[kind], **settings)


def _after(model: "Model", number: str, kind: str, settings: dict[str, Any]) -> None:
    """Put an activation after a call."""
    model.watch.after[int(number)] = functools.partial(ACTIVATIONS[kind], **settings)


def _at(model: "Model", number: str, where: str, slot: int, change: Callable[[tf.Tensor], tf.Tensor]) -> None:
    """Change an input of a call, or its output."""
    if where == "in":
        model.watch.inputs[int(number), slot] = change
    else:
        model.watch.outputs[int(number)] = change


def _linear(model: "Model", number: str, where: str, slot: int, scale: float, offset: float) -> None:
    """Multiply, and add a number. Whole numbers, such as positions, stay whole."""

    def change(x: tf.Tensor) -> tf.Tensor:
        real = tf.cast(x, tf.float64) if x.dtype.is_integer else x
        return tf.cast(real * scale + offset, x.dtype)

    _at(model, number, where, slot, change)


def _rearrange(model: "Model", number: str, where: str, slot: int, axis: int, order: list[int]) -> None:
    """Put the entries along an axis into another order."""
    _at(model, number, where, slot, lambda x: tf.gather(x, order, axis=axis))


def _add(  # noqa: PLR0913, PLR0917 a place, and what is added there
    model: "Model", number: str, where: str, slot: int, other: int, end: str, scale: float
) -> None:
    """Add what went into another call, or came out of it."""
    _at(model, number, where, slot, lambda x: x + scale * model.watch.kept[other, end])


def _instead(model: "Model", number: str, where: str, slot: int, other: int, end: str) -> None:
    """Take what went into another call, or came out of it."""
    _at(model, number, where, slot, lambda _: model.watch.kept[other, end])


def _linear_outputs(model: "Model", _place: str, scale: float, offset: float) -> None:
    """Multiply what the model returns, and add a number."""
    outputs = model._outputs
    model._outputs = lambda inputs, *, training: outputs(inputs, training=training) * scale + offset  # type: ignore[method-assign]


def _training(model: "Model", path: str, value: bool, always: bool = False) -> None:
    """Let a normalisation take the batch's statistics in training, or not, or in tests too, whatever it is told."""
    layer = _layer(model, path)
    # Keras's own, for a class of the user's may not pass on what it is told.
    call = functools.partial(keras.layers.BatchNormalization.call, layer)
    if value:
        layer.trainable = True

    def told(inputs: tf.Tensor, training: bool | None = None, **named: Any) -> Any:
        return call(inputs, training=value if model.in_training or always else training, **named)

    layer.call = told
    if value and type(layer) is not keras.layers.BatchNormalization:
        _unbiased_variance(model, path)  # what such a class is for


def _two_biases(model: "Model", _place: str, names: list[str]) -> None:
    """Update these twice: each is the sum of two that PyTorch updates alike."""
    apply = model.optimizer.apply

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        twice = [(v, tf.convert_to_tensor(v)) for v in variables if model.names[id(v)] in names]
        apply(gradients, variables)
        for variable, before in twice:
            variable.assign(2 * variable - before)

    model.optimizer.apply = changed


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


def _cross_entropy(
    targets: tf.Tensor,
    outputs: tf.Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    **_: Any,
) -> tf.Tensor:
    classes = outputs.shape[-1]
    logits = tf.reshape(outputs, (-1, classes))
    log_probabilities = logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    if targets.dtype.is_integer:
        labels = tf.reshape(targets, (-1,))
        kept = tf.cast(labels != ignore_index, logits.dtype)
        truth = tf.one_hot(tf.where(labels == ignore_index, tf.zeros_like(labels), labels), classes, dtype=logits.dtype)
    else:
        truth = tf.reshape(targets, (-1, classes))
        kept = tf.ones(len(truth), logits.dtype)
    truth = truth * (1 - label_smoothing) + label_smoothing / classes
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
    "mse": _mse,
    "mae": _mae,
    "binary_cross_entropy": _binary_cross_entropy,
    "huber": _huber,
    "smooth_l1": _huber,
}


def _no_gradient_of_a_row(model: "Model", name: str, row: int) -> None:
    """Leave a row of an embedding out of the training."""

    def change(gradient: Any) -> Any:
        dense = tf.convert_to_tensor(gradient)
        return dense * tf.cast(tf.range(len(dense)) != row, dense.dtype)[:, None]

    model.gradient_changes[name] = change


def _trainable(model: "Model", name: str, value: bool) -> None:
    next(v for own, v in model.named_variables() if own == name).trainable = value


def _bias(model: "Model", path: str, values: list[float]) -> None:
    """Give a layer that has none a bias, with these first values."""
    layer = _layer(model, path)
    layer._tracker.unlock()  # a layer that is built takes no more weights
    layer.use_bias, layer.bias = True, layer.add_weight(shape=(len(values),), name="bias")
    layer._tracker.lock()
    layer.bias.assign(values)


def _penalty(model: "Model", _place: str) -> None:
    """Leave the regularisers' penalty out of the loss that is compared; it is trained as before."""
    model.penalty_in_loss = False


def _no_regularisers(model: "Model", _place: str) -> None:
    """Leave the penalty out, of the loss and of the training."""
    model.has_penalty = False


def _unbiased_variance(model: "Model", path: str) -> None:
    """Let the running variance take the batch's variance with n − 1, as PyTorch's does."""
    layer = _layer(model, path)
    call = layer.call

    def corrected(inputs: tf.Tensor, training: bool | None = None, **named: Any) -> Any:
        before = tf.convert_to_tensor(layer.moving_variance)
        output = call(inputs, training=training, **named)
        if training and layer.trainable:
            n = np.prod(inputs.shape) // inputs.shape[layer.axis]
            new = layer.moving_variance - before * layer.momentum
            layer.moving_variance.assign(before * layer.momentum + new * (n / (n - 1)))
        return output

    layer.call = corrected


def _rates(model: "Model", _place: str, rates: list[float]) -> None:
    """Take each step at this rate."""
    model.optimizer._learning_rate = _Rates(rates)


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates: list[float]) -> None:
        self.rates = tf.constant(rates, keras.config.floatx())

    def __call__(self, step: Any) -> tf.Tensor:
        return tf.gather(self.rates, tf.minimum(tf.cast(step, tf.int64), len(self.rates) - 1))


def _optimizer(model: "Model", _place: str, name: str, value: Any) -> None:
    """Set one of its numbers, by PyTorch's name."""
    names = {"eps": "epsilon", "alpha": "rho", "clip_norm": "global_clipnorm", "clip_value": "clipvalue"}
    names["clip_norm_each"] = "clipnorm"
    if name == "betas":
        model.optimizer.beta_1, model.optimizer.beta_2 = value
    else:
        setattr(model.optimizer, names.get(name, name), value or None if "clip" in name or "decay" in name else value)


def _rule(model: "Model", _place: str, rule: str, settings: dict[str, Any]) -> None:
    """Another of Keras's optimizers, at the same rates."""
    given = {"learning_rate": model.optimizer._learning_rate}
    kind = {name.lower(): kind for name, kind in vars(keras.optimizers).items() if isinstance(kind, type)}[rule]
    replaced = kind(learning_rate=float(model.optimizer.learning_rate))
    replaced._learning_rate = given["learning_rate"]
    model.optimizer = replaced
    for name, value in settings.items():
        _optimizer(model, "", name, value)


def _formula(model: "Model", _place: str, dampening: float = 0.0) -> None:
    """PyTorch's update rule, with this optimizer's numbers."""
    optimizer = model.optimizer
    optimizer.dampening = dampening
    rule = next(FORMULAS[c.__name__] for c in type(optimizer).__mro__ if c.__name__ in FORMULAS)
    optimizer.update_step = functools.partial(rule, optimizer)


def _sgd(self: Any, gradient: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    if not self.momentum:
        self.assign_sub(variable, rate * gradient)
        return
    buffer = self.momentums[self._get_variable_index(variable)]
    share = tf.where(self.iterations.value == 0, tf.ones_like(rate), 1 - self.dampening)
    self.assign(buffer, self.momentum * buffer + share * gradient)
    self.assign_sub(variable, rate * (gradient + self.momentum * buffer if self.nesterov else buffer))


def _adam(self: Any, gradient: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(square, self.beta_2 * square + (1 - self.beta_2) * gradient**2)
    if self.amsgrad:
        largest = self._velocity_hats[index]
        self.assign(largest, tf.maximum(largest.value, square.value))
        square = largest
    count = tf.cast(self.iterations + 1, tf.float64)
    size = tf.cast(tf.cast(rate, tf.float64) / (1 - self.beta_1**count), variable.dtype)
    root = tf.sqrt(square.value) / tf.cast(tf.sqrt(1 - self.beta_2**count), variable.dtype)
    self.assign_sub(variable, size * mean / (root + self.epsilon))


def _rmsprop(self: Any, gradient: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    square = self._velocities[self._get_variable_index(variable)]
    self.assign(square, self.rho * square + (1 - self.rho) * gradient**2)
    self.assign_sub(variable, rate * gradient / (tf.sqrt(square.value) + self.epsilon))


def _adagrad(self: Any, gradient: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    total = self._accumulators[self._get_variable_index(variable)]
    self.assign_add(total, gradient**2)
    self.assign_sub(variable, rate * gradient / (tf.sqrt(total.value) + self.epsilon))


FORMULAS = {"SGD": _sgd, "Adam": _adam, "AdamW": _adam, "RMSprop": _rmsprop, "Adagrad": _adagrad}


def _on_gradients(model: "Model", change: Callable[[list[Any], list[Any]], list[Any]]) -> None:
    """Change all gradients before the optimizer sees them."""
    apply = model.optimizer.apply

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        apply(change(list(gradients), list(variables)), variables)

    model.optimizer.apply = changed


def _dense_gradients(model: "Model", _place: str) -> None:
    """Sum the gradient of a token that occurs more than once before anything is made of it."""
    _on_gradients(model, lambda gradients, _: [g if g is None else tf.convert_to_tensor(g) for g in gradients])


def _coupled_decay(model: "Model", _place: str, decays: dict[str, float]) -> None:
    """Make the decay part of the gradient."""
    model.optimizer.weight_decay = None

    def change(gradients: list[Any], variables: list[Any]) -> list[Any]:
        pairs = zip(gradients, variables, strict=True)
        return [g if g is None else g + decays.get(model.names[id(v)], 0.0) * v for g, v in pairs]

    _on_gradients(model, change)


def _decays(model: "Model", _place: str, decays: dict[str, float]) -> None:
    """Decay each weight by its own number, outside the rule."""
    model.optimizer.weight_decay = None
    apply = model.optimizer.apply

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        for variable in variables:
            decay = decays.get(model.names[id(variable)], 0.0)
            variable.assign(variable * (1 - tf.cast(model.optimizer.learning_rate, variable.dtype) * decay))
        apply(gradients, variables)

    model.optimizer.apply = changed


def _clip_as_pytorch(
    model: "Model",
    _place: str,
    limit: float | None,
    each: float | None = None,
    value: float | None = None,
    norm_type: str = "2",
) -> None:
    """Clip all gradients together, each by itself, or each number; a norm has 1e-6 added before it divides."""
    optimizer = model.optimizer
    optimizer.global_clipnorm = optimizer.clipnorm = optimizer.clipvalue = None

    def clipped(gradients: list[tf.Tensor], most: float) -> list[tf.Tensor]:
        norms = tf.stack([tf.norm(tf.reshape(g, (-1,)), float(norm_type)) for g in gradients])
        factor = tf.minimum(most / (tf.norm(norms, float(norm_type)) + CLIP_EPSILON), 1)
        return [g * factor for g in gradients]

    def change(gradients: list[Any], _variables: list[Any]) -> list[Any]:
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        if limit is not None:
            there = clipped(there, limit)
        if each is not None:
            there = [clipped([g], each)[0] for g in there]
        if value is not None:
            there = [tf.clip_by_value(g, -value, value) for g in there]
        rest = iter(there)
        return [g if g is None else next(rest) for g in gradients]

    if limit is not None or each is not None or value is not None:
        _on_gradients(model, change)


TABLE: dict[str, Callable[..., None]] = {
    "epsilon": _set_epsilon,
    "momentum": _set_momentum,
    "attribute": _set_attribute,
    "no mask": _no_mask,
    "pad": _pad,
    "told": _told,
    "activation": _activation,
    "after": _after,
    "linear": _linear,
    "add": _add,
    "instead": _instead,
    "linear outputs": _linear_outputs,
    "training": _training,
    "two biases": _two_biases,
    "rearrange": _rearrange,
    "loss": _loss,
    "loss scale": _loss_scale,
    "loss shape": _loss_shape,
    "loss broadcast": _loss_broadcast,
    "no gradient of a row": _no_gradient_of_a_row,
    "trainable": _trainable,
    "bias": _bias,
    "no regularisers": _no_regularisers,
    "padding mode": _padding_mode,
    "penalty": _penalty,
    "unbiased variance": _unbiased_variance,
    "rates": _rates,
    "optimizer": _optimizer,
    "rule": _rule,
    "formula": _formula,
    "dense gradients": _dense_gradients,
    "coupled decay": _coupled_decay,
    "decays": _decays,
    "clip": _clip_as_pytorch,
}
