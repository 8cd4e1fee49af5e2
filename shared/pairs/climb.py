"""The climb: both sides' numbers compared in the order in which one depends on the other, each beside its noise floor.

First what the models are given, then each call of an evaluation, the loss, the forward pass in training, the gradients,
then weights, buffers and losses step by step. What is off first is where the two models differ.

The noise floor of a number is how far it moves on either side where all weights and inputs are moved by one unit in
the last place, and the examples of a batch are taken in reverse: but never less than a unit in the last place of the
largest number of its tensor.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.pairs.description import CONV, Call
from shared.pairs.pairing import RECURRENT, SIDES, Pairing, Sides
from shared.pairs.protocol import ALONE, Arrays, Until
from shared.system.language import say, say_number

# How many noise floors a sound pair may lie apart. Measured by `benchmarks.pairs`: see benchmarks/pairs.md.
LIMITS = {"float64": 1000.0, "float32": 64.0}
RATE_TOLERANCE = 1e-6  # a rate is a setting, and no result: Keras keeps it in float32 in a float32 run
MASKED = 1000.0  # so far below the largest, the exponential is 0 in float64 too
# Stages, in order.
GIVEN, EVALUATION, EVALUATED, TRAINING, TRAINED, GRADIENTS = range(6)
AFTER = 10  # and the number of steps


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
