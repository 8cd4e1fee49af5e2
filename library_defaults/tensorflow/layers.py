"""What Keras's layers do unless told otherwise."""

import keras
import numpy as np
import tensorflow as tf

from library_defaults import formulas
from library_defaults.probing import default, six_digits


def _dense(fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a new dense layer, laid out as the framework does."""
    layer = keras.layers.Dense(fan_out)
    layer.build((None, fan_in))
    return layer.kernel.numpy(), layer.bias.numpy()


def dense_kernel_layout() -> tuple[int, ...]:
    """The shape of the kernel from 3 inputs to 5 units."""
    kernel, _ = _dense(3, 5)
    return kernel.shape


def dense_kernel_initialiser() -> str:
    """The distribution of a dense layer's first weights."""
    kernel, _ = _dense(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(kernel, formulas.FAN_IN, formulas.FAN_OUT)


def dense_bias_initialiser() -> str:
    """The distribution of a dense layer's first biases."""
    _, bias = _dense(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(bias, formulas.FAN_IN, formulas.FAN_OUT)


def embedding_initialiser() -> str:
    """The distribution of an embedding's first vectors."""
    layer = keras.layers.Embedding(formulas.FAN_OUT, formulas.FAN_IN)
    layer.build()
    return formulas.distribution(layer.embeddings.numpy(), formulas.FAN_IN, formulas.FAN_OUT)


def lstm_forget_bias() -> int:
    """The mean of the first biases of an LSTM's forget gate."""
    units = formulas.FAN_IN
    layer = keras.layers.LSTM(units)
    layer.build((None, None, 1))
    return round(layer.cell.bias.numpy()[units : 2 * units].mean().item())


def halving_padding() -> str:
    """Where a convolution that halves its input adds zeros."""
    layer = keras.layers.Conv1D(1, formulas.KERNEL, strides=2, padding="same", kernel_initializer="ones")
    return formulas.halving_padding(layer(formulas.PLACES[None, :, None]).numpy().ravel())


def flattened_convolution() -> str:
    """In which order the outputs of a convolution are flattened."""
    layer = keras.layers.Conv2D(len(formulas.CHANNELS), 1)
    image = np.zeros((1, formulas.IMAGE_SIZE, formulas.IMAGE_SIZE, 1))
    layer.build(image.shape)
    layer.bias.assign(formulas.CHANNELS)
    return formulas.flattened_order(keras.layers.Flatten()(layer(image)).numpy().ravel())


def float64_into_a_float32_layer() -> str:
    """What a layer made without a dtype does with float64 inputs."""
    outputs = keras.layers.Dense(5)(tf.zeros((2, 3), tf.float64))
    return f"computes in {outputs.dtype.name}"


def batch_norm_epsilon() -> float:
    return default(keras.layers.BatchNormalization, "epsilon")


def batch_norm_momentum() -> float:
    """The number that batch normalisation calls momentum."""
    return default(keras.layers.BatchNormalization, "momentum")


def batch_norm_weight_of_the_new() -> float:
    """How far one batch moves the running mean from 0, as a share of the batch's mean."""
    layer = keras.layers.BatchNormalization(dtype="float64")
    layer(formulas.BATCH, training=True)
    return six_digits(layer.moving_mean.numpy().item() / formulas.BATCH.mean())


def batch_norm_running_variance() -> str:
    """Which variance of a batch moves the running one."""
    layer = keras.layers.BatchNormalization(dtype="float64")
    layer(formulas.BATCH, training=True)
    return formulas.running_variance(layer.moving_variance.numpy().item(), batch_norm_weight_of_the_new())


def batch_norm_frozen() -> str:
    """What batch normalisation does in training where its parameters are frozen."""
    layer = keras.layers.BatchNormalization(trainable=False)
    layer(formulas.BATCH, training=True)
    return "keeps its statistics" if layer.moving_mean.numpy() == 0 else "goes on learning its statistics"


def layer_norm_epsilon() -> float:
    return default(keras.layers.LayerNormalization, "epsilon")


def dropout_scale() -> str:
    """What dropout does to the inputs that it keeps."""
    rate = 0.75
    outputs = keras.layers.Dropout(rate)(tf.ones(formulas.EXAMPLES), training=True)
    return formulas.kept_scale(outputs.numpy().max(), rate)


def dropout_of_a_new_layer() -> str:
    """What a new dropout layer does when it is called, where nobody said whether this is training."""
    outputs = keras.layers.Dropout(0.5)(tf.ones(formulas.EXAMPLES))
    return "drops" if (outputs.numpy() == 0).any() else "passes everything on"


def leaky_relu_layer() -> float:
    """The slope of the leaky ReLU layer below zero."""
    return six_digits(-keras.layers.LeakyReLU()(tf.constant([-1.0])).numpy().item())


def leaky_relu_function() -> float:
    """The slope of the leaky ReLU function below zero."""
    return six_digits(-keras.activations.leaky_relu(tf.constant([-1.0])).numpy().item())


def gelu_function() -> str:
    """Which GELU the function computes."""
    return formulas.gelu(keras.ops.gelu(tf.constant(1.0, tf.float64)).numpy().item())


def relu_gradient_at_zero() -> float:
    """The gradient of a ReLU where its input is exactly 0."""
    inputs = tf.Variable([0.0])
    with tf.GradientTape() as tape:
        outputs = tf.nn.relu(inputs)
    return tape.gradient(outputs, inputs).numpy().item()
