"""How Keras's tensors of a layer are made from PyTorch's, by kind of layer.

A kind has one layout: to pick the one with the smallest difference would hide a square kernel that was not transposed.
A layer is a row of pieces, each with a weight and a bias or like a recurrent cell: attention has four, two stacked
LSTMs have two. Where both sides have as many, they are matched in order, however many layers hold them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.pairs.description import (
    ATTENTION,
    BATCH_NORM,
    BIDIRECTIONAL,
    CONV,
    CONV_TRANSPOSE,
    DENSE,
    EMBEDDING,
    GROUP_NORM,
    GRU,
    LAYER_NORM,
    LSTM,
    PRELU,
    RAW,
    RNN,
    SEPARABLE_CONV,
    Description,
    Layer,
)
from shared.system.language import say

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Step = Callable[[Array], Array]

RECURRENT = (RNN, LSTM, GRU)
TOGETHER = [{DENSE, CONV}, {LAYER_NORM, GROUP_NORM}]  # kinds that may stand for each other, where the shapes fit
AS_IT_IS, AS_THEY_ARE = say("as it is"), say("as they are")
HOW = {
    DENSE: say("the weight transposed"),
    CONV: say("the weight's output and input channels moved to the end; of a depthwise one, its input channels first"),
    CONV_TRANSPOSE: say("the weight's axes in reverse, the image's kept in order"),
    EMBEDDING: AS_IT_IS,
    BATCH_NORM: say("as they are, with the running mean and variance"),
    LAYER_NORM: AS_THEY_ARE,
    GROUP_NORM: AS_THEY_ARE,
    PRELU: AS_IT_IS,
    RNN: say("the weights transposed, both biases summed"),
    LSTM: say("the weights transposed, both biases summed; the gates' order is the same"),
    GRU: say("the weights transposed, both biases stacked; the gates r, z, n reordered to z, r, h"),
    RAW: AS_IT_IS,
}

# What a tensor is to its layer, by the names that people give it.
ROLES = {
    "weight": ["weight", "kernel", "gamma", "scale", "embeddings", "embedding", "alpha", "w", "g", "a_2"],
    "bias": ["bias", "beta", "offset", "shift", "b", "b_2"],
    "mean": ["running_mean", "moving_mean"],
    "variance": ["running_var", "moving_variance"],
}
ROLE = {name: role for role, names in ROLES.items() for name in names}
UNCARRIED = "num_batches_tracked"  # Keras does not count


@dataclass(frozen=True)
class Expression:
    """A tensor as made from PyTorch's by a linear map."""

    sources: Mapping[str, Shape]
    shape: Shape
    make: Callable[[Mapping[str, Array]], Array]
    summed: bool = False  # the sum of its sources

    def then(self, step: Step) -> "Expression":
        shape = step(_of_shape(self.shape)).shape
        return replace(self, shape=shape, make=lambda arrays: step(self.make(arrays)))

    def value(self, arrays: Mapping[str, Array], *, gradient: bool = False) -> Array | None:
        """None where all sources are absent.

        Each part of a sum has the gradient of the sum, so that this is the mean of theirs. What is absent, for it has
        no gradient, counts as zeros, in a mean not at all.
        """
        present = [arrays[name] for name in self.sources if name in arrays]
        if not present and (self.sources or gradient):
            return None
        dtype = present[0].dtype if present else np.float64  # of nothing a user may make zeros
        # A float32 sum would be all the difference there is, in a comparison of float64.
        exact = np.float64 if self.summed else dtype
        total = self.make(
            {name: arrays.get(name, np.zeros(shape)).astype(exact, copy=False) for name, shape in self.sources.items()}
        )
        return np.array(total / len(present) if self.summed and gradient else total, dtype, order="C")


def joined(parts: list[Expression], join: Callable[[list[Array]], Array], *, summed: bool = False) -> Expression:
    shape = join([_of_shape(part.shape) for part in parts]).shape
    sources = {name: shape for part in parts for name, shape in part.sources.items()}
    return Expression(sources, shape, lambda arrays: join([part.make(arrays) for part in parts]), summed)


def _of_shape(shape: Shape) -> Array:
    """An array that takes no memory, to see what shape a step makes of it."""
    return np.broadcast_to(np.int8(0), shape)


@dataclass(frozen=True)
class Piece:
    """What has a weight and a bias, or a recurrent cell."""

    kind: str
    tensors: dict[str, Expression]  # by role; of Keras's, only names and shapes are used
    depthwise: bool = False


@dataclass(frozen=True)
class Fit:
    """Some layers of PyTorch against some of Keras."""

    made: dict[str, Expression]  # by Keras's name
    clashes: bool  # a tensor that both have differs in shape, or the kinds are no counterparts
    full: bool  # every tensor of both takes part
    how: str

    def sources(self, name: str) -> tuple[str, ...]:
        return tuple(self.made[name].sources) if name in self.made else ()


def of_torch(name: str, shape: Shape) -> Expression:
    return Expression({name: shape}, shape, lambda arrays: arrays[name])


def own_tensors(layer: Layer, side: Description) -> dict[str, Expression]:
    return {own: of_torch(name, side.tensors[name].shape) for own, name in layer.tensors.items()}


def needed(layer: Layer, side: Description) -> dict[str, str]:
    """The tensors that must be carried: neither a count of batches nor a constant of the user's, such as a mask."""
    return {
        own: name
        for own, name in layer.tensors.items()
        if UNCARRIED not in own and not (layer.kind == RAW and side.tensors[name].buffer)
    }


def by_role(tensors: Mapping[str, Expression]) -> dict[str, Expression]:
    if len(tensors) == 1:
        return {ROLE.get(last(own), "weight"): tensor for own, tensor in tensors.items()}
    return {ROLE.get(last(own), last(own)): tensor for own, tensor in tensors.items()}


def last(own: str) -> str:
    return re.split(r"[./]", own)[-1].lower().removeprefix("depthwise_").removeprefix("pointwise_")


def torch_pieces(layer: Layer, side: Description) -> list[Piece]:
    own = own_tensors(layer, side)
    if layer.kind == ATTENTION:
        return [Piece(DENSE, tensors) for tensors in attention_projections(own)]
    if layer.kind not in RECURRENT:
        return [Piece(layer.kind, by_role({name: own[name] for name in needed(layer, side)}))]
    cells: dict[tuple[int, bool], dict[str, Expression]] = {}
    for name, tensor in own.items():
        what, _, depth, reverse = re.fullmatch(r"(.+?)(_l(\d+))?(_reverse)?", name).groups()  # type: ignore[union-attr]
        cells.setdefault((int(depth or 0), bool(reverse)), {})[what] = tensor
    return [Piece(layer.kind, keras_cell(layer.kind, cells[place])) for place in sorted(cells)]


def attention_projections(own: dict[str, Expression]) -> Iterator[dict[str, Expression]]:
    """Of query, key, value and output: packed in one tensor, or each in its own."""
    for index, letter in enumerate("qkv"):
        packed = {role: own[f"in_proj_{role}"] for role in ("weight", "bias") if f"in_proj_{role}" in own}
        tensors = {role: rows(tensor, index, 3) for role, tensor in packed.items()}
        if f"{letter}_proj_weight" in own:
            tensors["weight"] = own[f"{letter}_proj_weight"]
        yield tensors
    yield by_role({name: tensor for name, tensor in own.items() if "out_proj" in name})


def rows(tensor: Expression, index: int, count: int) -> Expression:
    """The first axis is cut into `count`."""
    size = tensor.shape[0] // count
    return tensor.then(lambda array: array[index * size : (index + 1) * size])


def keras_cell(kind: str, torch: dict[str, Expression]) -> dict[str, Expression]:
    def gates(tensor: Expression) -> Expression:  # r, z, n → z, r, h
        third = tensor.shape[0] // 3
        return tensor.then(lambda a: np.concatenate([a[third : 2 * third], a[:third], a[2 * third :]]))

    ordered = {name: gates(tensor) if kind == GRU else tensor for name, tensor in torch.items()}
    cell = {
        keras: ordered[name].then(np.transpose)
        for name, keras in (("weight_ih", "kernel"), ("weight_hh", "recurrent_kernel"))
        if name in ordered
    }
    if "bias_ih" in ordered:
        biases = [ordered["bias_ih"], ordered["bias_hh"]]
        cell["bias"] = (
            joined(biases, np.stack) if kind == GRU else joined(biases, lambda ab: ab[0] + ab[1], summed=True)
        )
    if "weight_hr" in torch:  # a projection, which Keras has not: it clashes with nothing, and is left over
        cell["projection"] = torch["weight_hr"]
    return cell


def keras_pieces(layer: Layer, side: Description) -> list[Piece]:
    own = own_tensors(layer, side)
    groups: dict[str, dict[str, Expression]] = {}
    for name, tensor in own.items():
        groups.setdefault(name.rpartition("/")[0], {})[name.rpartition("/")[2]] = tensor
    if layer.kind == ATTENTION:
        places = ("query", "key", "value", "output")
        ordered = sorted((next((i for i, word in enumerate(places) if word in group), 4), group) for group in groups)
        return [Piece(DENSE, by_role(groups[group])) for _, group in ordered]
    if layer.kind in (*RECURRENT, BIDIRECTIONAL):
        return [Piece(layer.kind, groups[group]) for group in sorted(groups, key=lambda group: "backward" in group)]
    if layer.kind == SEPARABLE_CONV:
        first = {name: tensor for name, tensor in own.items() if "depthwise" in name}
        second = {name: tensor for name, tensor in own.items() if name not in first}
        return [Piece(CONV, by_role(first), depthwise=True), Piece(CONV, by_role(second))]
    depthwise = bool(layer.settings.get("depthwise", False))
    return [Piece(layer.kind, by_role({name: own[name] for name in needed(layer, side)}), depthwise)]


def channels_last(weight: Array) -> Array:
    """(out, in, …) → (…, in, out)."""
    return weight.transpose(*range(2, weight.ndim), 1, 0)


def steps(torch: Piece, keras: Piece, given: Shape, wanted: Shape) -> list[Step]:
    """What makes a weight of PyTorch's one of Keras's: one step, but for tensors of a user's own several in order."""

    def dense(weight: Array) -> Array:  # a patch is flattened with its channels last
        kernel = channels_last(weight).reshape(-1, weight.shape[0])
        # Of EinsumDense the inputs, or the outputs, are several axes.
        splits = {(prod(wanted[:axis]), prod(wanted[axis:])) for axis in range(1, len(wanted))}
        return kernel.reshape(wanted) if kernel.shape in splits else kernel

    def depthwise(weight: Array) -> Array:  # (in · multiplier, 1, …) → (…, in, multiplier)
        return channels_last(weight.reshape(*wanted[-2:], *weight.shape[2:])).swapaxes(-1, -2)

    def squeezed(weight: Array) -> Array:  # as it is, but for axes of size one
        same = [size for size in given if size != 1] == [size for size in wanted if size != 1]
        return weight.reshape(wanted) if same else weight

    def image(weight: Array) -> Array:  # the scale of a whole image, normalised at once
        return weight if given == wanted else np.moveaxis(weight, 0, -1)

    kind = keras.kind if torch.kind == RAW else torch.kind
    axes, by_kind = len(given), squeezed
    if DENSE in (kind, keras.kind) and axes > 1:
        by_kind = dense if keras.kind != CONV or prod(wanted[:-2]) == 1 else channels_last
    elif kind in (CONV, CONV_TRANSPOSE) and axes > 2:  # noqa: PLR2004
        alone = kind == CONV and given[1] == 1 and len(wanted) == axes and prod(wanted[-2:]) == given[0]
        by_kind = depthwise if alone and (keras.depthwise or wanted[-2] != 1) else channels_last
    elif kind == LAYER_NORM and axes > 1:
        by_kind = image
    if RAW not in (torch.kind, keras.kind):
        return [by_kind]
    # A user's own class says nothing of its layout: what fits.
    return [by_kind, squeezed, *([dense] if axes > 1 else [])]


def counterparts(torch: str, keras: str) -> bool:
    if torch in RECURRENT:
        return keras in (torch, BIDIRECTIONAL)
    return torch == keras or RAW in (torch, keras) or {torch, keras} in TOGETHER


def carried(torch: Piece, keras: Piece) -> dict[str, Expression] | None:
    """Keras's tensors of a piece by name; None where one that both have differs in shape."""
    made: dict[str, Expression] = {}
    for role, target in keras.tensors.items():
        if (source := torch.tensors.get(role)) is None:
            continue
        ways: list[Step] = [as_it_is]
        if role == "weight" or (role == "bias" and LAYER_NORM in (torch.kind, keras.kind)):
            ways = steps(torch, keras, source.shape, target.shape)
        elif role == "bias" and torch.kind == DENSE:  # of heads, or of EinsumDense
            ways = [partial(dense_bias, wanted=target.shape)]
        fitting = [shaped for step in ways if (shaped := source.then(step)).shape == target.shape]
        if not fitting:
            return None
        made |= dict.fromkeys(target.sources, fitting[0])
    return made


def as_it_is(array: Array) -> Array:
    return array


def dense_bias(bias: Array, wanted: Shape) -> Array:
    return bias.reshape(wanted) if bias.size == prod(wanted) else bias


def cut(pieces: list[Piece], count: int) -> list[Piece]:
    """One dense layer for several of Keras's, as one for query, key and value. ValueError where that can't be."""
    first = only_dense(pieces)[0].tensors
    if any(tensor.shape[0] % count for tensor in first.values()):
        raise ValueError("The rows are no multiple of the number of layers.")
    parts = [{role: rows(tensor, index, count) for role, tensor in first.items()} for index in range(count)]
    return [*(Piece(DENSE, part) for part in parts), *pieces[1:]]


def put_together(pieces: list[Piece], count: int) -> list[Piece]:
    """The first dense layers for one of Keras's. ValueError where that can't be."""
    parts = [piece.tensors for piece in only_dense(pieces)[:count]]
    roles = [role for role in parts[0] if all(role in part for part in parts)]
    whole = {role: joined([part[role] for part in parts], np.concatenate) for role in roles}
    return [Piece(DENSE, whole), *pieces[count:]]


def only_dense(pieces: list[Piece]) -> list[Piece]:
    if any(piece.kind != DENSE or "weight" not in piece.tensors for piece in pieces):
        raise ValueError("Only dense layers can be cut and put together.")
    return pieces


def fit(torch: list[Layer], keras: list[Layer], of: Description, to: Description) -> Fit:
    ours = [piece for layer in torch for piece in torch_pieces(layer, of)]
    theirs = [piece for layer in keras for piece in keras_pieces(layer, to)]
    how = HOW.get(ours[0].kind if ours[0].kind != RAW else theirs[0].kind, AS_IT_IS)
    clash = Fit({}, clashes=True, full=False, how=how)
    if len(ours) != len(theirs):
        count = abs(len(theirs) - len(ours)) + 1
        more = len(theirs) > len(ours)
        how = (
            say("{how}, its rows cut into {n}", how=how, n=count)
            if more
            else say("{how}, {n} of them side by side", how=how, n=count)
        )
        try:
            ours = cut(ours, count) if more else put_together(ours, count)
        except ValueError:
            return clash
    made: dict[str, Expression] = {}
    for piece, target in zip(ours, theirs, strict=True):
        if not counterparts(piece.kind, target.kind) or (new := carried(piece, target)) is None:
            return clash
        made |= new
    used = {source for expression in made.values() for source in expression.sources}
    all_of_torch = {name for layer in torch for name in needed(layer, of).values()}
    all_of_keras = {name for layer in keras for name in needed(layer, to).values()}
    return Fit(made, clashes=not made, full=all_of_torch <= used and all_of_keras <= made.keys(), how=how)
