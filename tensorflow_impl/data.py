"""MNIST through TensorFlow Datasets, in the canonical order, as TensorFlow tensors."""

import contextlib
import sys
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf
import tensorflow_datasets as tfds

from shared import progress
from shared.dataset import DATA_ROOT, RAW_ROOT, Dataset, Examples, cached, canonical
from shared.normalisation import MEAN, STD
from shared.spec import Spec

CACHE = DATA_ROOT / "tensorflow_datasets"


def read(split: Literal["train", "test"]) -> Examples:
    """All images and labels of a split, as TFDS reads them, put in the canonical order."""
    prepared = sorted(CACHE.glob("mnist/[0-9].[0-9].[0-9]/dataset_info.json"))
    # From its folder, because finding the builder by its name imports every data set of its kind.
    builder = tfds.builder_from_directory(prepared[-1].parent) if prepared else _prepare()

    def decode() -> Examples:
        mnist = builder.as_dataset(split=split, batch_size=-1)
        return canonical(mnist["image"].numpy(), mnist["label"].numpy())

    # TFDS keeps PNGs, and takes four seconds to decode them.
    return cached(CACHE / "decoded", map(Path, builder.info.splits[split].filepaths), decode)


def _prepare() -> tfds.core.DatasetBuilder:
    """Let TFDS make its own copy of MNIST from the canonical files."""
    progress.notice("TensorFlow Datasets prepares MNIST, once: about half a minute")
    if not progress.wanted():
        tfds.disable_progress_bar()
    builder = tfds.builder("mnist", data_dir=CACHE)
    # manual_dir is where TFDS looks for the archives before it would download them.
    config = tfds.download.DownloadConfig(manual_dir=RAW_ROOT, force_checksums_validation=True)
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare(download_config=config)
    return builder


def to_dataset(examples: Examples, spec: Spec, device: tf.DeviceSpec) -> Dataset:
    """Normalised inputs (N, 784) and labels (N,), on the device."""
    with tf.device(device):
        # Not Keras's Rescaling(1 / 255): on TensorFlow it rounds the factor to float32, even in a float64 layer.
        images = tf.image.convert_image_dtype(examples.images, spec.dtype)
        # Keras is given the variance, the square of torchvision's std.
        normalise = keras.layers.Normalization(mean=MEAN, variance=STD**2, dtype=spec.dtype)
        return Dataset(normalise(images), tf.constant(examples.labels))
