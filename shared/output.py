"""A fresh output folder: written aside, and put in its place whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.errors import InputError
from shared.paths import ROOT

# What was made once and can be made again, each file named by what it was made from.
CACHE = ROOT / ".cache"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file aside and put it at `path`: whole, or not at all.

    Raises InputError where it can't be written.
    """
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        aside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; make room and leave to write there") from None
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def fresh_folder(out: Path, marker: str) -> Iterator[Path]:
    """Yield an empty folder beside `out`; on success it becomes `out`, on any exception it is removed.

    A folder already at `out` is replaced at the end, and only if it holds the file `marker`, so that nothing but
    our own earlier results is ever removed. Raises InputError where `out` can't be used.
    """
    given, cure = out, "give --out a new folder"
    try:
        out = given.resolve()
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {given}: it is a file; {cure}")
        if out.is_dir() and any(out.iterdir()) and not (out / marker).exists():
            raise InputError(f"--out {given}: it holds other files than an earlier result; {cure}")
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise InputError(f"--out {given}: {error.strerror}; {cure} where you may write") from None
    try:
        partial.chmod(0o755)  # mkdtemp's folders are private; results are not
        yield partial
        if out.exists():
            earlier = partial.with_suffix(".earlier")
            out.rename(earlier)
            try:
                partial.rename(out)
            except BaseException:
                earlier.rename(out)
                raise
            shutil.rmtree(earlier)
        else:
            partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
