"""`compare.py --pair` with files and data that can't be compared: one line that says what, where, and the cure."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import command, data, serving, sides
from shared.system.errors import InputError
from tests.conftest import ROOT, run_program
from tests.test_programs import alive, children_of, contents, wait_for_child

TORCH, KERAS = range(2)
PYTHONS = {name: find_interpreter(name, None) for name in FRAMEWORKS}
OPENED = {"dtype": "float64", "seed": 0, "batch_size": 8, "steps": 4}

TORCH_HEAD = "import torch\nfrom torch import nn\n\n"
KERAS_HEAD = "import keras\nimport numpy as np\nimport tensorflow as tf\nfrom keras import layers\n\n"
TORCH_MODEL = f"{TORCH_HEAD}def model():\n    return nn.Linear(4, 3)\n\n"
KERAS_MODEL = f"{KERAS_HEAD}def model():\n    return keras.Sequential([keras.Input([4]), layers.Dense(3)])\n\n"
HEADS, MODELS = (TORCH_HEAD, KERAS_HEAD), (TORCH_MODEL, KERAS_MODEL)


def module_of(output, more=""):
    """A PyTorch model that returns this, made of its linear layer's output `y`."""
    return (
        f"{TORCH_HEAD}{more}\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = nn.Linear(4, 3)\n    def forward(self, x):\n        y = self.fc(x)\n"
        f"        return {output}\n"
        "def model():\n    return Model()\n"
    )


def layers_of(output, more=""):
    """The same in Keras."""
    return (
        f"{KERAS_HEAD}{more}\nclass Model(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = layers.Dense(3)\n    def call(self, x):\n        y = self.fc(x)\n        return {output}\n"
        "def model():\n    return Model()\n"
    )


RECORD = "from dataclasses import dataclass\n@dataclass\nclass Record:\n    logits: object\n    more: object = None\n"

# Of either framework's file: its text, and what is said of it.
EITHER = {
    "no model": ("x = 1\n", "bad.py: it has no function model(); write one"),
    "model is a number": ("model = 3\n", "bad.py: model is a value of type int, not a function; write"),
    "model raises": ("def model():\n    raise ValueError('a\\nb')\n", "bad.py, line 2: ValueError: a b; mend it there"),
    "nothing returned": ("def model():\n    pass\n", "bad.py: model() returned None; return"),
    "syntax": ("def model(:\n", "bad.py, line 1: SyntaxError: invalid syntax; mend it there"),
    "null": ("x = '\0'\n", "bad.py: SyntaxError: source code string cannot contain null bytes; mend it there"),
    "import": ("import no_such_module\n", "bad.py, line 1: ModuleNotFoundError: No module named 'no_such_module'; ins"),
    "exit": ("import sys\nsys.exit(3)\n", "bad.py, line 2: it ended the program, SystemExit(3); mend it there"),
    "exit later": (
        "def model():\n    raise SystemExit('so')\n",
        "bad.py, line 2: it ended the program, SystemExit('so')",
    ),
    "no Exception": ("class E(BaseException): pass\ndef model():\n    raise E('so')\n", "bad.py, line 3: E: so; mend"),
    "recursion": ("def model():\n    return model()\n", "bad.py, line 2: RecursionError: maximum recursion depth"),
    "asks": ("def model():\n    input('Layers? ')\n", "bad.py, line 2: EOFError: EOF when reading a line; mend"),
    "other file's": (
        "import beside\ndef model():\n    beside.fail()\n",
        "inside/deep.py, line 2: KeyError: 'so'; mend it",
    ),
}
# Of each framework's own: what follows the head, or a whole file; and what is said of it.
OWN = {
    TORCH: {
        "a class": ("def model():\n    return nn.Linear\n", "model() returned the class Linear; return an nn.Module;"),
        "a list": (
            "def model():\n    return [nn.Linear(4, 3)]\n",
            "model() returned a value of type list; return an nn",
        ),
        "an instance": (
            "model = nn.Linear(4, 3)\n",
            "model is a value of type Linear, not a function; write a function",
        ),
        "no parameters": (
            "def model():\n    return nn.ReLU()\n",
            "the model has no parameters, so nothing can be train",
        ),
        "frozen": (
            "def model():\n    return nn.Linear(4, 3).requires_grad_(False)\n",
            "the model has no trainable parameters, so nothing can be trained; give one that has",
        ),
        "complex": (
            "def model():\n    return nn.Linear(4, 3, dtype=torch.complex64)\n",
            "bad.py: weight is complex; give a model of real parameters",
        ),
        "shape": (
            "def model():\n    return nn.Linear(5, 3)\n",
            "cannot be multiplied (8x4 and 5x3) (a batch: inputs (8, 4) float64, targets (8,) int64); mend the file",
        ),
        "too large": (
            "def model():\n    return nn.Linear(4_000_000, 3_000_000)\n",
            "memory is short: make the model sm",
        ),
        "cuda": ("def model():\n    return nn.Linear(4, 3).cuda()\n", "bad.py, line 5: RuntimeError: "),
        "swapped": (KERAS_MODEL, "bad.py, line 1: ModuleNotFoundError: No module named 'keras'; each side has its own"),
        "tuple": (
            module_of("y, 2 * y"),
            "more than a tensor, 0 (8, 3), 1 (8, 3), and no loss says what is trained; wri",
        ),
        "dict": (
            module_of("{'a': y, 'b': [y, None]}"),
            "more than a tensor, a (8, 3), b/0 (8, 3), and no loss says wha",
        ),
        "dataclass": (
            module_of("Record(y)", RECORD),
            "more than a tensor, logits (8, 3), and no loss says what is trai",
        ),
        "no output": (
            module_of("None"),
            "the model returned None, in which there is no tensor; return one, or several",
        ),
        "a string": (
            module_of("'y'"),
            "the model returned a value of type str, in which there is no tensor; return one",
        ),
        "detached": (module_of("y.detach()"), "bad.py: nothing that is trained has a gradient; let the model compute"),
    },
    KERAS: {
        "a class": (
            "def model():\n    return keras.Sequential\n",
            "model() returned the class Sequential; return a keras",
        ),
        "a layer": (
            "def model():\n    return layers.Dense(3)\n",
            "model() returned a value of type Dense; return a keras.",
        ),
        "no layers": (
            "def model():\n    return keras.Sequential([])\n",
            "bad.py: ValueError: Sequential model sequential ",
        ),
        "no parameters": (
            "def model():\n    return keras.Sequential([layers.ReLU()])\n",
            "the model has no parameters, s",
        ),
        "frozen": (
            "def model():\n    return keras.Sequential([layers.Dense(3, trainable=False)])\n",
            "the model has no trainable parameters, so nothing can be trained; give one that has",
        ),
        "shape": (
            "def model():\n    return keras.Sequential([keras.Input([5]), layers.Dense(3)])\n",
            "received input with shape (8, 4) (a batch: inputs (8, 4) float64, targets (8,) int64); mend the file, or",
        ),
        "swapped": (TORCH_MODEL, "bad.py, line 1: ModuleNotFoundError: No module named 'torch'; each side has its own"),
        "tuple": (
            layers_of("y, 2 * y"),
            "more than a tensor, 0 (8, 3), 1 (8, 3), and no loss says what is trained; wri",
        ),
        "dict": (
            layers_of("{'a': y, 'b': [y, None]}"),
            "more than a tensor, a (8, 3), b/0 (8, 3), and no loss says wha",
        ),
        "no output": (
            layers_of("None"),
            "the model returned None, in which there is no tensor; return one, or several",
        ),
        "ragged": (
            layers_of("tf.RaggedTensor.from_tensor(y)"),
            "returned a value of type RaggedTensor, in which there i",
        ),
        "stopped": (
            layers_of("tf.stop_gradient(y)"),
            "bad.py: nothing that is trained has a gradient; let the model com",
        ),
    },
}
# What follows a sound model, and what is said of it.
AFTER_MODEL = {
    TORCH: {
        "loss: vector": (
            "def loss(o, t):\n    return nn.functional.cross_entropy(o, t, reduction='none')\n",
            "loss returned a tensor (8,) of torch.float64; return a tensor, the mean over the batch",
        ),
        "loss: number": (
            "def loss(o, t):\n    return 1.5\n",
            "loss returned a value of type float; return a tensor, the",
        ),
        "loss: nothing": (
            "def loss(o, t):\n    pass\n",
            "loss returned None; return a tensor, the mean over the batch",
        ),
        "loss: whole": (
            "def loss(o, t):\n    return t.sum()\n",
            "loss returned a tensor () of torch.int64; return a tens",
        ),
        "loss: class": (
            "loss = nn.CrossEntropyLoss\n",
            "loss is the class CrossEntropyLoss; write loss = CrossEntropyLos",
        ),
        "loss: None": (
            "loss = None\n",
            "loss is None, not a function of outputs and targets; write def loss(…), or leave",
        ),
        "loss: raises": (
            "def loss(o, t):\n    1 / 0\n",
            "bad.py, line 8: ZeroDivisionError: division by zero; mend it th",
        ),
        "optimizer: None": (
            "def optimizer(m):\n    pass\n",
            "optimizer(model) returned None; return a torch.optim.Optim",
        ),
        "optimizer: class": (
            "optimizer = torch.optim.SGD\n",
            "optimizer is the class SGD, and takes no model; write def opt",
        ),
        "optimizer: a class": (
            "def optimizer(m):\n    return torch.optim.SGD\n",
            "optimizer(model) returned the class SGD",
        ),
        "optimizer: closure": (
            "def optimizer(m):\n    return torch.optim.LBFGS(m.parameters())\n",
            "optimizer(model) returned LBFGS, whose step takes closure; give one whose step() takes nothing",
        ),
        "scheduler: metrics": (
            "def scheduler(o):\n    return torch.optim.lr_scheduler.ReduceLROnPlateau(o)\n",
            "scheduler(optimizer) returned ReduceLROnPlateau, whose step takes metrics; give one whose step() takes",
        ),
        "after_backward": (
            "after_backward = 3\n",
            "after_backward is a value of type int, not a function of the model; ",
        ),
    },
    KERAS: {
        "loss: vector": (
            "def loss(t, o):\n    return tf.nn.sparse_softmax_cross_entropy_with_logits(t, o)\n",
            "loss returned a tensor (8,) of tf.float64; return a tensor, the mean over the batch",
        ),
        "loss: number": (
            "def loss(t, o):\n    return 1.5\n",
            "loss returned a value of type float; return a tensor, the",
        ),
        "loss: array": (
            "def loss(t, o):\n    return np.mean(o)\n",
            "loss returned a value of type float64; return a tens",
        ),
        "loss: raises": (
            "def loss(t, o):\n    1 / 0\n",
            "bad.py, line 10: ZeroDivisionError: division by zero; mend it t",
        ),
        "optimizer: text": (
            "def optimizer():\n    return 'sgd'\n",
            "optimizer() returned a value of type str; return a ke",
        ),
        "optimizer: instance": (
            "optimizer = keras.optimizers.SGD()\n",
            "optimizer is a value of type SGD, not a function ",
        ),
        "optimizer: TensorFlow's": (
            "def optimizer():\n    return tf.compat.v1.train.GradientDescentOptimizer(0.1)\n",
            "optimizer() returned a value of type GradientDescentOptimizer; return a keras.optimizers.Optimizer",
        ),
        "optimizer: used": (
            "MINE = keras.optimizers.SGD()\nMINE.build([keras.Variable(1.0)])\ndef optimizer():\n    return MINE\n",
            "optimizer() returned one that is in use; make a new one in it",
        ),
        "prepare: ragged": (
            "def prepare(x):\n    return tf.ragged.constant([[1.0], [2.0, 3.0]])\n",
            "prepare made a value of type RaggedTensor, not an array; return NumPy arrays of numbers",
        ),
        "prepare: sparse": (
            "def prepare(x):\n    return tf.sparse.from_dense(x)\n",
            "prepare made a value of type SparseTensor, not an array; return NumPy arrays of numbers",
        ),
        "prepare: named": (
            "def prepare(x):\n    return {'image': x}\n",
            "ValueError: The structure of `inputs` doesn't match the expected structure.",
        ),
    },
}
PREPARED = {
    "x.tolist()": "prepare made a value of type list, not an array; return NumPy arrays of numbers, with as many",
    "None": "prepare made None, not an array; return NumPy arrays of numbers",
    "x[:5]": "prepare made 5 of the 24 examples; return NumPy arrays of numbers",
    "x[:1, 0].reshape(())": "prepare made a single number of the 24 examples; return",
    "x.astype(object)": "prepare made an array of object; return NumPy arrays of numbers",
    "x.astype(str)": "prepare made an array of <U32; return NumPy arrays of numbers",
    "x / (x != x[7])": "what prepare made of example 7 is not finite; return NumPy arrays of numbers",
    "{}": "prepare made no input; return a NumPy array, or a dict of some by name",
    "{3: x}": "prepare made an input by the name of 3; name inputs by text",
    "{'a': x, 'b': x[1:]}": "prepare made 23 of the 24 examples of b; return NumPy arrays",
    "x.reshape(3, 3)": "bad.py, line 8: ValueError: cannot reshape array of size 96 into shape (3,3); mend it there",
}


def cases():
    for side in (TORCH, KERAS):
        name = ("torch", "keras")[side]
        for what, (text, said) in EITHER.items():
            yield pytest.param(side, text, said, id=f"{name}, {what}")
        for what, (text, said) in OWN[side].items():
            whole = text.startswith(("import", "from"))
            yield pytest.param(side, text if whole else HEADS[side] + text, said, id=f"{name}, {what}")
        for what, (text, said) in AFTER_MODEL[side].items():
            yield pytest.param(side, MODELS[side] + text, said, id=f"{name}, {what}")
    for text, said in PREPARED.items():
        yield pytest.param(TORCH, f"{TORCH_MODEL}def prepare(x):\n    return {text}\n", said, id=f"prepare: {text}")


@pytest.fixture(scope="module")
def processes():
    """Both sides, each started once for all tests."""
    with sides.both(PYTHONS) as started:
        yield started


def sound_data():
    draws = np.random.default_rng(0)
    return {"inputs": draws.standard_normal((24, 4)).astype("float32"), "targets": draws.integers(3, size=24)}


@pytest.fixture
def users(tmp_path):
    """A user's folder: a function that writes a file of this name and text, and returns its path."""
    folder = tmp_path / "users"
    (folder / "inside").mkdir(parents=True)
    serving.save(folder / "given.npz", sound_data())
    np.savez(folder / "data.npz", **sound_data())
    (folder / "beside.py").write_text("from inside import deep\ndef fail():\n    deep.fail()\n", encoding="utf-8")
    (folder / "inside" / "deep.py").write_text("def fail():\n    raise KeyError('so')\n", encoding="utf-8")

    def write(name, text):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def opened(process, file):
    return process.open(file=file, data=file.parent / "given.npz", **OPENED)


@pytest.mark.parametrize(("side", "text", "said"), [*cases()])
def test_a_file_that_can_not_be_compared_is_told_in_one_line(side, text, said, processes, users):
    file = users("bad.py", text)
    before = contents(file.parent)
    with pytest.raises(InputError) as raised:
        opened(processes[side], file)
    line = str(raised.value)
    assert said in line
    assert line.startswith(f"{[*FRAMEWORKS][side]}: ")
    assert "; " in line  # the cure
    assert "\n" not in line
    assert not re.search(r"/shared/|_impl/|Traceback|\\x1b|Arguments received", line)  # nothing of ours
    assert contents(file.parent) == before  # no __pycache__ either


# What a model may return where its loss chooses, and what is then compared.
CHOSEN = {
    "(y, None)": ("o[0]", {"0"}),
    "{'logits': y, 'more': [y + 1, None]}": ("o['logits']", {"logits", "more/0"}),
    "Record(y)": ("o.logits", {"logits"}),
}


@pytest.mark.parametrize("returned", CHOSEN)
def test_with_a_loss_that_chooses_all_outputs_are_compared(returned, processes, users):
    chosen, names = CHOSEN[returned]
    torch = f"{module_of(returned, RECORD)}def loss(o, t):\n    return nn.functional.cross_entropy({chosen}, t)\n"
    keras = (
        f"{layers_of(returned, RECORD)}def loss(t, o):\n"
        f"    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(t, {chosen}))\n"
    )
    for process, text in zip(processes, (torch, keras), strict=True):
        description, weights = opened(process, users("good.py", text))
        seen = process.run(weights, [1], until="evaluation")
        assert {key.removeprefix("evaluation/output/") for key in seen if "/output/" in key} == names
        assert all(f"{name} (8, 3)" in description.outputs for name in names)


NOISY = """
import os, sys
print('{"bad input": "no"}')
os.write(1, b'{"fault": "no"}\\n')
sys.stdout.write("without an end")
"""
SPARSE = """
class Model(nn.Embedding):
    def forward(self, x):
        return super().forward(x.long().clamp(0, 8)).mean(1)

def model():
    return Model(9, 3, sparse=True)
"""
# What is unusual, and no mistake.
UNUSUAL = {
    TORCH: {
        "prints": (TORCH_MODEL + NOISY, {"weight", "bias"}),
        "lazy": (f"{TORCH_HEAD}def model():\n    return nn.LazyLinear(3)\n", {"weight", "bias"}),
        "compiled": (f"{TORCH_HEAD}def model():\n    return torch.compile(nn.Linear(4, 3))\n", {"weight", "bias"}),
        "one for all": (f"{TORCH_HEAD}MINE = nn.Linear(4, 3)\ndef model():\n    return MINE\n", {"weight", "bias"}),
        "a class": (
            module_of("y").replace("def model():\n    return Model()", "model = Model"),
            {"fc.weight", "fc.bias"},
        ),
        "sparse gradients": (
            TORCH_HEAD + SPARSE,
            {"weight"},
        ),
    },
    KERAS: {
        "prints": (KERAS_MODEL + NOISY, {"sequential/dense/kernel", "sequential/dense/bias"}),
        "an optimizer's class": (
            f"{KERAS_MODEL}optimizer = keras.optimizers.Adam\n",
            {"sequential/dense/kernel", "sequential/dense/bias"},
        ),
    },
}


@pytest.mark.parametrize(("side", "what"), [(side, what) for side in UNUSUAL for what in UNUSUAL[side]])
def test_what_is_unusual_and_no_mistake_is_compared(side, what, processes, users):
    text, names = UNUSUAL[side][what]
    # A name that the framework imports itself is as good as any.
    _, weights = opened(processes[side], users("json.py", text))
    assert weights.keys() == names
    assert np.isfinite(processes[side].run(weights, [1, 4])["losses"]).all()


def test_after_a_file_that_shadows_a_module_the_process_still_answers(processes, users):
    for process, text in zip(processes, MODELS, strict=True):
        users("random.py", "raise ValueError\n")
        with pytest.raises(InputError, match=r"random\.py, line 1: ValueError; mend it there"):
            opened(process, users("my.py", "import sys\nsys.modules.pop('random')\nimport random\n"))
        (users("random.py", "")).unlink()
        assert opened(process, users("my.py", text))[0].outputs == "a tensor (8, 3)"


CARRIED = {
    "[]": "carry returned list; return a dict of arrays by variable path",
    "{'sequential/dense/kernel': 'text'}": "carry returned sequential/dense/kernel of <U4; return arrays of numbers",
    "{'sequential/dense/kernel': torch['no']}": "bad.py, line 10: KeyError: 'no'; mend it there",
}


@pytest.mark.parametrize("returned", CARRIED)
def test_what_carry_returns_is_looked_at(returned, processes, users):
    process = processes[KERAS]
    opened(process, users("bad.py", f"{KERAS_MODEL}def carry(torch):\n    return {returned}\n"))
    with pytest.raises(InputError, match=re.escape(CARRIED[returned])):
        process.carry({"weight": np.zeros((3, 4))})


def keras_of(*shapes, more=""):
    inputs = ", ".join(f"keras.Input({shape})" for shape in shapes)
    return f"{KERAS_HEAD}def model():\n    inputs = [{inputs}]\n    return {more}\n"


UNSHAPED = {
    "subclassed": (layers_of("y"), "the model does not say the shape of what it takes; give --data"),
    "not built": (
        f"{KERAS_HEAD}def model():\n    return keras.Sequential([layers.Dense(3)])\n",
        "the model does not say the shape of what it takes; give --data",
    ),
    "any length": (
        keras_of([None, 4], more="keras.Model(inputs[0], layers.Dense(3)(inputs[0]))"),
        "the model takes or gives (None, None, 4), of which random data can't be made; give --data",
    ),
    "two outputs": (
        keras_of([4], more="keras.Model(inputs[0], [layers.Dense(3)(inputs[0]), layers.Dense(2)(inputs[0])])"),
        "of which random data can't be made; give --data",
    ),
    "no model": ("def model():\n    pass\n", "model() returned None; return a keras.Model"),
}


@pytest.mark.parametrize("what", UNSHAPED)
def test_without_data_a_model_must_say_its_shapes(what, processes, users):
    text, said = UNSHAPED[what]
    with pytest.raises(InputError, match=re.escape(said)):
        processes[KERAS].shapes(users("bad.py", text), 0)


def test_without_data_random_numbers_fit_a_model_that_says_its_shape(processes, users):
    shapes = processes[KERAS].shapes(users("good.py", KERAS_MODEL), 0)
    arrays = data.random(shapes["inputs"], shapes["tokens"], shapes["outputs"], 0)
    assert arrays["inputs"].shape == (data.EXAMPLES, 4)
    assert set(arrays["targets"]) == {0, 1, 2}


def same_again(monkeypatch, processes):
    """Let a comparison use what runs already."""
    monkeypatch.setattr(sides, "both", lambda _: contextlib.nullcontext(processes))


def asked(users, torch, keras, **more):
    files = users("my_torch.py", torch), users("my_keras.py", keras)
    given = {"data": files[0].parent / "data.npz", "seed": 0, "batch_size": 8, "steps": 4}
    return command.Request(files=files, **given | more)


def test_what_can_not_be_carried_is_named_with_the_lines_that_would(monkeypatch, processes, users, tmp_path, capfd):
    same_again(monkeypatch, processes)
    keras = KERAS_MODEL.replace("layers.Dense(3)", "layers.Dense(7), layers.Dense(3)")
    with pytest.raises(
        InputError, match=r"sequential/dense/kernel \(4, 7\).+; write the carry\(torch\) that stands abo"
    ):
        command.compare(asked(users, TORCH_MODEL, keras), PYTHONS, tmp_path / "out", "")
    printed = capfd.readouterr().err
    assert 'def carry(torch):\n    return {\n        "sequential/dense/kernel": …,' in printed
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


def test_two_models_that_diverge_are_not_called_the_same(monkeypatch, processes, users, tmp_path):
    same_again(monkeypatch, processes)
    torch = (
        f"{TORCH_MODEL}def loss(o, t):\n    return (o ** 2).mean()\n"
        "def optimizer(m):\n    return torch.optim.SGD(m.parameters(), 1e30)\n"
    )
    keras = (
        f"{KERAS_MODEL}def loss(t, o):\n    return tf.reduce_mean(o ** 2)\n"
        "def optimizer():\n    return keras.optimizers.SGD(1e30)\n"
    )
    said = r"both models diverge: in float64 the losses of step \d are inf and inf, .+; lower .+, or give --steps \d"
    with pytest.raises(InputError, match=said):
        command.compare(asked(users, torch, keras, steps=8), PYTHONS, tmp_path / "out", "")
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


def test_one_model_that_diverges_is_different(monkeypatch, processes, users, tmp_path, capfd):
    same_again(monkeypatch, processes)
    torch = f"{TORCH_MODEL}def loss(o, t):\n    return (o ** 2).mean()\n"
    keras = f"{KERAS_MODEL}def loss(t, o):\n    return tf.reduce_mean(o ** 2)\nRATE"
    keras = keras.replace("RATE", "def optimizer():\n    return keras.optimizers.SGD(1e99)\n")
    assert not command.compare(asked(users, torch, keras, steps=8), PYTHONS, tmp_path / "out", "")
    assert capfd.readouterr().out.startswith("DIFFERENT: ")


# A term that is 0, and whose gradient is not finite; the second has one in float64 alone.
ROOT_OF_0 = {
    TORCH: " + torch.sqrt(((o - o.detach()) ** 2).sum())",
    KERAS: " + tf.sqrt(tf.reduce_sum((o - tf.stop_gradient(o)) ** 2))",
}
NEARLY_0 = ROOT_OF_0[KERAS].replace(" ** 2)", " ** 2) + 1e-60")


def of_squares(*more, rate=0.01):
    """Both files, with the mean of squares as the loss, and more in it."""
    torch = f"{TORCH_MODEL}def loss(o, t):\n    return (o ** 2).mean(){more[0]}\n"
    keras = f"{KERAS_MODEL}def loss(t, o):\n    return tf.reduce_mean(o ** 2){more[1]}\n"
    return (
        f"{torch}def optimizer(m):\n    return torch.optim.SGD(m.parameters(), {rate})\n",
        f"{keras}def optimizer():\n    return keras.optimizers.SGD({rate})\n",
    )


NOT_FINITE = {
    "gradients": (
        of_squares(*ROOT_OF_0.values()),
        1,
        r"in float64 the gradient of bias is not finite on both sides, though the loss is; look for .+0",
    ),
    "weights after the last step": (
        of_squares(" * 1e37" * 8, " * 1e37" * 8, rate=1e37),  # so that float32 holds each of these
        1,
        r"both models diverge: in float64 not all of the weights \w+ after 1 step is finite on both sides, so that",
    ),
    "losses, in the end": (
        of_squares("", "", rate=1e8),
        26,
        r"both models diverge: in float64 the losses of step 2\d are inf and inf, so that .+, or give --steps \d+$",
    ),
    "gradients of one side in float32": (
        of_squares("", NEARLY_0),
        2,
        r"in float32 the gradient of bias is not finite in Keras alone, though the loss is; look for",
    ),
}


@pytest.mark.parametrize("what", NOT_FINITE)
def test_numbers_that_are_not_finite_are_no_agreement(what, monkeypatch, processes, users, tmp_path):
    files, steps, said = NOT_FINITE[what]
    same_again(monkeypatch, processes)
    with pytest.raises(InputError, match=said):
        command.compare(asked(users, *files, steps=steps), PYTHONS, tmp_path / "out", "")
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


@pytest.mark.parametrize("side", [TORCH, KERAS])
def test_gradients_that_are_not_finite_on_one_side_are_different(side, monkeypatch, processes, users, tmp_path, capfd):
    same_again(monkeypatch, processes)
    files = of_squares(*(ROOT_OF_0[side] * (side == one) for one in (TORCH, KERAS)))
    assert not command.compare(asked(users, *files), PYTHONS, tmp_path / "out", "")
    assert capfd.readouterr().out.startswith("DIFFERENT: they differ first in the gradient of bias")


def refused(users, tmp_path, said, *, torch=TORCH_MODEL, **more):
    request = asked(users, torch, KERAS_MODEL, **more)
    with pytest.raises(InputError, match=re.escape(said)):
        command.compare(request, PYTHONS, tmp_path / "out", "")
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


LARGE = {
    "--steps 1,000,000: at most 100,000 are possible; give fewer": {"steps": 1_000_000},
    "--seed 4294967296: Keras takes none above 4294967295; give a smaller one": {"seed": 2**32},
    "--batch-size 257: without --data there are 256 examples; give fewer, or --data": {"data": None, "batch_size": 257},
    "data.npz: 24 examples, and a batch has 25; give more, or a smaller --batch-size": {"batch_size": 25},
}


@pytest.mark.parametrize("said", LARGE)
def test_numbers_that_are_too_large_are_refused_before_anything_is_started(said, users, tmp_path):
    refused(users, tmp_path, said, **LARGE[said])


def test_a_file_that_is_none_is_named(users, tmp_path):
    request = asked(users, TORCH_MODEL, KERAS_MODEL)
    folder = request.files[0].parent
    (folder / "latin.py").write_bytes(b"# caf\xe9\n")
    named = {
        folder / "none.py": "there is no such file; give the PyTorch file first",
        folder: "it is a folder, not a file; give the PyTorch file first",
        "/dev/null": "it is a device, not a file; give the PyTorch file first",
        folder / "latin.py": "can't be read: it is not UTF-8 at byte 5; save it as UTF-8",
        request.files[0] / "x.py": "can't be read: Not a directory; give",
        users("text.txt", ""): "it is no Python file by its name; give one that ends in .py",
    }
    for path, said in named.items():
        for files in ((path, request.files[1]), (request.files[0], path)):
            again = command.Request(tuple(map(type(folder), files)), request.data, 0, 8, 4)
            with pytest.raises(InputError, match=re.escape(f"--pair {path}: ")) as raised:
                command.compare(again, PYTHONS, tmp_path / "out", "")
            assert said in str(raised.value)


def test_a_report_replaces_nothing_that_is_compared(users, tmp_path):
    request = asked(users, TORCH_MODEL, KERAS_MODEL)
    folder = request.files[0].parent
    link = tmp_path / "link"
    link.symlink_to(folder)
    before = contents(folder)
    for out in (folder, tmp_path, link, folder / "inside" / ".."):
        with pytest.raises(InputError, match=r"--out .+: it holds .+my_torch\.py, which is compared; give --out a new"):
            command.compare(request, PYTHONS, out, "")
    with pytest.raises(InputError, match=r"--out .+inside: it holds deep\.py, and no manifest\.json"):
        command.compare(request, PYTHONS, folder / "inside", "")
    assert contents(folder) == before


def written(path, arrays):
    np.savez(path, **arrays)


def cut_short(path, _):
    written(path, sound_data())
    path.write_bytes(path.read_bytes()[:-60])


def damaged(path, _):
    np.savez_compressed(path, **sound_data())
    whole = bytearray(path.read_bytes())
    whole[60:90] = bytes(30)
    path.write_bytes(whole)


def lying(path, _):
    """A header of an array that no memory holds."""
    with zipfile.ZipFile(path, "w") as archive:
        header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000), }"
        archive.writestr("inputs.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


def with_text(path, _):
    written(path, {"targets": sound_data()["targets"]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("inputs", "text")


def one_array(path, _):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


SOUND = sound_data()
NAN = np.where(np.arange(96).reshape(24, 4) == 50, np.nan, SOUND["inputs"])
DATA = {
    "no targets": (
        written,
        {"inputs": SOUND["inputs"]},
        "it holds inputs, and must hold inputs and targets; save it by",
    ),
    "no inputs": (
        written,
        {"targets": SOUND["targets"]},
        "it holds targets, and must hold inputs and targets; save it",
    ),
    "nothing": (written, {}, "it holds nothing, and must hold inputs and targets; save it by"),
    "more": (written, {**SOUND, "labels": NAN}, "labels is neither targets nor inputs nor inputs/NAME; leave it out"),
    "no name": (
        written,
        {"inputs/": NAN, "targets": NAN},
        "inputs/ is neither targets nor inputs nor inputs/NAME; leave",
    ),
    "both": (
        written,
        {**SOUND, "inputs/a": NAN},
        "it holds both inputs and inputs/a; give one array, or each its name",
    ),
    "lengths": (
        written,
        {**SOUND, "inputs": SOUND["inputs"][1:]},
        "inputs has 23 examples, targets 24; give as many of both",
    ),
    "NaN": (written, {**SOUND, "inputs": NAN}, "inputs of example 12 is not finite; leave it out or replace it"),
    "infinite": (
        written,
        {**SOUND, "targets": [np.inf] * 24},
        "targets of example 0 is not finite; leave it out or rep",
    ),
    "a number": (written, {**SOUND, "targets": 3}, "targets is a single number; give one entry for each example"),
    "strings": (written, {**SOUND, "inputs": ["a"] * 24}, "inputs holds <U1; give numbers"),
    "complex": (written, {**SOUND, "inputs": NAN.astype(complex)}, "inputs holds complex128; give numbers"),
    "objects": (
        written,
        {**SOUND, "inputs": np.array([[1], [2, 3]], object)},
        "sparse or ragged arrays; make them dense",
    ),
    "empty": (written, {k: v[:0] for k, v in SOUND.items()}, "0 examples, and a batch has 8; give more, or a smaller"),
    "few": (
        written,
        {k: v[:7] for k, v in SOUND.items()},
        "7 examples, and a batch has 8; give more, or a smaller --ba",
    ),
    "cut short": (cut_short, None, "it is no .npz, or not whole (File is not a zip file); save it by np.savez"),
    "damaged": (damaged, None, "; save it by np.savez"),
    "one array": (one_array, None, "it is no .npz, or not whole (File is not a zip file); save it by np.savez"),
    "no array": (with_text, None, "inputs is no array; save it by np.savez"),
    "lying": (lying, None, "memory is short; give fewer examples"),
}


@pytest.mark.parametrize("what", DATA)
def test_data_that_can_not_be_compared_is_told_in_one_line(what, tmp_path):
    make, arrays, said = DATA[what]
    path = tmp_path / "data.npz"
    make(path, arrays)
    with pytest.raises(InputError, match=re.escape(f"--data {path}: ")) as raised:
        data.read(path, 8)
    assert said in str(raised.value)


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "MOST_BYTES", 2**23)
    np.savez_compressed(tmp_path / "data.npz", inputs=np.zeros(2**21), targets=np.zeros(2**21))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"0\.0 GB when unpacked, more than 0\.0; give fewer examples"):
        data.read(tmp_path / "data.npz", 8)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_data_file_that_is_none_is_named(tmp_path):
    for path, said in (
        (tmp_path / "none", "there is no such file"),
        (tmp_path, "it is a folder"),
        ("/dev/null", "device"),
    ):
        with pytest.raises(InputError, match=said):
            data.read(type(tmp_path)(path), 8)


OPTIONS = [
    (["--pair", "my_torch.py"], "argument --pair: expected 2 arguments; compare.py --help lists the options"),
    (
        ["--pair", "a.py", "b.py", "--epochs", "2"],
        "--pair takes no --epochs: the two files say what is trained, and how",
    ),
    (["--pair", "a.py", "b.py", "--steps", "0"], "argument --steps: '0' is not a number of steps from 1 on; "),
    (["--pair", "a.py", "b.py", "--batch-size", "0"], "--batch-size 0: input should be greater than or equal to 1; "),
    (["--data", "data.npz"], "--data is for --pair, and no pair is given; add --pair TORCH.PY KERAS.PY"),
    (["--steps", "3"], "--steps is for --pair, and no pair is given; add --pair TORCH.PY KERAS.PY"),
    (["--pair", "no/a.py", "no/b.py"], "--pair no/a.py: there is no such file; give the PyTorch file first"),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS, ids=[" ".join(options) for options, _ in OPTIONS])
def test_bad_options_get_one_line_and_status_2(options, said, tmp_path):
    run = run_program("compare.py", *options, "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"compare.py: error: {said}")
    assert len(run.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir())


# Where the user's file stays for ever, so that an interrupt comes then: what is added to a sound file of either side.
STAYS = {
    "at the import": "import time; print('here', file=open(__file__ + '.here', 'w')); time.sleep(1000)\n",
    "in a step": ("import time\ndef LOSS:\n    print('here', file=open(__file__ + '.here', 'w')); time.sleep(1000)\n"),
}


@pytest.fixture
def stayed(users, tmp_path, request):
    """compare.py, over an earlier result, where one side's file does not return."""
    where, side = request.param
    arguments = ("loss(outputs, targets)", "loss(targets, outputs)")[side]
    texts = list(MODELS)
    texts[side] += STAYS[where].replace("LOSS", arguments)
    files = [users(name, text) for name, text in zip(("my_torch.py", "my_keras.py"), texts, strict=True)]
    with command.output.fresh_folder(tmp_path / "out") as folder:
        (folder / "results.json").write_text("{}", encoding="utf-8")
    given = ["--data", files[0].parent / "data.npz", "--batch-size", "8", "--out", tmp_path / "out"]
    process = subprocess.Popen(
        [sys.executable, "compare.py", "--pair", *files, *given],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    here = files[side].with_name(f"{files[side].name}.here")
    deadline = time.monotonic() + 60
    while not here.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process, ("pytorch_impl", "tensorflow_impl")[side]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def ended(process, how):
    """What a run says once this is done to it; nothing of it lives on."""
    pids = children_of(process.pid)
    how()
    _, said = process.communicate(timeout=60)
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    return said.splitlines()[-1]


@pytest.mark.parametrize(
    ("stayed", "whole_group"),
    [(("at the import", TORCH), False), (("in a step", KERAS), True)],
    indirect=["stayed"],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_an_interrupt_ends_all_and_leaves_the_earlier_result(stayed, whole_group, tmp_path):
    process, _ = stayed
    before = contents(tmp_path / "out")
    how = (
        (lambda: os.killpg(process.pid, signal.SIGINT)) if whole_group else lambda: process.send_signal(signal.SIGTERM)
    )
    started = time.monotonic()
    assert ended(process, how) == "compare.py: interrupted"
    assert process.returncode == 130
    assert time.monotonic() - started < 5  # so long a process that does not end is waited for
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "users"]


@pytest.mark.parametrize("stayed", [("in a step", TORCH)], indirect=True, ids=str)
def test_a_killed_process_is_told_with_what_may_have_killed_it(stayed, tmp_path):
    process, name = stayed
    pid = wait_for_child(process, name)
    line = ended(process, lambda: os.kill(pid, signal.SIGKILL))
    assert process.returncode == 2
    assert line.startswith("compare.py: error: PyTorch was killed by signal 9; ")
    assert line.endswith("was memory short? Make the model smaller, or give a smaller --batch-size")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "users"]


def test_a_file_that_ends_its_process_is_told(users, tmp_path):
    process = sides.Process("PyTorch", PYTHONS["PyTorch"], tmp_path)
    said = "PyTorch ended with status 0; it said nothing; see whether the file, or what it calls, ends the program"
    with contextlib.closing(process), pytest.raises(InputError, match=said):
        opened(process, users("bad.py", "import os\nos._exit(0)\n"))


def test_a_reader_that_is_gone_changes_nothing(users, tmp_path):
    files = users("my_torch.py", TORCH_MODEL), users("my_keras.py", KERAS_MODEL)
    options = ["--data", files[0].parent / "data.npz", "--steps", "2", "--batch-size", "8", "--out", tmp_path / "out"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        words = [sys.executable, "compare.py", "--pair", *map(str, [*files, *options])]
        run = subprocess.run(words, cwd=ROOT, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 0, run.stderr
    assert command.output.is_whole(tmp_path / "out")
    assert not (files[0].parent / "__pycache__").exists()
