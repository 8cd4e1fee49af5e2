"""Optimizers as each framework takes them unless told otherwise: what differs is found together, and each confirmed."""

import numpy as np
import pytest

from benchmarks.pair_material.pair import Pair, labels
from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import sides
from shared.pairs.bench import Asked
from shared.pairs.diagnosis import diagnose
from shared.pairs.serving import save

TORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(20, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.embedding(x).mean(1))

def model():
    return Net()

def optimizer(model):
    return torch.optim.{}

def after_backward(model):
    {}
"""
KERAS = """
import keras
from keras import layers

def model():
    parts = [layers.Embedding(20, 4), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((6,), dtype="int32"), *parts])

def optimizer():
    return keras.optimizers.{}
"""
CLIP = "nn.utils.clip_grad_norm_(model.parameters(), 0.1)"
OPTIMIZERS = [
    (
        "AdamW(model.parameters())",
        "AdamW()",
        "pass",
        {"adam_repeated_token", "adam_epsilon", "adam_epsilon_place", "adamw_weight_decay"},
        "defaults",
    ),
    (
        "RMSprop(model.parameters(), 1e-3, momentum=0.9)",
        "RMSprop(1e-3, momentum=0.9, clipnorm=0.1)",
        CLIP,
        {"rmsprop_smoothing", "rmsprop_epsilon", "rmsprop_epsilon_place", "clipping_scope", "clipping_denominator"},
        "different",
    ),
    (
        "Adam(model.parameters(), weight_decay=0.01)",
        "Adam(weight_decay=0.01, global_clipnorm=0.1)",
        CLIP,
        {"adam_epsilon", "adam_epsilon_place", "adam_weight_decay", "clipping_denominator"},
        "defaults",
    ),
    (
        "Adagrad(model.parameters())",
        "Adagrad(0.01)",
        "pass",
        {"adagrad_accumulator", "adam_repeated_token"},
        "defaults",
    ),
    ("NAdam(model.parameters(), 1e-3)", "Nadam()", "pass", {"adam_repeated_token", "adam_epsilon", None}, "defaults"),
    ("Adamax(model.parameters(), 1e-3)", "Adamax()", "pass", {"adamax_epsilon", None}, "defaults"),
]


@pytest.fixture(scope="module")
def processes():
    with sides.both({name: find_interpreter(name, None) for name in FRAMEWORKS}) as both:
        yield both


@pytest.mark.parametrize(
    ("torch", "keras", "clip", "keys", "verdict"), OPTIMIZERS, ids=[one[0].partition("(")[0] for one in OPTIMIZERS]
)
def test_all_that_two_optimizers_do_otherwise_is_found(processes, tmp_path, torch, keras, clip, keys, verdict):  # noqa: PLR0913, PLR0917
    def data(rng):
        return {"inputs": labels(rng, 20, 6), "targets": labels(rng, 3)}

    first, second, arrays = Pair("it", TORCH.format(torch, clip), KERAS.format(keras), data).write(tmp_path)
    with np.load(arrays) as loaded:
        save(tmp_path / "given.npz", dict(loaded))
    asked = Asked((first, second), tmp_path / "given.npz", 0, 16, 4)
    found = diagnose(asked, processes, lambda _: None, in_float32=False)
    assert keys <= {cause.candidate.row and cause.candidate.row.key for cause in found.causes}
    assert found.unexplained is None
    assert found.verdict == verdict
