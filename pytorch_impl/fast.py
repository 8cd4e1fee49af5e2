"""The compiled engine in PyTorch: the same training, with many steps compiled into one call, which later runs reuse."""

import functools
import hashlib
import itertools
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.optim import Optimizer

from pytorch_impl import train
from pytorch_impl.model import MLP
from shared.contract import Dataset, Session, check_fast
from shared.system import cache, progress
from shared.system.errors import InputError
from shared.system.machine import cpu_name, environment
from shared.training import Training

# Each more takes another second to compile, and beyond eight gains little.
STEPS = 8
PACKAGE = "steps.pt2"


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: compile, or load what an earlier run compiled.

    Raises InputError for any update but plain SGD's, the only one that is compiled, and where a CPU's steps are to be
    compiled and there is no C++ compiler.
    """
    check_fast(training, "PyTorch")
    if training.steps_per_epoch >= STEPS:
        many_steps(model, optimizer, dataset, training.batch_size)


@functools.lru_cache(maxsize=1)
def many_steps(
    model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor], batch_size: int
) -> Callable[[Tensor], Tensor]:
    """A function that takes one step per row of indices (STEPS, B), and returns the losses before each, (STEPS,)."""
    if not dataset.inputs.is_cpu:
        return _capture(model, optimizer, dataset, batch_size)

    def loss(parameters: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, parameters, inputs), labels)

    def steps(parameters: dict[str, Tensor], inputs: Tensor, labels: Tensor, batches: Tensor) -> Tensor:
        losses = []
        for index in batches:
            gradients, before = torch.func.grad_and_value(loss)(
                parameters, inputs.index_select(0, index), labels.index_select(0, index)
            )
            for name, parameter in parameters.items():
                parameter.sub_(gradients[name], alpha=optimizer.param_groups[0]["lr"])
            losses.append(before)
        return torch.stack(losses)

    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    batches = torch.zeros(STEPS, batch_size, dtype=torch.int64, device=dataset.labels.device)
    compiled = _compile(steps, (parameters, *dataset, batches))
    return lambda batches: compiled(parameters, *dataset, batches)


def _compile(function: Callable[..., Tensor], arguments: tuple[object, ...]) -> Callable[..., Tensor]:
    """`function`, compiled ahead of time for arguments like these."""
    with torch.no_grad():
        graph = make_fx(function, tracing_mode="fake")(*arguments)
        # Everything that the machine code depends on: compiler, machine, what is computed, and from what.
        inputs = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
        where = [cpu_name(), gpu, torch.get_num_threads(), environment()]
        setting = [torch.__version__, _compiler(), where, graph.code, inputs]

        def compile_ahead(folder: Path) -> None:
            progress.notice("PyTorch compiles, once: up to half a minute")
            with progress.standard_error_only_on_failure():
                program = torch.export.export(graph, arguments)
                package = torch._inductor.aoti_compile_and_package(program)
            shutil.copy(package, folder / PACKAGE)

        key = hashlib.sha256(repr(setting).encode()).hexdigest()
        package = cache.made("compiled", key, compile_ahead) / PACKAGE
    compiled: Callable[..., Tensor] = torch._inductor.aoti_load_package(str(package))
    return compiled


def _compiler() -> str:
    """The name and version of the C++ compiler that PyTorch takes. Raises InputError where there is none."""
    from torch._inductor import cpp_builder, exc  # takes two seconds

    try:
        command = shlex.split(cpp_builder.get_cpp_compiler())
    except exc.InvalidCxxCompiler:
        raise InputError("--engine fast: PyTorch needs a C++ compiler; install g++, or use --engine eager") from None
    told = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True, encoding="utf-8")
    return told.stdout.partition("\n")[0]


def _capture(model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor], batch_size: int) -> Callable[[Tensor], Tensor]:
    """The same on a GPU: the kernels of the readable step, launched together as a CUDA graph. It needs no compiler.

    As "Whole-network capture" in PyTorch's notes on CUDA has it.
    """
    batches = torch.zeros(STEPS, batch_size, dtype=torch.int64, device=dataset.labels.device)

    def steps() -> Tensor:
        examples = ((tensor.index_select(0, index) for tensor in dataset) for index in batches)
        return torch.stack([train.train_step(model, optimizer, *batch) for batch in examples])

    weights = [parameter.detach().clone() for parameter in model.parameters()]
    # Once for real before the capture, on a stream beside: what the libraries set up at first use can't be captured.
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        steps()
    torch.cuda.current_stream().wait_stream(beside)
    optimizer.zero_grad()  # the gradients are to live in the graph's own memory
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = steps()
    with torch.no_grad():
        for parameter, before in zip(model.parameters(), weights, strict=True):
            parameter.copy_(before)

    def replay(indices: Tensor) -> Tensor:
        batches.copy_(indices)
        graph.replay()
        return losses.clone()  # the next replay writes into the same place

    return replay


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    losses = []
    for start, stop in itertools.pairwise(session.stops):
        for step in range(start, stop, STEPS):
            session.before_step(step)
            group = batches[step : min(step + STEPS, stop)]
            losses.append(_train_group(model, optimizer, dataset, group).cpu())
    return torch.cat(losses).numpy()


def _train_group(model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor], group: Sequence[np.ndarray]) -> Tensor:
    """At most `STEPS` updates: by one compiled call, or one by one where they are fewer or not of one size."""
    size, device = len(group[0]), dataset.labels.device
    if len(group) == STEPS and len(group[-1]) == size:
        return many_steps(model, optimizer, dataset, size)(torch.from_numpy(np.stack(group)).to(device))
    indices = (torch.from_numpy(batch).to(device) for batch in group)
    examples = ((dataset.inputs.index_select(0, index), dataset.labels.index_select(0, index)) for index in indices)
    return torch.stack([train.train_step(model, optimizer, *batch) for batch in examples])
