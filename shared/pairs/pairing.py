"""Two models laid beside each other: which call of one is the counterpart of which call of the other."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.pairs.carry import Carry
from shared.pairs.description import (
    BATCH_NORM,
    BIDIRECTIONAL,
    GROUP_NORM,
    GRU,
    LAYER_NORM,
    LSTM,
    RNN,
    Call,
    Description,
    Layer,
)

SIDES = ("PyTorch", "Keras")
UNSEEN = {"", "permute", "concatenate", "pad"}  # what only rearranges, or has no counterpart by kind
STATISTICS = {"moving_mean", "moving_variance"}  # which PyTorch may be told not to keep
RECURRENT = {RNN, LSTM, GRU, BIDIRECTIONAL}


@dataclass(frozen=True)
class Pairing:
    """A call of one side and its counterpart on the other, by number. Of several that do the work of one, the last."""

    torch: int
    keras: int
    first_torch: int  # where the input is taken
    first_keras: int


@dataclass(frozen=True)
class Sides:
    """What both sides are, and how the arrays of one are laid beside those of the other."""

    torch: Description
    keras: Description
    carry: Carry
    pairings: tuple[Pairing, ...]
    orders: Mapping[int, np.ndarray]  # by the number of PyTorch's call: the order of its input's columns in Keras
    record_after: tuple[int, ...]

    @property
    def more_in_keras(self) -> dict[str, str]:
        """Keras's biases and statistics where PyTorch's counterpart has none; each with its layer's path."""
        layers = [layer for match in self.carry.matches for layer in match.keras]
        return _biases(layers, self.carry.unmatched_keras)

    @property
    def more_in_torch(self) -> dict[str, str]:
        """The same the other way round, each with the path of Keras's layer."""
        return {
            name: match.keras[0].path
            for match in self.carry.matches
            for name in _biases(match.torch, self.carry.unmatched_torch)
        }

    @property
    def more_layers(self) -> list[tuple[str, Layer]]:
        """Whole layers without a counterpart, each with who lacks it; none unless all else is carried."""
        ours, theirs = self.carry.alone(self.torch), self.carry.alone(self.keras)
        left = {*self.carry.unmatched_torch, *self.carry.unmatched_keras} - {*self.more_in_torch, *self.more_in_keras}
        told = {name for layer in (*ours, *theirs) for name in layer.tensors.values()}
        # Where both sides have some, these may be each other's counterpart, and only its user knows how.
        if (ours and theirs) or left - told or self.carry.conflicts() or len(ours + theirs) >= len(self.carry.matches):
            return []
        return [("Keras", layer) for layer in ours] + [("PyTorch", layer) for layer in theirs]


def _biases(layers: Sequence[Layer], unmatched: Sequence[str]) -> dict[str, str]:
    return {
        name: layer.path
        for layer in layers
        for own, name in layer.tensors.items()
        if name in unmatched and _may_lack(layer.kind, own.rpartition("/")[2])
    }


def _may_lack(kind: str, own: str) -> bool:
    """Whether a layer can be made without this tensor: a bias, or what a normalisation multiplies by."""
    of_norm = own == "weight" and kind in {BATCH_NORM, LAYER_NORM, GROUP_NORM}
    return of_norm or own in {"bias", "beta", "gamma", *STATISTICS} or (kind in RECURRENT and own.startswith("bias"))


def pair_calls(torch: Description, keras: Description, carry: Carry) -> tuple[Pairing, ...]:
    """The calls that are each other's counterpart: of layers by their weights, between them by kind and order."""
    anchors = sorted(_anchors(torch, keras, carry))
    known = [Pairing(torch_last, keras_last, *first) for torch_last, keras_last, *first in anchors]
    kept = in_order(known)
    pairings: list[Pairing] = []
    ends = [*kept, Pairing(len(torch.calls), len(keras.calls), len(torch.calls), len(keras.calls))]
    torch_from = keras_from = 0
    for end in ends:
        between = (range(torch_from, end.first_torch), range(keras_from, end.first_keras))
        pairings += _by_kind(torch, keras, *between)
        if end in kept:
            pairings.append(end)
        torch_from, keras_from = end.torch + 1, end.keras + 1
    # Of two branches, either may be called first: a shortcut before the block, or after it.
    others = [pairing for pairing in known if pairing not in kept]
    return tuple(sorted([*pairings, *others], key=lambda pairing: (pairing.torch, pairing.keras)))


def folded(calls: Sequence[Call]) -> dict[int, tuple[int, Call]]:
    """Calls by number, each with the number of the call whose input is its own: a padding before it is part of it."""
    found: dict[int, tuple[int, Call]] = {}
    for number, call in enumerate(calls):
        before = calls[number - 1] if number else None
        if before and before.kind == "pad" and "padding" in call.settings:
            both = None
            if isinstance(before.settings.get("padding"), list) and call.settings["padding"] is not None:
                pairs = zip(before.settings["padding"], call.settings["padding"], strict=False)  # type: ignore[arg-type]
                both = [[a + b for a, b in zip(one, other, strict=True)] for one, other in pairs]  # type: ignore[arg-type, operator]
            found[number] = (number - 1, call.model_copy(update={"settings": call.settings | {"padding": both}}))
        else:
            found[number] = (number, call)
    return found


def in_order(pairings: Sequence[Pairing]) -> list[Pairing]:
    """The most of these that follow each other on both sides."""
    best: list[tuple[int, int]] = []  # how many end here, and the place of the one before
    for at, pairing in enumerate(pairings):
        fits = [n for n in range(at) if _follows(pairing, pairings[n])]
        before = max(fits, key=lambda n: best[n][0], default=-1)
        best.append((best[before][0] + 1 if fits else 1, before))
    at = max(range(len(best)), key=lambda n: best[n][0], default=-1)
    found: list[Pairing] = []
    while at >= 0:
        found.insert(0, pairings[at])
        at = best[at][1]
    return found


def _follows(pairing: Pairing, before: Pairing) -> bool:
    return pairing.first_torch > before.torch and pairing.first_keras > before.keras


def _anchors(torch: Description, keras: Description, carry: Carry) -> Iterator[tuple[int, int, int, int]]:
    torch_calls, keras_calls = _by_place(torch), _by_place(keras)
    torch_folded, keras_folded = folded(torch.calls), folded(keras.calls)
    for match in carry.matches:
        ours = [torch_calls.get(layer.path, []) for layer in match.torch]
        theirs = [keras_calls.get(layer.path, []) for layer in match.keras]
        for mine, yours in zip(zip(*ours, strict=False), zip(*theirs, strict=False), strict=False):
            yield max(mine), max(yours), torch_folded[min(mine)][0], keras_folded[min(yours)][0]


def _by_place(side: Description) -> dict[str, list[int]]:
    """The numbers of a layer's calls, its activation's aside, by its path."""
    kinds = {layer.path: layer.kind for layer in side.layers}
    found: dict[str, list[int]] = {}
    for number, call in enumerate(side.calls):
        if kinds.get(call.place) == call.kind:
            found.setdefault(call.place, []).append(number)
    return found


def _by_kind(torch: Description, keras: Description, torch_range: range, keras_range: range) -> list[Pairing]:
    """Of the calls between two layers, the longest sequence of equal kinds."""

    def seen(side: Description, numbers: range) -> list[int]:
        kinds = {layer.path: layer.kind for layer in side.layers}
        return [
            n
            for n in numbers
            if side.calls[n].kind not in UNSEEN and kinds.get(side.calls[n].place) != side.calls[n].kind
        ]

    ours, theirs = seen(torch, torch_range), seen(keras, keras_range)
    lengths = np.zeros((len(ours) + 1, len(theirs) + 1), int)
    for i, j in itertools.product(range(len(ours) - 1, -1, -1), range(len(theirs) - 1, -1, -1)):
        same = torch.calls[ours[i]].kind == keras.calls[theirs[j]].kind
        lengths[i, j] = max(lengths[i + 1, j], lengths[i, j + 1], (lengths[i + 1, j + 1] + 1) * same)
    found, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        if torch.calls[ours[i]].kind == keras.calls[theirs[j]].kind and lengths[i, j] == lengths[i + 1, j + 1] + 1:
            first = folded(torch.calls)[ours[i]][0], folded(keras.calls)[theirs[j]][0]
            found.append(Pairing(ours[i], theirs[j], *first))
            i, j = i + 1, j + 1
        elif lengths[i + 1, j] >= lengths[i, j + 1]:
            i += 1
        else:
            j += 1
    return found
