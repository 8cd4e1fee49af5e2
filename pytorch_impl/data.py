"""MNIST through torchvision, in the canonical order, as PyTorch tensors."""

from typing import Literal

import torch
import torchvision
from torchvision.transforms import v2

from shared.mnist import Dataset, Examples, canonical, extracted
from shared.normalisation import MEAN, STD
from shared.spec import PIXELS, Spec


def read(split: Literal["train", "test"]) -> Examples:
    """All images and labels of a split, as torchvision reads them, put in the canonical order."""
    mnist = torchvision.datasets.MNIST(extracted(), train=split == "train")
    return canonical(mnist.data.numpy(), mnist.targets.numpy())


def to_dataset(examples: Examples, spec: Spec, device: torch.device) -> Dataset:
    """Normalised inputs (N, 784) and labels (N,), on the device."""
    transform = v2.Compose(
        [v2.ToDtype(getattr(torch, spec.dtype), scale=True), v2.Normalize([MEAN], [STD], inplace=True)]
    )
    images = torch.from_numpy(examples.images).reshape(-1, 1, 28, 28)  # torchvision wants (N, channels, H, W)
    inputs = transform(images).reshape(-1, PIXELS)
    return Dataset(inputs.to(device), torch.from_numpy(examples.labels).to(device))
