"""`python -m library_defaults.tensorflow`: print what TensorFlow does unless told otherwise, as JSON."""

import sys

from library_defaults import probing
from shared.system import progress


def load() -> probing.Loaded:
    """Import TensorFlow and the probes."""
    with progress.standard_error_only_on_failure():
        from library_defaults.tensorflow import layers, optimizers, training
        from tensorflow_impl import runtime

    return probing.Loaded(runtime.versions(), (layers, optimizers, training))


if __name__ == "__main__":
    sys.exit(probing.main(load))
