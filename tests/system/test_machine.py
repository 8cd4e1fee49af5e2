"""What of the machine a run may use, and the outer settings that can change its bits."""

import json
import os
import sys

import pytest

from shared.system import machine
from tests.conftest import run_program

GPU = "Model: \t\t {}\nIRQ:   \t\t 0\nGPU UUID: \t {}\nBus Location: \t 0000:00:1e.0\n"


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system that is as these files say."""
    monkeypatch.setattr(machine, "SYSTEM", tmp_path)

    def has(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return has


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "350000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "6400000 100000"}, 8),
        # Its own group sets no limit, the group that this one is in does.
        (
            {
                "proc/self/cgroup": "0::/job/step",
                "sys/fs/cgroup/job/step/cpu.max": "max 100000",
                "sys/fs/cgroup/job/cpu.max": "200000 100000",
            },
            2,
        ),
        # A path of the host, which its container does not see.
        ({"proc/self/cgroup": "0::/docker/1a2b", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        (
            {
                "proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:/job",
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_the_cores_are_those_that_affinity_and_quota_leave(system, files, expected):
    system(files)
    assert machine.cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to CPUs")
def test_a_process_bound_to_one_cpu_has_one_core():
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{one}]); from shared.system import machine; print(machine.cores())"
    assert run_program("-c", code).stdout == "1\n"


STAT = "anon 5\ninactive_file 300\nactive_file 20\ntotal_inactive_file 300\ntotal_active_file 20"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "proc/self/cgroup": "0::/job",
                "sys/fs/cgroup/job/memory.max": "5000",
                "sys/fs/cgroup/job/memory.current": "1000",
                "sys/fs/cgroup/job/memory.stat": STAT,
            },
            5000 - 1000 + 320,
        ),
        # The parent's other children have taken more.
        (
            {
                "proc/self/cgroup": "0::/job",
                "sys/fs/cgroup/job/memory.max": "5000",
                "sys/fs/cgroup/job/memory.current": "1000",
                "sys/fs/cgroup/memory.max": "6000",
                "sys/fs/cgroup/memory.current": "4500",
            },
            1500,
        ),
        (
            {
                "proc/self/cgroup": "9:memory:/job",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "5000",
                "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "1000",
                "sys/fs/cgroup/memory/job/memory.stat": STAT,
            },
            4320,
        ),
        (
            {
                "proc/self/cgroup": "0::/",
                "sys/fs/cgroup/memory.max": "1000",
                "sys/fs/cgroup/memory.current": "1001",
            },
            0,
        ),
    ],
)
def test_the_memory_is_the_least_that_any_group_leaves(system, files, expected):
    system(files)
    assert machine.memory() == expected


def test_a_group_without_a_limit_leaves_what_the_system_has(system):
    system({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.current": "7"})
    assert machine.memory() > 10**8


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process can't be held to so many bytes")
def test_a_limit_of_the_process_itself_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (987654321, 987654321));"
        "from shared.system import machine; print(machine.memory())"
    )
    assert run_program("-c", code).stdout == "987654321\n"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["NVIDIA H100", "NVIDIA A40"]),
        ("", []),
        ("-1", []),
        ("1", ["NVIDIA A40"]),
        ("1,0", ["NVIDIA A40", "NVIDIA H100"]),
        ("0,7,1", ["NVIDIA H100"]),
        ("GPU-bb", ["NVIDIA A40"]),
        ("GPU-cc", []),
    ],
)
def test_the_gpus_are_those_that_the_driver_shows_and_the_user_chose(system, monkeypatch, visible, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == []
    for bus, (model, uuid) in enumerate([("NVIDIA H100", "GPU-aa11"), ("NVIDIA A40", "GPU-bb22")]):
        system({f"proc/driver/nvidia/gpus/0000:0{bus}:00.0/information": GPU.format(model, uuid)})
    assert machine.gpus() == expected


def test_settings_that_can_change_bits_are_told_from_those_that_do_not():
    counts = [
        "ATEN_CPU_CAPABILITY",
        "CUDA_VISIBLE_DEVICES",
        "GLIBC_TUNABLES",
        "KERAS_MAX_EPOCHS",
        "LD_PRELOAD",
        "MKL_CBWR",
    ]
    counts += ["NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "ONEDNN_MAX_CPU_ISA"]
    counts += ["OPENBLAS_CORETYPE", "TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "TORCHINDUCTOR_FREEZING", "XLA_FLAGS"]
    counts += ["PYTORCH_JIT", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"]
    talk = ["TF_CPP_MIN_LOG_LEVEL", "TORCH_LOGS", "MKL_VERBOSE", "KMP_WARNINGS", "OPENBLAS_VERBOSE"]
    ours = ["COMPARE_TURNS", "KERAS_BACKEND", "KERAS_HOME", "CUBLAS_WORKSPACE_CONFIG", "KMP_DUPLICATE_LIB_OK"]
    others = ["PATH", "HOME", "LANG", "TF_VAR_password", "TF_CLI_CONFIG_FILE", "NVIDIA_API_KEY", "KERAS_TOKEN"]
    found = machine.settings_of({name: name.lower() for name in (*others, *ours, *talk, *reversed(counts))})
    assert found == {name: name.lower() for name in sorted(counts)}
    assert list(found) == sorted(found)


def test_the_environment_is_that_of_the_start_whatever_is_set_later():
    code = (
        "import json, os; from shared.system import machine;"
        "os.environ['XLA_FLAGS'] = 'later'; os.environ['MKL_CBWR'] = 'x';"
        "print(json.dumps(machine.environment()))"
    )
    told = json.loads(run_program("-c", code, env={**os.environ, "XLA_FLAGS": "at the start"}).stdout)
    assert told["XLA_FLAGS"] == "at the start"
    assert "MKL_CBWR" not in told
