"""Which way the arrows run: a framework is imported in its own implementation and nowhere else."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PYTORCH = {"torch", "torchvision", "pytorch_impl"}
TENSORFLOW = {"tensorflow", "keras", "tensorflow_datasets", "tensorflow_impl"}
FORBIDDEN = {
    "shared/**/*.py": PYTORCH | TENSORFLOW | {"compare"},
    "pytorch_impl/**/*.py": TENSORFLOW | {"compare"},
    "tensorflow_impl/**/*.py": PYTORCH | {"compare"},
    "compare.py": PYTORCH | TENSORFLOW,
    "examples/*/in_pytorch.py": TENSORFLOW | {"compare", "shared"},
    "examples/*/in_keras.py": PYTORCH | {"compare", "shared"},
    "library_defaults/*.py": PYTORCH | TENSORFLOW | {"compare"},
    # `shared` imports it.
    "library_defaults/rows.py": PYTORCH | TENSORFLOW | {"compare", "shared", "library_defaults", "benchmarks"},
    "library_defaults/pytorch/*.py": TENSORFLOW | {"compare"},
    "library_defaults/tensorflow/*.py": PYTORCH | {"compare"},
}
FOLDERS = ("shared", "pytorch_impl", "tensorflow_impl", "library_defaults", "examples", "benchmarks", "tests")
# The packages of `shared`, each of which may import those before it; its own modules, "", have their place among them.
LAYERS = ("system", "", "running", "reference", "comparing", "studies", "reporting", "pairs", "logs")


def imported(source):
    """The dotted names of every import, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide an arrow"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(source):
    """Top-level packages of every import."""
    return {name.partition(".")[0] for name in imported(source)}


def without_encoding(source):
    """Lines that read or write text in whatever encoding the user's locale has."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not any(keyword.arg == "encoding" for keyword in node.keywords):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            as_text = any(k.arg == "text" and getattr(k.value, "value", None) is True for k in node.keywords)
            if name in ("read_text", "write_text") or as_text:
                yield node.lineno
            elif name == "open" and isinstance(node.func, ast.Name):
                mode = next((a.value for a in node.args[1:] if isinstance(a, ast.Constant)), "r")
                if "b" not in str(mode):
                    yield node.lineno


def test_every_text_is_read_and_written_in_an_encoding_that_is_named():
    for path in (*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).glob("**/*.py"))):
        assert not list(without_encoding(path.read_text(encoding="utf-8"))), path


def test_a_text_without_an_encoding_is_seen():
    lines = ["open(x)", "open(x, 'rb')", "open(x, 'w')", "p.read_text()", "p.write_text(t)", "run(c, text=True)"]
    assert list(without_encoding("\n".join(lines))) == [1, 3, 4, 5, 6]


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_run_down_only(part):
    paths = sorted(ROOT.glob(part))
    assert paths
    for path in paths:
        assert not FORBIDDEN[part] & packages(path.read_text(encoding="utf-8")), path


def test_matplotlib_is_imported_in_one_place_which_no_setting_of_a_user_reaches():
    importers = {
        str(path.relative_to(ROOT))
        for path in (*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).glob("**/*.py")))
        if "matplotlib" in packages(path.read_text(encoding="utf-8"))
    }
    assert importers == {"shared/reporting/drawing.py"}


def test_an_import_inside_a_function_is_seen():
    assert packages("def f():\n    import torch.nn\n    from keras.src import x") == {"torch", "keras"}


def test_each_package_of_shared_imports_only_those_before_it():
    assert {path.parent.name for path in (ROOT / "shared").glob("*/__init__.py")} == set(LAYERS) - {""}
    for path in (ROOT / "shared").glob("**/*.py"):
        own = LAYERS.index(path.relative_to(ROOT / "shared").parts[0] if path.parent != ROOT / "shared" else "")
        for name in imported(path.read_text(encoding="utf-8")):
            assert not name.startswith("library_defaults.") or name.startswith("library_defaults.rows."), path
            first, second, *_ = [*name.split("."), ""]
            if first == "shared" and second:
                assert LAYERS.index(second if second in LAYERS else "") <= own, (path, name)


def test_loading_everything_shared_loads_no_framework():
    paths = [path.relative_to(ROOT) for path in (ROOT / "shared").glob("**/*.py") if not path.stem.startswith("__")]
    modules = [".".join(path.with_suffix("").parts) for path in paths]
    code = f"import sys, compare, {', '.join(modules)}; print(*sorted(sys.modules), sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert "shared.reference" in loaded.splitlines()
    assert not (PYTORCH | TENSORFLOW) & set(loaded.splitlines())
