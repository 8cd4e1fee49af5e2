"""Kinds of model that people port, in benchmarks/pair_material/ports, each side written as its own documents write it.

Only their shapes were made to agree, so that weights can be carried: all else is as each framework has it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.pair_material.pair import EXAMPLES, Pair, classified, labels, measured, texts, values

FOLDER = Path(__file__).with_suffix("")

BATCH_NORM = ("batch_norm_epsilon", "batch_norm_weight_of_the_new", "batch_norm_running_variance")
ADAM = ("adam_epsilon", "adam_epsilon_place")


def segmented(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images, and a class of each pixel."""
    return {"inputs": values(rng, 16, 16, 3), "targets": labels(rng, 4, 16, 16)}


def grey(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images of one channel from 0 to 1, to be given back."""
    images = rng.random((EXAMPLES, 16, 16, 1), dtype=np.float32)
    return {"inputs": images, "targets": images}


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
        ("layer_norm_epsilon", *ADAM, "adamw_weight_decay"),
        ("gelu_dtype",),
        "a repeated token's gradients are squared one by one in Keras, for which the table has no row yet",
    ),
    port(
        "gru",
        measured(10, 4),
        ("rmsprop_smoothing", "rmsprop_epsilon", "rmsprop_epsilon_place", "clipping_scope", "clipping_denominator"),
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
        (*ADAM, "halving_padding"),
        hard="transposed convolutions of stride 2: Keras's outputs are PyTorch's moved by one pixel",
    ),
)
