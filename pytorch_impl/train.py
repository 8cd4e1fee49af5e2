"""Training and evaluation in PyTorch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from pytorch_impl.model import MLP, interchange
from shared.mnist import Dataset
from shared.spec import Spec


def warm_up(spec: Spec, model: MLP, optimizer: torch.optim.Optimizer, dataset: Dataset) -> None:
    """Do ahead of the first step what would otherwise slow it. PyTorch runs eagerly: there is nothing to do."""


def train_step(
    model: MLP, optimizer: torch.optim.Optimizer, inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """One update from inputs (B, 784) and labels (B,). Returns the mean loss before it, ()."""
    loss = F.cross_entropy(model(inputs), labels)
    # PyTorch adds each gradient to what `.grad` holds; a tape starts empty.
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def train_steps(
    model: MLP,
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    batches: Sequence[np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    """One update per batch of indices; `advance` is told of each. Returns the losses, (steps,)."""
    losses = []
    for batch in batches:
        index = torch.from_numpy(batch).to(dataset.labels.device)
        losses.append(train_step(model, optimizer, *(tensor.index_select(0, index) for tensor in dataset)))
        advance(1)
    return torch.stack(losses).cpu().numpy()


@torch.inference_mode()
def predict(model: MLP, inputs: torch.Tensor) -> np.ndarray:
    """Logits (N, 10) of inputs (N, 784)."""
    return model(inputs).cpu().numpy()


def probe(model: MLP, dataset: Dataset, batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a step on this batch computes, by the names of a run record, without taking the step."""
    index = torch.from_numpy(batch).to(dataset.labels.device)
    inputs = dataset.inputs[index]
    fc1 = model.fc1(inputs)
    fc2 = model.fc2(F.relu(fc1))
    logits = model(inputs)
    loss = F.cross_entropy(logits, dataset.labels[index])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    seen = {"input": inputs, "fc1": fc1, "fc2": fc2, "logits": logits, "loss": loss}
    return {name: tensor.detach().cpu().numpy() for name, tensor in seen.items()} | {
        f"gradient/{name}": values for name, values in interchange(model, gradients).items()
    }
