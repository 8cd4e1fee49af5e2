"""Which examples each step sees: a function of (seed, epoch) and the batch size, the same for every framework."""

import hashlib

import numpy as np

from shared import random_numbers
from shared.mnist import MNIST


def epoch_order(seed: int, epoch: int, purpose: int = random_numbers.ORDER) -> np.ndarray:
    """Permutation of the training examples for `epoch` (counted from 0): int64 (60000,)."""
    keys = random_numbers.bits(MNIST.train_examples, seed=seed, purpose=purpose, index=epoch)
    return np.argsort(keys, kind="stable")


def split(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches in order. The last holds what is left, and is kept."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def share(batch: np.ndarray, worker: int, workers: int) -> np.ndarray:
    """The part of a batch that this worker takes, in order. Parts differ by one at most, and can be empty."""
    return np.array_split(batch, workers)[worker]


def checksum(order: np.ndarray) -> str:
    """SHA-256 of an order, to prove that two runs saw the same examples in the same order."""
    return hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()
