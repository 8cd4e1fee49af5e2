"""Training and evaluation in PyTorch."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from pytorch_impl.model import MLP, interchange
from shared.contract import Dataset, Session, TrainEpoch
from shared.training import Training


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step. PyTorch runs eagerly: there is nothing to do."""


def train_step(model: MLP, optimizer: Optimizer, inputs: Tensor, labels: Tensor) -> Tensor:
    """One update from inputs (B, P) and labels (B,). Returns the mean loss before it, ()."""
    loss = F.cross_entropy(model(inputs), labels)
    # PyTorch adds each gradient to what `.grad` holds; a tape starts empty.
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    losses = []
    for step, batch in enumerate(batches):
        session.before_step(step)
        index = torch.from_numpy(batch).to(dataset.labels.device)
        losses.append(train_step(model, optimizer, *(tensor.index_select(0, index) for tensor in dataset)))
    return torch.stack(losses).cpu().numpy()


def train(
    model: MLP,
    optimizer: Optimizer,
    datasets: tuple[Dataset[Tensor], Dataset[Tensor]],
    session: Session,
    train_epoch: TrainEpoch[MLP, Optimizer, Tensor] = train_epoch,
) -> None:
    """The whole training: each epoch's steps, by an engine's `train_epoch`, and then the test set."""
    train_set, test_set = datasets
    for batches in session.epochs():
        with session.clock("training"):
            losses = train_epoch(model, optimizer, train_set, batches, session)
        with session.clock("evaluation"):
            logits = predict(model, test_set.inputs)
        session.after_epoch(losses, logits)


@torch.inference_mode()
def predict(model: MLP, inputs: Tensor) -> np.ndarray:
    """Logits (N, C) of inputs (N, P)."""
    return model(inputs).cpu().numpy()


def probe(model: MLP, dataset: Dataset[Tensor], batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a step on this batch computes, by the names of a run record, without taking the step."""
    index = torch.from_numpy(batch).to(dataset.labels.device)
    inputs = dataset.inputs[index]
    *hidden, logits = model.outputs(inputs)
    loss = F.cross_entropy(logits, dataset.labels[index])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    layers = [name for name, _ in model.named_children()]
    seen = {"input": inputs, **dict(zip(layers, hidden, strict=False)), "logits": logits, "loss": loss}
    return {name: tensor.detach().cpu().numpy() for name, tensor in seen.items()} | {
        f"gradient/{name}": values for name, values in interchange(model, gradients).items()
    }
