"""Keras's layers and functions by the kinds and settings that both frameworks' descriptions use."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from shared.pairs import description as kinds
from shared.pairs.description import Setting
from shared.pairs.protocol import told

Settings = dict[str, Setting]


class Kind(NamedTuple):
    """What a layer is, and how its settings are read from it and its input."""

    kind: str
    settings: Callable[[Any, tf.Tensor], Settings] = lambda _layer, _inputs: {}


def _each(value: Any, rank: int) -> list[int]:
    """A number for each dimension of a window."""
    return [int(each) for each in value] if isinstance(value, Sequence) else [int(value)] * rank


def _pads(layer: Any, inputs: tf.Tensor, sizes: Sequence[int], dilation: Sequence[int]) -> list[list[int]]:
    """How many zeros are added, before and after, in each dimension."""
    rank = len(sizes)
    if layer.padding == "valid":
        return [[0, 0]] * rank
    reach = [d * (k - 1) for k, d in zip(sizes, dilation, strict=True)]
    if layer.padding == "causal":
        return [[total, 0] for total in reach]
    lengths = inputs.shape[1:-1] if layer.data_format == "channels_last" else inputs.shape[2:]
    strides = _each(layer.strides, rank)
    # As many windows as the length has strides; what they lack is added, the odd one after.
    totals = [
        max((-(-length // s) - 1) * s + r + 1 - length, 0) for length, s, r in zip(lengths, strides, reach, strict=True)
    ]
    return [[total // 2, total - total // 2] for total in totals]


def _conv(layer: Any, inputs: tf.Tensor) -> Settings:
    rank = len(inputs.shape) - 2
    sizes, dilation = _each(layer.kernel_size, rank), _each(layer.dilation_rate, rank)
    depthwise = "Depthwise" in type(layer).__name__
    channels = inputs.shape[-1] if layer.data_format == "channels_last" else inputs.shape[1]
    return {
        "rank": rank,
        "groups": int(channels) if depthwise else getattr(layer, "groups", 1),
        "strides": told(_each(layer.strides, rank)),
        "dilation": told(dilation),
        "padding": told(_pads(layer, inputs, sizes, dilation)),
        "padding_mode": "zeros",
    } | ({"depthwise": True} if depthwise else {})


def _conv_transpose(layer: Any, inputs: tf.Tensor) -> Settings:
    rank = len(inputs.shape) - 2
    strides, dilation = _each(layer.strides, rank), _each(layer.dilation_rate, rank)
    axes = slice(1, -1) if layer.data_format == "channels_last" else slice(2, None)
    lengths, given = inputs.shape[axes], layer.compute_output_shape(inputs.shape)[axes]
    reach = [d * (k - 1) + 1 for k, d in zip(_each(layer.kernel_size, rank), dilation, strict=True)]
    sizes = zip(lengths, strides, reach, given, strict=True)
    # What is cut off of all that the kernels reach, the odd one after; below 0, what is added there.
    totals = [(length - 1) * stride + size - out for length, stride, size, out in sizes]
    before = [max(total, 0) // 2 if layer.padding == "same" else 0 for total in totals]
    return {
        "rank": rank,
        "groups": 1,
        "strides": told(strides),
        "dilation": told(dilation),
        "crop": [[first, total - first] for first, total in zip(before, totals, strict=True)],
    }


def _pool(layer: Any, inputs: tf.Tensor) -> Settings:
    rank = len(inputs.shape) - 2
    sizes = _each(layer.pool_size, rank)
    settings: Settings = {
        "size": told(sizes),
        "strides": told(_each(layer.strides, rank)),
        "padding": told(_pads(layer, inputs, sizes, [1] * rank)),
    }
    if "Average" in type(layer).__name__:
        settings["count_include_pad"] = False
    return settings


def _zero_padding(layer: Any, _inputs: tf.Tensor) -> Settings:
    pads = layer.padding if isinstance(layer.padding[0], tuple) else (layer.padding,)
    return {"padding": told(pads)}


def _batch_norm(layer: Any, _inputs: tf.Tensor) -> Settings:
    # Keras's momentum is the weight of the old.
    return {"eps": layer.epsilon, "momentum": round(1 - layer.momentum, 12)}


def _recurrent(layer: Any, _inputs: tf.Tensor) -> Settings:
    settings: Settings = {"layers": 1, "bidirectional": False, "activation": told(layer.activation)}
    settings["go_backwards"] = layer.go_backwards
    if not isinstance(layer, keras.layers.SimpleRNN):
        settings["recurrent_activation"] = told(layer.recurrent_activation)
    if isinstance(layer, keras.layers.GRU):
        settings["reset_after"] = layer.reset_after
    return settings


def _bidirectional(layer: Any, inputs: tf.Tensor) -> Settings:
    return _recurrent(layer.forward_layer, inputs) | {"bidirectional": True, "merge_mode": layer.merge_mode}


def _attention(layer: Any, _inputs: tf.Tensor) -> Settings:
    return {"heads": layer.num_heads}


_L = keras.layers
LAYERS: dict[type[keras.layers.Layer], Kind] = {
    _L.Dense: Kind(kinds.DENSE),
    **dict.fromkeys((_L.Conv1D, _L.Conv2D, _L.Conv3D, _L.DepthwiseConv1D, _L.DepthwiseConv2D), Kind(kinds.CONV, _conv)),
    **dict.fromkeys((_L.SeparableConv1D, _L.SeparableConv2D), Kind(kinds.SEPARABLE_CONV, _conv)),
    **dict.fromkeys(
        (_L.Conv1DTranspose, _L.Conv2DTranspose, _L.Conv3DTranspose), Kind(kinds.CONV_TRANSPOSE, _conv_transpose)
    ),
    _L.Embedding: Kind(kinds.EMBEDDING, lambda layer, _: {"mask_zero": layer.mask_zero, "padding_idx": None}),
    _L.BatchNormalization: Kind(kinds.BATCH_NORM, _batch_norm),
    _L.LayerNormalization: Kind(kinds.LAYER_NORM, lambda layer, _: {"eps": layer.epsilon}),
    _L.GroupNormalization: Kind(kinds.GROUP_NORM, lambda layer, _: {"eps": layer.epsilon, "groups": layer.groups}),
    _L.SimpleRNN: Kind(kinds.RNN, _recurrent),
    _L.LSTM: Kind(kinds.LSTM, _recurrent),
    _L.GRU: Kind(kinds.GRU, _recurrent),
    _L.Bidirectional: Kind(kinds.BIDIRECTIONAL, _bidirectional),
    _L.MultiHeadAttention: Kind(kinds.ATTENTION, _attention),
    _L.PReLU: Kind(kinds.PRELU),
    _L.LeakyReLU: Kind("leaky_relu", lambda layer, _: {"negative_slope": layer.negative_slope}),
    _L.ELU: Kind("elu", lambda layer, _: {"alpha": layer.alpha}),
    _L.Softmax: Kind("softmax"),
    **dict.fromkeys((_L.MaxPooling1D, _L.MaxPooling2D, _L.MaxPooling3D), Kind("max_pool", _pool)),
    **dict.fromkeys((_L.AveragePooling1D, _L.AveragePooling2D, _L.AveragePooling3D), Kind("avg_pool", _pool)),
    **dict.fromkeys(
        (_L.GlobalAveragePooling1D, _L.GlobalAveragePooling2D, _L.GlobalAveragePooling3D), Kind("global_avg_pool")
    ),
    **dict.fromkeys((_L.GlobalMaxPooling1D, _L.GlobalMaxPooling2D, _L.GlobalMaxPooling3D), Kind("global_max_pool")),
    _L.Flatten: Kind("flatten"),
    **dict.fromkeys((_L.ZeroPadding1D, _L.ZeroPadding2D, _L.ZeroPadding3D), Kind("pad", _zero_padding)),
    **dict.fromkeys((_L.UpSampling1D, _L.UpSampling2D), Kind("upsample")),
    _L.Permute: Kind("permute"),
    _L.Concatenate: Kind("concatenate"),
}
DROPOUT = (_L.Dropout, _L.SpatialDropout1D, _L.SpatialDropout2D, _L.SpatialDropout3D, _L.AlphaDropout)


class Function(NamedTuple):
    """A function, its kind, and the settings that are looked at, with what each framework module takes by default."""

    kind: str
    defaults: Mapping[str, Setting] = MappingProxyType({})


# By name, in whichever of these modules has it. Functions of the same name may have other defaults.
MODULES = {"keras.ops": keras.ops, "keras.activations": keras.activations, "tf.nn": tf.nn, "keras.ops.nn": keras.ops.nn}
FUNCTIONS: dict[str, Function] = {
    "relu": Function("relu"),
    "relu6": Function("relu6"),
    "gelu": Function("gelu", {"approximate": False}),
    "leaky_relu": Function("leaky_relu", {"negative_slope": 0.2}),
    "elu": Function("elu", {"alpha": 1.0}),
    "silu": Function("silu"),
    "swish": Function("silu"),
    "softplus": Function("softplus", {"beta": 1.0}),
    "mish": Function("mish"),
    "selu": Function("selu"),
    "softsign": Function("softsign"),
    "hard_sigmoid": Function("hard_sigmoid"),
    "hard_tanh": Function("hardtanh"),
    "hard_silu": Function("hard_silu"),
    "tanh": Function("tanh"),
    "sigmoid": Function("sigmoid"),
    "softmax": Function("softmax"),
    "log_softmax": Function("log_softmax"),
    "max_pool": Function("max_pool"),
    "average_pool": Function("avg_pool"),
    "avg_pool": Function("avg_pool"),
    "layer_normalization": Function("layer_norm"),
    "dot_product_attention": Function(kinds.SDPA, {"scale": None, "is_causal": False, "mask": None}),
    "pad": Function("pad"),
    "transpose": Function("permute"),
    "concatenate": Function("concatenate"),
}
# A class of keras.losses, and the functions, by the kind of loss.
LOSS_CLASSES = {
    "SparseCategoricalCrossentropy": "cross_entropy",
    "CategoricalCrossentropy": "cross_entropy",
    "BinaryCrossentropy": "binary_cross_entropy",
    "MeanSquaredError": "mse",
    "MeanAbsoluteError": "mae",
    "Huber": "huber",
    "KLDivergence": "kl_divergence",
}
LOSS_FUNCTIONS = {
    "sparse_categorical_crossentropy": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "sparse_softmax_cross_entropy_with_logits": "cross_entropy",
    "softmax_cross_entropy_with_logits": "cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "sigmoid_cross_entropy_with_logits": "binary_cross_entropy",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "huber": "huber",
    "kl_divergence": "kl_divergence",
}


def kind_of(layer: keras.layers.Layer) -> Kind | None:
    """Of Keras's own class that the layer is of, or is derived from."""
    if isinstance(layer, _L.TimeDistributed):
        layer = layer.layer
    if isinstance(layer, _L.Activation | _L.ReLU):
        return activation_kind(getattr(layer, "activation", None), layer)
    return next((LAYERS[kind] for kind in type(layer).__mro__ if kind in LAYERS), None)


def activation_kind(activation: Any, layer: Any = None) -> Kind:
    """Of an activation: a function, a layer, or that of a layer which is an activation."""
    if isinstance(activation, keras.layers.Layer):
        return kind_of(activation) or Kind("")
    if isinstance(layer, _L.ReLU):
        slope, highest = float(layer.negative_slope), layer.max_value
        if slope:
            return Kind("leaky_relu", lambda _layer, _inputs: {"negative_slope": slope})
        if layer.threshold:
            return Kind("thresholded_relu")
        return Kind("relu" if highest is None else f"relu{highest:g}")
    known = FUNCTIONS.get(getattr(activation, "__name__", ""))
    if known is None:
        return Kind("")
    settings = settings_of(known, activation, (), {})
    return Kind(known.kind, lambda _layer, _inputs: settings)


def settings_of(function: Function, called: Any, arguments: Sequence[Any], named: dict[str, Any]) -> Settings:
    """The settings that a function was called with, those by default included."""
    try:
        signature = inspect.signature(called)
        bound = signature.bind_partial(*arguments, **named)
        bound.apply_defaults()
        given = {**bound.arguments, **named}
    except (TypeError, ValueError):
        given = dict(named)
    if "alpha" in given and "negative_slope" in function.defaults:  # TensorFlow's name for it
        given["negative_slope"] = given["alpha"]
    settings = {name: told(given.get(name, default)) for name, default in function.defaults.items()}
    if function.kind == kinds.SDPA:
        settings["scale"] = float(given["query"].shape[-1]) ** -0.5 if settings["scale"] is None else settings["scale"]
        settings["mask"] = settings["mask"] is not None
    if "approximate" in settings:
        settings["approximate"] = "tanh" if settings["approximate"] else "none"
    return settings
