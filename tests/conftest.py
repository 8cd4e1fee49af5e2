import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.comparing import store
from shared.contract import FRAMEWORKS
from shared.execution import Execution
from shared.system import cache, language, machine, output, progress
from tests import faults

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def pytest_addoption(parser):
    parser.addoption(
        "--framework",
        choices=[*PACKAGES, "reference"],
        help="the implementation or framework to test, for the tests that `make test` runs in both environments "
        "(default: the one that is installed); one a process: PyTorch's first optimizer crashes after TensorFlow",
    )


# What takes seconds rather than moments, the longest first: it starts programs, trains, compiles or opens a browser.
# `make check` leaves it out; in other runs it comes first, so that no worker is left alone with it at the end.
SLOW = (
    "tests/running/test_several_machines.py",
    "tests/pairs/test_diagnosis.py",
    "tests/pairs/test_each_side.py",
    "tests/pairs/test_pair_optimizers.py",
    "tests/test_faults.py",
    "tests/test_programs.py",
    "tests/test_notebook.py",
    "tests/reporting/test_page.py",
    "tests/implementations/test_workers.py",
    "tests/test_properties.py",
    "tests/running/test_footprint.py",
    "tests/running/test_launcher.py",
    "tests/comparing/test_verification.py",
    "tests/benchmarks/test_gpu_check.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/studies/test_cluster.py",
    "tests/studies/test_sweep.py",
    "tests/benchmarks/test_sound.py",
    "tests/pairs/test_pair_command.py",
    "tests/pairs/test_pair_report.py",
    "tests/pairs/test_template.py",
    "tests/logs/test_weights_files.py",
    "tests/logs/test_log_report.py",
    "tests/implementations/test_implementation.py::test_trains_as_the_reference_does_short_last_batch_included[fast-",
    "tests/implementations/test_implementation.py::test_a_prepared_copy_that_is_damaged_is_made_again",
    "tests/implementations/test_devices.py",
    "tests/implementations/test_stock.py",
    "tests/reporting/test_terminal.py::test_a_terminal_is_shown",
    "tests/reporting/test_terminal.py::test_the_terminal_is_left",
    "tests/reporting/test_terminal.py::test_colours_are",
    "tests/reporting/test_terminal.py::test_a_refusal",
    "tests/reporting/test_drawing.py",
    "tests/test_make.py",
)
MOST_WORKERS = 4  # each starts programs of up to a gigabyte


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Of `-n auto`: as many as there are cores for us, each of which is used by one thread."""
    return min(machine.cores(), MOST_WORKERS)


def pytest_sessionstart(session):
    """What the programs prepare once, and say so, is prepared before several of them wait for it."""
    if not hasattr(session.config, "workerinput") and not cache.find("tensorflow_datasets", "mnist"):
        python = ROOT / ".venv" / "tensorflow" / "bin" / "python"
        run_program("-c", "from tensorflow_impl import data; data.read('test')", python=python)


def pytest_collection_modifyitems(items):
    def place(item):
        return next((place for place, start in enumerate(SLOW) if item.nodeid.startswith(start)), len(SLOW))

    items.sort(key=place)
    for item in items:
        if place(item) < len(SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_sessionfinish(session):
    """A worker's table of faults goes to the process that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = [dict(faults.tried), dict(faults.fell_short)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    tried, fell_short = getattr(node, "workeroutput", {}).get("faults", ({}, {}))
    faults.tried.update(tried)
    faults.fell_short.update(fell_short)


def pytest_terminal_summary(terminalreporter):
    if lines := faults.table():
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="session")
def framework(request):
    named = request.config.getoption("framework")
    return named or next(name for name, package in PACKAGES.items() if importlib.util.find_spec(package))


@pytest.fixture(scope="session")
def implementation(framework):
    package = "shared.reference" if framework == "reference" else f"{framework}_impl"
    return importlib.import_module(f"{package}.__main__").load()


@pytest.fixture(scope="session")
def device(implementation):
    # First of all and once a process: TensorFlow sets its threads before its first operation or never.
    return implementation.runtime.configure(Execution(device="cpu"), "float32")


@pytest.fixture(scope="session")
def name(framework, device):
    """Of the framework under test, as tables have it; the reference is skipped."""
    if framework == "reference":
        pytest.skip("the reference has no defaults")
    # TensorFlow, once it is told to be deterministic, draws no number without a seed.
    if framework == "tensorflow":
        importlib.import_module("keras").utils.set_random_seed(0)
    return next(known for known in FRAMEWORKS if known.lower() == framework)


def run_program(*arguments, python=sys.executable, cwd=ROOT, **options):
    """Run a program of the repository to its end."""
    run = subprocess.run(
        [python, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
        encoding="utf-8",
    )
    run.stderr = but_still(run.stderr)
    return run


def but_still(said):
    """What was said to standard error, without what only a slow machine says: that a program is still at work."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith(progress.STILL))


@pytest.fixture(autouse=True, scope="session")
def spoken_to_in_english():
    """Whatever the locale: the tests' own process, and those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(language.BY_LOCALE[0], language.ENGLISH)
        yield


@pytest.fixture(autouse=True, scope="session")
def nothing_kept_from_earlier():
    """The runs of a test's own process are made, not fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "KIND", f"runs-of-tests-{os.getpid()}")
        yield
        for left in cache.folder().glob(f"{store.KIND}*"):
            cache._clear(left)


@pytest.fixture(autouse=True, scope="session")
def nothing_said_of_silences():
    """Of those of a test's own process, which may be slow."""
    progress._over.set()


@pytest.fixture(autouse=True, scope="session")
def compiled_in_a_folder_that_goes():
    """A program compiles in its own temporary folder; the tests' process has none."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", folder)
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of the test's own, for its process and those that it starts."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    cache.folder.cache_clear()
    monkeypatch.setattr(cache, "_said", False)
    yield tmp_path / "cache" / output.PROGRAM
    cache.folder.cache_clear()
