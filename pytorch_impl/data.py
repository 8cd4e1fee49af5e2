"""The data set through torchvision, in the canonical order, as PyTorch tensors."""

import numpy as np
import torch
import torchvision
from torchvision.transforms import v2

from shared.contract import Dataset
from shared.mnist import MNIST, Examples, Split, canonical, extracted
from shared.normalisation import MEAN, STD
from shared.training import Training


def load(split: Split, **options: object) -> torchvision.datasets.MNIST:
    """Torchvision's own object."""
    return getattr(torchvision.datasets, MNIST.name)(extracted(), train=split == "train", **options)


def read(split: Split) -> Examples:
    """All images and labels of a split, as torchvision reads them, put in the canonical order."""
    mnist = load(split)
    return canonical(mnist.data.numpy(), mnist.targets.numpy())


def to_dataset(examples: Examples, training: Training, device: torch.device) -> Dataset[torch.Tensor]:
    """Normalised inputs (N, P) and labels (N,), on the device."""
    transform = v2.Compose(
        [v2.ToDtype(getattr(torch, training.dtype), scale=True), v2.Normalize([MEAN], [STD], inplace=True)]
    )
    # torchvision wants (N, channels, H, W).
    images = torch.from_numpy(examples.images).reshape(-1, 1, MNIST.side, MNIST.side)
    inputs = transform(images).reshape(-1, MNIST.pixels)
    return Dataset(inputs.to(device), torch.from_numpy(examples.labels).to(device))


def to_arrays(dataset: Dataset[torch.Tensor]) -> Dataset[np.ndarray]:
    """The same inputs and labels, as they are on the device now."""
    return Dataset(*(tensor.cpu().numpy() for tensor in dataset))
