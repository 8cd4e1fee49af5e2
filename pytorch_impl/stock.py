"""The same training as PyTorch's own tutorials write it: its initialisers, its DataLoader, its familiar loop."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from pytorch_impl import data
from pytorch_impl.model import MLP
from shared.mnist import Split
from shared.normalisation import MEAN, STD
from shared.system import progress
from shared.system.language import say
from shared.training import Training


def load(split: Split, training: Training) -> DataLoader[Any]:
    """Batches of images and labels, those for training in a new order every epoch."""
    # Images come as (channels, H, W); from TFDS as (H, W, channels).
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    return DataLoader(data.load(split, transform=transform), batch_size=training.batch_size, shuffle=split == "train")


def build(training: Training) -> nn.Module:
    """The model, with the framework's own initial weights."""
    return nn.Sequential(nn.Flatten(), MLP(training))


def train(
    training: Training,
    device: torch.device,
    clock: Callable[[str], AbstractContextManager[None]],
    printed: Callable[[float], None],
) -> float:
    """Train; `printed` is told each epoch's loss as a tutorial prints it. Returns the accuracy on the test set."""
    torch.manual_seed(training.seed)
    with clock("data"):
        train_loader, test_loader = load("train", training), load("test", training)
    model = build(training).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=training.learning_rate)

    for epoch in range(training.epochs):
        running_loss = 0.0
        what = say("Epoch {number}/{count}", number=epoch + 1, count=training.epochs)
        with clock("training"), progress.bar(len(train_loader), what) as advance:
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
