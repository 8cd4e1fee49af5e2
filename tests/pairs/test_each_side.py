"""What each side sees of a user's file: small files, in the processes that compare.py asks."""

import numpy as np
import pytest

from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import serving, sides

TORCH, KERAS = range(2)
TORCH_FILE = """
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import clip_grad_norm_

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        MADE
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        x = self.first(x)
        x = CALLED
        return self.last(x.mean(1))

def model():
    return Model()
"""
KERAS_FILE = """
import keras
import tensorflow as tf
from keras import layers

class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        MADE
        self.last = layers.Dense(3)

    def call(self, x, training=False):
        x = self.first(x)
        x = CALLED
        return self.last(keras.ops.mean(x, 1))

def model():
    return Model()
"""


def file_of(side, called="x", made="", more=""):
    """A file whose model calls this between two dense layers, on sequences."""
    return (TORCH_FILE, KERAS_FILE)[side].replace("CALLED", called).replace("MADE", made) + more


@pytest.fixture(scope="module")
def processes():
    """Both sides, each started once for all tests."""
    with sides.both({name: find_interpreter(name, None) for name in FRAMEWORKS}) as started:
        yield started


@pytest.fixture
def opened(processes, tmp_path):
    """A function that opens a file of this text, and returns the side's process, its description and its weights."""
    draws = np.random.default_rng(0)
    inputs, targets = draws.standard_normal((24, 5, 4)).astype("float32"), draws.integers(3, size=24)
    serving.save(tmp_path / "given.npz", {"inputs": inputs, "targets": targets})

    def described(side, text, steps=2):
        file = tmp_path / "my.py"
        file.write_text(text, encoding="utf-8")
        given = {"dtype": "float64", "seed": 0, "batch_size": 8, "steps": steps}
        return processes[side], *processes[side].open(file=file, data=tmp_path / "given.npz", **given)

    described.calls = lambda: len((tmp_path / "my.py.calls").read_text(encoding="utf-8"))
    return described


# How an activation is written over its input, by its kind; `made` is a layer of the model.
OVER_ITS_INPUT = {
    "made(x)": ("nn.ReLU(inplace=True)", "relu"),
    "made(x) ": ("nn.LeakyReLU(0.1, inplace=True)", "leaky_relu"),
    "F.relu(x, inplace=True)": ("", "relu"),
    "F.leaky_relu(x, 0.1, True)": ("", "leaky_relu"),
    "F.leaky_relu_(x, 0.1)": ("", "leaky_relu"),
    "x.relu_()": ("", "relu"),
}


@pytest.mark.parametrize("called", OVER_ITS_INPUT)
def test_a_layer_that_writes_over_its_input_is_seen_with_what_went_in(called, opened):
    made, kind = OVER_ITS_INPUT[called]
    text = file_of(TORCH, called.replace("made", "self.made"), f"self.made = {made}" if made else "")
    process, description, weights = opened(TORCH, text)
    first, second = description.calls[:2]
    assert (first.place, second.kind) == ("first", kind)
    seen = process.run(weights, [1])
    for of in ("evaluation", "training"):
        before, after = seen[f"{of}/{second.inputs[0]}"], seen[f"{of}/{second.output}"]
        assert np.array_equal(seen[f"{of}/{first.output}"], before)
        expected = seen["given/"] @ weights["first.weight"].T + weights["first.bias"]
        np.testing.assert_allclose(before, expected, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(after, np.where(before > 0, before, 0.1 * before * (kind != "relu")), rtol=1e-12)


def test_what_is_added_to_an_output_in_place_is_no_part_of_it(opened):
    process, description, weights = opened(
        TORCH, file_of(TORCH).replace("x = self.first(x)", "y, x = x, self.first(x)\n        x += y")
    )
    seen = process.run(weights, [1], until="evaluation")
    first, last = description.calls
    given, output = seen["given/"], seen[f"evaluation/{first.output}"]
    assert np.array_equal(seen[f"evaluation/{first.inputs[0]}"], given)
    np.testing.assert_allclose(
        output, given @ weights["first.weight"].T + weights["first.bias"], rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(seen[f"evaluation/{last.inputs[0]}"], (output + given).mean(1), rtol=1e-12, atol=1e-14)


# What is called after a backward pass, and what is read of it.
CLIPPED = {
    "nn.utils.clip_grad_norm_(model.parameters(), 0.5)": {"clip_norm": 0.5},
    "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)": {"clip_norm": 1.0},
    "clip_grad_norm_(max_norm=torch.tensor(2.0), parameters=list(model.parameters()))": {"clip_norm": 2.0},
    "nn.utils.clip_grad.clip_grad_norm_(model.parameters(), 1.0, 2)": {"clip_norm": 1.0},
    "clip_grad_norm_(model.parameters(), 1.0, float('inf'))": {"clip_norm": 1.0, "clip_norm_type": "inf"},
    "clip_grad_norm_(model.parameters(), 1.0, norm_type=1)": {"clip_norm": 1.0, "clip_norm_type": "1.0"},
    "[clip_grad_norm_(parameter, 0.5) for parameter in model.parameters()]": {"clip_norm_each": 0.5},
    "nn.utils.clip_grad_value_(model.parameters(), clip_value=0.1)": {"clip_value": 0.1},
    "nn.utils.clip_grad_value_(model.parameters(), 0.1)": {"clip_value": 0.1},
    "nn.utils.clip_grads_with_norm_(model.parameters(), 0.5, torch.tensor(9.0))": {"clip_norm": 0.5},
    "[parameter.grad.mul_(0.5) for parameter in model.parameters()]": {},
}


@pytest.mark.parametrize("clipped", CLIPPED)
def test_clipping_is_read_however_it_is_told(clipped, opened):
    _, description, _ = opened(TORCH, file_of(TORCH, more=f"\ndef after_backward(model):\n    {clipped}\n"))
    read = {name: value for name, value in description.optimizer.settings.items() if name.startswith("clip")}
    assert read == CLIPPED[clipped]


def test_the_clipping_of_one_file_is_not_that_of_the_next(opened):
    clipped = "\ndef after_backward(model):\n    clip_grad_norm_(model.parameters(), 0.5)\n"
    assert opened(TORCH, file_of(TORCH, more=clipped))[1].optimizer.settings["clip_norm"] == 0.5
    assert "clip_norm" not in opened(TORCH, file_of(TORCH))[1].optimizer.settings


# What drops between two layers: its layer, how it is called, and at which rates it would drop.
DROPPING = {
    TORCH: {
        "nn.MultiheadAttention": (
            "nn.MultiheadAttention(4, 2, dropout=0.1, batch_first=True)",
            "made(x, x, x)[0]",
            [0.1],
        ),
        "nn.TransformerEncoderLayer": (
            "nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True)",
            "made(x)",
            [0.1] * 4,
        ),
        "nn.LSTM of three layers": ("nn.LSTM(4, 4, 3, dropout=0.3, batch_first=True)", "made(x)[0]", [0.3] * 2),
        "nn.Dropout, twice": ("nn.Dropout(0.2)", "made(made(x))", [0.2] * 2),
        "nn.Dropout, unused": ("nn.Dropout(0.2)", "x", []),
        "F.dropout": ("0.3", "F.dropout(x, made, self.training)", [0.3]),
        "F.dropout in evaluation": ("0.3", "F.dropout(x, training=False)", []),
        "F.alpha_dropout": ("0.3", "F.alpha_dropout(x, training=self.training)", [0.5]),
        "attention, by keyword": (
            "0.1",
            "F.scaled_dot_product_attention(x, x, x, dropout_p=made if self.training else 0.0)",
            [0.1],
        ),
        "attention, by place": ("0.1", "F.scaled_dot_product_attention(x, x, x, None, made * self.training)", [0.1]),
    },
    KERAS: {
        "MultiHeadAttention": ("layers.MultiHeadAttention(2, 2, dropout=0.1)", "made(x, x)", [0.1]),
        "GroupedQueryAttention": ("layers.GroupQueryAttention(2, 2, 1, dropout=0.1)", "made(x, x)", [0.1]),
        "Attention": ("layers.Attention(dropout=0.1)", "made([x, x])", [0.1]),
        "LSTM": (
            "layers.LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.3)",
            "made(x)",
            [0.2, 0.3],
        ),
        "Bidirectional": ("layers.Bidirectional(layers.GRU(2, return_sequences=True, dropout=0.2))", "made(x)", [0.2]),
        "RNN of cells": (
            "layers.RNN([layers.LSTMCell(4, dropout=0.2), layers.GRUCell(4)], return_sequences=True)",
            "made(x)",
            [0.2],
        ),
        "Dropout, twice": ("layers.Dropout(0.2)", "made(made(x))", [0.2] * 2),
        "Dropout, unused": ("layers.Dropout(0.2)", "x", []),
        "TimeDistributed": ("layers.TimeDistributed(layers.Dropout(0.2))", "made(x)", [0.2]),
        "keras.random.dropout": ("0.3", "keras.random.dropout(x, made) if training else x", [0.3]),
        "tf.nn.dropout": ("0.3", "tf.nn.dropout(x, rate=made) if training else x", [0.3]),
    },
}


@pytest.mark.parametrize(("side", "what"), [(side, what) for side in DROPPING for what in DROPPING[side]])
def test_each_dropout_is_read_once_a_call_and_drops_nothing(side, what, opened):
    made, called, rates = DROPPING[side][what]
    text = file_of(side, called.replace("made", "self.made"), f"self.made = {made}")
    process, description, weights = opened(side, text)
    assert sorted(description.dropout.values()) == rates
    seen = process.run(weights, [2])
    # Neither in a pass that is looked at, nor in a step.
    assert np.array_equal(seen["training/output/"], seen["evaluation/output/"])
    assert seen["losses"][0] == seen["training/loss"] == seen["evaluation/loss"]


# How often Python calls the loss shows whether a step is a graph: it writes down each call.
COUNTED_LOSS = """
def loss(targets, outputs):
    with open(__file__ + ".calls", "a") as calls:
        calls.write("x")
    EAGERLY
    logs = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
    return tf.reduce_mean(logs) * FACTOR
"""
COUNTS = """
CALLS = [0]

def count():
    CALLS[0] += 1
    return 1 + CALLS[0] / 10
"""
SCHEDULE = """
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return RATE

def optimizer():
    return keras.optimizers.Adam(Schedule())
"""
LATE = """
class Late(keras.optimizers.SGD):
    calls = 0

    def update_step(self, gradient, variable, rate):
        self.calls += 1
        if self.calls > FROM:
            self.sums = getattr(self, "sums", {})
            if variable.ref() not in self.sums:
                self.sums[variable.ref()] = tf.Variable(tf.zeros_like(gradient))
            self.sums[variable.ref()].assign_add(gradient)
            gradient = self.sums[variable.ref()] + 0.0
        variable.assign_sub(rate * gradient)

def optimizer():
    return Late(0.1)
"""
STATE = "self.made = self.add_weight(shape=(), initializer='ones', trainable=False, name='made')"
BY_HAND = """
class Slower(keras.optimizers.SGD):
    steps = 0

    def apply(self, gradients, variables=None):
        self.steps += 1
        self.learning_rate = 0.1 / self.steps
        return super().apply(gradients, variables)

optimizer = Slower
"""
# What is in the file, and whether its steps are one graph.
STEPS = {
    "momentum": ({"more": "\ndef optimizer():\n    return keras.optimizers.SGD(0.1, momentum=0.9)\n"}, True),
    "recurrent": ({"made": "self.made = layers.LSTM(4, return_sequences=True)", "called": "self.made(x)"}, True),
    "normalised": (
        {"made": "self.made = layers.BatchNormalization()", "called": "self.made(x, training=training)"},
        True,
    ),
    "a layer with state": ({"made": STATE, "called": "x / self.made.assign_add(0.5 if training else 0.0)"}, True),
    "a count in a layer": ({"made": "self.calls = 0", "called": "x * self.count()"}, False),
    "a count in the loss": ({"factor": "count()", "more": COUNTS}, False),
    "a count that can't be traced": ({"factor": "count() * (2 if float(logs[0]) > 1 else 1)", "more": COUNTS}, False),
    "a schedule": ({"more": SCHEDULE.replace("RATE", "0.1 / (1 + tf.cast(step, keras.config.floatx()))")}, True),
    "a schedule in Python": ({"more": SCHEDULE.replace("RATE", "0.1 if int(step) < 5 else 0.01")}, False),
    "a rate set by hand": ({"more": BY_HAND}, False),
    "an if": ({"called": "x * 2 if tf.reduce_sum(x) > 0 else x"}, False),
    "variables made late": ({"more": LATE.replace("FROM", "0")}, True),
    "variables made in a graph": ({"more": LATE.replace("FROM", "13")}, False),
}
COUNTING_LAYER = "    def count(self):\n        self.calls += 1\n        return 1 + self.calls / 10\n\n    def call("
AT_MOST, IN_ALL = 8, 14  # calls of the loss: of a pass, a gradient, eager steps and two traces; of all steps eagerly


def steps_of(opened, eagerly, called="x", made="", factor="1", more=""):
    """What a run of twelve steps gives, the second time it is asked for; and how often the loss was called."""
    text = file_of(KERAS, called, made, more + COUNTED_LOSS.replace("FACTOR", factor)).replace(
        "    def call(", COUNTING_LAYER
    )
    process, _, weights = opened(KERAS, text.replace("EAGERLY", "float(outputs[0, 0])" if eagerly else ""), 12)
    process.run(weights, [12])
    calls = opened.calls()
    return process.run(weights, [2, 12]), opened.calls() - calls


@pytest.mark.parametrize("what", STEPS)
def test_steps_as_a_graph_give_what_they_give_eagerly(what, opened):
    how, traced = STEPS[what]
    seen, calls = steps_of(opened, False, **how)
    eager, all_calls = steps_of(opened, True, **how)
    assert all_calls == IN_ALL
    assert calls <= AT_MOST if traced else calls == IN_ALL
    assert seen.keys() == eager.keys()
    for name in seen:
        np.testing.assert_allclose(seen[name], eager[name], rtol=1e-11, atol=1e-13, err_msg=name)
    assert len(set(seen["losses"])) == 12


def test_the_first_run_of_a_file_gives_what_all_give(opened):
    # It finds out whether a step can be traced, and must not count what it did for that.
    for how in (STEPS["a count in the loss"], STEPS["a count that can't be traced"], STEPS["an if"]):
        text = file_of(KERAS, how[0].get("called", "x"), more=how[0].get("more", ""))
        text += COUNTED_LOSS.replace("EAGERLY", "").replace("FACTOR", how[0].get("factor", "1"))
        process, _, weights = opened(KERAS, text, 8)
        first, second = (process.run(weights, [1, 8]) for _ in range(2))
        for name in first:
            np.testing.assert_allclose(first[name], second[name], rtol=1e-11, atol=1e-13, err_msg=name)


CRITIC = """
import keras
from keras import layers

def model():
    convolved = [layers.Conv1D(32, 3, padding="same", activation="tanh") for _ in range(3)]
    return keras.Sequential([keras.Input((5, 4)), *convolved, layers.Flatten(), layers.Dense(1)])

def loss(targets, outputs):
    return -keras.ops.mean(outputs[:, 0] * keras.ops.cast(targets, outputs.dtype))
"""


def test_a_weight_is_not_updated_before_it_is_taken(opened):
    # The last layer's gradient does not depend on what the layer gives here, so its update need not wait for that.
    process, _, weights = opened(KERAS, CRITIC, 300)
    first = process.run(weights, [300])
    for _ in range(4):
        again = process.run(weights, [300])
        assert all(np.array_equal(again[name], values) for name, values in first.items())
