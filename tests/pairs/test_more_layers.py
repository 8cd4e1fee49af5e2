"""Layers and weights of one side alone: what is told of them, and what is still refused."""

import numpy as np
import pytest

from shared.pairs.carry import carry
from shared.pairs.description import BATCH_NORM, DENSE, EMBEDDING, LAYER_NORM, LSTM, Call
from shared.pairs.more_layers import of_biases, of_more_layers, of_ties
from shared.pairs.pairing import Sides
from tests.pairs.sides import keras_side, layer, torch_side

TABLE = ("tokens", EMBEDDING, {"weight": (9, 4)}), ("embedding", EMBEDDING, {"embeddings": (9, 4)})
NORM = ("norm", LAYER_NORM, {"weight": (4,), "bias": (4,)}), ("norm", LAYER_NORM, {"gamma": (4,), "beta": (4,)})
HEAD = ("head", DENSE, {"weight": (9, 4)}), ("logits", DENSE, {"kernel": (4, 9)})


def both(ours, theirs):
    torch = torch_side(*(layer(*one) for one in ours), calls=[one[:2] for one in ours])
    keras = keras_side(*(layer(*one) for one in theirs), calls=[one[:2] for one in theirs])
    return Sides(torch, keras, carry(torch, keras), (), {}, (1,))


def test_a_head_that_pytorch_ties_and_keras_does_not_is_carried_from_the_embedding_and_tied_in_a_trial():
    sides = both([TABLE[0], NORM[0]], [TABLE[1], NORM[1], HEAD[1]])
    assert not sides.carry.missing()
    weight = np.arange(36.0).reshape(9, 4)
    np.testing.assert_array_equal(sides.carry.values({"tokens.weight": weight})["logits/kernel"], weight.T)
    (found,) = of_ties(sides)
    assert "tied" in found.what
    assert [(edit.what, edit.place, edit.values) for edit in found.edits] == [
        ("tie", "logits/kernel", {"to": "embedding/embeddings", "transposed": True})
    ]


def test_a_head_that_keras_ties_and_pytorch_does_not_is_a_layer_more():
    sides = both([TABLE[0], NORM[0], HEAD[0]], [TABLE[1], NORM[1]])
    assert [(lacks, alone.path) for lacks, alone in sides.more_layers] == [("Keras", "head")]
    (found,) = of_ties(sides)
    assert (found.edits[0].what, found.edits[0].place) == ("untie", "embedding")
    assert found.edits[0].values == {"name": "torch/head.weight"}


def test_a_layer_of_keras_alone_is_left_out_in_a_trial():
    sides = both([TABLE[0], HEAD[0]], [TABLE[1], NORM[1], HEAD[1]])
    assert [(lacks, alone.path) for lacks, alone in sides.more_layers] == [("PyTorch", "norm")]
    (found,) = of_more_layers(sides)
    assert (found.edits[0].what, found.edits[0].place) == ("activation", "1")
    # PyTorch has such a layer, but none of its weights.
    plain = Call(place="n", kind=LAYER_NORM, called="n", settings={}, inputs=["x"], output="y", dtype="float64")
    torch = sides.torch.model_copy(update={"calls": [*sides.torch.calls, plain]})
    first = next(of_more_layers(Sides(torch, sides.keras, sides.carry, (), {}, (1,))))
    assert {edit.what for edit in first.edits} == {"trainable"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([TABLE[0], ("fc", DENSE, {"weight": (3, 4)})], [TABLE[1], ("fc", DENSE, {"kernel": (4, 5)})]),
        ([("fc", DENSE, {"weight": (3, 4)})], [("fc", DENSE, {"kernel": (4, 3)}), ("x", DENSE, {"kernel": (3, 7)})]),
    ],
    ids=["on both sides", "as many as are carried"],
)
def test_what_may_be_a_counterpart_is_still_asked_for(ours, theirs):
    sides = both(ours, theirs)
    assert sides.carry.missing()
    assert not sides.more_layers


def test_a_normalisation_without_its_weights_is_one_cause_of_each_kind_for_all_layers():
    ours = [(f"{n}", BATCH_NORM, {"running_mean": (4,), "running_var": (4,)}) for n in "ab"]
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    theirs = [(f"{n}", BATCH_NORM, dict.fromkeys(names, (4,))) for n in "ab"]
    found = [*of_biases(both(ours, theirs), {})]
    assert [one.what for one in found] == [
        "a/gamma and 1 more: a scale that PyTorch does not have",
        "a/beta and 1 more: a bias that PyTorch does not have",
    ]
    assert [edit.place for edit in found[0].edits] == ["a/gamma", "b/gamma"]


def test_keras_is_given_a_bias_as_it_would_have_it():
    cell = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    ours = [("lstm", LSTM, cell), NORM[0]]
    theirs = [
        ("lstm", LSTM, {"cell/kernel": (2, 12), "cell/recurrent_kernel": (3, 12)}),
        ("norm", LAYER_NORM, {"gamma": (4,)}),
    ]
    weights = {"lstm.bias_ih_l0": np.arange(12.0), "lstm.bias_hh_l0": np.ones(12), "norm.bias": np.arange(4.0)}
    recurrent, norm = of_biases(both(ours, theirs), weights)
    assert recurrent.edits[0].values["values"] == [1.0 + n for n in range(12)]
    assert recurrent.edits[0].values["name"] == "torch/lstm.bias_ih_l0 + lstm.bias_hh_l0"
    assert (norm.edits[0].values["own"], norm.edits[0].values["values"]) == ("beta", [0.0, 1.0, 2.0, 3.0])
