"""The machine a run was made on."""

import platform
from pathlib import Path


def cpu_name() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    with_model = Path("/proc/cpuinfo")
    if with_model.exists():
        for line in with_model.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
