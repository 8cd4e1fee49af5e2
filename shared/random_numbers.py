"""Random numbers that are a function of (seed, purpose, index) alone.

Only the raw 64-bit output of NumPy's Philox is used: NumPy promises that it never changes (NEP 19), which it
does not promise of `Generator.permutation` or `Generator.uniform`.
"""

import numpy as np

# The second half of Philox's key: one independent stream for each (purpose, index).
WEIGHTS, ORDER, OTHER_ORDER, SIGNS = range(4)


def bits(count: int, *, seed: int, purpose: int, index: int) -> np.ndarray:
    """`count` random uint64."""
    key = np.array([seed, (purpose << 32) + index], dtype=np.uint64)
    raw: np.ndarray = np.random.Philox(key=key).random_raw(count)
    return raw


def uniform(count: int, *, seed: int, purpose: int, index: int) -> np.ndarray:
    """`count` float64 in [0, 1), multiples of 2**-53."""
    return (bits(count, seed=seed, purpose=purpose, index=index) >> np.uint64(11)) * 2.0**-53
