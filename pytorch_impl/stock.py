"""The same network as PyTorch's own tutorials would write it: its initialisers, its DataLoader, its familiar loop."""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from pytorch_impl.model import MLP
from shared.mnist import extracted
from shared.normalisation import MEAN, STD
from shared.running.clock import Clock
from shared.spec import Spec
from shared.system import progress


def load(split: Literal["train", "test"], spec: Spec) -> DataLoader[Any]:
    """Batches of images and labels, those for training in a new order every epoch."""
    # Images come as (channels, H, W); from TFDS as (H, W, channels).
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    mnist = torchvision.datasets.MNIST(extracted(), train=split == "train", transform=transform)
    return DataLoader(mnist, batch_size=spec.batch_size, shuffle=split == "train")


def build(spec: Spec) -> nn.Module:
    """The model, started as the framework does."""
    return nn.Sequential(nn.Flatten(), MLP(spec))


def train(spec: Spec, device: torch.device, clock: Clock, printed: Callable[[float], None]) -> float:
    """Train; `printed` is told each epoch's loss as a tutorial prints it. Returns the accuracy on the test set."""
    torch.manual_seed(spec.seed)
    with clock("data"):
        train_loader, test_loader = load("train", spec), load("test", spec)
    model = build(spec).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.learning_rate)

    for epoch in range(spec.epochs):
        running_loss = 0.0
        with clock("training"), progress.bar(len(train_loader), f"Epoch {epoch + 1}/{spec.epochs}") as advance:
            for images, labels in train_loader:
                optimizer.zero_grad()
                loss = criterion(model(images.to(device)), labels.to(device))
                loss.backward()
                optimizer.step()
                running_loss += loss.item()
                advance(1)
        # The mean of batch means; Keras prints the mean of examples.
        printed(running_loss / len(train_loader))

    correct = total = 0
    with clock("evaluation"), torch.no_grad():
        for images, labels in test_loader:
            predicted = model(images.to(device)).argmax(dim=1).cpu()
            correct += (predicted == labels).sum().item()
            total += len(labels)
    return correct / total
