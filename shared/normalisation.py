"""From pixel to network input, stated once: (pixel * 1/255 - mean) / std.

The rounding is part of the statement. The pixel is multiplied by the reciprocal of 255, as torchvision's
`v2.ToDtype(scale=True)` and TensorFlow's `convert_image_dtype` both do; torchvision's older `ToTensor` divides by
255, which rounds differently for 126 of the 256 pixel values in float32. Each framework applies its own functions;
`normalise` is what they are tested against, bit for bit, on all 256 values.
"""

import numpy as np

from shared.mnist import MNIST

PIXEL_MAX, MEAN, STD = MNIST.pixel_max, MNIST.mean, MNIST.std


def normalise(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """uint8 of any shape -> `dtype` of the same shape, in [-1, 1], every operation rounded to `dtype`."""
    number = dtype.type
    normalised: np.ndarray = (pixels.astype(dtype) * number(1 / PIXEL_MAX) - number(MEAN)) / number(STD)
    return normalised
