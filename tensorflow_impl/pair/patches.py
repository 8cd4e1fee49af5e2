"""What TensorFlow is made to do otherwise, so that a model can be followed to the last digit, eagerly and on a CPU.

It rounds Python's numbers to float32 before it makes float64 of them. And eagerly on a CPU it has no gradient of a
convolution in groups, for which Keras compiles.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import math_ops, nn_ops  # where tf.nn.gelu and others take theirs from; not public

_precise = [False]


def set_precise(precise: bool) -> None:
    """From here on, whether a Python number keeps its 53 bits where it becomes a tensor."""
    _install()
    _precise[0] = precise


@functools.cache
def _install() -> None:
    tf.cast = math_ops.cast = _precise_cast(tf.cast)
    tf.convert_to_tensor = _precise_conversion(tf.convert_to_tensor)
    tf.nn.leaky_relu = nn_ops.leaky_relu = _precise_leaky_relu(tf.nn.leaky_relu)
    tf.nn.convolution = _grouped(tf.nn.convolution)


def _precise_cast(cast: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(cast)
    def precise(x: Any, dtype: Any, name: str | None = None) -> Any:
        exact = _precise[0] and isinstance(x, float) and tf.as_dtype(dtype) == tf.float64
        return tf.constant(x, tf.float64) if exact else cast(x, dtype, name)

    return precise


def _precise_conversion(convert: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(convert)
    def precise(value: Any, dtype: Any = None, *arguments: Any, **named: Any) -> Any:
        if _precise[0] and dtype is None and _holds_floats(value):
            dtype = tf.float64
        return convert(value, dtype, *arguments, **named)

    return precise


def _holds_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(each, float) for each in value) and all(isinstance(each, float | int) for each in value)
    return isinstance(value, float)


def _precise_leaky_relu(leaky_relu: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(leaky_relu)
    def precise(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
        # The operation holds its slope as a float32.
        return tf.where(features > 0, features, alpha * features) if _precise[0] else leaky_relu(features, alpha, name)

    return precise


def _grouped(convolution: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(convolution)
    def by_groups(input: Any, filters: Any, *arguments: Any, **named: Any) -> Any:  # noqa: A002 TensorFlow's name
        channels_first = str(named.get("data_format") or "N").startswith("NC")
        groups = 1 if channels_first else input.shape[-1] // filters.shape[-2]
        if groups == 1:
            return convolution(input, filters, *arguments, **named)
        pairs = zip(tf.split(input, groups, -1), tf.split(filters, groups, -1), strict=True)
        return tf.concat([convolution(each, kernel, *arguments, **named) for each, kernel in pairs], -1)

    return by_groups
