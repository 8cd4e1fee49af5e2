import json
import struct
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.network import initial_weights, perturb, weight_shapes
from shared.running.weights_file import load_weights
from shared.system.errors import InputError
from shared.system.files import save_tensors
from shared.training import Training

SMALL = Training(hidden_sizes=(3, 2))


# Pinned, as exact hexadecimal floats: if the start moved, two versions of this repository would train differently
# from the same training.
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("fc1.weight", ["-0x1.1dd0a00000000p-5", "-0x1.2e76160000000p-6"]),
        ("fc1.bias", ["0x1.6eb6ba0000000p-6", "0x1.26212c0000000p-6"]),
        ("fc2.weight", ["0x1.c759340000000p-5", "-0x1.5d67f60000000p-7"]),
        ("fc2.bias", ["-0x1.1fc97a0000000p-8", "-0x1.17dbe00000000p-9"]),
        ("fc3.weight", ["-0x1.222cf40000000p-6", "0x1.27b2d60000000p-5"]),
        ("fc3.bias", ["0x1.66bd680000000p-6", "0x1.f8c51c0000000p-7"]),
    ],
)
def test_start_is_the_one_of_earlier_runs(name, start):
    assert [value.hex() for value in initial_weights(Training())[name].ravel()[:2].tolist()] == start


def test_keras_defaults_stretch_the_kernels_to_glorots_bound_and_empty_the_biases():
    pytorchs, glorots = initial_weights(Training()), initial_weights(Training(), ("kernels", "biases"))
    bounds = {"fc1": (6 / (784 + 128)) ** 0.5, "fc2": (6 / (128 + 64)) ** 0.5, "fc3": (6 / (64 + 10)) ** 0.5}
    for layer, bound in bounds.items():
        kernel = glorots[f"{layer}.weight"]
        assert 0.99 * bound < np.abs(kernel).max() <= bound
        assert np.corrcoef(kernel.ravel(), pytorchs[f"{layer}.weight"].ravel())[0, 1] > 1 - 1e-9
        assert not glorots[f"{layer}.bias"].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_start_has_the_names_shapes_and_dtype_of_the_spec(dtype):
    training = Training(dtype=dtype)
    weights = initial_weights(training)
    assert [(name, values.shape) for name, values in weights.items()] == list(weight_shapes(training).items())
    assert {values.dtype.name for values in weights.values()} == {dtype}


def test_float32_and_float64_runs_start_at_the_same_numbers():
    double = initial_weights(Training(dtype="float64"))
    for name, single in initial_weights(Training(dtype="float32")).items():
        assert np.array_equal(single.astype(np.float64), double[name]), name


def test_start_is_uniform_between_the_bounds_of_pytorch():
    fan_ins = {"fc1": 784, "fc2": 128, "fc3": 64}
    for name, values in initial_weights(Training()).items():
        scaled = values.ravel() * np.sqrt(fan_ins[name.partition(".")[0]])
        # Rounding to float32 may pass the bound by half a unit in the last place.
        assert np.abs(scaled).max() <= 1 + np.finfo(np.float32).eps, name
        # A uniform number in ±1 has the variance 1/3; the mean of n of them the standard deviation √(1/3n).
        assert abs(scaled.mean()) < 4 * np.sqrt(1 / (3 * scaled.size)), name
        if scaled.size > 500:
            assert scaled.var() == pytest.approx(1 / 3, rel=0.1), name


def test_tensors_and_seeds_share_no_numbers():
    tensors = [*initial_weights(Training(seed=0)).values(), *initial_weights(Training(seed=1)).values()]
    # Up to their scale, which is each layer's own.
    starts = {tuple((values.ravel()[:3] / np.abs(values.ravel()[0])).round(3).tolist()) for values in tensors}
    assert len(starts) == 12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_perturb_moves_every_weight_by_the_smallest_step_up_or_down(dtype):
    # Above 1 the numbers are eps apart and just below it eps / 2; about -1 it is the other way round; on either side of
    # 0 lies the smallest subnormal.
    info = np.finfo(dtype)
    eps, smallest = float(info.eps), float(info.smallest_subnormal)
    perturbed = perturb({"w": np.repeat(np.array([1, -1, 0], dtype=dtype), 20).reshape(3, 20)})["w"]
    assert (perturbed.dtype, perturbed.shape) == (dtype, (3, 20))
    assert [set(values) for values in perturbed.tolist()] == [
        {1 + eps, 1 - eps / 2},
        {-1 + eps / 2, -1 - eps},
        {smallest, -smallest},
    ]


def test_perturb_moves_half_of_them_up_others_in_each_tensor_and_draw():
    weights = {"a": np.ones(10_000), "b": np.ones(10_000)}
    ups = np.array([values > 1 for draw in (0, 1) for values in perturb(weights, draw).values()])
    # Of 10,000 fair choices; the standard deviation is 50. The same holds for those in which two draws agree.
    assert (abs(ups.sum(axis=1) - 5_000) < 200).all()
    assert all(abs((a == b).sum() - 5_000) < 200 for a, b in combinations(ups, 2))
    again = [values > 1 for draw in (0, 1) for values in perturb(weights, draw).values()]
    np.testing.assert_array_equal(ups, again)


def test_perturb_leaves_its_argument_alone():
    weights = {"w": np.ones(3)}
    perturb(weights)
    assert weights["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_survive_the_file(tmp_path: Path, dtype):
    training = SMALL.model_copy(update={"dtype": dtype})
    weights = initial_weights(training)
    # Not contiguous, as a transposed Keras kernel is.
    given = {name: np.asfortranarray(values) for name, values in weights.items()}
    save_tensors(tmp_path / "w.safetensors", given)
    loaded = load_weights(tmp_path / "w.safetensors", training)
    assert list(loaded) == list(weight_shapes(training))
    for name, values in weights.items():
        assert loaded[name].dtype == training.numpy_dtype
        assert np.array_equal(loaded[name], values), name


def without(weights, name):
    return {other: values for other, values in weights.items() if other != name}


def with_value(values, value):
    values = values.copy()
    values.flat[:2] = value
    return values


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda w: without(w, "fc2.bias"), "fc2.bias is missing; the file must hold fc1.weight, fc1.bias, fc2.weight"),
        (lambda w: w | {"fc4.bias": w["fc3.bias"]}, "fc4.bias is not a tensor of this model; keep only fc1.weight"),
        (
            lambda w: w | {"fc1.weight": w["fc1.weight"].T},
            "fc1.weight has shape (784, 3), not (3, 784); match --hidden-sizes to the file",
        ),
        (
            lambda w: w | {"fc3.bias": w["fc3.bias"].astype(np.float64)},
            "fc3.bias is float64, not float32; match --dtype to the file",
        ),
        (
            lambda w: w | {"fc2.weight": with_value(w["fc2.weight"], np.nan)},
            "fc2.weight has 2 non-finite values; give weights that are finite",
        ),
        (lambda w: w | {"fc2.weight": with_value(w["fc2.weight"], np.inf)}, "fc2.weight has 2 non-finite values"),
    ],
    ids=["missing", "extra", "transposed", "other dtype", "nan", "infinite"],
)
def test_weights_of_another_model_are_refused_by_name(tmp_path: Path, damage, message):
    path = tmp_path / "w.safetensors"
    save_tensors(path, damage(initial_weights(SMALL)))
    with pytest.raises(InputError) as error:
        load_weights(path, SMALL)
    assert str(error.value).startswith(f"--weights {path}: {message}")
    assert "\n" not in str(error.value)


def truncated(path):
    save_file({"fc1.bias": np.zeros(3, np.float32)}, path)
    path.write_bytes(path.read_bytes()[:-1])


def half_precision(kind):
    """A dtype that PyTorch saves and NumPy has no name for."""

    def write(path):
        header = json.dumps({"fc1.bias": {"dtype": kind, "shape": [2], "data_offsets": [0, 4]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))

    return write


@pytest.mark.parametrize(
    "write",
    [
        lambda _: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("these are no weights", encoding="utf-8"),
        truncated,
        half_precision("BF16"),
    ],
    ids=["missing", "a folder", "empty", "text", "truncated", "bfloat16"],
)
def test_file_without_readable_weights_is_refused(tmp_path: Path, write):
    path = tmp_path / "w.safetensors"
    write(path)
    with pytest.raises(InputError) as error:
        load_weights(path, SMALL)
    assert str(error.value).startswith(f"--weights {path}: ")
    assert "; give " in str(error.value)
    assert "\n" not in str(error.value)
