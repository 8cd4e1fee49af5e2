"""PyTorch's global switches, set once before any work, and what it runs on."""

import os

import torch
import torchvision

from shared.contract import DeviceFacts
from shared.execution import Execution
from shared.system.errors import InputError
from shared.system.machine import cpu_name


def configure(execution: Execution, dtype: str) -> torch.device:
    """Set threads, precision and determinism; returns the device to train on.

    Raises InputError for `--device cuda` where PyTorch sees no GPU.
    """
    torch.set_num_threads(execution.threads)
    torch.use_deterministic_algorithms(True)
    # cuBLAS is deterministic only with a workspace of fixed size, read when CUDA starts.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    # Full float32 on a GPU. PyTorch multiplies so by default; TensorFlow does not.
    torch.set_float32_matmul_precision("highest")
    cuda = torch.cuda.is_available()
    if execution.device == "cuda" and not cuda:
        raise InputError(f"--device cuda: PyTorch {torch.__version__} sees no GPU; use --device auto or cpu")
    return torch.device("cuda" if cuda and execution.device != "cpu" else "cpu")


def describe(device: torch.device) -> DeviceFacts:
    """The device for the record and the screen."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    return DeviceFacts(type=device.type, name=name, cuda_available=torch.cuda.is_available())


def versions() -> dict[str, str]:
    """The framework first, then the libraries that its run depends on."""
    return {"torch": torch.__version__, "torchvision": torchvision.__version__}


def settings() -> dict[str, str]:
    """The switches as PyTorch reports them, not as they were asked for."""
    return {
        "threads": str(torch.get_num_threads()),
        "float32 matrix products": {"highest": "ieee"}.get(torch.get_float32_matmul_precision(), "tf32"),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
    }


def ran_out_of_memory(error: Exception) -> bool:
    """Whether this is how PyTorch says that memory is short."""
    # On a CPU it has no exception of its own for that.
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said or "not enough memory" in said
