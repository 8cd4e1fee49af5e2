"""One run with the matrix products in TF32: `python -m benchmarks.tf32 PyTorch`, and the options of that program.

The programs themselves switch TF32 off. On a card that has none, and on a CPU, nothing changes.
"""

import dataclasses
import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from shared.contract import IMPLEMENTATIONS
from shared.running import runner
from shared.system import ending


def _in_pytorch() -> None:
    import torch

    torch.set_float32_matmul_precision("high")


def _in_tensorflow() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)


SWITCH_ON: dict[str, Callable[[], None]] = {"PyTorch": _in_pytorch, "TensorFlow": _in_tensorflow}


def main(name: str, *options: str) -> int:
    """The run, and its exit status."""
    module = importlib.import_module(f"{IMPLEMENTATIONS[name].module}.__main__")

    def load() -> Any:
        implementation = module.load()

        def configure(*arguments: Any) -> Any:
            device = implementation.runtime.configure(*arguments)
            SWITCH_ON[name]()
            return device

        runtime = SimpleNamespace(**{**vars(implementation.runtime), "configure": configure})
        return dataclasses.replace(implementation, runtime=runtime)

    return runner.main(name, load, options)


if __name__ == "__main__":
    ending.leave(main(*sys.argv[1:]))
