"""The reference: the same training in NumPy, forward and backward by hand. A third, independent implementation.

When the two frameworks disagree, it says which one moved; and run in float32 and in float64 it measures how far
rounding alone carries a run. `python -m shared.reference.reference` runs it like the other two.
"""

import gzip
import platform
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from shared.mnist import RAW_ROOT, Dataset, Examples, canonical
from shared.network import Weights
from shared.normalisation import normalise
from shared.reference import optimizers
from shared.reference.optimizers import Optimizer
from shared.running import runner
from shared.running.record import Device
from shared.spec import LAYERS, Spec
from shared.system.errors import InputError
from shared.system.machine import cpu_name

Model = dict[str, np.ndarray]


def train_step(model: Model, optimizer: Optimizer, inputs: np.ndarray, labels: np.ndarray) -> np.floating:
    """One update in place from inputs (B, 784) and labels (B,). Returns the mean loss before it."""
    loss, gradients, _ = backward(model, inputs, labels)
    optimizer.apply(model, gradients)
    return loss


def forward(model: Model, inputs: np.ndarray) -> list[np.ndarray]:
    """What each layer computes before its ReLU, [(B, hidden1), (B, hidden2), logits (B, 10)]."""
    outputs: list[np.ndarray] = []
    for layer in LAYERS:
        below = np.maximum(outputs[-1], 0) if outputs else inputs
        outputs.append(below @ model[f"{layer}.weight"].T + model[f"{layer}.bias"])
    return outputs


def backward(
    model: Model, inputs: np.ndarray, labels: np.ndarray
) -> tuple[np.floating, dict[str, np.ndarray], list[np.ndarray]]:
    """The mean softmax cross-entropy, its gradient by each weight, and the outputs of `forward`."""
    outputs = forward(model, inputs)
    logits, examples = outputs[-1], np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probabilities[examples, labels].mean()

    # By the logits the gradient is softmax - one-hot, shared out over the batch.
    delta = np.exp(log_probabilities)
    delta[examples, labels] -= 1
    delta /= len(labels)
    gradients = {}
    for depth in reversed(range(len(LAYERS))):
        below = np.maximum(outputs[depth - 1], 0) if depth else inputs
        gradients[f"{LAYERS[depth]}.weight"] = delta.T @ below
        gradients[f"{LAYERS[depth]}.bias"] = delta.sum(axis=0)
        if depth:
            # The ReLU passes the gradient where its input was above zero, and at zero does not: both frameworks'
            # choice.
            delta = (delta @ model[f"{LAYERS[depth]}.weight"]) * (outputs[depth - 1] > 0)
    return loss, gradients, outputs


# From here on: what the run's outline asks of every implementation.


def configure(spec: Spec) -> str:
    """Set threads. Raises InputError for `--device cuda`."""
    if spec.device == "cuda":
        raise InputError("--device cuda: the reference is NumPy and has no GPU; use --device auto or cpu")
    threadpool_limits(limits=spec.threads)
    return "cpu"


def describe(device: str) -> Device:
    return Device(type="cpu", name=cpu_name(), cuda_available=False)


def versions() -> dict[str, str]:
    return {"numpy": np.__version__, "python": platform.python_version()}


def settings() -> dict[str, str]:
    """The library that multiplies, and the processor that it takes this one for, which decides how it adds."""
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            named = (pool["internal_api"], pool["version"], pool.get("architecture"))
            return {"threads": str(pool["num_threads"]), "BLAS": " ".join(filter(None, named))}
    return {}


def ran_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError)


def read(split: Literal["train", "test"]) -> Examples:
    """All images and labels of a split, straight from the canonical files."""
    prefix = "t10k" if split == "test" else "train"
    # An IDX file of images has a header of 16 bytes, one of labels of 8.
    images = np.frombuffer(gzip.decompress((RAW_ROOT / f"{prefix}-images-idx3-ubyte.gz").read_bytes()), "u1", offset=16)
    labels = np.frombuffer(gzip.decompress((RAW_ROOT / f"{prefix}-labels-idx1-ubyte.gz").read_bytes()), "u1", offset=8)
    return canonical(images.reshape(len(labels), -1), labels)


def to_dataset(examples: Examples, spec: Spec, device: str) -> Dataset:
    return Dataset(normalise(examples.images, spec.numpy_dtype), examples.labels)


def build(spec: Spec, initial: Weights, device: str) -> Model:
    return {name: values.copy() for name, values in initial.items()}


def weights(model: Model) -> dict[str, np.ndarray]:
    return {name: values.copy() for name, values in model.items()}


def warm_up(spec: Spec, model: Model, optimizer: Optimizer, dataset: Dataset) -> None:
    pass


def train_steps(
    model: Model,
    optimizer: Optimizer,
    dataset: Dataset,
    batches: Sequence[np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    losses = []
    for batch in batches:
        losses.append(train_step(model, optimizer, dataset.inputs[batch], dataset.labels[batch]))
        advance(1)
    return np.array(losses)


def predict(model: Model, inputs: np.ndarray) -> np.ndarray:
    return forward(model, inputs)[-1]


def probe(model: Model, dataset: Dataset, batch: np.ndarray) -> dict[str, np.ndarray]:
    inputs = dataset.inputs[batch]
    loss, gradients, (fc1, fc2, logits) = backward(model, inputs, dataset.labels[batch])
    seen = {"input": inputs, "fc1": fc1, "fc2": fc2, "logits": logits, "loss": np.array(loss)}
    return seen | {f"gradient/{name}": gradients[name] for name in model}


def load() -> runner.Implementation:
    this = sys.modules[__name__]
    return runner.Implementation(this, this, this, optimizers, this)


if __name__ == "__main__":
    sys.exit(runner.main("Reference", "shared.reference.reference", load))
