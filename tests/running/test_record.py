import hashlib
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared.configuration import Configuration
from shared.contract import DeviceFacts
from shared.network import initial_weights, weight_shapes
from shared.running.record import (
    ARRAYS_FILE,
    CHECKPOINT_BYTES,
    RUN_JSON,
    SCHEMA,
    WEIGHTS_FILE,
    Epoch,
    RecordError,
    Run,
    RunRecord,
    checkpoints,
    read_run,
    weighed_steps,
    write_arrays,
    write_record,
)
from shared.training import Training

CONFIGURATION = Configuration.of(batch_size=60_000, hidden_sizes=(3, 2), epochs=2)
WEIGHTS = initial_weights(CONFIGURATION.training)
ARRAYS = {
    "step_losses": np.array([2.5, 2.25], np.float32),
    "test_logits": np.arange(200_000, dtype=np.float32).reshape(2, 10_000, 10),
    **{f"at/0/weights/{name}": values for name, values in WEIGHTS.items()},
    **{f"at/0/gradient/{name}": values / 2 for name, values in WEIGHTS.items()},
    "at/0/input": np.zeros((1024, 784), np.float32),
    "at/0/fc1": np.zeros((1024, 3), np.float32),
    "at/0/fc2": np.zeros((1024, 2), np.float32),
    "at/0/logits": np.zeros((1024, 10), np.float32),
    "at/0/loss": np.array(2.5, np.float32),
    "at/1/weights/fc1.bias": WEIGHTS["fc1.bias"] + 1,
    "at/10/weights/fc1.bias": WEIGHTS["fc1.bias"] + 10,
}
ADAM = CONFIGURATION.but(optimizer="adam").training
CHECKPOINTS = ARRAYS | {
    f"at/{step}/{kind}/{name}": values
    for step in (0, 1)
    for kind in ("weights", "kept/mean", "kept/square")
    for name, values in WEIGHTS.items()
}
EPOCH = Epoch(train_loss=2.5, train_loss_per_example=2.5, test_loss=2.25, test_accuracy=0.125)


def write(folder, *, weights=WEIGHTS, arrays=ARRAYS, **fields):
    """Write a record, valid but for what is given."""
    given = {
        "schema_version": SCHEMA,
        "framework": "NumPy",
        "training": CONFIGURATION.training,
        "execution": CONFIGURATION.execution,
        "device": DeviceFacts(type="cpu", name="a processor", cuda_available=False),
        "versions": {"numpy": "2"},
        "settings": {},
        "environment": {"MKL_CBWR": "COMPATIBLE"},
        "data_checksum": {"train": "a", "test": "b"},
        "order_checksums": ["c", "d"],
        "checkpoint_steps": None,
        "epochs": [EPOCH, EPOCH],
        "timing": {"training": 0.1},
        "files": write_arrays(folder, weights, arrays),
    }
    record = RunRecord(**(given | fields))
    write_record(folder, record)
    return record


def edit_json(folder, **changes):
    """Give `run.json` other top-level values; None removes one."""
    path = folder / RUN_JSON
    values = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {name: value for name, value in values.items() if name not in changes or value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def refusal(folder):
    """The one-line message of the error that reading `folder` raises."""
    with pytest.raises(RecordError) as error:
        read_run(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    assert str(error.value).endswith("; run again")
    return str(error.value)


def test_record_survives_the_files(tmp_path: Path):
    record = write(tmp_path)
    run = read_run(tmp_path)
    assert run.record == record
    for found, given in ((run.weights, WEIGHTS), (run.arrays, ARRAYS)):
        assert {name: (a.shape, a.dtype) for name, a in found.items()} == {
            name: (a.shape, a.dtype) for name, a in given.items()
        }
        assert all(np.array_equal(found[name], given[name]) for name in given)


def test_float64_record_survives_the_files(tmp_path: Path):
    configuration = CONFIGURATION.but(dtype="float64")
    weights, arrays = ({name: a.astype(np.float64) for name, a in group.items()} for group in (WEIGHTS, ARRAYS))
    write(tmp_path, weights=weights, arrays=arrays, training=configuration.training)
    assert read_run(tmp_path).step_losses.dtype == np.float64


def test_arrays_that_are_not_contiguous_survive_the_files(tmp_path: Path):
    logits = np.asfortranarray(ARRAYS["test_logits"])
    write(tmp_path, arrays=ARRAYS | {"test_logits": logits})
    assert np.array_equal(read_run(tmp_path).arrays["test_logits"], logits)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_losses_that_are_not_finite_survive_the_files(tmp_path: Path, value):
    losses = np.array([1, value], np.float32)
    write(
        tmp_path,
        arrays=ARRAYS | {"step_losses": losses},
        epochs=[EPOCH, EPOCH.model_copy(update={"train_loss": value, "test_loss": value})],
    )
    run = read_run(tmp_path)
    assert np.array_equal(run.step_losses, losses, equal_nan=True)
    assert str(run.record.epochs[1].train_loss) == str(run.record.epochs[1].test_loss) == str(value)

    def not_json(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((tmp_path / RUN_JSON).read_text(encoding="utf-8"), parse_constant=not_json)


def test_snapshots_and_their_arrays_are_found_by_step():
    run = Run(None, WEIGHTS, ARRAYS)
    # Step 1 is not step 10.
    assert list(run.at(1)) == ["weights/fc1.bias"]
    assert np.array_equal(run.at(10, "weights")["fc1.bias"], WEIGHTS["fc1.bias"] + 10)
    assert list(run.at(0, "gradient")) == list(weight_shapes(CONFIGURATION.training))
    assert run.at(2) == run.at(1, "gradient") == {}
    assert run.step_losses is ARRAYS["step_losses"]
    np.testing.assert_array_equal(run.test_logits, ARRAYS["test_logits"][1])  # after the last epoch


@pytest.mark.parametrize("name", [RUN_JSON, WEIGHTS_FILE, ARRAYS_FILE])
def test_folder_without_one_of_its_files_is_no_record(tmp_path: Path, name):
    write(tmp_path)
    (tmp_path / name).unlink()
    assert name in refusal(tmp_path)


def test_no_folder_is_no_record(tmp_path: Path):
    assert "No such file" in refusal(tmp_path / "missing")


@pytest.mark.parametrize("name", [WEIGHTS_FILE, ARRAYS_FILE])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda _: b"",
    ],
    ids=["altered", "truncated", "lengthened", "emptied"],
)
def test_array_file_that_the_run_did_not_write_is_refused(tmp_path: Path, name, damage):
    write(tmp_path)
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    assert f"{name} is not the file that the run wrote" in refusal(tmp_path)


def test_array_file_of_another_run_is_refused(tmp_path: Path):
    record = write(tmp_path)
    write(tmp_path, arrays=ARRAYS | {"step_losses": ARRAYS["step_losses"] + 1})
    write_record(tmp_path, record)
    assert f"{ARRAYS_FILE} is not the file that the run wrote" in refusal(tmp_path)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, ARRAYS_FILE])
def test_array_file_without_a_digest_is_refused(tmp_path: Path, name):
    # With no digest to hold it against, any array file would do.
    record = write(tmp_path)
    edit_json(tmp_path, files={other: digest for other, digest in record.files.items() if other != name})
    assert RUN_JSON in refusal(tmp_path)


def test_truncated_array_file_is_refused_even_with_its_own_digest(tmp_path: Path):
    record = write(tmp_path)
    path = tmp_path / ARRAYS_FILE
    path.write_bytes(path.read_bytes()[:-1])
    edit_json(tmp_path, files=record.files | {ARRAYS_FILE: hashlib.sha256(path.read_bytes()).hexdigest()})
    assert "is not a whole record" in refusal(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda text: text[: len(text) // 2], lambda text: text[:-3], lambda _: "", lambda _: "[]"],
    ids=["half", "last brace lost", "empty", "a list"],
)
def test_run_json_that_is_not_whole_is_refused(tmp_path: Path, damage):
    write(tmp_path)
    path = tmp_path / RUN_JSON
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert f"{path}: the whole file: " in refusal(tmp_path)


def test_run_json_that_is_not_text_is_refused(tmp_path: Path):
    write(tmp_path)
    (tmp_path / RUN_JSON).write_bytes(b"\xff\xfe{}")
    assert "is not a whole record" in refusal(tmp_path)


DEVICE = {"type": "cpu", "name": "a processor", "cuda_available": False}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"schema_version": 5}, "schema_version: it is of schema 5, and this program reads 4"),
        # As an earlier version wrote it, without what that one did not record.
        ({"schema_version": 1, "environment": None}, "schema_version: it is of schema 1, and this program reads 4"),
        ({"schema_version": 3}, "schema_version: it is of schema 3, and this program reads 4"),
        ({"environment": None}, "environment: "),
        ({"checkpoint_steps": "many"}, "checkpoint_steps: "),
        ({"schema_version": None}, "schema_version: "),
        ({"surprise": 1}, "surprise: "),
        ({"framework": None}, "framework: "),
        ({"files": None}, "files: "),
        ({"device": DEVICE | {"type": "tpu"}}, "device.type: "),
        ({"device": DEVICE | {"surprise": 1}}, "device.surprise: "),
        ({"training": {"epochs": 0}}, "training.epochs: "),
        ({"training": {"momentum": 0.9}}, "training.momentum: "),
        ({"epochs": [{"train_loss": 1.0}] * 2}, "epochs.0.train_loss_per_example: "),
        ({"epochs": [EPOCH.model_dump() | {"test_loss": "much"}] * 2}, "epochs.0.test_loss: "),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_run_json_of_another_schema_is_refused_by_key(tmp_path: Path, changes, where):
    write(tmp_path)
    edit_json(tmp_path, **changes)
    assert f"{tmp_path / RUN_JSON}: {where}" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": [EPOCH]}, "not 2 epochs"),
        ({"epochs": [EPOCH] * 3}, "not 2 epochs"),
        ({"order_checksums": ["c"]}, "not 2 epochs"),
        ({"training": CONFIGURATION.but(epochs=3).training}, "step_losses is missing or not of shape (3,)"),
        ({"training": CONFIGURATION.but(batch_size=30_000).training}, "step_losses is missing or not of shape (4,)"),
        ({"training": CONFIGURATION.but(hidden_sizes=(2, 3)).training}, "does not hold the weights of its training"),
        ({"training": CONFIGURATION.but(dtype="float64").training}, "fc1.bias is float32 in a float64 run"),
    ],
)
def test_record_at_odds_with_its_spec_is_refused(tmp_path: Path, fields, message):
    write(tmp_path, **fields)
    assert message in refusal(tmp_path)


@pytest.mark.parametrize("name", ["step_losses", "test_logits", "at/0/weights/fc1.weight", "at/0/gradient/fc3.bias"])
@pytest.mark.parametrize("damage", ["missing", "misshapen", "other dtype"])
def test_record_without_a_right_array_is_refused_by_its_name(tmp_path: Path, name, damage):
    arrays = dict(ARRAYS)
    if damage == "missing":
        del arrays[name]
    elif damage == "misshapen":
        arrays[name] = arrays[name][1:]
    else:
        arrays[name] = arrays[name].astype(np.float64)
    write(tmp_path, arrays=arrays)
    message = "is float64 in a float32 run" if damage == "other dtype" else "is missing or not of shape"
    assert f"{name} {message}" in refusal(tmp_path)


def test_checkpoints_survive_the_files(tmp_path: Path):
    record = write(tmp_path, arrays=CHECKPOINTS, training=ADAM, checkpoint_steps=64)
    run = read_run(tmp_path)
    assert run.record == record
    for step in (0, 1):
        kept = [f"{buffer}/{name}" for buffer in ("mean", "square") for name in WEIGHTS]
        assert sorted(run.at(step, "kept")) == sorted(kept)
        assert all(np.array_equal(run.at(step, "kept")[f"mean/{name}"], values) for name, values in WEIGHTS.items())


@pytest.mark.parametrize(
    "name", ["at/1/weights/fc2.bias", "at/0/kept/mean/fc1.weight", "at/1/kept/square/fc3.bias", "test_logits"]
)
@pytest.mark.parametrize("damage", ["missing", "misshapen", "other dtype"])
def test_record_without_a_right_checkpoint_is_refused_by_its_name(tmp_path: Path, name, damage):
    damaged = {"missing": {}, "misshapen": {name: CHECKPOINTS[name][1:]}}
    damaged["other dtype"] = {name: CHECKPOINTS[name].astype(np.float64)}
    arrays = {other: values for other, values in CHECKPOINTS.items() if other != name} | damaged[damage]
    write(tmp_path, arrays=arrays, training=ADAM, checkpoint_steps=64)
    message = "is float64 in a float32 run" if damage == "other dtype" else "is missing or not of shape"
    assert f"{name} {message}" in refusal(tmp_path)


def test_a_record_without_checkpoints_needs_none(tmp_path: Path):
    write(tmp_path, training=ADAM)
    assert read_run(tmp_path).record.checkpoint_steps is None


def test_checkpoints_by_hand():
    # 60,000 / 300 = 200 steps an epoch.
    training = Training(epochs=2, batch_size=300)
    assert checkpoints(training, None) == []
    assert weighed_steps(training) == {0, 1, 8, 200}
    assert checkpoints(training, 64) == [0, 1, 8, 64, 128, 192, 200, 264, 328, 392]
    assert checkpoints(training, 1_000) == [0, 1, 8, 200]
    assert checkpoints(Training(epochs=2, batch_size=60_000), 64) == [0, 1]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_checkpoints_of_a_large_network_are_further_apart(optimizer):
    training = Training(optimizer=optimizer, hidden_sizes=(256, 256))
    steps = checkpoints(training, 8)
    numbers = {"sgd": 1, "adam": 3}[optimizer] * (784 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10)
    # Beside those that are always there: of 1 and 8 steps, and one more in each epoch, which begins with one.
    assert 0.9 * CHECKPOINT_BYTES < (len(steps) - 2) * numbers * 4 < CHECKPOINT_BYTES + training.epochs * numbers * 4
    assert {0, 1, 8, *range(0, training.steps, training.steps_per_epoch)} <= set(steps)
    assert len({b - a for a, b in pairwise(steps[3:20])}) == 1


def test_snapshot_of_another_dtype_is_refused_by_its_name(tmp_path: Path):
    write(tmp_path, arrays=ARRAYS | {"at/1/weights/fc1.bias": np.zeros(3)})
    assert "at/1/weights/fc1.bias is float64 in a float32 run" in refusal(tmp_path)


@pytest.mark.parametrize(
    "weights",
    [
        {name: values for name, values in WEIGHTS.items() if name != "fc2.bias"},
        WEIGHTS | {"fc4.bias": WEIGHTS["fc3.bias"]},
        WEIGHTS | {"fc2.weight": WEIGHTS["fc2.weight"].T},
    ],
    ids=["missing", "extra", "transposed"],
)
def test_weights_of_another_model_are_refused(tmp_path: Path, weights):
    write(tmp_path, weights=weights)
    assert f"{WEIGHTS_FILE} does not hold the weights of its training" in refusal(tmp_path)


def test_weights_of_another_dtype_are_refused_by_name(tmp_path: Path):
    write(tmp_path, weights=WEIGHTS | {"fc2.bias": np.zeros(2)})
    assert "fc2.bias is float64 in a float32 run" in refusal(tmp_path)
