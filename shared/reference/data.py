"""The data set, read straight from the canonical files."""

import gzip

import numpy as np

from shared.contract import Dataset
from shared.mnist import MNIST, Examples, Split, canonical
from shared.normalisation import normalise
from shared.training import Training

# An IDX file starts with a header: of 16 bytes before images, of 8 before labels.
IMAGES_HEADER, LABELS_HEADER = 16, 8


def read(split: Split) -> Examples:
    """All images and labels of a split, in the canonical order."""
    prefix = "t10k" if split == "test" else "train"

    def unpacked(name: str, header: int) -> np.ndarray:
        content = gzip.decompress((MNIST.raw / f"{prefix}-{name}-ubyte.gz").read_bytes())
        return np.frombuffer(content, np.uint8, offset=header)

    labels = unpacked("labels-idx1", LABELS_HEADER)
    return canonical(unpacked("images-idx3", IMAGES_HEADER).reshape(len(labels), -1), labels)


def to_dataset(examples: Examples, training: Training, device: str) -> Dataset[np.ndarray]:
    """Normalised inputs (N, P) and labels (N,)."""
    return Dataset(normalise(examples.images, training.numpy_dtype), examples.labels)


def to_arrays(dataset: Dataset[np.ndarray]) -> Dataset[np.ndarray]:
    """The same inputs and labels."""
    return dataset
