"""TensorBoard's event files, and folders of them.

The frames are read here, so that a damaged file is told: TensorBoard's own loader stops at the damage in silence. What
is in a frame is read by TensorBoard's own classes, which need no framework.
"""

import os
import reprlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from shared.logs.formats import names
from shared.logs.formats.cells import Column, exact
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError

FORM = "TensorBoard's event files"
MARK = ".tfevents."  # in the name of each event file
HEADER, CHECKSUM = struct.Struct("<QI"), struct.Struct("<I")  # of a frame: its length and that length's checksum
LARGEST_EVENT = 16 * 2**20  # bytes; what is larger holds pictures or a graph
LONGEST_SUMMED = 64 * 2**10  # bytes whose checksum is looked at: that of long events takes long
POLYNOMIAL = np.uint32(0x82F63B78)  # of CRC-32C
BATCH = 4_096  # frames that are summed together
MOST_TAGS = 1_000
MOST_FILES = 10_000
DEEPEST = 6
CURE = "give a whole event file"
VALIDATION = ("validation", "val", "valid", "eval", "test")
TRAINING = ("train", "training")
# Types of numbers in a TensorProto, by their code, and the field that holds them where they are not packed as bytes.
TYPES = {1: ("float32", "float_val"), 2: ("float64", "double_val"), 19: ("float16", ""), 3: ("int32", "int_val")}
TYPES |= {9: ("int64", "int64_val")}


Frame = tuple[int, bytes, int]  # its place, its content and its checksum


@dataclass
class _Tag:
    """The values of one measure, as they come."""

    dtype: str
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def looks_like(file: LogFile) -> bool:
    """By its first frame, whose length has a checksum of its own."""
    if len(file.head) < HEADER.size or 0 not in file.head[: HEADER.size]:
        return False
    length, checksum = HEADER.unpack(file.head[: HEADER.size])
    return bool(masked_crc32c([file.head[:8]])[0] == checksum and length < LARGEST_EVENT)


def read(file: LogFile) -> Table:
    """Read one event file."""
    return _table([(file.path, "")], FORM.removesuffix("s"))


def runs_in(folder: Path) -> dict[Path, list[Path]]:
    """The folders in it that have event files, each with these, in the order in which they were begun."""
    found: dict[Path, list[Path]] = {}
    count = 0
    for parent, folders, members in os.walk(folder):
        folders.sort()
        here = Path(parent)
        if len(here.relative_to(folder).parts) >= DEEPEST:
            folders.clear()
        count += len(members) + len(folders)
        if count > MOST_FILES:
            raise InputError(f"{folder} holds more than {MOST_FILES:,} files; give the folder of one run")
        if events := sorted(here / name for name in members if MARK in name):
            found[here] = events
    return found


def read_folder(folder: Path, runs: dict[Path, list[Path]], asked: str | None) -> Table:
    """The run of a folder; `asked` may name it. Raises InputError where there are several."""
    validation = [path for path in runs if path.name.lower() in VALIDATION]
    training = [path for path in runs if path not in validation]
    named = None
    if len(training) > 1:
        called = {path.relative_to(folder).as_posix(): path for path in training}
        named = asked if asked in called else None
        if named is None:
            shown = " and ".join(reprlib.repr(name) for name in list(called)[:5])
            more = f" and {len(called) - 5} more" if len(called) > 5 else ""  # noqa: PLR2004
            first = next(path for name, path in called.items() if name != ".") if "." in called else training[0]
            raise InputError(f"{folder} holds the runs {shown}{more}; give one of them, for example {first}")
        training = [called[named]]
    chosen = [(path, "") for parent in training for path in runs[parent]]
    beside = [path for path in validation if not training or path.parent == training[0].parent]
    chosen += [(path, "val_") for parent in beside for path in runs[parent]]
    return replace(_table(chosen, FORM), run_chosen=named is not None)


def _table(paths: list[tuple[Path, str]], form: str) -> Table:
    tags: dict[str, _Tag] = {}
    last: dict[str, Path] = {}
    notes: list[str] = []
    for path, prefix in paths:
        for tag, step, value, dtype in _scalars(path, notes):
            name = prefix + tag
            if name not in tags and len(tags) >= MOST_TAGS:
                continue
            known = tags.setdefault(name, _Tag(dtype))
            if known.steps and step <= known.steps[-1] and last[name] != path:
                told = f"{path}: step {step} of {tag} is in {last[name].name} too, or before its last"
                raise InputError(f"{told}: a run that was started again; give one of the two files")
            last[name] = path
            known.steps.append(step)
            known.values.append(value)
    if not tags:
        raise InputError(f"{paths[0][0]} holds no losses; give an event file with scalars")
    columns = []
    for name, known in tags.items():
        numbers = exact(np.array(known.values), known.dtype)
        columns.append(Column(name, numbers, len(known.values), steps=np.array(known.steps, np.int64)))
    by_epoch = not any(names.rank(name) in (0, 1) for name in tags)
    counts = names.EPOCH if by_epoch and any(names.plain(name).startswith("epoch_") for name in tags) else None
    return Table(
        form,
        columns,
        lambda row: f"value {row + 1}",
        sparse=True,
        counts=counts,
        silent=counts is None,
        notes=tuple(notes),
    )


def _scalars(path: Path, notes: list[str]) -> Iterator[tuple[str, int, float, str]]:
    """Tag, step, value and dtype of each scalar of a file, in its order."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    for batch in _batches(path, notes):
        read: list[tuple[int, list[tuple[str, int, float, str]]]] = []
        for at, content, _ in batch:
            try:
                event = Event.FromString(content)
                values = [(value.tag, found) for value in event.summary.value if (found := _scalar(value))]
            except (DecodeError, ValueError) as error:
                raise _damaged(path, at) from error
            read.append((at, [(tag, event.step, value, dtype) for tag, (value, dtype) in values]))
        # What holds no scalar is not looked at, and may be damaged.
        kept = [frame for frame, (_, found) in zip(batch, read, strict=True) if found]
        sums = masked_crc32c([content for _, content, _ in kept])
        for (at, content, checksum), made in zip(kept, sums, strict=True):
            if checksum != made and len(content) <= LONGEST_SUMMED:
                raise _damaged(path, at)
        for _, scalars in read:
            yield from scalars


def _damaged(path: Path, at: int) -> InputError:
    return InputError(f"{path}: the event at byte {at:,} is damaged; {CURE}")


def _batches(path: Path, notes: list[str]) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    held = 0
    for frame in _frames(path, notes):
        batch.append(frame)
        held += len(frame[1])
        if len(batch) >= BATCH or held > LARGEST_EVENT:
            yield batch
            batch, held = [], 0
    yield batch


def _frames(path: Path, notes: list[str]) -> Iterator[Frame]:
    """The place, the content and the checksum of each frame. The last may be cut: the run may still write it."""
    size, at = files.size(path), 0
    known: dict[bytes, int] = {}
    with path.open("rb") as file:
        while header := file.read(HEADER.size):
            length, checksum = HEADER.unpack(header) if len(header) == HEADER.size else (0, 0)
            end = at + HEADER.size + length + CHECKSUM.size
            if len(header) == HEADER.size and known.setdefault(header[:8], masked_crc32c([header[:8]])[0]) != checksum:
                raise _damaged(path, at)
            if end > size:
                notes.append(f"The last event of {path.name} is cut off: it was still being written, or ended early.")
                return
            if length > LARGEST_EVENT:
                file.seek(end)
            else:
                content = file.read(length)
                yield at, content, CHECKSUM.unpack(file.read(CHECKSUM.size))[0]
            at = end


def _scalar(value: Any) -> tuple[float, str] | None:
    """A summary's number; None where it is a picture, a text, a histogram or anything else."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value), "float32"
    tensor = value.tensor
    plugin = value.metadata.plugin_data.plugin_name
    if kind != "tensor" or plugin not in ("", "scalars") or tensor.dtype not in TYPES:
        return None
    if any(dimension.size != 1 for dimension in tensor.tensor_shape.dim):
        return None
    dtype, unpacked = TYPES[tensor.dtype]
    if tensor.tensor_content:
        if len(tensor.tensor_content) != np.dtype(dtype).itemsize:
            return None
        found = float(np.frombuffer(tensor.tensor_content, np.dtype(dtype).newbyteorder("<"))[0])
    elif unpacked and len(getattr(tensor, unpacked)) == 1:
        found = float(getattr(tensor, unpacked)[0])
    else:
        return None
    return found, dtype if dtype.startswith("float") else "float64"


def _table_of_bytes() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, POLYNOMIAL ^ (table >> np.uint32(1)), table >> np.uint32(1))
    return table


_TABLE = _table_of_bytes()


def masked_crc32c(contents: Sequence[bytes]) -> list[int]:
    """The checksum of each, as event files have it. Those of one length are summed together; long ones not at all."""
    found = [0] * len(contents)
    by_length: dict[int, list[int]] = {}
    for index, content in enumerate(contents):
        if len(content) <= LONGEST_SUMMED:
            by_length.setdefault(len(content), []).append(index)
    for length, indices in by_length.items():
        each = np.frombuffer(b"".join(contents[index] for index in indices), np.uint8).reshape(len(indices), length)
        crc = np.full(len(indices), 0xFFFFFFFF, np.uint32)
        for column in each.T:
            crc = _TABLE[(crc ^ column) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
        crc = ~crc
        masked = ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)
        for index, value in zip(indices, masked.tolist(), strict=True):
            found[index] = value
    return found
