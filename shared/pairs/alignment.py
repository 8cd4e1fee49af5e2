"""Which layers of PyTorch's are which of Keras's: in order of execution, by kind, shapes and names."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import groupby, permutations, product
from math import prod

import numpy as np

from shared.pairs.description import (
    ATTENTION,
    BIDIRECTIONAL,
    DENSE,
    EMBEDDING,
    RAW,
    SEPARABLE_CONV,
    Description,
    Layer,
)
from shared.pairs.layouts import RECURRENT, ROLE, Fit, fit, last, needed
from shared.system.language import join, say

# How many layers of PyTorch may be how many of Keras. A whole attention may be three or four dense layers, or two.
GROUPS = [(1, 1), *((1, n) for n in range(2, 9)), *((n, 1) for n in range(2, 9))]
COMPOSITE = {ATTENTION, BIDIRECTIONAL, DENSE, SEPARABLE_CONV, *RECURRENT}  # of one layer, if of several others
Sort = tuple[object, ...]
PERMUTED = 5  # siblings: of more, only neighbours are exchanged, for there are 719 orders of six


@dataclass(frozen=True)
class Match:
    torch: tuple[Layer, ...]
    keras: tuple[Layer, ...]
    fit: Fit

    @property
    def how(self) -> str:
        """In a sentence."""
        return f"{titles(self.torch)} to {titles(self.keras)}: {self.fit.how}."


def title(layer: Layer) -> str:
    return f"{layer.path} ({layer.called})" if layer.path else say("the model ({called})", called=layer.called)


def titles(layers: Iterable[Layer]) -> str:
    """All that are matched with one of the other side, or several."""
    return join(say(" and "), map(title, layers))


def calls(side: Description, layer: Layer) -> int:
    return sum(call.place == layer.path and call.kind == layer.kind for call in side.calls)


@cache
def likeness(torch: str, keras: str) -> float:
    return SequenceMatcher(None, torch.lower().replace(".", "/"), keras.lower(), autojunk=False).ratio()


def align(torch: Description, keras: Description) -> tuple[Match, ...]:
    """As many layers as can be, in Keras's order of execution."""
    ours = [layer for layer in torch.layers if needed(layer, torch)]
    theirs = [layer for layer in keras.layers if needed(layer, keras)]
    matches = aligned(ours, theirs, torch, keras)
    # Then a user's own layer is no longer taken as a whole, and layers that were called in another order are found.
    for find in (only_ways, aligned, only_ways):
        left = each_alone(rest(torch, matches, ours)), each_alone(rest(keras, matches, theirs))
        matches += find(*left, torch, keras)
    called_again = [layer for layer in ours if calls(torch, layer) > 1]
    matches += only_ways(called_again, rest(keras, matches, theirs), torch, keras, again=True)
    matches += tables_used_again(torch, rest(keras, matches, theirs), keras)
    place = {layer.path: index for index, layer in enumerate(keras.layers)}
    return tuple(sorted(matches, key=lambda match: place[match.keras[0].path]))


def tables_used_again(torch: Description, theirs: list[Layer], keras: Description) -> list[Match]:
    """A dense layer of Keras's by an embedding of PyTorch's, which may make the logits too, by a function."""
    tables = [layer.model_copy(update={"kind": DENSE}) for layer in torch.layers if layer.kind == EMBEDDING]
    matches = []
    for layer in theirs:
        fits = [(table, fit([table], [layer], torch, keras)) for table in tables if layer.kind == DENSE]
        whole = [(table, found) for table, found in fits if not found.clashes]
        if len(whole) == 1:
            table, found = whole[0]
            matches.append(Match((table,), (layer,), found))
    return matches


def rest(side: Description, matches: list[Match], layers: list[Layer]) -> list[Layer]:
    """The layers that are in no match, less their tensors that are in one through another layer."""
    taken, used = set[int](), set[str]()
    for match in matches:
        taken |= {id(layer) for layer in (*match.torch, *match.keras)}
        used |= set(match.fit.made)
        used |= {source for made in match.fit.made.values() for source in made.sources}
    left = []
    for layer in layers:
        names = needed(layer, side)
        # A tied tensor may be carried a second time, of a user's own class too as a part of it.
        if layer.kind == RAW or side.framework == "TensorFlow":
            names = {own: name for own, name in names.items() if name not in used}
        if id(layer) not in taken and names:
            left.append(layer if len(names) == len(layer.tensors) else layer.model_copy(update={"tensors": names}))
    return left


def each_alone(layers: list[Layer]) -> list[Layer]:
    return [
        layer.model_copy(update={"tensors": {own: name}}) if layer.kind == RAW else layer
        for layer in layers
        for own, name in (layer.tensors.items() if layer.kind == RAW else [("", "")])
    ]


def volume(layer: Layer, side: Description) -> int:
    """How many numbers its weights have, without biases, of which the frameworks have one or two."""
    weights = (name for own, name in needed(layer, side).items() if "bias" not in own and ROLE.get(last(own)) != "bias")
    return sum(prod(side.tensors[name].shape) for name in weights)


def worth(ours: list[Layer], theirs: list[Layer], torch: Description, keras: Description) -> tuple[float, Match | None]:
    """How good this match is: above all in the number of layers, then in kinds, last in names."""
    equal_kinds = ours[0].kind == theirs[0].kind
    same_size = sum(volume(layer, torch) for layer in ours) == sum(volume(layer, keras) for layer in theirs)
    alone = len(ours) == len(theirs) == 1
    if not (same_size or (alone and equal_kinds)):
        return 0, None
    found = fit(ours, theirs, torch, keras)
    if found.clashes or not (found.full or (alone and equal_kinds and ours[0].kind != RAW)):
        return 0, None
    score = len(ours) + len(theirs) - 0.1 * (not (equal_kinds and alone)) - 0.5 * (not found.full)
    return score + 1e-6 * likeness(ours[0].path, theirs[0].path), Match(tuple(ours), tuple(theirs), found)


def aligned(ours: list[Layer], theirs: list[Layer], torch: Description, keras: Description) -> list[Match]:
    """The best matches that keep the order of both sides."""
    sizes = [
        np.cumsum([0, *(volume(layer, side) for layer in layers)]) for layers, side in ((ours, torch), (theirs, keras))
    ]
    # The worth of what follows; the match that begins it; where it goes on.
    best: dict[tuple[int, int], tuple[float, Match | None, int, int]] = {}
    for i, j in product(range(len(ours), -1, -1), range(len(theirs), -1, -1)):
        options: list[tuple[float, Match | None, int, int]] = [(0, None, len(ours), len(theirs))]
        options += [(best[ways][0], None, *ways) for ways in ((i + 1, j), (i, j + 1)) if ways in best]
        for a, b in GROUPS:
            if (i + a, j + b) not in best or (b > 1 and ours[i].kind not in COMPOSITE):
                continue
            if a > 1 and theirs[j].kind not in COMPOSITE:
                continue
            if a != b and sizes[0][i + a] - sizes[0][i] != sizes[1][j + b] - sizes[1][j]:
                continue
            score, match = worth(ours[i : i + a], theirs[j : j + b], torch, keras)
            if match:
                options.append((score + best[i + a, j + b][0], match, i + a, j + b))
        best[i, j] = max(options, key=lambda option: option[0])
    matches, i, j = [], 0, 0
    while (i, j) != (len(ours), len(theirs)):
        _, match, i, j = best[i, j]
        matches += [match] if match else []
    return matches


def only_ways(
    ours: list[Layer], theirs: list[Layer], torch: Description, keras: Description, *, again: bool = False
) -> list[Match]:
    """What can be matched in one way only, in any order, until nothing more can. PyTorch's are used `again` or once."""
    matches: list[Match] = []
    pairs = [found for t in ours for k in theirs if (found := worth([t], [k], torch, keras)[1])]
    while True:
        of_torch, of_keras = (
            Counter(id(side[0]) for side in sides)
            for sides in ([pair.torch for pair in pairs], [pair.keras for pair in pairs])
        )
        only = [p for p in pairs if of_keras[id(p.keras[0])] == 1 and (again or of_torch[id(p.torch[0])] == 1)]
        if not only:
            return matches
        matches += only
        done = {id(layer) for pair in only for layer in (*pair.keras, *(() if again else pair.torch))}
        pairs = [pair for pair in pairs if not {id(pair.torch[0]), id(pair.keras[0])} & done]


def reordered(matches: tuple[Match, ...], torch: Description, keras: Description) -> Iterator[tuple[Match, ...]]:
    """With siblings exchanged: the same in every block at once, then in one block alone; small groups first."""
    alike: dict[tuple[int, Sort], list[tuple[int, ...]]] = {}
    for key, run in groupby(enumerate(matches), key=lambda indexed: sort_of(indexed[1], keras)):
        indices = tuple(index for index, _ in run)
        if len(indices) > 1 and len(matches[indices[0]].torch) == len(matches[indices[0]].keras) == 1:
            alike.setdefault((len(indices), key[1:]), []).append(indices)
    for index, match in enumerate(matches):
        several = max(match.torch, match.keras, key=len)
        if len(several) > 1 and len({layer.kind for layer in several}) == 1 and several[0].kind == DENSE:
            alike.setdefault((len(several), sort_of(match, keras)[1:]), []).append((index,))
    for (size, _), groups in sorted(alike.items(), key=lambda item: item[0][0]):
        for order in orders(size):
            for chosen in [groups, *([group] for group in groups if len(groups) > 1)]:
                changed = list(matches)
                for group in chosen:
                    exchange(changed, group, order, torch, keras)
                if [match.fit.full for match in changed] == [match.fit.full for match in matches]:
                    yield tuple(changed)


def sort_of(match: Match, keras: Description) -> Sort:
    """Equal for siblings: the layer that they are in, kinds, and shapes."""
    shapes = tuple(keras.tensors[name].shape for layer in match.keras for name in layer.tensors.values())
    return match.keras[0].path.rpartition("/")[0], match.torch[0].kind, match.keras[0].kind, shapes


def orders(size: int) -> list[tuple[int, ...]]:
    """All but the one that changes nothing; the last ones' places are changed last. Of many, neighbours only."""
    still = tuple(range(size))
    if size > PERMUTED:
        return [(*still[:i], i + 1, i, *still[i + 2 :]) for i in range(size - 1)]
    moved = {order: [place for place in still if order[place] != place] for order in permutations(still)}
    return sorted((order for order in moved if moved[order]), key=lambda order: (moved[order][-1], len(moved[order])))


def exchange(
    matches: list[Match], group: tuple[int, ...], order: tuple[int, ...], of: Description, to: Description
) -> None:
    before = [matches[index] for index in group]
    for place, index in enumerate(group):
        torch, keras = before[place].torch, before[place].keras
        if len(group) > 1:
            torch = before[order[place]].torch
        elif len(keras) > 1:
            keras = tuple(keras[other] for other in order)
        else:
            torch = tuple(torch[other] for other in order)
        matches[index] = Match(torch, keras, fit(list(torch), list(keras), of, to))
