"""Which way the arrows run: a framework is imported in its own implementation and nowhere else."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PYTORCH = {"torch", "torchvision", "pytorch_impl"}
TENSORFLOW = {"tensorflow", "keras", "tensorflow_datasets", "tensorflow_impl"}
FORBIDDEN = {
    "shared": PYTORCH | TENSORFLOW | {"compare"},
    "pytorch_impl": TENSORFLOW | {"compare"},
    "tensorflow_impl": PYTORCH | {"compare"},
    "compare.py": PYTORCH | TENSORFLOW,
}


def imported(source):
    """Top-level packages of every import, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide an arrow"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_arrows_run_down_only(room):
    paths = [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).glob("**/*.py"))
    assert paths
    for path in paths:
        assert not FORBIDDEN[room] & set(imported(path.read_text())), path


def test_an_import_inside_a_function_is_seen():
    assert set(imported("def f():\n    import torch.nn\n    from keras.src import x")) == {"torch", "keras"}


def test_loading_everything_shared_loads_no_framework():
    modules = [f"shared.{path.stem}" for path in (ROOT / "shared").glob("*.py") if path.stem != "__init__"]
    code = f"import sys, compare, {', '.join(modules)}; print(*sorted(sys.modules), sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "shared.referee" in loaded.splitlines()
    assert not (PYTORCH | TENSORFLOW) & set(loaded.splitlines())
