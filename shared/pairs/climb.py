"""The climb: both sides' numbers compared in the order in which one depends on the other, each beside its noise floor.

First what the models are given, then each call of an evaluation, the loss, the forward pass in training, the gradients,
then weights, buffers and losses step by step. What is off first is where the two models differ.

The noise floor of a number is how far it moves on either side where all weights and inputs are moved by one unit in
the last place, and the examples of a batch are taken in reverse: but never less than a unit in the last place of the
largest number of its tensor.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.pairs.carry import Carry
from shared.pairs.description import (
    BATCH_NORM,
    BIDIRECTIONAL,
    CONV,
    GROUP_NORM,
    GRU,
    LAYER_NORM,
    LSTM,
    RNN,
    Call,
    Description,
    Layer,
)
from shared.pairs.protocol import ALONE, Arrays, Until
from shared.system.language import say, say_number

# How many noise floors a sound pair may lie apart. Measured by `benchmarks.pairs`: see benchmarks/pairs.md.
LIMITS = {"float64": 1000.0, "float32": 64.0}
SIDES = ("PyTorch", "Keras")
RATE_TOLERANCE = 1e-6  # a rate is a setting, and no result: Keras keeps it in float32 in a float32 run
UNSEEN = {"", "permute", "concatenate", "pad"}  # what only rearranges, or has no counterpart by kind
STATISTICS = {"moving_mean", "moving_variance"}  # which PyTorch may be told not to keep
MASKED = 1000.0  # so far below the largest, the exponential is 0 in float64 too
RECURRENT = {RNN, LSTM, GRU, BIDIRECTIONAL}
# Stages, in order.
GIVEN, EVALUATION, EVALUATED, TRAINING, TRAINED, GRADIENTS = range(6)
AFTER = 10  # and the number of steps


@dataclass(frozen=True)
class Pairing:
    """A call of one side and its counterpart on the other, by number. Of several that do the work of one, the last."""

    torch: int
    keras: int
    first_torch: int  # where the input is taken
    first_keras: int


@dataclass(frozen=True)
class Check:
    """A comparison of two tensors."""

    stage: int
    what: str  # for a reader: "the output of blocks.0.norm (nn.LayerNorm)", "gradient of fc.weight"
    key: str  # what tells it from others
    difference: float
    floor: float
    largest: float  # of PyTorch's numbers
    pairing: Pairing | None = None
    inside: bool = False  # in the layer; else between it and those before
    tensor: str = ""  # Keras's name, of a gradient, weight or buffer
    lost: tuple[str, ...] = ()  # the sides on which it is not finite

    @property
    def multiple(self) -> float:
        """The difference in noise floors."""
        if not np.isfinite(self.difference):
            return np.inf
        return self.difference / self.floor if self.floor else (0.0 if self.difference == 0 else np.inf)

    @property
    def until(self) -> Until:
        """How far a run must go to make this check."""
        if self.stage <= EVALUATED:
            return "evaluation"
        return "gradients" if self.stage <= GRADIENTS else "training"


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


def laid_out(ours: np.ndarray, theirs: np.ndarray, ours_call: Call, theirs_call: Call) -> np.ndarray | None:
    """Keras's tensor in the layout of PyTorch's: by what both say of it, else by its shape. None where none fits."""
    if ours_call.channels_last is False and theirs_call.channels_last and ours.ndim == theirs.ndim:
        moved = np.moveaxis(theirs, -1, 1)
        if moved.shape == ours.shape:
            return moved
    if ours.shape == theirs.shape:
        return theirs
    if ours_call.kind in RECURRENT and ours.ndim == 3 and theirs.ndim == 2:  # noqa: PLR2004 Keras gives the last output
        return None
    if ours.ndim == theirs.ndim and sorted(ours.shape) == sorted(theirs.shape):
        ways = [p for p in itertools.permutations(range(ours.ndim)) if tuple(theirs.shape[a] for a in p) == ours.shape]
        return min((theirs.transpose(way) for way in ways), key=lambda arranged: _gap(ours, arranged))
    if ours.size == theirs.size and (ours.shape[-1] == theirs.shape[-1] or 1 in {ours.shape[-1], theirs.shape[-1]}):
        return theirs.reshape(ours.shape)
    return None


def last_of(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray | None:
    """Of a recurrent layer's outputs in PyTorch, what Keras gives where it gives the last alone; None where unclear."""
    for last in (ours[:, -1], ours[-1]):
        if last.shape == theirs.shape:
            return last
    return None


def _seen_by_softmax(values: np.ndarray) -> np.ndarray:
    """A mask may be -inf on one side and a large number on the other: both give a probability of exactly 0."""
    masked = values < values.max(axis=-1, keepdims=True) - MASKED
    return np.where(masked, -np.inf, values)


def _gap(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference; infinite where one has a number that is not finite and the other another."""
    if a.size == 0:
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b)) if np.issubdtype(a.dtype, np.floating) else a == b
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
    largest = float(gap.max())
    return largest if np.isfinite(largest) else np.inf


def _is_finite(array: np.ndarray) -> bool:
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


Variants = Sequence[Arrays]


@dataclass(frozen=True)
class Numbers:
    """What one side computed, and how far rounding moves it: what it computed unchanged, and perturbed."""

    arrays: Arrays
    unchanged: Arrays
    perturbed: Variants = ()

    def moves(self, key: str) -> float:
        """How far the perturbations move a tensor; 0 where it was not looked at."""
        base = self.unchanged.get(key)
        moved = [
            _gap(base, other[key])
            for other in self.perturbed
            if base is not None and key in other and other[key].shape == base.shape
        ]
        return max((size for size in moved if np.isfinite(size)), default=0.0)


def climb(sides: Sides, torch: Numbers, keras: Numbers, until: Until = "training") -> list[Check]:
    """All checks in order, as far as both runs went."""
    comparing = _Comparing(sides, torch, keras)
    checks = [
        *comparing.given(),
        *comparing.calls(EVALUATION, "evaluation"),
        *comparing.outputs(EVALUATED, "evaluation"),
    ]
    if until != "evaluation":
        checks += [
            *comparing.calls(TRAINING, "training"),
            *comparing.outputs(TRAINED, "training"),
            *comparing.gradients(),
        ]
    if until == "training":
        checks += comparing.steps()
    return checks


@dataclass(frozen=True)
class _Comparing:
    sides: Sides
    torch: Numbers
    keras: Numbers

    def _check(
        self, stage: int, what: str, keys: tuple[str, str], arrays: tuple[np.ndarray, np.ndarray], **more: object
    ) -> Check:
        ours, theirs = arrays
        finite = np.abs(ours[np.isfinite(ours)]) if np.issubdtype(ours.dtype, np.floating) else np.zeros(0)
        largest = float(finite.max()) if finite.size else 0.0
        eps = float(np.finfo(ours.dtype).eps) if np.issubdtype(ours.dtype, np.floating) else 0.0
        floor = max(self.torch.moves(keys[0]), self.keras.moves(keys[1]), eps * largest)
        lost = tuple(name for name, array in zip(SIDES, arrays, strict=True) if not _is_finite(array))
        return Check(stage, what, keys[0], _gap(ours, theirs), floor, largest, lost=lost, **more)  # type: ignore[arg-type]

    def given(self) -> Iterator[Check]:
        """What the models are given: each input, after `prepare`."""
        image = Call(place="", kind=CONV, called="", settings={}, inputs=[], output="", dtype="")
        for key in [k for k in self.torch.arrays if k.startswith("given/")]:
            theirs = self.keras.arrays.get(key)
            ours, name = self.torch.arrays[key], key.removeprefix("given/")
            if theirs is None:
                continue
            last = ours.ndim == theirs.ndim and ours.ndim > 2 and ours.shape != theirs.shape  # noqa: PLR2004
            calls = [image.model_copy(update={"channels_last": side if last else None}) for side in (False, True)]
            arranged = laid_out(ours, theirs, *calls)
            if arranged is not None:
                of = say("the input {name} of the model", name=name)
                what = of if name != ALONE else say("the input of the model")
                yield self._check(GIVEN, what, (key, key), (ours, arranged))

    def calls(self, stage: int, of: str) -> Iterator[Check]:
        """Each pair of calls: what comes in, and what goes out."""
        torch_calls = self.sides.torch.calls if stage == EVALUATION else self.sides.torch.training_calls
        keras_calls = self.sides.keras.calls if stage == EVALUATION else self.sides.keras.training_calls
        for pairing in self.sides.pairings:
            if pairing.torch >= len(torch_calls) or pairing.keras >= len(keras_calls):
                continue
            ours, theirs = torch_calls[pairing.torch], keras_calls[pairing.keras]
            name = _named(ours)
            first, second = torch_calls[pairing.first_torch].as_given, keras_calls[pairing.first_keras].as_given
            for key, twin in zip(first.inputs, second.inputs, strict=False):
                arrays = self._arrays(
                    f"{of}/{key}", f"{of}/{twin}", first, second, self.sides.orders.get(pairing.torch)
                )
                if arrays:
                    keys = (f"{of}/{key}", f"{of}/{twin}")
                    what = _when(say("what goes into {name}", name=name), stage)
                    yield self._check(stage, what, keys, arrays, pairing=pairing)
            if ours.kind == "flatten":
                continue  # the order of what is flattened differs; it is checked where it goes in
            keys = (f"{of}/{ours.output}", f"{of}/{theirs.output}")
            if arrays := self._arrays(*keys, ours, theirs, None):
                what = _when(say("the output of {name}", name=name), stage)
                yield self._check(stage, what, keys, arrays, pairing=pairing, inside=True)

    def _arrays(
        self, key: str, twin: str, ours_call: Call, theirs_call: Call, order: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        ours, theirs = self.torch.arrays.get(key), self.keras.arrays.get(twin)
        if ours is None or theirs is None:
            return None
        if ours_call.kind == "softmax" and np.issubdtype(ours.dtype, np.floating):
            ours, theirs = _seen_by_softmax(ours), _seen_by_softmax(theirs)
        if order is not None:
            return ours[..., order], theirs
        if ours_call.kind in RECURRENT and ours.ndim == 3 and theirs.ndim == 2:  # noqa: PLR2004
            last = last_of(ours, theirs)
            return None if last is None or ours_call.settings.get("bidirectional") else (last, theirs)
        arranged = laid_out(ours, theirs, ours_call, theirs_call)
        return None if arranged is None else (ours, arranged)

    def outputs(self, stage: int, of: str) -> Iterator[Check]:
        """What the model returns, and its loss."""
        last = Call(place="", kind="", called="", settings={}, inputs=[], output="", dtype="", channels_last=None)
        names = [key for key in self.torch.arrays if key.startswith(f"{of}/output/")]
        twins = [key for key in self.keras.arrays if key.startswith(f"{of}/output/")]
        for number, key in enumerate(names):
            twin = key if key in self.keras.arrays else twins[number] if number < len(twins) else None
            if twin is None:
                continue
            ours, theirs = self.torch.arrays[key], self.keras.arrays[twin]
            as_images = ours.ndim > 2 and ours.ndim == theirs.ndim and np.moveaxis(theirs, -1, 1).shape == ours.shape  # noqa: PLR2004
            sides = [
                last.model_copy(update={"channels_last": side if as_images and ours.shape != theirs.shape else None})
                for side in (False, True)
            ]
            arranged = laid_out(ours, theirs, *sides)
            name = key.removeprefix(f"{of}/output/")
            returned = say("what the model returns as {name}", name=name) if name else say("what the model returns")
            what = _when(returned, stage)
            if arranged is None:
                what = say(
                    "{what}: {ours} in PyTorch, {theirs} in Keras", what=what, ours=ours.shape, theirs=theirs.shape
                )
                yield Check(stage, what, key, np.inf, 0.0, 0.0)
            else:
                yield self._check(stage, what, (key, twin), (ours, arranged))
        keys = (f"{of}/loss", f"{of}/loss")
        losses = self.torch.arrays[keys[0]].reshape(()), self.keras.arrays[keys[1]].reshape(())
        yield self._check(stage, _when(say("the loss"), stage), keys, losses)

    def gradients(self) -> Iterator[Check]:
        """Each tensor's, the last layer's first, as they are computed."""
        prefix = "gradient/"
        ours = {k.removeprefix(prefix): v for k, v in self.torch.arrays.items() if k.startswith(prefix)}
        theirs = {k.removeprefix(prefix): v for k, v in self.keras.arrays.items() if k.startswith(prefix)}
        expected = self.sides.carry.gradients(ours)
        sources = self.sides.carry.sources
        # A trial may have given Keras what it lacks.
        given = {name for key in theirs for name in key.removeprefix("torch/").split(" + ")}
        for name in self.sides.more_in_torch:
            if name in ours and name not in given:
                told = say("the gradient of {name}: PyTorch has one, Keras has no such tensor", name=name)
                yield Check(GRADIENTS, told, name, np.inf, 0.0, 0.0, tensor=name)
        for name in reversed([*self.sides.keras.tensors]):
            if name in self.sides.more_in_keras and name in theirs and not self.sides.keras.tensors[name].buffer:
                told = say("the gradient of {name}: Keras has one, PyTorch has no such tensor", name=name)
                yield Check(GRADIENTS, told, name, np.inf, 0.0, 0.0, tensor=name)
            if name not in sources:
                continue
            what = say("the gradient of {name}", name=" + ".join(sources[name]))
            if (name in expected) != (name in theirs):
                has, lacks = ("PyTorch", "Keras") if name in expected else ("Keras", "PyTorch")
                facts = self.sides.keras.tensors[name]
                if not facts.buffer:
                    told = say("{what}: {has} has one, {lacks} has none", what=what, has=has, lacks=lacks)
                    yield Check(GRADIENTS, told, name, np.inf, 0.0, 0.0, tensor=name)
            elif name in expected:
                yield self._tensor(GRADIENTS, what, prefix, name, (expected[name], theirs[name]))

    def _tensor(self, stage: int, what: str, prefix: str, name: str, arrays: tuple[np.ndarray, np.ndarray]) -> Check:
        check = self._check(stage, what, ("", f"{prefix}{name}"), arrays, tensor=name)
        moves = [self.torch.moves(f"{prefix}{source}") for source in self.sides.carry.sources[name]]
        return replace(check, key=f"{prefix}{name}", floor=max(check.floor, *moves))

    def steps(self) -> Iterator[Check]:
        """After each recorded step: the rates and the losses up to it, then weights and buffers."""
        before = 0
        for after in self.sides.record_after:
            for of in ("rates", "losses"):
                ours, theirs = self.torch.arrays[of][before:after], self.keras.arrays[of][before:after]
                gaps = [_gap(a, b) for a, b in zip(ours, theirs, strict=True)]
                floors = self._floors(of, before, after, ours)
                worst = int(
                    np.argmax([g / f if f else (np.inf if g else 0) for g, f in zip(gaps, floors, strict=True)])
                )
                step = before + worst + 1
                rate, loss = say("the rate of step {step:,}", step=step), say("the loss of step {step:,}", step=step)
                said = rate if of == "rates" else loss
                stage = AFTER + (before if of == "losses" else after - 1)
                yield Check(stage, said, f"{of}/{after}", gaps[worst], floors[worst], abs(float(ours[worst])))
            yield from self._after(after)
            before = after

    def _floors(self, of: str, before: int, after: int, ours: np.ndarray) -> list[float]:
        dtype = self.torch.arrays["training/loss"].dtype
        if of == "rates":
            return [RATE_TOLERANCE * abs(float(rate)) / LIMITS[dtype.name] for rate in ours]
        floors = []
        for step in range(before, after):
            moved = [
                abs(float(other[of][step] - side.unchanged[of][step]))
                for side in (self.torch, self.keras)
                for other in side.perturbed
            ]
            finite = [size for size in moved if np.isfinite(size)]
            floors.append(max([*finite, float(np.finfo(dtype).eps) * abs(float(ours[step - before]))]))
        return floors

    def _after(self, steps: int) -> Iterator[Check]:
        prefix = f"after/{steps}/"
        ours = {k.removeprefix(prefix): v for k, v in self.torch.arrays.items() if k.startswith(prefix)}
        expected = self.sides.carry.values(ours)
        for name, facts in self.sides.keras.tensors.items():
            if name in expected and f"{prefix}{name}" in self.keras.arrays:
                of = " + ".join(self.sides.carry.sources[name])
                if facts.buffer:
                    what = say_number("{name} after {n:,} step", "{name} after {n:,} steps", n=steps, name=of)
                else:
                    what = say_number(
                        "the weights {name} after {n:,} step",
                        "the weights {name} after {n:,} steps",
                        n=steps,
                        name=of,
                    )
                yield self._tensor(
                    AFTER + steps, what, prefix, name, (expected[name], self.keras.arrays[f"{prefix}{name}"])
                )


def _named(call: Call) -> str:
    """A call of PyTorch's, as checks name it."""
    if call.called.startswith(("F.", "torch.", "the ")):
        return say("{called} in {place}", called=call.called, place=call.place or say("the model"))
    return say("{place} ({called})", place=call.place, called=call.called) if call.place else call.called


def _when(what: str, stage: int) -> str:
    return say("{what}, in training", what=what) if stage in {TRAINING, TRAINED} else what


def flatten_orders(sides: Sides, torch: Arrays, keras: Arrays) -> dict[int, np.ndarray]:
    """By the number of PyTorch's call of a dense layer: the order in which Keras flattens what goes into it.

    It is that of the image before, channels last; but taken only where it makes both inputs agree better.
    """
    found: dict[int, np.ndarray] = {}
    for pairing in sides.pairings:
        ours, theirs = sides.torch.calls[pairing.torch], sides.keras.calls[pairing.keras]
        a = torch.get(f"evaluation/{ours.inputs[0]}") if ours.inputs else None
        b = keras.get(f"evaluation/{theirs.inputs[0]}") if theirs.inputs else None
        if a is None or b is None or ours.kind != "dense" or a.ndim != 2 or a.shape != b.shape:  # noqa: PLR2004
            continue
        images = [
            torch[f"evaluation/{c.output}"] for c in sides.torch.calls[: pairing.torch] if c.channels_last is False
        ]
        shapes = [image.shape[1:] for image in images if image[0].size == a.shape[1]]
        if shapes:
            order = np.moveaxis(np.arange(a.shape[1]).reshape(shapes[-1]), 0, -1).ravel()
            if np.abs(a[:, order] - b).mean() < np.abs(a - b).mean():
                found[pairing.torch] = order
    return found


def first_beyond(checks: Sequence[Check], limit: float) -> Check | None:
    """What is off first."""
    return next((check for check in checks if not check.multiple <= limit), None)
