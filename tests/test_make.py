"""What make does beyond starting a program, by the real make."""

import subprocess

import pytest

from shared.comparing.processes import find_interpreter
from tests.conftest import ROOT

PYTHONS = [f"{name.upper()}={find_interpreter(name, None)}" for name in ("PyTorch", "TensorFlow")]
# The environments are there, or the test would not run: make need not look.
MAKE = ["make", "-o", ".venv/pytorch", "-o", ".venv/tensorflow", *PYTHONS]


@pytest.mark.parametrize(
    ("selected", "status"),
    [
        ("test_defaults_are_the_tutorials", 0),  # in the first environment alone
        ("no_test_has_this_name_anywhere", 2),
    ],
    ids=["somewhere", "nowhere"],
)
def test_what_is_selected_may_be_in_the_first_environment_alone_but_must_be_somewhere(selected, status):
    command = [*MAKE, "test", f"PYTEST_ARGS=-p no:cacheprovider -n 0 --ignore tests/test_make.py -k {selected}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == status, run.stdout + run.stderr
    if status == 0:
        assert "1 passed" in run.stdout
