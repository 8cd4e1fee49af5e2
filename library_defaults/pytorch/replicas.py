"""`python -m library_defaults.pytorch.replicas`: print how far a step moved a weight on two replicas."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import distributed, nn

from library_defaults.update_rules import TWO_GRADIENTS


def _train(number: int, shared: int) -> float:
    """Take a step of SGD with rate 1, as the replica of this number."""
    meeting = distributed.TCPStore("localhost", shared)  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=meeting, rank=number, world_size=len(TWO_GRADIENTS))
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    model = nn.parallel.DistributedDataParallel(layer)
    (TWO_GRADIENTS[number] * model(torch.ones(1, 1))).sum().backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    distributed.barrier()  # the last of them ends first
    distributed.destroy_process_group()
    return -layer.weight.item()


def main() -> None:
    # Where they meet is here, so that it outlasts both.
    meeting = distributed.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    numbers = range(len(TWO_GRADIENTS))
    # A pool hands a result over as soon as it is there: how a process that has used Gloo ends does not matter.
    with ProcessPoolExecutor(len(numbers), multiprocessing.get_context("spawn")) as replicas:
        print(*set(replicas.map(_train, numbers, [meeting.port] * len(numbers))))


if __name__ == "__main__":
    main()
