"""PyTorch's layers and functions by the kinds and settings that both frameworks' descriptions use."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared.pairs import description as kinds
from shared.pairs.description import Setting
from shared.pairs.protocol import told

Settings = dict[str, Setting]


class Kind(NamedTuple):
    """What a layer is, and how its settings are read from it and its input."""

    kind: str
    settings: Callable[[Any, Tensor], Settings] = lambda _layer, _inputs: {}


def _each(value: Any, rank: int) -> list[int]:
    """A number for each dimension of a window."""
    return [int(each) for each in value] if isinstance(value, Sequence) else [int(value)] * rank


def _rank(layer: nn.Module) -> int:
    return int(type(layer).__name__[-2])


def _pads(layer: Any) -> list[list[int]]:
    """How many zeros are added, before and after, in each dimension."""
    if layer.padding == "valid":
        return [[0, 0]] * _rank(layer)
    if layer.padding == "same":
        totals = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
        return [[total // 2, total - total // 2] for total in totals]
    return [[pad, pad] for pad in _each(layer.padding, _rank(layer))]


def _conv(layer: Any, _inputs: Tensor) -> Settings:
    return {
        "rank": _rank(layer),
        "groups": layer.groups,
        "strides": _each(layer.stride, _rank(layer)),
        "dilation": _each(layer.dilation, _rank(layer)),
        "padding": told(_pads(layer)),
        "padding_mode": layer.padding_mode,
    }


def _conv_transpose(layer: Any, _inputs: Tensor) -> Settings:
    rank = _rank(layer)
    more = _each(layer.output_padding, rank)
    return {
        "rank": rank,
        "groups": layer.groups,
        "strides": _each(layer.stride, rank),
        "dilation": _each(layer.dilation, rank),
        "crop": [[pad, pad - extra] for pad, extra in zip(_each(layer.padding, rank), more, strict=True)],
    }


def _pool(layer: Any, _inputs: Tensor) -> Settings:
    rank = _rank(layer)
    settings: Settings = {
        "size": told(_each(layer.kernel_size, rank)),
        "strides": told(_each(layer.stride, rank)),
        "padding": [[pad, pad] for pad in _each(layer.padding, rank)],
    }
    if isinstance(layer, nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d):
        settings["count_include_pad"] = layer.count_include_pad
    return settings


def _zero_padding(layer: Any, _inputs: Tensor) -> Settings:
    pads = [int(pad) for pad in layer.padding]  # from the last dimension to the first
    return {"padding": told([pads[at : at + 2] for at in range(len(pads) - 2, -1, -2)])}


def _batch_norm(layer: Any, _inputs: Tensor) -> Settings:
    return {"eps": layer.eps, "momentum": layer.momentum, "training": layer.training}


def _recurrent(layer: Any, _inputs: Tensor) -> Settings:
    settings: Settings = {"layers": layer.num_layers, "bidirectional": layer.bidirectional}
    settings |= {"activation": getattr(layer, "nonlinearity", "tanh"), "go_backwards": False}
    settings["batch_first"] = layer.batch_first
    if not isinstance(layer, nn.RNN):
        settings["recurrent_activation"] = "sigmoid"
    if isinstance(layer, nn.GRU):
        settings["reset_after"] = True
    return settings


def _embedding(layer: Any, _inputs: Tensor) -> Settings:
    return {"padding_idx": layer.padding_idx, "mask_zero": False}


def _attention(layer: Any, _inputs: Tensor) -> Settings:
    return {"heads": layer.num_heads, "batch_first": layer.batch_first}


def _upsample(layer: Any, _inputs: Tensor) -> Settings:
    return {"mode": layer.mode, "align_corners": bool(layer.align_corners)}


LAYERS: dict[type[nn.Module], Kind] = {
    nn.Linear: Kind(kinds.DENSE),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), Kind(kinds.CONV, _conv)),
    **dict.fromkeys(
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), Kind(kinds.CONV_TRANSPOSE, _conv_transpose)
    ),
    nn.Embedding: Kind(kinds.EMBEDDING, _embedding),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), Kind(kinds.BATCH_NORM, _batch_norm)),
    nn.LayerNorm: Kind(kinds.LAYER_NORM, lambda layer, _: {"eps": layer.eps}),
    nn.GroupNorm: Kind(kinds.GROUP_NORM, lambda layer, _: {"eps": layer.eps, "groups": layer.num_groups}),
    # In Keras: GroupNormalization(groups=-1).
    **dict.fromkeys(
        (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
        Kind(kinds.GROUP_NORM, lambda layer, _: {"eps": layer.eps, "groups": layer.num_features}),
    ),
    nn.RNN: Kind(kinds.RNN, _recurrent),
    nn.LSTM: Kind(kinds.LSTM, _recurrent),
    nn.GRU: Kind(kinds.GRU, _recurrent),
    nn.MultiheadAttention: Kind(kinds.ATTENTION, _attention),
    nn.PReLU: Kind(kinds.PRELU),
    nn.ReLU: Kind("relu"),
    nn.ReLU6: Kind("relu6"),
    nn.GELU: Kind("gelu", lambda layer, _: {"approximate": layer.approximate}),
    nn.LeakyReLU: Kind("leaky_relu", lambda layer, _: {"negative_slope": layer.negative_slope}),
    nn.ELU: Kind("elu", lambda layer, _: {"alpha": layer.alpha}),
    nn.SiLU: Kind("silu"),
    nn.Tanh: Kind("tanh"),
    nn.Sigmoid: Kind("sigmoid"),
    nn.Softplus: Kind("softplus", lambda layer, _: {"beta": float(layer.beta)}),
    nn.SELU: Kind("selu"),
    nn.Softsign: Kind("softsign"),
    nn.Hardsigmoid: Kind("hard_sigmoid"),
    nn.Hardtanh: Kind("hardtanh", lambda layer, _: {"low": float(layer.min_val), "high": float(layer.max_val)}),
    nn.Hardswish: Kind("hard_silu"),
    nn.Mish: Kind("mish"),
    nn.Softmax: Kind("softmax"),
    nn.LogSoftmax: Kind("log_softmax"),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), Kind("max_pool", _pool)),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), Kind("avg_pool", _pool)),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), Kind("global_avg_pool")),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d), Kind("global_max_pool")),
    nn.Flatten: Kind("flatten"),
    **dict.fromkeys((nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d), Kind("pad", _zero_padding)),
    nn.Upsample: Kind("upsample", _upsample),
}
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


# The functions that drop, and whether they do unless told otherwise.
DROPPING: dict[Any, bool] = {
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, torch.dropout), True),
    **dict.fromkeys((F.alpha_dropout, F.feature_alpha_dropout), False),
}
RATE = 4  # the place of the rate among what F.scaled_dot_product_attention takes


def dropped(function: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> float:
    """The rate at which one of `DROPPING` is called; 0 where it is not in training."""
    given = dict(zip(("input", "p", "training"), arguments, strict=False)) | dict(named)
    in_training = given.get("training", given.get("train", DROPPING[function]))
    return float(given.get("p", 0.5)) if in_training else 0.0


def undropped(arguments: Sequence[Any], named: Mapping[str, Any]) -> tuple[float, tuple[Any, ...], dict[str, Any]]:
    """The rate that F.scaled_dot_product_attention is told, and what it is told else, the rate being 0."""
    if len(arguments) > RATE:
        return float(arguments[RATE]), (*arguments[:RATE], 0.0, *arguments[RATE + 1 :]), dict(named)
    return float(named.get("dropout_p", 0.0)), tuple(arguments), {**named, "dropout_p": 0.0}


class Function(NamedTuple):
    """A function, its kind, and the names of what it takes after its first argument, with what is taken by default."""

    kind: str
    names: tuple[str, ...] = ()
    defaults: Mapping[str, Setting] = MappingProxyType({})  # of those that are settings


_SOFTMAX = Function("softmax", ("dim",))
_SDPA = Function(
    kinds.SDPA,
    ("key", "value", "mask", "dropout_p", "is_causal", "scale"),
    {"scale": None, "is_causal": False, "mask": None},
)
_POOL = ("size", "strides", "padding")
FUNCTIONS: dict[Any, tuple[str, Function]] = {
    **{f: ("F.relu", Function("relu")) for f in (F.relu, torch.relu, Tensor.relu, torch.relu_, Tensor.relu_)},
    F.gelu: ("F.gelu", Function("gelu", ("approximate",), {"approximate": "none"})),
    **dict.fromkeys(
        (F.leaky_relu, F.leaky_relu_),
        ("F.leaky_relu", Function("leaky_relu", ("negative_slope",), {"negative_slope": 0.01})),
    ),
    **dict.fromkeys((F.elu, F.elu_), ("F.elu", Function("elu", ("alpha",), {"alpha": 1.0}))),
    F.silu: ("F.silu", Function("silu")),
    F.softplus: ("F.softplus", Function("softplus", ("beta",), {"beta": 1.0})),
    F.selu: ("F.selu", Function("selu")),
    F.softsign: ("F.softsign", Function("softsign")),
    F.hardsigmoid: ("F.hardsigmoid", Function("hard_sigmoid")),
    F.hardtanh: ("F.hardtanh", Function("hardtanh", ("low", "high"), {"low": -1.0, "high": 1.0})),
    F.mish: ("F.mish", Function("mish")),
    F.hardswish: ("F.hardswish", Function("hard_silu")),
    **{f: ("torch.tanh", Function("tanh")) for f in (F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_)},
    **dict.fromkeys(
        (F.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_),
        ("torch.sigmoid", Function("sigmoid")),
    ),
    **dict.fromkeys((F.softmax, torch.softmax, Tensor.softmax), ("F.softmax", _SOFTMAX)),
    F.log_softmax: ("F.log_softmax", Function("log_softmax")),
    **{f: ("F.max_pool1d", Function("max_pool", _POOL)) for f in (F.max_pool1d, torch.max_pool1d)},
    **{f: ("F.max_pool2d", Function("max_pool", _POOL)) for f in (F.max_pool2d, torch.max_pool2d)},
    F.avg_pool1d: ("F.avg_pool1d", Function("avg_pool", _POOL)),
    F.avg_pool2d: ("F.avg_pool2d", Function("avg_pool", _POOL)),
    F.adaptive_avg_pool1d: ("F.adaptive_avg_pool1d", Function("global_avg_pool")),
    F.adaptive_avg_pool2d: ("F.adaptive_avg_pool2d", Function("global_avg_pool")),
    F.interpolate: ("F.interpolate", Function("upsample")),
    F.scaled_dot_product_attention: ("F.scaled_dot_product_attention", _SDPA),
    F.layer_norm: ("F.layer_norm", Function("layer_norm", ("shape", "weight", "bias", "eps"), {"eps": 1e-5})),
    F.pad: ("F.pad", Function("pad")),
    **{f: ("torch.flatten", Function("flatten")) for f in (torch.flatten, Tensor.flatten)},
    **{f: ("permute", Function("permute")) for f in (Tensor.permute, torch.permute, Tensor.transpose, torch.transpose)},
    **{f: ("torch.cat", Function("concatenate")) for f in (torch.cat, torch.concat)},
}
_REDUCED: Settings = {"reduction": "mean"}
_CROSS_ENTROPY = ("target", "weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing")
LOSSES: dict[Any, tuple[str, Function]] = {
    F.cross_entropy: (
        "F.cross_entropy",
        Function(
            "cross_entropy",
            _CROSS_ENTROPY,
            {"ignore_index": -100, "label_smoothing": 0.0, "from_logits": True, "weight": None, **_REDUCED},
        ),
    ),
    F.nll_loss: (
        "F.nll_loss",
        Function("nll", _CROSS_ENTROPY[:-1], {"ignore_index": -100, "weight": None, **_REDUCED}),
    ),
    F.mse_loss: ("F.mse_loss", Function("mse", ("target", "size_average", "reduce", "reduction"), _REDUCED)),
    F.l1_loss: ("F.l1_loss", Function("mae", ("target", "size_average", "reduce", "reduction"), _REDUCED)),
    F.smooth_l1_loss: ("F.smooth_l1_loss", Function("smooth_l1", (), {"beta": 1.0, **_REDUCED})),
    F.huber_loss: ("F.huber_loss", Function("huber", (), {"delta": 1.0, **_REDUCED})),
    F.binary_cross_entropy: (
        "F.binary_cross_entropy",
        Function("binary_cross_entropy", (), {"from_logits": False, **_REDUCED}),
    ),
    F.binary_cross_entropy_with_logits: (
        "F.binary_cross_entropy_with_logits",
        Function("binary_cross_entropy", (), {"from_logits": True, **_REDUCED}),
    ),
    F.kl_div: ("F.kl_div", Function("kl_divergence", (), _REDUCED)),
}


def settings_of(function: Function, arguments: Sequence[Any], named: dict[str, Any]) -> Settings:
    """The settings that a function was called with, those by default included."""
    given = dict(zip(function.names, arguments[1:], strict=False)) | named
    settings = dict(function.defaults) | {
        name: told(
            given[name].tolist() if isinstance(given[name], Tensor) and function.kind != kinds.SDPA else given[name]
        )
        for name in function.defaults
        if name in given
    }
    if function.kind == kinds.SDPA:
        query = arguments[0] if arguments else named["query"]
        settings["scale"] = float(query.shape[-1]) ** -0.5 if settings["scale"] is None else settings["scale"]
        settings["mask"] = settings["mask"] is not None or named.get("attn_mask") is not None
    return settings
