"""One of several workers: takes the steps of many cases, and keeps what came out beside what one process computes.

A launcher starts `python -m benchmarks.workers_steps pytorch FOLDER`: each case, and with three workers each mistake of
distributed training, is `FOLDER/NAME.safetensors`, from the first worker. `--long` takes 300 steps of the default
network by each optimizer instead, without mistakes. `--planted NAME OPTIONS…` is the real program with a mistake in it,
and `--cost ENGINE THREADS BATCH SIZES…` prints as JSON what the steps of a network take.
"""

import dataclasses
import importlib
import json
import os
import resource
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from shared.contract import FRAMEWORKS, Dataset, Implementation
from shared.execution import Execution
from shared.mnist import Examples
from shared.network import Weights, initial_weights, perturb
from shared.reference import data
from shared.running import runner
from shared.running.batches import epoch_order, share, split
from shared.system import ending
from shared.system.files import save_tensors
from shared.training import Training
from shared.update_rules import UPDATE_RULES

ALL: dict[str, Any] = {"weight_decay": 0.01, "clip_norm": 0.5, "schedule": "cosine", "dtype": "float64"}
SMALL: dict[str, Any] = {"epochs": 10, "batch_size": 6_000, "hidden_sizes": (32, 16), "dtype": "float64"}
LONG: dict[str, Any] = {"epochs": 30, "batch_size": 6_000, "dtype": "float64"}  # 300 steps
EXAMPLES = 5_000
SIZES = {
    "short last": [64] * 99 + [17],
    "unequal": [64, 7, 5, 31] * 25,
    "empty": [1, 2] * 50,
}

OWN_WEIGHTS = "each worker its own weights"
FILLED_UP = "np.append(batch, batch[: -len(batch) % workers])"
CUT = "batch[: len(batch) // workers * workers]"
ONE_SHARE = "evaluation of one share"  # in the runner, and so of the real program
# With three workers: in each framework the change of its `workers.py`, one text for another, that makes the mistake.
MISTAKES: dict[str, dict[str, dict[str, str]]] = {
    "a mean over each share": {
        "pytorch": {
            "(loss * dist.get_world_size())": "(loss * size / max(len(labels), 1))",
        },
        "tensorflow": {
            "gradients = tape.gradient(loss, model.trainable_variables)": "gradients = [gradient * size / tf.cast("
            "3 * tf.maximum(tf.shape(labels)[0], 1), size.dtype) for gradient in "
            "tape.gradient(loss, model.trainable_variables)]",
        },
    },
    "a mean of the workers' gradients": {
        "pytorch": {"(loss * dist.get_world_size())": "loss"},
        "tensorflow": {'.all_reduce("SUM", gradients)': '.all_reduce("MEAN", gradients)'},
    },
    "clipped before the sum": {
        "pytorch": {
            "parallel(model)(inputs)": "model(inputs)",
            "(loss * dist.get_world_size()).backward()": "loss.backward()\n"
            "    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n"
            "    for parameter in model.parameters():\n"
            "        dist.all_reduce(parameter.grad)",
        },
        "tensorflow": {
            '.all_reduce("SUM", gradients)': '.all_reduce("SUM", tf.clip_by_global_norm(gradients, 0.5)[0])',
        },
    },
    "no sum at all: each its own gradients": {
        "pytorch": {"parallel(model)(inputs)": "model(inputs)"},
        "tensorflow": {
            'tf.distribute.get_replica_context().all_reduce("SUM", gradients)': "[3.0 * each for each in gradients]",
        },
    },
    "a share twice": {
        framework: {"order.share(batch, worker, workers)": "order.share(batch, max(worker, 1), workers)"}
        for framework in ("pytorch", "tensorflow")
    },
    "a batch filled up to equal shares": {
        "pytorch": {
            "order.share(batch, worker, workers)": f"order.share({FILLED_UP}, worker, workers)",
            "labels, len(batch))": f"labels, len({FILLED_UP}))",
        },
        "tensorflow": {
            "order.share(batch, worker, workers)": f"order.share({FILLED_UP}, worker, workers)",
            "tf.constant(len(batch)": f"tf.constant(len({FILLED_UP})",
        },
    },
    "what does not divide left out": {
        "pytorch": {
            "order.share(batch, worker, workers)": f"order.share({CUT}, worker, workers)",
            "labels, len(batch))": f"labels, max(len({CUT}), 1))",
        },
        "tensorflow": {
            "order.share(batch, worker, workers)": f"order.share({CUT}, worker, workers)",
            "tf.constant(len(batch)": f"tf.constant(max(len({CUT}), 1)",
        },
    },
    "a worker with another order of examples": {
        framework: {
            "order.share(batch, worker, workers)": "order.share((batch + 977 * worker) % 5000, worker, workers)"
        }
        for framework in ("pytorch", "tensorflow")
    },
    "`apply` inside `run`": {
        "tensorflow": {
            "    optimizer.apply(gradients, model.trainable_variables)\n    return loss\n": "    return loss\n",
            'return loss, tf.distribute.get_replica_context().all_reduce("SUM", gradients)': "optimizer.apply("
            "gradients, model.trainable_variables)\n        return loss, gradients",
        },
    },
    "the loss of one worker": {
        "pytorch": {"total(torch.stack(losses).cpu().numpy())": "torch.stack(losses).cpu().numpy()"},
        "tensorflow": {"total(tf.stack(losses).numpy())": "tf.stack(losses).numpy()"},
    },
    OWN_WEIGHTS: {
        "pytorch": {"DistributedDataParallel(model)": "DistributedDataParallel(model, init_sync=False)"},
        "tensorflow": {},  # Keras sends the first worker's only when a variable is made
    },
}


class Case(NamedTuple):
    """What is trained: the sizes of the batches are those of the steps."""

    name: str
    training: Training
    sizes: Sequence[int]


def cases() -> Iterator[Case]:
    """Those of the tests: each optimizer, and each kind of share."""
    plain = Training(**SMALL)
    yield Case("sgd, 300 steps", plain, [64] * 300)
    for name, sizes in SIZES.items():
        yield Case(name, plain, sizes)
    for optimizer in UPDATE_RULES:
        yield Case(f"{optimizer} with all", Training(optimizer=optimizer, **SMALL | ALL), SIZES["short last"])


def long_cases() -> Iterator[Case]:
    """The default network, 300 steps; a third of the batches are divided by no number of workers that is tried."""
    for optimizer in UPDATE_RULES:
        yield Case(optimizer, Training(optimizer=optimizer, **LONG | ALL), [64, 64, 17] * 100)


class World(NamedTuple):
    """What all cases have in common."""

    implementation: Any
    device: Any
    examples: Examples
    folder: Path
    worker: int


def take_steps(world: World, case: Case, engine: Any, weights: Weights) -> Weights:
    """The losses, weights, buffers and logits of a new model, after steps by this engine."""
    implementation, training = world.implementation, case.training
    dataset = implementation.data.to_dataset(world.examples, training, world.device)
    with engine.scope() if hasattr(engine, "scope") else nullcontext():
        model = implementation.model.build(training, weights, world.device)
        optimizer = implementation.optimizers.make_optimizer(training, model)
    ends = np.cumsum(case.sizes)
    batches = [np.arange(end - size, end) % EXAMPLES for size, end in zip(case.sizes, ends, strict=True)]
    session = SimpleNamespace(stops=(0, len(batches)), before_step=lambda _step: None)
    engine.warm_up(training, model, optimizer, dataset)
    losses = engine.train_epoch(model, optimizer, dataset, batches, session)
    return {
        "losses": losses,
        "logits": implementation.train.predict(model, dataset.inputs),
        **implementation.model.weights(model),
        **implementation.optimizers.buffers(training, model, optimizer),
    }


def with_mistake(module: Any, changes: Mapping[str, str], folder: str) -> Any:
    """An implementation's `workers.py` with a mistake in it."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    for old, new in changes.items():
        if text.count(old) != 1:
            raise ValueError(f"{module.__file__} must have it once: {old}")
        text = text.replace(old, new)
    path = Path(folder) / "mistaken.py"
    path.write_text(text, encoding="utf-8")
    mistaken: Any = types.ModuleType("mistaken")
    mistaken.__file__ = str(path)
    exec(compile(text, str(path), "exec"), vars(mistaken))  # noqa: S102 it is ours
    if hasattr(module, "strategy"):
        mistaken.strategy = module.strategy  # there is one in a process
    return mistaken


def run_cases(framework: str, folder: Path, *, long: bool, mistakes: bool) -> None:
    """Take the steps of the `long` cases or of the tests', and of all `mistakes`."""
    implementation = importlib.import_module(f"{framework}_impl.__main__").load()
    device = implementation.runtime.configure(Execution(device="cpu"), "float64")
    engine = implementation.workers
    with engine.join(device):
        examples = Examples(*(array[:EXAMPLES] for array in data.read("test")))
        world = World(implementation, device, examples, folder, int(os.environ["RANK"]))
        for case in long_cases() if long else cases():
            keep(world, case, engine, moved=long)
        training = Training(optimizer="adam", **SMALL | ALL)
        for name in (name for name in MISTAKES if mistakes and framework in MISTAKES[name]):
            with tempfile.TemporaryDirectory() as own:
                mistaken = with_mistake(engine, MISTAKES[name][framework], own)
                keep(world, Case(name, training, SIZES["short last"]), mistaken)


def keep(world: World, case: Case, engine: Any, *, moved: bool = False) -> None:
    """Write what the steps of a case leave, and what one process computes instead.

    With `moved`, also what that computes from weights that are one unit in the last place off.
    """
    weights = initial_weights(case.training)
    if case.name == OWN_WEIGHTS and world.worker:
        weights = {key: values * 1.01 for key, values in weights.items()}
    found = take_steps(world, case, engine, weights)
    if world.worker == 0:
        alone = take_steps(world, case, world.implementation.train, weights)
        kinds = {"found": found, "alone": alone}
        if moved:
            kinds["moved"] = take_steps(world, case, world.implementation.train, perturb(weights))
        arrays = {f"{kind}/{key}": np.asarray(values) for kind in kinds for key, values in kinds[kind].items()}
        save_tensors(world.folder / f"{case.name}.safetensors", arrays)


class Apart(NamedTuple):
    """How far a case's workers lie from one process at most; a loss above 1 in shares of itself."""

    losses: float
    weights: float  # and what the optimizer keeps
    logits: float


def apart(arrays: Weights, which: str = "found") -> Apart:
    """Of the arrays of a file that `keep` has written: how far `which` of them lie from those of one process."""
    kinds = [name.removeprefix("alone/") for name in arrays if name.startswith("alone/")]
    off = {kind: np.abs(arrays[f"{which}/{kind}"] - arrays[f"alone/{kind}"]) for kind in kinds}
    losses, logits = off.pop("losses") / np.maximum(arrays["alone/losses"], 1), off.pop("logits")
    return Apart(float(losses.max()), max(float(values.max()) for values in off.values()), float(logits.max()))


def run_planted(framework: str, name: str, options: Sequence[str]) -> int:
    """The real program with a mistake in it. Returns its status."""

    def load() -> Implementation[Any, Any, Any, Any]:
        implementation: Implementation[Any, Any, Any, Any] = importlib.import_module(
            f"{framework}_impl.__main__"
        ).load()
        if name == ONE_SHARE:
            return implementation
        workers = with_mistake(implementation.workers, MISTAKES[name][framework], tempfile.mkdtemp())
        return dataclasses.replace(implementation, workers=workers)

    whole = runner._load

    def one_share(started: Any) -> tuple[tuple[Dataset[Any], Dataset[Any]], np.ndarray]:
        (train_set, test_set), labels = whole(started)
        own = share(np.arange(len(labels)), started.place.worker, started.place.workers)
        first, end = own[0], own[-1] + 1
        return (train_set, Dataset(*(tensor[first:end] for tensor in test_set))), labels[first:end]

    if name == ONE_SHARE:
        runner._load = one_share
    return runner.main(next(known for known in FRAMEWORKS if known.lower() == framework), load, options)


def cost(framework: str, engine_name: str, threads: int, batch: int, sizes: tuple[int, ...]) -> None:
    """Print what a step takes, of the engine `eager` or `workers`, and what the process holds at its peak."""
    implementation = importlib.import_module(f"{framework}_impl.__main__").load()
    device = implementation.runtime.configure(Execution(device="cpu", threads=threads), "float32")
    engine = implementation.engine(engine_name)
    training = Training(hidden_sizes=sizes, batch_size=batch)
    with engine.join(device) if engine_name == "workers" else nullcontext():
        dataset = implementation.data.to_dataset(implementation.data.read("train"), training, device)
        with engine.scope() if engine_name == "workers" else nullcontext():
            model = implementation.model.build(training, initial_weights(training), device)
            optimizer = implementation.optimizers.make_optimizer(training, model)
        batches = split(epoch_order(0, 0), batch)[: 20 if max(sizes) > 1000 else 600]  # noqa: PLR2004 seconds in all
        session = SimpleNamespace(stops=(0, len(batches)), before_step=lambda _step: None)
        engine.warm_up(training, model, optimizer, dataset)
        engine.train_epoch(model, optimizer, dataset, batches[:3], session)
        start = time.perf_counter(), time.process_time(), _bytes_of_the_loopback()
        engine.train_epoch(model, optimizer, dataset, batches, session)
        end = time.perf_counter(), time.process_time(), _bytes_of_the_loopback()
    took = [(after - before) / len(batches) for before, after in zip(start, end, strict=True)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"wall": took[0], "cpu": took[1], "bytes": took[2], "peak": peak}), flush=True)


def _bytes_of_the_loopback() -> int:
    lines = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")


if __name__ == "__main__":
    of, where, *more = sys.argv[1:]
    if where == "--cost":
        cost(of, more[0], int(more[1]), int(more[2]), tuple(map(int, more[3:])))
    elif where == "--planted":
        ending.leave(run_planted(of, more[0], more[1:]))
    else:
        run_cases(of, Path(where), long=more == ["--long"], mistakes=not more and os.environ["WORLD_SIZE"] == "3")
    ending.leave(ending.OK)
