"""What the probes of the frameworks' defaults are made with, and how their values leave their process.

A probe is a function without parameters, named as its row of `defaults`. It asks the installed library, by what the
library declares or, better, by what it does in a tiny computation, and returns a `Value`.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from shared.system.ending import OK

Value = str | bool | int | float | tuple[int | float, ...]

# Well above what rounding does to the tiny computations, well below what tells their formulas apart.
TOLERANCE = 1e-6


class UnrecognisedError(Exception):
    """A library did something that no formula at hand describes. The message says what."""


class Loaded(NamedTuple):
    """A framework, imported: the versions of its libraries, and the modules that hold its probes."""

    versions: dict[str, str]
    modules: tuple[ModuleType, ...]


def recognise(measured: ArrayLike, candidates: Mapping[str, ArrayLike], tolerance: float = TOLERANCE) -> str:
    """The name of the one candidate that the measured numbers are.

    Of their shape, and nowhere further off than `tolerance` times the candidate's largest magnitude. Raises
    UnrecognisedError where none fits, or more than one.
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
    """What a parameter is where it is not given. Raises UnrecognisedError where it must be given, or does not exist."""
    found = inspect.signature(function).parameters.get(parameter)
    if found is None or found.default is inspect.Parameter.empty:
        raise UnrecognisedError(f"{function} has no parameter {parameter!r} with a default")
    return found.default


def six_digits(number: float) -> float:
    """A measured number without what rounding added to it."""
    return float(f"{number:.6g}")


def probes(modules: Iterable[ModuleType]) -> dict[str, Callable[[], Value]]:
    """Every public function that the modules define, by name, in their order."""
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, FunctionType) and function.__module__ == module.__name__ and not name.startswith("_")
    }


def main(load: Callable[[], Loaded]) -> int:
    """Run every probe and print one JSON object: the versions, the values, and what was not recognised, by row."""
    loaded = load()
    values: dict[str, Value] = {}
    unrecognised: dict[str, str] = {}
    for name, probe in probes(loaded.modules).items():
        try:
            values[name] = probe()
        except UnrecognisedError as error:
            unrecognised[name] = str(error)
    # "+cu130" and the like say for what a library was built, not which one it is.
    versions = {library: version.partition("+")[0] for library, version in loaded.versions.items()}
    print(json.dumps({"versions": versions, "values": values, "unrecognised": unrecognised}, allow_nan=False))
    return OK
