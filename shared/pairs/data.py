"""The data of a pair: a user's .npz, or random numbers of the shape that the Keras model says."""

import zipfile
from pathlib import Path

import numpy as np

from shared.pairs.protocol import ALONE, Arrays
from shared.system.errors import InputError, in_one_line

INPUTS, TARGETS = "inputs", "targets"
EXAMPLES = 256  # of random data
MOST_BYTES = 4 * 2**30  # of a file's arrays, unpacked


def read(path: Path, batch_size: int) -> Arrays:
    """The arrays "inputs", or several "inputs/NAME", and "targets". Raises InputError."""
    cure = "save it by np.savez(path, inputs=…, targets=…)"
    if not path.is_file():
        raise InputError(f"--data {path}: there is no such file; {cure}")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            told = f"{size / 1e9:.1f} GB when unpacked, more than {MOST_BYTES / 1e9:.1f}"
            raise InputError(f"--data {path}: {told}; give fewer examples")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        objects = "Object arrays" in str(error)
        why = "it holds objects, such as sparse or ragged arrays; make them dense" if objects else in_one_line(error)
        raise InputError(f"--data {path}: {why}; {cure}") from None
    except MemoryError:
        raise InputError(f"--data {path}: memory is short; give fewer examples") from None
    check(arrays, path, batch_size)
    return arrays


def check(arrays: Arrays, path: Path, batch_size: int) -> None:
    """Raise InputError unless these are inputs and targets that a batch can be made of."""
    cure = "save it by np.savez(path, inputs=…, targets=…)"
    inputs = [name for name in arrays if name == INPUTS or name.startswith(f"{INPUTS}/")]
    if not inputs or TARGETS not in arrays:
        held = ", ".join(arrays) or "nothing"
        raise InputError(f"--data {path}: it holds {held}, and must hold {INPUTS} and {TARGETS}; {cure}")
    for name in sorted({*arrays} - {*inputs, TARGETS}):
        raise InputError(f"--data {path}: {name} is neither {TARGETS} nor {INPUTS} nor {INPUTS}/NAME; leave it out")
    for name in (*inputs, TARGETS):
        values = arrays[name]
        if values.ndim == 0:
            raise InputError(f"--data {path}: {name} is a single number; give one entry for each example")
        if len(values) != len(arrays[TARGETS]):
            told = f"{name} has {len(values):,} examples, {TARGETS} {len(arrays[TARGETS]):,}"
            raise InputError(f"--data {path}: {told}; give as many of both")
        if values.dtype.kind not in "fiub":
            raise InputError(f"--data {path}: {name} holds {values.dtype}; give numbers")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            at = int(np.argwhere(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0, 0])
            raise InputError(f"--data {path}: {name} of example {at:,} is not finite; leave it out or replace it")
    if len(arrays[TARGETS]) < batch_size:
        told = f"{len(arrays[TARGETS]):,} examples, and a batch has {batch_size:,}"
        raise InputError(f"--data {path}: {told}; give more, or a smaller --batch-size")


def random(inputs: dict[str, list[int]], tokens: int | None, outputs: list[int], seed: int) -> Arrays:
    """Random data for a model with these shapes of an example: normal numbers, or tokens where it takes those.

    Targets are classes, as many as the last axis of the outputs has; numbers where that has one.
    """
    draws = np.random.default_rng(seed)

    def draw(shape: list[int]) -> np.ndarray:
        size = (EXAMPLES, *shape)
        return draws.integers(0, tokens, size) if tokens else draws.standard_normal(size).astype(np.float32)

    arrays = {f"{INPUTS}/{name}" if name != ALONE else INPUTS: draw(shape) for name, shape in inputs.items()}
    classes = outputs[-1] if outputs else 1
    if classes > 1:
        arrays[TARGETS] = draws.integers(0, classes, (EXAMPLES, *outputs[:-1]))
    else:
        arrays[TARGETS] = draws.standard_normal((EXAMPLES, *outputs)).astype(np.float32)
    return arrays
