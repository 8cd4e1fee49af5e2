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
    # PyTorch's, which is x itself above 20.
    "softplus": lambda x, beta=1.0: tf.where(beta * x > 20, x, tf.math.softplus(beta * x) / beta),  # noqa: PLR2004
    "selu": tf.nn.selu,
    "mish": lambda x: x * tf.math.tanh(tf.math.softplus(x)),
    "softsign": tf.math.softsign,
    "hard_silu": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "hard_sigmoid": lambda x: tf.nn.relu6(x + 3) / 6,
    "hardtanh": lambda x, low=-1.0, high=1.0: tf.clip_by_value(x, low, high),
    "log_softmax": tf.nn.log_softmax,
    # Keras takes a softmax back where it finds one before a loss of logits.
    "softmax": lambda x: tf.identity(tf.nn.softmax(x)),
}


# Changes of the optimizer, in the order in which they are made. Of those that stand around its step, the last is the
# first to see the gradients: PyTorch clips them before the decay is added, and what is decayed apart is not doubled.
OF_OPTIMIZER = (
    "rule",
    "optimizer",
    "clip",
    "formula",
    "two biases",
    "decays",
    "coupled decay",
    "clip denominator",
    "dense gradients",
)


def in_order(edits: list[Edit]) -> list[Edit]:
    """As they are to be made, in whatever order they were found."""
    return sorted(edits, key=lambda edit: OF_OPTIMIZER.index(edit.what) if edit.what in OF_OPTIMIZER else -1)


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


def _crop(model: "Model", path: str, crop: list[list[int]]) -> None:
    """Of all that a transposed convolution's kernels reach, leave out as much; add zeros for less than nothing."""
    layer = _layer(model, path)
    last = layer.data_format == "channels_last"
    strides, dilation = (np.broadcast_to(each, len(crop)).tolist() for each in (layer.strides, layer.dilation_rate))

    def cropped(inputs: tf.Tensor) -> Any:
        lengths = inputs.shape[1:-1] if last else inputs.shape[2:]
        sizes = zip(lengths, strides, layer.kernel_size, dilation, crop, strict=True)
        ends = [((n - 1) * stride + d * (k - 1) + 1, *cut) for n, stride, k, d, cut in sizes]
        x = keras.ops.conv_transpose(
            inputs, layer.kernel, strides, "valid", dilation_rate=dilation, data_format=layer.data_format
        )
        kept = [slice(before, reach - max(after, 0)) for reach, before, after in ends]
        more = [[0, max(-after, 0)] for _, _, after in ends]
        none, whole = [0, 0], slice(None)
        x = x[(whole, *kept, whole) if last else (whole, whole, *kept)]
        x = tf.pad(x, [none, *more, none] if last else [none, none, *more])
        if layer.use_bias:
            x += tf.reshape(layer.bias, (-1,) if last else (-1, *[1] * len(crop)))
        return layer.activation(x)

    layer.call = cropped


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
    # After what another edit does there.
    if where == "in":
        before = model.watch.inputs.get((int(number), slot), lambda x: x)
        model.watch.inputs[int(number), slot] = lambda x: change(before(x))
    else:
        earlier = model.watch.outputs.get(int(number), lambda x: x)
        model.watch.outputs[int(number)] = lambda x: change(earlier(x))


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


def _instead(  # noqa: PLR0913, PLR0917 a place, and what is taken there
    model: "Model", number: str, where: str, slot: int, other: int, end: str, axes: list[int]
) -> None:
    """Take what went into another call, or came out of it, its axes in this order, and in the shape that is wanted."""

    def change(x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.transpose(model.watch.kept[other, end], axes), x.shape)

    _at(model, number, where, slot, change)


def _constant(model: "Model", number: str, where: str, slot: int, value: list[Any]) -> None:
    """Take these numbers, whatever there is."""
    _at(model, number, where, slot, lambda x: tf.constant(value, x.dtype))


def _heads(model: "Model", number: str, where: str, slot: int, order: list[int]) -> None:
    """Cut the numbers of each place into heads in another order."""

    def change(x: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(x, (*x.shape[:2], -1))
        return tf.reshape(tf.gather(flat, order, axis=2), x.shape)

    _at(model, number, where, slot, change)


def _mask(model: "Model", number: str, mask: list[list[Any]] | None, is_causal: bool) -> None:
    """Give an attention PyTorch's mask: of truths, or of numbers that are added."""
    told = model.watch.named.setdefault(int(number), {})
    told |= {"is_causal": is_causal, "mask": None}
    if mask is not None:
        given = tf.constant(mask)[None, None]
        told |= {"mask": given} if given.dtype == tf.bool else {"bias": tf.cast(given, keras.config.floatx())}


REDUCTIONS: dict[str, Callable[[tf.Tensor, list[int]], tf.Tensor]] = {
    "mean": tf.reduce_mean,
    "largest": tf.reduce_max,
    "smallest": tf.reduce_min,
    "sum": tf.reduce_sum,
    "first": lambda x, axes: tf.gather(x, 0, axis=axes[0]),
    "last": lambda x, axes: tf.gather(x, x.shape[axes[0]] - 1, axis=axes[0]),
}


def _reduced(  # noqa: PLR0913, PLR0917 a place, and what is taken there
    model: "Model", number: str, where: str, slot: int, other: int, how: str, axes: list[int], sequences: str
) -> None:
    """Take the mean, the last, … of what came out of another call; of a recurrent layer, of its whole sequence."""
    end = "whole" if sequences else "out"
    if sequences:
        _whole_sequence(model, sequences, other)
    _at(
        model,
        number,
        where,
        slot,
        lambda x: tf.reshape(REDUCTIONS[how](model.watch.kept[other, end], axes), x.shape),
    )


def _whole_sequence(model: "Model", path: str, number: int) -> None:
    """Keep all outputs of a recurrent layer that gives the last alone."""
    layer = _layer(model, path)
    call = layer.call
    layer.return_sequences = True

    def kept(*given: Any, **named: Any) -> tf.Tensor:
        whole = model.watch.kept[number, "whole"] = call(*given, **named)
        return whole[:, -1]

    layer.call = kept


def _time_first(model: "Model", path: str) -> None:
    """Take axis 0 for time, and axis 1 for the examples."""
    layer = _layer(model, path)
    call, recurrent = layer.call, hasattr(layer, "return_sequences")
    sequences = getattr(layer, "return_sequences", True)
    if recurrent:
        layer.return_sequences = True

    def turned(x: Any) -> Any:
        return tf.transpose(x, (1, 0, 2)) if isinstance(x, tf.Tensor) and len(x.shape) == 3 else x  # noqa: PLR2004

    def changed(*given: Any, **named: Any) -> Any:
        output = call(*map(turned, given), **{name: turned(value) for name, value in named.items()})
        whole = turned(output)
        return whole if sequences else whole[:, -1]

    layer.call = changed


def _linear_outputs(model: "Model", _place: str, scale: float, offset: float) -> None:
    """Multiply what the model returns, and add a number."""
    outputs = model._outputs
    model._outputs = lambda inputs, *, training: outputs(inputs, training=training) * scale + offset  # type: ignore[method-assign]


def _training(model: "Model", path: str, value: bool | None, always: bool = False) -> None:
    """Let a normalisation take the batch's statistics in training, or not, or in tests too, whatever it is told.

    Where there is no value, it takes them in training alone.
    """
    layer = _layer(model, path)
    # Keras's own, for a class of the user's may not pass on what it is told.
    call = functools.partial(keras.layers.BatchNormalization.call, layer)
    if value:
        layer.trainable = True

    def told(inputs: tf.Tensor, training: bool | None = None, **named: Any) -> Any:
        if value is None:
            return call(inputs, training=model.in_training, **named)
        return call(inputs, training=value if model.in_training or always else training, **named)

    layer.call = told
    if value is not False and type(layer) is not keras.layers.BatchNormalization:
        _unbiased_variance(model, path)  # what such a class is for


def _two_biases(model: "Model", _place: str, names: list[str]) -> None:
    """Update these twice: each is the sum of two that PyTorch updates alike. Of both, the decay is that of the sum."""
    apply = model.optimizer.apply

    def decay(variable: Any) -> float:
        optimizer = model.optimizer
        return optimizer.weight_decay if optimizer.weight_decay and optimizer._use_weight_decay(variable) else 0.0

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        rate = tf.cast(model.optimizer.learning_rate, variables[0].dtype)
        twice = [(v, v * (1 - rate * decay(v))) for v in variables if model.names[id(v)] in names]
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


def _no_gradient_of_a_row(model: "Model", name: str, row: int) -> None:
    """Leave a row of an embedding out of the training."""

    def change(gradient: Any) -> Any:
        if isinstance(gradient, tf.IndexedSlices):  # which Keras's optimizers take otherwise than a dense one
            kept = tf.cast(gradient.indices != row, gradient.values.dtype)[:, None]
            return tf.IndexedSlices(gradient.values * kept, gradient.indices, gradient.dense_shape)
        dense = tf.convert_to_tensor(gradient)
        return dense * tf.cast(tf.range(len(dense)) != row, dense.dtype)[:, None]

    model.gradient_changes[name] = change


def _trainable(model: "Model", name: str, value: bool) -> None:
    next(v for own, v in model.named_variables() if own == name).trainable = value


def _bias(  # a layer that is built takes no more weights, unless it is unlocked
    model: "Model", path: str, values: list[Any], own: str = "bias", name: str = ""
) -> None:
    """Give a layer that has none a bias, or a scale, with these first values."""
    layer = _layer(model, path)
    layer = getattr(layer, "cell", layer)
    layer._tracker.unlock()
    given = layer.add_weight(shape=np.shape(values), name=own)
    setattr(layer, {"gamma": "scale", "beta": "center"}.get(own, "use_bias"), True)
    setattr(layer, own, given)
    layer._tracker.lock()
    given.assign(values)
    model.added[name or given.path] = given


def _tie(model: "Model", name: str, to: str, transposed: bool) -> None:
    """Let a tensor be another one, or its transpose: both are trained as one."""
    model.ties[name] = (to, transposed)


def _untie(model: "Model", path: str, name: str) -> None:
    """Give whoever takes an embedding's table, but the embedding, one of its own."""
    layer = _layer(model, path)
    layer._tracker.unlock()
    table = layer.add_weight(shape=layer.embeddings.shape, name="untied")
    layer._tracker.lock()
    model.added[name] = table
    kind = type(layer)

    def embeddings(self: Any) -> Any:
        return kind.embeddings.fget(self) if model.watch.in_a_call else table

    layer.__class__ = type(kind.__name__, (kind,), {"embeddings": property(embeddings), "__module__": kind.__module__})


def _penalty(model: "Model", _place: str) -> None:
    """Leave the regularisers' penalty out of the loss that is compared; it is trained as before."""
    model.penalty_in_loss = False


def _no_regularisers(model: "Model", _place: str) -> None:
    """Leave the penalty out, of the loss and of the training."""
    model.has_penalty = False


def _unbiased_variance(model: "Model", path: str, own: bool = False) -> None:
    """Let the running variance take the batch's variance with n − 1, as PyTorch's does.

    Of Keras's `own` call, where that of a user's class is to be left out.
    """
    layer = _layer(model, path)
    call = functools.partial(keras.layers.BatchNormalization.call, layer) if own else layer.call

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
    names = {"eps": "epsilon", "alpha": "rho", "clip_value": "clipvalue"}
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
    replaced.weight_decay = None  # a change of its own
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        setattr(replaced, name, getattr(model.optimizer, name))
    model.optimizer = replaced
    for name, value in settings.items():
        _optimizer(model, "", name, value)


def _formula(model: "Model", _place: str, **more: float) -> None:
    """PyTorch's update rule, with this optimizer's numbers, and with these, which Keras has none of."""
    optimizer = model.optimizer
    rule: Callable[..., None] = next(FORMULAS[c.__name__] for c in type(optimizer).__mro__ if c.__name__ in FORMULAS)
    more = getattr(optimizer.update_step, "more", {}) | more  # where two changes are about it

    def update(gradient: Any, variable: Any, rate: tf.Tensor) -> None:
        # Keras squares the parts of a repeated token's gradient one by one: another difference, with its own trial.
        sliced = isinstance(gradient, tf.IndexedSlices)
        parts = tf.IndexedSlices(gradient.values**2, gradient.indices, gradient.dense_shape) if sliced else gradient**2
        squared = tf.convert_to_tensor(parts)
        rule(optimizer, tf.convert_to_tensor(gradient), squared, variable, tf.cast(rate, variable.dtype), **more)

    update.more = more  # type: ignore[attr-defined]
    optimizer.update_step = update


def _sgd(
    self: Any, gradient: tf.Tensor, _squared: tf.Tensor, variable: Any, rate: tf.Tensor, dampening: float = 0.0
) -> None:
    if not self.momentum:
        self.assign_sub(variable, rate * gradient)
        return
    buffer = self.momentums[self._get_variable_index(variable)]
    share = tf.where(self.iterations.value == 0, tf.ones_like(rate), 1 - dampening)
    self.assign(buffer, self.momentum * buffer + share * gradient)
    self.assign_sub(variable, rate * (gradient + self.momentum * buffer if self.nesterov else buffer))


def _adam(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(square, self.beta_2 * square + (1 - self.beta_2) * squared)
    if self.amsgrad:
        largest = self._velocity_hats[index]
        self.assign(largest, tf.maximum(largest.value, square.value))
        square = largest
    count = tf.cast(self.iterations + 1, tf.float64)
    size = tf.cast(tf.cast(rate, tf.float64) / (1 - self.beta_1**count), variable.dtype)
    root = tf.sqrt(square.value) / tf.cast(tf.sqrt(1 - self.beta_2**count), variable.dtype)
    self.assign_sub(variable, size * mean / (root + self.epsilon))


def _nadam(
    self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor, momentum_decay: float = 0.004
) -> None:
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(square, self.beta_2 * square + (1 - self.beta_2) * squared)
    # The share of the momentum in each step so far, and in the next.
    steps = tf.range(1, tf.cast(self.iterations + 3, tf.float64), dtype=tf.float64)
    shares = self.beta_1 * (1 - 0.5 * tf.constant(0.96, tf.float64) ** (steps * momentum_decay))
    product = tf.reduce_prod(shares[:-1])
    now, then = (1 - shares[-2]) / (1 - product), shares[-1] / (1 - product * shares[-1])
    count = tf.cast(self.iterations + 1, tf.float64)
    root = tf.sqrt(square.value / tf.cast(1 - self.beta_2**count, variable.dtype)) + self.epsilon
    step = tf.cast(now, variable.dtype) * gradient + tf.cast(then, variable.dtype) * mean
    self.assign_sub(variable, rate * step / root)


def _adamax(self: Any, gradient: tf.Tensor, _squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    mean, largest = self._m[index], self._u[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(largest, tf.maximum(self.beta_2 * largest, tf.abs(gradient) + self.epsilon))
    count = tf.cast(self.iterations + 1, tf.float64)
    self.assign_sub(variable, rate / tf.cast(1 - self.beta_1**count, variable.dtype) * mean / largest)


def _rmsprop(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    square = self._velocities[index]
    self.assign(square, self.rho * square + (1 - self.rho) * squared)
    variance = tf.convert_to_tensor(square)
    if self.centered:
        mean = self._average_gradients[index]
        self.assign(mean, self.rho * mean + (1 - self.rho) * gradient)
        variance -= mean.value**2
    step = gradient / (tf.sqrt(variance) + self.epsilon)
    if self.momentum:
        buffer = self._momentums[index]
        self.assign(buffer, self.momentum * buffer + step)
        step = buffer.value
    self.assign_sub(variable, rate * step)


def _adagrad(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    total = self._accumulators[self._get_variable_index(variable)]
    self.assign_add(total, squared)
    self.assign_sub(variable, rate * gradient / (tf.sqrt(total.value) + self.epsilon))


FORMULAS: dict[str, Callable[..., None]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "Nadam": _nadam,
    "Adamax": _adamax,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
}


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
    """Make the decay part of the gradient, after all else that is done to it, such as clipping in a user's `apply`."""
    model.optimizer.weight_decay = None
    model.coupled_decays |= decays


def couple_decays(model: "Model") -> None:
    """Let the update of each variable add its decay; once the rule is the last one that was chosen."""
    update = model.optimizer.update_step

    def decayed(gradient: Any, variable: Any, rate: Any) -> None:
        # What is updated is TensorFlow's variable within Keras's, which has the name.
        own = model.optimizer._trainable_variables[model.optimizer._get_variable_index(variable)]
        decay = model.coupled_decays.get(model.names[id(own)], 0.0)
        update(tf.convert_to_tensor(gradient) + decay * variable if decay else gradient, variable, rate)

    model.optimizer.update_step = decayed


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


def _maximize(model: "Model", _place: str) -> None:
    """Go up, and not down."""
    _on_gradients(model, lambda gradients, _: [g if g is None else -tf.convert_to_tensor(g) for g in gradients])


def _clip(
    model: "Model",
    _place: str,
    limit: float | None,
    each: float | None = None,
    value: float | None = None,
    norm_type: str | None = None,
) -> None:
    """Clip all gradients together, each by itself, or each number, as Keras does it; another norm as PyTorch does."""
    optimizer = model.optimizer
    optimizer.global_clipnorm, optimizer.clipnorm, optimizer.clipvalue = None if norm_type else limit, each, value
    if limit is not None and norm_type:
        _clip_norms(model, limit, float(norm_type))


def _clip_as_pytorch(model: "Model", _place: str) -> None:
    """Where a norm is clipped, divide by it after 1e-6 was added to it, before any decay."""
    optimizer = model.optimizer
    if optimizer.global_clipnorm is not None:
        _clip_norms(model, optimizer.global_clipnorm)
    elif optimizer.clipnorm is not None:
        _clip_norms(model, optimizer.clipnorm, each=True)
    optimizer.global_clipnorm = optimizer.clipnorm = None


def _clip_norms(model: "Model", limit: float, norm_type: float = 2, *, each: bool = False) -> None:
    """Divide all gradients by the norm of all, or each by its own, with 1e-6 added to it."""

    def clipped(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        norms = tf.stack([tf.norm(tf.reshape(g, (-1,)), norm_type) for g in gradients])
        factor = tf.minimum(limit / (tf.norm(norms, norm_type) + CLIP_EPSILON), 1)
        return [g * factor for g in gradients]

    def change(gradients: list[Any], _variables: list[Any]) -> list[Any]:
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        rest = iter([clipped([g])[0] for g in there] if each else clipped(there))
        return [g if g is None else next(rest) for g in gradients]

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
    "constant": _constant,
    "heads": _heads,
    "mask": _mask,
    "reduced": _reduced,
    "time first": _time_first,
    "tie": _tie,
    "untie": _untie,
    "no regularisers": _no_regularisers,
    "padding mode": _padding_mode,
    "crop": _crop,
    "penalty": _penalty,
    "unbiased variance": _unbiased_variance,
    "rates": _rates,
    "optimizer": _optimizer,
    "rule": _rule,
    "formula": _formula,
    "dense gradients": _dense_gradients,
    "coupled decay": _coupled_decay,
    "decays": _decays,
    "clip": _clip,
    "clip denominator": _clip_as_pytorch,
    "maximize": _maximize,
}
