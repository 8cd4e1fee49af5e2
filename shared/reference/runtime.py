"""NumPy's threads, set once before any work, and what it runs on."""

import platform

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from shared.contract import DeviceFacts
from shared.execution import Execution
from shared.system.errors import InputError
from shared.system.machine import cpu_name


def configure(execution: Execution, dtype: str) -> str:
    """Set threads. Raises InputError for `--device cuda`."""
    if execution.device == "cuda":
        raise InputError("--device cuda: the reference is NumPy and has no GPU; use --device auto or cpu")
    threadpool_limits(limits=execution.threads)
    return "cpu"


def describe(device: str) -> DeviceFacts:
    """The device for the record and the screen."""
    return DeviceFacts(type="cpu", name=cpu_name(), cuda_available=False)


def versions() -> dict[str, str]:
    """NumPy's, and Python's."""
    return {"numpy": np.__version__, "python": platform.python_version()}


def settings() -> dict[str, str]:
    """The BLAS library and its threads, and the processor that it has detected, which decides how it adds."""
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            named = (pool["internal_api"], pool["version"], pool.get("architecture"))
            return {"threads": str(pool["num_threads"]), "BLAS": " ".join(filter(None, named))}
    return {}


def ran_out_of_memory(error: Exception) -> bool:
    """Whether this is how NumPy says that memory is short."""
    return isinstance(error, MemoryError)
