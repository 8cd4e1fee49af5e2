"""What is compared with what, and beside which noise floor: on arrays made by hand."""

import dataclasses

import numpy as np
import pytest

from shared.pairs.carry import carry
from shared.pairs.climb import EVALUATION, GRADIENTS, LIMITS, Numbers, climb, first_beyond, laid_out
from shared.pairs.description import DENSE, Call
from shared.pairs.pairing import Sides, pair_calls
from tests.pairs.sides import keras_side, layer, torch_side

EPSILON = np.finfo(np.float64).eps


def call(number, place, kind, **more):
    said = {"called": kind, "settings": {}, "inputs": [f"call/{number}/in/0"], "output": f"call/{number}/out"}
    return Call(place=place, kind=kind, dtype="float64", **said, **more)


def described():
    torch = torch_side(layer("fc", DENSE, {"weight": (2, 3), "bias": (2,)}))
    keras = keras_side(layer("dense", DENSE, {"kernel": (3, 2), "bias": (2,)}))
    torch, keras = (
        side.model_copy(update={"calls": calls, "training_calls": calls})
        for side, calls in (
            (torch, [call(0, "fc", DENSE), call(1, "", "relu")]),
            (keras, [call(0, "dense", DENSE), call(1, "dense", "relu")]),
        )
    )
    carried = carry(torch, keras)
    return Sides(torch, keras, carried, pair_calls(torch, keras, carried), {}, (1, 2))


def arrays(framework, *, off=()):
    """What a sound side computes; in the arrays `off`, the first number is 1e-3 larger."""
    weight = np.arange(6.0).reshape(2, 3) + 1
    kernel, own = ("fc.weight", "fc.bias") if framework == "PyTorch" else ("dense/kernel", "dense/bias")
    weights = {kernel: weight if framework == "PyTorch" else weight.T.copy(), own: np.array([0.5, -0.5])}
    made = {"given/": np.ones((4, 3)), "losses": np.array([2.0, 1.0]), "rates": np.array([0.1, 0.1])}
    for of in ("evaluation", "training"):
        made |= {f"{of}/call/0/in/0": np.ones((4, 3)), f"{of}/call/0/out": np.ones((4, 2)) * 7}
        made |= {f"{of}/call/1/in/0": np.ones((4, 2)) * 7, f"{of}/call/1/out": np.ones((4, 2)) * 7}
        made |= {f"{of}/output/": np.ones((4, 2)) * 7, f"{of}/loss": np.array(2.0)}
    for prefix in ("gradient", "after/1", "after/2"):
        made |= {f"{prefix}/{name}": values * 1.0 for name, values in weights.items()}
    for name in off:
        made[name] = made[name] + 1e-3 * (np.arange(made[name].size).reshape(made[name].shape) == 0)
    return made


def numbers(of, perturbed=()):
    return Numbers(of, of, perturbed)


def compared(off=(), until="training", torch=None, keras=None):
    torch = torch or numbers(arrays("PyTorch"))
    keras = keras or numbers(arrays("TensorFlow", off=off))
    return climb(described(), torch, keras, until)


def test_sound_sides_agree_in_every_check():
    checks = compared()
    assert len(checks) > 20
    assert first_beyond(checks, LIMITS["float64"]) is None
    assert max(check.multiple for check in checks) == 0


PLACES = {
    "given/": "the input of the model",
    "evaluation/call/0/out": "the output of fc (dense)",
    "evaluation/call/1/out": "the output of relu",
    "evaluation/output/": "what the model returns",
    "evaluation/loss": "the loss",
    "training/call/0/out": "the output of fc (dense), in training",
    "training/loss": "the loss, in training",
    "gradient/dense/kernel": "the gradient of fc.weight",
    "rates": "the rate of step 1",
    "losses": "the loss of step 1",
    "after/1/dense/bias": "the weights fc.bias after 1 step",
    "after/2/dense/kernel": "the weights fc.weight after 2 steps",
}


@pytest.mark.parametrize("key", PLACES)
def test_each_number_is_looked_at_and_the_first_that_is_off_is_the_place(key):
    first = first_beyond(compared(off=[key]), LIMITS["float64"])
    assert first is not None
    assert first.what == PLACES[key]


def test_what_goes_in_agrees_and_what_comes_out_does_not_is_in_the_layer():
    first = first_beyond(compared(off=["evaluation/call/0/out"]), LIMITS["float64"])
    assert (first.stage, first.inside) == (EVALUATION, True)
    between = first_beyond(compared(off=["evaluation/call/1/in/0"]), LIMITS["float64"])
    assert (between.what, between.inside) == ("what goes into relu", False)


def test_a_floor_is_what_rounding_moves_on_either_side_and_no_less_than_an_epsilon_of_the_largest():
    moved = arrays("PyTorch")
    moved["evaluation/loss"] = moved["evaluation/loss"] + 1e-6
    checks = compared(torch=numbers(arrays("PyTorch"), [moved]))
    floors = {check.what: check.floor for check in checks}
    assert floors["the loss"] == pytest.approx(1e-6)
    assert floors["the loss, in training"] == 2 * EPSILON


def test_a_change_that_is_tried_does_not_widen_its_own_floor():
    # The floor belongs to the files as they are: an edited run lies far from their perturbed runs.
    unchanged, edited = arrays("TensorFlow"), arrays("TensorFlow", off=["evaluation/loss"])
    perturbed = [arrays("TensorFlow")]
    checks = compared(keras=Numbers(edited, unchanged, perturbed))
    assert first_beyond(checks, LIMITS["float64"]).what == "the loss"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_on_one_side_agrees_with_nothing(value):
    keras = arrays("TensorFlow")
    keras["evaluation/call/0/out"] = keras["evaluation/call/0/out"] * np.array([[value, 1.0]] * 4)
    first = first_beyond(compared(keras=numbers(keras)), LIMITS["float64"])
    assert first.what == "the output of fc (dense)"
    assert first.multiple == np.inf


def test_a_gradient_that_one_side_lacks_is_a_difference():
    for lacks, name in (("TensorFlow", "gradient/dense/bias"), ("PyTorch", "gradient/fc.bias")):
        both = {framework: arrays(framework) for framework in ("PyTorch", "TensorFlow")}
        del both[lacks][name]
        checks = compared(torch=numbers(both["PyTorch"]), keras=numbers(both["TensorFlow"]))
        first = first_beyond(checks, LIMITS["float64"])
        assert first.stage == GRADIENTS
        assert "has none" in first.what


def test_a_bias_that_keras_alone_trains_is_a_difference():
    sides = described()
    torch = torch_side(layer("fc", DENSE, {"weight": (2, 3)}))
    torch = torch.model_copy(update={"calls": sides.torch.calls, "training_calls": sides.torch.training_calls})
    carried = carry(torch, sides.keras)
    sides = dataclasses.replace(sides, torch=torch, carry=carried, pairings=pair_calls(torch, sides.keras, carried))
    assert sides.more_in_keras == {"dense/bias": "dense"}
    ours = {key: values for key, values in arrays("PyTorch").items() if not key.endswith("bias")}
    first = first_beyond(climb(sides, numbers(ours), numbers(arrays("TensorFlow"))), LIMITS["float64"])
    assert first.what.startswith("the gradient of dense/bias")


def test_a_climb_goes_no_further_than_the_run_went():
    stages = [max(check.stage for check in compared(until=until)) for until in ("evaluation", "gradients", "training")]
    assert stages == sorted(set(stages))


def test_images_are_laid_out_by_what_the_calls_say_and_not_by_the_smallest_difference():
    image = np.arange(27.0).reshape(1, 3, 3, 3)
    first, last = call(0, "a", "conv", channels_last=False), call(0, "b", "conv", channels_last=True)
    assert np.array_equal(laid_out(image, np.moveaxis(image, 1, -1), first, last), image)
    # As it stands it would agree; channels last it is another image.
    assert not np.array_equal(laid_out(image, image, first, last), image)


def test_a_mask_of_infinity_is_one_of_a_large_number_before_a_softmax_alone():
    for kind, agrees in (("softmax", True), ("relu", False)):
        torch, keras = arrays("PyTorch"), arrays("TensorFlow")
        for side, mask in ((torch, -np.inf), (keras, -1e30)):
            side["evaluation/call/1/in/0"] = np.array([[7.0, mask]] * 4)
        sides = described()
        calls = [sides.torch.calls[0], call(1, "", kind)], [sides.keras.calls[0], call(1, "dense", kind)]
        torch_side, keras_side = (
            side.model_copy(update={"calls": of}) for side, of in zip((sides.torch, sides.keras), calls, strict=True)
        )
        sides = dataclasses.replace(
            sides, torch=torch_side, keras=keras_side, pairings=pair_calls(torch_side, keras_side, sides.carry)
        )
        first = first_beyond(climb(sides, numbers(torch), numbers(keras), "evaluation"), LIMITS["float64"])
        assert (first is None) == agrees


def test_a_sequence_with_time_first_meets_one_with_the_batch_first():
    sequence = np.arange(24.0).reshape(4, 3, 2)
    plain = call(0, "a", "lstm")
    assert np.array_equal(laid_out(sequence, sequence.swapaxes(0, 1), plain, plain), sequence)
    assert laid_out(sequence, np.ones((5, 5)), plain, plain) is None


def test_branches_that_are_called_in_another_order_are_paired_and_what_follows_them_too():
    shapes = {"block": (4, 3), "block2": (5, 4), "short": (5, 3), "last": (2, 5)}
    torch = torch_side(*(layer(name, DENSE, {"weight": shape}) for name, shape in shapes.items()))
    keras = keras_side(*(layer(name, DENSE, {"kernel": shape[::-1]}) for name, shape in shapes.items()))
    both = []
    for side, order in ((torch, ("short", "block", "block2", "last")), (keras, ("block", "block2", "short", "last"))):
        calls = [call(number, place, DENSE) for number, place in enumerate(order)]
        both.append(side.model_copy(update={"calls": calls, "training_calls": calls}))
    pairings = pair_calls(*both, carry(*both))
    assert [(p.torch, p.keras) for p in pairings] == [(0, 2), (1, 0), (2, 1), (3, 3)]
