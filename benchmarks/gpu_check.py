"""Everything that a machine with a GPU can show, in one command of at most ten minutes: `make gpu-check`.

Both frameworks train on the GPU: in float32 and in float64, every run twice, by each engine, and with TF32 on. Each of
their steps is verified, and timed beside the bare matrix products. All goes into one page, which one can send.
"""

import contextlib
import csv
import functools
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from threadpoolctl import threadpool_limits

from benchmarks import gpu_page, processes
from benchmarks.gpu_page import Attempt, Found
from shared.comparing.comparison import compare, refuse_what_the_machine_lacks
from shared.comparing.processes import find_interpreter, versions
from shared.comparing.runs import Announcer
from shared.comparing.verification import verify
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.mnist import check_files
from shared.running.record import read_run
from shared.system import ending, machine, output, progress
from shared.system.errors import InputError, OneLineError
from shared.system.paths import ROOT

NAME = "gpu_check.py"
OUT = ROOT / "out" / "gpu-check"
SECONDS = 600.0  # for all of it
TO_TIDY_UP = 60.0  # of these, for the frameworks to tell what they see, the processes to end, the page to be drawn
SECONDS_TO_ANSWER = 30.0  # for nvidia-smi, which waits for a driver that hangs
PRODUCTS = ("float32", "float32 in TF32", "float64")
ENGINES = ("eager", "fast")
# What each framework answers where it is asked for the GPUs that it sees.
SEES = {
    "PyTorch": "import json, torch; print(json.dumps([torch.cuda.get_device_name(n) for n in "
    "range(torch.cuda.device_count())]))",
    "TensorFlow": "import json, tensorflow as tf; print(json.dumps([tf.config.experimental.get_device_details(gpu)"
    "['device_name'] for gpu in tf.config.list_physical_devices('GPU')]))",
}
CURES = {
    "PyTorch": "its build must fit the driver (https://pytorch.org/get-started), and CUDA_VISIBLE_DEVICES hide none",
    "TensorFlow": "install requirements/tensorflow-cuda.txt: make setup does, where it finds the driver",
}


class OutOfTimeError(Exception):
    """The ten minutes are over."""


def main() -> int:
    """Check the GPU of this machine."""
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    cards = _cards()
    if not cards:
        raise InputError(
            "no GPU: this machine has no NVIDIA driver that shows one; run it where nvidia-smi lists a card"
        )
    seen = {name: _seen(name, python) for name, python in pythons.items()}
    for name, names in seen.items():
        if not names:
            raise InputError(f"{name} sees no GPU, though the driver shows {'; '.join(cards)}; {CURES[name]}")
    facts = {f"GPU {number}": card for number, card in enumerate(cards)}
    facts |= {f"{name} sees": ", ".join(names) for name, names in seen.items()}
    return check(Configuration.of(device="cuda"), pythons, facts, OUT)


def check(
    configuration: Configuration,
    pythons: Mapping[str, Path],
    facts: dict[str, str],
    out: Path,
    seconds: float = SECONDS,
) -> int:
    """Measure, and write the page into the folder `out`. Returns the exit status.

    The configuration names the device, "cuda"; on "cpu" all is done in the same way, and shows that this program works.
    """
    check_files()
    refuse_what_the_machine_lacks(configuration, prove=True, side_by_side=False)
    found = Found(configuration, facts | _versions(pythons))
    with output.fresh_folder(out) as folder:
        _measure(found, pythons, folder / "runs", time.monotonic() + seconds - TO_TIDY_UP)
        gpu_page.write(found, folder)
    print(f"{gpu_page.sentence(found)}\nReport, one file that can be sent: {out / gpu_page.PAGE}")
    return ending.FAILED if found.reasons else ending.OK


def _parts(found: Found, pythons: Mapping[str, Path], folder: Path) -> dict[str, Callable[[], None]]:
    """All that is measured, by its name, what takes longest last."""
    parts: dict[str, Callable[[], None]] = {
        f"the bare products in {products}": functools.partial(_add_floor, found, pythons["PyTorch"], products)
        for products in PRODUCTS
    }
    for framework in FRAMEWORKS:
        for engine, tf32 in [*((engine, False) for engine in ENGINES), (IMPLEMENTATIONS[framework].auto, True)]:
            add = functools.partial(_add_attempt, found, pythons[framework], folder)
            parts[f"{framework}, {engine}{', TF32 on' * tf32}"] = functools.partial(add, framework, engine, tf32)
    parts["the comparison with its proof"] = functools.partial(_add_comparison, found, pythons, folder)
    return parts


def _measure(found: Found, pythons: Mapping[str, Path], folder: Path, until: float) -> None:
    """Do all parts. One that fails, or that there is no time for, is told, and the others are done."""
    folder.mkdir()
    parts = _parts(found, pythons, folder)
    found.missing.update(dict.fromkeys(parts, "not done, for the time was over"))
    for number, (name, add) in enumerate(parts.items(), start=1):
        left = until - time.monotonic()
        progress.notice(f"[{number}/{len(parts)}] {name}; at most {max(left, 0):.0f} s more")
        try:
            with _no_longer_than(left):
                add()
        except OutOfTimeError:
            continue
        except OneLineError as error:
            found.missing[name] = str(error)
        else:
            del found.missing[name]


@contextlib.contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the block once so many seconds are over; what it started is ended as by an interrupt."""
    if seconds <= 0:
        raise OutOfTimeError

    def raise_it(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _add_floor(found: Found, python: Path, products: str) -> None:
    configuration = found.configuration.but(dtype=products.partition(" ")[0])
    command = [str(python), "-m", "benchmarks.floor", *configuration.options()]
    tf32 = {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"} if "TF32" in products else {}
    said, _ = processes.run(f"the floor in {products}", command, **tf32)
    found.floors[products] = statistics.median(json.loads(said)["epoch_seconds"])


def _add_attempt(found: Found, python: Path, folder: Path, framework: str, engine: str, tf32: bool) -> None:
    out = folder / f"{framework}-{engine}{'-tf32' * tf32}".lower()
    module = ["benchmarks.tf32", framework] if tf32 else [IMPLEMENTATIONS[framework].module]
    options = [*found.configuration.but(engine=engine).options(), "--checkpoints", "--out", str(out)]
    processes.run(f"{framework}, {engine}", [str(python), "-m", *module, *options])
    run = read_run(out)
    with threadpool_limits(1), ThreadPoolExecutor(machine.cores()) as executor:
        found.attempts.append(Attempt(framework, engine, tf32, run, verify(run, executor)))


def _add_comparison(found: Found, pythons: Mapping[str, Path], folder: Path) -> None:
    found.outcome = compare(found.configuration, pythons, folder / "compared", prove=True, watcher=Announcer())


def _cards() -> list[str]:
    """Each card with its driver and memory, as nvidia-smi tells; else the names that the driver shows."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        asked = subprocess.run(
            query, check=False, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS_TO_ANSWER
        )
        if asked.returncode == 0:
            rows = csv.reader(asked.stdout.splitlines(), skipinitialspace=True)
            return [
                f"{name}, driver {driver}, {memory}, compute capability {able}" for name, driver, memory, able in rows
            ]
    return machine.gpus()


def _seen(framework: str, python: Path) -> list[str]:
    """The names of the GPUs that a framework sees."""
    asked, _ = processes.run(f"asking {framework} for its GPUs", [str(python), "-c", SEES[framework]])
    names: list[str] = json.loads(asked.splitlines()[-1])
    return names


def _versions(pythons: Mapping[str, Path]) -> dict[str, str]:
    told = {"processor": f"{machine.cpu_name()}, {machine.cores()} cores"}
    for name, python in pythons.items():
        known = versions(python, IMPLEMENTATIONS[name].packages)
        told[f"{name} with"] = ", ".join(f"{package} {version}" for package, version in known.items())
    return told | {"settings that count": json.dumps(machine.environment())}


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
