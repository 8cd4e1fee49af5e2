"""The MLP as a PyTorch module."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from shared.network import Weights
from shared.spec import CLASSES, PIXELS, Spec


class MLP(nn.Module):
    """784 inputs, two hidden layers with ReLU, 10 logits."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        hidden1, hidden2 = spec.hidden_sizes
        dtype = getattr(torch, spec.dtype)
        # PyTorch is told both sizes of a layer; Keras infers the first.
        self.fc1 = nn.Linear(PIXELS, hidden1, dtype=dtype)
        self.fc2 = nn.Linear(hidden1, hidden2, dtype=dtype)
        self.fc3 = nn.Linear(hidden2, CLASSES, dtype=dtype)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, 784) -> logits (B, 10). The softmax is part of the loss."""
        hidden = F.relu(self.fc1(inputs))
        hidden = F.relu(self.fc2(hidden))
        return self.fc3(hidden)


def build(spec: Spec, initial: Weights, device: torch.device) -> MLP:
    """The model on the device, with the weights `initial`."""
    model = MLP(spec)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in initial.items()})
    return model.to(device)


def interchange(model: MLP, tensors: Iterable[torch.Tensor]) -> dict[str, np.ndarray]:
    """Tensors in the order of the model's parameters -> copies in the interchange form, which is PyTorch's own."""
    names = [name for name, _ in model.named_parameters()]
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in zip(names, tensors, strict=True)}


def weights(model: MLP) -> dict[str, np.ndarray]:
    """A copy of the weights, in the interchange form."""
    return interchange(model, model.parameters())
