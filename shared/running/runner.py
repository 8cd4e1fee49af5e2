"""One run of one framework: the outline that every implementation follows, and its record."""

import contextlib
import functools
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from shared import cli, engines, metrics, random_numbers
from shared.mnist import Dataset, check_files, checked_checksum
from shared.network import initial_weights, load_weights
from shared.running import batches, footprint, record
from shared.running.clock import Clock
from shared.spec import Spec
from shared.system import ending, output, progress
from shared.system.errors import InputError, in_one_line
from shared.system.machine import environment

# What can be asked of weights that are not trained.
EVALUATED = {"evaluate", "weights", "hidden_sizes", "seed", "dtype", "device", "threads"}
# Every run rests on these, whatever its framework: the first weights, the order of the examples, the figures.
VERSIONS_OF_ALL = {"numpy": np.__version__, "python": platform.python_version()}


class Implementation(NamedTuple):
    """An implementation's modules."""

    runtime: Any
    data: Any
    model: Any
    optimizers: Any
    train: Any
    # The training as the framework's own tutorials would write it; the reference has none.
    stock: Any = None
    # `train`'s `warm_up` and `train_steps` once more, fast; the reference has none.
    fast: Any = None
    # What `--engine auto` takes.
    engine: Literal["eager", "fast"] = "eager"

    def run_by(self, engine: str) -> tuple[str, Any]:
        """The name of the engine that was asked for, and the module that runs the steps by it."""
        name = self.engine if engine == "auto" else engine
        return name, self.fast if name == "fast" else self.train


def main(
    framework: str, program: str, load: Callable[[], Implementation], arguments: Sequence[str] | None = None
) -> int:
    """Parse the command line, train, print what the tutorial prints, and write the record.

    `load` imports the implementation: after the command line has been checked, for the import takes seconds.
    Returns the exit status: 0, or 1 where the run ended with a loss or logit that is not finite.
    """
    parser = cli.make_parser(program, f"Train the MLP on MNIST in {framework}.", f"out/{framework.lower()}")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="start from these weights (.safetensors), not from the seed's"
    )
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="do not train: only print the accuracy of the weights; options of the training and --out are refused",
    )
    parser.add_argument(
        "--activations-until",
        default=0,
        type=cli.count_of("steps", at_least=0),
        metavar="STEP",
        help="keep what fc1 and fc2 compute at each step before this one (default: 0, at step 0 alone)",
    )

    def run() -> int:
        spec, options = cli.parse(parser, arguments)
        if options.evaluate:
            cli.take_only(parser, options, EVALUATED, doing="--evaluate", why="it does not train")
        if spec.mode == "stock":
            why = "its framework trains in its own way, and keeps no more than it prints"
            cli.take_only(parser, options, {*Spec.model_fields, "out"}, doing="--mode stock", why=why)
        engines.check(spec, framework)
        if not options.evaluate and not progress.has_parent():  # which has looked itself, for all its runs
            needed = functools.partial(footprint.memory_needed, framework=framework)
            footprint.refuse_what_does_not_fit(spec, needed)
        defaults = spec.defaults_of(framework)
        weights = load_weights(options.weights, spec) if options.weights else initial_weights(spec, defaults)
        check_files()
        if options.evaluate:
            return _evaluate(spec, framework, load, weights)
        if spec.mode == "stock":
            with output.fresh_folder(options.out) as folder:
                _train_stock(spec, framework, load, folder)
            return ending.OK
        needed_on_disk = footprint.disk_needed(spec, 1, activations_until=options.activations_until)
        with output.fresh_folder(options.out, needed=needed_on_disk) as folder:
            finite = _train(spec, framework, load, weights, options.activations_until, folder)
        if not progress.has_parent():
            progress.notice(f"Run record: {options.out}")
        if not finite:
            progress.notice(f"{program}: the run diverged: a loss or logit is not finite; lower --learning-rate")
        return ending.OK if finite else ending.FAILED

    def run_in_memory() -> int:
        with _one_line_where_memory_ends(framework):
            return run()

    return ending.exit_status(program, run_in_memory)


@contextlib.contextmanager
def _one_line_where_memory_ends(framework: str) -> Iterator[None]:
    """InputError instead of whatever the framework, if it is loaded by then, raises when memory runs out."""
    try:
        yield
    except Exception as error:
        runtime = sys.modules.get(f"{framework.lower()}_impl.runtime")
        if not _system_is_short_of_memory(error) and not (runtime and runtime.ran_out_of_memory(error)):
            raise
        said = f"{framework} ran out of memory: {in_one_line(error)}"
        raise InputError(f"{said}; lower --batch-size or --hidden-sizes, or end other programs") from None


def _system_is_short_of_memory(error: Exception) -> bool:
    """Whether Python or the system's loader says so; each framework has words of its own beside."""
    words = ("annot allocate memory", "failed to map segment")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _start(
    spec: Spec, framework: str, load: Callable[[], Implementation], clock: Clock
) -> tuple[Implementation, Any, record.Device]:
    """Import the framework and set it up for `spec`."""
    with clock("import"):
        try:
            implementation = load()
        except ModuleNotFoundError as error:
            raise InputError(
                f"{error.name} is not installed for {sys.executable}; "
                f"install it with: {sys.executable} -m pip install -r requirements/{framework.lower()}.txt"
            ) from None
        except Exception as error:
            if _system_is_short_of_memory(error):
                raise
            raise InputError(
                f"{framework} can't be imported: {in_one_line(error)}; mend what this names, or install anew with: "
                f"{sys.executable} -m pip install -r requirements/{framework.lower()}.txt"
            ) from None
    ending.raise_lost_interrupt()
    handle = implementation.runtime.configure(spec)
    return implementation, handle, implementation.runtime.describe(handle)


def _announce(framework: str, implementation: Implementation, device: record.Device) -> None:
    """When the turn has come, print the environment."""
    progress.wait_for_turn()
    versions = implementation.runtime.versions()
    print(f"{framework} {versions[next(iter(versions))]}")
    print(f"CUDA available: {device.cuda_available}")
    print(f"Device: {device.type} ({device.name})", flush=True)


def _evaluate(spec: Spec, framework: str, load: Callable[[], Implementation], weights: dict[str, np.ndarray]) -> int:
    implementation, handle, device = _start(spec, framework, load, Clock())
    _announce(framework, implementation, device)
    examples = implementation.data.read("test")
    model = implementation.model.build(spec, weights, handle)
    dataset = implementation.data.to_dataset(examples, spec, handle)
    logits = implementation.train.predict(model, dataset.inputs)
    print(f"Accuracy: {metrics.accuracy(logits, examples.labels):.2%}")
    return ending.OK if np.isfinite(logits).all() else ending.FAILED


def _train(
    spec: Spec,
    framework: str,
    load: Callable[[], Implementation],
    weights: dict[str, np.ndarray],
    activations_until: int,
    folder: Path,
) -> bool:
    """Train and write the record into `folder`. Returns whether every loss and logit is finite."""
    clock = Clock()
    implementation, handle, device = _start(spec, framework, load, clock)
    engine, engine_module = implementation.run_by(spec.engine)
    with clock("data"):
        (train_set, test_set), test_labels, checksums = _load(implementation, spec, handle)
    with clock("compile"):
        model = implementation.model.build(spec, weights, handle)
        optimizer = implementation.optimizers.make_optimizer(spec, model)
        engine_module.warm_up(spec, model, optimizer, train_set)
    _announce(framework, implementation, device)

    # Keras shuffles as thoroughly: with its default the order is another draw, and nothing else.
    draw = random_numbers.OTHER_ORDER if "order" in spec.defaults_of(framework) else random_numbers.ORDER
    observer = Observer(implementation, model, train_set, spec, activations_until)
    epochs, order_checksums, losses = [], [], []
    for epoch in range(spec.epochs):
        order = batches.epoch_order(spec.seed, epoch, draw)
        epoch_batches = batches.split(order, spec.batch_size)
        epoch_losses = []
        with progress.bar(len(epoch_batches), f"Epoch {epoch + 1}/{spec.epochs}") as advance:
            for stretch in observer.watch(epoch, epoch_batches):
                with clock("training"):
                    epoch_losses.append(engine_module.train_steps(model, optimizer, train_set, stretch, advance))
        with clock("evaluation"):
            logits = implementation.train.predict(model, test_set.inputs)
        losses.append(np.concatenate(epoch_losses))
        order_checksums.append(batches.checksum(order))
        epochs.append(_summary(losses[-1], epoch_batches, logits, test_labels))
        print(f"Epoch {epoch + 1}/{spec.epochs}, Loss: {epochs[-1].train_loss:.4f}", flush=True)
        progress.tell(epoch=epochs[-1].model_dump())
    print(f"Accuracy: {epochs[-1].test_accuracy:.2%}", flush=True)

    step_losses = np.concatenate(losses)
    arrays = observer.seen | {"step_losses": step_losses, "test_logits": logits}
    files = record.write_arrays(folder, implementation.model.weights(model), arrays)
    record.write_record(
        folder,
        record.RunRecord(
            schema_version=record.SCHEMA,
            framework=framework,
            spec=spec,
            device=device,
            versions={**implementation.runtime.versions(), **VERSIONS_OF_ALL},
            environment=environment(),
            settings={"engine": engine, **implementation.runtime.settings()},
            data_checksum=checksums,
            order_checksums=order_checksums,
            epochs=epochs,
            timing=dict(clock.seconds),
            files=files,
        ),
    )
    return bool(np.isfinite(step_losses).all() and np.isfinite(logits).all())


def _load(implementation: Implementation, spec: Spec, handle: Any) -> tuple[list[Dataset], np.ndarray, dict[str, str]]:
    """The training and the test set on the device, the labels of the latter, and the checksums of both."""
    checksums, datasets = {}, []
    for split in ("train", "test"):
        examples = implementation.data.read(split)
        checksums[split] = checked_checksum(split, examples)
        datasets.append(implementation.data.to_dataset(examples, spec, handle))
    return datasets, examples.labels, checksums  # the images are let go of


def _train_stock(spec: Spec, framework: str, load: Callable[[], Implementation], folder: Path) -> None:
    """Let the framework train in its own way, and write what it prints into `folder`."""
    clock = Clock()
    implementation, handle, device = _start(spec, framework, load, clock)
    if implementation.stock is None:
        raise InputError("--mode stock: the reference has no tutorial; use --mode matched")
    _announce(framework, implementation, device)
    losses: list[float] = []
    start, ends = time.perf_counter(), []

    def printed(loss: float) -> None:
        losses.append(loss)
        ends.append(time.perf_counter())
        print(f"Epoch {len(losses)}/{spec.epochs}, Loss: {loss:.4f}", flush=True)

    accuracy = implementation.stock.train(spec, handle, clock, printed)
    print(f"Accuracy: {accuracy:.2%}", flush=True)
    record.write_record(
        folder,
        record.StockRecord(
            schema_version=record.SCHEMA,
            framework=framework,
            spec=spec,
            device=device,
            versions={**implementation.runtime.versions(), **VERSIONS_OF_ALL},
            environment=environment(),
            printed_losses=losses,
            test_accuracy=accuracy,
            epoch_seconds=np.diff([start, *ends]).tolist(),
            timing=dict(clock.seconds),
        ),
    )


def _summary(
    losses: np.ndarray, epoch_batches: Sequence[np.ndarray], logits: np.ndarray, labels: np.ndarray
) -> record.Epoch:
    """An epoch's figures from its step losses and the test set's logits after it."""
    return record.Epoch(
        train_loss=metrics.mean_of_batch_means(losses),
        train_loss_per_example=metrics.mean_per_example(losses, [len(batch) for batch in epoch_batches]),
        test_loss=metrics.cross_entropy(logits, labels),
        test_accuracy=metrics.accuracy(logits, labels),
    )


class Observer:
    """Looks at a model between its steps, for the record. `seen` holds the arrays, by the record's names."""

    def __init__(
        self, implementation: Implementation, model: Any, train_set: Dataset, spec: Spec, activations_until: int
    ) -> None:
        self._implementation, self._model, self._train_set = implementation, model, train_set
        self._activations_until = activations_until
        self._weighed = record.weighed_steps(spec)
        self.seen: dict[str, np.ndarray] = {}

    def watch(self, epoch: int, epoch_batches: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Yield an epoch's batches in stretches, and look before each."""
        first = epoch * len(epoch_batches)
        steps = range(first, first + len(epoch_batches))
        stops = {step for step in steps if step in self._weighed or step < self._activations_until}
        for start, stop in pairwise(sorted({steps.start, steps.stop} | stops)):
            self._look(start, epoch_batches[start - first][: record.PROBED_EXAMPLES])
            yield epoch_batches[start - first : stop - first]

    def _look(self, step: int, batch: np.ndarray) -> None:
        found: dict[str, np.ndarray] = {}
        if step in self._weighed:
            weights = self._implementation.model.weights(self._model)
            found |= {f"weights/{name}": values for name, values in weights.items()}
        if step == 0 or step < self._activations_until:
            probed = self._implementation.train.probe(self._model, self._train_set, batch)
            found |= probed if step == 0 else {name: probed[name] for name in ("fc1", "fc2")}
        self.seen |= {f"at/{step}/{name}": values for name, values in found.items()}
