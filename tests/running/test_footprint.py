"""What a run takes of memory and disk: foretold, refused where it is not there, and said where it ends."""

import functools
import re
import sys

import pytest

from shared.comparing.comparison import memory_needed
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.reference.__main__ import load
from shared.running import footprint, runner
from shared.running.record import CHECKPOINT_STEPS
from shared.system import machine
from shared.system.errors import InputError
from tests.conftest import run_program
from tests.test_programs import PYTHONS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process can't be held to so many bytes")


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration.of(epochs=1, batch_size=30_000, hidden_sizes=(1, 1)),
        Configuration.of(epochs=2, batch_size=10_000, hidden_sizes=(48, 8)),
        Configuration.of(epochs=2, batch_size=5_000, hidden_sizes=(300, 200), dtype="float64"),
        Configuration.of(epochs=30, batch_size=60_000, hidden_sizes=(8, 8)),
        Configuration.of(epochs=1, batch_size=2_000, hidden_sizes=(64, 64), optimizer="adam"),
    ],
)
@pytest.mark.parametrize("checkpoint_steps", [None, 8])
def test_a_record_takes_as_much_disk_as_foretold(configuration, checkpoint_steps, tmp_path):
    options = [*configuration.options(), "--out", str(tmp_path / "run")]
    options += ["--checkpoints", str(checkpoint_steps)] * (checkpoint_steps is not None)
    assert runner.main("Reference", load, options) == 0
    taken = sum(path.stat().st_size for path in (tmp_path / "run").iterdir())
    assert taken <= footprint.disk_needed(configuration.training, checkpoint_steps) <= 1.2 * taken


# Each in another way large: the weights, the batch, the optimizer's state and the numbers.
LARGE = {
    "weights": {"hidden_sizes": (1024, 1024)},
    "batch": {"batch_size": 60_000, "hidden_sizes": (256, 256)},
    "state": {"optimizer": "adam", "dtype": "float64", "hidden_sizes": (768, 768)},
}


@pytest.mark.parametrize(
    ("framework", "large"),
    [
        ("Reference", "weights"),
        ("Reference", "batch"),
        ("Reference", "state"),
        ("PyTorch", "weights"),
        ("TensorFlow", "batch"),
    ],
)
def test_a_run_takes_at_its_peak_the_memory_foretold_or_a_little_more(framework, large, tmp_path):
    configuration = Configuration.of(**({"epochs": 1, "batch_size": 3_000, "device": "cpu"} | LARGE[large]))
    module = "shared.reference" if framework == "Reference" else f"{framework.lower()}_impl"
    code = (
        f"import pathlib, re; from {module} import __main__; from shared.running import runner\n"
        f"assert runner.main('{framework}', __main__.load) == 0\n"
        # Not getrusage's figure: that of a child begins at its parent's.
        r"print(re.search(r'VmHWM:\s+(\d+)', pathlib.Path('/proc/self/status').read_text('utf-8'))[1])"
    )
    run = run_program(
        "-c", code, *configuration.options(), "--out", tmp_path, python=PYTHONS.get(framework, sys.executable)
    )
    taken = int(run.stdout.split()[-1]) * 1024
    assert 0.5 * taken < footprint.memory_needed(configuration, framework) < taken


def refusal(configuration, needed):
    with pytest.raises(InputError) as error:
        footprint.refuse_what_does_not_fit(configuration, needed)
    return str(error.value)


def test_what_does_not_fit_is_refused_by_the_option_that_makes_it_large(monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: 3_100_000_000)
    needed = functools.partial(footprint.memory_needed, name="Reference")
    wide, long = (
        Configuration.of(hidden_sizes=(16_384, 16_384)),
        Configuration.of(batch_size=60_000, hidden_sizes=(8192, 64)),
    )
    gigabytes = r"needs about 1\d\.\d GB of memory, and 3\.1 GB are available; lower"
    assert re.fullmatch(rf"--hidden-sizes 16384,16384 {gigabytes} --hidden-sizes", refusal(wide, needed))
    assert refusal(long, needed).startswith("--batch-size 60000 needs about ")
    footprint.refuse_what_does_not_fit(Configuration(), needed)
    monkeypatch.setattr(machine, "memory", lambda: 10_000)
    assert refusal(Configuration(), needed).endswith("; end other programs")


def test_a_comparison_holds_all_its_records_and_runs_two_at_once_side_by_side():
    small, wide = Configuration.of(device="cpu"), Configuration.of(device="cpu", hidden_sizes=(8192, 8192))
    of = functools.partial(memory_needed, prove=False, side_by_side=False)
    assert of(small) == max(footprint.memory_needed(small, name, CHECKPOINT_STEPS) for name in FRAMEWORKS)
    # The frameworks' with checkpoints; of the reference three in float32, and one in float64, which is as large as two.
    records = 2 * footprint.disk_needed(wide.training, CHECKPOINT_STEPS) + 5 * footprint.disk_needed(wide.training)
    assert of(wide) == pytest.approx(records, rel=1e-3)
    assert memory_needed(wide, prove=True, side_by_side=False) > 2 * of(wide)
    assert memory_needed(small, prove=False, side_by_side=True) > 1.8 * of(small)


# Held to little more than it has mapped. The import comes first: it maps far more than it takes.
HELD_TO = """
import resource, sys
from {module} import load
from shared.running import runner
load()
taken = int(open("/proc/self/statm", encoding="utf-8").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {room}, taken + {room}))
sys.exit(runner.main("{framework}", load))
"""


@pytest.mark.parametrize("framework", ["Reference", *PYTHONS])
@pytest.mark.parametrize("room", [2**27, 2**29])
def test_a_run_that_runs_out_all_the_same_says_so_in_one_line(framework, room, tmp_path):
    module = f"{IMPLEMENTATIONS[framework].module}.__main__"
    code = HELD_TO.format(module=module, framework=framework, room=room)
    options = ["--hidden-sizes", "2048,2048", "--batch-size", "60000", "--device", "cpu", "--out", tmp_path / "out"]
    run = run_program("-c", code, *options, python=PYTHONS.get(framework, sys.executable))
    assert run.returncode == 2, run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert "memory" in run.stderr
    assert not any(tmp_path.iterdir())


def test_compare_refuses_before_anything_starts(tmp_path):
    options = ["--hidden-sizes", "16384,16384", "--batch-size", "60000", "--dtype", "float64", "--prove"]
    run = run_program("compare.py", *options, "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch(r"compare\.py: error: --hidden-sizes 16384,16384 needs about \d+\.\d GB of .*\n", run.stderr)
    assert not any(tmp_path.iterdir())
