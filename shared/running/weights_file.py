"""Weights that a user gives to a run."""

from pathlib import Path

import numpy as np

from shared.network import weight_shapes
from shared.system import files
from shared.system.errors import InputError
from shared.training import Training


def load_weights(path: Path, training: Training) -> dict[str, np.ndarray]:
    """Read weights for `training`.

    Raises InputError, which names the tensor, where one is missing, extra, misshapen, of another dtype, or not finite.
    """
    try:
        weights = files.read_safetensors(path)
    except (OSError, ValueError) as error:
        raise InputError(f"--weights {path}: {files.why(error)}; give a .safetensors file that a run wrote") from None
    shapes = weight_shapes(training)
    for name in sorted(shapes.keys() - weights.keys()):
        raise InputError(f"--weights {path}: {name} is missing; the file must hold {', '.join(shapes)}")
    for name in sorted(weights.keys() - shapes.keys()):
        raise InputError(f"--weights {path}: {name} is not a tensor of this model; keep only {', '.join(shapes)}")
    for name, shape in shapes.items():
        found = weights[name]
        if found.shape != shape:
            cure = "match --hidden-sizes to the file"
            raise InputError(f"--weights {path}: {name} has shape {found.shape}, not {shape}; {cure}")
        if found.dtype != training.numpy_dtype:
            cure = "match --dtype to the file"
            raise InputError(f"--weights {path}: {name} is {found.dtype}, not {training.dtype}; {cure}")
        if not np.isfinite(found).all():
            count = int((~np.isfinite(found)).sum())
            raise InputError(f"--weights {path}: {name} has {count} non-finite values; give weights that are finite")
    return {name: weights[name] for name in shapes}
