"""The data of a pair: a user's .npz, or random numbers of the shape that the Keras model says."""

import os
import zipfile
from pathlib import Path

import numpy as np

from shared.pairs.protocol import ALONE, Arrays
from shared.pairs.serving import not_finite
from shared.system.errors import InputError, in_one_line

INPUTS, TARGETS = "inputs", "targets"
EXAMPLES = 256  # of random data
MOST_BYTES = 4 * 2**30  # of a file's arrays, unpacked
CURE = "save it by np.savez(path, inputs=…, targets=…)"


def read(path: Path, batch_size: int) -> Arrays:
    """The arrays "inputs", or several "inputs/NAME", and "targets". Raises InputError."""
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 which answer for any name
        raise InputError(f"--data {path}: it is a {'folder' if path.is_dir() else 'device'}, not a file; {CURE}")
    try:
        _refuse_too_much(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"--data {path}: there is no such file; {CURE}") from None
    except zipfile.BadZipFile as error:
        raise InputError(f"--data {path}: it is no .npz, or not whole ({error}); {CURE}") from None
    except MemoryError:
        raise InputError(f"--data {path}: memory is short; give fewer examples") from None
    except Exception as error:  # noqa: BLE001 a damaged file makes NumPy and zlib raise anything
        objects = "Object arrays" in str(error)
        why = "it holds objects, such as sparse or ragged arrays; make them dense" if objects else in_one_line(error)
        raise InputError(f"--data {path}: {why}; {CURE}") from None
    check(arrays, path, batch_size)
    return arrays


def _refuse_too_much(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_BYTES:
        told = f"{size / 1e9:.1f} GB when unpacked, more than {MOST_BYTES / 1e9:.1f}"
        raise InputError(f"--data {path}: {told}; give fewer examples")


def check(arrays: Arrays, path: Path, batch_size: int) -> None:
    """Raise InputError unless these are inputs and targets that a batch can be made of."""
    inputs = [name for name in arrays if name == INPUTS or name.startswith(f"{INPUTS}/")]
    if not inputs or TARGETS not in arrays:
        held = ", ".join(arrays) or "nothing"
        raise InputError(f"--data {path}: it holds {held}, and must hold {INPUTS} and {TARGETS}; {CURE}")
    for name in sorted({*arrays} - {*inputs, TARGETS}) + [name for name in inputs if name == f"{INPUTS}/"]:
        raise InputError(f"--data {path}: {name} is neither {TARGETS} nor {INPUTS} nor {INPUTS}/NAME; leave it out")
    if INPUTS in inputs and len(inputs) > 1:
        other = next(name for name in inputs if name != INPUTS)
        raise InputError(f"--data {path}: it holds both {INPUTS} and {other}; give one array, or each its name")
    for name in (TARGETS, *inputs):
        _check_array(f"--data {path}: {name}", arrays[name])
    examples = len(arrays[TARGETS])
    for name in inputs:
        if len(arrays[name]) != examples:
            told = f"{name} has {len(arrays[name]):,} examples, {TARGETS} {examples:,}"
            raise InputError(f"--data {path}: {told}; give as many of both")
    if examples < batch_size:
        told = f"{examples:,} examples, and a batch has {batch_size:,}"
        raise InputError(f"--data {path}: {told}; give more, or a smaller --batch-size")


def _check_array(where: str, values: object) -> None:
    if not isinstance(values, np.ndarray):
        raise InputError(f"{where} is no array; {CURE}")
    if values.ndim == 0:
        raise InputError(f"{where} is a single number; give one entry for each example")
    if values.dtype.kind not in "fiub":
        raise InputError(f"{where} holds {values.dtype}; give numbers")
    if (at := not_finite(values)) is not None:
        raise InputError(f"{where} of example {at:,} is not finite; leave it out or replace it")


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
