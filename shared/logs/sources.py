"""Reads results of any program's run, by their kind: losses, weights, or a run record of this project."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.logs import weights_files
from shared.logs.loss_logs import LossLog, half_unit, read_folder, read_log
from shared.network import Weights
from shared.running.record import RUN_JSON, RecordError, Run, read_run
from shared.system import files
from shared.system.errors import InputError

KINDS = "a loss log, weights (.safetensors, .npz, .pt, .keras, .h5 or .onnx) or a run record (a folder)"


@dataclass(frozen=True)
class Source:
    """One of the two: what a file or a folder holds."""

    path: Path
    log: LossLog | None = None
    weights: Weights | None = None
    run: Run | None = None
    weights_notes: tuple[str, ...] = ()  # what was assumed or left out in reading the weights, a sentence each
    column: str | None = None  # what was asked for in the log: its losses, or a run of several


def read_source(path: Path, pythons: Mapping[str, Path] | None = None) -> Source:
    """Read a file, weights or a log by its content, or a folder. `pythons` are those that a user named, by framework.

    `path` may be FILE:COLUMN, where no file has that whole name. Raises InputError.
    """
    check_there(path)
    path, column = split_column(path)
    if path.is_dir():
        return _read_folder(path, column)
    if (kind := _kind_of(path)) is not None:
        if column is not None:
            raise InputError(f"{path}:{column}: {path.name} is no log, and has no columns; give {path}")
        return read_weights(path, kind, pythons)
    if path.name.endswith(".index.json"):
        cure = "give one file with all weights, as save_pretrained(folder, max_shard_size='100GB') writes it"
        raise InputError(f"{path} lists the shards of a model, which are not put together here; {cure}")
    if path.suffix.lower() in weights_files.CURES:
        told = f"{path} is none of what can be read"
        raise InputError(f"{told}; {weights_files.CURES[path.suffix.lower()]}")
    return Source(path, log=read_log(path, column), column=column)


def _kind_of(path: Path) -> str | None:
    try:
        return weights_files.kind_of(path)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; {files.cure(error)}") from None


def read_weights(path: Path, kind: str, pythons: Mapping[str, Path] | None = None) -> Source:
    """Tensors of any names, from a file of this kind. Raises InputError where it can't be read, or holds none."""
    found = weights_files.read(path, kind, pythons)
    if not found.tensors:
        raise InputError(f"{path} holds no tensor; give weights")
    return Source(path, weights=found.tensors, weights_notes=found.notes)


def split_column(path: Path) -> tuple[Path, str | None]:
    """FILE:COLUMN as the two; a file or folder that has the whole name has no column."""
    text = str(path)
    places = [place for place, character in enumerate(text) if character == ":" and 0 < place < len(text) - 1]
    if not places or os.path.lexists(path):
        return path, None
    found = next((place for place in reversed(places) if os.path.lexists(text[:place])), None)
    return (path, None) if found is None else (Path(text[:found]), text[found + 1 :])


def with_column(path: Path, column: str | None) -> Path:
    """FILE:COLUMN, unless the path names a column already. Raises InputError where a file has that name."""
    if column is None or split_column(path)[1] is not None:
        return path
    made = Path(f"{path}:{column}")
    if os.path.lexists(made):
        raise InputError(f"{made} is a file, and no column of {path}; rename it")
    return made


def check_there(path: Path) -> None:
    """Raise InputError where there is nothing of this name, or only a broken link."""
    path, _ = split_column(path)
    try:
        if not path.is_dir():
            files.size(path)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; give {KINDS}") from None


def _read_folder(folder: Path, column: str | None) -> Source:
    """A run record, or a folder of another program's logs."""
    if not os.path.lexists(folder / RUN_JSON):
        records = sorted(path.parent for path in folder.glob(f"runs/*/{RUN_JSON}"))
        if records:
            cure = f"give one of its records, for example {records[0]}"
            raise InputError(f"{folder} is a folder without {RUN_JSON}, so no run record; {cure}")
        log = read_folder(folder, column)
        if log is None:
            told = f"{folder} is a folder without {RUN_JSON}, so no run record, and no log of TensorBoard's or MLflow's"
            raise InputError(f"{told} is in it; give {KINDS}")
        return Source(folder, log=log, column=column)
    if column is not None:
        raise InputError(f"{folder}:{column}: a run record has no columns; give {folder}")
    return _read_record(folder)


def _read_record(folder: Path) -> Source:
    try:
        run = read_run(folder)
    except RecordError as error:
        raise InputError(str(error)) from None
    losses = run.step_losses
    log = LossLog(
        np.arange(len(losses)),
        losses.astype(np.float64),
        half_unit(losses),
        "step",
        f"{losses.dtype} numbers",
        form="a run record of this project",
        taken="batch",
    )
    return Source(folder, log, weights=run.weights, run=run)
