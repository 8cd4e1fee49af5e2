"""`python -m tensorflow_impl.defaults`: print what TensorFlow does unless told otherwise, as JSON."""

import sys

from shared import progress
from shared.differences import probing


def load() -> probing.Loaded:
    """Import TensorFlow and the probes."""
    with progress.standard_error_only_on_failure():
        from tensorflow_impl import runtime
        from tensorflow_impl.defaults import layers, optimizers, training

    return probing.Loaded(runtime.versions(), (layers, optimizers, training))


if __name__ == "__main__":
    sys.exit(probing.main(load))
