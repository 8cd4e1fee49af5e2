from itertools import product

import numpy as np
import pytest

from shared.random_numbers import ORDER, OTHER_ORDER, SIGNS, WEIGHTS, bits, uniform


# Pinned: another NumPy, another key layout or another order of the purposes would silently make other runs of the
# same training, and every published number would no longer be reproducible.
@pytest.mark.parametrize(
    ("seed", "purpose", "index", "expected"),
    [
        (0, WEIGHTS, 0, [0x02F4BA6408E4D89B, 0x3DD62B0B9CA8C5B2, 0x1C8667A55D902E79]),
        (0, ORDER, 0, [0x68F2A1CB1907A6F3, 0xA56C242DB0A03161, 0xF54610F42F089295]),
        (0, SIGNS, 0, [0x993C757B5091E053, 0x9700C7FEBDCA06F4, 0xE5989AF15DCF9C96]),
        (2**63 - 1, ORDER, 7, [0x9E374DB0DFADBC57, 0x3CEEC5117FD24571, 0x17F748A044722B75]),
    ],
)
def test_stream_is_the_one_of_earlier_runs(seed, purpose, index, expected):
    assert bits(3, seed=seed, purpose=purpose, index=index).tolist() == expected


def test_each_seed_purpose_and_index_has_its_own_stream():
    # The large indices would collide with the other purpose if its bits overlapped the index's.
    streams = list(product((0, 1, 2, 2**63 - 1), (WEIGHTS, ORDER, OTHER_ORDER, SIGNS), (0, 1, 2, 5, 2**16, 2**31)))
    firsts = {bits(1, seed=seed, purpose=purpose, index=index).item() for seed, purpose, index in streams}
    assert len(firsts) == len(streams)


def test_a_longer_draw_begins_with_the_shorter():
    short, long = (bits(count, seed=3, purpose=ORDER, index=1) for count in (3, 10))
    assert np.array_equal(long[:3], short)


def test_uniform_is_the_top_53_bits_of_each_number():
    key = {"seed": 3, "purpose": WEIGHTS, "index": 1}
    # Python's integers are exact, and so is the division by a power of two.
    assert uniform(1000, **key).tolist() == [(number >> 11) / 2**53 for number in bits(1000, **key).tolist()]
    assert uniform(1, **key).dtype == np.float64


def test_uniform_fills_zero_to_one():
    values = uniform(10_000, seed=0, purpose=WEIGHTS, index=0)
    # Each tenth expects 1000, standard deviation 30.
    assert np.abs(np.histogram(values, bins=10, range=(0, 1))[0] - 1000).max() < 150
    assert values.min() >= 0
    assert values.max() < 1
