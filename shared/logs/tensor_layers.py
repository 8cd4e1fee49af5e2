"""Two sets of tensors whose names differ: they meet by order and shape, a layer with a layer.

Between the frameworks the layers, their kinds guessed from names and shapes, are aligned and laid out as `--pair` does
it. Of one framework, or where names tell nothing, tensors of equal shape meet in their order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import prod

import numpy as np

from shared.logs.layer_kinds import described
from shared.logs.meetings import BY_LAYER, BY_ORDER, Meeting, met, relative
from shared.logs.tensor_names import AS_IT_IS, KERAS, PYTORCH, TRANSPOSED, framework, natural
from shared.network import Weights
from shared.pairs.alignment import Match, align, volume
from shared.pairs.description import (
    ATTENTION,
    BATCH_NORM,
    CONV,
    DENSE,
    GROUP_NORM,
    LAYER_NORM,
    RAW,
    SEPARABLE_CONV,
    Description,
    Layer,
)
from shared.pairs.layouts import RECURRENT, ROLE, fit, last, needed
from shared.system.errors import InputError

MOST_LAYERS = 400  # an alignment takes time with the square of their number
KERNELS = {DENSE, CONV, SEPARABLE_CONV, ATTENTION, *RECURRENT}
FLAT = ", its rows from channels first to channels last, as behind a flattened image"
NOT_FLAT = ", its rows in one order: an image that is flattened before it must be so in both alike"
# What Keras calls a layer that its user has not named; a counter of its own follows.
NUMBERED = re.compile(
    r"(dense|\w*conv\dd\w*|embedding|lstm|gru|simple_rnn|bidirectional|\w+_(?:normalization|attention))(_\d+)?"
)
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layers:
    """What meets, and the names of what is left of A and of B."""

    meetings: list[Meeting]
    only: tuple[list[str], list[str]]


def of_layers(a: Weights, b: Weights) -> Layers:
    """What of these meets by order and shape. Raises InputError for more layers than can be tried in bounded time."""
    if not a or not b:
        return Layers([], (list(a), list(b)))
    match framework(a), framework(b):
        case (of_a, of_b) if (of_a, of_b) == (PYTORCH, KERAS):
            return _between(a, b)
        case (of_a, of_b) if (of_a, of_b) == (KERAS, PYTORCH):
            found = _between(b, a)
            return Layers([meeting.exchanged() for meeting in found.meetings], (found.only[1], found.only[0]))
    return _in_order(a, b)


def _in_order(a: Weights, b: Weights) -> Layers:
    """Tensors of equal shape, or with the axes of the other in another order."""
    names = list(a), list(b)
    ours, theirs = ([tuple(sorted(values.shape)) for values in weights.values()] for weights in (a, b))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    pairs = [(names[0][x + i], names[1][y + i]) for x, y, size in blocks for i in range(size)]
    meetings = [met(first, second, a[first], b[second], BY_ORDER) for first, second in pairs]
    return Layers(meetings, _left(a, b, {x for x, _ in pairs}, {y for _, y in pairs}))


def _left(a: Weights, b: Weights, of_a: set[str], of_b: set[str]) -> tuple[list[str], list[str]]:
    return [name for name in a if name not in of_a], [name for name in b if name not in of_b]


def _between(torch: Weights, keras: Weights) -> Layers:
    """PyTorch's and Keras's, with the layouts that `--pair` knows."""
    ours, theirs = described(PYTORCH, torch), _as_created(described(KERAS, keras))
    if (most := max(len(ours.layers), len(theirs.layers))) > MOST_LAYERS:
        told = f"{most} layers whose names differ, and more than {MOST_LAYERS} are not matched by their order"
        raise InputError(f"{told}; name the tensors of one as in the other")
    meetings, used, channels = dict[str, Meeting](), set[str](), 0
    named = _of_one_name(ours, theirs)
    matches = [*named]
    for find in (_of_one_kind, align):
        rest = _without(ours, [m.torch[0] for m in matches]), _without(theirs, [m.keras[0] for m in matches])
        matches += find(*rest)
    place = {layer.path: index for index, layer in enumerate(theirs.layers)}
    matches.sort(key=lambda match: place[match.keras[0].path])
    for match in matches:
        for name, made in match.fit.made.items():
            value = made.value(torch)
            if name in meetings or value is None:
                continue
            layer = next(layer for layer in match.keras if name in layer.tensors.values())
            sources = " + ".join(made.sources)
            kernel = layer.kind in KERNELS and _is_weight(name)
            image = channels > 1 and layer.kind == DENSE and kernel and len(value) > channels
            flat = _flattened(value, channels) if image and len(value) % channels == 0 else value
            # Weights alone can't tell whether it is an image that goes into the layer.
            by_place = relative(flat, keras[name]) < relative(value, keras[name])
            views = dict(_views(flat if by_place else value, keras[name], layer, kernel=kernel))
            expected = TRANSPOSED if kernel else AS_IT_IS
            shapes = next(iter(made.sources.values())), keras[name].shape
            layout = match.fit.how if kernel or len(made.sources) > 1 else ""
            if len(made.sources) == 1 and prod(shapes[0]) > prod(shapes[1]):
                layout = f"a part of it, {layout or AS_IT_IS}"
            if flat is not value:
                layout += FLAT if by_place else NOT_FLAT
            why = BY_LAYER if match in named else BY_ORDER
            meetings[name] = Meeting((sources, name), shapes, views, expected, why, layout)
            used |= {*made.sources}
            channels = _channels(layer, keras[name].shape, before=channels)
    return Layers([*meetings.values()], _left(torch, keras, used, {*meetings}))


def _is_weight(name: str) -> bool:
    return ROLE.get(last(name)) == "weight" or last(name).endswith("kernel")


def _of_one_name(torch: Description, keras: Description) -> list[Match]:
    """The layers that their users, and not Keras, call the same: by the last word and the numbers in the path.

    `h.0.attention.query` and `h/0/query` are one where no other layer is called so.
    """
    ours, theirs = (_by_users_name(side) for side in (torch, keras))
    both = [(ours[name], theirs[name]) for name in ours if name in theirs]
    found = [Match((t,), (k,), fit([t], [k], torch, keras)) for t, k in both if needed(t, torch) and needed(k, keras)]
    return [match for match in found if not match.fit.clashes]


def _by_users_name(side: Description) -> dict[tuple[str, ...], Layer]:
    found: dict[tuple[str, ...], list[Layer]] = {}
    for layer in side.layers:
        words = layer.path.lower().split(".")
        if not words[-1].isdigit() and not NUMBERED.fullmatch(words[-1]):
            found.setdefault((*(word for word in words if word.isdigit()), words[-1]), []).append(layer)
    return {name: layers[0] for name, layers in found.items() if len(layers) == 1}


def _as_created(side: Description) -> Description:
    """With the layers that Keras numbered in that order, which is the program's; a graph's may be another."""
    layers, places = [*side.layers], dict[tuple[str, str], list[int]]()
    for index, layer in enumerate(layers):
        parent, _, own = layer.path.rpartition(".")
        if match := NUMBERED.fullmatch(own):
            places.setdefault((parent, match[1]), []).append(index)
    for indices in places.values():
        ordered = sorted((layers[index] for index in indices), key=lambda layer: natural(layer.path))
        for index, layer in zip(indices, ordered, strict=True):
            layers[index] = layer
    return side.model_copy(update={"layers": layers})


def _of_one_kind(torch: Description, keras: Description) -> list[Match]:
    """The layers of a kind and size of which both have as many, in their order, whatever stands between them."""
    matches = []
    sorts = [_by_sort(side) for side in (torch, keras)]
    for sort, ours in sorts[0].items():
        theirs = sorts[1].get(sort, [])
        fits = [(t, k, fit([t], [k], torch, keras)) for t, k in zip(ours, theirs, strict=False)]
        if len(ours) == len(theirs) and all(found.full and not found.clashes for _, _, found in fits):
            matches += [Match((t,), (k,), found) for t, k, found in fits]
    return matches


def _by_sort(side: Description) -> dict[tuple[str, int], list[Layer]]:
    found: dict[tuple[str, int], list[Layer]] = {}
    for layer in side.layers:
        if needed(layer, side) and layer.kind != RAW:
            found.setdefault((layer.kind, volume(layer, side)), []).append(layer)
    return found


def _without(side: Description, layers: list[Layer]) -> Description:
    paths = {layer.path for layer in layers}
    return side.model_copy(update={"layers": [layer for layer in side.layers if layer.path not in paths]})


def _channels(layer: Layer, shape: Shape, before: int) -> int:
    """Of the image that a layer gives, so far as its tensor of this shape tells; 0 where it gives none."""
    if layer.kind not in {CONV, SEPARABLE_CONV, BATCH_NORM, GROUP_NORM, LAYER_NORM, RAW}:
        return 0
    if len(shape) == 1:
        return shape[0] if layer.kind == CONV or before else before
    if layer.kind not in {CONV, SEPARABLE_CONV}:
        return before
    if "depthwise" in layer.path:
        return shape[-1] * shape[-2]
    return shape[-2] if "transpose" in layer.path else shape[-1]


def _flattened(kernel: np.ndarray, channels: int) -> np.ndarray:
    """The rows (channels, places) of a kernel behind a flattened image as (places, channels), as Keras has them."""
    return kernel.reshape(channels, -1, *kernel.shape[1:]).swapaxes(0, 1).reshape(kernel.shape)


def _views(
    value: np.ndarray, theirs: np.ndarray, layer: Layer, *, kernel: bool
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """The layout of the kind of layer, and the same without its transpose where that fits too."""
    expected, other = (TRANSPOSED, AS_IT_IS) if kernel else (AS_IT_IS, TRANSPOSED)
    yield expected, (value, theirs)
    if theirs.ndim > 1 and theirs.shape[-1] == theirs.shape[-2]:
        yield other, (value, theirs.swapaxes(-1, -2))
    elif layer.kind == ATTENTION:  # of heads: as a matrix
        sizes = [prod(theirs.shape[:i]) for i in range(1, theirs.ndim)]
        size = next((s for s in sizes if s * s == theirs.size), 0)
        if size:
            yield other, (value.reshape(size, size), theirs.reshape(size, size).T)
