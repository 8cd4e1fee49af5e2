"""What can be done otherwise in a Keras model than its file says: each difference is tried as a change of this kind."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from shared.pairs.protocol import GIVEN, Edit
from tensorflow_impl.pair import loss_edits, optimizer_edits

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


def in_order(edits: list[Edit]) -> list[Edit]:
    """As they are to be made, in whatever order they were found."""
    order = optimizer_edits.ORDER
    return sorted(edits, key=lambda edit: order.index(edit.what) if edit.what in order else -1)


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
    "rearrange": _rearrange,
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
    **loss_edits.TABLE,
    **optimizer_edits.TABLE,
}
