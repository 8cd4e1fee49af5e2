"""What the numbers of a call may be instead: another tensor of the model, a reduction of one, one more, one less."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from shared.pairs import description as kinds
from shared.pairs.causes import Candidate, name_of, tensors_of, titled
from shared.pairs.climb import Check
from shared.pairs.description import Call, Setting
from shared.pairs.pairing import RECURRENT, Pairing, Sides
from shared.pairs.protocol import Arrays, Edit, told
from shared.pairs.relations import FEW, FIT, named_number, reordered
from shared.system.language import say

IMAGE = 4  # dimensions of an image, and of what is split into heads
REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.mean,
    "largest": np.max,
    "sum": np.sum,
    "smallest": np.min,
}
REDUCED = {
    "mean": say("the mean"),
    "largest": say("the largest"),
    "sum": say("the sum"),
    "smallest": say("the smallest"),
}


class Place(NamedTuple):
    """Where the first difference is, and all that was seen there."""

    check: Check
    pairing: Pairing
    sides: Sides
    calls: tuple[Sequence[Call], Sequence[Call]]
    arrays: tuple[Arrays, Arrays]
    of: str  # "evaluation" or "training"
    at: Edit  # without a name: the number of Keras's call, and which of its tensors

    def edit(self, what: str, **values: Setting) -> Edit:
        """A change there."""
        return self.at.model_copy(update={"what": what, "values": self.at.values | values})


def _axes(ours: np.ndarray, theirs: np.ndarray, a: Call, b: Call) -> tuple[int, ...] | None:
    """The axes of PyTorch's tensor in the order of Keras's; None where the shapes are no permutation of each other."""
    still = tuple(range(ours.ndim))
    if ours.ndim != theirs.ndim:
        return None
    if a.channels_last is False and b.channels_last and ours.ndim > 2:  # noqa: PLR2004
        moved = (0, *still[2:], 1)
        return moved if ours.transpose(moved).shape == theirs.shape else None
    if ours.shape == theirs.shape:
        return still
    ways = [axes for axes in itertools.permutations(still) if ours.transpose(axes).shape == theirs.shape]
    return ways[0] if len(ways) == 1 else None


def of_positions(check: Check, ours: np.ndarray, theirs: np.ndarray, a: Call, at: Edit) -> Iterator[Candidate]:
    """Indices that are the same for all examples, such as positions."""
    if (
        check.inside
        or a.kind != kinds.EMBEDDING
        or ours.shape != theirs.shape
        or not np.issubdtype(ours.dtype, np.integer)
    ):
        return
    if ours.ndim == 1 or (ours == ours[:1]).all():
        first = [", ".join(str(index) for index in indices.reshape(-1)[:4]) for indices in (ours, theirs)]
        yield Candidate(
            say(
                "{check}: the indices (positions) are {ours}, … in PyTorch, {theirs}, … in Keras",
                check=check.what,
                ours=first[0],
                theirs=first[1],
            ),
            (at.model_copy(update={"what": "constant", "values": at.values | {"value": ours.tolist()}}),),
            say("take the indices {indices}, … there", indices=first[0]),
            say("take the indices {indices}, … there", indices=first[1]),
        )


def of_batch_axis(a: Call, b: Call, torch: Arrays, keras: Arrays, of: str) -> Iterator[Candidate]:
    """PyTorch's layers take axis 0 for time unless told otherwise, Keras's axis 1."""
    if a.settings.get("batch_first") is not False or not a.inputs or not b.inputs:
        return
    ours, theirs = torch[f"{of}/{a.inputs[0]}"], keras[f"{of}/{b.inputs[0]}"]
    if ours.shape == theirs.shape and np.abs(ours - theirs).max() <= FIT * np.abs(ours).max():
        yield Candidate(
            say(
                "batch_first of {layer}: False in PyTorch, where axis 0 is taken for time and axis 1 for the examples; "
                "in Keras axis 1 is time",
                layer=titled(a),
            ),
            (Edit(what="time first", place=b.place),),
            say("keras.ops.swapaxes(…, 0, 1) before and after {layer}", layer=name_of(b)),
            f"{a.called}(…, batch_first=True)",
        )


def of_attention(place: Place, a: Call, b: Call) -> Iterator[Candidate]:
    """A mask in an attention, and the order in which heads are cut."""
    if a.kind != kinds.SDPA or b.kind != kinds.SDPA:
        return
    if place.check.inside:
        yield from _of_mask(place, a, b)
        return
    found = []
    for pairing in place.sides.pairings:
        one, other = place.calls[0][pairing.torch], place.calls[1][pairing.keras]
        if one.kind == kinds.SDPA == other.kind:
            found += [(pairing, slot, *_heads(place, one, other, slot)) for slot in range(3)]
    orders = [order for *_, order in found]
    first = next((order for order in orders if order), None)
    if first is None or any(order != first for order in orders[:3]):
        return
    heads = found[0][2]
    edits = [
        Edit(what="heads", place=str(pairing.keras), values={"where": "in", "slot": slot, "order": first})
        for pairing, slot, *_ in found
    ]
    check = place.check.what
    what = say(
        "{check}: the numbers of each place are cut into {heads} heads in another order", check=check, heads=heads
    )
    if first[:2] == [0, heads] or first[:2] == [0, len(first) // heads]:
        what = say("{what}: a head takes every n-th number on one side, and numbers in a row on the other", what=what)
    yield Candidate(
        what,
        tuple(edits),
        say("reshape to (…, width / heads, heads) and exchange both"),
        say("unflatten(2, (heads, -1)) and then transpose"),
    )


def _heads(place: Place, a: Call, b: Call, slot: int) -> tuple[int, list[int] | None]:
    """How many heads there are, and in which order Keras's numbers of a place are PyTorch's."""
    if len(a.inputs) <= slot or len(b.inputs) <= slot:
        return 0, None
    ours, theirs = place.arrays[0][f"{place.of}/{a.inputs[slot]}"], place.arrays[1][f"{place.of}/{b.inputs[slot]}"]
    if ours.ndim != IMAGE or theirs.ndim != IMAGE:
        return 0, None
    ours = ours.transpose(0, 2, 1, 3)  # (B, T, heads, C), as in Keras
    if ours.shape[:2] != theirs.shape[:2] or ours[0].size != theirs[0].size:
        return 0, None
    flat = [array.reshape(*array.shape[:2], -1) for array in (ours, theirs)]
    return ours.shape[2], reordered(flat[0], flat[1], 2)


def _of_mask(place: Place, a: Call, b: Call) -> Iterator[Candidate]:
    masks = [
        side.get(f"{place.of}/{call.output.removesuffix('out')}mask")
        for side, call in zip(place.arrays, (a, b), strict=True)
    ]
    words = [mask_words(mask, bool(call.settings["is_causal"])) for mask, call in zip(masks, (a, b), strict=True)]
    ours = masks[0]
    if ours is not None and ours.size != ours.shape[-1] * ours.shape[-2]:
        return  # of each example its own
    values: dict[str, Setting] = {"is_causal": bool(a.settings["is_causal"]), "mask": None}
    if ours is not None:
        values["mask"] = ours.reshape(ours.shape[-2:]).tolist()
    if words[0] != words[1] and (masks[0] is not None or masks[1] is not None):
        yield Candidate(
            say(
                "the mask of {called} in {place}: {ours} in PyTorch, {theirs} in Keras",
                called=a.called,
                place=name_of(a),
                ours=words[0],
                theirs=words[1],
            ),
            (Edit(what="mask", place=str(place.pairing.keras), values=values),),
            say("give {called} the mask of PyTorch's: {words}", called=b.called, words=words[0]),
            say("give {called} the mask of Keras's: {words}", called=a.called, words=words[1]),
            family=f"mask: {words}",
        )


def mask_words(mask: np.ndarray | None, causal: bool) -> str:
    """What a place sees."""
    if mask is None:
        return _sees(0, say("before it")) if causal else say("each place sees all")
    seen = mask.reshape(-1, *mask.shape[-2:])[0]
    seen = seen if seen.dtype == bool else seen > seen.max() - 1
    for side, cut in ((say("before it"), np.tril), (say("after it"), np.triu)):
        for k in range(-2, 3):
            if np.array_equal(seen, cut(np.ones_like(seen), k)):
                return _sees(k if cut is np.tril else -k, side)
    return say("a mask by which {share:.1%} of all pairs are seen", share=float(seen.mean()))


def _sees(inner: int, side: str) -> str:
    """All on one side, and as many places more."""
    if inner == 0:
        return say("each place sees itself and all {side}", side=side)
    if inner > 0:
        return say("each place sees itself, {n} more and all {side}", n=inner, side=side)
    if inner == -1:
        return say("each place sees all {side}", side=side)
    return say("each place sees all {side} but the last {n}", side=side, n=-inner - 1)


def of_reductions(place: Place, ours: np.ndarray) -> Iterator[Candidate]:
    """PyTorch's tensor is the mean, the last, … of what a layer before gave, and Keras's is not."""
    if place.check.inside:
        return
    for pairing in reversed(place.sides.pairings):
        if pairing.torch >= place.pairing.first_torch:
            continue
        a, b = place.calls[0][pairing.torch], place.calls[1][pairing.keras]
        whole, theirs = place.arrays[0][f"{place.of}/{a.output}"], place.arrays[1][f"{place.of}/{b.output}"]
        if whole.ndim < 3 or whole.ndim > IMAGE + 1 or whole.dtype.kind != "f":  # noqa: PLR2004
            continue
        axes = range(2, whole.ndim) if a.channels_last is False else range(1, whole.ndim - 1)
        how = _reduction(whole, [*axes], ours)
        if how is None:
            continue
        of_last = b.kind in RECURRENT and theirs.ndim == whole.ndim - 1
        if not of_last and theirs.ndim != whole.ndim:
            return
        in_keras = [*range(1, whole.ndim - 1)]
        seen = place.arrays[1][f"{place.of}/{place.calls[1][place.pairing.first_keras].inputs[0]}"]
        known = "last" if of_last else _reduction(theirs, in_keras, seen)
        if known == how:
            return
        words = [_reduced(h, len(in_keras)) for h in (how, known)]
        cure = say("{what} of the outputs of {layer}", what=words[0], layer=name_of(b))
        yield Candidate(
            say(
                "{check}: {ours} of the outputs of {layer} in PyTorch, {theirs} in Keras",
                check=place.check.what,
                ours=words[0],
                layer=name_of(a),
                theirs=words[1],
            ),
            (place.edit("reduced", other=pairing.keras, how=how, axes=in_keras, sequences=b.place if of_last else ""),),
            say("return_sequences=True, and {what}", what=cure) if of_last else cure,
            say("{what} of the outputs of {layer}", what=words[1], layer=name_of(a)) if known else "",
        )
        return


def _reduced(how: str | None, axes: int) -> str:
    """A reduction over as many axes."""
    if how is None:
        return say("something else")
    if how in REDUCED:
        what = REDUCED[how]
        return say("{what} over time", what=what) if axes == 1 else say("{what} over height and width", what=what)
    return say("the last") if how == "last" else say("the first")


def _reduction(whole: np.ndarray, axes: list[int], reduced: np.ndarray) -> str | None:
    """Which reduction over these axes a tensor is; None where it is none, or of a whole that has nothing to reduce."""
    ways = {name: reduce(whole, axis=tuple(axes)) for name, reduce in REDUCTIONS.items()}
    if len(axes) == 1:
        ways |= {"first": whole.take(0, axes[0]), "last": whole.take(-1, axes[0])}
    for name, values in ways.items():
        if (
            values.size == reduced.size
            and np.abs(values.reshape(reduced.shape) - reduced).max() <= FIT * np.abs(values).max()
        ):
            return name
    return None


def of_other_tensors(
    place: Place, arrays: tuple[np.ndarray, np.ndarray], ends: tuple[Call, Call]
) -> Iterator[Candidate]:
    """Whether PyTorch's tensor is another of Keras's, or Keras's plus another: a skipped or an added connection."""
    ours, theirs = arrays
    if ours.size < FEW or ours.dtype.kind != "f" or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return
    axes = _axes(ours, theirs, *ends)
    if axes is None:
        return
    ours = ours.transpose(axes)  # as Keras's
    number = int(place.at.place)
    others = [*_others(place, number)]
    yield from _of_keras_alone(place, others, ours - theirs)
    for other, end, seen in others:
        if (found := _instead(ours, seen)) is not None and not np.array_equal(ours, theirs):
            yield _taken(place, other, end, found)
            return
    gap = ours - theirs
    fitting = [(other, end, seen) for other, end, seen in others if _broadcasts(seen, ours)]
    for other, end, seen in fitting:
        whole = np.broadcast_to(seen, ours.shape)
        share = float(np.vdot(whole, gap) / np.vdot(whole, whole)) if np.any(whole) else 0.0
        if share and np.abs(share * whole - gap).max() <= FIT * np.abs(ours).max():
            yield from _shared(place, other, end, share)
            return
    yield from _exchanged(place, fitting, ours, gap)


def _of_keras_alone(
    place: Place, others: Sequence[tuple[int, str, np.ndarray]], gap: np.ndarray
) -> Iterator[Candidate]:
    """A layer whose output is added in Keras and not in PyTorch, where it then has no gradient."""
    for other, end, seen in others:
        own = tensors_of(place.sides, place.calls[1][other].place)
        if end == "out" and own and _broadcasts(seen, gap) and np.abs(seen + gap).max() <= FIT * np.abs(seen).max():
            nothing: dict[str, Setting] = {"where": "out", "slot": 0, "scale": 0.0, "offset": 0.0}
            frozen = [Edit(what="trainable", place=name, values={"value": False}) for name in own]
            named = _named(place, other, end)
            yield Candidate(
                say(
                    "{check}: {tensor} is added in Keras, and nothing in PyTorch", check=place.check.what, tensor=named
                ),
                (Edit(what="linear", place=str(other), values=nothing), *frozen),
                say("leave {tensor} out", tensor=named),
                say("add the output of its counterpart too"),
            )


def _others(place: Place, number: int) -> Iterator[tuple[int, str, np.ndarray]]:
    """All that Keras has computed before: the call's number, "in" or "out", and the array."""
    for other, call in enumerate(place.calls[1][:number]):
        for end, key in (("in", call.inputs[0] if call.inputs else ""), ("out", call.output)):
            seen = place.arrays[1].get(f"{place.of}/{key}")
            if seen is not None and seen.dtype.kind == "f" and np.isfinite(seen).all():
                yield other, end, seen


def _broadcasts(seen: np.ndarray, ours: np.ndarray) -> bool:
    """Whether it may be added, as positions are to all examples."""
    return seen.shape == ours.shape or (
        seen.ndim < ours.ndim and seen.ndim > 1 and seen.shape == ours.shape[-seen.ndim :]
    )


def _instead(ours: np.ndarray, seen: np.ndarray) -> list[int] | None:
    """The order of axes, the examples' first, in which a tensor has PyTorch's numbers; None where there is none."""
    if seen.size != ours.size or seen.ndim < 2 or seen.shape[0] != ours.shape[0]:  # noqa: PLR2004
        return None
    for axes in itertools.permutations(range(1, seen.ndim)):
        if np.abs(seen.transpose(0, *axes).reshape(ours.shape) - ours).max() <= FIT * np.abs(ours).max():
            return [0, *axes]
    return None


def _named(place: Place, other: int, end: str) -> str:
    call = place.calls[1][other]
    of_function = call.place and call.called.startswith(("keras.ops", "keras.activations", "tf."))
    name = say("{called} in {place}", called=call.called, place=call.place) if of_function else name_of(call)
    return say("what goes into {name}", name=name) if end == "in" else say("the output of {name}", name=name)


def _taken(place: Place, other: int, end: str, axes: list[int]) -> Candidate:
    twins, named, check = place.calls[1], _named(place, other, end), place.check.what
    between = ", ".join(dict.fromkeys(name_of(c) for c in twins[other + 1 : int(place.at.place)]))
    moved = axes != [*range(len(axes))]
    cure = say("take {tensor} there", tensor=named)
    if moved:
        what = say(
            "{check}: in PyTorch it is {tensor} with its axes in another order: reshaped where Keras transposes, or "
            "the reverse, in Keras it is not",
            check=check,
            tensor=named,
        )
        cure = say("take {tensor}, transposed to {axes} and reshaped, there", tensor=named, axes=tuple(axes))
    elif end == "out" and between:
        what = say(
            "{check}: in PyTorch it is {tensor}, in Keras {layers} stands between",
            check=check,
            tensor=named,
            layers=between,
        )
    else:
        what = say("{check}: in PyTorch it is {tensor}, in Keras it is not", check=check, tensor=named)
    edit = place.edit("instead", other=other, end=end, axes=told(axes))
    family = f"axes {axes} of {twins[other].called}" if moved else ""
    return Candidate(what, (edit,), cure, family=family)


def _shared(place: Place, other: int, end: str, share: float) -> Iterator[Candidate]:
    named, factor = _named(place, other, end), named_number(1 + share)
    if end == "out" and abs(abs(share) - 1) > FIT:
        values: dict[str, Setting] = {"where": "out", "slot": 0, "scale": 1 + share, "offset": 0.0}
        yield Candidate(
            say(
                "{tensor} is scaled in PyTorch, by a factor of {factor}, and not in Keras", tensor=named, factor=factor
            ),
            (Edit(what="linear", place=str(other), values=values),),
            say("multiply it by {scale}", scale=factor),
        )
    edit = place.edit("add", other=other, end=end, scale=share)
    kind = place.calls[1][other].kind
    guess = say("a residual connection?")
    if kind == kinds.EMBEDDING:
        guess = say("an embedding, as of positions, that is left out?")
    yield Candidate(
        say("{check}: {what}", check=place.check.what, what=_added(named, share, guess)),
        (edit,),
        say("add {factor} × {tensor} there", factor=named_number(share), tensor=named),
        family=f"{share:.6g} {named}",
    )


def _added(named: str, share: float, guess: str) -> str:
    """What Keras lacks of a tensor, or has too much of."""
    if abs(share - 1) < FIT:
        return say("{tensor} is missing in Keras, where PyTorch adds it: {guess}", tensor=named, guess=guess)
    if abs(share + 1) < FIT:
        return say("{tensor} is added in Keras alone: {guess}", tensor=named, guess=guess)
    return say(
        "{tensor} has another factor in PyTorch: {factor} times more of it, beside the one in Keras",
        tensor=named,
        factor=named_number(share),
    )


def _exchanged(
    place: Place, others: Sequence[tuple[int, str, np.ndarray]], ours: np.ndarray, gap: np.ndarray
) -> Iterator[Candidate]:
    """PyTorch adds one tensor where Keras adds another: a residual from before a norm, and from behind it."""
    # By one number of each first, for there are as many pairs as the square of the calls.
    direction = np.random.default_rng(0).standard_normal(ours.shape)
    shadows = [float(np.vdot(direction, np.broadcast_to(seen, ours.shape))) for *_, seen in others]
    wanted, size = float(np.vdot(direction, gap)), float(np.abs(ours).max())
    for (i, added), (j, left) in itertools.permutations(enumerate(others), 2):
        if abs(shadows[i] - shadows[j] - wanted) > FIT * size * ours.size:
            continue
        if np.abs(added[2] - left[2] - gap).max() > FIT * size:
            continue
        edits = [
            place.edit("add", other=o, end=end, scale=scale) for (o, end, _), scale in ((added, 1.0), (left, -1.0))
        ]
        names = [_named(place, one[0], one[1]) for one in (added, left)]
        yield Candidate(
            say(
                "{check}: {ours} is added in PyTorch where in Keras {theirs} is: a residual connection from another "
                "place",
                check=place.check.what,
                ours=names[0],
                theirs=names[1],
            ),
            tuple(edits),
            say("add {ours} there, and not {theirs}", ours=names[0], theirs=names[1]),
            family=" ".join(names),
        )
        return
