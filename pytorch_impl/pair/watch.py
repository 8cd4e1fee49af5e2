"""Seeing into a forward pass in PyTorch: hooks on its layers, and a mode that all its functions go through."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pytorch_impl.pair.layers import (
    DROPOUT,
    DROPPING,
    FUNCTIONS,
    LAYERS,
    LOSSES,
    Function,
    dropped,
    settings_of,
    undropped,
)
from shared.pairs import description as kinds
from shared.pairs.description import Call, Setting
from shared.pairs.protocol import Seen

# The layout of what these give is that of images, signals and volumes.
WINDOWED = {kinds.CONV, kinds.CONV_TRANSPOSE, kinds.SEPARABLE_CONV, "max_pool", "avg_pool", "upsample"}


def called(module: nn.Module) -> str:
    """A layer's class as its user writes it."""
    name = type(module).__name__
    return f"nn.{name}" if type(module).__module__.startswith("torch.nn.") else name


def is_whole(module: nn.Module) -> bool:
    """Whether a layer is looked at from outside alone: PyTorch's own, and no container of others."""
    ours = type(module).__module__.startswith("torch.nn.")
    return ours and (type(module) in LAYERS or not any(True for _ in module.children()))


class Watch(TorchFunctionMode):
    """Records the calls of layers and functions of a model while it is active. Nothing is recorded within a layer.

    While it is active, no function drops anything. No layer does, for its rates are 0; `rates` are those that it had.
    """

    def __init__(self, model: nn.Module, rates: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.seen: Seen | None = None
        self.dropped: dict[str, float] = {}  # at which rate the last pass would have dropped, by place
        self._within = 0  # how many layers and functions the call is in
        self._places = [""]
        # Copies of what went into the layers that the call is in: a layer may write over its input, such as
        # nn.ReLU(inplace=True).
        self._given: list[list[Tensor]] = []
        self._windowed = 0  # the number of dimensions of what has its channels after the batch; 0 for none
        for path, module in model.named_modules():
            if path in rates:
                module.register_forward_pre_hook(self._would_drop(path, rates[path]))
            if isinstance(module, DROPOUT):
                continue
            if is_whole(module) or (
                not any(True for _ in module.children()) and any(True for _ in module.parameters())
            ):
                module.register_forward_pre_hook(self._enters_layer(is_whole(module)), with_kwargs=True)
                module.register_forward_hook(self._leaves_layer(path, is_whole(module)), with_kwargs=True)
            else:
                module.register_forward_pre_hook(self._enters(path))
                module.register_forward_hook(self._leaves)

    @contextlib.contextmanager
    def recording(self, seen: Seen | None) -> Iterator[None]:
        """Record into `seen`; where there is none, only see to it that nothing is dropped."""
        self.seen, self._within, self._places, self._given, self._windowed = seen, 0, [""], [], 0
        self.dropped = {}
        with self:
            yield
        self.seen = None

    def _would_drop(self, path: str, rates: Sequence[float]) -> Any:
        def enter(module: nn.Module, *_: object) -> None:
            for rate in rates if module.training else ():
                self._drops(path, rate)

        return enter

    def _drops(self, place: str, rate: float) -> None:
        """Note a rate, by the place and how often there was one before."""
        before = sum(name.partition(", no. ")[0] == place for name in self.dropped)
        if rate:
            self.dropped[f"{place}, no. {before + 1}" if before else place] = rate

    def _enters(self, path: str) -> Any:
        return lambda *_: self._places.append(path)

    def _leaves(self, *_: object) -> None:
        self._places.pop()

    def _enters_layer(self, whole: bool) -> Any:
        def enter(_module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._given.append([] if self._within or self.seen is None else copied(tensors_in((arguments, named))))
            self._within += whole

        return enter

    def _leaves_layer(self, path: str, whole: bool) -> Any:
        def leave(module: nn.Module, _arguments: tuple[Any, ...], _named: dict[str, Any], output: Any) -> None:
            self._within -= whole
            inputs = self._given.pop()
            if self._within or self.seen is None or not inputs:
                return
            known = LAYERS.get(type(module))
            settings = known.settings(module, inputs[0]) if known else {}
            kind = known.kind if known else kinds.RAW if not whole else ""
            self._record(path, kind, called(module), settings, inputs, output)

        return leave

    def __torch_function__(self, function: Any, _types: Any, arguments: Any = (), named: Any = None) -> Any:
        """Called by PyTorch in place of each of its functions."""
        named = named or {}
        where = self._places[-1] or "the model"
        if function in DROPPING:
            self._drops(f"F.{function.__name__} in {where}", dropped(function, arguments, named))
            return arguments[0] if arguments else named["input"]
        if function is F.scaled_dot_product_attention:
            rate, arguments, named = undropped(arguments, named)
            self._drops(f"F.{function.__name__} in {where}", rate)
        known = None if self._within else FUNCTIONS.get(function) or LOSSES.get(function)
        if known is None or self.seen is None:
            return function(*arguments, **named)
        given = copied(tensors_in((arguments, named))[: 1 if known[1].kind != kinds.SDPA else 3])
        self._within += 1
        try:
            output = function(*arguments, **named)
        finally:
            self._within -= 1
        mask = named.get("attn_mask", arguments[3] if len(arguments) > 3 else None)  # noqa: PLR2004
        if known[1].kind == kinds.SDPA and isinstance(mask, Tensor):
            self.seen.arrays[f"call/{len(self.seen.calls)}/mask"] = to_array(mask)
        self._function(function, *known, (arguments, named), given, output)
        return output

    def _function(
        self, function: Any, name: str, known: Function, told: tuple[Any, Any], inputs: list[Tensor], output: Any
    ) -> None:
        settings = settings_of(known, *told)
        if function in LOSSES:
            assert self.seen is not None
            call = Call(place="", kind=known.kind, called=name, settings=settings, inputs=[], output="", dtype="")
            self.seen.losses.append(call)
        else:
            self._record(self._places[-1], known.kind, name, settings, inputs, output)

    def _record(
        self, place: str, kind: str, name: str, settings: dict[str, Setting], inputs: list[Tensor], output: Any
    ) -> None:
        assert self.seen is not None
        outputs = tensors_in(output)
        if not outputs or self.seen.outputs:  # the loss comes after the outputs
            return
        number = len(self.seen.calls)
        names = [f"call/{number}/in/{i}" for i in range(len(inputs))]
        before = self._windowed
        if kind in WINDOWED or (kind == kinds.BATCH_NORM and outputs[0].ndim > kinds.VECTORS):
            self._windowed = outputs[0].ndim
        elif outputs[0].ndim != self._windowed or kind == "permute":
            self._windowed = 0
        self.seen.calls.append(
            Call(
                place=place,
                kind=kind,
                called=name,
                settings=settings,
                inputs=names,
                output=f"call/{number}/out",
                dtype=str(outputs[0].dtype).removeprefix("torch."),
                channels_last=False if self._windowed else None,
                given_channels_last=False if self._windowed or (before and inputs[0].ndim == before) else None,
            )
        )
        for key, tensor in zip([*names, f"call/{number}/out"], [*inputs, outputs[0]], strict=True):
            self.seen.arrays[key] = to_array(tensor)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a value that may be one, or hold them."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [tensor for each in value for tensor in tensors_in(each)] if isinstance(value, tuple | list) else []


def copied(tensors: list[Tensor]) -> list[Tensor]:
    """Copies, outside of any gradient."""
    return [tensor.detach().clone() for tensor in tensors]


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy."""
    with torch.no_grad():
        return tensor.detach().cpu().numpy().copy()
