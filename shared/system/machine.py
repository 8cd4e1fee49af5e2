"""The machine that a run is made on: what it is, what may be used of it, and its settings that can change bits."""

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

# The root of the files in which a system describes itself; another folder only in tests.
SYSTEM = Path("/")
# Variables that a numerical library or a compiler reads. By prefix: each reads dozens, and every version more.
_READ_BY_LIBRARIES = re.compile(
    "(ATEN|BLIS|CUBLAS|CUDA|CUDNN|DNNL|GOMP|GOTO|KERAS|KMP|MKL|NPY|NUMEXPR|NVIDIA|NVPL|OMP|ONEDNN|OPENBLAS|PYTORCH|TF|TORCH"
    "|TORCHINDUCTOR|TRITON|VECLIB|XLA)_|(CXX|GLIBC_TUNABLES|LD_(LIBRARY_PATH|PRELOAD)|DYLD_.*)$"
)
# Of these, those that change no bits: of logs and of caches; Terraform's, which have the same prefix; secrets; and
# those that this project and threadpoolctl set themselves, whatever the user has, also in the workers of a run.
_CHANGES_NOTHING = re.compile(
    "TF_(CPP_|CONFIG$|GRPC_REUSE_PORT$)|.*(CACHE|LOG|VERBOS|WARN)|TF_(CLI|VAR)_|.*(KEY|PASSWORD|SECRET|TOKEN)|KERAS_(BACKEND|HOME)$|CUBLAS_WORKSPACE"
    "|KMP_DUPLICATE_LIB_OK"
)


def settings_of(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of these environment variables that can change a run's bits, in the order of their names."""
    return {
        name: value
        for name, value in sorted(variables.items())
        if _READ_BY_LIBRARIES.match(name) and not _CHANGES_NOTHING.match(name)
    }


# Read before any library or program of ours sets one.
_AT_START = settings_of(os.environ)


def environment() -> dict[str, str]:
    """The environment variables that can change a run's bits, as they were when the program started."""
    return dict(_AT_START)


def cpu_name() -> str:
    """The processor's model name where the system knows it, else its architecture."""
    with_model = Path("/proc/cpuinfo")
    if with_model.exists():
        for line in with_model.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many CPUs this process may use: what the system, its affinity and its container's quota leave it."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for group in _control_groups() if (quota := _cpu_quota(group)) is not None]
    return max(1, int(min(count, *quotas)) if quotas else count)


def memory() -> int:
    """Bytes of memory that can still be taken: the least of what the system, the container and our own limit leave."""
    left: list[int] = [psutil.virtual_memory().available]
    left += [free for group in _control_groups() if (free := _free_memory(group)) is not None]
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            left.append(limit)
    return max(0, min(left))


def gpus() -> list[str]:
    """The names of the NVIDIA GPUs that a program may use, from the driver; none without a driver."""
    known: dict[str, str] = {}  # name by UUID
    for path in sorted(SYSTEM.glob("proc/driver/nvidia/gpus/*/information")):
        told = dict(line.split(":", 1) for line in _text(path).splitlines() if ":" in line)
        known[told.get("GPU UUID", str(path)).strip()] = told.get("Model", "a GPU").strip()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not known:
        return list(known.values())
    visible = []
    for word in chosen.split(","):
        by_number = dict(enumerate(known.values()))
        fitting = [name for uuid, name in known.items() if word and uuid.startswith(word.strip())]
        if word.strip().isdecimal() and int(word) in by_number:
            visible.append(by_number[int(word)])
        elif fitting or word.strip().startswith("MIG-"):
            visible.append(fitting[0] if fitting else word.strip())
        else:
            break  # as in CUDA: the first that does not exist ends the list
    return visible


def _control_groups() -> Iterator[Path]:
    """The folders of the control groups that this process is in, each with its parents: any of them can limit it.

    In a container the path from the root of all groups may not exist; there the root that it sees is its own group.
    """
    seen: set[Path] = set()
    mounted = SYSTEM / "sys/fs/cgroup"
    for line in _text(SYSTEM / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        # Version 2 has one tree, without names of controllers; version 1 a tree for each.
        for top in [mounted / name for name in controllers.split(",")] if controllers else [mounted]:
            group = top / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(top) and folder not in seen:
                    seen.add(folder)
                    yield folder


def _cpu_quota(group: Path) -> float | None:
    """CPUs; None where the group has no limit."""
    quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = (_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def _free_memory(group: Path) -> int | None:
    """Bytes; None where the group has no limit. The cache of files counts as free: the system gives it up."""
    for limit, used, cached in (
        ("memory.max", "memory.current", ("inactive_file", "active_file")),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
    ):
        bound, taken = _text(group / limit).strip(), _text(group / used).strip()
        if bound.isdecimal() and taken.isdecimal():
            words = dict(line.split() for line in _text(group / "memory.stat").splitlines())
            return int(bound) - int(taken) + sum(int(words.get(name, 0)) for name in cached)
    return None


def _text(path: Path) -> str:
    """The file's text; empty where it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
