import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"pytorch": "torch", "tensorflow": "tensorflow"}


def pytest_addoption(parser):
    parser.addoption(
        "--framework",
        choices=[*PACKAGES, "referee"],
        help="the implementation that tests/test_implementation.py tests (default: the one that is installed); "
        "one a process, for the two crash together",
    )


@pytest.fixture(scope="session")
def framework(request):
    named = request.config.getoption("framework")
    return named or next(name for name, package in PACKAGES.items() if importlib.util.find_spec(package))


def run_program(*arguments, python=sys.executable, cwd=ROOT, **options):
    """Run a program of the repository to its end."""
    return subprocess.run(
        [python, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=300, **options
    )
