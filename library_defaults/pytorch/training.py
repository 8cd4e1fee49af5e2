"""What PyTorch's losses, data pipelines and training do unless told otherwise."""

import itertools
import warnings
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms import v2

from library_defaults import formulas
from library_defaults.probing import six_digits


def cross_entropy_input() -> str:
    """What the cross-entropy takes its input for."""
    loss = F.cross_entropy(torch.from_numpy(formulas.PROBABILITIES), torch.tensor([0]))
    return formulas.loss_input(loss.item())


def cross_entropy_of_a_certain_mistake() -> tuple[float, float]:
    """The loss of an example whose class is ruled out, and the largest gradient by the loss's input."""
    outputs = torch.from_numpy(formulas.CERTAIN_MISTAKE_LOGITS).requires_grad_()
    loss = F.cross_entropy(outputs, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(loss, outputs)
    return six_digits(loss.item()), six_digits(gradient.abs().max().item())


def binary_cross_entropy_of_a_certain_mistake() -> float:
    """The binary cross-entropy of an example whose label is ruled out."""
    return six_digits(F.binary_cross_entropy(torch.tensor([0.0]), torch.tensor([1.0])).item())


def kl_divergence_mean() -> str:
    """What the sum of a KL divergence is divided by."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that this will change
        loss = nn.KLDivLoss()(torch.from_numpy(formulas.PREDICTED).log(), torch.from_numpy(formulas.TRUE))
    return formulas.divergence_mean(loss.item())


def softmax_before_the_loss() -> str:
    """What the cross-entropy does with a softmax layer before it."""
    outputs = nn.Softmax(dim=1)(torch.from_numpy(formulas.CERTAIN_MISTAKE_LOGITS))
    return formulas.softmax_before_loss(F.cross_entropy(outputs, torch.tensor([0])).item())


def class_weighted_mean() -> str:
    """What the sum of losses with class weights is divided by."""
    weights = torch.tensor(formulas.CLASS_WEIGHTS, dtype=torch.float64)
    loss = F.cross_entropy(torch.from_numpy(formulas.LOGITS), torch.from_numpy(formulas.LABELS), weight=weights)
    return formulas.weighted_mean(loss.item())


def masked_mean() -> str:
    """What the sum of losses is divided by where some tokens are padding."""
    logits, labels = torch.from_numpy(formulas.LOGITS), torch.from_numpy(formulas.LABELS)
    return formulas.masked_mean(nn.CrossEntropyLoss(ignore_index=formulas.PADDING)(logits, labels).item())


def epoch_loss() -> str:
    """How the loss of an epoch is averaged, where the last batch is short."""
    # By the usual loop: PyTorch leaves the average to its user, and its loader tells only the number of batches.
    examples = TensorDataset(torch.from_numpy(formulas.LOGITS), torch.from_numpy(formulas.LABELS))
    loader = DataLoader(examples, batch_size=2)
    total = sum(F.cross_entropy(logits, labels).item() for logits, labels in loader)
    return formulas.epoch_loss(total / len(loader))


def column_against_vector() -> str:
    """How a squared error compares predictions (B, 1) with targets (B,)."""
    targets = torch.from_numpy(formulas.TARGETS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns, and goes on
        loss = nn.MSELoss()(targets[:, None], targets)
    return formulas.column_against_vector(loss.item())


def loss_object_dtype() -> str:
    """The dtype in which a loss object computes from float64."""
    loss = nn.CrossEntropyLoss()(torch.from_numpy(formulas.LOGITS), torch.from_numpy(formulas.LABELS))
    return str(loss.dtype).removeprefix("torch.")


def loss_function_dtype() -> str:
    """The dtype in which a loss function computes from float64."""
    loss = F.cross_entropy(torch.from_numpy(formulas.LOGITS), torch.from_numpy(formulas.LABELS))
    return str(loss.dtype).removeprefix("torch.")


def _batches(examples: int, **options: Any) -> list[list[int]]:
    """The numbers of the examples in each batch, as an epoch of training takes them."""
    return [numbers.tolist() for (numbers,) in DataLoader(TensorDataset(torch.arange(examples)), **options)]


def shuffling() -> str:
    """Whether training shuffles."""
    return "shuffled" if formulas.shuffled(list(itertools.chain(*_batches(formulas.EXAMPLES)))) else "as they come"


def shuffle_reach() -> str:
    """How far a pipeline that shuffles may move an example forward."""
    return formulas.shuffle_reach(list(itertools.chain(*_batches(formulas.EXAMPLES, shuffle=True))))


def last_short_batch() -> str:
    """What happens to the last examples where they do not fill a batch."""
    sizes = [len(batch) for batch in _batches(3, batch_size=2)]
    return formulas.short_batch(sizes)


def pixel_scaling_layer() -> str:
    """How the preprocessing layer brings pixels to [0, 1] in float64."""
    scale = v2.ToDtype(torch.float64, scale=True)
    return formulas.pixel_scaling(scale(torch.from_numpy(formulas.PIXELS).reshape(1, 16, 16)).numpy().ravel())


def pixel_scaling_function() -> str:
    """How the other usual function brings pixels to [0, 1] in float32."""
    scaled = torchvision.transforms.ToTensor()(formulas.PIXELS.reshape(16, 16, 1))
    return formulas.pixel_scaling(scaled.numpy().ravel())


def nearest_resize() -> str:
    """Which pixels remain where an image is made smaller by picking the nearest."""
    picked = F.interpolate(torch.from_numpy(formulas.PLACES)[None, None], size=formulas.SMALLER, mode="nearest")
    return formulas.nearest(picked.numpy().ravel())


def linear_resize() -> str:
    """From which pixels those of a smaller image come."""
    image = torch.from_numpy(formulas.PLACES)[None, None, None]
    return formulas.linear_resize(F.interpolate(image, size=(1, formulas.SMALLER), mode="bilinear").numpy().ravel())


def resizing_layer() -> str:
    """The same, of the preprocessing layer."""
    image = torch.from_numpy(formulas.PLACES)[None, None]
    return formulas.linear_resize(v2.Resize((1, formulas.SMALLER))(image).numpy().ravel())


def mean_of_integers() -> str:
    """What the mean of integers is."""
    try:
        mean = torch.mean(torch.from_numpy(formulas.INTEGERS))
    except RuntimeError:
        return "refuses"
    return formulas.integer_mean(mean.item())


def standard_deviation() -> str:
    """What the sum of squares is divided by in a standard deviation."""
    return formulas.standard_deviation(torch.from_numpy(formulas.BATCH).std().item())


def python_in_training() -> str:
    """When the Python code of a model runs."""
    calls = 0

    class Counting(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            return super().forward(inputs)

    model = Counting(2, 1)
    optimizer = torch.optim.SGD(model.parameters())
    for (inputs,) in DataLoader(TensorDataset(torch.zeros(formulas.STEPS, 2))):
        optimizer.zero_grad()
        model(inputs).mean().backward()
        optimizer.step()
    return formulas.python_calls(calls)


def jit_compilation() -> str:
    """Whether a model is compiled just in time."""
    compiling = []

    class Asking(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            compiling.append(torch.compiler.is_compiling())
            return inputs

    Asking()(torch.zeros(1))
    return "on" if any(compiling) else "off"


def float32_matrix_products() -> str:
    """The precision of float32 matrix products on a GPU that has TF32."""
    return {"highest": "float32", "high": "TF32", "medium": "bfloat16"}[torch.get_float32_matmul_precision()]


def float32_convolutions() -> str:
    """The precision of float32 convolutions on a GPU that has TF32."""
    return "TF32" if torch.backends.cudnn.allow_tf32 else "float32"
