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
from shared.system import cache, output
from tests import faults

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def pytest_addoption(parser):
    parser.addoption(
        "--framework",
        choices=[*PACKAGES, "reference"],
        help="the implementation or framework to test, for the tests that `make test` runs in both environments "
        "(default: the one that is installed); one a process, for the two crash together",
    )


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
    return subprocess.run(
        [python, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
        encoding="utf-8",
    )


@pytest.fixture(autouse=True, scope="session")
def nothing_kept_from_earlier():
    """The runs of a test's own process are made, not fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "KIND", f"runs-of-tests-{os.getpid()}")
        yield
        for left in cache.folder().glob(f"{store.KIND}*"):
            cache._clear(left)


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
