"""The compiled engine in PyTorch: the same training, compiled ahead of time, once: later runs reuse it.

Of plain SGD many whole steps are one call. Of every other update the gradients are, and the optimizer itself follows.
"""

import functools
import hashlib
import itertools
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.optim import Optimizer

from pytorch_impl import train
from pytorch_impl.model import MLP
from shared.contract import Dataset, Session
from shared.system import cache, progress
from shared.system.errors import InputError
from shared.system.language import say
from shared.system.machine import cpu_name, environment
from shared.training import Training

# Each more takes another second to compile, and beyond eight gains little.
STEPS = 8
PACKAGE = "steps.pt2"
INDUCTORS_CACHE = "TORCHINDUCTOR_CACHE_DIR"  # an environment variable: where PyTorch's compiler keeps what it made


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: compile, or load what an earlier run compiled.

    Raises InputError on a GPU for any update but plain SGD's, and on a CPU where there is no C++ compiler.
    """
    if _is_plain_sgd(training):
        if training.steps_per_epoch >= STEPS:
            many_steps(model, optimizer, dataset, training.batch_size)
    elif dataset.inputs.is_cpu:
        compiled_gradients(model, dataset, training.batch_size)
    else:
        told = "--engine fast: on a GPU PyTorch's takes steps of plain SGD only"
        raise InputError(f"{told}; use --engine auto or eager")


def _is_plain_sgd(training: Training) -> bool:
    """Whether an update subtracts rate × gradient, always at the same rate: the only update that is compiled.

    Every other one stays a call of PyTorch's own optimizer, whose fused kernels and hooks are not traced.
    """
    return all(
        getattr(training, field) == getattr(Training(), field)
        for field in ("optimizer", "schedule", "weight_decay", "clip_norm")
    )


@functools.lru_cache(maxsize=1)
def many_steps(
    model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor], batch_size: int
) -> Callable[[Tensor], Tensor]:
    """A function that takes one step per row of indices (STEPS, B), and returns the losses before each, (STEPS,)."""
    if not dataset.inputs.is_cpu:
        return _capture(model, optimizer, dataset, batch_size)

    def steps(parameters: dict[str, Tensor], inputs: Tensor, labels: Tensor, batches: Tensor) -> Tensor:
        losses = []
        for index in batches:
            found, before = _gradients_and_loss(model, parameters, inputs, labels, index)
            for name, parameter in parameters.items():
                parameter.sub_(found[name], alpha=optimizer.param_groups[0]["lr"])
            losses.append(before)
        return torch.stack(losses)

    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    batches = torch.zeros(STEPS, batch_size, dtype=torch.int64, device=dataset.labels.device)
    compiled = _compile(steps, (parameters, *dataset, batches))
    return lambda batches: compiled(parameters, *dataset, batches)


@functools.lru_cache(maxsize=1)
def compiled_gradients(model: MLP, dataset: Dataset[Tensor], batch_size: int) -> Callable[[Tensor], Tensor]:
    """A function that leaves each parameter its gradient on a batch of indices (B,), and returns the loss, ()."""

    def one(
        parameters: dict[str, Tensor], inputs: Tensor, labels: Tensor, index: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        return _gradients_and_loss(model, parameters, inputs, labels, index)

    named = dict(model.named_parameters())
    detached = {name: parameter.detach() for name, parameter in named.items()}
    batch = torch.zeros(batch_size, dtype=torch.int64, device=dataset.labels.device)
    compiled = _compile(one, (detached, *dataset, batch))

    def leave(index: Tensor) -> Tensor:
        found, loss = compiled(detached, *dataset, index)
        for name, parameter in named.items():
            parameter.grad = found[name]
        return loss

    return leave


def _gradients_and_loss(
    model: MLP, parameters: dict[str, Tensor], inputs: Tensor, labels: Tensor, index: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Of the mean loss on a batch of indices (B,)."""

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        logits = torch.func.functional_call(model, parameters, inputs.index_select(0, index))
        return F.cross_entropy(logits, labels.index_select(0, index))

    found, before = torch.func.grad_and_value(loss)(parameters)
    return found, before


def _compile(function: Callable[..., Any], arguments: tuple[object, ...]) -> Callable[..., Any]:
    """`function`, compiled ahead of time for arguments like these."""
    with torch.no_grad():
        graph = make_fx(function, tracing_mode="fake")(*arguments)
        # Everything that the machine code depends on: compiler, machine, what is computed, and from what.
        inputs = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
        where = [torch.__version__, _compiler(), cpu_name(), torch.get_num_threads(), environment()]
        _find_vector_instructions(where)
        setting = [*where, graph.code, inputs]

        def compile_ahead(folder: Path) -> None:
            progress.notice(say("PyTorch compiles, once: up to half a minute"))
            with progress.standard_error_only_on_failure():
                program = torch.export.export(graph, arguments)
                package = torch._inductor.aoti_compile_and_package(program)
            shutil.copy(package, folder / PACKAGE)

        key = hashlib.sha256(repr(setting).encode()).hexdigest()
        package = cache.made("compiled", key, compile_ahead) / PACKAGE
    compiled: Callable[..., Any] = torch._inductor.aoti_load_package(str(package))
    return compiled


def _find_vector_instructions(setting: Sequence[object]) -> None:
    """Let PyTorch find out which of the CPU's vector instructions its compiler knows; it then remembers that.

    It compiles up to six small programs for that, whenever it compiles or loads: seconds. So they are kept.
    """
    from torch._inductor import cpu_vec_isa

    before = os.environ.get(INDUCTORS_CACHE)

    def find(folder: Path) -> None:
        os.environ[INDUCTORS_CACHE] = str(folder)
        cpu_vec_isa.valid_vec_isa_list()

    try:
        find(cache.made("compiled", hashlib.sha256(repr(setting).encode()).hexdigest(), find))
    finally:
        os.environ.pop(INDUCTORS_CACHE)
        if before is not None:
            os.environ[INDUCTORS_CACHE] = before


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
    plain, size = _is_plain_sgd(session.training), len(batches[0])
    for start, stop in itertools.pairwise(session.stops):
        for step in range(start, stop, STEPS):
            session.before_step(step)
            group = batches[step : min(step + STEPS, stop)]
            losses.append(_train_group(model, optimizer, dataset, group, size, plain=plain).cpu())
    return torch.cat(losses).numpy()


def _train_group(
    model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor], group: Sequence[np.ndarray], size: int, *, plain: bool
) -> Tensor:
    """At most `STEPS` updates. Returns the losses before each.

    What is compiled is for batches of one size, and of plain SGD for `STEPS` of them: else a step is an eager one.
    """
    indices = [torch.from_numpy(batch).to(dataset.labels.device) for batch in group]
    if plain and len(group) == STEPS and len(group[-1]) == size:
        return many_steps(model, optimizer, dataset, size)(torch.stack(indices))
    losses = []
    for index in indices:
        if plain or len(index) != size:
            batch = (tensor.index_select(0, index) for tensor in dataset)
            losses.append(train.train_step(model, optimizer, *batch))
        else:
            losses.append(compiled_gradients(model, dataset, size)(index))
            optimizer.step()
    return torch.stack(losses)
