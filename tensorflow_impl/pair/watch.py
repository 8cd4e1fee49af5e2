"""Seeing into a forward pass in Keras: its layers' `__call__` and its functions are wrapped, and run eagerly."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.ops.operation import Operation  # what a functional model's graph calls; not public

from shared.pairs import description as kinds
from shared.pairs.description import Call, Setting
from shared.pairs.protocol import Seen, told
from tensorflow_impl.pair.layers import (
    DROPOUT,
    FUNCTIONS,
    LOSS_CLASSES,
    LOSS_FUNCTIONS,
    MODULES,
    Function,
    activation_kind,
    kind_of,
    settings_of,
)

# The layout of what these give is that of images, signals and volumes.
WINDOWED = {kinds.CONV, kinds.CONV_TRANSPOSE, kinds.SEPARABLE_CONV, "max_pool", "avg_pool", "upsample"}
WITH_ACTIVATION = {kinds.DENSE, kinds.CONV, kinds.CONV_TRANSPOSE, kinds.SEPARABLE_CONV}
Change = Callable[[tf.Tensor], tf.Tensor]
_active: list["Watch"] = []  # the one that sees the pass that runs, if any


def called(layer: keras.layers.Layer) -> str:
    """A layer's class as its user writes it."""
    name = type(layer).__name__
    return f"keras.layers.{name}" if type(layer).__module__.startswith("keras.") else name


def is_whole(layer: keras.layers.Layer) -> bool:
    """Whether a layer is looked at from outside alone: Keras's own, and no container of others."""
    ours = type(layer).__module__.startswith("keras.") and not isinstance(layer, keras.Model)
    return kind_of(layer) is not None or ours


class Watch:
    """Counts the calls of layers and functions of a model while it is active, and records them where it is told to.

    Nothing is seen within a layer. What is to be done otherwise, by an edit, is done here.
    """

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self.count = 0
        # By the number of a call: what is done to an input, by its place among the arguments, and to its output.
        self.inputs: dict[tuple[int, int], Change] = {}
        self.outputs: dict[int, Change] = {}
        self.after: dict[int, Change] = {}  # what follows the call
        self.masks = True  # whether layers are given masks
        self.named: dict[int, dict[str, Any]] = {}  # what a function is told otherwise
        self.functions: dict[int, Change] = {}  # in place of the function or activation that is called
        self.kept: dict[tuple[int, str], tf.Tensor] = {}  # the first input, "in", and the output, "out", of each call
        self._within = 0
        self._places: list[str] = []
        self._windowed = 0
        self.rates: dict[int, tuple[str, list[float]]] = {}  # of layers that would drop, were their rates not 0
        self.dropped: dict[str, float] = {}  # at which rate the last pass would have dropped, by place
        self.in_training = False

    @property
    def in_a_call(self) -> bool:
        """Whether what runs is part of a call of a layer or function."""
        return self._within > 0

    @contextlib.contextmanager
    def recording(self, seen: Seen | None) -> Iterator[None]:
        """Record into `seen`; only count where there is none."""
        self.seen, self.count, self._within, self._places, self._windowed = seen, 0, 0, [], 0
        self.kept.clear()
        self.dropped = {}
        _active.append(self)
        try:
            yield
        finally:
            _active.pop()
            self.seen = None
            self.kept.clear()

    def layer(self, layer: keras.layers.Layer, original: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A layer is called."""
        if named.get("training") is not False:
            for rate in self.rates.get(id(layer), ("", []))[1]:
                self.drops(self.rates[id(layer)][0], rate)
        if self._within or isinstance(layer, DROPOUT):
            return original(layer, *arguments, **named)
        known = kind_of(layer)
        if not self.masks:
            named.pop("mask", None)
        if not is_whole(layer):
            return self._container(layer, original, arguments, named)
        number, inputs, given = self._enter(arguments, named)
        of_activation: list[tf.Tensor] = []
        activation = getattr(layer, "activation", None) if known and known.kind in WITH_ACTIVATION else None
        if activation is not None and activation is not keras.activations.linear:
            self.count += 1
            layer.__dict__["activation"] = functools.partial(self._activation, activation, number + 1, of_activation)
        replaced = self.functions.get(number)
        try:
            output = replaced(given[0]) if replaced else original(layer, *given, **named)
        finally:
            self._within -= 1
            if activation is not None:
                layer.__dict__["activation"] = activation
        if not inputs:
            return output
        kind = known.kind if known else ""
        settings = known.settings(layer, inputs[0]) if known and self.seen is not None else {}
        path = layer.path or layer.name
        if of_activation:
            before, output = of_activation
            self._record(number, path, kind, called(layer), settings, inputs, before)
            of = activation_kind(activation)
            name = f"the activation of {called(layer)}"
            self._record(number + 1, path, of.kind, name, of.settings(None, before), [before], output)
            return output
        output = self._changed(number, output)
        self._record(number, path, kind, called(layer), settings, inputs, output)
        return self._done(self.after.get(number), output)

    def _container(
        self, layer: keras.layers.Layer, original: Any, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """A model or a layer of the user's own: what it calls is seen; where it calls none, it is."""
        before = self.count
        self._places.append(layer.path or layer.name)
        try:
            output = original(layer, *arguments, **named)
        finally:
            self._places.pop()
        if self.count == before and layer.weights:
            number, inputs, _ = self._enter(arguments, named)
            self._within -= 1
            if inputs:
                self._record(number, layer.path or layer.name, kinds.RAW, called(layer), {}, inputs, output)
        return output

    def function(
        self, name: str, known: Function, original: Any, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """A function of Keras or TensorFlow is called."""
        if self._within or not tensors_in((arguments, named)):
            return original(*arguments, **named)
        number, inputs, given = self._enter(arguments, named)
        try:
            replaced = self.functions.get(number)
            output = replaced(given[0]) if replaced else original(*given, **named | self.named.get(number, {}))
        finally:
            self._within -= 1
        output = self._changed(number, output)
        settings = settings_of(known, original, arguments, named)
        mask = named.get("mask", arguments[4] if len(arguments) > 4 else None)  # noqa: PLR2004
        if known.kind == kinds.SDPA and tensors_in(mask) and self.seen is not None:
            self.seen.arrays[f"call/{number}/mask"] = to_array(tensors_in(mask)[0])
        some = inputs if known.kind == kinds.SDPA else inputs[:1]
        self._record(number, self._places[-1] if self._places else "", known.kind, name, settings, some, output)
        return output

    def operation(self, operation: Operation, original: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A node of a functional model's graph that is no layer is called."""
        known = FUNCTIONS.get(_snake_case(type(operation).__name__))
        if self._within or known is None or not tensors_in((arguments, named)):
            return original(operation, *arguments, **named)
        attributes = {key: value for key, value in vars(operation).items() if not key.startswith("_")}

        def call(*given: Any, **options: Any) -> Any:
            changed = {key: options.pop(key) for key in [*options] if key in attributes}
            for key, value in changed.items():
                setattr(operation, key, value)
            return original(operation, *given, **options)

        number = self.count
        output = self.function(f"keras.ops.{_snake_case(type(operation).__name__)}", known, call, arguments, named)
        if self.seen is not None and known.defaults:
            own = settings_of(known, None, (), {k: v for k, v in attributes.items() if k in known.defaults})
            at = next(i for i, call in enumerate(self.seen.calls) if call.output == f"call/{number}/out")
            self.seen.calls[at] = self.seen.calls[at].model_copy(update={"settings": own})
        return output

    def loss(self, name: str, kind: str, settings: dict[str, Setting]) -> None:
        """A loss is called."""
        if self.seen is not None and not self._within:
            call = Call(place="", kind=kind, called=name, settings=settings, inputs=[], output="", dtype="")
            self.seen.losses.append(call)

    def drops(self, place: str, rate: float) -> None:
        """Note a rate, by the place and how often there was one before."""
        before = sum(name.partition(", no. ")[0] == place for name in self.dropped)
        if self.in_training and rate:
            self.dropped[f"{place}, no. {before + 1}" if before else place] = rate

    def function_drops(self, name: str, rate: Any) -> None:
        """A function drops."""
        self.drops(f"{name} in {self._places[-1] if self._places else 'the model'}", float(rate))

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What is called in the block is part of what is called already."""
        self._within += 1
        try:
            yield
        finally:
            self._within -= 1

    def _enter(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, list[tf.Tensor], tuple[Any, ...]]:
        number = self.count
        self.count += 1
        self._within += 1
        arguments = tuple(self._done(self.inputs.get((number, i)), each) for i, each in enumerate(arguments))
        inputs = tensors_in((arguments, named))
        if inputs:
            self.kept[number, "in"] = inputs[0]
        return number, inputs, arguments

    def _activation(self, activation: Any, number: int, into: list[tf.Tensor], before: tf.Tensor) -> tf.Tensor:
        """In place of a layer's activation."""
        before = self._changed(number - 1, before)
        replaced = self.functions.get(number, activation)
        into[:] = [before, self._changed(number, replaced(before))]
        return into[1]

    def _changed(self, number: int, output: Any) -> Any:
        self.kept[number, "out"] = output
        return self._done(self.outputs.get(number), output)

    def _done(self, change: Change | None, tensor: Any) -> Any:
        """What an edit makes of a tensor; what it calls for that is no call of the model."""
        if change is None:
            return tensor
        with self.inside():
            return change(tensor)

    def _record(  # noqa: PLR0913, PLR0917 what a call is
        self,
        number: int,
        place: str,
        kind: str,
        name: str,
        settings: dict[str, Setting],
        inputs: list[tf.Tensor],
        output: Any,
    ) -> None:
        outputs = tensors_in(output)
        if self.seen is None or self.seen.outputs or not outputs:  # the loss comes after the outputs
            return
        names = [f"call/{number}/in/{i}" for i in range(len(inputs))]
        rank = len(outputs[0].shape)
        before = self._windowed
        if kind in WINDOWED or (kind == kinds.BATCH_NORM and rank > kinds.VECTORS):
            self._windowed = rank
        elif rank != self._windowed or kind == "permute":
            self._windowed = 0
        self.seen.calls.append(
            Call(
                place=place,
                kind=kind,
                called=name,
                settings=settings,
                inputs=names,
                output=f"call/{number}/out",
                dtype=outputs[0].dtype.name,
                channels_last=True if self._windowed else None,
                given_channels_last=True if self._windowed or (before and len(inputs[0].shape) == before) else None,
            )
        )
        for key, tensor in zip([*names, f"call/{number}/out"], [*inputs, outputs[0]], strict=True):
            self.seen.arrays[key] = to_array(tensor)


@functools.cache
def install() -> None:
    """Wrap what is watched, once for the process, before a user's file takes functions by `from keras.ops import …`."""
    for owner, method in ((keras.layers.Layer, "layer"), (Operation, "operation")):
        _wrap_call(owner, method)
    for prefix, module in MODULES.items():
        for name, known in FUNCTIONS.items():
            if hasattr(module, name):
                _wrap_function(module, name, f"{prefix}.{name}", known)
    for prefix, module in {"keras.losses": keras.losses, "tf.nn": tf.nn}.items():
        for name, kind in LOSS_FUNCTIONS.items():
            if hasattr(module, name):
                _wrap_loss_function(module, name, f"{prefix}.{name}", kind)
    _wrap_loss_class()
    for prefix, module in {"keras.random": keras.random, "tf.nn": tf.nn}.items():
        _wrap_dropout(module, f"{prefix}.dropout")


def _wrap_call(owner: Any, method: str) -> None:
    original = owner.__call__

    @functools.wraps(original)
    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        # A layer is an operation too, and comes here by way of its own call.
        if not _active or (method == "operation" and isinstance(self, keras.layers.Layer)):
            return original(self, *arguments, **named)
        return getattr(_active[-1], method)(self, original, arguments, named)

    owner.__call__ = wrapped


def _wrap_function(module: Any, name: str, full: str, known: Function) -> None:
    original = getattr(module, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not _active:
            return original(*arguments, **named)
        return _active[-1].function(full, known, original, arguments, named)

    setattr(module, name, wrapped)


def _wrap_dropout(module: Any, full: str) -> None:
    """See to it that nothing is dropped, and the rate is noted."""
    original = module.dropout

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not _active:
            return original(*arguments, **named)
        inputs, rate, *_ = inspect.signature(original).bind(*arguments, **named).arguments.values()
        _active[-1].function_drops(full, rate)
        return tf.convert_to_tensor(inputs)

    module.dropout = wrapped


def _wrap_loss_function(module: Any, name: str, full: str, kind: str) -> None:
    original = getattr(module, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not _active:
            return original(*arguments, **named)
        bound = inspect.signature(original).bind_partial(*arguments, **named)
        bound.apply_defaults()
        looked_at = ("from_logits", "ignore_class", "label_smoothing", "delta")
        settings = {key: told(value) for key, value in bound.arguments.items() if key in looked_at}
        if "with_logits" in name:
            settings["from_logits"] = True
        _active[-1].loss(full, kind, settings)
        with _active[-1].inside():
            return original(*arguments, **named)

    setattr(module, name, wrapped)


def _wrap_loss_class() -> None:
    original = keras.losses.Loss.__call__

    @functools.wraps(original)
    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        if not _active:
            return original(self, *arguments, **named)
        name = type(self).__name__
        looked_at = ("from_logits", "ignore_class", "label_smoothing", "delta", "reduction")
        settings = {key: told(value) for key, value in self.get_config().items() if key in looked_at}
        _active[-1].loss(f"keras.losses.{name}", LOSS_CLASSES.get(name, ""), settings)
        with _active[-1].inside():
            return original(self, *arguments, **named)

    keras.losses.Loss.__call__ = wrapped


def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def tensors_in(value: Any) -> list[tf.Tensor]:
    """The tensors in a value that may be one, or hold them."""
    if isinstance(value, tf.Tensor | keras.Variable | tf.Variable):
        return [tf.convert_to_tensor(value)]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [tensor for each in value for tensor in tensors_in(each)] if isinstance(value, tuple | list) else []


def to_array(tensor: tf.Tensor) -> np.ndarray:
    """A copy."""
    return np.array(tensor)
