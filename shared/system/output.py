"""Output folders that this program may replace, because it can tell its own files from a user's.

A result is made in a staging folder beside its place, and put there whole or not at all. Its manifest lists every file
with its SHA-256. Only a folder whose manifest is ours, and which holds just those files, unchanged, is ever removed.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared.system import ending
from shared.system.errors import InputError

MANIFEST = "manifest.json"
PROGRAM = "twin-training"
# The first bytes of every manifest of ours, also of one that is not whole yet.
BEGINNING = f'{{\n "written_by": "{PROGRAM}"'.encode()
# What desktops leave in every folder that they show: nobody's work.
LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
STAGING, REPLACED = ".partial", ".earlier"
# The errors of a rename onto a folder that is not empty, where nothing else is in its way.
NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}
MEGABYTE = 10**6


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under another name, and then put it at `path`: whole, or not at all.

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
def fresh_folder(out: Path, *, needed: int = 0, replaces_own: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `out`; on success it becomes `out`, on any exception it is removed.

    A folder already at `out` is replaced at the end, and only if all it holds is an earlier result of ours. First of
    all, what killed runs left beside `out` is removed. Raises InputError where `out` can't be used, or where fewer than
    `needed` bytes are free there: before the work. Where only the end shows that `out` can't be replaced, as when a
    user's file has come meanwhile, it raises InputError too, leaves the result whole beside `out`, and says where. With
    `replaces_own`, for what this run itself has put at `out` before, only the end shows that.
    """
    given = out
    with _named(given):
        out = _resolved(given)
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {given}: it is a file; give --out a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        with _locked(out.parent) as alone:
            if alone:
                _clear_up(out)
            if not replaces_own:
                _refuse_what_is_not_ours(given, out)
            staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", suffix=STAGING, dir=out.parent))
            try:
                claim = _claim(staging)
                _refuse_what_could_not_be_replaced(given, out, staging)
                _refuse_a_full_disk(given, staging, needed)
            except BaseException:
                with ending.uninterrupted():
                    shutil.rmtree(staging, ignore_errors=True)
                raise
    try:
        staging.chmod(0o755)  # mkdtemp's folders are private; results are not
        with _temporary_files_in(staging / "tmp"):
            yield staging
        write_manifest(staging)
        with _locked(out.parent):
            _put(staging, out, given)
    except OSError as error:  # a failed write does not name its file
        error.filename = error.filename or str(given)
        raise
    finally:
        with ending.uninterrupted():
            shutil.rmtree(staging, ignore_errors=True)
            os.close(claim)


@contextlib.contextmanager
def renewed_folder(out: Path, *, kept: str) -> Iterator[Path]:
    """As `fresh_folder`, in place of what this run has put at `out` itself, of which the folder `kept` stays."""
    with fresh_folder(out, replaces_own=True) as folder:
        if (out / kept).is_dir():
            shutil.copytree(out / kept, folder / kept, copy_function=_link)
        yield folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system has links
        shutil.copy2(source, target)


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Put all temporary files of the block, its libraries' and its children's too, into `folder`, and remove it.

    So what a killed run leaves of them is removed with its staging folder. Compiling a step leaves some 300 MB.
    """
    folder.mkdir()
    before, cached = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = cached
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        with ending.uninterrupted():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _named(given: Path) -> Iterator[None]:
    """Turn what the system refuses into InputError, which names the folder as it was given."""
    try:
        yield
    except (OSError, ValueError) as error:  # the latter for a name with a NUL
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--out {given}: {why}; give --out a new folder where you may write") from None


def _resolved(given: Path) -> Path:
    try:
        return given.resolve()
    except RuntimeError:  # for a loop of links, in Python up to 3.12
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def _refuse_what_is_not_ours(given: Path, out: Path) -> None:
    if out.is_dir() and (obstacle := find_obstacle(out)):
        raise InputError(f"--out {given}: {obstacle}; move it away, or give --out a new folder")


def _refuse_what_could_not_be_replaced(given: Path, out: Path, staging: Path) -> None:
    """Try to move `out` onto a folder that is not empty. That always fails; the error tells whether `out` can move."""
    if not out.exists():
        return
    try:
        out.rename(staging)
    except OSError as error:
        if error.errno == errno.EBUSY:
            cure = f"give --out a folder in it, such as {given / 'report'}"
            raise InputError(f"--out {given}: it is a mount point, which can't be replaced; {cure}") from None
        if error.errno not in NOT_EMPTY:
            raise


def _refuse_a_full_disk(given: Path, staging: Path, needed: int) -> None:
    free = shutil.disk_usage(staging).free
    if free < needed:
        found = f"{needed / MEGABYTE:,.1f} MB are needed and {free / MEGABYTE:,.1f} MB are free"
        raise InputError(f"--out {given}: {found}; make room, or give --out a folder on another disk")


def _put(staging: Path, out: Path, given: Path) -> None:
    """Rename `staging` to `out`; where that is not possible, to a free name beside it, and raise InputError."""
    try:
        _refuse_what_is_not_ours(given, out)
        if not out.exists():
            staging.rename(out)
            return
        replaced = staging.with_suffix(REPLACED)
        out.rename(replaced)
        try:
            staging.rename(out)
        except BaseException:
            replaced.rename(out)
            raise
    except (OSError, InputError) as error:
        beside = next(path for n in range(2, 10_000) if not (path := out.with_name(f"{out.name}-{n}")).exists())
        try:
            staging.rename(beside)
        except OSError:  # nothing can be renamed here any more: a copy elsewhere is better than nothing
            beside = Path(tempfile.mkdtemp(prefix=f"{out.name}-"))
            shutil.copytree(staging, beside, dirs_exist_ok=True)
        why = error if isinstance(error, InputError) else f"--out {given}: {error.strerror}"
        raise InputError(f"{why}; this run's result is whole, in {beside}") from None
    with contextlib.suppress(OSError):  # the next run tries again
        remove(replaced)


def write_manifest(folder: Path) -> None:
    """List all files of a folder, each with its SHA-256, in its manifest."""
    files = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    text = json.dumps({"written_by": PROGRAM, "files": files}, indent=1) + "\n"
    # Written in place, because the staging folder's lock is on this very file. Not emptied first, because its
    # beginning, which never changes, tells a killed run's staging folder from a user's.
    with os.fdopen(os.open(folder / MANIFEST, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        file.write(text.encode())
        file.truncate()


def read_manifest(folder: Path) -> dict[str, str] | None:
    """The SHA-256 of each file by its path in the folder; None where the folder has no manifest of ours."""
    path = folder / MANIFEST
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8")) if path.is_file() and not path.is_symlink() else None
        files: dict[str, str] = found["files"]
        return files if found["written_by"] == PROGRAM and all(map(_is_inside, files)) else None
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return None


def _is_inside(name: str) -> bool:
    """Whether a path of a manifest leads to a file of its own folder."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def find_obstacle(folder: Path) -> str | None:
    """What keeps a folder from being removed, in words; None where we wrote everything in it."""
    files = read_manifest(folder)
    if files is None:
        first = min((path.name for path in folder.iterdir() if path.name not in LITTER), default=None)
        return first and f"it holds {first}, and no {MANIFEST} that tells it from a file of yours"
    folders = {str(parent) for name in files for parent in Path(name).parents}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            return f"it holds {name}, a link that is not ours"
        if path.is_dir():
            if name not in folders:
                return f"it holds {name}, a folder that is not ours"
        elif name not in files and name != MANIFEST and path.name not in LITTER:
            return f"it holds {name}, which is not ours"
        elif name in files and sha256(path) != files[name]:
            return f"it holds {name}, which has changed since we wrote it"
    return None


def is_whole(folder: Path) -> bool:
    """Whether the folder holds every file of its manifest, unchanged, and nothing else."""
    files = read_manifest(folder)
    try:
        return files is not None and find_obstacle(folder) is None and all((folder / name).is_file() for name in files)
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Remove the files of the folder's manifest, and then the folder where nothing else is left in it."""
    files = read_manifest(folder) or {}
    for path in [*(folder / name for name in files), *(p for p in folder.rglob("*") if p.name in LITTER)]:
        path.unlink(missing_ok=True)
    folders = sorted((path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True)
    with contextlib.suppress(OSError):  # a folder may hold somebody's file
        for path in folders:
            path.rmdir()
        if {path.name for path in folder.iterdir()} <= {MANIFEST}:
            (folder / MANIFEST).unlink(missing_ok=True)
            folder.rmdir()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# A staging folder belongs to a living run while its manifest is locked: the system releases a lock when the process
# that holds it ends, however it ends. The folder around it is locked only while folders in it are made or renamed.


def _claim(staging: Path) -> int:
    """Write the manifest of a folder that is being filled, and lock it until the returned descriptor is closed."""
    write_manifest(staging)
    return _lock(staging / MANIFEST, fcntl.LOCK_EX)


def _lock(path: Path, how: int) -> int:
    """A descriptor that holds a lock on a file or folder. Raises OSError; BlockingIOError where another has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Be the only one of our processes to make or rename folders in `folder`. Yields whether that was possible."""
    try:
        descriptor = _lock(folder, fcntl.LOCK_EX)
    except OSError:  # a file system without locks, or a folder that may be written and not read
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _clear_up(out: Path) -> None:
    """Remove what killed runs left beside `out`, and put back a result that one of them had moved away."""
    for suffix in (REPLACED, STAGING):
        for left in out.parent.glob(f".*-????????{suffix}"):
            place = left.with_name(left.name[1 : -len(f"-????????{suffix}")])
            if place == out:
                with contextlib.suppress(OSError):  # it is a link, or not empty, as most are
                    left.rmdir()
            if left.is_symlink() or not _is_orphan(left):
                continue
            if suffix == STAGING:
                shutil.rmtree(left, ignore_errors=True)
            elif not place.exists():
                left.rename(place)
            elif find_obstacle(left) is None:
                remove(left)


def _is_orphan(folder: Path) -> bool:
    """Whether one of our runs made the folder, and that run has ended."""
    try:
        descriptor = _lock(folder / MANIFEST, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as manifest:
        return manifest.read(len(BEGINNING)) == BEGINNING
