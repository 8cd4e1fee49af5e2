"""`python -m shared.logs.onnx_file FILE FOLDER`: read the initialisers of an ONNX model, and run nothing of it."""

import sys
from pathlib import Path

from shared.system import ending

with ending.importing("shared.logs.onnx_file"):
    from shared.logs.weights_process import Found, check_sizes, serve
    from shared.system import files
    from shared.system.errors import InputError

INSTALL = f"install it: {sys.executable} -m pip install onnx"


def read(path: Path) -> Found:
    """The initialisers by name. Raises InputError where the onnx package is missing, or numbers lie elsewhere."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise InputError(f"{path} is an ONNX model, and {sys.executable} has no onnx package; {INSTALL}") from None
    check_sizes(path, [files.size(path)])
    graph = onnx.load(path, load_external_data=False).graph
    for tensor in graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                _check_beside(path, entry.value, tensor.name)
    found = onnx.load(path).graph.initializer
    if any(not tensor.name for tensor in found):
        raise InputError(f"{path} has initialisers without a name; export it again")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in found}
    left_out = [name for name, values in arrays.items() if values.dtype.kind != "f" and values.ndim <= 1]
    notes = ["An exporter may have folded batch normalisation into the convolution before it."]
    if left_out:
        notes.append(f"Left out, for whole numbers are shapes and axes there: {', '.join(left_out)}.")
    weights = {name: values for name, values in arrays.items() if name not in left_out}
    return Found(weights, "initialisers of an ONNX model", tuple(notes))


def _check_beside(path: Path, location: str, name: str) -> None:
    """Raise InputError where the numbers of a tensor are not in a regular file beside the model."""
    beside = path.parent / location
    if Path(location).name != location or beside.is_symlink() or not beside.is_file():
        cure = "export it again, with its numbers inside or in a file beside it"
        raise InputError(f"{path}: the numbers of {name} lie in {location!r}, which is not read; {cure}")
    check_sizes(beside, [files.size(beside)])


if __name__ == "__main__":
    sys.exit(serve("shared.logs.onnx_file", read))
