"""`python -m tensorflow_impl`: train the MLP in TensorFlow alone."""

import sys

from shared.system import ending, progress

with ending.importing("tensorflow_impl"):
    from shared.running import runner


def load() -> runner.Implementation:
    """Import TensorFlow."""
    with progress.standard_error_only_on_failure():
        from tensorflow_impl import data, fast, model, optimizers, runtime, stock, train

    return runner.Implementation(runtime, data, model, optimizers, train, stock, fast, engine="fast")


if __name__ == "__main__":
    sys.exit(runner.main("TensorFlow", "tensorflow_impl", load))
