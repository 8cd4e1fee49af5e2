"""The data set through TensorFlow Datasets, in the canonical order, as TensorFlow tensors."""

import contextlib
import errno
import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from shared.contract import Dataset
from shared.mnist import MNIST, Examples, Split, cached, canonical
from shared.normalisation import MEAN, STD
from shared.system import cache, progress
from shared.system.language import say
from shared.training import Training

BLOCK = 1_000  # images


def builder() -> tfds.core.DatasetBuilder:
    """TFDS's own copy of the data set, which is made from the canonical files where it is missing or damaged."""
    root = cache.made("tensorflow_datasets", MNIST.builder, _prepare)
    # By its folder: to find it by its name, TFDS would import many other data sets.
    return tfds.builder_from_directory(next(root.glob(f"{MNIST.builder}/*/dataset_info.json")).parent)


def _prepare(folder: Path) -> None:
    """Let TFDS prepare the data set in `folder`. Raises OSError where it can't be written."""
    progress.notice(say("TensorFlow Datasets prepares {data}, once: about half a minute", data=MNIST.name))
    if not progress.watched():
        tfds.disable_progress_bar()
    mnist = tfds.builder(MNIST.builder, data_dir=folder)
    # TFDS looks for the archives in manual_dir before it would download them.
    config = tfds.download.DownloadConfig(manual_dir=MNIST.raw, force_checksums_validation=True)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # our own notice says it
            mnist.download_and_prepare(download_config=config)
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, error.message) from None


def read(split: Split) -> Examples:
    """All images and labels of a split, as TFDS reads them, put in the canonical order."""
    mnist_builder = builder()

    def decode() -> Examples:
        mnist = mnist_builder.as_dataset(split=split, batch_size=-1)
        return canonical(mnist["image"].numpy(), mnist["label"].numpy())

    # TFDS keeps PNGs, and takes four seconds to decode them.
    return cached(map(Path, mnist_builder.info.splits[split].filepaths), decode)


def to_dataset(examples: Examples, training: Training, device: tf.DeviceSpec) -> Dataset[tf.Tensor]:
    """Normalised inputs (N, P) and labels (N,), on the device."""
    # Keras is given the variance, the square of torchvision's std.
    normalise = keras.layers.Normalization(mean=MEAN, variance=STD**2, dtype=training.dtype)
    images = examples.images
    with tf.device(device):
        # Not Keras's Rescaling(1 / 255): on TensorFlow it rounds the factor to float32, even in a float64 layer.
        # In blocks: TensorFlow does not give back the memory of the steps between pixels and inputs.
        blocks = [
            normalise(tf.image.convert_image_dtype(images[start : start + BLOCK], training.dtype))
            for start in range(0, len(images), BLOCK)
        ]
        return Dataset(tf.concat(blocks, axis=0), tf.constant(examples.labels))


def to_arrays(dataset: Dataset[tf.Tensor]) -> Dataset[np.ndarray]:
    """The same inputs and labels, as they are on the device now."""
    return Dataset(*(tensor.numpy() for tensor in dataset))
