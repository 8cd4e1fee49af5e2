"""What a pair of models is made of, for tests and measurements: two files and the data."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

EXAMPLES = 64


class Pair(NamedTuple):
    """Two sources and their data. It is "same" if it has no rows, else "same but for these framework defaults"."""

    name: str
    torch: str
    keras: str
    data: Callable[[np.random.Generator], dict[str, np.ndarray]]
    seed: int = 0
    # The keys of library_defaults.rows that explain what differs.
    rows: tuple[str, ...] = ()
    # The keys of constants that Keras rounds to float32 in a float64 run. Who makes these exact sees no difference.
    rounded: tuple[str, ...] = ()
    # Why it may be hard to say so; empty where it should not be.
    hard: str = ""

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """Its three files in this folder, in the order of the command line."""
        torch, keras, data = (folder / name for name in ("my_torch.py", "my_keras.py", "data.npz"))
        torch.write_text(self.torch, encoding="utf-8")
        keras.write_text(self.keras, encoding="utf-8")
        np.savez(data, **self.data(np.random.default_rng(self.seed)))  # type: ignore[arg-type] # the names are the data's
        return torch, keras, data


def labels(rng: np.random.Generator, classes: int, *shape: int) -> np.ndarray:
    """Whole numbers from 0 to below `classes`."""
    return rng.integers(0, classes, (EXAMPLES, *shape))


def values(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Float32 as files have them, of mean 0 and variance 1."""
    return rng.standard_normal((EXAMPLES, *shape)).astype(np.float32)


def classified(*shape: int, classes: int = 5) -> Callable[[np.random.Generator], dict[str, np.ndarray]]:
    """Numbers of this shape, and a class of each example."""
    return lambda rng: {"inputs": values(rng, *shape), "targets": labels(rng, classes)}


def measured(*shape: int, targets: tuple[int, ...] = (1,)) -> Callable[[np.random.Generator], dict[str, np.ndarray]]:
    """Numbers of this shape, and numbers to be predicted."""
    return lambda rng: {"inputs": values(rng, *shape), "targets": values(rng, *targets)}


def texts(length: int, tokens: int, classes: int = 5) -> Callable[[np.random.Generator], dict[str, np.ndarray]]:
    """Token numbers, and a class of each text."""
    return lambda rng: {"inputs": labels(rng, tokens, length), "targets": labels(rng, classes)}
