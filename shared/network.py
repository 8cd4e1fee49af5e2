"""Initial weights from the seed, and weights in files.

The interchange form is a dict from PyTorch's `state_dict` names to NumPy arrays in PyTorch's layout:
`fc1.weight` (out, in), `fc1.bias` (out,) and so on.
"""

import errno
import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from shared import random_numbers
from shared.spec import LAYERS, KerasDefault, Spec
from shared.system import files
from shared.system.errors import InputError

Weights = Mapping[str, np.ndarray]


def initial_weights(spec: Spec, defaults: Collection[KerasDefault] = ()) -> dict[str, np.ndarray]:
    """PyTorch's default for `nn.Linear`: weights and biases both uniform in ±1/√fan_in.

    With Keras's defaults, the same random numbers stretched to its defaults for `Dense`: `kernels` uniform in
    ±√(6 / (fan_in + fan_out)), after Glorot, `biases` zero. All are rounded to float32 first, so that runs in float32
    and float64 start at the same point.
    """
    weights: dict[str, np.ndarray] = {}
    for layer, (fan_in, fan_out) in zip(LAYERS, spec.layer_sizes, strict=True):
        divisors = {
            f"{layer}.weight": math.sqrt((fan_in + fan_out) / 6 if "kernels" in defaults else fan_in),
            f"{layer}.bias": math.inf if "biases" in defaults else math.sqrt(fan_in),
        }
        for name, divisor in divisors.items():
            shape = spec.weight_shapes[name]
            unit = random_numbers.uniform(
                math.prod(shape), seed=spec.seed, purpose=random_numbers.WEIGHTS, index=len(weights)
            )
            values = (2 * unit - 1) / divisor
            weights[name] = values.reshape(shape).astype(np.float32).astype(spec.numpy_dtype)
    return weights


def perturb(weights: Weights) -> dict[str, np.ndarray]:
    """Every weight moved up by one unit in the last place of its dtype."""
    return {name: np.nextafter(values, values.dtype.type(np.inf)) for name, values in weights.items()}


def save_weights(path: Path, weights: Weights) -> None:
    save_tensors(path, weights)


def save_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file. Arrays are made contiguous first: safetensors writes the raw buffer.

    Raises OSError where it can't be written.
    """
    try:
        save_file({name: np.asarray(values, order="C") for name, values in tensors.items()}, path)
    except SafetensorError as error:  # as it calls whatever the system refuses
        raise OSError(errno.EIO, str(error), str(path)) from None


def load_weights(path: Path, spec: Spec) -> dict[str, np.ndarray]:
    """Read weights for `spec`.

    Raises InputError, naming the tensor, where one is missing, extra, misshapen, of another dtype, or not finite.
    """
    try:
        weights = files.read_safetensors(path)
    except (OSError, ValueError) as error:
        raise InputError(f"--weights {path}: {files.why(error)}; give a .safetensors file that a run wrote") from None
    shapes = spec.weight_shapes
    for name in sorted(shapes.keys() - weights.keys()):
        raise InputError(f"--weights {path}: {name} is missing; the file must hold {', '.join(shapes)}")
    for name in sorted(weights.keys() - shapes.keys()):
        raise InputError(f"--weights {path}: {name} is not a tensor of this model; keep only {', '.join(shapes)}")
    for name, shape in shapes.items():
        found = weights[name]
        if found.shape != shape:
            cure = "match --hidden-sizes to the file"
            raise InputError(f"--weights {path}: {name} has shape {found.shape}, not {shape}; {cure}")
        if found.dtype != spec.numpy_dtype:
            raise InputError(f"--weights {path}: {name} is {found.dtype}, not {spec.dtype}; match --dtype to the file")
        if not np.isfinite(found).all():
            count = int((~np.isfinite(found)).sum())
            raise InputError(f"--weights {path}: {name} has {count} non-finite values; give weights that are finite")
    return {name: weights[name] for name in shapes}
