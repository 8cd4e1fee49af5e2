"""Which layer is carried into which, what is missing, and what a user's own map may do."""

import re

import numpy as np
import pytest

from shared.pairs.carry import ALTERNATIVES, carry
from shared.pairs.description import CONV, DENSE, EMBEDDING, LAYER_NORM, RAW
from shared.system.errors import InputError
from tests.pairs.sides import keras_side, layer, norm, torch_side


def dense(path, ins, outs, *, torch, bias=True):
    shapes = {"weight": (outs, ins)} if torch else {"kernel": (ins, outs)}
    return layer(path, DENSE, shapes | ({"bias": (outs,)} if bias else {}))


def denses(*sizes_by_path, torch):
    return [dense(path, ins, outs, torch=torch) for path, ins, outs in sizes_by_path]


def both(ours, theirs, torch_calls=(), keras_calls=()):
    return carry(torch_side(*ours, calls=torch_calls), keras_side(*theirs, calls=keras_calls))


def pairs(carried):
    return {theirs: ours[0].rpartition(".")[0] for theirs, ours in carried.sources.items() if theirs.endswith("kernel")}


def test_layers_are_aligned_in_order_of_execution_by_kind_and_shape():
    ours = [norm("n", torch=True), *denses(("a", 4, 5), ("b", 5, 5), ("c", 5, 5), torch=True)]
    theirs = [norm("x", torch=False), *denses(("p", 4, 5), ("q", 5, 5), ("r", 5, 5), torch=False)]
    carried = both(ours, theirs)
    assert pairs(carried) == {"p/kernel": "a", "q/kernel": "b", "r/kernel": "c"}
    assert carried.sources["x/moving_variance"] == ("n.running_var",)
    assert not carried.missing()
    assert not carried.unmatched_torch
    assert not carried.unmatched_keras
    assert carried.matches[1].how == "a (a.dense) to p (a.dense): the weight transposed."


def test_a_layer_too_many_is_left_out_by_its_name():
    ours = denses(("key", 4, 4), ("extra", 4, 4), ("value", 4, 4), torch=True)
    carried = both(ours, denses(("key", 4, 4), ("value", 4, 4), torch=False))
    assert pairs(carried) == {"key/kernel": "key", "value/kernel": "value"}
    assert carried.unmatched_torch == ["extra.weight", "extra.bias"]
    assert "extra.weight (4, 4)" in carried.missing()[0]


def test_layers_called_in_another_order_are_found_where_there_is_one_way():
    ours = denses(("a", 3, 7), ("b", 4, 8), ("c", 5, 9), torch=True)
    theirs = denses(("z", 5, 9), ("x", 3, 7), ("y", 4, 8), torch=False)
    assert pairs(both(ours, theirs)) == {"x/kernel": "a", "y/kernel": "b", "z/kernel": "c"}


def test_a_missing_bias_keeps_the_kernel_and_is_told():
    carried = both([dense("a", 3, 7, torch=True, bias=False)], denses(("x", 3, 7), torch=False))
    assert pairs(carried) == {"x/kernel": "a"}
    assert carried.unmatched_keras == ["x/bias"]
    assert '"x/bias": np.zeros((7,))' in carried.missing()[0]


def test_a_class_of_the_users_own_is_taken_apart():
    ours = [layer("vit", RAW, {"cls": (1, 1, 4), "position": (1, 9, 4)}), dense("head", 4, 3, torch=True)]
    theirs = [
        layer("table", EMBEDDING, {"embeddings": (9, 4)}),
        layer("token", RAW, {"value": (1, 1, 4)}),
        dense("out", 4, 3, torch=False),
    ]
    carried = both(ours, theirs)
    assert carried.sources["table/embeddings"] == ("vit.position",)
    assert carried.sources["token/value"] == ("vit.cls",)
    assert not carried.missing()


def test_what_is_missing_comes_with_the_code_that_would_carry_it():
    ours = [layer("mine", RAW, {"first": (2, 3), "second": (4, 5, 6)})]
    theirs = [layer("yours", RAW, {"both": (6, 4, 5), "other": (3,)})]
    carried = both(ours, theirs)
    (told,) = [sentence for sentence in carried.missing() if "carry(torch)" in sentence]
    assert "yours/both (6, 4, 5)" in told
    assert "mine.second (4, 5, 6)" in told
    names = {"np": np}
    exec(re.search(r"def carry.*", told.replace('"yours/other": …,  # an array (3,)\n', ""), re.DOTALL)[0], names)  # noqa: S102
    repaired = carried.override(names["carry"])
    second = np.random.default_rng(0).standard_normal((4, 5, 6))
    np.testing.assert_array_equal(repaired.values({"mine.second": second})["yours/both"], second.transpose(2, 0, 1))


def tied(head_kind=DENSE):
    return [
        layer("tokens", EMBEDDING, {"weight": (9, 4)}),
        layer("norm", LAYER_NORM, {"weight": (4,), "bias": (4,)}),
        layer("head", head_kind, {"weight": (9, 4)}, {"weight": "tokens.weight"}),
    ]


def test_a_tied_tensor_is_carried_once_or_told_to_be_two():
    theirs = [
        layer("embedding", EMBEDDING, {"embeddings": (9, 4)}),
        layer("norm", LAYER_NORM, {"gamma": (4,), "beta": (4,)}),
    ]
    once = both(tied(), theirs)
    assert not once.missing()
    assert not once.untied
    twice = both(tied(), [*theirs, dense("logits", 4, 9, torch=False, bias=False)])
    assert twice.untied == [("tokens.weight", ["embedding/embeddings", "logits/kernel"])]
    weight = np.arange(36.0).reshape(9, 4)
    np.testing.assert_array_equal(twice.values({"tokens.weight": weight})["logits/kernel"], weight.T)


def test_two_tensors_where_keras_shares_one():
    ours = denses(("a", 4, 4), ("b", 4, 4), torch=True)
    shared = dense("x", 4, 4, torch=False)
    again = layer("y", DENSE, {"kernel": (4, 4), "bias": (4,)}, {"kernel": "x/kernel", "bias": "x/bias"})
    carried = both(ours, [shared, again])
    assert [sentence for sentence in carried.missing() if "two tensors where Keras has one (shared)" in sentence]
    assert len(carried.missing()) == 2  # the kernel and the bias
    assert '"x/kernel": torch["a.weight"].transpose(1, 0)' in carried.missing()[0]
    # One layer, called twice.
    called = both(ours, [shared], keras_calls=[("x", DENSE), ("x", DENSE)])
    (told,) = called.missing()
    assert "two tensors where Keras has one (shared)" in told


def test_a_layer_that_pytorch_calls_twice_serves_two_of_keras():
    theirs = denses(("x", 4, 4), ("y", 4, 4), torch=False)
    carried = both(denses(("a", 4, 4), torch=True), theirs, torch_calls=[("a", DENSE), ("a", DENSE)])
    assert pairs(carried) == {"x/kernel": "a", "y/kernel": "a"}
    assert carried.untied[0] == ("a.weight", ["x/kernel", "y/kernel"])
    assert both(denses(("a", 4, 4), torch=True), theirs, torch_calls=[("a", DENSE)]).missing()


def test_alternatives_exchange_siblings_in_every_block_at_once_first():
    ours, theirs = [], []
    for block in "01":
        ours += [*denses(*((f"{block}.{name}", 4, 4) for name in "qkv"), torch=True), norm(f"{block}.n", torch=True)]
        theirs += [
            *denses(*((f"{block}/{name}", 4, 4) for name in "kqv"), torch=False),
            norm(f"{block}/n", torch=False),
        ]
    carried = both(ours, theirs)
    found = [pairs(other) for other in carried.alternatives()]
    assert len(found) <= ALTERNATIVES
    swapped = {f"{b}/{k}/kernel": f"{b}.{t}" for b in "01" for k, t in zip("kqv", "kqv", strict=True)}
    assert swapped in found
    assert pairs(carried) not in found
    rest = [{name: other[name] for name in other if name.startswith("1")} for other in found[:2]]
    assert rest[0] != rest[1]  # the second changes one block alone


def test_alternatives_within_one_layer_for_several():
    carried = both(denses(("qkv", 4, 12), torch=True), denses(("a", 4, 4), ("b", 4, 4), ("c", 4, 4), torch=False))
    weight = np.arange(48.0).reshape(12, 4)
    firsts = {other.values({"qkv.weight": weight})["a/kernel"][0, 0] for other in carried.alternatives()}
    assert len(list(carried.alternatives())) == 5
    assert firsts == {0, 16, 32}


def test_long_rows_of_equal_layers_give_a_dozen_alternatives_at_most():
    paths = [f"layer_{i}" for i in range(40)]
    carried = both(*(denses(*((path, 4, 4) for path in paths), torch=torch) for torch in (True, False)))
    assert len(list(carried.alternatives())) == ALTERNATIVES


def test_rows_in_another_order():
    carried = both(denses(("a", 3, 2), torch=True), denses(("x", 3, 2), torch=False))
    weight = np.arange(6.0).reshape(2, 3)
    changed = carried.with_rows("x", [2, 0, 1]).values({"a.weight": weight, "a.bias": np.ones(2)})
    np.testing.assert_array_equal(changed["x/kernel"], weight.T[[2, 0, 1]])
    np.testing.assert_array_equal(changed["x/bias"], np.ones(2))


def test_zeros_for_a_bias_that_pytorch_has_not():
    carried = both([dense("a", 3, 2, torch=True, bias=False)], denses(("x", 3, 2), torch=False))
    repaired = carried.override(lambda _: {"x/bias": np.zeros(2)})
    assert not repaired.missing()
    weight = {"a.weight": np.ones((2, 3))}
    np.testing.assert_array_equal(repaired.values(weight)["x/bias"], np.zeros(2))
    assert repaired.gradients(weight).keys() == {"x/kernel"}


@pytest.fixture
def plain():
    return both(
        [*denses(("a", 3, 2), torch=True), norm("n", torch=True)],
        [*denses(("x", 3, 2), torch=False), norm("m", torch=False)],
    )


def test_a_users_map_replaces_what_it_returns_and_nothing_else(plain):
    changed = plain.override(lambda torch: {"x/kernel": torch["a.weight"].T[::-1]})
    assert changed.sources["x/kernel"] == ("a.weight",)
    weight = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(changed.values({"a.weight": weight})["x/kernel"], weight.T[::-1])
    assert changed.gradients({"a.bias": np.ones(2)}).keys() == {"x/bias"}


def test_a_users_map_that_is_the_automatic_one_keeps_its_gradients():
    shapes = {"weight_ih_l0": (4, 1), "weight_hh_l0": (4, 1), "bias_ih_l0": (4,), "bias_hh_l0": (4,)}
    theirs = layer("x", "lstm", {"kernel": (1, 4), "recurrent_kernel": (1, 4), "bias": (4,)})
    carried = both([layer("a", "lstm", shapes)], [theirs])
    same = carried.override(lambda torch: {"x/bias": torch["a.bias_ih_l0"] + torch["a.bias_hh_l0"]})
    gradients = {"a.bias_ih_l0": np.ones(4), "a.bias_hh_l0": np.ones(4)}
    np.testing.assert_array_equal(same.gradients(gradients)["x/bias"], np.ones(4))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda torch: {"x/kernle": torch["a.weight"].T}, ["'x/kernle'", "'x/kernel'"]),
        (lambda torch: {"x/kernel": torch["a.weight"]}, ["x/kernel", "(2, 3)", "(3, 2)", "Transpose"]),
        (lambda torch: {"x/kernel": torch["a.weight"].T + 1}, ["x/kernel", "not linear"]),
        (lambda torch: {"x/kernel": torch["a.weight"].T + 1e-7}, ["x/kernel", "not linear", "1e-07", "no constant"]),
        (lambda torch: {"x/kernel": torch["a.weight"].T ** 2}, ["not linear"]),
        (lambda torch: {"x/kernel": np.abs(torch["a.weight"].T)}, ["not linear"]),
        (lambda torch: [torch["a.weight"].T], ["list", "dict"]),
    ],
)
def test_a_users_map_that_can_not_be_used(plain, values, words):
    with pytest.raises(InputError) as error:
        plain.override(values)
    assert all(word in str(error.value) for word in words)


def test_a_square_kernel_of_another_kind_is_not_guessed():
    carried = both([layer("a", CONV, {"weight": (4, 4, 3)})], denses(("x", 4, 4), torch=False))
    assert len(carried.missing()) == 2
