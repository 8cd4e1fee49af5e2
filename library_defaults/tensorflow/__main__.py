"""`python -m library_defaults.tensorflow`: print what Keras and TensorFlow do unless told otherwise, as JSON."""

import sys

from library_defaults import probing
from shared.system import progress

with progress.standard_error_only_on_failure():  # TensorFlow talks while it is imported
    from library_defaults.tensorflow import layers, optimizers, training
    from tensorflow_impl import runtime

MODULES = (layers, optimizers, training)

if __name__ == "__main__":
    sys.exit(probing.main(runtime.versions(), MODULES))
