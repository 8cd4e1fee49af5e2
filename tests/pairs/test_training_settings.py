"""What is read of the loss and the optimizer: on descriptions made by hand."""

import pytest

from shared.pairs.carry import carry
from shared.pairs.description import DENSE, Call, OptimizerFacts
from shared.pairs.pairing import Sides
from shared.pairs.training_settings import of_class, of_loss, of_optimizer
from tests.pairs.sides import keras_side, layer, torch_side


def both(torch, keras, losses=(None, None)):
    """Sides with these optimizers (a rule and its settings) and losses."""
    ours = torch_side(layer("fc", DENSE, {"weight": (2, 3)}))
    theirs = keras_side(layer("fc", DENSE, {"kernel": (3, 2)}))
    made = []
    for side, (rule, settings), loss in zip((ours, theirs), (torch, keras), losses, strict=True):
        facts = OptimizerFacts(rule=rule, called=f"a.{rule}", settings=settings, of_tensors={})
        made.append(side.model_copy(update={"optimizer": facts, "losses": [loss] if loss else []}))
    return Sides(*made, carry(*made), (), {}, (1,))


@pytest.mark.parametrize(
    ("ours", "theirs", "edit"),
    [
        (("adam", 0.1), ("adamw", 0.1), "coupled decay"),
        (("adamw", 0.1), ("adam", 0.1), "decays"),
        (("adamw", 0.1), ("adam", 0.0), "decays"),
        (("adam", 0.0), ("adamw", 0.1), "decays"),
    ],
)
def test_adam_against_adamw_is_their_decay_and_the_rest_of_the_rule_stays(ours, theirs, edit):
    sides = both(*((rule, {"weight_decay": decay, "eps": 1e-8}) for rule, decay in (ours, theirs)))
    (found,) = of_optimizer(sides)
    assert [one.what for one in found.edits] == [edit]
    assert "part of the gradient" in found.what
    assert "beside it" in found.what
    assert not found.by_default


def test_adam_and_adamw_without_a_decay_are_the_same_but_for_their_other_settings():
    sides = both(("adam", {"weight_decay": 0.0, "eps": 1e-8}), ("adamw", {"weight_decay": 0.0, "eps": 1e-7}))
    (found,) = of_optimizer(sides)
    assert found.what.startswith("ε of the optimizer")


def test_what_one_framework_alone_has_a_word_for():
    sides = both(("sgd", {"maximize": True}), ("sgd", {"gradient_accumulation_steps": 4}))
    assert [found.what.partition(" of ")[0] for found in of_optimizer(sides)] == [
        "maximize",
        "gradient_accumulation_steps",
    ]
    assert not [*of_optimizer(both(("sgd", {"maximize": False}), ("sgd", {"gradient_accumulation_steps": None})))]


def test_an_optimizer_of_the_users_own_is_tried_with_pytorchs_in_its_place():
    settings = {"weight_decay": 0.0, "clip_norm_each": 0.5, "eps": 1e-8}
    (found,) = of_class(both(("adamw", settings), ("adamw", {"weight_decay": 0.1})))
    assert "each by itself to a norm of 0.5" in found.what
    assert [edit.what for edit in found.edits] == [
        "rule",
        "formula",
        "decays",
        "clip",
        "clip denominator",
        "dense gradients",
    ]
    assert found.edits[3].values == {"limit": None, "each": 0.5}
    sides = both(("adamw", settings), ("adamw", {}))
    keras = sides.keras.model_copy(
        update={"optimizer": sides.keras.optimizer.model_copy(update={"called": "keras.optimizers.AdamW"})}
    )
    assert not [*of_class(Sides(sides.torch, keras, sides.carry, (), {}, (1,)))]


def test_clipping_by_the_code_of_a_class_is_not_told_to_be_none():
    sides = both(("sgd", {"clip_norm": 1.0}), ("sgd", {}))
    (found,) = of_optimizer(sides)
    assert "at 1.0 in PyTorch, maybe that in the code of a.sgd" in found.what
    assert "None" not in found.what + found.keras + found.torch
    facts = sides.keras.optimizer.model_copy(update={"called": "keras.optimizers.SGD"})
    keras = sides.keras.model_copy(update={"optimizer": facts})
    (found,) = of_optimizer(Sides(sides.torch, keras, sides.carry, (), {}, (1,)))
    assert "at 1.0 in PyTorch, none in Keras" in found.what


def loss(**settings):
    return Call(
        place="", kind="cross_entropy", called="a.loss", settings=settings, inputs=[], output="", dtype="float64"
    )


def test_a_setting_of_the_loss_is_told_by_the_names_of_both():
    sgd = ("sgd", {})
    (found,) = of_loss(both(sgd, sgd, (loss(ignore_index=-100), loss(ignore_class=0))))
    assert "ignore_index: -100 in PyTorch, ignore_class: 0 in Keras" in found.what
    (found,) = of_loss(both(sgd, sgd, (loss(weight=[1.0, 2.0]), loss())))
    assert "class weights: some in PyTorch, none in Keras" in found.what
    assert not [*of_loss(both(sgd, sgd, (loss(ignore_index=-100, weight=None), loss(ignore_class=None))))]
