"""`python -m tensorflow_impl.defaults`: print what TensorFlow does unless told otherwise, as JSON."""

import os
import sys

from shared import progress
from shared.differences import probing


def load() -> probing.Loaded:
    """Import TensorFlow and the probes."""
    # Its C++ side logs to standard error; what it says before it is set up heeds no log level.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with progress.standard_error_only_on_failure():
        from tensorflow_impl import runtime
        from tensorflow_impl.defaults import layers, optimizers, training

    return probing.Loaded(runtime.versions(), (layers, optimizers, training))


if __name__ == "__main__":
    sys.exit(probing.main(load))
