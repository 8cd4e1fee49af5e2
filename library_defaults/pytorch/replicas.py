"""`python -m library_defaults.pytorch.replicas`: print how far a step moved a weight on two replicas."""

import tempfile
from typing import Any

import torch
from torch import distributed, multiprocessing, nn
from torch.multiprocessing.spawn import spawn

from library_defaults.update_rules import TWO_GRADIENTS


def _train(number: int, shared: tuple[Any, ...]) -> None:
    """Take a step of SGD with rate 1, as the replica of this number."""
    meeting, moved = shared
    distributed.init_process_group("gloo", init_method=meeting, rank=number, world_size=len(TWO_GRADIENTS))
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    model = nn.parallel.DistributedDataParallel(layer)
    (TWO_GRADIENTS[number] * model(torch.ones(1, 1))).sum().backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    if number == 0:
        moved.put(-layer.weight.item())
    distributed.destroy_process_group()


def main() -> None:
    moved = multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        spawn(_train, ((f"file://{folder}/met", moved),), nprocs=len(TWO_GRADIENTS))
    print(moved.get())


if __name__ == "__main__":
    main()
