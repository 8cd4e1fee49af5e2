"""Logs as other programs write them: recognised by their content, and read with no renaming."""

import csv
import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from shared.logs import loss_logs
from shared.logs.formats import json_text
from shared.logs.sources import read_source
from shared.system import files
from shared.system.errors import InputError
from tests.conftest import ROOT, run_program

WRITTEN = ROOT / "tests" / "logs" / "written"
FLOAT32 = "float32 numbers"


def cells(name, column):
    """A column of a CSV in `written`, without its blank cells."""
    with (WRITTEN / name).open(encoding="utf-8", newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


def entries(name):
    return json.loads((WRITTEN / name).read_text(encoding="utf-8"))


def hyperbola(count, of=2):
    return [of / (1 + step) for step in range(count)]


# What the real writers wrote (benchmarks/log_writers.py): the form, what the steps count, what a loss is of, the steps,
# the losses, and the names of what is beside them.
BESIDE = {"accuracy", "val_accuracy", "val_loss"}
OF_HUGGING_FACE = [entry for entry in entries("trainer_state.json")["log_history"] if "loss" in entry]
READ = {
    "keras_csv_logger.csv": (
        "a CSV as Keras's CSVLogger writes it",
        ("epoch", "epoch"),
        [0, 1, 2],
        cells("keras_csv_logger.csv", "loss"),
        BESIDE,
    ),
    "keras_history.json": (
        "JSON as Keras's history.history is",
        (None, None),
        [0, 1, 2],
        entries("keras_history.json")["loss"],
        BESIDE,
    ),
    "keras_progress.txt": ("Keras's progress lines", ("epoch", "epoch"), [1, 2, 3], [0.9039, 0.7505, 0.7291], BESIDE),
    "keras_epochs.txt": ("Keras's progress lines", ("epoch", "epoch"), [1, 2, 3], [0.7244, 0.7230, 0.7225], BESIDE),
    "keras_tensorboard": (
        "TensorBoard's event files",
        ("epoch", "epoch"),
        [0, 1, 2],
        cells("keras_csv_logger.csv", "loss"),
        BESIDE | {"learning_rate"},
    ),
    "lightning_metrics.csv": (
        "a Lightning metrics.csv",
        ("step", "batch"),
        list(range(1, 24, 2)),
        cells("lightning_metrics.csv", "train_loss_step"),
        {"train_loss_epoch", "val_loss"},
    ),
    "lightning_tensorboard": (
        "TensorBoard's event files",
        (None, "batch"),
        list(range(1, 24, 2)),
        cells("lightning_metrics.csv", "train_loss_step"),
        {"train_loss_epoch", "val_loss"},
    ),
    "trainer_state.json": (
        "a Hugging Face trainer_state.json",
        ("step", None),
        [entry["step"] for entry in OF_HUGGING_FACE],
        [entry["loss"] for entry in OF_HUGGING_FACE],
        {"grad_norm", "learning_rate", "val_loss"},
    ),
    "transformers_printed.txt": (
        "a text log",
        (None, None),
        list(range(12)),
        [float(f"{entry['loss']:.4g}") for entry in OF_HUGGING_FACE],
        {"grad_norm", "learning_rate"},
    ),
    "torch_tensorboard": ("TensorBoard's event files", (None, None), list(range(8)), hyperbola(8), {"val_loss"}),
    "mlflow_run": (
        "a metric file of MLflow, and those beside it",
        (None, None),
        list(range(8)),
        hyperbola(8),
        {"val_loss"},
    ),
    "mlflow_run/metrics/loss": ("a metric file of MLflow", (None, None), list(range(8)), hyperbola(8), set()),
    "pandas_index.csv": (
        "CSV, with an index as pandas writes it",
        ("step", None),
        list(range(0, 80, 10)),
        cells("pandas_index.csv", "train/loss"),
        {"learning_rate"},
    ),
    "pandas_lines.jsonl": (
        "JSON lines",
        ("step", None),
        list(range(0, 80, 10)),
        cells("pandas_index.csv", "train/loss"),
        {"learning_rate"},
    ),
    "tqdm.txt": (
        "tqdm's progress lines",
        ("step", None),
        list(range(24)),
        [2 / (epoch + step) for epoch in (1, 2, 3) for step in range(8)],
        set(),
    ),
    "losses.npy": ("a NumPy array", (None, None), list(range(8)), hyperbola(8), set()),
}


@pytest.mark.parametrize("name", READ)
def test_what_a_program_wrote_is_read_as_it_is(name):
    form, (counts, taken), steps, losses, beside = READ[name]
    log = read_source(WRITTEN / name).log
    assert (log.form, log.counts, log.taken) == (form, counts, taken)
    assert log.steps.tolist() == steps
    assert (np.abs(log.losses - losses) <= log.resolution + 1e-7 * np.abs(losses)).all()
    assert {*log.series} == beside


def test_everything_that_was_written_is_read_in_a_test():
    tops = {path.relative_to(WRITTEN).parts[0] for path in WRITTEN.rglob("*") if path.is_file()}
    assert tops == {Path(name).parts[0] for name in READ}


@pytest.mark.parametrize("name", ["keras_csv_logger.csv", "trainer_state.json", "tqdm.txt", "losses.npy"])
def test_the_name_of_a_file_does_not_matter(tmp_path, name):
    shutil.copy(WRITTEN / name, tmp_path / "x")
    assert read_source(tmp_path / "x").log.form == read_source(WRITTEN / name).log.form


def test_columns_beside_the_loss_have_their_own_steps():
    series = read_source(WRITTEN / "lightning_metrics.csv").log.series
    assert series["val_loss"].steps.tolist() == [7, 15, 23]
    assert series["val_loss"].values.tolist() == cells("lightning_metrics.csv", "val_loss")
    assert series["val_loss"].name == "val_loss"


# Documented only: their columns, by hand.

CHART = "Step", "a - train/loss", "b-2 - train/loss"
WANDB = (
    ",".join(f'"{name}{end}"' for name in CHART for end in ("", "__MIN", "__MAX") if name != "Step" or not end)
    + '\n"0","2.5","2.5","2.5","","",""\n"1","","","","2.25","2.25","2.25"\n'
    + '"50","1.5","1.5","1.5","1.25","1.25","1.25"\n'
)
PARTS = [f"{stage}/{part}_loss" for stage in ("train", "val") for part in ("box", "cls", "dfl")]
# Versions until 8.2 put blanks before each name and each number.
ULTRALYTICS = "".join(
    ",".join(f"{cell:>23}" for cell in row) + "\n"
    for row in (
        ["epoch", *PARTS, "metrics/mAP50(B)", "lr/pg0"],
        [0, "1.10", "2.20", "1.30", "1.00", "2.00", "1.50", "0.50", "0.00100"],
        [1, "1.00", "2.10", "1.25", "0.90", "1.90", "1.40", "0.60", "0.00200"],
    )
)
MLFLOW = (
    "run_id,key,value,timestamp,step\nabc,loss,2.0,1700000000000,0\nabc,val_loss,1.5,1700000000001,0\n"
    "abc,loss,1.0,1700000000001,1\ndef,loss,1.75,1700000000001,0\n"
)


def written(folder, content, name="log"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, column=None):
    return read_source(path if column is None else Path(f"{path}:{column}")).log


def refused(path, message):
    with pytest.raises(InputError) as error:
        read_source(path)
    assert message in str(error.value), str(error.value)
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "steps", "losses"),
    [("a", [0, 50], [2.5, 1.5]), ("b-2", [1, 50], [2.25, 1.25]), ("b-2 - train/loss", [1, 50], [2.25, 1.25])],
)
def test_one_run_of_a_chart_of_weights_and_biases_is_chosen(tmp_path, asked, steps, losses):
    log = read(written(tmp_path, WANDB), asked)
    assert log.form == "a CSV download of Weights & Biases"
    assert (log.steps.tolist(), log.losses.tolist()) == (steps, losses)
    assert log.series == {}


def test_a_chart_of_two_runs_is_refused_with_both_names(tmp_path):
    path = written(tmp_path, WANDB)
    refused(path, f"has the runs 'a' and 'b-2'; choose one, as in {path}:a")


def test_a_chart_of_one_run_needs_no_choice(tmp_path):
    rows = [line.split(",") for line in WANDB.splitlines()]
    log = read(written(tmp_path, "\n".join(",".join(row[:4]) for row in rows)))
    assert log.losses.tolist() == [2.5, 1.5]


def test_the_parts_of_ultralytics_losses_are_added_and_that_is_said(tmp_path):
    log = read(written(tmp_path, ULTRALYTICS))
    assert (log.form, log.counts, log.taken) == ("an Ultralytics results.csv", "epoch", "epoch")
    assert log.losses == pytest.approx([4.6, 4.35])
    assert log.resolution == pytest.approx([3 * 5e-3] * 2, rel=1e-3)  # each part has two decimals
    assert log.series["val_loss"].values == pytest.approx([4.5, 4.2])
    assert log.series["learning_rate"].values.tolist() == [0.001, 0.002]
    assert "The loss is the sum of its parts, train/box_loss + train/cls_loss + train/dfl_loss." in log.notes


def test_a_download_of_mlflow_has_a_run_and_a_measure_in_each_row(tmp_path):
    path = written(tmp_path, MLFLOW)
    refused(path, f"has the runs 'abc' and 'def'; choose one, as in {path}:abc")
    log = read(path, "abc")
    assert (log.form, log.steps.tolist(), log.losses.tolist()) == ("a CSV of MLflow's metrics", [0, 1], [2, 1])
    assert log.series["val_loss"].values.tolist() == [1.5]


def test_a_download_of_tensorboard_says_that_the_event_file_is_better(tmp_path):
    for content in ("Wall time,Step,Value\n1.7e9,0,0.5\n1.7e9,10,0.25\n", "[[1.7e9, 0, 0.5], [1.7e9, 10, 0.25]]"):
        log = read(written(tmp_path, content))
        assert any("1,000 points at most" in note and "prefer the event file" in note for note in log.notes)


# Which column is the loss.


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("loss", "loss"),
        ("Training Loss", "Training Loss"),
        ("train/loss", "train/loss"),
        ("train_loss_step,train_loss_epoch", "train_loss_step"),
        ("train_loss,train_loss_epoch", "train_loss"),
        ("loss,val_loss", "loss"),
        ("ce_loss,val_loss", "ce_loss"),
    ],
)
def test_the_loss_is_chosen_by_rules_and_what_was_chosen_among_others_is_said(tmp_path, header, chosen):
    width = header.count(",") + 1
    rows = "".join(f"{step}{f',{width - step}' * 1}{',9' * (width - 1)}\n" for step in range(2))
    log = read(written(tmp_path, f"step,{header}\n{rows}"))
    assert log.losses.tolist() == [width, width - 1]
    among_others = chosen != header and "val_loss" not in header
    assert any(repr(chosen) in note for note in log.notes) == (among_others or chosen == "ce_loss")


def test_any_column_is_the_loss_where_it_is_asked_for(tmp_path):
    path = written(tmp_path, "step,loss,My Cost\n0,1,5\n1,2,4\n")
    for name in ("My Cost", "my cost", "my_cost"):
        assert read(path, name).losses.tolist() == [5, 4]
    assert read(path).losses.tolist() == [1, 2]
    refused(Path(f"{path}:other"), "has no column 'other', but 'step', 'loss', 'My Cost'; give one of these")
    assert read(path, "my cost").series["loss"].values.tolist() == [1, 2]


def test_two_columns_that_could_be_the_loss_are_refused_with_the_way_to_choose(tmp_path):
    path = written(tmp_path, "step,loss,train_loss\n0,1,2\n")
    refused(path, f"could both be the loss; keep one, or rename the other, or choose one, as in {path}:loss")


def test_a_file_with_a_colon_in_its_name_is_that_file(tmp_path):
    written(tmp_path, "step,loss,other\n0,1,5\n", "a.csv")
    assert read(written(tmp_path, "step,loss\n0,7\n", "a.csv:other")).losses.tolist() == [7]


def test_a_column_of_weights_or_of_a_record_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.ones(2))
    refused(tmp_path / "w.npz:w", "w.npz is no log, and has no columns; give ")


def test_rows_of_a_validation_may_lack_the_loss_and_no_others(tmp_path):
    log = read(written(tmp_path, "step,loss,val_loss\n0,0.5,\n10,0.25,\n10,,0.3\n20,0.2,\n"))
    assert (log.steps.tolist(), log.series["val_loss"].steps.tolist()) == ([0, 10, 20], [10])
    refused(written(tmp_path, "step,loss,val_loss\n0,0.5,\n10,,\n"), "line 3 has no loss; write a number such as")


def test_steps_that_start_again_in_each_epoch_are_counted_on(tmp_path):
    rows = "".join(f"{epoch},{step},{epoch + step}\n" for epoch in (0, 1) for step in range(3))
    log = read(written(tmp_path, "epoch,step,loss\n" + rows))
    assert log.steps.tolist() == list(range(6))
    assert (
        "Its steps start again in each epoch: they are counted on, 3 to an epoch, the most that it shows." in log.notes
    )
    refused(
        written(tmp_path, "epoch,step,loss\n0,0,1\n0,1,1\n0,0,1\n"), "line 4: step 0 comes after step 1; keep the log"
    )


def test_the_steps_that_a_log_has_not_are_said(tmp_path):
    every = read(written(tmp_path, "step,loss\n49,1\n99,1\n149,1\n"))
    assert "It has one step in 50, from step 49 on." in every.notes
    some = read(written(tmp_path, "step,loss\n0,1\n1,1\n149,1\n"))
    assert "It has 3 of the 150 steps from 0 to 149." in some.notes
    assert read(written(tmp_path, "step,loss\n0,1\n1,1\n2,1\n")).notes == ()


def test_a_column_with_words_in_it_is_named_and_no_more(tmp_path):
    log = read(written(tmp_path, "step,loss,note,accuracy\n0,1,x,0.5\n1,1,2,oops\n"))
    assert log.series == {}
    assert "Not compared, as their cells or steps can't be: 'accuracy'." in log.notes


def test_what_depends_on_the_machine_is_no_measure(tmp_path):
    log = read(written(tmp_path, "step,loss,time,eval_runtime,it_s,wps_seconds\n0,1,2,3,4,5\n"))
    assert log.series == {}


# Event files.

EVENTS = next((WRITTEN / "torch_tensorboard").iterdir())


def test_an_event_file_alone_is_read():
    assert read(EVENTS).form == "TensorBoard's event file"


def test_a_folder_of_several_runs_is_refused_with_their_names(tmp_path):
    for run in ("one", "two"):
        shutil.copytree(WRITTEN / "torch_tensorboard", tmp_path / "logs" / run)
    refused(tmp_path / "logs", f"holds the runs 'one' and 'two'; give one of them, for example {tmp_path}/logs/one")
    assert len(read(tmp_path / "logs/one").steps) == 8
    assert len(read(tmp_path / "logs", "two").steps) == 8


def test_a_run_that_was_started_again_is_refused_with_both_files(tmp_path):
    shutil.copy(EVENTS, tmp_path / "events.out.tfevents.1.host")
    shutil.copy(EVENTS, tmp_path / "events.out.tfevents.2.host")
    refused(tmp_path, "step 0 of Loss/train is in events.out.tfevents.1.host too, or before its last: a run that was")


def test_a_damaged_event_is_told_and_a_cut_one_is_said(tmp_path):
    whole = bytearray(EVENTS.read_bytes())
    cut = read(written(tmp_path, bytes(whole[:-5]), "cut.tfevents.1"))
    assert any("cut off" in note for note in cut.notes)
    whole[-8] ^= 1
    refused(written(tmp_path, bytes(whole), "bad.tfevents.1"), "is damaged; give a whole event file")


def test_a_tensor_of_an_event_that_claims_to_be_large_takes_no_memory(tmp_path):
    from tensorboard.compat.proto.event_pb2 import Event

    from shared.logs.formats import event_files

    event = Event(step=1)
    value = event.summary.value.add(tag="loss")
    value.tensor.dtype = 1
    value.tensor.float_val.append(1.0)
    value.tensor.tensor_shape.dim.add(size=2**40)
    content = event.SerializeToString()
    length = len(content).to_bytes(8, "little")
    sums = [event_files.masked_crc32c([part])[0].to_bytes(4, "little") for part in (length, content)]
    refused(written(tmp_path, length + sums[0] + content + sums[1]), "holds no losses; give an event file with scalars")


def test_the_checksum_is_that_of_tensorboard():
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    from shared.logs.formats import event_files

    contents = [b"", b"a", bytes(range(256)), b"b", b"xyz" * 50]
    assert event_files.masked_crc32c(contents) == [masked_crc32c(content) for content in contents]


# Arrays, lines of JSON, and bounds.


def test_an_array_that_is_no_row_of_losses_is_refused_and_no_object_is_read(tmp_path):
    for values, message in (
        (np.ones((2, 2)), "holds float64 of shape 2×2, which is no row of losses; losses are saved with numpy.save("),
        (np.array(["a"]), "holds <U1 of shape 1, which is no row"),
        (np.array([None]), "is no whole array of numbers: cannot create an OBJECT array from memory buffer; losses"),
    ):
        np.save(tmp_path / "a.npy", values, allow_pickle=True)
        refused(tmp_path / "a.npy", message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"loss": 1}\n{"loss": 2\n',
            "line 2, column 11: Expecting ',' delimiter; write it with a JSON library, whole",
        ),
        ('{"loss": 1}\n{"loss": 2}}', "line 2, column 12: Extra data; write it with a JSON library, whole"),
        ('{"loss": 1}\n\n{"loss": "x"}\n', "line 3: loss 'x' is not a number; write it as 0.25"),
        ('{"loss": 1}\n[2]\n', "line 2 is ['2'] and no object; make every line an object"),
        ('{"loss": 1}\n{"loss": 2, "loss": 3}\n', "line 2: an object has 'loss' twice; keep one"),
        ('{"step": 1, "loss": 1}\n{"step": 1, "loss": 2}\n', "line 2: step 1 comes twice; keep the log of one run"),
    ],
)
def test_bad_lines_of_json_are_named(tmp_path, content, message):
    refused(written(tmp_path, content), message)


@pytest.mark.parametrize(
    "content",
    [
        '{"history": {"loss": [0.5, 0.25], "val_loss": [1, 2]}, "params": {"epochs": 2}}',
        '{"train": {"loss": [0.5, 0.25]}, "val": {"loss": [1, 2]}}',
        '[{"train": {"loss": 0.5}, "val": {"loss": 1}}, {"train": {"loss": 0.25}, "val": {"loss": 2}}]',
        '{"epoch": 0, "m": {"loss": 0.5, "val_loss": 1}}\n{"epoch": 1, "m": {"loss": 0.25, "val_loss": 2}}\n',
    ],
)
def test_an_object_within_an_object_is_read(tmp_path, content):
    log = read(written(tmp_path, content))
    assert log.losses.tolist() == [0.5, 0.25]
    assert log.series["val_loss"].values.tolist() == [1, 2]


def test_a_document_or_a_line_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_text, "LARGEST", 9)
    refused(written(tmp_path, "[0.5, 0.25, 0.125]"), "of text, and more than 0 MiB are not read; give a file")
    monkeypatch.setattr(files, "LONGEST_LINE", 9)
    refused(written(tmp_path, "step,loss\n0,1\n" + "1" * 10), "a line of more than 9 characters; give a file")


def test_the_first_byte_that_is_no_utf8_is_named_wherever_it_is(tmp_path):
    rows = "".join(f"{step},1\n" for step in range(300_000)).encode()
    path = written(tmp_path, b"step,loss\n" + rows + b"\xff\n")
    refused(path, f"byte {10 + len(rows)} is not UTF-8 text; save the file as UTF-8")


def test_a_large_log_is_read_as_a_small_one_but_for_unknown_columns(tmp_path, monkeypatch):
    content = "step,loss,accuracy,other\n0,1,2,3\n1,2,3,4\n"
    small = read(written(tmp_path, content))
    monkeypatch.setattr("shared.logs.formats.source.LARGE", 5)
    large = read(written(tmp_path, content))
    assert ({*small.series}, {*large.series}) == ({"accuracy", "other"}, {"accuracy"})
    assert large.losses.tolist() == small.losses.tolist()
    assert loss_logs.formats.csv_table.LEFT_OUT in large.notes


# As a person runs it.


def test_compare_takes_a_column_for_both_or_one_each(tmp_path):
    a = written(tmp_path, "step,loss,cost\n0,1,5\n1,2,4\n", "a.csv")
    b = written(tmp_path, "step,cost\n0,5\n1,4\n", "b.csv")
    for arguments in (["--records", a, b, "--column", "cost"], ["--records", f"{a}:cost", f"{b}:cost"]):
        run = run_program("compare.py", *arguments, "--out", tmp_path / "out")
        assert run.returncode == 0, run.stderr
    run = run_program("compare.py", "--column", "cost")
    assert run.returncode == 2
    assert "--column is for --records, and none are given; add --records A B" in run.stderr


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_decimal_commas_are_read_as_such_where_commas_separate_nothing(tmp_path, start):
    rows = "".join(f"{step};{loss:.4f};run {step},5\r\n".replace(".", ",") for step, loss in enumerate(hyperbola(5)))
    log = read(written(tmp_path, f"{start}Step;Loss;Name\r\n{rows}"))
    assert log.losses.tolist() == [2.0, 1.0, 0.6667, 0.5, 0.4]
    assert log.notes[0] == "Its numbers have decimal commas."
    assert not read(written(tmp_path, "step;loss\n0;1.25\n1;1.5\n")).notes
    refused(written(tmp_path, "step;loss\n0;1.25\n1;1,5\n"), "line 3: loss '1,5' is not a number; ")


@pytest.mark.parametrize(("pack", "program"), [("gzip", "gunzip"), ("bz2", "bunzip2"), ("lzma", "unxz")])
def test_a_compressed_log_is_refused_with_what_unpacks_it(tmp_path, pack, program):
    path = tmp_path / "log.csv"
    path.write_bytes(import_module(pack).compress(b"step,loss\n0,1.5\n"))
    refused(path, f"is compressed; unpack it, for example with {program} --keep {path}")


def test_a_log_of_validation_alone_is_refused_with_its_loss_as_the_choice(tmp_path):
    path = written(tmp_path, "epoch,step,val_acc,val_loss\n0,9,0.5,1.5\n1,19,0.6,1.25\n")
    refused(path, f"or choose it, as in {path}:val_loss")
    assert read_source(Path(f"{path}:val_loss")).log.losses.tolist() == [1.5, 1.25]


def test_names_in_chinese_are_read_as_those_in_english(tmp_path):
    log = read(written(tmp_path, "步数,训练损失,验证集准确率,学习率\n0,1.5,0.25,0.1\n1,1.25,0.5,0.1\n"))
    assert (log.counts, log.losses.tolist()) == ("step", [1.5, 1.25])
    assert {*log.series} == {"val_accuracy", "learning_rate"}
