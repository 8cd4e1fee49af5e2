"""Real pairs, from both files to the verdict: sound ones, planted mistakes, and ports as they come.

All that is planted, and all sound pairs, are measured by benchmarks.pairs; here are one or two of each kind.
"""

import numpy as np
import pytest

from benchmarks.pair_material import planted, ports, sound
from benchmarks.pair_material.pair import Pair, classified, labels, values
from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import sides
from shared.pairs.bench import Asked
from shared.pairs.climb import LIMITS
from shared.pairs.diagnosis import diagnose
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


# What is planted, what the confirmed cause must say, and where it first shows: one for each way to find a cause.
# benchmarks/pairs.md has all that is planted.
MISTAKES = [
    ("mlp", "scale of inputs", "offset", "shifted in Keras, an offset of 1", "the input of the model"),
    ("mlp", "softmax twice", "softmax", "softmax", "what the model returns"),
    ("mlp", "weight decay", "regulari", "the regularisers in Keras", "the loss"),
    ("mlp", "clipping", "clip", "clipping: the norm of all gradients", "the weights"),
    ("cnn", "padding", "reflect", "padding mode of 0.0 (nn.Conv2d) and 1 more", "the output of"),
    (
        "cnn",
        "batch normalisation",
        "momentum",
        "momentum (the weight of the new batch) of 0.1 (nn.BatchNorm2d) and 1 more",
        "0.1.running_mean",
    ),
    ("cnn", "carried by hand", "carry", "carry, of dense/kernel: its rows", "the output of 4"),
    ("lstm", "mask", "mask", "mask of embedding", "the output of lstm"),
    ("cnn", "axes", "image", "each image is transposed in Keras before it is flattened", "what goes into 4"),
    ("cnn", "batch normalisation", "affine", "a scale that PyTorch does not have", "the gradient of"),
    ("lstm", "axes", "batch_first", "batch_first of lstm (nn.LSTM): False in PyTorch", "the output of lstm"),
    ("lstm", "pooling over time", "mean over", "the mean over time of the outputs of lstm", "what goes into norm"),
    (
        "lstm",
        "gates and biases",
        "use_bias",
        "a bias that Keras does not have, in sequential/lstm",
        "the output of lstm",
    ),
    ("lstm", "formula of the optimizer", "update_step", "update_step of Adam, a class of the Keras", "the weights"),
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


def pair_of(torch, keras):
    """Both files' texts, with what they import."""
    heads = (
        "import torch\nfrom torch import nn\n\n",
        "import keras\nimport tensorflow as tf\nfrom keras import layers\n\n",
    )
    return Pair("", heads[0] + torch, heads[1] + keras, classified(6))


NORMALISED = (
    """
def model():
    wide = [part for _ in range(3) for part in (nn.Linear(6, 6), nn.BatchNorm1d(6))]
    return nn.Sequential(*wide, nn.Linear(6, 5))
""",
    """
class Unbiased(layers.BatchNormalization):
    def call(self, inputs, training=None):
        outputs = super().call(inputs, training=training)
        if training:
            variance = tf.math.reduce_variance(inputs, 0)
            self.moving_variance.assign_add((1 - self.momentum) * variance / (inputs.shape[0] - 1))
        return outputs

def model():
    norms = [KINDS]
    wide = [part for norm in norms for part in (layers.Dense(6), norm(momentum=0.9, epsilon=1e-5))]
    return keras.Sequential([keras.Input([6]), *wide, layers.Dense(5)])
""",
)
PLAIN, UNBIASED = "layers.BatchNormalization", "Unbiased"
VARIANCES = {
    "all": ((PLAIN, PLAIN, PLAIN), "1 (nn.BatchNorm1d) and 2 more"),
    "one": ((UNBIASED, PLAIN, UNBIASED), "3 (nn.BatchNorm1d)"),
    "none": ((UNBIASED, UNBIASED, UNBIASED), ""),
}


@pytest.mark.parametrize("which", VARIANCES)
def test_running_variances_that_differ_are_one_cause(told, which):
    norms, named_in_it = VARIANCES[which]
    found = told(pair_of(NORMALISED[0], NORMALISED[1].replace("KINDS", ", ".join(norms))), steps=6)
    expected = [f"the running variance of {named_in_it}: by n − 1 in PyTorch, by n in Keras"] if named_in_it else []
    assert [cause.candidate.what for cause in found.causes] == expected
    assert found.verdict == ("defaults" if expected else "same")
    assert found.unexplained is None


TRAINED = (
    """
def model():
    return nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 5))

def optimizer(model):
    return torch.optim.SGD(model.parameters(), 0.1)

def after_backward(model):
    CLIPPED
""",
    """
def model():
    return keras.Sequential([keras.Input([6]), layers.Dense(6, activation="tanh"), layers.Dense(5)])

def optimizer():
    return keras.optimizers.SGD(0.1CLIPPED)
""",
)
BY_HAND = """norm = sum((p.grad ** 2).sum() for p in model.parameters()) ** 0.5
    [p.grad.mul_(torch.clamp(0.05 / norm, max=1)) for p in model.parameters()]"""
# How PyTorch clips, how Keras does, and the causes.
CLIPPED = {
    "by hand": (BY_HAND, ", global_clipnorm=0.05"),
    "value": ("nn.utils.clip_grad_value_(model.parameters(), clip_value=0.01)", ", clipvalue=0.01"),
    "value, in PyTorch alone": (
        "nn.utils.clip_grad_value_(model.parameters(), 0.01)",
        "",
        "clipping: each number at 0.01 in PyTorch, none in Keras",
    ),
    "each": (
        "[nn.utils.clip_grad_norm_(p, 0.05) for p in model.parameters()]",
        ", global_clipnorm=0.05",
        "clipping: the norm of each gradient at 0.05 in PyTorch, the norm of all gradients at 0.05 in Keras",
        "clipping: PyTorch divides by the norm of each gradient + 1e-6",
    ),
    "the largest": (
        "nn.utils.clip_grad_norm_(model.parameters(), 0.05, norm_type=float('inf'))",
        ", global_clipnorm=0.05",
        "clipping: PyTorch takes the norm of type inf of all gradients",
    ),
}


@pytest.mark.parametrize("how", CLIPPED)
def test_clipping_is_done_as_pytorch_does_it_and_named_where_that_mends_it(told, how):
    torch, keras, *causes = CLIPPED[how]
    found = told(pair_of(TRAINED[0].replace("CLIPPED", torch), TRAINED[1].replace("CLIPPED", keras)), steps=3)
    confirmed = sorted(cause.candidate.what for cause in found.causes)
    assert len(confirmed) == len(causes)
    assert all(what.startswith(cause) for what, cause in zip(confirmed, sorted(causes), strict=True)), confirmed
    assert found.unexplained is None
    assert found.verdict == ("different" if causes else "same")


def test_clipping_by_hand_on_one_side_is_a_difference_without_a_cause(told):
    found = told(pair_of(TRAINED[0].replace("CLIPPED", BY_HAND), TRAINED[1].replace("CLIPPED", "")), steps=3)
    assert found.verdict == "different"
    assert found.unexplained.what.startswith("the weights")


DROPPING = (
    """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, dropout=0.1, batch_first=True)
        self.lstm = nn.LSTM(6, 6, 2, dropout=RATE, batch_first=True)
        self.last = nn.Linear(6, 5)

    def forward(self, x):
        x = x[:, None] * torch.ones(1, 3, 1)
        x = nn.functional.dropout(self.attention(x, x, x)[0], 0.2, self.training)
        return self.last(self.lstm(x)[0][:, -1])

def model():
    model = Model()
    for name, parameter in model.lstm.named_parameters():
        if "bias_hh" in name:
            nn.init.zeros_(parameter).requires_grad_(False)
    return model
""",
    """
def model():
    inputs = keras.Input([6])
    x = layers.RepeatVector(3)(inputs)
    x = layers.Dropout(0.2)(layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x))
    x = layers.LSTM(6, dropout=0.3)(layers.LSTM(6, return_sequences=True)(x))
    return keras.Model(inputs, layers.Dense(5)(x))
""",
)


@pytest.mark.parametrize("rate", [0.3, 0.4])
def test_dropout_of_attention_functions_and_recurrent_layers_is_compared_and_does_nothing(told, rate):
    found = told(pair_of(DROPPING[0].replace("RATE", str(rate)), DROPPING[1]), steps=5)
    assert found.precisions["float64"].first is None
    assert found.verdict == ("same" if rate == 0.3 else "different")
    assert all("0.4 (lstm)" in read and "0.3 (lstm" in read for read in found.read_only)


def test_what_can_not_be_tried_is_told_by_its_place_and_no_cause_is_made_up(told):
    found = told(planted.Case("mlp", (named("mlp", "targets", "shifted"),)))
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


# A port as its documents write it: its verdict, and words of causes beside those that have a row.
PORTS = [
    ("denoiser", "defaults", ["crop (outputs left out before and after, in each dimension) of t_conv1"]),
    ("textcnn", "different", ["padding_idx of embedding"]),  # a row that is not trained, and tokens that repeat
    ("resnet", "defaults", ["of maxpool (nn.MaxPool2d)"]),
    ("critic", "defaults", ["ε of 3 (nn.InstanceNorm2d)"]),
]


@pytest.mark.parametrize(("name", "verdict", "words"), PORTS)
def test_what_is_otherwise_in_a_port_is_named_and_confirmed(told, name, verdict, words):
    port = next(port for port in ports.PORTS if port.name == name)
    found = told(port)
    causes = [cause.candidate for cause in found.causes]
    assert found.unexplained is None
    assert found.verdict == verdict
    assert {cause.row.key for cause in causes if cause.row} == {*port.rows}
    for word in words:
        assert any(word in cause.what for cause in causes), [cause.what for cause in causes]


def test_a_transposed_convolution_that_gives_less_is_cut_off_where_pytorch_does(told):
    torch = """
import torch
from torch import nn

def model():
    return nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1)

def prepare(inputs):
    return inputs.transpose(0, 2, 1)

def loss(outputs, targets):
    return ((outputs - 1) ** 2).mean()
"""
    keras = """
import keras
from keras import layers

def model():
    return keras.Sequential([keras.Input((5, 2)), layers.Conv1DTranspose(3, 3, strides=2)])

def loss(targets, outputs):
    return keras.ops.mean((outputs - 1) ** 2)
"""
    found = told(Pair("it", torch, keras, lambda rng: {"inputs": values(rng, 5, 2), "targets": values(rng, 1)}))
    assert [cause.candidate.what.partition(" (")[0] for cause in found.causes] == ["crop"]
    assert "[[1, 1]] in PyTorch, [[0, 0]] in Keras" in found.causes[0].candidate.what
    assert found.unexplained is None
    assert found.verdict == "different"


def test_an_image_as_wide_as_it_has_channels_goes_into_a_pooling_as_it_came_out(told):
    torch = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block, self.short = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(1, 4, 1)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x):
        shortcut = self.short(x)
        return self.head(self.pool(self.block(x) + shortcut).flatten(1))

def model():
    return Net()

def prepare(inputs):
    return inputs.transpose(0, 3, 1, 2)
"""
    keras = """
import keras
from keras import layers

def model():
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.add([x, layers.Conv2D(4, 1)(inputs)])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
"""
    pair = Pair("it", torch, keras, lambda rng: {"inputs": values(rng, 4, 4, 1), "targets": labels(rng, 3)})
    found = told(pair)
    assert found.verdict == "same", found.precisions["float64"].first
    assert any("what goes into pool" in check.what for check in found.precisions["float64"].checks)
