"""The formats of logs: which there are, and which of them a file has, by its content and not by its name.

A format is a module of its own and an entry in one of the lists: BINARY or TEXTS, for what is read in a way of its own;
OF_CSV or OF_JSON, for what is one of these two with columns of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.logs.formats import (
    csv_table,
    event_files,
    json_text,
    keras,
    lightning,
    mlflow,
    npy,
    pandas,
    tensorboard,
    text_lines,
    ultralytics,
    wandb,
)
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError
from shared.system.language import say


@dataclass(frozen=True)
class Format:
    """A kind of file that is read in a way of its own."""

    looks_like: Callable[[LogFile], bool]
    read: Callable[[LogFile], Table]


# The first that a file looks like is taken.
BINARY = (Format(npy.looks_like, npy.read), Format(event_files.looks_like, event_files.read))
TEXTS = (
    Format(json_text.looks_like_lines, json_text.read_lines),
    Format(json_text.looks_like_document, json_text.read_document),
    Format(mlflow.looks_like, mlflow.read),
    Format(csv_table.looks_like, csv_table.read),
    Format(text_lines.looks_like, text_lines.read),
)
# What says more of a table than that it is CSV or JSON. The first that knows it is taken.
Dialect = Callable[[Table, LogFile], Table | None]
OF_CSV: tuple[Dialect, ...] = (
    tensorboard.download,
    wandb.chart,
    ultralytics.results_csv,
    lightning.metrics_csv,
    keras.csv_logger,
    pandas.indexed,
)
OF_JSON: tuple[Dialect, ...] = (tensorboard.download, keras.history)
# How compressed files begin, and what unpacks them.
PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
FORMS = say(
    "a loss log is CSV with a header, JSON (a list of numbers or of objects, or an object of lists), JSON lines, a "
    "text log with lines such as 'step 100 | loss 0.4', a .npy array, or what Keras, Lightning, the Hugging Face "
    "Trainer, TensorBoard, Weights & Biases, MLflow and Ultralytics write; it is recognised by its content; its losses "
    "are the column loss, train_loss, train/loss or the like, or the one that FILE:COLUMN or --column names"
)


def read_table(path: Path, asked: str | None) -> Table:
    """Read a log of any format. Raises InputError, one line with the place, the value and the cure."""
    file = LogFile(path, asked)
    try:
        return _read(file)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; {files.cure(error)}") from None


def _read(file: LogFile) -> Table:
    for kind in BINARY:
        if kind.looks_like(file):
            return kind.read(file)
    for mark, program in PACKED.items():
        if file.head.startswith(mark):
            raise InputError(f"{file.path} is compressed; unpack it, for example with {program} --keep {file.path}")
    files.check_text(file.path)
    if b"\0" in file.head and file.head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{file.path} is neither text nor a binary file that is known; {FORMS}")
    if not file.lines:
        raise InputError(f"{file.path} is empty; give a log with at least one loss")
    for kind in TEXTS:
        if kind.looks_like(file):
            break
    else:
        kind = Format(csv_table.looks_like, csv_table.read) if _may_be_csv(file) else _unknown(file)
    table = kind.read(file)
    dialects = {csv_table.FORM: OF_CSV, json_text.FORM: OF_JSON}.get(table.form, ())
    return next((found for dialect in dialects if (found := dialect(table, file)) is not None), table)


def _may_be_csv(file: LogFile) -> bool:
    return file.path.suffix.lower() in (".csv", ".tsv") or len(file.lines[0]) > 0


def _unknown(file: LogFile) -> Format:
    raise InputError(f"{file.path} is no log that is known; {FORMS}")


def read_folder(folder: Path, asked: str | None) -> Table | None:
    """Read the log in a folder of TensorBoard's or MLflow's; None where there is none. Raises InputError."""
    try:
        if (metrics := mlflow.metrics_folder(folder)) is not None:
            return mlflow.read_folder(metrics)
        if runs := event_files.runs_in(folder):
            return event_files.read_folder(folder, runs, asked)
    except UnicodeDecodeError as error:
        raise InputError(f"{folder}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{folder}: {files.why(error)}; {files.cure(error, 'folder')}") from None
    return None
