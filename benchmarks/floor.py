"""The floor: what the eight matrix products of a step cost alone, through PyTorch's own library.

All else in a step is overhead: the gather, the ReLUs, the softmax, the update, every call. Prints a line of JSON.
"""

import json

import torch

from benchmarks.scaling_worker import elapsed, products
from shared import cli


def main() -> None:
    """Time the products of as many steps as the spec has, and after a first epoch that warms up."""
    spec, _ = cli.parse(cli.make_parser("floor", __doc__ or "", "out"), None)
    torch.set_num_threads(spec.threads)
    operands = products(spec)

    def take_an_epoch() -> None:
        for _ in range(spec.steps_per_epoch):
            for a, b, out in operands:
                torch.mm(a, b, out=out)

    take_an_epoch()
    print(json.dumps({"timing": {}, "epoch_seconds": [elapsed(take_an_epoch) for _ in range(spec.epochs)]}))


if __name__ == "__main__":
    main()
