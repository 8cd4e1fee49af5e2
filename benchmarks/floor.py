"""The floor: what the eight matrix products of a step cost alone, through PyTorch's own library.

All else in a step is overhead: the gather, the ReLUs, the softmax, the update, every call. Prints a line of JSON.
"""

import json
import time

import torch

from shared import cli


def main() -> None:
    """Time the products of as many steps as the spec has, and after a first epoch that warms up."""
    spec, _ = cli.parse(cli.make_parser("floor", __doc__ or "", "out"), None)
    torch.set_num_threads(spec.threads)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=getattr(torch, spec.dtype))

    products = []
    for layer, (fan_in, fan_out) in enumerate(spec.layer_sizes):
        below, weight, delta = (
            tensor(spec.batch_size, fan_in),
            tensor(fan_out, fan_in),
            tensor(spec.batch_size, fan_out),
        )
        products += [(below, weight.T, torch.empty_like(delta)), (delta.T, below, torch.empty_like(weight))]
        if layer:  # the pixels need no gradient
            products.append((delta, weight, torch.empty_like(below)))

    seconds = []
    for _ in range(1 + spec.epochs):
        start = time.perf_counter()
        for _ in range(spec.steps_per_epoch):
            for a, b, out in products:
                torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"timing": {}, "epoch_seconds": seconds[1:]}))


if __name__ == "__main__":
    main()
