"""One of several workers: started by the tests' launches, it takes the steps of many cases and keeps what came out.

`python -m tests.several_workers pytorch FOLDER` writes `FOLDER/NAME.safetensors` for each case, from the first worker,
with what one process computes beside it. `python -m tests.several_workers pytorch --fail WORKER HOW STEP OPTIONS…` is
the real program, in which one worker comes to harm.
"""

import dataclasses
import importlib
import os
import signal
import sys
import tempfile
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared.contract import FRAMEWORKS
from shared.execution import Execution
from shared.mnist import Examples
from shared.network import initial_weights
from shared.reference import data
from shared.running import runner
from shared.system import ending
from shared.system.files import save_tensors
from shared.training import Training
from shared.update_rules import UPDATE_RULES
from tests.small_runs import unwatched

HUNDRED_STEPS = {"epochs": 10, "batch_size": 6_000, "hidden_sizes": (32, 16), "dtype": "float64"}
ALL = {"weight_decay": 0.01, "clip_norm": 0.5, "schedule": "cosine"}
SIZES = {
    "short last": [64] * 99 + [17],
    "unequal": [64, 7, 5, 31] * 25,
    "empty": [1, 2] * 50,
}


OWN_WEIGHTS = "each worker its own weights"
FILLED_UP = "np.append(batch, batch[: -len(batch) % workers])"
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


def cases():
    """(name, training, sizes of the batches)."""
    plain = Training(**HUNDRED_STEPS)
    yield "sgd, 300 steps", plain, [64] * 300
    for name, sizes in SIZES.items():
        yield name, plain, sizes
    for optimizer in UPDATE_RULES:
        training = Training(optimizer=optimizer, **HUNDRED_STEPS, **ALL)
        yield f"{optimizer} with all", training, SIZES["short last"]


class World(NamedTuple):
    implementation: object
    device: object
    examples: Examples
    folder: Path
    worker: int


def take_steps(world, training, sizes, engine, own_weights=None):
    """The losses, weights and buffers of a new model, after steps by this engine."""
    implementation, device = world.implementation, world.device
    dataset = implementation.data.to_dataset(world.examples, training, device)
    scope = engine.scope() if hasattr(engine, "scope") else tempfile.TemporaryDirectory()  # any that does nothing
    with scope:
        model = implementation.model.build(training, own_weights or initial_weights(training), device)
        optimizer = implementation.optimizers.make_optimizer(training, model)
    steps = batches_of(sizes)
    engine.warm_up(training, model, optimizer, dataset)
    losses = engine.train_epoch(model, optimizer, dataset, steps, unwatched(steps))
    kept = implementation.optimizers.buffers(training, model, optimizer)
    return {"losses": losses} | implementation.model.weights(model) | kept


def batches_of(sizes):
    """Batches of these sizes, of the first 5,000 examples, over and over."""
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) % 5_000 for size, end in zip(sizes, ends, strict=True)]


def with_mistake(module, changes, folder):
    """An implementation's `workers.py` with a mistake in it."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = Path(folder) / "mistaken.py"
    path.write_text(text, encoding="utf-8")
    mistaken = types.ModuleType("mistaken")
    mistaken.__file__ = str(path)
    exec(compile(text, str(path), "exec"), vars(mistaken))  # noqa: S102 it is ours
    if hasattr(module, "strategy"):
        mistaken.strategy = module.strategy  # there is one in a process
    return mistaken


def run_cases(framework, folder):
    """Take the steps of all cases, and with three workers those of all mistakes."""
    implementation = importlib.import_module(f"{framework}_impl.__main__").load()
    device = implementation.runtime.configure(Execution(device="cpu"), "float64")
    engine = implementation.workers
    with engine.join(device):
        examples = Examples(*(array[:5_000] for array in data.read("test")))
        world = World(implementation, device, examples, Path(folder), int(os.environ["RANK"]))
        for name, training, sizes in cases():
            keep(world, name, training, sizes, engine)
        if engine.settings()["workers"] == "3":
            training = Training(optimizer="adam", **HUNDRED_STEPS, **ALL)
            for name in (name for name in MISTAKES if framework in MISTAKES[name]):
                with tempfile.TemporaryDirectory() as own:
                    mistaken = with_mistake(engine, MISTAKES[name][framework], own)
                    keep(world, name, training, SIZES["short last"], mistaken)


def keep(world, name, training, sizes, engine):
    """Write what the steps of a case leave, and what one process computes instead."""
    weights = initial_weights(training)
    if name == OWN_WEIGHTS and world.worker:
        weights = {key: values * 1.01 for key, values in weights.items()}
    found = take_steps(world, training, sizes, engine, weights)
    if world.worker == 0:
        alone = take_steps(world, training, sizes, world.implementation.train)
        kinds = {"found": found, "alone": alone}
        arrays = {f"{kind}/{key}": np.asarray(values) for kind in kinds for key, values in kinds[kind].items()}
        save_tensors(world.folder / f"{name}.safetensors", arrays)


def come_to_harm(framework, worker, how, step, options):
    """The real program; in one worker something happens before a step, counted from 0."""

    def load():
        implementation = importlib.import_module(f"{framework}_impl.__main__").load()
        workers = implementation.workers

        def train_epoch(model, optimizer, dataset, batches, session):
            def before_step(number):
                if number == int(step) and os.environ["RANK"] == worker:
                    cause(how)
                session.before_step(number)

            watched = types.SimpleNamespace(stops=session.stops, before_step=before_step)
            return workers.train_epoch(model, optimizer, dataset, batches, watched)

        return dataclasses.replace(
            implementation, workers=types.SimpleNamespace(**vars(workers) | {"train_epoch": train_epoch})
        )

    name = next(name for name in FRAMEWORKS if name.lower() == framework)
    ending.leave(runner.main(name, load, options))


def cause(how):
    if how == "raise":
        raise RuntimeError("something is wrong")
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how])


if __name__ == "__main__":
    if sys.argv[2] == "--fail":
        come_to_harm(sys.argv[1], *sys.argv[3:6], sys.argv[6:])
    else:
        run_cases(sys.argv[1], sys.argv[2])
        ending.leave(0)
