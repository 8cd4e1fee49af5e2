"""The MLP as arrays: forward and backward by hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from shared.network import Weights, layer_sizes
from shared.training import Training


@dataclass(frozen=True)
class Activation:
    """What follows a hidden layer. Both functions keep shape and dtype."""

    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]  # of `function`, at what enters it


def _tanh_derivative(entering: np.ndarray) -> np.ndarray:
    slope: np.ndarray = 1 - np.tanh(entering) ** 2
    return slope


def _sigmoid(entering: np.ndarray) -> np.ndarray:
    from scipy.special import expit  # takes as long as all the rest, and few networks need it

    shares: np.ndarray = expit(entering)
    return shares


def _sigmoid_derivative(entering: np.ndarray) -> np.ndarray:
    share = _sigmoid(entering)
    slope: np.ndarray = share * (1 - share)
    return slope


ACTIVATIONS = {
    # The ReLU passes the gradient where its input is above zero, and not at zero, as in both frameworks.
    "relu": Activation(lambda entering: np.maximum(entering, 0), lambda entering: entering > 0),
    "tanh": Activation(np.tanh, _tanh_derivative),
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative),
}


# From a layer's name and what enters its activation, (B, units), to the activation's slopes there, of the same shape.
Slopes = Callable[[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Model:
    """Weights by name, in the interchange form. The optimizer changes them in place."""

    layers: tuple[str, ...]
    activation: Activation
    parameters: dict[str, np.ndarray]

    def outputs(self, inputs: np.ndarray) -> Iterator[np.ndarray]:
        """What each layer computes before its activation, (B, units) each; from the last come the logits."""
        computed = inputs
        for depth, layer in enumerate(self.layers):
            below = self.activation.function(computed) if depth else inputs
            computed = below @ self.parameters[f"{layer}.weight"].T + self.parameters[f"{layer}.bias"]
            yield computed

    def softmax(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The logarithms of the probabilities, (B, C), and these."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        logarithms: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return logarithms, np.exp(logarithms)

    def mean(self, losses: np.ndarray) -> np.floating:
        """Of a batch's, (B,)."""
        mean: np.floating = losses.mean()
        return mean

    def backward(
        self, inputs: np.ndarray, labels: np.ndarray, slopes: Slopes | None = None
    ) -> tuple[np.floating, dict[str, np.ndarray], list[np.ndarray]]:
        """The mean softmax cross-entropy (), its gradient by each weight, and the layers' `outputs`.

        `slopes` takes the place of the activation's derivative.
        """
        outputs = list(self.outputs(inputs))
        examples = np.arange(len(labels))
        log_probabilities, delta = self.softmax(outputs[-1])
        loss = self.mean(-log_probabilities[examples, labels])

        # The gradient by the logits is softmax - one-hot, divided by the size of the batch.
        delta[examples, labels] -= 1
        delta /= len(labels)
        gradients = {}
        for depth, layer in reversed(list(enumerate(self.layers))):
            below = self.activation.function(outputs[depth - 1]) if depth else inputs
            gradients[f"{layer}.weight"] = delta.T @ below
            gradients[f"{layer}.bias"] = delta.sum(axis=0)
            if depth:
                name, entering = self.layers[depth - 1], outputs[depth - 1]
                slope = slopes(name, entering) if slopes else self.activation.derivative(entering)
                delta = (delta @ self.parameters[f"{layer}.weight"]) * slope
        return loss, gradients, outputs


def build(training: Training, initial: Weights, device: str) -> Model:
    """The model with the weights `initial`."""
    copies = {name: values.copy() for name, values in initial.items()}
    return Model(tuple(layer_sizes(training)), ACTIVATIONS[training.activation], copies)


def set_weights(model: Model, weights: Weights) -> None:
    """Give the model these weights, in the interchange form."""
    for name, values in weights.items():
        model.parameters[name][...] = values


def weights(model: Model) -> dict[str, np.ndarray]:
    """A copy of the weights, in the interchange form."""
    return {name: values.copy() for name, values in model.parameters.items()}
