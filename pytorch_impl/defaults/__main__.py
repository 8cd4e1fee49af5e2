"""`python -m pytorch_impl.defaults`: print what PyTorch does unless told otherwise, as JSON."""

import sys

from shared.differences import probing


def load() -> probing.Loaded:
    """Import PyTorch and the probes."""
    from pytorch_impl import runtime
    from pytorch_impl.defaults import layers, optimizers, training

    return probing.Loaded(runtime.versions(), (layers, optimizers, training))


if __name__ == "__main__":
    sys.exit(probing.main(load))
