"""`python -m library_defaults.tensorflow.replicas`: print how far a step moved a weight on two replicas."""

from typing import Any

import keras
import tensorflow as tf

from library_defaults.update_rules import TWO_GRADIENTS


def _train(number: tf.Tensor, shared: tuple[Any, ...]) -> None:
    """Take a step of SGD with rate 1, as the replica of this number."""
    weight, optimizer = shared
    optimizer.apply([tf.gather(TWO_GRADIENTS, number)], [weight])


def main() -> None:
    parts = [tf.config.LogicalDeviceConfiguration() for _ in TWO_GRADIENTS]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(len(parts))])
    with strategy.scope():
        weight, optimizer = keras.Variable(0.0), keras.optimizers.SGD(1.0)
        optimizer.build([weight])
    replica = tf.distribute.get_replica_context
    strategy.run(tf.function(lambda: _train(replica().replica_id_in_sync_group, (weight, optimizer))))
    print(-weight.numpy().item())


if __name__ == "__main__":
    main()
