"""Kinds of model that people port, in benchmarks/pair_material/ports, each side written as its own documents write it.

Only their shapes were made to agree, so that weights can be carried: all else is as each framework has it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.pair_material.pair import EXAMPLES, Pair, classified, labels, measured, texts, values

FOLDER = Path(__file__).with_suffix("")

BATCH_NORM = ("batch_norm_epsilon", "batch_norm_weight_of_the_new", "batch_norm_running_variance")
RMSPROP = ("rmsprop_smoothing", "rmsprop_epsilon", "rmsprop_epsilon_place")
ADAM = ("adam_epsilon", "adam_epsilon_place")


def segmented(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images, and a class of each pixel."""
    return {"inputs": values(rng, 16, 16, 3), "targets": labels(rng, 4, 16, 16)}


def grey(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images of one channel from 0 to 1, to be given back."""
    images = rng.random((EXAMPLES, 16, 16, 1), dtype=np.float32)
    return {"inputs": images, "targets": images}


def tagged(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sentences of words, each with its tag, and 0 where they have ended."""
    words, tags = rng.integers(1, 30, (EXAMPLES, 9)), rng.integers(1, 5, (EXAMPLES, 9))
    there = np.arange(9) < rng.integers(4, 10, (EXAMPLES, 1))
    return {"inputs": words * there, "targets": tags * there}


def judged(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images, and 1 for those that are real, -1 for those that are not."""
    return {"inputs": values(rng, 16, 16, 3), "targets": 2 * labels(rng, 2).astype(np.float32) - 1}


def two_images(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two images, and whether they show the same."""
    images = {f"inputs/{name}": values(rng, 12, 12, 1) for name in ("left", "right")}
    return {**images, "targets": labels(rng, 2).astype(np.float32)}


def translated(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sentences, what they are translated to, and that word by word, as the next."""
    sentences = {"inputs/source": labels(rng, 20, 7), "inputs/target": labels(rng, 20, 6)}
    return {**sentences, "targets": labels(rng, 20, 6)}


def port(
    name: str,
    data: Callable[[np.random.Generator], dict[str, np.ndarray]],
    rows: tuple[str, ...],
    rounded: tuple[str, ...] = (),
    hard: str = "",
) -> Pair:
    """The two files of this name."""
    torch, keras = ((FOLDER / f"{name}_{side}.py").read_text(encoding="utf-8") for side in ("torch", "keras"))
    return Pair(name, torch, keras, data, rows=rows, rounded=rounded, hard=hard)


PORTS = (
    port(
        "resnet",
        classified(32, 32, 3, classes=10),
        (*BATCH_NORM, "halving_padding"),
        ("momentum_dtype",),
        "a max pooling of stride 2, too, is padded on both sides or at the end only: the table names convolutions",
    ),
    port("unet", segmented, (*BATCH_NORM, *ADAM)),
    port("mobilenet", classified(16, 16, 3, classes=10), (*BATCH_NORM, "halving_padding")),
    port(
        "encoder",
        texts(12, 40, classes=3),
        ("layer_norm_epsilon", *ADAM, "adamw_weight_decay", "adam_repeated_token"),
        ("gelu_dtype",),
        "PyTorch's encoder has more dropout, in the attention and within the feed-forward part",
    ),
    port(
        "gru",
        measured(10, 4),
        (*RMSPROP, "clipping_scope", "clipping_denominator"),
    ),
    port(
        "autoencoder",
        grey,
        (*BATCH_NORM, *ADAM),
        hard="TensorFlow rounds the slope of a leaky ReLU to float32 in a float64 run",
    ),
    port(
        "denoiser",
        grey,
        ADAM,
        hard="transposed convolutions of stride 2: Keras's outputs are PyTorch's moved by one pixel, without a row",
    ),
    port(
        "tagger",
        tagged,
        (),
        hard="a mask, a row that is not trained, an LSTM's two biases: the table has none of these",
    ),
    port("textcnn", texts(16, 40, classes=2), (*ADAM, "adam_repeated_token")),
    port(
        "regression",
        measured(8),
        (*BATCH_NORM, "leaky_relu_layer", "sgd_weight_decay"),
        ("momentum_dtype",),
    ),
    port("tcn", measured(20, 2), ADAM),
    port("efficientnet", classified(16, 16, 3, classes=10), (*BATCH_NORM, "halving_padding", *RMSPROP)),
    port("siamese", two_images, ("adadelta_smoothing", "adadelta_epsilon")),
    port("seq2seq", translated, (*ADAM, "adam_repeated_token")),
    port("vit", classified(16, 16, 3, classes=10), (*ADAM, "adamw_weight_decay"), ("gelu_dtype",)),
    port("critic", judged, ("group_norm_epsilon", *RMSPROP)),
)
