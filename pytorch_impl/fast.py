"""The same training in PyTorch, fast: many steps compiled into one call, and kept for the next run."""

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
from torch.fx.experimental.proxy_tensor import make_fx

from pytorch_impl import train
from pytorch_impl.model import MLP
from shared import engines
from shared.mnist import Dataset
from shared.spec import Spec
from shared.system import cache, progress
from shared.system.errors import InputError
from shared.system.machine import cpu_name, environment

# Each more is compiled for another second, and beyond eight gains little.
STEPS = 8
PACKAGE = "steps.pt2"


def warm_up(spec: Spec, model: MLP, optimizer: torch.optim.Optimizer, dataset: Dataset) -> None:
    """Do ahead of the first step what would otherwise slow it: compile, or load what an earlier run compiled.

    Raises InputError for any update but plain SGD's, the only one that is compiled, and where there is no C++ compiler.
    """
    engines.check_plain_sgd(spec)
    if spec.steps_per_epoch >= STEPS:
        many_steps(model, optimizer, dataset, spec.batch_size)


@functools.lru_cache(maxsize=1)
def many_steps(
    model: MLP, optimizer: torch.optim.Optimizer, dataset: Dataset, batch_size: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function that takes one step per row of indices (STEPS, B), and returns the losses before each, (STEPS,)."""

    def loss(parameters: dict[str, torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(torch.func.functional_call(model, parameters, inputs), labels)

    def steps(
        parameters: dict[str, torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor, batches: torch.Tensor
    ) -> torch.Tensor:
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


def _compile(function: Callable[..., torch.Tensor], arguments: tuple[object, ...]) -> Callable[..., torch.Tensor]:
    """`function`, compiled ahead of time for arguments like these."""
    with torch.no_grad():
        graph = make_fx(function, tracing_mode="fake")(*arguments)
        # All that the machine code depends on: what is computed, from what, by which compiler, where.
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
    compiled: Callable[..., torch.Tensor] = torch._inductor.aoti_load_package(str(package))
    return compiled


def _compiler() -> str:
    """How the C++ compiler that PyTorch takes names itself and its version. Raises InputError where there is none."""
    from torch._inductor import cpp_builder, exc  # takes two seconds

    try:
        command = shlex.split(cpp_builder.get_cpp_compiler())
    except exc.InvalidCxxCompiler:
        raise InputError("--engine fast: PyTorch needs a C++ compiler; install g++, or use --engine eager") from None
    told = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True, encoding="utf-8")
    return told.stdout.partition("\n")[0]


def train_steps(
    model: MLP,
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    batches: Sequence[np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    """One update per batch of indices; `advance` is told of each. Returns the losses, (steps,)."""
    losses = []
    for size, same_size in itertools.groupby(batches, key=len):
        group = list(same_size)
        compiled_for = len(group) - len(group) % STEPS
        for start in range(0, compiled_for, STEPS):
            index = torch.from_numpy(np.stack(group[start : start + STEPS])).to(dataset.labels.device)
            losses.append(many_steps(model, optimizer, dataset, size)(index))
            advance(STEPS)
        if compiled_for < len(group):
            rest = train.train_steps(model, optimizer, dataset, group[compiled_for:], advance)
            losses.append(torch.from_numpy(rest))
    return torch.cat([values.cpu() for values in losses]).numpy()
