from fractions import Fraction

import numpy as np
import pytest

from shared.normalisation import normalise

PIXELS = np.arange(256, dtype=np.uint8)
DTYPES = pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")], ids=str)


@DTYPES
def test_every_pixel_is_within_rounding_of_the_exact_value(dtype):
    # (p/255 - 1/2) / (1/2) = 2p/255 - 1. With u half an eps: the reciprocal and the product are off by u each, the
    # difference by u/2 at most, and the division by a power of two doubles all of it: 5u, or 2.5 eps.
    bound = Fraction(float(np.finfo(dtype).eps)) * 5 / 2
    for pixel, found in enumerate(normalise(PIXELS, dtype).tolist()):
        assert abs(Fraction(found) - (Fraction(2 * pixel, 255) - 1)) <= bound, pixel


@DTYPES
def test_every_operation_is_rounded_once_in_the_order_stated(dtype):
    def rounded(exact):
        # Python rounds a fraction to the nearest float64. Rounding that again to float32 changes nothing for one
        # operation on float32 numbers, as 53 bits are more than 2 * 24 + 2.
        return Fraction(float(dtype.type(float(exact))))

    reciprocal = rounded(Fraction(1, 255))
    expected = [rounded(rounded(rounded(p * reciprocal) - Fraction(1, 2)) / Fraction(1, 2)) for p in range(256)]
    assert [Fraction(found) for found in normalise(PIXELS, dtype).tolist()] == expected


@DTYPES
def test_range_ends_exactly_at_minus_one_and_one(dtype):
    assert normalise(PIXELS, dtype)[[0, -1]].tolist() == [-1, 1]


@DTYPES
def test_brighter_pixels_are_larger_inputs(dtype):
    assert (np.diff(normalise(PIXELS, dtype)) > 0).all()


@DTYPES
@pytest.mark.parametrize("shape", [(256,), (2, 128), (1, 16, 16)])
def test_shape_is_kept_and_dtype_is_the_one_asked_for(dtype, shape):
    found = normalise(PIXELS.reshape(shape), dtype)
    assert found.shape == shape
    assert found.dtype == dtype


def test_pixels_are_left_alone():
    pixels = PIXELS.copy()
    normalise(pixels, np.dtype("float32"))
    assert np.array_equal(pixels, PIXELS)
