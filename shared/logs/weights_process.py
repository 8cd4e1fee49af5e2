"""The process that reads a file of weights with a framework's library, and hands its arrays to compare.py.

It is started as `python -m MODULE FILE FOLDER`, and writes its answer into the folder.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from shared.pairs.serving import save
from shared.system import ending, files
from shared.system.errors import InputError, in_one_line

TENSORS, ANSWER = "tensors.npz", "answer.json"
WHOLE = "write it again, whole"


@dataclass(frozen=True)
class Found:
    """What a file holds."""

    tensors: dict[str, np.ndarray]  # in the order of the model, as far as the file tells it
    form: str  # the format, in words
    notes: tuple[str, ...] = ()  # what was assumed or left out, a sentence each


def serve(program: str, read: Callable[[Path], Found]) -> int:
    """Read the file that the command line names. Returns the status to exit with."""
    return ending.exit_status(program, lambda: _answer(Path(sys.argv[1]), Path(sys.argv[2]), read))


def _answer(path: Path, folder: Path, read: Callable[[Path], Found]) -> int:
    _limit_memory()
    try:
        found = read(path)
        _check_numbers(path, found.tensors)
    except MemoryError:
        raise InputError(f"{path}: reading it takes more memory than is free; end other programs") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 a library may raise anything for what is no file of its own
        raise InputError(f"{path} can't be read: {in_one_line(error)}; {WHOLE}") from None
    save(folder / TENSORS, found.tensors)
    answer = {"form": found.form, "notes": found.notes}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")
    return ending.OK


def _limit_memory() -> None:
    """Let an allocation of more than is free fail, instead of the system ending some process."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        most = psutil.virtual_memory().available + psutil.Process().memory_info().rss
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _check_numbers(path: Path, tensors: dict[str, np.ndarray]) -> None:
    for name, values in tensors.items():
        if values.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} is {values.dtype}, not of real numbers; leave it out")


def check_sizes(path: Path, sizes: Iterable[int]) -> None:
    """Raise InputError where arrays of so many bytes are more than is read, or than memory is free."""
    needed, most = sum(sizes), max(files.LARGEST_UNPACKED, files.size(path))
    if needed > most:
        told = f"{path} says that it holds {needed / 2**20:,.0f} MiB of numbers, and {most / 2**20:,.0f} MiB are read"
        raise InputError(f"{told} at most; {WHOLE}")
    try:
        files.check_memory(path, needed)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; end other programs, or give a smaller file") from None


def from_bfloat16(values: np.ndarray) -> np.ndarray:
    """Numbers of two bytes, which are the first half of a float32, as float32."""
    wide: np.ndarray = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return wide
