"""Reads results of any program's run, by their kind: losses, weights, or a run record of this project."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.logs.loss_logs import LossLog, half_unit, read_log
from shared.network import Weights
from shared.running.record import RUN_JSON, RecordError, Run, read_run
from shared.system import files
from shared.system.errors import InputError

KINDS = "a loss log (.csv or .json), weights (.safetensors or .npz) or a run record (a folder)"
# Kinds of files that can't be read without running code from them, and how to make one that can.
CURES = {
    ".pt": "save it with safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')",
    ".h5": "save it with numpy.savez('weights.npz', **{w.path: w.numpy() for w in model.weights})",
    ".npy": "save it with numpy.savez('weights.npz', name=array)",
}
CURES |= {".pth": CURES[".pt"], ".ckpt": CURES[".pt"], ".bin": CURES[".pt"], ".keras": CURES[".h5"]}


@dataclass(frozen=True)
class Source:
    """One of the two: what a file or a folder holds."""

    path: Path
    log: LossLog | None = None
    weights: Weights | None = None
    run: Run | None = None


def read_source(path: Path) -> Source:
    """Read a file by its suffix, or a run record. Raises InputError."""
    check_there(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        return _read_record(path)
    if suffix in (".csv", ".json"):
        return Source(path, log=read_log(path))
    if suffix in (".safetensors", ".npz"):
        return Source(path, weights=read_weights(path))
    if ".tfevents." in path.name:
        raise InputError(f"{path} is an event file; download its losses as CSV from TensorBoard, and give that")
    raise InputError(f"{path} is none of what can be read; {CURES.get(suffix, f'give {KINDS}')}")


def check_there(path: Path) -> None:
    """Raise InputError where there is nothing of this name, or only a broken link."""
    try:
        if not path.is_dir():
            files.size(path)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; give {KINDS}") from None


def _read_record(folder: Path) -> Source:
    if not os.path.lexists(folder / RUN_JSON):
        records = sorted(path.parent for path in folder.glob(f"runs/*/{RUN_JSON}"))
        cure = f"give one of its records, for example {records[0]}" if records else f"give {KINDS}"
        raise InputError(f"{folder} is a folder without {RUN_JSON}, so no run record; {cure}")
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
    )
    return Source(folder, log, run.weights, run)


def read_weights(path: Path) -> Weights:
    """Tensors of any names. Raises InputError where the file can't be read, or a tensor is not of real numbers."""
    try:
        weights = files.read_npz(path) if path.suffix.lower() == ".npz" else files.read_safetensors(path)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; give a file that you may read") from None
    except ValueError as error:
        cure = "write it again, whole, in float16, float32 or float64"
        raise InputError(f"{path} is no whole {path.suffix} file of numbers: {error}; {cure}") from None
    if not weights:
        raise InputError(f"{path} holds no tensor; give weights")
    for name, values in weights.items():
        if values.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} is {values.dtype}, not of real numbers; leave it out")
    return weights
