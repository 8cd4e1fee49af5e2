"""TensorFlow's global switches, set once before any work, and what it runs on."""

import os

import keras
import tensorflow as tf
import tensorflow_datasets as tfds

from shared.contract import DeviceFacts
from shared.execution import Execution
from shared.system.errors import InputError
from shared.system.machine import cpu_name


def configure(execution: Execution, dtype: str) -> tf.DeviceSpec:
    """Set threads, precision and determinism; returns the device to train on.

    Raises InputError for `--device cuda` where TensorFlow sees no GPU.
    """
    tf.config.threading.set_intra_op_parallelism_threads(execution.threads)
    tf.config.threading.set_inter_op_parallelism_threads(execution.threads)
    tf.config.experimental.enable_op_determinism()
    # Full float32 on a GPU. TensorFlow multiplies in TF32 by default; PyTorch does not.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Keras keeps the learning rate in its floatx, float32 unless told, and not in the dtype of the weights.
    keras.config.set_floatx(dtype)
    gpus = tf.config.list_physical_devices("GPU")
    if execution.device == "cuda" and not gpus:
        raise InputError(f"--device cuda: TensorFlow {tf.__version__} sees no GPU; use --device auto or cpu")
    if execution.device == "cpu":
        # TensorFlow places every operation on a GPU that it can see; PyTorch moves tensors only when told to.
        tf.config.set_visible_devices([], "GPU")
        return tf.DeviceSpec(device_type="CPU", device_index=0)
    for gpu in gpus:
        # TensorFlow takes nearly all of a GPU's memory at once unless told to grow.
        tf.config.experimental.set_memory_growth(gpu, True)
    return tf.DeviceSpec(device_type="GPU" if gpus else "CPU", device_index=0)


def describe(device: tf.DeviceSpec) -> DeviceFacts:
    """The device for the record and the screen."""
    gpus = tf.config.list_physical_devices("GPU")
    cuda = device.device_type == "GPU"
    name = tf.config.experimental.get_device_details(gpus[0])["device_name"] if cuda else cpu_name()
    return DeviceFacts(type="cuda" if cuda else "cpu", name=name, cuda_available=bool(gpus))


def versions() -> dict[str, str]:
    """The framework first, then the libraries that its run depends on."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "tensorflow-datasets": tfds.__version__}


def settings() -> dict[str, str]:
    """The switches as TensorFlow reports them, not as they were asked for."""
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    return {
        "threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "float32 matrix products": "tf32" if tf32 else "ieee",
        "oneDNN": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }


def ran_out_of_memory(error: Exception) -> bool:
    """Whether this is how TensorFlow says that memory is short."""
    return isinstance(error, tf.errors.ResourceExhaustedError)
