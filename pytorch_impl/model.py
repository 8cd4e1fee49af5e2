"""The MLP as a PyTorch module."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import nn

from shared.network import Weights, layer_sizes
from shared.training import Training


class MLP(nn.Module):
    """Dense layers with an activation between; the last gives the logits."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.activation = getattr(torch, training.activation)
        # PyTorch is told both sizes of a layer; Keras infers the first.
        for name, (fan_in, fan_out) in layer_sizes(training).items():
            self.add_module(name, nn.Linear(fan_in, fan_out, dtype=getattr(torch, training.dtype)))

    def outputs(self, inputs: torch.Tensor) -> Iterator[torch.Tensor]:
        """What each layer computes before its activation, (B, units) each; from the last come the logits."""
        first, *others = self.children()
        yield (computed := first(inputs))
        for layer in others:
            yield (computed := layer(self.activation(computed)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, P) -> logits (B, C). The softmax is part of the loss."""
        *_, logits = self.outputs(inputs)
        return logits


def build(training: Training, initial: Weights, device: torch.device) -> MLP:
    """The model on the device, with the weights `initial`."""
    model = MLP(training)
    set_weights(model, initial)
    return model.to(device)


def set_weights(model: MLP, weights: Weights) -> None:
    """Give the model these weights, in the interchange form."""
    model.load_state_dict({name: torch.from_numpy(values) for name, values in weights.items()})


def interchange(model: MLP, tensors: Iterable[torch.Tensor]) -> dict[str, np.ndarray]:
    """Tensors in the order of the model's parameters -> copies in the interchange form, which is PyTorch's own."""
    names = [name for name, _ in model.named_parameters()]
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in zip(names, tensors, strict=True)}


def weights(model: MLP) -> dict[str, np.ndarray]:
    """A copy of the weights, in the interchange form."""
    return interchange(model, model.parameters())
