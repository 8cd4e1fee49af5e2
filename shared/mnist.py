"""MNIST: the four canonical files, the canonical order of examples, and its checksum."""

import gzip
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file

from shared.network import save_tensors
from shared.system import cache
from shared.system.errors import InputError
from shared.system.paths import ROOT

RAW_ROOT = ROOT / "data" / "MNIST" / "raw"

# SHA-256 of the files as published (TensorFlow Datasets lists the same).
ARCHIVES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
# `checksum` of the arrays in canonical order, whoever reads them.
CHECKSUMS = {
    "train": "0b5cd76aaead97b7c2947ec3ece583c2caeb23080e732c77d900cfc0ea8dd915",
    "test": "356c0d4cf6d4b6251a227c84e3df3f9e645b68913909ae3cb824d5229452ad62",
}


class Examples(NamedTuple):
    """Raw examples in the canonical order."""

    images: np.ndarray  # uint8 (N, 784)
    labels: np.ndarray  # int64 (N,)


class Dataset(NamedTuple):
    """Examples as a framework trains on them: its own tensors, on its device."""

    inputs: Any  # (N, 784), normalised, of the run's dtype
    labels: Any  # (N,) int64


def canonical(images: np.ndarray, labels: np.ndarray) -> Examples:
    """Sort by content: image bytes first, then label.

    torchvision delivers MNIST in file order and TFDS shuffled by a hash; sorted by content both hold the same
    arrays, with no index passed between them. `images` is uint8, (N, 28, 28) with or without a channel axis.
    """
    flat = np.ascontiguousarray(images.reshape(len(images), -1))
    labels = labels.astype(np.int64)
    order = labels.argsort(kind="stable")
    # One void field per row compares as bytes.
    order = order[flat[order].view(f"V{flat.shape[1]}").ravel().argsort(kind="stable")]
    return Examples(flat[order], labels[order])


def checksum(examples: Examples) -> str:
    """SHA-256 over the images and then the labels (little-endian int64)."""
    digest = hashlib.sha256(np.ascontiguousarray(examples.images).data)
    digest.update(examples.labels.astype("<i8").data)
    return digest.hexdigest()


def checked_checksum(split: str, examples: Examples) -> str:
    """The checksum. Raises InputError where it is not MNIST's."""
    found = checksum(examples)
    if found != CHECKSUMS[split]:
        cure = "run 'make clean' and again: what was prepared of them is made anew"
        raise InputError(f"the {split} images or labels have SHA-256 {found[:12]}…, not MNIST's; {cure}")
    return found


def cached(sources: Iterable[Path], read: Callable[[], Examples]) -> Examples:
    """What `read` returns, kept by the SHA-256 of the files it reads: decoding them takes seconds."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    name = "examples.safetensors"
    entry = cache.made("decoded", digest.hexdigest(), lambda folder: save_tensors(folder / name, read()._asdict()))
    return Examples(**load_file(entry / name))


def check_files() -> None:
    """Raise InputError where a canonical file is missing or altered."""
    for name, expected in ARCHIVES.items():
        path = RAW_ROOT / name
        cure = f"restore it with: git checkout -- {path}"
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; {cure}") from None
        if found != expected:
            size = path.stat().st_size
            raise InputError(f"{path}: SHA-256 {found[:12]}… ({size:,} bytes) is not MNIST's {expected[:12]}…; {cure}")


def extracted() -> Path:
    """The root folder of the same files extracted, as torchvision wants them.

    torchvision would extract them in place, and a program that starts meanwhile finds them damaged.
    """

    def extract(root: Path) -> None:
        raw = root / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in ARCHIVES:
            (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress((RAW_ROOT / name).read_bytes()))

    return cache.made("extracted", "mnist", extract)
