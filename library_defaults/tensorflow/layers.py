"""What Keras's layers do unless told otherwise."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from library_defaults import formulas, update_rules
from library_defaults.probing import default, six_digits
from library_defaults.update_rules import TENTH


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


def _convolution(channels: int, filters: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a new convolution with a window of KERNEL places, laid out as the framework does."""
    layer = keras.layers.Conv1D(filters, formulas.KERNEL)
    layer.build((None, None, channels))
    return layer.kernel.numpy(), layer.bias.numpy()


def convolution_kernel_initialiser() -> str:
    """The distribution of a convolution's first weights."""
    kernel, _ = _convolution(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(kernel, formulas.KERNEL * formulas.FAN_IN, formulas.KERNEL * formulas.FAN_OUT)


def convolution_bias_initialiser() -> str:
    """The distribution of a convolution's first biases."""
    _, bias = _convolution(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(bias, formulas.KERNEL * formulas.FAN_IN, formulas.KERNEL * formulas.FAN_OUT)


def embedding_initialiser() -> str:
    """The distribution of an embedding's first vectors."""
    layer = keras.layers.Embedding(formulas.FAN_OUT, formulas.FAN_IN)
    layer.build()
    return formulas.distribution(layer.embeddings.numpy(), formulas.FAN_IN, formulas.FAN_OUT)


def truncated_normal_limit() -> str:
    """Beyond which numbers the truncated normal initialiser draws again."""
    draw = keras.initializers.TruncatedNormal(stddev=formulas.STANDARD_DEVIATION)
    return formulas.truncated_normal(draw((formulas.FAN_IN, formulas.FAN_OUT)).numpy())


def he_normal() -> str:
    """The distribution of the normal initialiser by fan-in."""
    weight = keras.initializers.HeNormal()((formulas.FAN_IN, formulas.FAN_OUT))
    return formulas.he_normal(weight.numpy(), formulas.FAN_IN)


def lstm_forget_bias() -> int:
    """The mean of the first biases of an LSTM's forget gate."""
    units = formulas.FAN_IN
    layer = keras.layers.LSTM(units)
    layer.build((None, None, 1))
    return round(layer.cell.bias.numpy()[units : 2 * units].mean().item())


def lstm_recurrent_kernel() -> str:
    """The distribution of an LSTM's first recurrent weights."""
    layer = keras.layers.LSTM(formulas.RECURRENT_UNITS)
    layer.build((None, None, 1))
    return formulas.recurrent_kernel(layer.cell.recurrent_kernel.numpy())


def _moved_bias(layer: keras.layers.RNN, gate: int) -> tuple[float, float]:
    """How far the sum of the biases of a gate moves in a step of SGD, and the gradient by that sum."""
    inputs = tf.ones((1, 1, 1), tf.float64)
    layer.build(inputs.shape)
    biases = layer.cell.bias
    before = biases.numpy()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs))
    gradients = tape.gradient(total, layer.trainable_variables)
    keras.optimizers.SGD(TENTH).apply(gradients, layer.trainable_variables)
    of_biases = gradients[-1].numpy().reshape(-1, before.shape[-1])  # where there are two, a row each
    moved = (biases.numpy() - before).reshape(of_biases.shape).sum(axis=0)
    return moved[gate].item(), of_biases[0, gate].item()


def lstm_biases_in_training() -> int:
    """How much faster than one bias those of an LSTM's gate learn."""
    return update_rules.gates_bias(*_moved_bias(keras.layers.LSTM(1, dtype="float64"), 0))


def gru_biases_in_training() -> int:
    """How much faster than one bias those of a GRU's update gate learn."""
    return update_rules.gates_bias(*_moved_bias(keras.layers.GRU(1, dtype="float64"), 0))


def gru_bias_layout() -> str:
    """The shapes of a GRU's biases."""
    gru = keras.layers.GRU(3)
    gru.build((None, None, 1))
    return " and ".join(str(tuple(weight.shape)) for weight in gru.weights if "bias" in weight.path)


def _gru() -> tuple[str, str]:
    gru = keras.layers.GRU(2, use_bias=False, dtype="float64")
    gru.build((None, None, 1))
    gru.set_weights([formulas.GRU_KERNEL, formulas.GRU_RECURRENT_KERNEL])
    outputs = gru(tf.ones((1, 1, 1), tf.float64), initial_state=tf.constant(formulas.GRU_STATE))
    return formulas.gru(outputs.numpy())


def gru_gate_order() -> str:
    """In which order a GRU has its gates."""
    order, _ = _gru()
    return order


def gru_reset() -> str:
    """Where a GRU's reset gate scales the state."""
    _, place = _gru()
    return place


def halving_padding() -> str:
    """Where a convolution that halves its input adds zeros."""
    layer = keras.layers.Conv1D(1, formulas.KERNEL, strides=2, padding="same", kernel_initializer="ones")
    return formulas.halving_padding(layer(formulas.PLACES[None, :, None]).numpy().ravel())


def average_pooling_padding() -> str:
    """What average pooling divides by where its window covers padding."""
    layer = keras.layers.AveragePooling1D(formulas.KERNEL, strides=1, padding="same")
    return formulas.average_pooling(layer(formulas.PLACES[None, :, None]).numpy().ravel())


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


def group_norm_epsilon() -> float:
    return default(keras.layers.GroupNormalization, "epsilon")


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


def gelu_activation() -> str:
    """Which GELU the activations compute; all that were found, where they differ."""
    one = tf.ones((1, 1), tf.float64)
    dense = keras.layers.Dense(1, "gelu", kernel_initializer="ones", dtype="float64")
    activations = [keras.activations.gelu, dense, tf.nn.gelu]
    return " and ".join(sorted({formulas.gelu(activation(one).numpy().item()) for activation in activations}))


def gelu_dtype() -> str:
    """The dtype of the √½ in the exact GELU of a float64 input."""
    return formulas.gelu_dtype(keras.activations.gelu(tf.constant(1.0, tf.float64)).numpy().item())


def _gradients(function: Callable[..., tf.Tensor], *inputs: Sequence[float]) -> list[tuple[float, ...]]:
    """The gradients by each of the inputs, in float64, of the sum of what the function makes of them."""
    tensors = [tf.Variable(numbers, dtype=tf.float64) for numbers in inputs]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(function(*tensors))
    return [tuple(gradient.numpy().tolist()) for gradient in tape.gradient(total, tensors)]


def relu_gradient_at_zero() -> float:
    """The gradient of a ReLU where its input is exactly 0."""
    ((gradient,),) = _gradients(tf.nn.relu, [0.0])
    return gradient


def maximum_gradient() -> tuple[float, ...]:
    """The gradients by both arguments of a maximum where they are equal."""
    by_first, by_second = _gradients(tf.maximum, [0.0], [0.0])
    return by_first + by_second


def clip_gradient() -> tuple[float, ...]:
    """The gradients of clipping where the input is the lower and where it is the upper limit."""
    low, high = formulas.LIMITS
    (gradient,) = _gradients(lambda inputs: tf.clip_by_value(inputs, low, high), [low, high])
    return gradient


def norm_gradient() -> str:
    """The gradient of a norm where all of its inputs are 0."""
    (gradient,) = _gradients(tf.norm, formulas.NOWHERE)
    return formulas.norm_gradient(gradient)
