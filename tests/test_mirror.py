"""The two implementations are twins, and so are the probes: same files, same names, same order, same signatures."""

import ast
import importlib.util

import pytest

from tests.conftest import ROOT

TWINS = {"pytorch_impl": "tensorflow_impl", "library_defaults/pytorch": "library_defaults/tensorflow"}


# A trial is made in Keras, and what its float64 needs: PyTorch has nothing to change.
TRIALS = {f"pair/{name}.py" for name in ("edits", "loss_edits", "optimizer_edits", "patches")}
# How a framework is seen into is its own: of these only what the other side of the process asks of both is compared.
SEEING = ("pair/layers.py", "pair/watch.py")


def files(package):
    found = {str(path.relative_to(ROOT / package)) for path in (ROOT / package).rglob("*.py")}
    return sorted(found - TRIALS)


# (PyTorch's package, TensorFlow's, file)
FILES = [(package, twin, file) for package, twin in TWINS.items() for file in files(package) if file not in SEEING]


def outline(path):
    """(kind, name, parameters) of what a module defines, in order; types aside, for those are the frameworks'."""

    def walk(body, within=""):
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield "class", within + node.name, ()
                yield from walk(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                arguments = node.args
                names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
                defaults = [ast.unparse(d) for d in (*arguments.defaults, *filter(None, arguments.kw_defaults))]
                yield "def", within + node.name, (*names, *defaults)

    return list(walk(ast.parse(path.read_text(encoding="utf-8")).body))


def test_both_have_the_same_files():
    for package, twin in TWINS.items():
        assert files(package) == files(twin)
    assert {"train.py", "stock.py"} <= set(files("pytorch_impl"))
    assert {"layers.py", "optimizers.py", "training.py"} <= set(files("library_defaults/pytorch"))


@pytest.mark.parametrize(("package", "twin", "file"), FILES)
def test_same_names_in_the_same_order_with_the_same_signatures(package, twin, file):
    pytorch, tensorflow = outline(ROOT / package / file), outline(ROOT / twin / file)
    # What one framework alone must say: the forward pass's name, Keras's loss function and its kernels' layout; what
    # Keras's optimizers lack of PyTorch's; compiled code, which TensorFlow runs for a shape in any number, and PyTorch
    # keeps in a file, with the update only where it is plain SGD's; that `fit` needs a model; what the workers of each
    # are held together by, and find each other by.
    forced = {"MLP.forward": "MLP.call"}
    only_one = {
        "of_logits",
        "of_probabilities",
        "_transpose_kernel",
        "load",
        "_train_group",
        "_is_plain_sgd",
        "many_steps",
        "compiled_gradients",
        "_gradients_and_loss",
        "_padded",
        "_compile",
        "_capture",
        "_find_vector_instructions",
        "_compiler",
        "builder",
        "parallel",
        "strategy",
        "_total",
        "_refuse_loopback",
        "_cluster_of_slurm",
    }
    # Each has the order of its arguments from its framework.
    only_one |= {"_passing_on", "_prepare", "default_loss"}
    if file == "optimizers.py":
        only_one |= {name for kind, name, _ in tensorflow if kind == "class"}
    if file == "pair/subject.py":
        # What the process asks of both. PyTorch has the names of parameters by itself.
        tensorflow, pytorch = ([entry for entry in of if not is_own(entry[1])] for of in (tensorflow, pytorch))
    expected = [(kind, forced.get(name, name), parameters) for kind, name, parameters in pytorch]
    both = [
        [entry for entry in entries if entry[1].partition(".")[0] not in only_one] for entries in (tensorflow, expected)
    ]
    assert both[0] == both[1]


def is_own(name):
    return name.rpartition(".")[2].startswith("_") or name == "Model.named_variables"


@pytest.mark.parametrize(("package", "twin", "file"), FILES)
def test_same_docstrings(package, twin, file):
    def docstrings(of):
        tree = ast.parse((ROOT / of / file).read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        return {node.name: ast.get_docstring(node) for node in nodes}

    pytorch, tensorflow = docstrings(package), docstrings(twin)
    neutral = {name: (text or "").replace("PyTorch", "X") for name, text in pytorch.items()}
    say_what_differs = {"read", "warm_up", "interchange", "many_steps", "carry", "prepare", "step", "gradients"}
    for name in (pytorch.keys() & tensorflow.keys()) - say_what_differs:
        assert (tensorflow[name] or "").replace("TensorFlow", "X") == neutral[name], name


def test_an_outline_notices_a_change(tmp_path):
    module = tmp_path / "module.py"
    outlines = []
    for text in ("def f(a, *, b=1): ...", "def f(a, *, b=2): ...", "def f(b, *, a=1): ...", "class f: ..."):
        module.write_text(text, encoding="utf-8")
        outlines.append(outline(module))
    assert len({str(o) for o in outlines}) == len(outlines)
    assert importlib.util.find_spec("shared")
