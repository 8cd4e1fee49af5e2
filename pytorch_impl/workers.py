"""Several workers in PyTorch: the same training, with each batch shared among processes."""

import contextlib
import datetime
import functools
import ipaddress
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from pytorch_impl.model import MLP
from shared.contract import Dataset, Session
from shared.running import batches as order
from shared.running.place import SECONDS_TO_ANSWER, SECONDS_TO_NOTICE
from shared.system import progress
from shared.system.errors import InputError, in_one_line
from shared.training import Training

LOOPBACK = ("127.0.0.1", "localhost")


@contextlib.contextmanager
def join(device: torch.device) -> Iterator[None]:
    """Become one of the workers while the block lasts, for a run on this device.

    Raises InputError where the others do not come, and where one is gone.
    """
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    else:
        _refuse_loopback()
    waiting = datetime.timedelta(seconds=SECONDS_TO_ANSWER)
    try:
        # Who it is and where all meet, the launcher has set in several variables; for TensorFlow in one, TF_CONFIG.
        with progress.standard_error_only_on_failure():  # it complains of addresses without a name
            dist.init_process_group("nccl" if gpu else "gloo", timeout=waiting)
        yield
        total(np.zeros(1))  # the last of them ends first
    except RuntimeError as error:
        if not _is_gone(error):
            raise
        time.sleep(SECONDS_TO_NOTICE)
        told = f"--engine workers: another is gone, or does not answer: {in_one_line(error)}"
        raise InputError(f"{told}; see what it said, and start all again") from None
    dist.destroy_process_group()


def _refuse_loopback() -> None:
    """Raise InputError where Gloo would tell other machines an address at which none but this one is found.

    It tells what this machine's name stands for. It would then wait five times as long as for an answer.
    """
    told = os.environ
    one_machine = told.get("LOCAL_WORLD_SIZE") == told.get("WORLD_SIZE") or told.get("MASTER_ADDR") in LOOPBACK
    if one_machine or "GLOO_SOCKET_IFNAME" in told:
        return
    name, address = socket.gethostname(), LOOPBACK[0]  # which it takes for a name that stands for none
    with contextlib.suppress(OSError):
        address = str(socket.getaddrinfo(name, None)[0][4][0])
    if ipaddress.ip_address(address).is_loopback:
        told_others = f"others are told that {name} is {address}, where they find only themselves"
        cure = "set GLOO_SOCKET_IFNAME to the network interface by which they reach it, such as eth0"
        raise InputError(f"--engine workers: {told_others}; {cure}")


def scope() -> AbstractContextManager[object]:
    """Within it the model and its optimizer are made."""
    # They are those of a single process: `parallel` wraps the model. Keras must know of the workers before.
    return contextlib.nullcontext()


def _is_gone(error: Exception) -> bool:
    """Whether this is how PyTorch says that another worker has ended, or does not answer."""
    # Gloo has no exception of its own for that, but its files are named.
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def settings() -> dict[str, str]:
    """What the framework reports: how many workers there are, and the backend by which they meet."""
    return {"workers": str(dist.get_world_size()), "backend": dist.get_backend()}


def total(values: np.ndarray) -> np.ndarray:
    """The sum of the arrays that all workers have. Each of them must call it."""
    summed = torch.from_numpy(values.copy()).to("cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(summed)
    return summed.cpu().numpy()


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: wrap the model, for which the first worker sends its weights."""
    parallel(model)


@functools.lru_cache(maxsize=1)
def parallel(model: MLP) -> DistributedDataParallel:
    """The model, whose gradients become the mean over all workers as soon as they are there."""
    return DistributedDataParallel(model)


def train_step(model: MLP, optimizer: Optimizer, inputs: Tensor, labels: Tensor, size: int) -> Tensor:
    """One update from a share, inputs (b, P) and labels (b,), of a batch of `size`. Returns its part of the loss."""
    # By the size of the whole batch: a mean over the share would be wrong where shares are unequal, and none where one
    # is empty.
    loss = F.cross_entropy(parallel(model)(inputs), labels, reduction="sum") / size
    optimizer.zero_grad()
    # DistributedDataParallel takes the mean over the workers; TensorFlow's all_reduce is asked for the sum.
    (loss * dist.get_world_size()).backward()
    # It clips and decays here, when all gradients are the batch's, and does the same in each worker.
    optimizer.step()
    return loss.detach()


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    worker, workers = dist.get_rank(), dist.get_world_size()
    losses = []
    for step, batch in enumerate(batches):
        session.before_step(step)
        index = torch.from_numpy(order.share(batch, worker, workers)).to(dataset.labels.device)
        inputs, labels = (tensor.index_select(0, index) for tensor in dataset)
        losses.append(train_step(model, optimizer, inputs, labels, len(batch)))
    return total(torch.stack(losses).cpu().numpy())  # once, and not in every step
