"""`python -m shared.logs.onnx_file FILE FOLDER`: read the initialisers of an ONNX model, and run nothing of it.

An ONNX file is one protobuf message. Of its published schema (onnx.proto) only what holds initialisers is declared
here; protobuf passes over all other fields. So the onnx package is not needed.
"""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from shared.system import ending

with ending.importing("shared.logs.onnx_file"):
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError

    from shared.logs.weights_process import WHOLE, Found, check_sizes, from_bfloat16, serve
    from shared.system import files
    from shared.system.errors import InputError

Field = descriptor_pb2.FieldDescriptorProto
# By message: each field's number and its type; a [list] may come many times.
SCHEMA: dict[str, dict[str, tuple[int, Any]]] = {
    "Model": {"ir_version": (1, Field.TYPE_INT64), "graph": (7, "Graph")},
    "Graph": {"initializer": (5, ["Tensor"]), "sparse_initializer": (15, [Field.TYPE_BYTES])},
    "Tensor": {
        "dims": (1, [Field.TYPE_INT64]),
        "data_type": (2, Field.TYPE_INT32),
        "float_data": (4, [Field.TYPE_FLOAT]),
        "int32_data": (5, [Field.TYPE_INT32]),
        "int64_data": (7, [Field.TYPE_INT64]),
        "name": (8, Field.TYPE_STRING),
        "raw_data": (9, Field.TYPE_BYTES),
        "double_data": (10, [Field.TYPE_DOUBLE]),
        "uint64_data": (11, [Field.TYPE_UINT64]),
        "external_data": (13, ["Entry"]),
        "data_location": (14, Field.TYPE_INT32),
    },
    "Entry": {"key": (1, Field.TYPE_STRING), "value": (2, Field.TYPE_STRING)},
}
OUTSIDE = 1  # the data_location of numbers in another file
BFLOAT16 = 16
# By the code of a data_type: its dtype, the field for its numbers where they are not raw bytes, and their dtype there.
DTYPES = {
    1: ("float32", "float_data", "float32"),
    2: ("uint8", "int32_data", "int32"),
    3: ("int8", "int32_data", "int32"),
    4: ("uint16", "int32_data", "int32"),
    5: ("int16", "int32_data", "int32"),
    6: ("int32", "int32_data", "int32"),
    7: ("int64", "int64_data", "int64"),
    9: ("bool", "int32_data", "int32"),
    10: ("float16", "int32_data", "bits"),
    11: ("float64", "double_data", "float64"),
    12: ("uint32", "uint64_data", "uint64"),
    13: ("uint64", "uint64_data", "uint64"),
    BFLOAT16: ("uint16", "int32_data", "bits"),
}


def _message(name: str) -> Any:
    """The class of this message of the schema."""
    file = descriptor_pb2.FileDescriptorProto(name="initialisers.proto", package="initialisers", syntax="proto3")
    for message, fields in SCHEMA.items():
        made = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            several, one = isinstance(kind, list), kind[0] if isinstance(kind, list) else kind
            label = Field.LABEL_REPEATED if several else Field.LABEL_OPTIONAL
            added = made.field.add(name=field, number=number, label=label)
            if isinstance(one, str):
                added.type, added.type_name = Field.TYPE_MESSAGE, f".initialisers.{one}"
            else:
                added.type = one
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"initialisers.{name}"))


def read(path: Path) -> Found:
    """The initialisers by name. Raises InputError where the file is no ONNX model, or numbers lie elsewhere."""
    check_sizes(path, [files.size(path)])
    try:
        model = _message("Model").FromString(path.read_bytes())
    except DecodeError:
        raise InputError(f"{path} is no whole ONNX model; {WHOLE}") from None
    if not model.ir_version:
        raise InputError(f"{path} is no ONNX model; {WHOLE}")
    if model.graph.sparse_initializer:
        raise InputError(f"{path} has sparse initialisers, which are not read; export it without them")
    arrays: dict[str, np.ndarray] = {}
    for tensor in model.graph.initializer:
        if not tensor.name:
            raise InputError(f"{path} has initialisers without a name; export it again")
        arrays[tensor.name] = _array(path, tensor)
    left_out = [name for name, values in arrays.items() if values.dtype.kind != "f" and values.ndim <= 1]
    notes = ["An exporter may have folded batch normalisation into the convolution before it."]
    if left_out:
        notes.append(f"Left out, for whole numbers are shapes and axes there: {', '.join(left_out)}.")
    weights = {name: values for name, values in arrays.items() if name not in left_out}
    return Found(weights, "initialisers of an ONNX model", tuple(notes))


def _array(path: Path, tensor: Any) -> np.ndarray:
    """A tensor's numbers; bfloat16, which NumPy lacks, as float32, which holds it exactly."""
    if tensor.data_type not in DTYPES:
        told = f"{path}: {tensor.name} has ONNX's data type {tensor.data_type}"
        raise InputError(f"{told}, which is not read; export it in float16, bfloat16, float32 or float64")
    dtype, field, stored = DTYPES[tensor.data_type]
    raw: bytes = _beside(path, tensor) if tensor.data_location == OUTSIDE else tensor.raw_data
    if raw or not getattr(tensor, field):
        little = np.dtype(dtype).newbyteorder("<")
        values = np.frombuffer(raw[: len(raw) // little.itemsize * little.itemsize], little).astype(dtype)
    elif stored == "bits":
        values = np.array(getattr(tensor, field), np.int64).astype(np.uint16).view(dtype)
    else:
        values = np.array(getattr(tensor, field), stored).astype(dtype)
    if min(tensor.dims, default=0) < 0 or len(values) != math.prod(tensor.dims):
        told = f"{path}: {tensor.name} has {len(values)} numbers for the shape {tuple(tensor.dims)}"
        raise InputError(f"{told}; {WHOLE}")
    values = values.reshape(tuple(tensor.dims))
    return from_bfloat16(values) if tensor.data_type == BFLOAT16 else values


def _beside(path: Path, tensor: Any) -> bytes:
    """The bytes of a tensor whose numbers are in a regular file beside the model. Raises InputError where not."""
    entries: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    beside: Path = path.parent / location
    if not location or Path(location).name != location or beside.is_symlink() or not beside.is_file():
        cure = "export it again, with its numbers inside or in a file beside it"
        raise InputError(f"{path}: the numbers of {tensor.name} lie in {location!r}, which is not read; {cure}")
    size = files.size(beside)
    offset = int(entries.get("offset", 0))
    length = int(entries.get("length", size - offset))
    if not 0 <= offset <= offset + length <= size:
        told = f"{path}: {tensor.name} lies beyond the end of {location!r}"
        raise InputError(f"{told}, which has {size:,} bytes; give the whole file")
    check_sizes(beside, [length])
    with beside.open("rb") as file:
        file.seek(offset)
        return file.read(length)


if __name__ == "__main__":
    sys.exit(serve("shared.logs.onnx_file", read))
