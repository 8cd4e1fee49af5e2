"""What the numbers at the first difference are told to be: on arrays made by hand."""

import numpy as np
import pytest

from shared.pairs.carry import carry
from shared.pairs.causes import Candidate
from shared.pairs.climb import EVALUATION, Check
from shared.pairs.description import DENSE, EMBEDDING, LAYER_NORM, LSTM, SDPA, Call
from shared.pairs.other_tensors import (
    Place,
    mask_words,
    of_attention,
    of_batch_axis,
    of_other_tensors,
    of_positions,
    of_reductions,
)
from shared.pairs.pairing import Pairing, Sides
from shared.pairs.protocol import Edit
from shared.pairs.relations import rearranged_image, reordered
from shared.pairs.search import Cause, families
from tests.pairs.sides import keras_side, layer, torch_side

NUMBERS = np.random.default_rng(0)


def call(number, place, kind, inputs=1, **settings):
    names = [f"call/{number}/in/{slot}" for slot in range(inputs)]
    said = {"called": f"a.{kind}", "settings": settings, "inputs": names, "output": f"call/{number}/out"}
    return Call(place=place, kind=kind, dtype="float64", **said)


def place(torch, keras, ours, theirs, *, inside=False, at=1):
    """The check of what goes into, or comes out of, the call with this number; the calls before it are paired."""
    sides = [side.model_copy(update={"calls": calls}) for side, calls in ((torch_side(), torch), (keras_side(), keras))]
    carried = carry(*sides)
    pairings = tuple(Pairing(n, n, n, n) for n in range(len(torch)))
    both = Sides(*sides, carried, pairings, {}, (1,))
    key = f"evaluation/call/{at}/{'out' if inside else 'in/0'}"
    check = Check(EVALUATION, "what goes into b", key, 1.0, 1e-16, 1.0, pairings[at], inside)
    edit = Edit(what="", place=str(at), values={"where": "out" if inside else "in", "slot": 0})
    seen = [{f"evaluation/{name}": array for name, array in arrays.items()} for arrays in (ours, theirs)]
    return Place(check, pairings[at], both, (torch, keras), (seen[0], seen[1]), "evaluation", edit)


def seen(*pairs):
    """The arrays of calls, of each what goes in and what comes out."""
    return {f"call/{n}/{end}": array for n, pair in enumerate(pairs) for end, array in zip(("in/0", "out"), pair)}  # noqa: B905


@pytest.mark.parametrize(
    ("reduce", "told"),
    [
        (lambda x: x.mean(1), "the mean over time"),
        (lambda x: x.max(1), "the largest over time"),
        (lambda x: x[:, 0], "the first"),
    ],
)
def test_what_is_made_of_a_sequence_is_told_on_both_sides(reduce, told):
    whole = NUMBERS.standard_normal((4, 5, 3))
    calls = [call(0, "lstm", LSTM), call(1, "b", DENSE)]
    ours, theirs = seen((whole, whole), (reduce(whole), whole)), seen((whole, whole[:, -1]), (whole[:, -1], whole))
    (found,) = of_reductions(place(calls, calls, ours, theirs), reduce(whole))
    assert f"{told} of the outputs of lstm in PyTorch, the last in Keras" in found.what
    assert found.edits[0].values["sequences"] == "lstm"  # Keras gives the last alone
    again = seen((whole, whole), (whole[:, -1], whole))
    assert not [*of_reductions(place(calls, calls, again, theirs), whole[:, -1])]


def test_a_tensor_that_is_another_with_its_axes_in_another_order():
    heads = NUMBERS.standard_normal((2, 4, 3, 5))  # as Keras has it: (B, T, heads, C)
    mixed, scrambled = heads.reshape(2, 4, 15), heads.transpose(0, 2, 1, 3).reshape(2, 4, 15)
    calls = [call(0, "", SDPA), call(1, "b", DENSE)]
    theirs = seen((mixed, heads), (mixed, mixed))
    at = place(calls, calls, seen((mixed, heads), (scrambled, mixed)), theirs)
    (found,) = of_other_tensors(at, (scrambled, mixed), (calls[1], calls[1]))
    assert found.edits[0].values["axes"] == [0, 2, 1, 3]
    assert "its axes in another order" in found.what
    assert found.family  # the same in the next block is the same mistake


def test_a_residual_from_another_place_is_told_by_both():
    x, normed, branch = NUMBERS.standard_normal((3, 2, 4, 5))
    calls = [call(0, "norm", LAYER_NORM), call(1, "b", DENSE)]
    theirs = seen((x, normed), (x + branch, x))
    at = place(calls, calls, seen((x, normed), (normed + branch, x)), theirs)
    (found,) = of_other_tensors(at, (normed + branch, x + branch), (calls[1], calls[1]))
    assert "the output of norm is added in PyTorch where in Keras what goes into norm is" in found.what
    assert [edit.values["scale"] for edit in found.edits] == [1.0, -1.0]
    assert not [*of_other_tensors(at, (x * x, x + branch), (calls[1], calls[1]))]


def test_positions_that_keras_alone_adds_are_left_out_with_their_gradient():
    table = layer("places", EMBEDDING, {"embeddings": (4, 5)})
    x, places = NUMBERS.standard_normal((2, 4, 5)), NUMBERS.standard_normal((4, 5))
    calls = [call(0, "places", EMBEDDING), call(1, "b", DENSE)]
    at = place(calls, calls, seen((x, places), (x, x)), seen((x, places), (x + places, x)))
    at = at._replace(sides=Sides(torch_side(), keras_side(table), at.sides.carry, at.sides.pairings, {}, (1,)))
    first = next(of_other_tensors(at, (x, x + places), (calls[1], calls[1])))
    assert "the output of places is added in Keras, and nothing in PyTorch" in first.what
    assert [(edit.what, edit.place) for edit in first.edits] == [("linear", "0"), ("trainable", "places/embeddings")]


def test_positions_are_told_where_they_are_the_same_for_all_examples():
    a = call(0, "places", EMBEDDING)
    at = place([a], [a], {}, {}, at=0)
    (found,) = of_positions(at.check, np.arange(1, 6), np.arange(5), a, at.at)
    assert "(positions) are 1, 2, 3, 4, … in PyTorch, 0, 1, 2, 3, … in Keras" in found.what
    texts = NUMBERS.integers(0, 9, (4, 5))
    assert not [*of_positions(at.check, texts, texts + 1, a, at.at)]


def test_time_is_taken_from_the_wrong_axis_only_where_both_are_given_the_same():
    x = NUMBERS.standard_normal((4, 5, 3))
    a, b = call(0, "lstm", LSTM, batch_first=False), call(0, "lstm", LSTM)
    given = {"evaluation/call/0/in/0": x}
    (found,) = of_batch_axis(a, b, given, given, "evaluation")
    assert "batch_first=True" in found.torch
    assert not [*of_batch_axis(a, b, {"evaluation/call/0/in/0": x.swapaxes(0, 1)}, given, "evaluation")]
    assert not [*of_batch_axis(b, b, given, given, "evaluation")]


def test_a_mask_is_told_and_tried_where_it_is_the_same_for_all_examples():
    ahead = np.tril(np.ones((4, 4), bool), 1)
    a, b = call(0, "block", SDPA, 3, is_causal=False), call(0, "block", SDPA, 3, is_causal=True)
    (found,) = of_attention(place([a], [b], {"call/0/mask": ahead}, {}, inside=True, at=0), a, b)
    assert "sees itself, 1 more and all before it in PyTorch, each place sees itself and all before it" in found.what
    assert found.edits[0].values == {"is_causal": False, "mask": ahead.tolist()}
    of_each = NUMBERS.standard_normal((2, 1, 4, 4)) > 0
    assert not [*of_attention(place([a], [b], {"call/0/mask": of_each}, {}, inside=True, at=0), a, b)]


def test_what_a_mask_lets_be_seen():
    ones = np.ones((5, 5), bool)
    assert mask_words(None, causal=True) == mask_words(np.tril(ones), causal=False)
    assert mask_words(np.where(np.tril(ones), 0.0, -1e9), causal=False) == mask_words(np.tril(ones), causal=False)
    assert mask_words(np.triu(ones), causal=False) == "each place sees itself and all after it"
    assert mask_words(np.tril(ones, -1), causal=False) == "each place sees all before it"


def test_heads_that_are_cut_in_another_order_are_one_cause_of_all_slots():
    flat = NUMBERS.standard_normal((3, 2, 4, 6))  # of query, key and value: (B, T, width)
    ours = [x.reshape(2, 4, 2, 3).transpose(0, 3, 1, 2) for x in flat]  # three heads, of every third number
    theirs = [x.reshape(2, 4, 3, 2) for x in flat]
    a = call(0, "block", SDPA, 3, is_causal=True)
    arrays = [{f"call/0/in/{slot}": x for slot, x in enumerate(side)} for side in (ours, theirs)]
    (found,) = of_attention(place([a], [a], *arrays, at=0), a, a)
    assert [edit.values["slot"] for edit in found.edits] == [0, 1, 2]
    order = found.edits[0].values["order"]
    turned = flat[0][..., order].reshape(2, 4, 3, 2)
    np.testing.assert_array_equal(turned.transpose(0, 2, 1, 3), ours[0])


def test_an_image_is_told_to_be_turned_before_it_is_flattened():
    image = NUMBERS.standard_normal((3, 4, 4))
    for ours, words in ((image.swapaxes(1, 2), "transposed"), (image[:, ::-1], "(rows in reverse)")):
        theirs = image.reshape(3, -1)
        told, order = rearranged_image(ours.reshape(3, -1), theirs, (4, 4))
        assert words in told
        np.testing.assert_array_equal(theirs[..., order], ours.reshape(3, -1))
    assert rearranged_image(theirs, theirs, (4, 4)) is None
    assert rearranged_image(theirs * 2, theirs, (4, 4)) is None


def test_columns_that_are_equal_are_each_taken_once():
    theirs = np.array([[0.0, 1.0, 0.0, 2.0]])
    assert reordered(theirs[:, [1, 0, 2, 3]], theirs, 1) == [1, 0, 2, 3]
    assert reordered(theirs[:, [1, 1, 2, 3]], theirs, 1) is None


def test_one_difference_in_several_places_is_one_cause():
    candidates = [
        Candidate(f"{what} differs", (Edit(what=what),), "", family=family)
        for what, family in (("a", "x"), ("b", ""), ("c", "x"), ("d", ""))
    ]
    check = Check(EVALUATION, "", "", 1.0, 1.0, 1.0)
    found = families([Cause(candidate, check) for candidate in candidates])
    assert [cause.candidate.what for cause in found] == [
        "a differs, and so in 1 more place after it",
        "b differs",
        "d differs",
    ]
    assert [edit.what for edit in found[0].candidate.edits] == ["a", "c"]
