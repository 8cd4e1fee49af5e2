"""`python -m pytorch_impl`: train the MLP in PyTorch alone."""

import sys

from shared.system import ending

with ending.importing("pytorch_impl"):
    from shared.running import runner


def load() -> runner.Implementation:
    """Import PyTorch."""
    from pytorch_impl import data, fast, model, optimizers, runtime, stock, train

    return runner.Implementation(runtime, data, model, optimizers, train, stock, fast)


if __name__ == "__main__":
    sys.exit(runner.main("PyTorch", "pytorch_impl", load))
