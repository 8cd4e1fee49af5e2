"""What the workers of a run have in common: the same training, from the same weights, to the same weights."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from shared.contract import Device, Workers
from shared.network import Weights
from shared.running.place import Place
from shared.system.errors import InputError
from shared.training import Training

# A worker's weights -> nothing. Raises InputError where another's are not the same bits.
Compare = Callable[[Weights], None]


@contextlib.contextmanager
def joined(
    engine: Workers[Device, Any, Any, Any], device: Device, place: Place, training: Training, weights: Weights
) -> Iterator[Compare]:
    """Be one of the workers while the block lasts. Yields what compares their weights, which all must call.

    Raises InputError where they were not given the same training and the same weights.
    """
    with engine.join(device):
        counted = int(engine.settings()["workers"])
        if counted != place.workers:
            told = f"--engine workers: the framework counts {counted}, and {place.workers} were started"
            raise InputError(f"{told}; let each see one GPU, by CUDA_VISIBLE_DEVICES")
        cure = "start all with the same options and files"
        _check_same(engine, place, f"was given another training or other weights; {cure}", training, weights)
        cure = "look for another version of a library there, or a machine that is not sound"
        yield lambda now: _check_same(engine, place, f"has ended with other weights; {cure}", training, now)


def _check_same(
    engine: Workers[Any, Any, Any, Any], place: Place, otherwise: str, training: Training, weights: Weights
) -> None:
    """Raise InputError, with what is `otherwise`, where a worker has not the same as the first."""
    digest = hashlib.sha256(training.model_dump_json().encode())
    for name, values in weights.items():
        digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
    table = np.zeros((place.workers, digest.digest_size), np.float32)  # float32 holds a byte, and any backend adds it
    table[place.worker] = list(digest.digest())
    found = engine.total(table)
    for worker in range(1, place.workers):
        if not np.array_equal(found[worker], found[0]):
            raise InputError(f"--engine workers: worker {worker}, counted from 0, {otherwise}")
