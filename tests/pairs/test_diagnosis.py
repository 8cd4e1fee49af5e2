"""Real pairs, from both files to the verdict: sound ones, planted mistakes, and ports as they come.

All that is planted, and all sound pairs, are measured by benchmarks.pairs; here are one or two of each kind.
"""

import numpy as np
import pytest

from benchmarks.pair_material import planted, sound
from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import sides
from shared.pairs.climb import LIMITS
from shared.pairs.diagnosis import Asked, diagnose
from shared.pairs.serving import save


@pytest.fixture(scope="module")
def processes():
    with sides.both({name: find_interpreter(name, None) for name in FRAMEWORKS}) as both:
        yield both


@pytest.fixture
def told(processes, tmp_path):
    """What is found out about a pair of the material."""

    def diagnosis(pair, steps=12):
        torch, keras, data = pair.write(tmp_path)
        given = tmp_path / "given.npz"
        with np.load(data) as arrays:
            save(given, dict(arrays))
        return diagnose(Asked((torch, keras), given, 0, 16, steps), processes, lambda _: None, in_float32=False)

    return diagnosis


def named(example, kind, word):
    """The planted mistake of this kind that one of whose causes has this word."""
    found = [p for p in planted.PLANTED if p.example == example and p.kind == kind and word in " ".join(p.causes)]
    assert found, f"nothing like this is planted: {example}, {kind}, {word}"
    return found[0]


@pytest.mark.parametrize("name", ["mlp", "conv2d", "batch normalisation of vectors", "lstm", "shared layer"])
def test_a_sound_pair_is_the_same(told, name):
    found = told(next(pair for pair in sound.PAIRS if pair.name.startswith(name)))
    assert found.verdict == "same", found.precisions["float64"].first
    assert not found.causes
    assert found.precisions["float64"].largest.multiple < LIMITS["float64"] / 10


# What is planted, what the confirmed cause must say, and where it first shows.
MISTAKES = [
    ("mlp", "scale of inputs", "offset", "shifted in Keras, an offset of 1", "the input of the model"),
    ("mlp", "softmax twice", "softmax", "softmax", "what the model returns"),
    ("mlp", "label smoothing", "smoothing", "label_smoothing: 0.1 in PyTorch", "the loss"),
    ("mlp", "weight decay", "regulari", "the regularisers in Keras", "the loss"),
    ("mlp", "learning rate", "learning", "0.01 in PyTorch, 0.001 in Keras", "the rate of step 1"),
    ("mlp", "clipping", "clip", "clipping of the norm of all gradients", "the weights"),
    ("cnn", "padding", "reflect", "padding mode of 0.0 (nn.Conv2d) and 1 more", "the output of"),
    (
        "cnn",
        "batch normalisation",
        "momentum",
        "momentum (the weight of the new batch) of 0.1 (nn.BatchNorm2d) and 1 more",
        "0.1.running_mean",
    ),
    ("cnn", "carried by hand", "carry", "carry, of dense/kernel: its rows", "the output of 4"),
    ("lstm", "activation", "tanh", "activation of lstm (nn.LSTM)", "the output of lstm"),
    ("lstm", "mask", "mask", "mask of embedding", "the output of lstm"),
    ("lstm", "betas", "beta", "betas of the optimizer: [0.5, 0.999] in PyTorch", "the weights"),
]


@pytest.mark.parametrize(("example", "kind", "word", "cause", "first"), MISTAKES)
def test_a_mistake_is_found_where_it_is_and_its_cause_confirmed(told, example, kind, word, cause, first):
    found = told(planted.Case(example, (named(example, kind, word),)))
    assert found.verdict in {"different", "defaults"}
    assert found.precisions["float64"].first.what.startswith(first)
    assert [confirmed for confirmed in found.causes if cause in confirmed.candidate.what], [
        confirmed.candidate.what for confirmed in found.causes
    ]
    assert found.unexplained is None
    # With the change the rest agrees, and without it the difference is as large as it was.
    assert all(check.multiple <= LIMITS["float64"] for check in found.explained)
    assert all(confirmed.without.multiple > LIMITS["float64"] for confirmed in found.causes)


def test_what_can_not_be_tried_is_told_by_its_place_and_no_cause_is_made_up(told):
    found = told(planted.Case("mlp", (named("mlp", "mean of the loss", "weight"),)))
    assert found.verdict == "different"
    assert not found.causes
    assert found.unexplained.what == "the loss"


def test_dropout_is_compared_by_reading(told):
    found = told(planted.Case("cnn", (next(p for p in planted.PLANTED if p.kind == "dropout" and p.example == "cnn"),)))
    assert found.verdict == "different"
    assert found.precisions["float64"].first is None
    assert "dropout, as read" in found.read_only[0]


@pytest.mark.parametrize("case", planted.NAIVE, ids=lambda case: case.example)
def test_a_naive_port_with_several_mistakes_has_all_of_them_named_in_one_run(told, case):
    found = told(case)
    causes = [cause.candidate.what.lower() + cause.candidate.keras.lower() for cause in found.causes]
    for mistake in case.mistakes:
        assert any(word in cause for word in mistake.causes for cause in causes), (mistake.kind, causes)
    assert found.unexplained is None
