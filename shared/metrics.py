"""What "loss" and "accuracy" mean, decided once. All arithmetic is in float64."""

from collections.abc import Sequence

import numpy as np


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean softmax cross-entropy in nats. `logits` (N, C) of any float dtype, `labels` (N,) integers."""
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1)
    log_normaliser = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    return float(np.mean(log_normaliser - logits[np.arange(len(labels)), labels]))


def predictions(logits: np.ndarray) -> np.ndarray:
    """Class of the largest logit, the lowest class at a tie; -1 where any logit is not finite. int64 (N,)."""
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax, float64 (N, C); a row with a logit that is not finite is NaN throughout."""
    wide = np.where(np.isfinite(logits).all(axis=1, keepdims=True), logits.astype(np.float64), np.nan)
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of right predictions, 0 to 1. A row with a non-finite logit is wrong."""
    return float(np.mean(predictions(logits) == labels))


def mean_of_batch_means(batch_losses: np.ndarray) -> float:
    """Epoch loss as most PyTorch loops print it: every batch counts the same, the short last one too."""
    return float(np.mean(batch_losses, dtype=np.float64))


def mean_per_example(batch_losses: np.ndarray, batch_sizes: Sequence[int]) -> float:
    """Epoch loss as Keras prints it: every example counts the same."""
    return float(np.average(batch_losses.astype(np.float64), weights=batch_sizes))
