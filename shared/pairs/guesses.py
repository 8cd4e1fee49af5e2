"""What the numbers may come from at the check that fails first."""

from collections.abc import Iterator, Sequence

import numpy as np

from shared.pairs import description as kinds
from shared.pairs.causes import Candidate, name_of, rows, sources_of, titled, with_others
from shared.pairs.climb import (
    AFTER,
    EVALUATED,
    EVALUATION,
    GIVEN,
    GRADIENTS,
    TRAINED,
    TRAINING,
    Check,
    Numbers,
    laid_out,
)
from shared.pairs.description import VECTORS, Call, Setting
from shared.pairs.other_tensors import (
    IMAGE,
    Place,
    of_attention,
    of_batch_axis,
    of_other_tensors,
    of_positions,
    of_reductions,
)
from shared.pairs.pairing import Pairing, Sides
from shared.pairs.protocol import GIVEN as GIVEN_EDIT
from shared.pairs.protocol import Arrays, Edit, told
from shared.pairs.relations import FEW, fitted, linear_words, named_number, rearranged_image, reordered
from shared.pairs.update_guesses import of_update
from shared.system.language import say

FIT_OF_INPUTS = 2e-6  # `prepare` often computes in float32


def guesses_at(check: Check, sides: Sides, torch: Numbers, keras: Numbers) -> list[Candidate]:
    """What the numbers at this check, the first that fails, may come from."""
    found: Iterator[Candidate] = iter(())
    if check.stage == GIVEN:
        found = _of_input(check, torch.arrays, keras.arrays)
    elif check.stage in {EVALUATION, TRAINING} and check.pairing:
        found = _of_call(check, check.pairing, sides, torch, keras)
    elif check.stage in {EVALUATED, TRAINED}:
        is_loss = "the loss" in check.what
        found = (
            _of_loss_value(check, sides, torch.arrays, keras.arrays) if is_loss else _of_outputs(check, torch, keras)
        )
    elif check.stage == GRADIENTS:
        found = _of_gradients(sides, torch.arrays, keras.arrays)
    elif check.stage >= AFTER:
        found = of_update(check, sides, torch.arrays, keras.arrays)
    return [*found]


def _of_input(check: Check, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    """What `prepare` makes otherwise. The trial gives Keras what PyTorch's makes; what that is, the numbers tell."""
    name, ours, theirs = check.key.removeprefix("given/"), torch[check.key], keras[check.key]
    axes = [*range(ours.ndim)]
    if ours.shape != theirs.shape:
        if ours.ndim != theirs.ndim or ours.ndim < 3:  # noqa: PLR2004
            return
        axes = [0, *axes[2:], 1]
    ours = ours.transpose(axes)
    what, fix = _input_words(ours, theirs) if ours.shape == theirs.shape else (None, "")
    edit = Edit(what=GIVEN_EDIT, place=name, values={"axes": axes})
    gap = float(np.abs(ours.astype(np.float64) - theirs).max()) if ours.shape == theirs.shape else np.inf
    size = float(np.abs(ours).max())
    unknown = say(
        "what prepare makes differs, by up to {gap:.3g}, where the largest number is {size:.3g}", gap=gap, size=size
    )
    yield Candidate(
        say("{check}: {what}", check=check.what, what=what or unknown),
        (edit,),
        fix or say("in prepare, make what the PyTorch file's makes"),
    )


def _input_words(ours: np.ndarray, theirs: np.ndarray) -> tuple[str | None, str]:
    """What of PyTorch's input Keras's is, and the code that makes it equal; None where no rule was found."""
    if np.issubdtype(ours.dtype, np.floating) and (fit := fitted(ours, theirs, FIT_OF_INPUTS)):
        scale, offset = fit
        more = f" + {offset:.7g}" if offset else ""
        cure = say("{code} in prepare", code=f"inputs * {scale:.7g}{more}")
        return linear_words(say("it"), scale, offset, FIT_OF_INPUTS), cure
    for dtype in (np.float16, np.float32):
        if np.array_equal(ours.astype(dtype), theirs) and not np.array_equal(ours, theirs):
            return (
                say("rounded to {dtype} in Keras, of less precision", dtype=np.dtype(dtype).name),
                say("the dtype of the inputs, in prepare"),
            )
    return _axes_words(ours, theirs)


def _axes_words(ours: np.ndarray, theirs: np.ndarray) -> tuple[str | None, str]:
    """The same where the numbers are equal, but stand in other places."""
    side = round(ours.shape[-1] ** 0.5)
    if side**2 == ours.shape[-1] and side > 1 and (found := rearranged_image(ours, theirs, (side, side))):
        what = say("each image of {side} × {side} is {how} in Keras", side=side, how=found[0])
        return what, say("turn it back before it is flattened")
    for axis in range(ours.ndim - 1, 0, -1):
        if order := reordered(ours, theirs, axis):
            turned = order == [*range(len(order))][::-1]
            what = say("axis {axis} is reversed in Keras", axis=axis)
            if not turned:
                told = order if len(order) <= FEW else "…"
                what = say("axis {axis} is in the order {order} in Keras", axis=axis, order=told)
            elif len(order) in {3, 4} and axis == ours.ndim - 1:
                what = say("axis {axis} is reversed in Keras (BGR against RGB?)", axis=axis)
            return what, say("take axis {axis} in that order", axis=axis)
    for one in range(1, ours.ndim):
        for other in range(one + 1, ours.ndim):
            if ours.shape[one] == ours.shape[other] and np.array_equal(np.swapaxes(theirs, one, other), ours):
                what = say("axes {one} and {other} are exchanged in Keras: transposed", one=one, other=other)
                return what, f"inputs.swapaxes({one}, {other})"
    return None, ""


def _of_call(check: Check, pairing: Pairing, sides: Sides, torch: Numbers, keras: Numbers) -> Iterator[Candidate]:
    """Of what goes into a call, or comes out of it."""
    of = "evaluation" if check.stage == EVALUATION else "training"
    calls = sides.torch.calls if check.stage == EVALUATION else sides.torch.training_calls
    twins = sides.keras.calls if check.stage == EVALUATION else sides.keras.training_calls
    a, b = calls[pairing.torch], twins[pairing.keras]
    if check.inside:
        number, where, slot = pairing.keras, "out", 0
        ours, theirs = torch.arrays[f"{of}/{a.output}"], keras.arrays[f"{of}/{b.output}"]
        if a.kind == kinds.BATCH_NORM:
            yield from _frozen_norm(a, b) if check.stage == TRAINING else _norm_in_evaluation(a, b)
        yield from of_batch_axis(a, b, torch.arrays, keras.arrays, of)
    else:
        first_a, first_b = calls[pairing.first_torch].as_given, twins[pairing.first_keras].as_given
        slot = int(check.key.rpartition("/")[2])
        number, where = pairing.first_keras, "in"
        ours, theirs = torch.arrays[f"{of}/{first_a.inputs[slot]}"], keras.arrays[f"{of}/{first_b.inputs[slot]}"]
        a, b = first_a, first_b
    if pairing.torch in sides.orders:
        ours = ours[..., sides.orders[pairing.torch]]
    arranged = laid_out(ours, theirs, a, b)
    if arranged is None:
        return
    if fit := fitted(ours, arranged):
        scale, offset = fit
        values: dict[str, Setting] = {"where": where, "slot": slot, "scale": scale, "offset": offset}
        yield Candidate(
            linear_words(check.what, scale, offset),
            (Edit(what="linear", place=str(number), values=values),),
            say("{cure} there", cure=_undone(scale, offset)),
        )
    at = Edit(what="", place=str(number), values={"where": where, "slot": slot})
    yield from _orders(check, ours, arranged, theirs, at, twins[:number], keras.arrays, of)
    yield from of_positions(check, ours, theirs, a, at)
    place = Place(check, pairing, sides, (calls, twins), (torch.arrays, keras.arrays), of, at)
    yield from of_attention(place, a, b)
    yield from of_reductions(place, ours)
    yield from of_other_tensors(place, (ours, theirs), (a, b))


def _undone(scale: float, offset: float) -> str:
    """What makes Keras's tensor PyTorch's."""
    if offset:
        return say("multiply it by {scale} and add {offset:.9g}", scale=named_number(scale), offset=offset)
    return say("multiply it by {scale}", scale=named_number(scale))


def _orders(  # noqa: PLR0913, PLR0917 a place and what was seen
    check: Check,
    ours: np.ndarray,
    arranged: np.ndarray,
    theirs: np.ndarray,
    place: Edit,
    twins: Sequence[Call],
    keras: Arrays,
    of: str,
) -> Iterator[Candidate]:
    if arranged is not theirs:
        return
    seen = [array for call in twins if (array := keras.get(f"{of}/{call.output}")) is not None]
    images = [array.shape[1:] for array in seen if array.ndim == IMAGE and array[0].size == ours.shape[-1]]
    if images and ours.ndim == VECTORS and (found := rearranged_image(ours, theirs, images[-1])):
        yield Candidate(
            say("{check}: each image is {how} in Keras before it is flattened", check=check.what, how=found[0]),
            (
                place.model_copy(
                    update={"what": "rearrange", "values": place.values | {"axis": 1, "order": told(found[1])}}
                ),
            ),
            say("flatten it as it is, or turn it back"),
        )
        return
    for axis in range(1, ours.ndim):
        if order := reordered(ours, arranged, axis):
            what = say("{check}: axis {axis} is in another order in Keras", check=check.what, axis=axis)
            if order == [*range(len(order))][::-1]:
                what = say("{check}: axis {axis} is reversed in Keras", check=check.what, axis=axis)
            shown = order if len(order) <= 8 else "…"  # noqa: PLR2004
            yield Candidate(
                what,
                (
                    place.model_copy(
                        update={"what": "rearrange", "values": place.values | {"axis": axis, "order": order}}
                    ),
                ),
                say("take axis {axis} in the order {order} there", axis=axis, order=shown),
            )
            return


def _frozen_norm(a: Call, b: Call) -> Iterator[Candidate]:
    for training in (True, False):
        edit = Edit(what="training", place=b.place, values={"value": training})
        yield Candidate(
            say(
                "{layer} in training takes the batch's mean and variance in PyTorch, its running in Keras",
                layer=titled(a),
            )
            if training
            else say(
                "{layer} in training takes its running mean and variance in PyTorch, the batch's in Keras",
                layer=titled(a),
            ),
            (edit,),
            f"{name_of(b)}(…, training={training})",
            "module.eval()" if training else "module.train()",
            rows()["batch_norm_frozen"],
            family=f"training mode {training}",
        )


def _norm_in_evaluation(a: Call, b: Call) -> Iterator[Candidate]:
    yield Candidate(
        say(
            "{layer} in an evaluation takes its running mean and variance in PyTorch, the batch's in Keras: in "
            "training mode all the time",
            layer=titled(a),
        ),
        (Edit(what="training", place=b.place, values={"value": None}),),
        say("{call}, without training=True", call=f"{name_of(b)}(…)"),
        say("module.train() in the evaluation too"),
        rows()["batch_norm_frozen"],
        family="training mode in Keras",
    )
    yield Candidate(
        say(
            "{layer} in an evaluation takes the batch's mean and variance in PyTorch, its running in Keras: in "
            "training mode all the time",
            layer=titled(a),
        ),
        (Edit(what="training", place=b.place, values={"value": True, "always": True}),),
        f"{name_of(b)}(…, training=True)",
        say("model.eval(), and no module.train() after it"),
        rows()["batch_norm_frozen"],
        family="training mode in PyTorch",
    )


def _of_outputs(check: Check, torch: Numbers, keras: Numbers) -> Iterator[Candidate]:
    ours = torch.arrays.get(check.key)
    theirs = keras.arrays.get(check.key)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return
    if fit := fitted(ours, theirs):
        scale, offset = fit
        yield Candidate(
            linear_words(check.what, scale, offset),
            (Edit(what="linear outputs", values={"scale": scale, "offset": offset}),),
            _undone(scale, offset),
        )


def _of_loss_value(check: Check, sides: Sides, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    ours, theirs = float(torch[check.key]), float(keras[check.key])
    if sides.keras.outputs != sides.torch.outputs or "1)" in sides.keras.outputs:
        yield Candidate(
            say("the loss sets outputs of shape (B, 1) against targets of shape (B,), so that each meets all"),
            (Edit(what="loss shape"),),
            say("targets[:, None] in the loss, or outputs[:, 0]"),
            row=rows()["column_against_vector"],
        )
    if "1)" in sides.torch.outputs:
        yield Candidate(
            say(
                "the loss in PyTorch sets outputs of shape (B, 1) against targets of shape (B,): each meets every other"
            ),
            (Edit(what="loss broadcast"),),
            say("nothing: Keras sets each output against its own target"),
            say("targets[:, None] in the loss, or outputs[:, 0]"),
            rows()["column_against_vector"],
        )
    yield Candidate(
        say("the regularisers in Keras: PyTorch has none, nor a weight decay in their place"),
        (Edit(what="no regularisers"),),
        say("no kernel_regularizer, bias_regularizer, activity_regularizer"),
        say("weight_decay of twice their strength"),
        rows()["l2_gradient"],
    )
    yield Candidate(
        say("the loss in Keras includes the penalty of its regularisers"),
        (Edit(what="penalty"),),
        say("leave it out of the loss that is looked at; it is trained all the same"),
        row=rows()["l2_gradient"],
        by_default=True,
    )
    if theirs and np.isfinite(ours / theirs):
        scale = ours / theirs
        yield Candidate(
            say("the loss is {factor} times PyTorch's in Keras", factor=named_number(1 / scale)),
            (Edit(what="loss scale", values={"scale": scale}),),
            say(
                "multiply the loss by {scale}: a sum against a mean, or another count that is divided by",
                scale=named_number(scale),
            ),
            beyond=GRADIENTS,
        )


def _of_gradients(sides: Sides, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    """Tensors that no gradient reaches in PyTorch, though they are trained."""
    expected = sides.carry.gradients(
        {k.removeprefix("gradient/"): v for k, v in torch.items() if k.startswith("gradient/")}
    )
    cut = [n for n in sides.carry.sources if f"gradient/{n}" in keras and n not in expected]
    if cut:
        yield Candidate(
            say(
                "{tensor}: no gradient in PyTorch (detach, no_grad?), and one in Keras",
                tensor=with_others(sources_of(sides, cut[0]), len(cut) - 1),
            ),
            tuple(Edit(what="trainable", place=name, values={"value": False}) for name in cut),
            say("keras.ops.stop_gradient where PyTorch detaches"),
            say("no detach(), no torch.no_grad() on the way to it"),
        )
