"""The cache: what was made once and can be made again is kept for the next run, in one folder of limited size.

Each entry is a folder with a manifest, named by what it was made from, and is used only while it is whole. The cache
only saves time: where nothing can be kept, that is said once, and the run goes on.
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.system import output, progress
from shared.system.language import say
from shared.system.paths import ROOT

# An environment variable: the folder that holds the cache, if a user wants it elsewhere.
VARIABLE = "TWIN_TRAINING_CACHE"
# Of each kind of entry; the least recently used go first.
MOST_ENTRIES = 1000
MOST_BYTES = 10**9
SECONDS_BEFORE_SAYING = 1.0
_said = False


@functools.cache
def folder() -> Path | None:
    """The cache: in the checkout, or, where that can't be written, in the user's own; None where neither can be."""
    named = os.environ.get(VARIABLE)
    # There too it is a folder of its own: 'make clean' removes it.
    elsewhere = Path(named or os.environ.get("XDG_CACHE_HOME") or "~/.cache") / output.PROGRAM
    for place in [elsewhere] if named else [ROOT / ".cache", elsewhere]:
        try:
            candidate = place.expanduser()
            candidate.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=candidate):
                return candidate.resolve()
        except (OSError, RuntimeError, ValueError):  # the last two: a loop of links or no home; a NUL
            continue
    _say_once("no folder for it can be written")
    return None


def made(kind: str, key: str, make: Callable[[Path], object]) -> Path:
    """The folder of an entry, whole: `make` fills it where it is missing or damaged.

    Where it can't be kept, it is made for this process alone, among its temporary files.
    """
    entry = kept(kind, key, make)
    if entry:
        return entry
    alone = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
    make(alone)
    return alone


def kept(kind: str, key: str, make: Callable[[Path], object]) -> Path | None:
    """As `made`; None where the entry can't be kept."""
    base = folder()
    if base is None:
        return None
    entry = base / kind / key
    try:
        (base / kind).mkdir(exist_ok=True)
        if not _is_usable(entry):
            with _alone(base / kind):
                if not _is_usable(entry):  # unless another process has just made it
                    _add(entry, make)
        with contextlib.suppress(OSError):  # the disk may be read-only
            os.utime(entry)
    except (OSError, NotImplementedError) as error:  # the latter on a file system without locks
        _say_once(f"{base / kind}: {getattr(error, 'strerror', None) or error}")
        return None
    return entry


def find(kind: str, key: str) -> Path | None:
    """The folder of an entry; None where there is none that is whole."""
    base = folder()
    return base / kind / key if base and _is_usable(base / kind / key) else None


def _is_usable(entry: Path) -> bool:
    return entry.is_dir() and not entry.is_symlink() and output.is_whole(entry)


@contextlib.contextmanager
def _alone(kind: Path) -> Iterator[None]:
    """Be the only process that makes entries of this kind."""
    from filelock import FileLock, Timeout  # here, because all else needs only the standard library

    lock = FileLock(kind.with_suffix(".lock"))
    try:
        lock.acquire(timeout=SECONDS_BEFORE_SAYING)
    except Timeout:
        progress.notice(say("Waiting for another run, which is making {kind}", kind=kind))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _say_once(why: str) -> None:
    global _said  # noqa: PLW0603 once a process
    if not _said and not progress.has_parent():  # the parent says it
        progress.notice(say("Nothing is kept for the next run: {why}", why=why))
    _said = True


def _add(entry: Path, make: Callable[[Path], object]) -> None:
    """Make an entry, and then remove old ones. Half-made ones are of killed runs, since nobody else makes any now."""
    for left in entry.parent.glob(f"*{output.STAGING}"):
        _clear(left)
    if os.path.lexists(entry):
        progress.notice(say("{entry} is damaged: it is made again", entry=entry))
    staging = entry.with_name(f"{entry.name}{output.STAGING}")
    staging.mkdir()
    try:
        make(staging)
        output.write_manifest(staging)
        _clear(entry)
        staging.rename(entry)
    finally:
        _clear(staging)
    _trim(entry.parent)


def _trim(kind: Path) -> None:
    """Remove the least recently used entries beyond the limits. The newest stays, whatever its size."""
    entries = sorted((path for path in kind.iterdir() if path.is_dir()), key=lambda path: -path.stat().st_mtime_ns)
    total = 0
    for number, entry in enumerate(entries):
        total += sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
        if number and (number >= MOST_ENTRIES or total > MOST_BYTES):
            _clear(entry)


def _clear(path: Path) -> None:
    """Remove what stands in an entry's place, be it a folder, a file or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
