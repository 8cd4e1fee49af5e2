import dataclasses
import gzip
import hashlib
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from shared import mnist
from shared.mnist import MNIST, Examples, canonical, check_examples, check_files, checksum, extracted
from shared.reference import data
from shared.system import cache
from shared.system.errors import InputError

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def sample(count=50):
    """Images whose first pixels often agree, and of which some are the same throughout."""
    random = np.random.default_rng(0)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = random.choice([0, 1, 127, 128, 255], count)
    images[:, 27, 27] = random.choice([0, 1, 255], count)
    return images, np.arange(count) % 7


def rows(examples):
    return [(image.tobytes(), label) for image, label in zip(examples.images, examples.labels.tolist(), strict=True)]


def test_canonical_order_is_by_image_bytes_and_then_by_label():
    images, labels = sample()
    expected = sorted(zip((image.tobytes() for image in images), labels.tolist(), strict=True))
    assert rows(canonical(images, labels)) == expected


def test_same_images_are_ordered_by_label():
    images = np.zeros((4, 28, 28), np.uint8)
    assert canonical(images, np.array([3, 1, 2, 0])).labels.tolist() == [0, 1, 2, 3]


def test_canonical_order_does_not_depend_on_the_order_of_arrival():
    images, labels = sample()
    shuffled = np.random.default_rng(1).permutation(len(labels))
    assert rows(canonical(images[shuffled], labels[shuffled])) == rows(canonical(images, labels))


@pytest.mark.parametrize("shape", [(50, 784), (50, 28, 28, 1), (50, 1, 28, 28)])
def test_canonical_takes_images_of_any_layout(shape):
    images, labels = sample()
    assert rows(canonical(images.reshape(shape), labels)) == rows(canonical(images, labels))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_canonical_gives_flat_uint8_images_and_int64_labels(dtype):
    images, labels = sample()
    examples = canonical(images[::2], labels[::2].astype(dtype))
    assert (examples.images.shape, examples.images.dtype) == ((25, 784), np.uint8)
    assert (examples.labels.shape, examples.labels.dtype) == ((25,), np.int64)


TWO = Examples(np.arange(2 * 784).reshape(2, 784).astype(np.uint8), np.array([3, 5]))


def test_checksum_is_of_the_images_and_then_the_little_endian_labels():
    expected = hashlib.sha256(TWO.images.tobytes() + struct.pack("<2q", 3, 5)).hexdigest()
    assert checksum(*TWO) == expected
    assert checksum(np.asfortranarray(TWO.images), TWO.labels.astype(">i8")) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_checksum_of_inputs_is_of_all_their_bits(dtype):
    inputs = (TWO.images / 255).astype(dtype)
    expected = hashlib.sha256(inputs.tobytes() + struct.pack("<2q", 3, 5)).hexdigest()
    assert checksum(inputs, TWO.labels) == expected
    assert checksum(inputs[:, ::-1].copy()[:, ::-1], TWO.labels) == expected
    inputs[1, 400] = np.nextafter(inputs[1, 400], dtype(2))
    assert checksum(inputs, TWO.labels) != expected


@pytest.mark.parametrize("pixel", [(0, 0), (0, 783), (1, 400), (1, 783)])
def test_checksum_changes_with_any_pixel(pixel):
    images = TWO.images.copy()
    images[pixel] ^= 1
    assert checksum(images, TWO.labels) != checksum(*TWO)


@pytest.mark.parametrize(
    "altered",
    [
        Examples(TWO.images, np.array([3, 4])),
        Examples(TWO.images, TWO.labels[::-1]),
        Examples(TWO.images[::-1], TWO.labels),
        Examples(TWO.images[::-1], TWO.labels[::-1]),
        Examples(TWO.images[:1], TWO.labels[:1]),
    ],
    ids=["label", "labels swapped", "images swapped", "examples swapped", "example lost"],
)
def test_checksum_changes_with_any_label_and_swap(altered):
    assert checksum(*altered) != checksum(*TWO)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch):
    """A folder with the four archives, as links, so that a test replaces only its own."""
    for name in NAMES:
        (tmp_path / f"{name}.gz").symlink_to(MNIST.raw / f"{name}.gz")
    monkeypatch.setattr(mnist, "MNIST", dataclasses.replace(MNIST, raw=tmp_path))
    return tmp_path


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flipped(content):
    """One bit of the last byte altered: the size stays."""
    return content[:-1] + bytes([content[-1] ^ 1])


def test_canonical_archives_are_enough(raw):
    check_files()


def test_extracted_files_hold_what_the_archives_do_and_are_made_again_where_damaged(own_cache, capsys):
    for damage in (None, lambda path: path.write_bytes(path.read_bytes()[:-1]), Path.unlink):
        if damage:
            damage(extracted() / "MNIST" / "raw" / NAMES[0])
        folder = extracted() / "MNIST" / "raw"
        assert ("is damaged: it is made again" in capsys.readouterr().err) == bool(damage)
        for name in NAMES:
            assert (folder / name).read_bytes() == gzip.decompress((MNIST.raw / f"{name}.gz").read_bytes())


def test_who_looks_meanwhile_sees_the_extracted_files_whole_or_not_at_all(own_cache):
    raw = own_cache / "extracted" / "mnist" / "MNIST" / "raw"
    extracting = threading.Thread(target=extracted)
    extracting.start()
    while extracting.is_alive():
        if raw.exists():
            assert cache.find("extracted", "mnist")
    extracting.join()
    assert raw.exists()


@pytest.mark.parametrize("name", [f"{name}.gz" for name in NAMES])
def test_missing_archive_is_named_with_the_cure(raw, name):
    (raw / name).unlink()
    with pytest.raises(InputError) as error:
        check_files()
    path = raw / name
    assert str(error.value) == f"{path}: No such file or directory; restore it with: git checkout -- {path}"


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], flipped, lambda _: b""], ids=["truncated", "altered", "emptied"]
)
@pytest.mark.parametrize("name", ["t10k-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte.gz"])
def test_damaged_archive_is_named_with_its_size_and_the_cure(raw, name, damage):
    content = damage((MNIST.raw / name).read_bytes())
    replace(raw / name, content)
    with pytest.raises(InputError) as error:
        check_files()
    message = str(error.value)
    assert message.startswith(f"{raw / name}: SHA-256 {hashlib.sha256(content).hexdigest()[:12]}")
    assert f"({len(content):,} bytes)" in message
    assert message.endswith(f"; restore it with: git checkout -- {raw / name}")
    assert "\n" not in message


def test_examples_are_read_once_and_again_only_when_their_sources_change(tmp_path: Path, own_cache):
    source, examples = tmp_path / "source", Examples(np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(3))
    reads = []

    def read():
        reads.append(1)
        return examples

    for content, expected_reads in ((b"one", 1), (b"one", 1), (b"two", 2), (b"one", 2)):
        source.write_bytes(content)
        found = mnist.cached([source], read)
        np.testing.assert_array_equal(found.images, examples.images)
        np.testing.assert_array_equal(found.labels, examples.labels)
        assert len(reads) == expected_reads
    assert len(list((own_cache / "decoded").iterdir())) == 2


def test_other_data_than_mnist_is_refused():
    examples = Examples(np.zeros((1, 784), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(
        InputError, match=r"the train images or labels have SHA-256 \w{12}…, not MNIST's; run 'make clean'"
    ):
        check_examples("train", examples)


def test_the_data_set_itself_is_not_refused():
    test = data.read("test")
    check_examples("test", test)
    with pytest.raises(InputError, match="the train images or labels have SHA-256"):
        check_examples("train", test)
