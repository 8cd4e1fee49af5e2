import hashlib
import struct

import numpy as np
import pytest

from shared.running.batches import checksum, epoch_order, split


# Pinned: if the order moved, two versions of this repository would train differently from the same training.
@pytest.mark.parametrize(
    ("seed", "epoch", "start", "digest"),
    [
        (0, 0, [21706, 45566, 42773], "5a3922cd169f630d"),
        (0, 1, [43709, 39991, 44902], "13555767c8caa7ff"),
        (1, 0, [23677, 12503, 234], "fc9dde48a17e279a"),
    ],
)
def test_order_is_the_one_of_earlier_runs(seed, epoch, start, digest):
    order = epoch_order(seed, epoch)
    assert order[:3].tolist() == start
    assert checksum(order).startswith(digest)


def test_order_holds_every_example_once():
    order = epoch_order(5, 3)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(60_000))


def test_orders_of_seeds_and_epochs_all_differ():
    orders = [checksum(epoch_order(seed, epoch)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [
        (64, [64] * 937 + [32]),  # 937 * 64 = 59968
        (60_000, [60_000]),
        (59_999, [59_999, 1]),
        (20_000, [20_000] * 3),  # no empty batch after an exact fit
    ],
)
def test_split_keeps_the_order_and_the_short_last_batch(batch_size, sizes):
    order = epoch_order(0, 0)
    batches = split(order, batch_size)
    assert [len(batch) for batch in batches] == sizes
    assert np.array_equal(np.concatenate(batches), order)


@pytest.mark.parametrize("dtype", ["<i8", ">i8", "<i4"])
def test_checksum_is_of_little_endian_int64_whatever_the_machine(dtype):
    expected = hashlib.sha256(struct.pack("<3q", 2, 0, 1)).hexdigest()
    assert checksum(np.array([2, 0, 1], dtype=dtype)) == expected
    assert checksum(np.array([2, 9, 0, 9, 1], dtype=dtype)[::2]) == expected


def test_checksum_sees_a_swap():
    assert checksum(np.array([0, 1, 2])) != checksum(np.array([0, 2, 1]))
