"""The weights of a PyTorch model, carried into a Keras model of the same layers.

Layers are aligned in order of execution, not of registration. What is carried is a guess by kind, shape and name, until
the forward passes agree.
"""

from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, permutations
from math import prod

import numpy as np

from shared.pairs.alignment import Match, align, calls, likeness, reordered, title
from shared.pairs.description import GRU, Description, Layer
from shared.pairs.layouts import ROLE, Array, Expression, Shape, fit, last, needed
from shared.system.errors import InputError

Arrays = dict[str, Array]
UsersMap = Callable[[Arrays], Arrays]

ALTERNATIVES = 12
LINEAR = 1e-5  # of the largest value: a user's map may round to float32


@dataclass(frozen=True)
class Carry:
    """Which tensors of PyTorch's make which of Keras's, and how."""

    torch: Description
    keras: Description
    matches: tuple[Match, ...]  # in Keras's order of execution
    rows: Mapping[str, Array]  # the order of a kernel's inputs, by Keras's name
    users: Mapping[str, Expression]  # the user's own

    @property
    def made(self) -> dict[str, Expression]:
        made: dict[str, Expression] = {}
        for match in self.matches:
            made = match.fit.made | made
        for name, order in self.rows.items():
            if name in made:
                made[name] = made[name].then(partial(np.take, indices=order, axis=0))
        return made | dict(self.users)

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(expression.sources) for name, expression in self.made.items()}

    def values(self, arrays: Mapping[str, Array]) -> Arrays:
        """Keras's tensors from PyTorch's: weights, momentum, whatever has the names of the model's tensors."""
        return {k: array for k, made in self.made.items() if (array := made.value(arrays)) is not None}

    def gradients(self, arrays: Mapping[str, Array]) -> Arrays:
        """What Keras's gradients must be. A tensor whose sources all have none is left out."""
        return {k: array for k, made in self.made.items() if (array := made.value(arrays, gradient=True)) is not None}

    @property
    def unmatched_torch(self) -> list[str]:
        used = {name for sources in self.sources.values() for name in sources}
        return unmatched(self.torch, used)

    @property
    def unmatched_keras(self) -> list[str]:
        return unmatched(self.keras, self.made.keys())

    @property
    def untied(self) -> list[tuple[str, list[str]]]:
        """A tensor of PyTorch's that layers share, and the several that Keras has of it: their gradients differ."""
        made, users = self.made, dict[str, dict[int, list[str]]]()
        for index, match in enumerate(self.matches):
            for name in match.fit.made:
                for source in made[name].sources:
                    users.setdefault(source, {}).setdefault(index, []).append(name)
        names = {source: sorted({name for part in parts.values() for name in part}) for source, parts in users.items()}
        several = [source for source, parts in users.items() if len({tuple(part) for part in parts.values()}) > 1]
        return [(source, names[source]) for source in several]

    def alone(self, side: Description) -> list[Layer]:
        """The layers of one side of which nothing is carried."""
        left = {*(self.unmatched_torch if side is self.torch else self.unmatched_keras)}
        return [layer for layer in side.layers if (names := {*needed(layer, side).values()}) and names <= left]

    def missing(self) -> list[str]:
        """What can't be carried, with the shapes of both sides, and the lines of code that would."""
        conflicts = self.conflicts()
        told = {source for match in self.matches for name in conflicts for source in match.fit.sources(name)}
        ours, theirs = [name for name in self.unmatched_torch if name not in told], self.unmatched_keras
        sentences = [self._conflict(name) for name in conflicts]
        for layer in self.keras.layers:
            lacking = [name for name in needed(layer, self.keras).values() if name in theirs]
            if not lacking:
                continue
            theirs = [name for name in theirs if name not in lacking]
            candidates = [self._candidate(name, ours) for name in lacking]
            ours = [name for name in ours if name not in candidates]
            has = ", ".join(f"{name} {self.torch.tensors[name].shape}" for name in candidates if name) or "none like it"
            lacks = ", ".join(f"{name} {self.keras.tensors[name].shape}" for name in lacking)
            code = "".join(self._code(*pair) for pair in zip(lacking, candidates, strict=True))
            cure = f"Say how, in the Keras file:\ndef carry(torch):\n    return {{\n{code}    }}"
            if self._resets_before(layer):
                cure = "Make it with reset_after=True, which is PyTorch's formula."
            sentences.append(f"Nothing that is left fits {title(layer)}: Keras has {lacks}, PyTorch has {has}. {cure}")
        for layer in self.torch.layers:
            left = [name for name in needed(layer, self.torch).values() if name in ours]
            ours = [name for name in ours if name not in left]
            if left:
                sentences.append(self._left_over(layer, left))
        return sentences

    def conflicts(self) -> list[str]:
        """Keras's tensors that would be made of more than one of PyTorch's."""
        sources: dict[str, set[tuple[str, ...]]] = {}
        for match in self.matches:
            for name, expression in match.fit.made.items():
                sources.setdefault(name, set()).add(tuple(expression.sources))
        return [name for name, several in sources.items() if len(several) > 1 and name not in self.users]

    def _conflict(self, name: str) -> str:
        names = list(dict.fromkeys(source for match in self.matches for source in match.fit.sources(name)))
        has = ", ".join(f"{source} {self.torch.tensors[source].shape}" for source in names)
        return (
            f"PyTorch has two tensors where Keras has one (shared): {has} for {name} {self.keras.tensors[name].shape}. "
            "Share it in PyTorch too, or say which, in the Keras file:\n"
            f"def carry(torch):\n    return {{\n{self._code(name, names[0])}    }}"
        )

    def _left_over(self, layer: Layer, names: list[str]) -> str:
        has = ", ".join(f"{name} {self.torch.tensors[name].shape}" for name in names)
        for other in self.keras.layers:
            if calls(self.keras, other) > 1 and fit([layer], [other], self.torch, self.keras).full:
                return (
                    f"PyTorch has two tensors where Keras has one (shared): {title(layer)} has {has}, and Keras calls "
                    f"{title(other)} more than once. Share the layer in PyTorch too, or make two in Keras."
                )
        return (
            f"{title(layer)} has {has}, and Keras has nothing for it. Add the layer or the tensor to the Keras model, "
            "or remove it from PyTorch's."
        )

    def _candidate(self, name: str, torch: list[str]) -> str | None:
        """PyTorch's tensor that is left, of as many numbers or at least axes, and of the likest name."""
        wanted = self.keras.tensors[name].shape
        same_role = [other for other in torch if ROLE.get(last(other)) == ROLE.get(last(name))]
        options = [
            [other for other in same_role if prod(self.torch.tensors[other].shape) == prod(wanted)],
            [other for other in torch if prod(self.torch.tensors[other].shape) == prod(wanted)],
            [other for other in same_role if len(self.torch.tensors[other].shape) == len(wanted)],
        ]
        return max(next(filter(None, options), []), key=lambda other: likeness(other, name), default=None)

    def _resets_before(self, layer: Layer) -> bool:
        """A GRU with one bias: its reset gate works before the product and not after it."""
        biases = [name for own, name in layer.tensors.items() if last(own) == "bias"]
        gru = layer.kind == GRU or any("gru" in own for own in layer.tensors)
        return gru and any(len(self.keras.tensors[name].shape) == 1 for name in biases)

    def _code(self, name: str, source: str | None) -> str:
        wanted = self.keras.tensors[name].shape
        if source is None:
            array = f"np.zeros({wanted})," if ROLE.get(last(name)) == "bias" else f"…,  # an array {wanted}"
            return f'        "{name}": {array}\n'
        given = self.torch.tensors[source].shape
        if prod(given) != prod(wanted):
            return f'        "{name}": …,  # an array {wanted}, from torch["{source}"]\n'
        still = tuple(range(len(given)))
        likely = (*still[2:], 1, 0) if last(name) == "kernel" and len(given) > 1 else still
        fitting = (axes for axes in (likely, *permutations(still)) if tuple(given[axis] for axis in axes) == wanted)
        moved = f".transpose{axes}" if (axes := next(fitting, None)) else f".reshape{wanted}"
        return f'        "{name}": torch["{source}"]{moved if axes != still else ""},\n'

    def with_rows(self, path: str, permutation: list[int] | Array) -> "Carry":
        """The same, with the inputs of this dense layer of Keras's in another order, as after a flatten."""
        layer = next(layer for layer in self.keras.layers if layer.path == path)
        kernels = [name for own, name in layer.tensors.items() if ROLE.get(last(own)) == "weight"]
        return replace(self, rows={**self.rows, **dict.fromkeys(kernels, np.asarray(permutation))})

    def override(self, values: UsersMap) -> "Carry":
        """The same, but for what the user's own map returns. It serves gradients too, and so must be linear."""
        return replace(self, users={**self.users, **users_expressions(values, self)})

    def alternatives(self) -> Iterator["Carry"]:
        """The same with equal siblings in another order, the likeliest first."""
        others = reordered(self.matches, self.torch, self.keras)
        return (replace(self, matches=matches) for matches in islice(others, ALTERNATIVES))


def carry(torch: Description, keras: Description) -> Carry:
    return Carry(torch, keras, align(torch, keras), {}, {})


def unmatched(side: Description, known: Iterable[str]) -> list[str]:
    known = set(known)
    names = dict.fromkeys(name for layer in side.layers for name in needed(layer, side).values())
    return [name for name in names if name not in known]


class Watched(UserDict[str, Array]):
    """Remembers which arrays were asked for."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays)
        self.asked: dict[str, None] = {}

    def __getitem__(self, name: str) -> Array:
        array = super().__getitem__(name)
        self.asked[name] = None
        return array


def users_expressions(values: UsersMap, carry: Carry) -> dict[str, Expression]:
    """What the user's map returns, each with the tensors that it is made of. InputError where it can't be used."""
    shapes = {name: facts.shape for name, facts in carry.torch.tensors.items()}

    def of(arrays: Mapping[str, Array]) -> Arrays:
        return values(
            {name: np.zeros(shape) for name, shape in shapes.items()} | {k: v.copy() for k, v in arrays.items()}
        )

    watched = Watched({name: np.zeros(shape) for name, shape in shapes.items()})
    zero = values(watched)  # type: ignore[arg-type]
    checked(zero, carry)
    numbers = np.random.default_rng(0)
    one, two = ({name: numbers.standard_normal(shapes[name]) for name in watched.asked} for _ in range(2))
    of_one, of_two = of(one), of(two)
    together = of({name: one[name] - 3 * two[name] for name in one})
    for name, array in of_one.items():
        difference = np.abs(together[name] - (np.asarray(array) - 3 * np.asarray(of_two[name])))
        if difference.size and not difference.max() <= LINEAR * np.abs(together[name]).max():
            raise InputError(
                f"carry is not linear: its {name} of a - 3 b differs by {difference.max():.2g} from that of a minus 3 "
                "times that of b. It serves gradients too: transpose, reshape, cut, join or scale."
            )
        if np.any(zero[name]):
            raise InputError(
                f"carry is not linear: of zeros it makes a {name} with {np.abs(zero[name]).max():.2g}. It serves "
                "gradients too: add no constant."
            )
    sources: dict[str, dict[str, Shape]] = {name: {} for name in of_one}
    for source in one:
        for name, array in of({source: one[source]}).items():
            if np.any(array):
                sources[name][source] = shapes[source]
    automatic = carry.made
    return {
        name: users_expression(name, of, sources[name], np.asarray(array).shape)
        for name, array in of_one.items()
        # What is the same as the automatic one stays: that knows what the gradient of a sum is.
        if not (
            name in automatic
            and set(automatic[name].sources) == set(sources[name])
            and np.array_equal(np.asarray(automatic[name].value(one)), array)
        )
    }


def users_expression(
    name: str, of: Callable[[Mapping[str, Array]], Arrays], sources: dict[str, Shape], shape: Shape
) -> Expression:
    return Expression(sources, shape, lambda arrays: np.asarray(of(arrays)[name]))


def checked(returned: object, carry: Carry) -> None:
    if not isinstance(returned, dict):
        raise InputError(
            f"carry returned {type(returned).__name__}: return a dict from Keras's variable paths to arrays."
        )
    for name, array in returned.items():
        if name not in carry.keras.tensors:
            likest = max(carry.keras.tensors, key=lambda known: likeness(str(name), known))
            raise InputError(f"carry returned {name!r}, which the Keras model has not. The likest path is {likest!r}.")
        if (shape := np.shape(array)) != (wanted := carry.keras.tensors[name].shape):
            raise InputError(f"carry returned {name} of shape {shape}: Keras has {wanted}. Transpose or reshape it.")
