"""What is asked of a Python before it trains."""

import sys
from pathlib import Path

import pytest

from shared.comparing.processes import versions
from shared.system.errors import InputError


def distribution(folder, name, package, version):
    """As pip leaves one."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "top_level.txt").write_text(f"{package}\n", encoding="utf-8")


def test_a_version_is_that_of_whatever_distribution_has_the_package(tmp_path, monkeypatch):
    distribution(tmp_path, "some-framework", "some_framework", "1.2")
    distribution(tmp_path, "other-framework-cpu", "other_framework", "3.4")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = versions(Path(sys.executable), ["some_framework", "other_framework"])
    assert found == {"some_framework": "1.2", "other_framework": "3.4 of other-framework-cpu"}


@pytest.mark.parametrize("python", [sys.executable, "/bin/true", "/no/such/python"])
def test_a_version_that_nothing_tells_is_one_line(python):
    with pytest.raises(InputError, match=rf"^{python}: .*sloth.*; install it with pip, or run 'make setup'$"):
        versions(Path(python), ["sloth"])
