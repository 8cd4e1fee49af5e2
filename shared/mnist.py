"""The data set as one object; its files, the canonical order of its examples, and their checksum."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from safetensors.numpy import load_file

from shared.system import cache
from shared.system.errors import InputError
from shared.system.files import save_tensors
from shared.system.language import say
from shared.system.paths import ROOT

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DataSet:
    """A data set of the form of MNIST: square grey images, each of one class, in four IDX files."""

    name: str  # of torchvision's class
    builder: str  # TensorFlow Datasets' name for it
    raw: Path  # the folder of its four files
    archives: Mapping[str, str]  # their names, and the SHA-256 of each
    checksums: Mapping[Split, str]  # `checksum` of the arrays in canonical order, whichever library reads them
    train_examples: int
    test_examples: int
    side: int  # pixels
    pixel_max: int
    mean: float  # subtracted in normalisation, and `std` divided by; both as shares of `pixel_max`
    std: float
    classes: tuple[str, ...]

    @property
    def pixels(self) -> int:
        return self.side**2

    @property
    def test_images(self) -> str:
        """How a sentence names them."""
        return say("the {n:,} test images", n=self.test_examples)


MNIST = DataSet(
    name="MNIST",
    builder="mnist",
    raw=ROOT / "data" / "MNIST" / "raw",
    # As published; TensorFlow Datasets lists the same.
    archives={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    checksums={
        "train": "0b5cd76aaead97b7c2947ec3ece583c2caeb23080e732c77d900cfc0ea8dd915",
        "test": "356c0d4cf6d4b6251a227c84e3df3f9e645b68913909ae3cb824d5229452ad62",
    },
    train_examples=60_000,
    test_examples=10_000,
    side=28,
    pixel_max=255,
    mean=0.5,
    std=0.5,
    classes=tuple("0123456789"),
)


class Examples(NamedTuple):
    """Raw examples in the canonical order."""

    images: np.ndarray  # uint8 (N, pixels)
    labels: np.ndarray  # int64 (N,)


def canonical(images: np.ndarray, labels: np.ndarray) -> Examples:
    """Sort by content: image bytes first, then label.

    torchvision delivers MNIST in file order and TFDS shuffled by a hash; sorted by content both hold the same
    arrays, with no index passed between them. `images` is uint8, (N, side, side) with or without a channel axis.
    """
    flat = np.ascontiguousarray(images.reshape(len(images), -1))
    labels = labels.astype(np.int64)
    order = labels.argsort(kind="stable")
    # One void field per row compares as bytes.
    order = order[flat[order].view(f"V{flat.shape[1]}").ravel().argsort(kind="stable")]
    return Examples(flat[order], labels[order])


def checksum(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 over the images, as pixels or as inputs of any dtype, and then the labels (little-endian int64)."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(labels.astype("<i8").data)
    return digest.hexdigest()


def check_examples(split: Split, examples: Examples) -> None:
    """Raise InputError where these are not the data set's."""
    found = checksum(*examples)
    if found != MNIST.checksums[split]:
        cure = "run 'make clean' and then this again, which prepares them again"
        raise InputError(f"the {split} images or labels have SHA-256 {found[:12]}…, not {MNIST.name}'s; {cure}")


def cached(sources: Iterable[Path], read: Callable[[], Examples]) -> Examples:
    """What `read` returns, cached under the SHA-256 of the files that it reads, because decoding takes seconds."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    name = "examples.safetensors"
    entry = cache.made("decoded", digest.hexdigest(), lambda folder: save_tensors(folder / name, read()._asdict()))
    return Examples(**load_file(entry / name))


def check_files() -> None:
    """Raise InputError where a canonical file is missing or altered."""
    for name, expected in MNIST.archives.items():
        path = MNIST.raw / name
        cure = f"restore it with: git checkout -- {path}"
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; {cure}") from None
        if found != expected:
            size = f"{path.stat().st_size:,} bytes"
            told = f"{path}: SHA-256 {found[:12]}… ({size}) is not {MNIST.name}'s {expected[:12]}…"
            raise InputError(f"{told}; {cure}")


def extracted() -> Path:
    """The root folder of the same files extracted, as torchvision wants them.

    torchvision would extract them in place, and another program that starts meanwhile would find them damaged.
    """

    def extract(root: Path) -> None:
        raw = root / MNIST.name / "raw"
        raw.mkdir(parents=True)
        for name in MNIST.archives:
            (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress((MNIST.raw / name).read_bytes()))

    return cache.made("extracted", MNIST.builder, extract)
