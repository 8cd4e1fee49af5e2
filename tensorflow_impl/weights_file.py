"""`python -m tensorflow_impl.weights_file FILE FOLDER`: read a Keras file's weights, and run nothing of it."""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.system import ending

with ending.importing("tensorflow_impl.weights_file"):
    import h5py
    import numpy as np

    from shared.logs import keras_legacy, keras_names
    from shared.logs.weights_process import WHOLE, Found, check_sizes, from_bfloat16, serve
    from shared.system.errors import InputError, in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SAVE = "model.save_weights('model.weights.h5')"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def read(path: Path) -> Found:
    """The weights in Keras's file. Raises InputError for one that holds more than weights, or none."""
    config, notes, content = {}, list[str](), io.BytesIO()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_sizes(path, (member.file_size for member in archive.infolist()))
            if WEIGHTS not in archive.namelist():
                raise InputError(f"{path} has no {WEIGHTS}; in the program that made it write {SAVE}")
            config, content = json.loads(archive.read(CONFIG)), io.BytesIO(archive.read(WEIGHTS))
    if "QuantizedDTypePolicy" in json.dumps(config):
        raise InputError(f"{path} is quantised; save the weights before they are made so")
    try:
        with h5py.File(content if content.getbuffer().nbytes else path, "r") as file:
            if legacy := keras_legacy.weights(file):
                found, form = legacy, "a Keras HDF5 file of the older kind"
            else:
                root = keras_names.tree(file, lambda item: int(h5py.h5o.get_info(item.id).addr))
                found, form = keras_names.named(root, config), "a Keras file" if config else "a Keras file of weights"
            if keras_names.OPTIMIZER in file or f"{keras_names.OPTIMIZER}_weights" in file:
                notes.append("The optimizer's numbers are left out.")
            return Found(_arrays(path, found, notes), form, tuple(notes))
    except (ValueError, OSError) as error:
        raise InputError(f"{path} {_reason(error)}; in the program that made it write {SAVE}") from None


def _arrays(path: Path, found: "Mapping[str, h5py.Dataset]", notes: list[str]) -> dict[str, np.ndarray]:
    """The numbers of each, as they are; of formats that NumPy lacks as float32, which holds them exactly."""
    for name, dataset in found.items():
        if dataset.external or dataset.is_virtual:
            raise InputError(f"{path}: {name} lies in another file, which is not read; {WHOLE}")
    check_sizes(path, (dataset.size * dataset.dtype.itemsize for dataset in found.values()))
    short = {name for name, dataset in found.items() if _is_short(dataset)}
    if short:
        notes.append(f"{len(short)} tensors of it, such as {min(short)}, are bfloat16, read as float32.")
    return {name: from_bfloat16(d[()]) if name in short else d[()] for name, d in found.items()}


def _is_short(values: h5py.Dataset) -> bool:
    return values.attrs.get("dtype") == "bfloat16"


def _reason(error: Exception) -> str:
    """Why it is not read, in words."""
    return f"is no Keras file of weights: {in_one_line(error)}; {WHOLE}"


if __name__ == "__main__":
    sys.exit(serve("tensorflow_impl.weights_file", read))
