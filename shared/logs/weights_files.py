"""Files of weights, of any program: told by their content, and read by the library that wrote them.

What needs a framework's library is read in a process of its own, which runs nothing that the file holds, and hands back
arrays. A file that crashes the library, or that it takes too long for, ends that process alone.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors

from shared.comparing.processes import find_interpreter
from shared.contract import IMPLEMENTATIONS
from shared.logs.weights_process import ANSWER, TENSORS, Found, from_bfloat16
from shared.pairs.serving import load
from shared.pairs.sides import WITHOUT_GPU
from shared.system import files
from shared.system.errors import InputError
from shared.system.escaping import one_line
from shared.system.paths import ROOT

SECONDS = 300  # for a process to read a file in
LONGEST_HEADER = 2**27  # bytes of a safetensors header; the library reads no longer one
NUMBER_OF_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # begins what PyTorch wrote before it wrote archives
HDF5 = b"\x89HDF\r\n\x1a\n"
SAFETENSORS, NPZ, TORCH, KERAS, ONNX = "safetensors", "npz", "torch", "keras", "onnx"
OF_SAFETENSORS = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1"}
SUFFIXES = {".safetensors": SAFETENSORS, ".npz": NPZ, ".onnx": ONNX}
OF_TORCH, OF_KERAS = {".pt", ".pth", ".bin", ".ckpt"}, {".keras", ".h5", ".hdf5"}
FRAMEWORK = {TORCH: "PyTorch", KERAS: "TensorFlow"}
CURES = {
    **dict.fromkeys(OF_TORCH, "save it with torch.save(model.state_dict(), 'weights.pt')"),
    **dict.fromkeys(OF_KERAS, "save it with model.save_weights('model.weights.h5')"),
    ".pkl": "save arrays with numpy.savez('weights.npz', **arrays), and a model's with torch.save(model.state_dict())",
    ".index": "it is a TensorFlow checkpoint: load it into the model, and model.save_weights('model.weights.h5')",
}


@dataclass(frozen=True)
class _Reader:
    """How to start the process that reads files of a kind."""

    python: Path
    module: str


def kind_of(path: Path) -> str | None:
    """What kind of weights a regular file holds, by its content, and by its suffix where that can't tell; else None.

    Raises OSError where it can't be read.
    """
    suffix, found = path.suffix.lower(), None
    size = files.size(path)
    with path.open("rb") as file:
        start = file.read(32)
    header = int.from_bytes(start[:8], "little")
    if start.startswith(b"PK"):
        found = _kind_of_archive(path)
    elif start.startswith(HDF5):
        found = KERAS
    elif start.startswith(NUMBER_OF_TORCH):
        found = TORCH
    elif start[8:9] == b"{" and 0 < header <= min(size - 8, LONGEST_HEADER):
        found = SAFETENSORS
    return found or SUFFIXES.get(suffix)


def _kind_of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        return TORCH if path.suffix.lower() in OF_TORCH else KERAS if path.suffix.lower() in OF_KERAS else None
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return TORCH
    if "config.json" in names and "metadata.json" in names:
        return KERAS
    return NPZ if names and all(name.endswith(".npy") for name in names) else None


def read(path: Path, kind: str, pythons: Mapping[str, Path] | None = None) -> Found:
    """The weights in a file of this kind. `pythons` are those that a user named, by framework.

    Raises InputError, one line with the cure, where the file is not whole, holds no real numbers, or the library that
    reads it is missing.
    """
    if kind in (SAFETENSORS, NPZ):
        return _read_here(path, kind)
    if kind == ONNX:
        return _read_there(path, _Reader(Path(sys.executable), "shared.logs.onnx_file"), "protobuf")
    framework = FRAMEWORK[kind]
    python = find_interpreter(framework, (pythons or {}).get(framework))
    return _read_there(path, _Reader(python, f"{IMPLEMENTATIONS[framework].module}.weights_file"), framework)


def _read_here(path: Path, kind: str) -> Found:
    notes: list[str] = []
    try:
        weights = files.read_npz(path) if kind == NPZ else _read_safetensors(path, notes)
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; {files.cure(error)}") from None
    except (ValueError, KeyError, safetensors.SafetensorError) as error:
        cure = "write it again, whole, in float16, float32 or float64"
        raise InputError(f"{path} is no whole .{kind} file of numbers: {error}; {cure}") from None
    for name, values in weights.items():
        if values.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} is {values.dtype}, not of real numbers; leave it out")
    return Found(weights, f"a .{kind} file", tuple(notes))


def _read_safetensors(path: Path, notes: list[str]) -> dict[str, np.ndarray]:
    """As `files.read_safetensors`, and bfloat16, which NumPy lacks, as float32, which holds it exactly."""
    try:
        return files.read_safetensors(path)
    except ValueError:
        found = dict(safetensors.deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]
        short = [name for name, tensor in found.items() if tensor["dtype"] == "BF16"]
        if not short:
            raise
    weights = {}
    for name, tensor in found.items():
        dtype = np.uint16 if name in short else OF_SAFETENSORS[tensor["dtype"]]
        values = np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
        weights[name] = from_bfloat16(values) if name in short else values
    notes.append(f"{len(short)} tensors of it, such as {min(short)}, are bfloat16, read as float32.")
    return weights


def _read_there(path: Path, reader: _Reader, library: str) -> Found:
    with tempfile.TemporaryDirectory(prefix="weights-") as folder:
        command = [str(reader.python), "-m", reader.module, str(path.absolute()), folder]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | WITHOUT_GPU,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{path}: {library} has not read it in {SECONDS} s; give a smaller file") from None
        if not (Path(folder) / ANSWER).exists():
            raise InputError(_refusal(path, done, reader, library))
        answer = json.loads((Path(folder) / ANSWER).read_text(encoding="utf-8"))
        return Found(load(Path(folder) / TENSORS), answer["form"], tuple(answer["notes"]))


def _refusal(path: Path, done: subprocess.CompletedProcess[bytes], reader: _Reader, library: str) -> str:
    """What the process said in its last line, or how it ended."""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    said = f"{reader.module}: error: "
    if words and words[-1].startswith(said):
        return one_line(words[-1].removeprefix(said).replace(str(path.absolute()), str(path)))
    end = f"was killed by signal {-done.returncode}" if done.returncode < 0 else f"ended with status {done.returncode}"
    cure = "was memory short?" if done.returncode == -signal.SIGKILL else "write it again, whole"
    return f"{path}: the process that reads it with {library} {end}; its last words: {(words or ['none'])[-1]}; {cure}"
