"""Which files are read, and what is said of the others."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.configuration import Configuration
from shared.logs.sources import read_source
from shared.reference.__main__ import load
from shared.running import runner
from shared.system.errors import InputError

CONFIGURATION = Configuration.of(epochs=1, batch_size=10_000, hidden_sizes=(6, 5))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "record"
    assert runner.main("Reference", load, [*CONFIGURATION.options(), "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("name", ["w.safetensors", "W.NPZ"])
def test_weights_of_any_names_come_back_as_the_same_bits(tmp_path, name):
    weights = {"a/kernel": np.random.default_rng(0).random((3, 2)), "n": np.array(7), "empty": np.ones((0, 2), "f4")}
    if name.endswith("NPZ"):
        with (tmp_path / name).open("wb") as file:
            np.savez(file, **weights)
    else:
        save_file(weights, tmp_path / name)
    found = read_source(tmp_path / name).weights
    assert found.keys() == weights.keys()
    for key, values in weights.items():
        assert (found[key].dtype, found[key].tolist()) == (values.dtype, values.tolist())


def test_a_run_record_gives_its_losses_and_its_weights(record):
    source = read_source(record)
    assert source.log.losses.tolist() == source.run.step_losses.tolist()
    assert source.log.steps.tolist() == list(range(CONFIGURATION.training.steps))
    assert (source.log.resolution == np.spacing(source.run.step_losses) / 2).all()
    assert source.weights == source.run.weights


def safetensors_of(dtype, count=2):
    """A whole file with one tensor of four bytes: 1 and -2 where they are bfloat16."""
    header = json.dumps({"w": {"dtype": dtype, "shape": [count], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes([0x80, 0x3F, 0x00, 0xC0])


def test_bfloat16_is_read_as_the_float32_that_it_is(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(safetensors_of("BF16"))
    source = read_source(tmp_path / "w.safetensors")
    assert (source.weights["w"].dtype, source.weights["w"].tolist()) == (np.float32, [1.0, -2.0])
    assert source.weights_notes == ("1 tensors of it, such as w, are bfloat16, read as float32.",)


BAD = {
    "missing.safetensors": (None, "No such file or directory"),
    "missing": (None, "No such file or directory; give a loss log, weights (.safetensors, .npz, .pt,"),
    "a.pt": (b"", "is none of what can be read; save it with torch.save(model.state_dict(), "),
    "a.pth": (b"", "save it with torch.save("),
    "a.keras": (b"", "save it with model.save_weights("),
    "a.h5": (b"", "save it with model.save_weights("),
    "a.npy": (b"", "is empty; give a log with at least one loss"),
    "a.txt": (b"", "is empty; give a log with at least one loss"),
    "binary": (b"\x00\x01\x02" * 9, "is neither text nor a binary file that is known; a loss log is CSV with a header"),
    "events.out.tfevents.1.host": (b"", "is empty; give a log with at least one loss"),
    "model.safetensors.index.json": (b"{}", "lists the shards of a model, which are not put together here; give one"),
    "empty.npz": (b"", "is no whole .npz file of numbers: File is not a zip file; write it again, whole"),
    "empty.safetensors": (b"", "is no whole .safetensors file of numbers: "),
    "text.npz": (b"abc" * 50, "is no whole .npz file of numbers: "),
    "cut.npz": (b"PK\x03\x04abc", "is no whole .npz file of numbers: File is not a zip file; write it again, whole"),
    "f8.safetensors": (safetensors_of("F8_E4M3", 4), "; write it again, whole, in float16, float32"),
}


@pytest.mark.parametrize(("name", "content", "message"), [(k, *v) for k, v in BAD.items()], ids=BAD)
def test_what_cannot_be_read_is_named_with_the_cure(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def refused(path, message):
    with pytest.raises(InputError) as error:
        read_source(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "holds no tensor; give weights"),
        ({"w": np.array(["a"])}, "w is <U1, not of real numbers; leave it out"),
        ({"w": np.ones(2, complex)}, "w is complex128, not of real numbers; leave it out"),
        # An object may be anything, and reading it may run anything.
        ({"w": np.array([None])}, "cannot create an OBJECT array from memory buffer; write it again, whole"),
    ],
)
def test_arrays_that_are_not_weights_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "w.npz", **arrays)
    refused(tmp_path / "w.npz", message)


def test_an_archive_with_a_damaged_array_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.ones(1000))
    content = bytearray((tmp_path / "w.npz").read_bytes())
    content[4000] ^= 1
    (tmp_path / "w.npz").write_bytes(content)
    refused(tmp_path / "w.npz", "Bad CRC-32")


def test_a_folder_that_is_no_record_is_refused_and_the_records_within_are_named(tmp_path):
    refused(
        tmp_path, "is a folder without run.json, so no run record, and no log of TensorBoard's or MLflow's is in it"
    )
    (tmp_path / "runs/pytorch-float32").mkdir(parents=True)
    (tmp_path / "runs/pytorch-float32/run.json").write_text("{}", encoding="utf-8")
    refused(tmp_path, f"give one of its records, for example {tmp_path}/runs/pytorch-float32")
    refused(tmp_path / "runs/pytorch-float32", "run again")
