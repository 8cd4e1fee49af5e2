"""What the probes share: how a measurement becomes a value of the table, and how the values leave their process.

A probe is a public function without parameters, with the key of its row as its name. It asks the installed library: by
what the library does in a tiny computation, or else by what its signature declares. It returns a `Value`.
"""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shared.system.ending import OK
from shared.system.paths import ROOT

Value = str | bool | int | float | tuple[int | float, ...]

# Far more than rounding does to the tiny computations, far less than what tells their formulas apart.
TOLERANCE = 1e-6


class UnrecognisedError(Exception):
    """A library did something that none of our formulas describes. The message says what."""


def recognise(measured: ArrayLike, candidates: Mapping[str, ArrayLike], tolerance: float = TOLERANCE) -> str:
    """The name of the only candidate that equals the measured numbers.

    Equal means: the same shape, and no difference above `tolerance` times the candidate's largest magnitude. Raises
    UnrecognisedError where no candidate is equal, or more than one.
    """
    found = np.asarray(measured, np.float64)
    fitting = [
        name
        for name, candidate in ((name, np.asarray(numbers, np.float64)) for name, numbers in candidates.items())
        if found.shape == candidate.shape and np.abs(found - candidate).max() <= tolerance * np.abs(candidate).max()
    ]
    if len(fitting) != 1:
        told = " and ".join(fitting) or f"none of {', '.join(candidates)}"
        raise UnrecognisedError(f"{np.array2string(found, threshold=8)} is {told}")
    return fitting[0]


def default(function: Callable[..., object], parameter: str) -> Any:
    """The declared default of a parameter. Raises UnrecognisedError where there is no such parameter or no default."""
    found = inspect.signature(function).parameters.get(parameter)
    if found is None or found.default is inspect.Parameter.empty:
        raise UnrecognisedError(f"{function} has no parameter {parameter!r} with a default")
    return found.default


def printed_by(module: str) -> float:
    """The number that `python -m module` prints: of what can't be tried in a process that does anything else.

    Raises UnrecognisedError where it ends otherwise.
    """
    command = [sys.executable, "-m", module]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["nothing"])[-1]
        raise UnrecognisedError(f"{module} ended with status {run.returncode}, and said: {last}")
    return float(run.stdout)


def six_digits(number: float) -> float:
    """A measured number, rounded to where rounding in the library does not show."""
    return float(f"{number:.6g}")


def probes(modules: Iterable[ModuleType]) -> dict[str, Callable[[], Value]]:
    """The public functions that the modules define, by name, in their order."""
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, FunctionType) and function.__module__ == module.__name__ and not name.startswith("_")
    }


def main(versions: Mapping[str, str], modules: Iterable[ModuleType]) -> int:
    """Run all probes and print one JSON object: versions by library; by row, values and what was not recognised."""
    values: dict[str, Value] = {}
    unrecognised: dict[str, str] = {}
    for name, probe in probes(modules).items():
        try:
            values[name] = probe()
        except UnrecognisedError as error:
            unrecognised[name] = str(error)
    # "+cu130" and the like say what a library was built for, not which version it is.
    releases = {library: version.partition("+")[0] for library, version in versions.items()}
    print(json.dumps({"versions": releases, "values": values, "unrecognised": unrecognised}, allow_nan=False))
    return OK
