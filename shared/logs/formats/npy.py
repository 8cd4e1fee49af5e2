"""A NumPy array of losses."""

from shared.logs.formats.cells import Column, exact
from shared.logs.formats.names import LOSSES
from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table
from shared.system import files
from shared.system.errors import InputError

MAGIC = b"\x93NUMPY"
CURE = (
    "losses are saved with numpy.save('losses.npy', array of one dimension); weights: save it with "
    "numpy.savez('weights.npz', name=array)"
)


def looks_like(file: LogFile) -> bool:
    """By its first bytes."""
    return file.head.startswith(MAGIC)


def read(file: LogFile) -> Table:
    """Numbers of one dimension, the losses from step 0 on. Nothing in it is run."""
    try:
        found = files.read_npy(file.path)
    except ValueError as error:
        raise InputError(f"{file.path} is no whole array of numbers: {error}; {CURE}") from None
    if found.dtype.kind not in "iuf" or found.dtype.itemsize > 8 or found.ndim != 1:  # noqa: PLR2004
        shape = "×".join(map(str, found.shape)) or "one number"
        raise InputError(f"{file.path} holds {found.dtype} of shape {shape}, which is no row of losses; {CURE}")
    dtype = found.dtype.newbyteorder("=") if found.dtype.kind == "f" else "float64"
    numbers = exact(found.astype("float64"), str(dtype))
    return Table("a NumPy array", [Column(LOSSES[0], numbers, len(found))], "entry {}".format)
