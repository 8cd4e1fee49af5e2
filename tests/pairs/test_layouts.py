"""Each layout against hand-worked arrays, or PyTorch's layer against Keras's formula in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from shared.pairs.carry import carry
from shared.pairs.description import (
    ATTENTION,
    BATCH_NORM,
    BIDIRECTIONAL,
    CONV,
    CONV_TRANSPOSE,
    DENSE,
    EMBEDDING,
    GRU,
    LAYER_NORM,
    LSTM,
    PRELU,
    RAW,
    RNN,
    SEPARABLE_CONV,
)
from tests.pairs.sides import keras_side, layer, norm, torch_side


def numbers(*shape):
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


def carried(ours, theirs, arrays):
    """The arrays of a layer t, in a layer k."""
    result = carry(torch_side(*ours), keras_side(*theirs))
    assert not result.missing()
    return result.values({f"t.{name}": array for name, array in arrays.items()})


def one(kind, keras_kind, weight, wanted, *, own="kernel", **settings):
    ours, theirs = layer("t", kind, {"weight": weight.shape}), layer("k", keras_kind, {own: wanted}, **settings)
    return carried([ours], [theirs], {"weight": weight})[f"k/{own}"]


def test_dense_is_transposed_though_square():
    np.testing.assert_array_equal(one(DENSE, DENSE, numbers(2, 2), (2, 2)), [[1, 3], [2, 4]])


def test_a_pointwise_convolution_is_a_dense_layer_both_ways():
    expected = [[1, 3, 5], [2, 4, 6]]
    np.testing.assert_array_equal(one(CONV, DENSE, numbers(3, 2, 1, 1), (2, 3)), expected)
    np.testing.assert_array_equal(one(DENSE, CONV, numbers(3, 2), (1, 1, 2, 3)), [[expected]])


def test_a_patch_is_flattened_with_its_channels_last():
    weight = numbers(3, 2, 2, 2)  # out, channels, height, width
    image = numbers(2, 2, 2)  # channels, height, width
    kernel = one(CONV, DENSE, weight, (8, 3))
    np.testing.assert_array_equal(np.moveaxis(image, 0, -1).ravel() @ kernel, np.sum(weight * image, axis=(1, 2, 3)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank):
    weight = numbers(4, 2, *range(2, 2 + rank))  # two groups, of an input of 4 channels
    kernel = one(CONV, CONV, weight, (*range(2, 2 + rank), 2, 4), groups=2)
    assert kernel[(*[1] * rank, 0, 3)] == weight[(3, 0, *[1] * rank)]
    np.testing.assert_array_equal(np.moveaxis(kernel, (-1, -2), (0, 1)), weight)


def test_depthwise_convolution_has_its_outputs_by_input_channel():
    weight = numbers(6, 1, 1, 1)  # input channel i makes the outputs 2 i and 2 i + 1
    np.testing.assert_array_equal(one(CONV, CONV, weight, (1, 1, 3, 2), depthwise=True)[0, 0], [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(one(CONV, CONV, weight, (1, 1, 1, 6), groups=3)[0, 0], [[1, 2, 3, 4, 5, 6]])


def test_transposed_convolution_is_not_flipped():
    weight = numbers(2, 3, 2)  # in, out, width
    kernel = one(CONV_TRANSPOSE, CONV_TRANSPOSE, weight, (2, 3, 2))  # width, out, in
    np.testing.assert_array_equal(kernel[0], weight[:, :, 0].T)


def test_separable_convolution_is_two():
    ours = [layer("t.a", CONV, {"weight": (4, 1, 3, 3)}), layer("t.b", CONV, {"weight": (5, 4, 1, 1), "bias": (5,)})]
    shapes = {"depthwise_kernel": (3, 3, 2, 2), "pointwise_kernel": (1, 1, 4, 5), "bias": (5,)}
    arrays = {"a.weight": numbers(4, 1, 3, 3), "b.weight": numbers(5, 4, 1, 1), "b.bias": numbers(5)}
    result = carried(ours, [layer("k", SEPARABLE_CONV, shapes)], arrays)
    assert result["k/depthwise_kernel"][2, 1, 1, 0] == arrays["a.weight"][2, 0, 2, 1]
    np.testing.assert_array_equal(result["k/pointwise_kernel"][0, 0], arrays["b.weight"][:, :, 0, 0].T)
    np.testing.assert_array_equal(result["k/bias"], arrays["b.bias"])


def test_batch_norm_with_its_running_statistics_and_without_the_count():
    arrays = {name: numbers(4) * i for i, name in enumerate(("weight", "bias", "running_mean", "running_var"))}
    result = carried([norm("t", torch=True)], [norm("k", torch=False)], arrays | {"num_batches_tracked": numbers(1)})
    assert [result[f"k/{name}"][0] for name in ("gamma", "beta", "moving_mean", "moving_variance")] == [0, 1, 2, 3]


@pytest.mark.parametrize(("kind", "own"), [(EMBEDDING, "embeddings"), (LAYER_NORM, "gamma"), (PRELU, "alpha")])
def test_as_it_is(kind, own):
    np.testing.assert_array_equal(one(kind, kind, numbers(3, 3), (3, 3), own=own), numbers(3, 3))


def test_prelu_has_axes_of_size_one_and_a_whole_image_is_normalised_with_its_channels_last():
    np.testing.assert_array_equal(one(PRELU, PRELU, numbers(3), (1, 1, 3), own="alpha"), [[[1, 2, 3]]])
    image = one(LAYER_NORM, LAYER_NORM, numbers(2, 3, 3), (3, 3, 2), own="gamma")
    np.testing.assert_array_equal(image, np.moveaxis(numbers(2, 3, 3), 0, -1))


@pytest.mark.parametrize(("torch_shape", "keras_shape"), [((1, 5, 3), (5, 3)), ((5, 3), (1, 5, 3))])
def test_a_users_own_table_is_an_embedding(torch_shape, keras_shape):
    ours = [layer("t", RAW, {"position": torch_shape, "mask": (9, 9)})]
    result = carried(ours, [layer("k", EMBEDDING, {"embeddings": keras_shape})], {"position": numbers(*torch_shape)})
    np.testing.assert_array_equal(result["k/embeddings"], numbers(*keras_shape))


def test_a_users_own_normalisation_is_one():
    ours, theirs = layer("t", RAW, {"a_2": (3,), "b_2": (3,)}), layer("k", LAYER_NORM, {"gamma": (3,), "beta": (3,)})
    result = carried([ours], [theirs], {"a_2": numbers(3), "b_2": -numbers(3)})
    np.testing.assert_array_equal(result["k/gamma"], [1, 2, 3])
    np.testing.assert_array_equal(result["k/beta"], [-1, -2, -3])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_cell(x, states, k):
    h, c = states
    i, f, g, o = np.split(x @ k["kernel"] + h @ k["recurrent_kernel"] + k["bias"], 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(x, states, k):  # reset_after
    z, r, n = np.split(x @ k["kernel"] + k["bias"][0], 3, axis=-1)
    hz, hr, hn = np.split(states[0] @ k["recurrent_kernel"] + k["bias"][1], 3, axis=-1)
    z, n = sigmoid(z + hz), np.tanh(n + sigmoid(r + hr) * hn)
    return (z * states[0] + (1 - z) * n,)


def rnn_cell(x, states, k):
    return (np.tanh(x @ k["kernel"] + states[0] @ k["recurrent_kernel"] + k["bias"]),)


CELLS = {RNN: (nn.RNN, rnn_cell, 1), LSTM: (nn.LSTM, lstm_cell, 4), GRU: (nn.GRU, gru_cell, 3)}


def keras_recurrent(cell, values, x, prefix):
    k = {name.removeprefix(prefix): array for name, array in values.items() if name.startswith(prefix)}
    states, outputs = tuple(np.zeros((len(x), k["recurrent_kernel"].shape[0])) for _ in range(2)), []
    for step in range(x.shape[1]):
        states = cell(x[:, step], states, k)
        outputs.append(states[0])
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_stacked_and_in_both_directions(kind, bidirectional):
    made, cell, gates = CELLS[kind]
    torch.manual_seed(0)
    module = made(3, 5, num_layers=2, batch_first=True, bidirectional=bidirectional, dtype=torch.float64)
    arrays = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    ways = ["backward_layer/cell/", "forward_layer/cell/"] if bidirectional else ["cell/"]  # Keras's order is not ours

    def shapes(inputs):
        own = {"kernel": (inputs, gates * 5), "recurrent_kernel": (5, gates * 5)}
        own |= {"bias": (2, 15) if kind == GRU else (gates * 5,)}
        return {way + name: shape for way in ways for name, shape in own.items()}

    keras_kind = BIDIRECTIONAL if bidirectional else kind
    theirs = [layer("k", keras_kind, shapes(3)), layer("l", keras_kind, shapes(5 * len(ways)))]
    values = carried([layer("t", kind, {name: a.shape for name, a in arrays.items()})], theirs, arrays)
    x = np.random.default_rng(0).standard_normal((2, 4, 3))
    hidden = x
    for path in "kl":
        outputs = [
            keras_recurrent(cell, values, hidden[:, ::-1], f"{path}/{way}")[:, ::-1]
            if "backward" in way
            else keras_recurrent(cell, values, hidden, f"{path}/{way}")
            for way in reversed(ways)
        ]
        hidden = np.concatenate(outputs, axis=-1)
    with torch.no_grad():
        np.testing.assert_allclose(hidden, module(torch.from_numpy(x))[0].numpy(), rtol=0, atol=1e-15)


def test_the_two_biases_are_summed_in_float64_and_their_gradients_averaged():
    shapes = {"weight_ih_l0": (1, 1), "weight_hh_l0": (1, 1), "bias_ih_l0": (1,), "bias_hh_l0": (1,)}
    theirs = layer("k", RNN, {"kernel": (1, 1), "recurrent_kernel": (1, 1), "bias": (1,)})
    result = carry(torch_side(layer("t", RNN, shapes)), keras_side(theirs))
    small = np.array([0.1], np.float32)
    value = result.values({"t.bias_ih_l0": small, "t.bias_hh_l0": small * 3})["k/bias"]
    assert value.dtype == np.float32
    assert value == np.float32(np.float64(small[0]) + np.float64(small[0] * np.float32(3)))
    assert result.gradients({"t.bias_ih_l0": np.ones(1), "t.bias_hh_l0": np.full(1, 3.0)}) == {"k/bias": [2]}
    assert result.gradients({"t.bias_hh_l0": np.full(1, 3.0)}) == {"k/bias": [3]}  # the other is frozen


def projections(size=4, heads=2):
    shapes = {}
    for name in ("query", "key", "value"):
        shapes |= {f"{name}/kernel": (size, heads, size // heads), f"{name}/bias": (heads, size // heads)}
    return {"attention_output/kernel": (heads, size // heads, size), "attention_output/bias": (size,)} | shapes


PACKED = {"in_proj_weight": (12, 4), "in_proj_bias": (12,), "out_proj.weight": (4, 4), "out_proj.bias": (4,)}


@pytest.mark.parametrize("packed", [True, False])
def test_attention_against_its_formula(packed):
    torch.manual_seed(0)
    sizes = {} if packed else {"kdim": 3, "vdim": 2}
    module = nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64, **sizes)
    arrays = {name: torch.randn_like(tensor).numpy() for name, tensor in module.state_dict().items()}
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    shapes = projections() | ({} if packed else {"key/kernel": (3, 2, 2), "value/kernel": (2, 2, 2)})
    ours = layer("t", ATTENTION, {name: array.shape for name, array in arrays.items()})
    k = carried([ours], [layer("k", ATTENTION, shapes)], arrays)
    generator = np.random.default_rng(0)
    query, key, value = (generator.standard_normal((1, 5, size)) for size in (4, *(sizes.values() or (4, 4))))

    def project(x, name):
        return np.einsum("bte,ehd->bthd", x, k[f"k/{name}/kernel"]) + k[f"k/{name}/bias"]

    scores = np.einsum("bthd,bshd->bhts", project(query, "query"), project(key, "key")) / np.sqrt(2)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    mixed = np.einsum("bhts,bshd->bthd", weights, project(value, "value"))
    output = np.einsum("bthd,hde->bte", mixed, k["k/attention_output/kernel"]) + k["k/attention_output/bias"]
    with torch.no_grad():
        expected = module(*(torch.from_numpy(x) for x in (query, key, value)))[0].numpy()
    np.testing.assert_allclose(output, expected, rtol=1e-13, atol=1e-14)


def test_one_dense_layer_is_several_in_a_row():
    ours = [layer("t", DENSE, {"weight": (6, 3), "bias": (6,)})]
    theirs = [layer(path, DENSE, {"kernel": (3, 2), "bias": (2,)}) for path in "qkv"]
    result = carried(ours, theirs, {"weight": numbers(6, 3), "bias": numbers(6)})
    np.testing.assert_array_equal(result["k/kernel"], numbers(6, 3)[2:4].T)
    np.testing.assert_array_equal(result["v/bias"], [5, 6])


def test_several_dense_layers_are_one_and_a_packed_attention_is_too():
    ours = [layer(f"t.{name}", DENSE, {"weight": (2, 3)}) for name in "qkv"]
    weights = {f"{name}.weight": numbers(2, 3) * i for i, name in enumerate("qkv")}
    result = carried(ours, [layer("k", DENSE, {"kernel": (3, 6)})], weights)
    np.testing.assert_array_equal(result["k/kernel"], np.concatenate(list(weights.values())).T)

    theirs = [
        layer("k", DENSE, {"kernel": (4, 12), "bias": (12,)}),
        layer("o", DENSE, {"kernel": (4, 4), "bias": (4,)}),
    ]
    arrays = {name: numbers(*shape) for name, shape in PACKED.items()}
    result = carried([layer("t", ATTENTION, PACKED)], theirs, arrays)
    np.testing.assert_array_equal(result["k/kernel"], arrays["in_proj_weight"].T)
    np.testing.assert_array_equal(result["o/kernel"], arrays["out_proj.weight"].T)


def test_attention_by_hand_is_attention():
    ours = [
        layer("t.qkv", DENSE, {"weight": (12, 4), "bias": (12,)}),
        layer("t.o", DENSE, {"weight": (4, 4), "bias": (4,)}),
    ]
    result = carried(
        ours, [layer("k", ATTENTION, projections())], {"qkv.weight": numbers(12, 4), "qkv.bias": numbers(12)}
    )
    np.testing.assert_array_equal(result["k/value/bias"], [[9, 10], [11, 12]])
    assert result["k/key/kernel"][3, 1, 0] == numbers(12, 4)[4 + 2, 3]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            layer("t", GRU, {"weight_ih": (6, 2), "weight_hh": (6, 2), "bias_ih": (6,), "bias_hh": (6,)}),
            layer("k", GRU, {"kernel": (2, 6), "recurrent_kernel": (2, 6), "bias": (6,)}),
        ),  # not reset_after
        (
            layer("t", CONV_TRANSPOSE, {"weight": (4, 1, 3)}, groups=2),
            layer("k", CONV_TRANSPOSE, {"kernel": (3, 2, 4)}),
        ),
        (
            layer("t", LSTM, {"weight_ih_l0": (8, 3), "weight_hh_l0": (8, 1), "weight_hr_l0": (1, 2)}),
            layer("k", LSTM, {"kernel": (3, 8), "recurrent_kernel": (2, 8)}),
        ),
        (layer("t", BATCH_NORM, {"weight": (3,), "running_mean": (3,)}), layer("k", LAYER_NORM, {"gamma": (3,)})),
        (layer("t", DENSE, {"weight": (7, 3)}), layer("k", DENSE, {"kernel": (3, 6)})),
    ],
)
def test_what_does_not_fit_is_missing_with_both_shapes(ours, theirs):
    result = carry(torch_side(ours), keras_side(theirs))
    assert result.values({f"t.{name}": np.zeros(shape) for name, shape in ours[2].items()}) == {}
    told = "".join(result.missing())
    assert all(str(shape) in told for shape in (*ours[2].values(), *theirs[2].values()))
    assert ("reset_after=True" if theirs[1] == GRU else "carry(torch)") in told
