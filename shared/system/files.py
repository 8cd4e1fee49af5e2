"""Files from outside: checked before they are opened, and read within the limits of memory that stand here.

The functions that read raise OSError where a file can't be read or is not a regular file, and ValueError where it is
not whole or not of its kind.
"""

import codecs
import errno
import stat
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import psutil
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from shared.system import output

LARGEST_TEXT = 64 * 2**20  # bytes of a description; as Python objects they take some twenty times as much
LARGEST_LOG = 512 * 2**20  # bytes of a log, of which a few lines at a time are in memory
BLOCK = 2**18  # characters that are read at once
LONGEST_LINE = 4 * 2**20  # characters of a line of a log
LARGEST_UNPACKED = 4 * 2**30  # bytes of a compressed archive, unpacked
NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def size(path: Path) -> int:
    """Bytes of a regular file, or of what a link leads to. Pipes and devices, which may never end, are refused."""
    try:
        found = path.stat()
    except ValueError as error:  # a name with a NUL, or one that can't be encoded
        raise OSError(errno.EINVAL, f"no name that a file can have: {error}", str(path)) from None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return found.st_size


def read_utf8(path: Path, largest: int = LARGEST_TEXT) -> str:
    """Text, with or without a byte order mark."""
    check_text(path, largest)
    return path.read_text(encoding="utf-8-sig")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a log, each with its end, one at a time. Raises UnicodeDecodeError as `read_utf8` does."""
    for block in read_blocks(path):
        *whole, last = block.split("\n")
        for line in whole:
            yield line + "\n"
        if last:
            yield last


def read_blocks(path: Path) -> Iterator[str]:
    """A log's text in blocks of whole lines. Raises UnicodeDecodeError as `read_utf8` does."""
    check_text(path)
    with path.open(encoding="utf-8-sig") as file:
        try:
            begun = ""
            while block := file.read(BLOCK):
                whole, end, begun = (begun + block).rpartition("\n")
                if end:
                    yield whole + end
                if len(begun) > LONGEST_LINE:
                    raise OSError(errno.EFBIG, f"a line of more than {LONGEST_LINE:,} characters", str(path))
            if begun:
                yield begun
        except UnicodeDecodeError:
            _refuse_byte(path)
            raise


def read_head(path: Path, count: int) -> bytes:
    """The first bytes of a file, as many as there are."""
    size(path)
    with path.open("rb") as file:
        return file.read(count)


def check_text(path: Path, largest: int = LARGEST_LOG) -> None:
    """Raise OSError for more text than is read."""
    if (found := size(path)) > largest:
        message = f"{_mebibytes(found)} of text, and more than {_mebibytes(largest)} are not read"
        raise OSError(errno.EFBIG, message, str(path))


def _refuse_byte(path: Path) -> None:
    """Raise UnicodeDecodeError with the place in the file of the first byte that is not UTF-8."""
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            waiting = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                start = before - waiting + error.start
                raise UnicodeDecodeError("utf-8", b"", start, start + 1, error.reason) from None
            before += len(block)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name."""
    check_memory(path, size(path))
    try:
        found: dict[str, np.ndarray] = load_file(path)
    # NumPy has neither bfloat16 nor float8: for those safetensors raises one of the others.
    except (SafetensorError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(str(error)) from None
    return found


def save_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file. Arrays are made contiguous first: safetensors writes the raw buffer.

    Raises OSError where it can't be written.
    """
    try:
        save_file({name: np.asarray(values, order="C") for name, values in tensors.items()}, path)
    except SafetensorError as error:  # raised for whatever the system refuses
        raise OSError(errno.EIO, str(error), str(path)) from None


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name. A too large archive is refused by what its directory says, before it takes memory."""
    on_disk = size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > max(LARGEST_UNPACKED, on_disk):
                limit = _mebibytes(LARGEST_UNPACKED)
                raise ValueError(f"it would become {_mebibytes(unpacked)}, and more than {limit} are not unpacked")
            check_memory(path, unpacked)
            found: dict[str, np.ndarray] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in found:
                    raise ValueError(f"{name} comes twice")
                found[name] = _member(archive, member)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ValueError(str(error) or "it ends too soon") from None


def read_npy(path: Path) -> np.ndarray:
    """The array of numbers of a .npy file."""
    check_memory(path, size(path))
    with path.open("rb") as file:
        return _array(file, path.name)


def sha256(path: Path) -> str:
    """The SHA-256 of a file that is not too large to be read."""
    check_memory(path, size(path))
    return output.sha256(path)


def why(error: OSError | ValueError) -> str:
    """What was wrong, without the file's name."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def cure(error: OSError, what: str = "file") -> str:
    """What to do about a file or a folder that can't be read."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return f"give a {what} that exists"
        case PermissionError():
            return f"give a {what} that you may read"
        case _:
            return f"give a {what} that can be read"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def check_memory(path: Path, needed: int) -> None:
    """Raise OSError where so many bytes are not free."""
    free = psutil.virtual_memory().available
    if needed > free:
        message = f"it takes {_mebibytes(needed)} of memory, and {_mebibytes(free)} are free"
        raise OSError(errno.ENOMEM, message, str(path))


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is compressed as NumPy compresses nothing")
    with archive.open(member) as file:
        return _array(file, member.filename)


def _array(file: IO[bytes], name: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of headers that old versions wrote
        try:
            shape, by_columns, dtype = NPY_HEADERS[np.lib.format.read_magic(file)](file)
            # Numbers and text only, for reading objects may run any code; and no more than the file really has.
            return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if by_columns else "C")
        except (KeyError, TypeError, SyntaxError, tokenize.TokenError, RecursionError):
            raise ValueError(f"{name} has a header that NumPy does not write") from None
