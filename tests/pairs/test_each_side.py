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
