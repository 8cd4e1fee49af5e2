"""The same training as Keras's own tutorials write it: its initialisers, a tf.data pipeline, compile and fit."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import keras
import tensorflow as tf
from keras import layers

from shared.mnist import MNIST, Split
from shared.network import layer_sizes
from shared.normalisation import MEAN, PIXEL_MAX, STD
from shared.system import progress
from shared.system.language import say
from shared.training import Training
from tensorflow_impl.data import builder


def load(split: Split, training: Training) -> tf.data.Dataset:
    """Batches of images and labels, those for training in a new order every epoch."""

    def normalise(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return (tf.cast(image, tf.float32) / PIXEL_MAX - MEAN) / STD, label

    mnist = builder().as_dataset(split=split, as_supervised=True)
    mnist = mnist.map(normalise, num_parallel_calls=tf.data.AUTOTUNE).cache()
    if split == "train":
        # A smaller buffer would shuffle only within itself. With this one, only the draw differs from PyTorch's;
        # without the default it is another draw.
        mnist = mnist.shuffle(MNIST.train_examples, seed=training.seed + ("order" not in training.keras_defaults))
    return mnist.batch(training.batch_size).prefetch(tf.data.AUTOTUNE)


def build(training: Training) -> keras.Model:
    """The model, with the framework's own initial weights."""
    defaults = training.keras_defaults  # all, unless some are dropped to do as PyTorch does
    model = keras.Sequential([keras.Input((MNIST.side, MNIST.side, 1)), layers.Flatten()])
    *hidden, last = layer_sizes(training).values()
    activations = [training.activation] * len(hidden) + ["softmax" if "loss" in defaults else None]
    for (fan_in, fan_out), activation in zip([*hidden, last], activations, strict=True):
        bound = 1 / math.sqrt(fan_in)  # PyTorch's Linear draws both uniformly within it
        kernels = "glorot_uniform" if "kernels" in defaults else keras.initializers.RandomUniform(-bound, bound)
        biases = "zeros" if "biases" in defaults else keras.initializers.RandomUniform(-bound, bound)
        model.add(layers.Dense(fan_out, activation, kernel_initializer=kernels, bias_initializer=biases))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits="loss" not in defaults)
    model.compile(keras.optimizers.SGD(training.learning_rate), loss, metrics=["accuracy"])
    return model


def train(
    training: Training,
    device: tf.DeviceSpec,
    clock: Callable[[str], AbstractContextManager[None]],
    printed: Callable[[float], None],
) -> float:
    """Train; `printed` is told each epoch's loss as a tutorial prints it. Returns the accuracy on the test set."""
    keras.utils.set_random_seed(training.seed)
    with clock("data"):
        train_set, test_set = load("train", training), load("test", training)
    with tf.device(device), progress.bar(training.epochs, say("Epochs")) as advance:

        def on_epoch_end(_epoch: int, logs: dict[str, float]) -> None:
            # The mean of examples; a PyTorch tutorial prints the mean of batch means.
            printed(logs["loss"])
            advance(1)

        model = build(training)
        with clock("training"):
            tell = keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
            # shuffle=False: the pipeline has shuffled, and Keras warns that it can't.
            model.fit(train_set, epochs=training.epochs, shuffle=False, verbose=0, callbacks=[tell])
    with clock("evaluation"):
        return model.evaluate(test_set, verbose=0, return_dict=True)["accuracy"]
