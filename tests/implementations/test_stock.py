"""The stock runs, in the environment of their framework: `make test` runs this in both.

They are each framework's own way, so what is tested is that they are: its initialisers, its shuffling, its data.
"""

import numpy as np
import pytest

from shared.mnist import MNIST
from shared.network import layer_sizes
from shared.running.clock import Clock
from shared.training import Training

pytestmark = pytest.mark.usefixtures("device")
TRAINING = Training(mode="stock", epochs=1, batch_size=4_000)


@pytest.fixture
def first_weights(implementation, framework):
    """{layer: (kernel, bias)} of a model that the stock run would train."""

    def build(training):
        model = implementation.stock.build(training)
        if framework == "pytorch":
            parameters = [parameter.detach().numpy() for parameter in model.parameters()]
        else:
            parameters = [variable.numpy() for variable in model.trainable_variables]
        return list(zip(parameters[::2], parameters[1::2], strict=True))

    return build


def bounds(training, glorot):
    return [
        (6 / (fan_in + fan_out)) ** 0.5 if glorot else fan_in**-0.5
        for fan_in, fan_out in layer_sizes(training).values()
    ]


def test_starts_as_the_framework_does(first_weights, framework):
    keras = framework == "tensorflow"
    for (kernel, bias), bound, pytorchs in zip(
        first_weights(TRAINING), bounds(TRAINING, glorot=keras), bounds(TRAINING, glorot=False), strict=True
    ):
        assert 0.95 * bound < np.abs(kernel).max() <= bound
        assert np.abs(bias).max() <= (0 if keras else pytorchs)


def test_keras_without_its_defaults_starts_as_pytorch_does(first_weights, framework):
    training = TRAINING.model_copy(update={"keras_defaults": ("order",)})
    for (kernel, bias), bound in zip(first_weights(training), bounds(training, glorot=False), strict=True):
        assert 0.95 * bound < np.abs(kernel).max() <= bound
        assert 0 < np.abs(bias).max() <= bound


def test_the_last_layer_ends_in_a_softmax_where_keras_has_the_default(implementation, framework):
    if framework == "pytorch":
        pytest.skip("PyTorch's loss takes logits")
    images = np.random.default_rng(0).uniform(-1, 1, (5, 28, 28, 1)).astype(np.float32)
    for defaults, sums_to_one in ((("loss",), True), ((), False)):
        outputs = implementation.stock.build(TRAINING.model_copy(update={"keras_defaults": defaults}))(images).numpy()
        assert outputs.shape == (5, len(MNIST.classes))
        assert np.allclose(outputs.sum(axis=1), 1) is sums_to_one


def labels_of(batches):
    return np.concatenate([np.asarray(labels) for _, labels in batches])


def test_shuffles_the_training_images_anew_and_leaves_the_test_images(implementation):
    training = implementation.stock.load("train", TRAINING)
    first, second = labels_of(training), labels_of(training)
    assert len(first) == 60_000
    assert (first != second).any()
    np.testing.assert_array_equal(np.bincount(first), np.bincount(second))
    test = implementation.stock.load("test", TRAINING)
    np.testing.assert_array_equal(labels_of(test), labels_of(test))


def test_images_are_normalised_as_the_spec_says(implementation):
    images, _ = next(iter(implementation.stock.load("test", TRAINING)))
    images = np.asarray(images)
    assert images.size == 4_000 * 28 * 28
    assert (images.min(), images.max()) == (-1, 1)


def test_trains_tells_each_epochs_loss_and_returns_the_accuracy(implementation, device):
    printed = []
    training = Training(mode="stock", epochs=2, batch_size=512, learning_rate=0.1)
    accuracy = implementation.stock.train(training, device, Clock(), printed.append)
    assert len(printed) == 2
    assert printed[1] < printed[0] < 3
    assert 0.5 < accuracy < 1
