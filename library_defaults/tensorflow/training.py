"""What Keras's losses, data pipelines and training do unless told otherwise."""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from library_defaults import formulas
from library_defaults.probing import default, six_digits


def cross_entropy_input() -> str:
    """What the cross-entropy takes its input for."""
    loss = keras.losses.sparse_categorical_crossentropy(tf.constant([0]), tf.constant(formulas.PROBABILITIES))
    return formulas.loss_input(loss.numpy().item())


def cross_entropy_of_a_certain_mistake() -> tuple[float, float]:
    """The loss of an example whose class is ruled out, and the largest gradient by the loss's input."""
    outputs = tf.constant(formulas.CERTAIN_MISTAKE)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = keras.losses.sparse_categorical_crossentropy(tf.constant([0]), outputs)
    gradient = tape.gradient(loss, outputs)
    return six_digits(loss.numpy().item()), six_digits(np.abs(gradient.numpy()).max())


def binary_cross_entropy_of_a_certain_mistake() -> float:
    """The binary cross-entropy of an example whose label is ruled out."""
    return six_digits(keras.losses.binary_crossentropy(tf.constant([1.0]), tf.constant([0.0])).numpy().item())


def kl_divergence_mean() -> str:
    """What the sum of a KL divergence is divided by."""
    return formulas.divergence_mean(keras.losses.KLDivergence()(formulas.TRUE, formulas.PREDICTED).numpy().item())


def softmax_before_the_loss() -> str:
    """What the cross-entropy does with a softmax layer before it."""
    outputs = keras.layers.Softmax()(tf.constant(formulas.CERTAIN_MISTAKE_LOGITS))
    return formulas.softmax_before_loss(
        keras.losses.sparse_categorical_crossentropy(tf.constant([0]), outputs).numpy().item()
    )


def _passing_on() -> keras.Model:
    """A model whose outputs (B, 2) are its inputs, compiled with the cross-entropy of logits; it never learns."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="identity")])
    model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def class_weighted_mean() -> str:
    """What the sum of losses with class weights is divided by."""
    weights = dict(enumerate(formulas.CLASS_WEIGHTS))
    loss = _passing_on().train_on_batch(formulas.LOGITS, formulas.LABELS, class_weight=weights)
    return formulas.weighted_mean(loss)


def masked_mean() -> str:
    """What the sum of losses is divided by where some tokens are padding."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    counted = formulas.LABELS != formulas.PADDING
    return formulas.masked_mean(loss(formulas.LABELS, formulas.LOGITS, sample_weight=counted).numpy().item())


def epoch_loss() -> str:
    """How the loss of an epoch is averaged, where the last batch is short."""
    # `fit` prints the loss that it returns.
    history = _passing_on().fit(formulas.LOGITS, formulas.LABELS, batch_size=2, shuffle=False, verbose=0).history
    return formulas.epoch_loss(history["loss"][0])


def column_against_vector() -> str:
    """How a squared error compares predictions (B, 1) with targets (B,)."""
    loss = keras.losses.MeanSquaredError()(formulas.TARGETS, formulas.TARGETS[:, None])
    return formulas.column_against_vector(loss.numpy().item())


def loss_object_dtype() -> str:
    """The dtype in which a loss object computes from float64."""
    loss = keras.losses.SparseCategoricalCrossentropy()(formulas.LABELS, formulas.LOGITS)
    return loss.dtype.name


def loss_function_dtype() -> str:
    """The dtype in which a loss function computes from float64."""
    loss = keras.losses.sparse_categorical_crossentropy(formulas.LABELS, tf.constant(formulas.LOGITS))
    return loss.dtype.name


def _batches(examples: int, **options: Any) -> list[list[int]]:
    """The numbers of the examples in each batch, as an epoch of training takes them."""
    batches = []

    class Listening(keras.Model):
        def train_step(self, data: Any) -> dict[str, float]:
            inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            batches.append(inputs.numpy().ravel().tolist())
            return {"loss": 0.0}  # Keras needs some loss

    model = Listening()
    model.compile(run_eagerly=True)
    model.fit(np.arange(examples), verbose=0, **options)
    return batches


def shuffling() -> str:
    """Whether training shuffles."""
    return "shuffled" if formulas.shuffled(list(itertools.chain(*_batches(formulas.EXAMPLES)))) else "as they come"


def shuffle_reach() -> str:
    """How far a pipeline that shuffles may move an example forward."""
    pipeline = tf.data.Dataset.range(formulas.EXAMPLES).shuffle(formulas.BUFFER)
    return formulas.shuffle_reach([example.item() for example in pipeline.as_numpy_iterator()])


def last_short_batch() -> str:
    """What happens to the last examples where they do not fill a batch."""
    sizes = [len(batch) for batch in _batches(3, batch_size=2)]
    return formulas.short_batch(sizes)


def pixel_scaling_layer() -> str:
    """How the preprocessing layer brings pixels to [0, 1] in float64."""
    return formulas.pixel_scaling(keras.layers.Rescaling(1 / 255, dtype="float64")(formulas.PIXELS).numpy())


def pixel_scaling_function() -> str:
    """How the other usual function brings pixels to [0, 1] in float32."""
    return formulas.pixel_scaling(tf.image.convert_image_dtype(formulas.PIXELS, tf.float32).numpy())


def nearest_resize() -> str:
    """Which pixels remain where an image is made smaller by picking the nearest."""
    picked = tf.image.resize(formulas.PLACES[None, None, :, None], (1, formulas.SMALLER), "nearest")
    return formulas.nearest(picked.numpy().ravel())


def linear_resize() -> str:
    """From which pixels those of a smaller image come."""
    image = formulas.PLACES[None, None, :, None]
    return formulas.linear_resize(tf.image.resize(image, (1, formulas.SMALLER)).numpy().ravel())


def resizing_layer() -> str:
    """The same, of the preprocessing layer."""
    image = formulas.PLACES[None, None, :, None]
    return formulas.linear_resize(keras.layers.Resizing(1, formulas.SMALLER)(image).numpy().ravel())


def mean_of_integers() -> str:
    """What the mean of integers is."""
    return formulas.integer_mean(tf.reduce_mean(tf.constant(formulas.INTEGERS)).numpy().item())


def standard_deviation() -> str:
    """What the sum of squares is divided by in a standard deviation."""
    return formulas.standard_deviation(keras.ops.std(formulas.BATCH).numpy().item())


def python_in_training() -> str:
    """When the Python code of a model runs."""
    calls = 0

    class Counting(keras.layers.Dense):
        def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
            nonlocal calls
            calls += 1
            return super().call(inputs, training=training)

    model = keras.Sequential([keras.Input((2,)), Counting(1)])
    model.compile("sgd", "mse")
    calls = 0  # building the model called the layer once
    model.fit(np.zeros((formulas.STEPS, 2)), np.zeros(formulas.STEPS), batch_size=1, verbose=0)
    return formulas.python_calls(calls)


def jit_compilation() -> str:
    """Whether a model is compiled just in time."""
    return default(keras.Model.compile, "jit_compile")


def float32_matrix_products() -> str:
    """The precision of float32 matrix products on a GPU that has TF32."""
    return "TF32" if tf.config.experimental.tensor_float_32_execution_enabled() else "float32"


def float32_convolutions() -> str:
    """The precision of float32 convolutions on a GPU that has TF32."""
    return "TF32" if tf.config.experimental.tensor_float_32_execution_enabled() else "float32"
