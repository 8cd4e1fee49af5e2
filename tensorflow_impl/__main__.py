"""`python -m tensorflow_impl`: train the MLP in TensorFlow alone."""

from typing import TYPE_CHECKING

from shared.system import beside, ending, progress

with ending.importing("tensorflow_impl"):
    from shared.contract import Implementation
    from shared.running import runner

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tensorflow_impl.model import MLP


def load() -> "Implementation[tf.DeviceSpec, tf.Tensor, MLP, keras.optimizers.Optimizer]":
    """Import TensorFlow."""
    # Keras imports matplotlib where there is one, for pictures that nobody draws here: a tenth of the whole import.
    with progress.standard_error_only_on_failure(), beside.without("matplotlib"):
        from tensorflow_impl import data, fast, model, optimizers, runtime, stock, train, workers

    return Implementation(runtime, data, model, optimizers, train, fast, stock, workers)


if __name__ == "__main__":
    ending.leave(runner.main("TensorFlow", load))
