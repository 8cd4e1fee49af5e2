"""Two sets of weights: what meets what, in which layout, and how far apart they lie."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.logs import log_pair, log_words
from shared.system.errors import InputError


def tensors_of(folder, a, b):
    for name, weights in (("a", a), ("b", b)):
        np.savez(folder / f"{name}.npz", **weights)
    return log_pair.compare(folder / "a.npz", folder / "b.npz").tensors


KERNEL = np.random.default_rng(0).random((4, 3)).astype(np.float32)
SQUARE = np.random.default_rng(1).random((4, 4)).astype(np.float32)
CONVOLUTION = np.random.default_rng(2).random((5, 4, 3, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("a", "b", "transposed"),
    [
        (KERNEL, KERNEL, False),
        (KERNEL, KERNEL.T, True),
        (SQUARE, SQUARE, False),
        (SQUARE, SQUARE.T, True),
        # (out, in, height, width) in PyTorch, (height, width, in, out) in Keras.
        (CONVOLUTION, CONVOLUTION.transpose(2, 3, 1, 0), True),
        (CONVOLUTION.transpose(2, 3, 1, 0), CONVOLUTION, True),
        (np.array(3), np.array(3), False),
        (np.ones((0, 3)), np.ones((0, 3)), False),
        (np.array([True]), np.array([True]), False),
    ],
)
def test_the_same_numbers_agree_in_either_layout(tmp_path, a, b, transposed):
    tensors = tensors_of(tmp_path, {"w": a}, {"w": b})
    assert tensors.agree
    assert (tensors.shared["w"].transposed, tensors.shared["w"].difference.absolute) == (transposed, 0)


@pytest.mark.parametrize(
    ("a", "b", "absolute", "transposed"),
    [
        (KERNEL, KERNEL + np.float32(0.5), 0.5, False),
        (KERNEL, KERNEL.T + np.float32(0.5), 0.5, True),
        (SQUARE, SQUARE + np.float32(0.5), 0.5, False),
        (KERNEL, KERNEL.reshape(2, 6), np.inf, False),
        (KERNEL, KERNEL.ravel(), np.inf, False),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), np.inf, False),
        (np.array(3), np.array(4), 1, False),
        (np.array(2**53), np.array(2**53 + 1), 1, False),  # the same in float64
        (np.array([True]), np.array([False]), 1, False),
        (np.array([1e300]), np.ones(1, np.float32), 1e300, False),
    ],
)
def test_numbers_or_shapes_that_differ_do_not(tmp_path, a, b, absolute, transposed):
    tensors = tensors_of(tmp_path, {"w": a}, {"w": b})
    assert not tensors.agree
    assert tensors.shared["w"].difference.absolute == pytest.approx(absolute)
    assert tensors.shared["w"].transposed is transposed


def test_one_unit_in_the_last_place_agrees_and_two_do_not(tmp_path):
    one = np.array([1.0, 0.1], np.float32)
    for units, agree in ((1, True), (2, False)):
        moved = one + np.array([units * 2**-23, 0], np.float32)
        assert tensors_of(tmp_path, {"w": one}, {"w": moved}).agree is agree


def test_weights_that_were_rounded_to_float32_agree_with_those_they_were(tmp_path):
    double = np.random.default_rng(0).standard_normal(1000)
    assert tensors_of(tmp_path, {"w": double}, {"w": double.astype(np.float32)}).agree


def test_names_that_one_alone_has_are_no_agreement(tmp_path):
    other = KERNEL + 1
    tensors = tensors_of(tmp_path, {"w": KERNEL, "x": other, "z": SQUARE}, {"y": other, "w": KERNEL})
    assert tensors.shared["w"].agrees
    assert tensors.only == (["x", "z"], ["y"])
    assert not tensors.agree


def test_weights_of_which_nothing_fits_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **{"fc1.weight": KERNEL})
    np.savez(tmp_path / "b.npz", **{"fc1/kernel": KERNEL[:2, :2]})
    with pytest.raises(InputError, match=r"no tensor of one fits one of the other: .*a\.npz has fc1\.weight \(4, 3\)"):
        log_pair.compare(tmp_path / "a.npz", tmp_path / "b.npz")


RANDOM = np.random.default_rng(5)


def kernels(*shapes):
    return [RANDOM.standard_normal(shape).astype("f4") for shape in shapes]


def torch_mlp():
    """PyTorch's Linear layers 6 → 8 → 8 → 3."""
    names = [f"fc{i}.{part}" for i in (1, 2, 3) for part in ("weight", "bias")]
    return dict(zip(names, kernels((8, 6), (8,), (8, 8), (8,), (3, 8), (3,)), strict=True))


def test_a_square_kernel_that_was_not_transposed_as_the_others_were_is_a_difference(tmp_path):
    a = torch_mlp()
    b = {name: values.T for name, values in a.items()} | {"fc2.weight": a["fc2.weight"]}
    tensors = tensors_of(tmp_path, a, b)
    assert not tensors.agree
    assert [name for name, tensor in tensors.shared.items() if not tensor.agrees] == ["fc2.weight"]
    said = log_words._tensors_sentence(tensors)
    assert said.startswith("DIFFERENT WEIGHTS: 1 of 6 tensors, most in fc2.weight, which is equal only without the tra")
    assert any(note.startswith("fc2.weight: equal only without") for note in log_words.tensor_notes(tensors))


def test_nor_is_one_that_was_transposed_where_the_others_were_not(tmp_path):
    a = torch_mlp()
    tensors = tensors_of(tmp_path, a, a | {"fc2.weight": a["fc2.weight"].T})
    assert [name for name, tensor in tensors.shared.items() if not tensor.agrees] == ["fc2.weight"]
    assert (
        tensors.shared["fc2.weight"].turned
        == "equal only transposed, and the others have none: one of the two was transposed"
    )


@pytest.mark.parametrize("noise", [1e-6, 1e-2, 0.3, 3.0])
def test_sound_square_kernels_that_were_trained_apart_are_compared_as_the_others_lie(tmp_path, noise):
    a = torch_mlp()
    b = {name: (values + noise * kernels(values.shape)[0]).T for name, values in a.items()}
    tensors = tensors_of(tmp_path, a, b)
    square = tensors.shared["fc2.weight"]
    assert (square.transposed, square.turned) == (True, "")
    assert square.relative == pytest.approx(noise / np.hypot(1, noise), rel=0.4)
    assert tensors.notes == ()


def test_square_kernels_alone_are_taken_as_they_are_nearer_and_that_is_said(tmp_path):
    a = dict(zip(("1.weight", "2.weight", "3.weight"), kernels((8, 8), (8, 8), (8, 8)), strict=True))
    tensors = tensors_of(tmp_path, a, {name: values.T * np.float32(1.01) for name, values in a.items()})
    assert all(tensor.transposed and not tensor.turned for tensor in tensors.shared.values())
    (said,) = tensors.notes
    assert said.endswith(": 1.weight, 2.weight, 3.weight taken transposed, in which they are clearly nearer.")
    one = tensors_of(tmp_path, a, {name: values.T for name, values in a.items()} | {"2.weight": a["2.weight"]})
    assert [name for name, tensor in one.shared.items() if not tensor.agrees] == ["2.weight"]
    unlike = tensors_of(tmp_path, a, dict(zip(a, kernels((8, 8), (8, 8), (8, 8)), strict=True)))
    assert unlike.notes[0].endswith("taken as it is, and neither way is clearly nearer.")


def test_a_table_lies_alike_in_both_frameworks_and_says_nothing_of_kernels(tmp_path):
    a = {"tok_emb.weight": kernels((20, 8))[0], "pos_emb.weight": kernels((8, 8))[0], "fc.weight": kernels((8, 8))[0]}
    tensors = tensors_of(tmp_path, a, a | {"fc.weight": a["fc.weight"].T})
    assert tensors.agree
    assert {name: tensor.transposed for name, tensor in tensors.shared.items()} == dict(zip(a, (0, 0, 1), strict=True))
    turned = tensors_of(tmp_path, a, a | {"pos_emb.weight": a["pos_emb.weight"].T})
    assert not turned.shared["pos_emb.weight"].agrees


def as_keras(torch, names):
    """PyTorch's dense layers and tables as Keras has them, under other names of the layers, in the order of these."""
    made = {}
    for old, new in names.items():
        if "emb" in old:
            made[f"{new}/embeddings"] = torch[f"{old}.weight"]
            continue
        made[f"{new}/kernel"] = torch[f"{old}.weight"].T
        made[f"{new}/bias"] = torch[f"{old}.bias"]
    return made


def test_layers_of_other_names_meet_in_their_order(tmp_path):
    a = torch_mlp()
    b = as_keras(a, {"fc1": "mine/dense", "fc2": "mine/dense_1", "fc3": "mine/dense_2"})
    tensors = tensors_of(tmp_path, a, b)
    assert tensors.agree
    assert {tensor.names for tensor in tensors.shared.values()} == set(zip(a, b, strict=True))
    wrong = tensors_of(tmp_path, a, b | {"mine/dense_1/kernel": a["fc2.weight"]})
    assert [name for name, tensor in wrong.shared.items() if not tensor.agrees] == ["fc2.weight ~ mine/dense_1/kernel"]


def test_layers_that_a_user_gave_one_name_meet_in_any_order(tmp_path):
    names = ("query", "key", "value", "out")
    a = {f"{n}.{part}": kernels(shape)[0] for n in names for part, shape in (("weight", (8, 8)), ("bias", (8,)))}
    b = as_keras(a, {name: f"model/{name}" for name in sorted(names)})
    tensors = tensors_of(tmp_path, a, b)
    assert tensors.agree
    assert {tensor.why for tensor in tensors.shared.values()} == {"the layer's name"}


def test_exchanged_layers_are_a_difference_and_whose_numbers_they_have_is_said(tmp_path):
    a = {f"{n}.weight": kernels((8, 8))[0] for n in (0, 1, 2)} | {"3.weight": kernels((4, 8))[0]}
    b = {f"dense_{n}/kernel": a[f"{n}.weight"].T for n in (0, 1, 2, 3)}
    exchanged = b | {"dense_1/kernel": b["dense_2/kernel"], "dense_2/kernel": b["dense_1/kernel"]}
    assert tensors_of(tmp_path, a, b).agree
    tensors = tensors_of(tmp_path, a, exchanged)
    assert [name for name, tensor in tensors.shared.items() if not tensor.agrees] == [
        *("1.weight ~ dense_1/kernel", "2.weight ~ dense_2/kernel"),
    ]
    assert any("1.weight those of dense_2/kernel, 2.weight those of dense_1/kernel" in note for note in tensors.notes)


def test_arrays_without_names_meet_in_their_order_with_the_axes_of_either(tmp_path):
    shapes = [(4, 3, 3, 3), (4,), (4, 1, 3, 3), (4,), (8, 100), (8,), (8, 8), (8,), (3, 8), (3,)]
    a = kernels(*shapes)
    turned = [
        x.transpose(2, 3, 0, 1) if x.shape == (4, 1, 3, 3) else x.T if x.ndim < 4 else x.transpose(2, 3, 1, 0)
        for x in a
    ]
    np.savez(tmp_path / "a.npz", *a)
    np.savez(tmp_path / "b.npz", *turned)
    save_file({f"w{i}": x for i, x in enumerate(map(np.ascontiguousarray, turned))}, tmp_path / "b.safetensors")
    assert log_pair.compare(tmp_path / "a.npz", tmp_path / "b.npz").agree
    found = log_pair.compare(tmp_path / "a.npz", tmp_path / "b.safetensors").tensors
    assert found.agree
    assert all(tensor.why == "order and shape" for tensor in found.shared.values())


def test_a_count_of_batches_and_the_state_of_random_numbers_are_left_out_and_said(tmp_path):
    norm = dict(zip(("weight", "bias", "running_mean", "running_var"), kernels(*[(4,)] * 4), strict=True))
    a = {f"0.{name}": values for name, values in norm.items()} | {"0.num_batches_tracked": np.array(7)}
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    b = {f"bn/{name}": values for name, values in zip(names, norm.values(), strict=True)}
    b["dropout/seed_generator/seed_generator_state"] = np.ones(2, np.uint32)
    tensors = tensors_of(tmp_path, a, b)
    assert tensors.agree
    assert tensors.notes == (
        "Left out of A, for no result depends on it: 0.num_batches_tracked.",
        "Left out of B, for no result depends on it: dropout/seed_generator/seed_generator_state.",
    )
    assert not tensors_of(tmp_path, a, b | {"bn/moving_mean": norm["running_var"]}).agree


def test_a_tied_weight_that_one_side_writes_twice_is_no_difference(tmp_path):
    a = {"emb.weight": kernels((9, 4))[0], "fc.weight": kernels((4, 4))[0], "fc.bias": kernels((4,))[0]}
    b = as_keras(a, {"emb": "tokens", "fc": "hidden"})
    tensors = tensors_of(tmp_path, a | {"head.weight": a["emb.weight"]}, b)
    assert tensors.agree
    assert "A's head.weight is its emb.weight once more, as tied weights are." in tensors.notes
    assert not tensors_of(tmp_path, a | {"head.weight": a["emb.weight"] + 1}, b).agree


def test_more_layers_than_can_be_matched_in_bounded_time_are_refused(tmp_path):
    a = {f"{i}.weight": np.ones((2, 1)) for i in range(401)}
    b = {f"dense_{i}/kernel": np.ones((1, 2)) for i in range(401)}
    with pytest.raises(InputError, match="401 layers whose names differ, and more than 400 are not matched"):
        tensors_of(tmp_path, a, b)


def test_layers_of_a_kind_meet_in_their_order_whatever_stands_between_them(tmp_path):
    """PyTorch's encoder layer has its two norms last; a graph of Keras's has them where they are called."""
    a, names = {}, ("linear1", "linear2", "norm1", "norm2")
    for layer in (0, 1):
        for name in names:
            a[f"layers.{layer}.{name}.weight"] = kernels((8,) if "norm" in name else (8, 8))[0]
            a[f"layers.{layer}.{name}.bias"] = kernels((8,))[0]
    b, counts = {}, {"dense": 3, "layer_normalization": 7}
    for layer in (0, 1):
        for name in ("norm1", "linear1", "linear2", "norm2"):
            weight, bias = (a[f"layers.{layer}.{name}.{part}"] for part in ("weight", "bias"))
            of = "layer_normalization" if "norm" in name else "dense"
            b[f"{of}_{counts[of]}/{'gamma' if 'norm' in name else 'kernel'}"] = weight.T
            b[f"{of}_{counts[of]}/{'beta' if 'norm' in name else 'bias'}"] = bias
            counts[of] += 1
    assert tensors_of(tmp_path, a, b).agree
    backwards = dict(sorted(b.items(), reverse=True))  # layers that Keras numbered meet by their numbers
    assert tensors_of(tmp_path, a, backwards).agree
    assert not tensors_of(tmp_path, a, b | {"layer_normalization_8/beta": b["layer_normalization_9/beta"]}).agree


def test_lists_of_blocks_meet_by_the_numbers_and_the_last_word_of_the_path(tmp_path):
    a = {f"h.{i}.attn.{n}.weight": kernels((8, 8))[0] for i in (0, 1, 2) for n in "qkvo"}
    b = {f"h/{i}/{n}/kernel": a[f"h.{i}.attn.{n}.weight"].T for i in (0, 1, 2) for n in "kovq"}
    tensors = tensors_of(tmp_path, a, b)
    assert tensors.agree
    assert {tensor.why for tensor in tensors.shared.values()} == {"the layer's name"}
    exchanged = b | {"h/1/q/kernel": b["h/1/k/kernel"], "h/1/k/kernel": b["h/1/q/kernel"]}
    assert sum(not tensor.agrees for tensor in tensors_of(tmp_path, a, exchanged).shared.values()) == 2


@pytest.mark.parametrize("rows", [2, 5, 16, 32, 64])
def test_kernels_that_have_nothing_to_do_with_each_other_are_never_said_to_lie_the_wrong_way(tmp_path, rows):
    a = {f"{i}.weight": kernel for i, kernel in enumerate(kernels(*[(rows, rows)] * 60, (3, rows)))}
    b = {name: kernels(values.T.shape)[0] for name, values in a.items()}
    tensors = tensors_of(tmp_path, a, b)
    assert all(tensor.transposed and not tensor.turned for tensor in tensors.shared.values())


@pytest.mark.parametrize(
    ("rows", "noise", "said"), [(5, 0.1, True), (16, 0.3, True), (64, 0.9, True), (64, 5.0, False)]
)
def test_a_kernel_that_was_not_transposed_is_found_after_training_too_where_it_can_be(tmp_path, rows, noise, said):
    a = {f"{i}.weight": kernel for i, kernel in enumerate(kernels((rows, rows), (rows, rows), (3, rows)))}
    b = {name: (values + noise * kernels(values.shape)[0]).T for name, values in a.items()}
    b["1.weight"] = b["1.weight"].T
    tensors = tensors_of(tmp_path, a, b)
    assert [bool(tensor.turned) for tensor in tensors.shared.values()] == [False, said, False]
