"""`python -m pytorch_impl`: train the MLP in PyTorch alone."""

from typing import TYPE_CHECKING

from shared.system import ending

with ending.importing("pytorch_impl"):
    from shared.contract import Implementation
    from shared.running import runner

if TYPE_CHECKING:
    import torch

    from pytorch_impl.model import MLP


def load() -> "Implementation[torch.device, torch.Tensor, MLP, torch.optim.Optimizer]":
    """Import PyTorch."""
    from pytorch_impl import data, fast, model, optimizers, runtime, stock, train, workers

    return Implementation(runtime, data, model, optimizers, train, fast, stock, workers)


if __name__ == "__main__":
    ending.leave(runner.main("PyTorch", load))
