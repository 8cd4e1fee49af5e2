"""`python -m pytorch_impl.weights_file FILE FOLDER`: read a PyTorch file's weights, and run nothing of it."""

import pickle
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.system import ending

with ending.importing("pytorch_impl.weights_file"):
    import numpy as np
    import torch

    from shared.logs import state_dicts
    from shared.logs.weights_process import Found, check_sizes, serve
    from shared.system.errors import InputError, in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SAVE = "torch.save(model.state_dict(), 'weights.pt')"


def read(path: Path) -> Found:
    """The weights in PyTorch's file. Raises InputError for one that holds more than weights, or none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_sizes(path, (member.file_size for member in archive.infolist()))
            if any("/code/" in name for name in archive.namelist()):
                raise InputError(f"{path} is a TorchScript program, which is not run; in its code write {SAVE}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path} {_reason(error)}; in the program that made it write {SAVE}") from None
    try:
        chosen, notes = state_dicts.choose(content, torch.is_tensor)
    except ValueError as error:
        raise InputError(f"{path}: {error}; in the program that made it write {SAVE}") from None
    return Found(_arrays(path, chosen, notes), "a PyTorch state dict", tuple(notes))


def _arrays(path: Path, found: "Mapping[str, torch.Tensor]", notes: list[str]) -> dict[str, np.ndarray]:
    """The numbers of each, as they are; of formats that NumPy lacks as float32, which holds them exactly."""
    for name, tensor in found.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            what = "quantised" if tensor.is_quantized else "without numbers" if tensor.is_meta else "sparse"
            raise InputError(f"{path}: {name} is {what}; save the weights before they are made so")
    check_sizes(path, (tensor.numel() * tensor.element_size() for tensor in found.values()))
    short = {name for name, tensor in found.items() if tensor.is_floating_point() and _is_short(tensor)}
    if short:
        notes.append(f"{len(short)} tensors of it, such as {min(short)}, are bfloat16 or shorter, read as float32.")
    return {name: (t.float() if name in short else t).detach().numpy() for name, t in found.items()}


def _is_short(values: torch.Tensor) -> bool:
    return values.dtype not in (torch.float16, torch.float32, torch.float64)


def _reason(error: Exception) -> str:
    """Why it is not read, in words."""
    if wanted := re.search(r"GLOBAL (\S+)|[Uu]nsupported \w+ (\S+)", str(error)):
        return f"holds more than weights ({wanted[1] or wanted[2]}), which could run code of its own"
    return f"is no whole PyTorch file: {in_one_line(error).partition('. ')[0]}"


if __name__ == "__main__":
    sys.exit(serve("pytorch_impl.weights_file", read))
