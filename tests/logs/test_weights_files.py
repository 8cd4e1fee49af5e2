"""Files of weights as the frameworks write them: what is read, what meets what, and what is refused."""

import json
import shutil
import subprocess
import zipfile

import numpy as np
import pytest

from shared.logs import log_pair, weights_files
from shared.logs.sources import read_source
from shared.system.errors import InputError
from tests.conftest import ROOT, run_program

TENSORFLOW = ROOT / ".venv" / "tensorflow" / "bin" / "python"
PYTORCH = ROOT / ".venv" / "pytorch" / "bin" / "python"
ONNX = ROOT / "tests" / "logs" / "onnx"  # benchmarks/weights_writers.py says how they were made
IMAGE = ["image.pt", "image_old.pth", "image_checkpoint.pt", "image_parallel.bin", "image_compiled.pt", "image.npz"]


def in_keras(code, folder):
    """Run a program in the environment of TensorFlow, which has h5py."""
    run = run_program("-c", f"import h5py, numpy as np\n{code}", python=TENSORFLOW, cwd=folder)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files that both frameworks write of the same weights."""
    folder = tmp_path_factory.mktemp("written")
    for name, python in (("pytorch", PYTORCH), ("tensorflow", TENSORFLOW)):
        made = run_program("-m", "benchmarks.weights_writers", name, folder, python=python)
        assert made.returncode == 0, made.stderr
    return folder


def refused(path, message):
    with pytest.raises(InputError) as error:
        read_source(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", IMAGE)
def test_a_state_dict_is_read_however_it_was_written_with_the_same_names_and_bits(written, name):
    source = read_source(written / name)
    with np.load(written / "image.npz") as expected:
        assert list(source.weights) == list(expected)
        for key in expected:
            assert (source.weights[key].dtype, source.weights[key].tolist()) == (
                expected[key].dtype,
                expected[key].tolist(),
            )


def test_what_is_taken_from_a_checkpoint_and_what_is_left_out_is_said(written):
    assert read_source(written / "image_checkpoint.pt").weights_notes == (
        "Its weights are taken from the entry 'model_state_dict'.",
        "Left out of its other entries: epoch, loss.",
    )
    assert read_source(written / "image_parallel.bin").weights_notes[0].startswith("Names are without the 'module.'")
    assert read_source(written / "bfloat16.pt").weights["weight"].tolist() == [[1.5, 1.5], [1.5, 1.5]]
    assert "read as float32" in read_source(written / "bfloat16.pt").weights_notes[0]


KERAS = [
    *(("image", name, 16) for name in ("image.keras", "image.weights.h5", "image_legacy.h5")),
    *(("text", name, 21) for name in ("text.keras", "text.weights.h5")),
]


@pytest.mark.parametrize(("network", "name", "tensors"), KERAS, ids=[name for _, name, _ in KERAS])
def test_the_same_weights_agree_between_the_frameworks_in_every_format(written, network, name, tensors):
    paths = written / f"{network}.pt", written / name
    found = log_pair.compare(*(paths[::-1] if name.endswith(".keras") else paths)).tensors
    assert (len(found.shared), found.agree) == (tensors, True), [n for n, t in found.shared.items() if not t.agrees]
    assert all(tensor.difference.absolute == 0 and tensor.why == "order and shape" for tensor in found.shared.values())


def test_the_layers_of_a_keras_file_have_their_names_and_its_variables_their_roles(written):
    names = list(read_source(written / "image.keras").weights)
    assert names[:6] == [
        *("conv2d/kernel", "conv2d/bias", "batch_normalization/gamma", "batch_normalization/beta"),
        *("batch_normalization/moving_mean", "batch_normalization/moving_variance"),
    ]
    assert names[-6:] == [f"dense{number}/{role}" for number in ("", "_1", "_2") for role in ("kernel", "bias")]
    assert list(read_source(written / "image.weights.h5").weights) == names
    assert [name.removeprefix("sequential/") for name in read_source(written / "image_legacy.h5").weights] == names
    text = list(read_source(written / "text.weights.h5").weights)
    assert text == list(read_source(written / "text.keras").weights)
    assert {"embedding/embeddings", "lstm/lstm_cell/recurrent_kernel", "layer_normalization/gamma"} < set(text)


def test_a_square_kernel_that_was_not_transposed_is_a_difference_between_the_frameworks_too(written, tmp_path):
    shutil.copy(written / "image.weights.h5", tmp_path / "b.weights.h5")
    code = "f = h5py.File('b.weights.h5', 'a'); k = f['layers/dense_1/vars/0']; k[...] = k[()].T"
    in_keras(code, tmp_path)
    found = log_pair.compare(written / "image.pt", tmp_path / "b.weights.h5").tensors
    (turned,) = [tensor for tensor in found.shared.values() if not tensor.agrees]
    assert turned.names == ("6.weight", "dense_1/kernel")
    assert turned.turned.startswith("equal only without the transpose that its kind of layer needs: one of the two was")


def test_an_attentions_square_projection_that_was_not_transposed_is_found(written, tmp_path):
    shutil.copy(written / "text.weights.h5", tmp_path / "b.weights.h5")
    code = """
f = h5py.File('b.weights.h5', 'a'); k = f['layers/multi_head_attention/query_dense/vars/0']
k[...] = k[()].reshape(8, 8).T.reshape(8, 2, 4)"""
    in_keras(code, tmp_path)
    found = log_pair.compare(written / "text.pt", tmp_path / "b.weights.h5").tensors
    (turned,) = [tensor for tensor in found.shared.values() if not tensor.agrees]
    assert turned.names[1] == "multi_head_attention/query/kernel"
    assert turned.turned


def test_one_number_that_differs_in_a_summed_bias_is_found(written, tmp_path):
    shutil.copy(written / "text.weights.h5", tmp_path / "b.weights.h5")
    in_keras("f = h5py.File('b.weights.h5', 'a'); f['layers/lstm/cell/vars/2'][3] += 1", tmp_path)
    found = log_pair.compare(written / "text.pt", tmp_path / "b.weights.h5").tensors
    (wrong,) = [tensor for tensor in found.shared.values() if not tensor.agrees]
    assert wrong.names == ("lstm.bias_ih_l0 + lstm.bias_hh_l0", "lstm/lstm_cell/bias")


def test_weights_are_told_by_their_content_and_not_by_their_name(written, tmp_path):
    for name, other in (
        ("image.pt", "a.npz"),
        ("image.keras", "b.pt"),
        ("image.npz", "c.dat"),
        ("text.weights.h5", "d"),
    ):
        shutil.copy(written / name, tmp_path / other)
        assert list(read_source(tmp_path / other).weights) == list(read_source(written / name).weights)


# What is refused.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("whole_model.pt", "holds more than weights (torch.nn.modules.linear.Linear), which could run code of its own"),
        ("two_models.pt", "it holds several sets of weights: a, b"),
        ("sparse.pt", "weight is sparse; save the weights before they are made so"),
        ("huge.pt", "says that it holds 3,814,697 MiB of numbers"),
    ],
)
def test_what_is_no_plain_set_of_weights_is_refused_with_the_cure(written, name, message):
    refused(written / name, message)


def test_nothing_that_a_pickle_holds_is_run(tmp_path):
    code = """
import os, torch
class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)
torch.save({"w": torch.ones(2), "x": Evil()}, "evil.pt")
torch.save({"w": torch.ones(2), "x": Evil()}, "old.pt", _use_new_zipfile_serialization=False)"""
    assert run_program("-c", code, python=PYTORCH, cwd=tmp_path).returncode == 0
    for name in ("evil.pt", "old.pt"):
        refused(tmp_path / name, "holds more than weights (posix.mkdir), which could run code of its own")
    assert not [*tmp_path.rglob("ran"), *ROOT.glob("ran")]


@pytest.mark.parametrize("name", ["image.pt", "image_old.pth", "image.keras", "image.weights.h5", "image_legacy.h5"])
@pytest.mark.parametrize("share", [0.9])
def test_a_file_that_ends_too_soon_is_refused(written, tmp_path, name, share):
    content = (written / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError) as error:
        read_source(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "; " in str(error.value)


VIRTUAL = """
layout = h5py.VirtualLayout((2,), 'f4')
layout[:] = h5py.VirtualSource('o.h5', 'x', (2,), 'f4')
f.create_virtual_dataset('layers/dense/vars/0', layout)
"""
HOSTILE = {
    "a link to another file": ("f['layers/dense/vars/0'] = h5py.ExternalLink('/etc/passwd', 'x')", "a ExternalLink"),
    "a link within": ("f['layers/dense/vars/0'] = h5py.SoftLink('/layers')", "has for 0 a SoftLink"),
    "a circle": ("g = f.create_group('layers'); g['dense'] = g", "lies within itself"),
    "numbers of another file": (
        "f.create_dataset('layers/dense/vars/0', (2, 2), 'f4', external=[('/etc/passwd', 0, 16)])",
        "lies in another file, which is not read",
    ),
    "numbers of another dataset": (VIRTUAL, "lies in another file, which is not read"),
    "a shape that is not there": (
        "f.create_dataset('layers/dense/vars/0', (10**6, 10**6), 'f4', chunks=(8, 8))",
        "says that it holds 3,814,697 MiB of numbers",
    ),
    "text": ("f['layers/dense/vars/0'] = ['a', 'b']", "not of real numbers; leave it out"),
    "complex numbers": ("f['layers/dense/vars/0'] = np.ones(2, complex)", "is complex128, not of real numbers"),
    "nothing": ("", "holds no tensor; give weights"),
}


@pytest.mark.parametrize(("code", "message"), HOSTILE.values(), ids=HOSTILE)
def test_an_hdf5_file_that_keras_never_writes_is_refused(tmp_path, code, message):
    in_keras(f"f = h5py.File('w.weights.h5', 'w')\n{code}", tmp_path)
    refused(tmp_path / "w.weights.h5", message)


@pytest.mark.parametrize(("name", "member"), [("a.keras", "model.weights.h5"), ("b.pt", "x/data.pkl"), ("c", "w.npy")])
def test_an_archive_that_would_grow_beyond_bounds_is_refused_before_it_does(tmp_path, name, member):
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        if name == "a.keras":
            archive.writestr("config.json", "{}")
            archive.writestr("metadata.json", "{}")
        archive.writestr(member, bytes(2**20))
        archive.infolist()[-1].file_size = 5 * 2**30  # what the directory says
    refused(tmp_path / name, "5,120 MiB")


def test_numbers_that_are_not_finite_never_agree(written, tmp_path):
    shutil.copy(written / "image.weights.h5", tmp_path / "b.weights.h5")
    in_keras("f = h5py.File('b.weights.h5', 'a'); f['layers/dense_1/vars/1'][0] = np.nan", tmp_path)
    found = log_pair.compare(tmp_path / "b.weights.h5", tmp_path / "b.weights.h5").tensors
    assert [name for name, tensor in found.shared.items() if not tensor.agrees] == ["dense_1/bias"]


def test_a_framework_that_is_not_there_is_told_with_the_cure(written, tmp_path):
    with pytest.raises(InputError, match=r"no torch; run 'make setup', or name the Python that has it with --pytorch-"):
        read_source(written / "image.pt", {"PyTorch": TENSORFLOW})
    with pytest.raises(InputError, match=r"has no tensorflow; run 'make setup'"):
        read_source(written / "image.keras", {"TensorFlow": PYTORCH})


def test_a_process_that_is_killed_or_never_ends_is_one_line(written, tmp_path, monkeypatch):
    reader = weights_files._Reader(PYTORCH, "shared.logs.onnx_file")
    killed = subprocess.CompletedProcess([], -9, b"", b"some words\n")
    told = weights_files._refusal(tmp_path / "a.pt", killed, reader, "PyTorch")
    assert told.endswith("was killed by signal 9; its last words: some words; was memory short?")
    monkeypatch.setattr(weights_files, "SECONDS", 0.05)
    refused(written / "image.pt", "PyTorch has not read it in 0.05 s; give a smaller file")


@pytest.mark.parametrize("name", ["exported.onnx", "outside.onnx"])
def test_the_initialisers_that_pytorch_exports_meet_the_layers_of_keras(name, tmp_path):
    weights = read_source(ONNX / name).weights
    shapes = {"0.weight": (2, 1, 2, 2), "0.bias": (2,), "2.weight": (3, 8), "2.bias": (3,)}
    made = {key: np.arange(np.prod(s)).reshape(s) / 16 - n for n, (key, s) in enumerate(shapes.items())}
    assert {key: values.tolist() for key, values in weights.items()} == {key: v.tolist() for key, v in made.items()}
    kernels = made["0.weight"].transpose(2, 3, 1, 0), made["2.weight"].reshape(3, 2, 4).transpose(2, 1, 0)
    keras = {
        "conv2d/kernel": kernels[0],
        "conv2d/bias": made["0.bias"],
        "dense/kernel": kernels[1].reshape(8, 3),
        "dense/bias": made["2.bias"],
    }
    np.savez(tmp_path / "keras.npz", **{key: values.astype("f4") for key, values in keras.items()})
    found = log_pair.compare(ONNX / name, tmp_path / "keras.npz")
    assert (found.agree, len(found.tensors.shared)) == (True, 4)


def test_an_onnx_tensor_is_read_in_every_type_that_the_package_writes_and_in_both_forms():
    source = read_source(ONNX / "types.onnx")
    dtypes = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool"}
    dtypes |= {10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "float32"}
    for code, dtype in dtypes.items():
        for form in ("listed", "raw"):
            values = source.weights[f"{form} {code}"]
            assert (values.dtype, values.tolist()) == (dtype, (np.arange(6).reshape(2, 3) / 4).astype(dtype).tolist())
    assert len(source.weights) == 26
    assert source.weights_notes[1] == "Left out, for whole numbers are shapes and axes there: axes."


def test_an_onnx_model_that_is_damaged_or_points_elsewhere_is_refused_with_the_cure(tmp_path):
    whole = (ONNX / "outside.onnx").read_bytes()
    model = tmp_path / "m.onnx"
    (tmp_path / "outside.bin").write_bytes((ONNX / "outside.bin").read_bytes()[:-1])
    for content, message in {
        b"": "is no ONNX model; ",
        whole[:-9]: "is no whole ONNX model; ",
        whole: "2.bias lies beyond the end of 'outside.bin', which has 147 bytes; ",
        whole.replace(b"outside.bin", b"../side.bin"): "0.weight lie in '../side.bin', which is not read; ",
        whole.replace(b"outside.bin", b"missing.bin"): "0.weight lie in 'missing.bin', which is not read; ",
        whole.replace(b"length\x12\x0232", b"length\x12\x0231"): "0.weight has 7 numbers for the shape (2, 1, 2, 2); ",
        whole.replace(b"length\x12\x0232", b"length\x12\x02-1"): "0.weight lies beyond the end",
        whole.replace(b"\x10\x01", b"\x10\x08"): "0.weight has ONNX's data type 8, which is not read; ",
    }.items():
        model.write_bytes(content)
        refused(model, message)


def test_the_program_says_what_met_what(written, tmp_path):
    run = run_program("compare.py", "--records", written / "image.pt", written / "image.keras", "--out", tmp_path / "o")
    assert (run.returncode, run.stderr) == (0, "")
    assert "THE WEIGHTS AGREE: all 16 tensors, number for number." in run.stdout
    text = (tmp_path / "o/report.md").read_text(encoding="utf-8")
    row = "| `2.weight` | `depthwise_conv2d/kernel` | (4, 1, 3, 3) against (3, 3, 4, 1) | the weight's output and input"
    assert row in text
    results = json.loads((tmp_path / "o/results.json").read_text(encoding="utf-8"))
    assert results["weights"]["tensors"]["6.weight ~ dense_1/kernel"]["met_by"] == "order and shape"
