"""How every program of this repository ends: with a status, and with at most one line that says why.

It needs only the standard library, so that a program can use it before it imports the rest.
"""

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from shared.system import own_python, progress, trace
from shared.system.errors import CrashError, InputError
from shared.system.escaping import one_line
from shared.system.language import say

OK, FAILED, BAD_INPUT, CRASHED, INTERRUPTED = 0, 1, 2, 70, 130  # 70 is EX_SOFTWARE of sysexits.h
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Errors of the system that no program can foresee, each with its cure: a full disk, a missing permission, a limit.
NO_ROOM, NO_LEAVE, NO_MORE = (
    "make room there",
    "choose a place where you may write",
    "end other programs, or raise ulimit",
)
CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), NO_ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), NO_LEAVE),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM), NO_MORE),
    errno.EIO: f"{NO_ROOM}, or see whether the disk is sound",
}
REPORTS_KEPT = 20
SECONDS_OF_TIDYING = 2 * progress.SECONDS_TO_END  # so long after an interrupt others are ignored
_interrupts: list[float] = []  # the times of those that were not ignored
_waits = threading.Event()  # set while an interrupt is to wait


@contextlib.contextmanager
def importing(program: str) -> Iterator[None]:
    """Around a program's imports, which take a second: what ends the program meanwhile is told in one line too."""
    _protect_streams()
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        _find_working_directory()
        with progress.doing(say("{what} starts", what=program)), trace.span("start"):
            yield
        raise_lost_interrupt()
        signal.signal(signal.SIGINT, before)
    except ModuleNotFoundError as error:
        own_python.go_on()
        cure = "run 'make setup', and start again"
        sys.exit(_end(program, InputError(f"{error.name} is not installed for {sys.executable}; {cure}")))
    except BaseException as error:  # noqa: BLE001 told in one line
        sys.exit(_end(program, error))


def _find_working_directory() -> None:
    try:
        os.getcwd()  # noqa: PTH109 so that pathlib need not be imported here
    except OSError as error:
        raise InputError(f"the working directory: {error.strerror}; change to one that exists") from None


def exit_status(program: str, main: Callable[[], int]) -> int:
    """Run `main`, and return the status to exit with.

    That is what `main` returns, 2 for InputError and what the system refuses, 130 for an interrupt (Ctrl-C, SIGTERM or
    SIGHUP), 70 for any other exception, whose traceback is written into a file. A child of compare.py sends status and
    line to its parent, and prints neither. A line that can't be printed never changes what the program does.
    """
    _protect_streams()
    _interrupts.clear()
    _waits.clear()
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    for number in INTERRUPTS:
        # SIGINT is obeyed even where the shell ignores it, as it does for jobs in the background; but not SIGHUP under
        # nohup.
        if number != signal.SIGHUP or before[number] != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    progress.follow_parent()
    try:
        with trace.span(trace.WHOLE):
            status = main()
        progress.tell(ended={"status": status, "line": ""})
        for number, handler in before.items():
            signal.signal(number, handler)
    except BaseException as error:  # noqa: BLE001 told in one line
        return _end(program, error)
    return status


def leave(status: int) -> NoReturn:
    """End this process at once. A framework would take up to a second to free what the system frees in no time."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def raise_lost_interrupt() -> None:
    """Raise KeyboardInterrupt where a library has swallowed one, as some do while they are imported."""
    if _interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt wait until the block has ended, which tidies up: a moment's work."""
    if _waits.is_set():
        yield
        return
    _waits.set()
    try:
        yield
    finally:
        _waits.clear()
    raise_lost_interrupt()


def _interrupt(_number: int, _frame: object) -> None:
    if not _interrupts or time.monotonic() - _interrupts[-1] > SECONDS_OF_TIDYING:
        _interrupts.append(time.monotonic())
        if not _waits.is_set():
            raise KeyboardInterrupt


def _end(program: str, error: BaseException) -> int:
    """Say in one line what has ended the program. Returns its status."""
    _waits.set()  # for good: this program ends
    if _interrupts and isinstance(error, Exception):
        error = KeyboardInterrupt()  # a library has made another exception of it
    match error:
        case InputError():
            status, line = BAD_INPUT, str(error)
        case KeyboardInterrupt():
            status, line = INTERRUPTED, "interrupted"
        case MemoryError():
            status, line = BAD_INPUT, "out of memory; lower --hidden-sizes or --batch-size, or end other programs"
        case OSError() if error.errno in CURES:
            where = f"{error.filename}: " if error.filename else ""
            status, line = BAD_INPUT, f"{where}{error.strerror}; {CURES[error.errno]}"
        case CrashError():
            status, line = CRASHED, str(error)
        case Exception():
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            status, line = CRASHED, f"{what}; this is a fault of the program; {_write_report(program, error)}"
        case _:
            raise error
    if progress.has_parent():
        progress.tell(ended={"status": status, "line": line})
    else:
        prefix = "" if status == INTERRUPTED else "error: " if status == BAD_INPUT else "crashed: "
        print(f"{program}: {prefix}{one_line(line)}", file=sys.stderr)
    return status


def _write_report(program: str, error: BaseException) -> str:
    """Write the whole traceback into the cache. Returns where it is, in words."""
    told = "".join(traceback.format_exception(error))
    try:
        from shared.system import cache

        base = cache.folder()
        assert base, told
        folder = base / "crashes"
        folder.mkdir(exist_ok=True)
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[: -REPORTS_KEPT + 1]:
            old.unlink()
        path = folder / f"{time.strftime('%Y-%m-%d-%H-%M-%S')}-{os.getpid()}.txt"
        text = f"{program}\n{sys.argv}\n{sys.version}\n\n{told}"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except Exception:  # noqa: BLE001 the first error is the one to tell
        print(told, file=sys.stderr)
        return "its traceback stands above"
    return f"its traceback is in {path}"


class _Screen(io.FileIO):
    """A stream whose reader may be gone, or whose disk may be full: what can't be written is dropped."""

    def write(self, data: Any, /) -> int:
        progress.printed()
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _protect_streams() -> None:
    """Make printing never fail: neither for a closed or full stream, nor for a character that it can't show."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened would get its number, and would be printed into
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):  # else it was replaced on purpose
            encoding = getattr(stream, "encoding", "utf-8")
            buffered = io.BufferedWriter(_Screen(number, "w", closefd=False))
            by_line = getattr(stream, "line_buffering", True)
            setattr(sys, name, io.TextIOWrapper(buffered, encoding, errors="replace", line_buffering=by_line))
