"""The same network as Keras's own tutorials would write it: its initialisers, a tf.data pipeline, compile and fit."""

import math
from collections.abc import Callable
from typing import Literal

import keras
import tensorflow as tf
from keras import layers

from shared.normalisation import MEAN, PIXEL_MAX, STD
from shared.running.clock import Clock
from shared.spec import TRAIN_EXAMPLES, Spec
from shared.system import progress
from tensorflow_impl.data import builder


def load(split: Literal["train", "test"], spec: Spec) -> tf.data.Dataset:
    """Batches of images and labels, those for training in a new order every epoch."""

    def normalise(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return (tf.cast(image, tf.float32) / PIXEL_MAX - MEAN) / STD, label

    mnist = builder().as_dataset(split=split, as_supervised=True)
    mnist = mnist.map(normalise, num_parallel_calls=tf.data.AUTOTUNE).cache()
    if split == "train":
        # A smaller buffer would shuffle only within itself. As it is, only the draw differs from PyTorch's; without the
        # default it is another.
        mnist = mnist.shuffle(TRAIN_EXAMPLES, seed=spec.seed + ("order" not in spec.keras_defaults))
    return mnist.batch(spec.batch_size).prefetch(tf.data.AUTOTUNE)


def build(spec: Spec) -> keras.Model:
    """The model, started as the framework does."""
    defaults = spec.keras_defaults  # all, unless the spec drops some to do as PyTorch does
    activations = ("relu", "relu", "softmax" if "loss" in defaults else None)
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for (fan_in, fan_out), activation in zip(spec.layer_sizes, activations, strict=True):
        bound = 1 / math.sqrt(fan_in)  # PyTorch's Linear draws both uniformly within it
        kernels = "glorot_uniform" if "kernels" in defaults else keras.initializers.RandomUniform(-bound, bound)
        biases = "zeros" if "biases" in defaults else keras.initializers.RandomUniform(-bound, bound)
        model.add(layers.Dense(fan_out, activation, kernel_initializer=kernels, bias_initializer=biases))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits="loss" not in defaults)
    model.compile(keras.optimizers.SGD(spec.learning_rate), loss, metrics=["accuracy"])
    return model


def train(spec: Spec, device: tf.DeviceSpec, clock: Clock, printed: Callable[[float], None]) -> float:
    """Train; `printed` is told each epoch's loss as a tutorial prints it. Returns the accuracy on the test set."""
    keras.utils.set_random_seed(spec.seed)
    with clock("data"):
        train_set, test_set = load("train", spec), load("test", spec)
    with tf.device(device), progress.bar(spec.epochs, "Epochs") as advance:

        def on_epoch_end(_epoch: int, logs: dict[str, float]) -> None:
            # The mean of examples; a PyTorch tutorial prints the mean of batch means.
            printed(logs["loss"])
            advance(1)

        model = build(spec)
        with clock("training"):
            tell = keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
            # shuffle=False: the pipeline has shuffled, and Keras warns that it can't.
            model.fit(train_set, epochs=spec.epochs, shuffle=False, verbose=0, callbacks=[tell])
    with clock("evaluation"):
        return model.evaluate(test_set, verbose=0, return_dict=True)["accuracy"]
