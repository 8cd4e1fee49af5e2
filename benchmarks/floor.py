"""The floor: what the eight matrix products of a step cost alone, through PyTorch's own library.

All else in a step is overhead: the gather, the ReLUs, the softmax, the update, every call. Prints a line of JSON.
"""

import json
import time
from collections.abc import Callable

import torch

from shared import cli
from shared.configuration import Configuration
from shared.network import layer_sizes
from shared.training import Training


def products(training: Training, device: torch.device) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The factors and the place of each matrix product of a step: three forward, three and two backward.

    The factors are laid out as in the training, a weight as (out, in).
    """
    sizes = list(layer_sizes(training).values())
    units = (sizes[0][0], *(fan_out for _, fan_out in sizes))
    # What enters each layer and what leaves the last, (B, units); what comes back to each, of the same shape.
    made = {"dtype": getattr(torch, training.dtype), "device": device}
    values, deltas = ([torch.randn(training.batch_size, width, **made) for width in units] for _ in range(2))
    step = []
    for depth, (fan_in, fan_out) in enumerate(sizes):
        weight = torch.randn(fan_out, fan_in, **made)
        step.append((values[depth], weight.T, torch.empty(training.batch_size, fan_out, **made)))
        step.append((deltas[depth + 1].T, values[depth], torch.empty(fan_out, fan_in, **made)))
        if depth:  # nothing asks for the gradient by the pixels
            step.append((deltas[depth + 1], weight, torch.empty(training.batch_size, fan_in, **made)))
    return step


def make_steps(configuration: Configuration) -> Callable[[int], None]:
    """A function that computes the products of so many steps, on the threads of the configuration, or on its GPU."""
    torch.set_num_threads(configuration.execution.threads)
    device = torch.device("cuda" if configuration.execution.device == "cuda" else "cpu")
    operands = products(configuration.training, device)

    def take_steps(steps: int) -> None:
        for _ in range(steps):
            for a, b, out in operands:
                torch.mm(a, b, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize()  # they are only ordered so far

    return take_steps


def main() -> None:
    """Time as many epochs of products as the configuration has, after one that warms up."""
    configuration, _ = cli.parse(cli.make_parser("floor", __doc__ or "", "out"), None)
    take_steps = make_steps(configuration)
    seconds = []
    for _ in range(1 + configuration.training.epochs):
        start = time.perf_counter()
        take_steps(configuration.training.steps_per_epoch)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"timing": {}, "epoch_seconds": seconds[1:]}))


if __name__ == "__main__":
    main()
