"""Writes the digits that the pairs `mlp` and `cnn` train on: the first 480 test images of MNIST.

Run it in the repository's folder: `python -m examples.digits`
"""

import gzip
from pathlib import Path

import numpy as np

from shared.mnist import MNIST

HERE = Path(__file__).parent
EXAMPLES = 480  # 30 steps of 16


def read(name: str, header: int) -> np.ndarray:
    """The bytes of an IDX file, after its header."""
    return np.frombuffer(gzip.decompress((MNIST.raw / name).read_bytes()), np.uint8, offset=header)


def main() -> None:
    """Write each pair's data.npz."""
    images = read("t10k-images-idx3-ubyte.gz", header=16).reshape(-1, MNIST.side, MNIST.side)[:EXAMPLES]
    labels = read("t10k-labels-idx1-ubyte.gz", header=8)[:EXAMPLES].astype(np.int64)
    np.savez_compressed(HERE / "mlp" / "data.npz", inputs=images, targets=labels)
    # As TensorFlow's data sets have images: (N, 28, 28, 1), the channels last.
    pixels = (images[..., np.newaxis] / MNIST.pixel_max).astype(np.float32)
    np.savez_compressed(HERE / "cnn" / "data.npz", inputs=pixels, targets=labels)


if __name__ == "__main__":
    main()
