"""MNIST: the four canonical files, the canonical order of examples, and its fingerprint."""

import functools
import gzip
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file

from shared.errors import InputError
from shared.output import write_whole
from shared.paths import ROOT

DATA_ROOT = ROOT / "data"
RAW_ROOT = DATA_ROOT / "MNIST" / "raw"

# SHA-256 of the files as published (TensorFlow Datasets lists the same).
ARCHIVES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
# SHA-256 of the same files extracted, as torchvision wants them beside the archives; it checks only that they exist.
EXTRACTED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# `fingerprint` of the arrays in canonical order, whoever reads them.
FINGERPRINTS = {
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


def fingerprint(examples: Examples) -> str:
    """SHA-256 over the images and then the labels (little-endian int64)."""
    digest = hashlib.sha256(np.ascontiguousarray(examples.images).data)
    digest.update(examples.labels.astype("<i8").data)
    return digest.hexdigest()


def checked_fingerprint(split: str, examples: Examples) -> str:
    """The fingerprint. Raises InputError where it is not MNIST's."""
    found = fingerprint(examples)
    if found != FINGERPRINTS[split]:
        cure = f"delete {DATA_ROOT / 'tensorflow_datasets'} and run again: it is made anew"
        raise InputError(f"the {split} images or labels have SHA-256 {found[:12]}…, not MNIST's; {cure}")
    return found


def cached(folder: Path, sources: Iterable[Path], read: Callable[[], Examples]) -> Examples:
    """What `read` returns, kept in `folder` by the SHA-256 of the files it reads: decoding them takes seconds."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    path = folder / f"{digest.hexdigest()}.safetensors"
    if not path.exists():
        examples = read()
        write_whole(path, lambda aside: save_file(examples._asdict(), aside))
    return Examples(**load_file(path))


def check_files(root: Path = RAW_ROOT) -> None:
    """Raise InputError where a canonical file is missing or altered, or an extracted copy is damaged."""
    for name, expected in ARCHIVES.items():
        _check(root / name, expected, cure=f"restore it with: git checkout -- {root / name}")
    for name, expected in EXTRACTED.items():
        if (root / name).exists():
            _check(root / name, expected, cure="delete it: it is extracted again from the .gz beside it")


def extract_files(root: Path = RAW_ROOT) -> None:
    """Extract the archives where torchvision looks for their contents, each whole or not at all.

    torchvision would write them in place, and a program that starts meanwhile finds them damaged.
    """
    for name in EXTRACTED:
        if not (root / name).exists():
            content = gzip.decompress((root / f"{name}.gz").read_bytes())
            write_whole(root / name, functools.partial(Path.write_bytes, data=content))


def _check(path: Path, expected: str, cure: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {cure}") from None
    if found != expected:
        size = path.stat().st_size
        raise InputError(f"{path}: SHA-256 {found[:12]}… ({size:,} bytes) is not MNIST's {expected[:12]}…; {cure}")
