"""`python -m library_defaults.pytorch`: print what PyTorch does unless told otherwise, as JSON."""

import sys

from library_defaults import probing
from library_defaults.pytorch import layers, optimizers, training
from pytorch_impl import runtime

MODULES = (layers, optimizers, training)

if __name__ == "__main__":
    sys.exit(probing.main(runtime.versions(), MODULES))
