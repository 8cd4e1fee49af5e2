"""TensorFlow's program on a machine with a GPU, whose part a second CPU device takes: `python -m tests.second_device`.

TensorFlow places every operation on a GPU that it sees, unless it is told otherwise. So here: what no line of the
program places is placed on the second device. TensorFlow tells on standard error where each operation goes.
"""

import contextlib
import dataclasses
import sys
from types import SimpleNamespace

import tensorflow as tf

from shared.running import runner
from shared.system import ending
from tensorflow_impl.__main__ import load as load_tensorflow

SECOND = tf.DeviceSpec(device_type="CPU", device_index=1)
# Lines on standard error: what is told between them is of reading files, a host's work.
READS, HAS_READ = "reads files", "has read files"


def load():
    """The implementation, which takes the second device for its GPU, and reads its files on the first."""
    implementation = load_tensorflow()
    placing = contextlib.ExitStack()

    def configure(execution, dtype):
        implementation.runtime.configure(execution, dtype)
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        tf.debugging.set_log_device_placement(True)
        placing.enter_context(tf.device(SECOND))
        return SECOND

    def read(split):
        with tf.device("CPU:0"):
            print(READS, file=sys.stderr, flush=True)
            try:
                return implementation.data.read(split)
            finally:
                print(HAS_READ, file=sys.stderr, flush=True)

    runtime = SimpleNamespace(**vars(implementation.runtime) | {"configure": configure})
    data = SimpleNamespace(**vars(implementation.data) | {"read": read})
    return dataclasses.replace(implementation, runtime=runtime, data=data)


if __name__ == "__main__":
    ending.leave(runner.main("TensorFlow", load))
