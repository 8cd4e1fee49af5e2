"""One run of one implementation, and its record: what `python -m pytorch_impl` and its like do."""

import argparse
import contextlib
import datetime
import functools
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, cast

import numpy as np

from shared import cli, metrics, random_numbers
from shared.configuration import FIELDS, Configuration
from shared.contract import (
    IMPLEMENTATIONS,
    Dataset,
    Device,
    DeviceFacts,
    Engine,
    Entry,
    Implementation,
    Model,
    Optimizer,
    Tensor,
    Workers,
    check_engine,
)
from shared.mnist import MNIST, Examples, Split, check_examples, check_files, checksum
from shared.network import Weights, initial_weights
from shared.running import exports, footprint, group, record, session
from shared.running.clock import Clock
from shared.running.place import Place, place_of
from shared.running.weights_file import load_weights
from shared.system import checkout, ending, output, progress, trace
from shared.system.errors import InputError, in_one_line
from shared.system.language import join, say
from shared.system.machine import environment
from shared.update_rules import UPDATE_RULES

# The options that `--evaluate` takes.
EVALUATED = {"evaluate", "weights", "hidden_sizes", "activation", "seed", "dtype", "device", "threads"}
# Every run depends on these, whatever its framework: for the initial weights, the order of the examples, the figures.
VERSIONS_OF_ALL = {"numpy": np.__version__, "python": platform.python_version()}
Load = Callable[[], Implementation[Device, Tensor, Model, Optimizer]]
# The one word of a command line by which a child of compare.py makes run after run, as it is told on standard input.
ORDERS = "--orders"
Made = TypeVar("Made")


class Once:
    """What a process that makes many runs makes once for all that need the same: the last of each kind."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, object]] = {}

    def __call__(self, kind: str, made_for: object, make: Callable[[], Made]) -> Made:
        """What was made of this kind, if it was made for an equal `made_for`; else it is made."""
        if kind not in self._kept or self._kept[kind][0] != made_for:
            self._kept.pop(kind, None)  # first, for both may not fit into memory
            self._kept[kind] = made_for, make()
        return cast("Made", self._kept[kind][1])


def main(name: str, load: Load[Device, Tensor, Model, Optimizer], arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train, print what the tutorial prints, and write the record.

    `load` imports the implementation called `name`. It is called after the command line has been checked, because the
    import takes seconds. Returns the exit status: 0, or 1 where a loss or logit is not finite.
    """
    entry, once = IMPLEMENTATIONS[name], Once()
    words = sys.argv[1:] if arguments is None else arguments
    ordered = list(words) == [ORDERS] and progress.has_parent()

    def run(words: Sequence[str]) -> int:
        parser = make_parser(entry)
        configuration, options = cli.parse(parser, words)
        if options.evaluate:
            cli.take_only(parser, options, EVALUATED, doing="--evaluate", why="it does not train")
        if configuration.training.mode == "stock":
            why = "its framework trains in its own way, and keeps no more than it prints"
            cli.take_only(parser, options, {*FIELDS, "out"}, doing="--mode stock", why=why)
        check_engine(configuration, name)
        place = _take_place(configuration, entry)
        configuration = configuration.but(workers=place.workers)
        if not options.evaluate and not progress.has_parent():  # compare.py has checked it for all its runs
            footprint.refuse_what_does_not_fit(configuration, functools.partial(footprint.memory_needed, name=name))
        weights = _weights(configuration, name, options.weights)
        check_files()
        command = [*sys.orig_argv[:-1], *words] if ordered else sys.orig_argv
        start = functools.partial(_start, configuration, entry, load, command, once, place)
        if options.evaluate:
            return _evaluate(start(), weights)
        if configuration.training.mode == "stock":
            with output.fresh_folder(options.out) as folder:
                _train_stock(start(), folder)
            return ending.OK
        if not place.is_first:
            _train_beside(start(), weights)
            return ending.OK
        on_disk = footprint.disk_needed(configuration.training, options.checkpoints)
        with output.fresh_folder(options.out, needed=on_disk) as folder:
            finite = _train(start(), weights, options, folder)
        _say_where(options.out, finite=finite, program=entry.module)
        return ending.OK if finite else ending.FAILED

    def run_in_memory() -> int:
        with _one_line_where_memory_ends(entry):
            while ordered:
                progress.tell(ended={"status": run(progress.next_order()), "line": ""})
            return run(words)

    return ending.exit_status(entry.module, run_in_memory)


def make_parser(entry: Entry) -> cli.Parser:
    """The configuration's options, and what one run alone can do."""
    told = say(
        "Train a small network, an MLP, on the images of {data} in {framework}, and leave a record of the run.",
        data=MNIST.name,
        framework=entry.name,
    )
    parser = cli.make_parser(entry.module, told, f"out/{entry.key}")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help=say("start from these weights (.safetensors), not from the seed's")
    )
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help=say("do not train: only print the accuracy of the weights; options of the training and --out are refused"),
    )
    parser.add_argument(
        "--checkpoints",
        nargs="?",
        const=record.CHECKPOINT_STEPS,
        type=cli.count_of("steps", at_least=record.FEWEST_CHECKPOINT_STEPS),
        metavar="STEPS",
        help=say(
            "keep the weights, and what the optimizer keeps, every so many steps, so that every step can be verified "
            "(default where the option is given: {steps})",
            steps=record.CHECKPOINT_STEPS,
        ),
    )
    return parser


def _take_place(configuration: Configuration, entry: Entry) -> Place:
    """The place of this process among the workers, as which it then behaves: the first alone speaks."""
    place = place_of(configuration, entry)
    if configuration.execution.engine == "workers":
        progress.follow_launcher()
    if not place.is_first:
        progress.be_silent()
    return place


def _weights(configuration: Configuration, name: str, file: Path | None) -> dict[str, np.ndarray]:
    training = configuration.training
    return load_weights(file, training) if file else initial_weights(training, training.defaults_of(name))


def _say_where(out: Path, *, finite: bool, program: str) -> None:
    if not progress.has_parent():
        progress.notice(say("Run record: {out}", out=out))
    if not finite:
        progress.notice(join(": ", (program, say("a loss or logit is not finite; lower --learning-rate"))))


@contextlib.contextmanager
def _one_line_where_memory_ends(entry: Entry) -> Iterator[None]:
    """Raise InputError, one line, instead of what Python or the framework raises when memory runs out."""
    try:
        yield
    except Exception as error:
        runtime = sys.modules.get(f"{entry.module}.runtime")
        if not _system_is_short_of_memory(error) and not (runtime and runtime.ran_out_of_memory(error)):
            raise
        said = f"{entry.name} ran out of memory: {in_one_line(error)}"
        raise InputError(f"{said}; lower --batch-size or --hidden-sizes, or end other programs") from None


def _system_is_short_of_memory(error: Exception) -> bool:
    """Whether Python or the system's loader says that memory is short. Each framework has its own words for it too."""
    words = ("annot allocate memory", "failed to map segment")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


class Started(NamedTuple, Generic[Device, Tensor, Model, Optimizer]):
    """An implementation, imported and set up for a configuration."""

    configuration: Configuration
    entry: Entry
    implementation: Implementation[Device, Tensor, Model, Optimizer]
    device: Device
    facts: DeviceFacts
    clock: Clock
    place: Place
    began: datetime.datetime
    commit: str | None  # of the code that it is
    command: Sequence[str]
    once: Once

    @property
    def engine(self) -> str:
        """What takes the steps."""
        chosen = self.configuration.execution.engine
        return self.entry.auto if chosen == "auto" else chosen

    @property
    def data_made_for(self) -> tuple[str, ...]:
        """What the tensors of the data set depend on."""
        return self.configuration.training.dtype, str(self.device)

    @property
    def draw(self) -> int:
        """What the order of the examples is drawn for."""
        # Keras shuffles as thoroughly as PyTorch: with its default the order is only another draw.
        other = "order" in self.configuration.training.defaults_of(self.entry.name)
        return random_numbers.OTHER_ORDER if other else random_numbers.ORDER

    @property
    def workers(self) -> Workers[Device, Model, Optimizer, Tensor] | None:
        """The same, where several processes take them together."""
        return self.implementation.workers if self.engine == "workers" else None

    def settings(self) -> dict[str, str]:
        """The engine, and the switches as the framework reports them."""
        of_workers = self.workers.settings() if self.workers else {}
        return {"engine": self.engine, **of_workers, **self.implementation.runtime.settings()}

    def announce(self) -> None:
        """Wait for this run's turn, and print the environment."""
        with trace.span("waiting for its turn"):
            progress.wait_for_turn()
        version = next(iter(self.implementation.runtime.versions().values()))
        progress.say(f"{self.entry.name} {version}")
        progress.say(f"CUDA available: {self.facts.cuda_available}")
        progress.say(f"Device: {self.facts.type} ({self.facts.name})")

    def read(self, split: Split) -> tuple[Examples, Dataset[Tensor]]:
        """A split, and the same on the device."""
        examples = self.implementation.data.read(split)
        return examples, self.implementation.data.to_dataset(examples, self.configuration.training, self.device)

    def about(self) -> record.About:
        """What every record says of its run."""
        return record.About(
            schema_version=record.SCHEMA,
            framework=self.entry.name,
            training=self.configuration.training,
            execution=self.configuration.execution,
            device=self.facts,
            versions={**self.implementation.runtime.versions(), **VERSIONS_OF_ALL},
            environment=environment(),
            timing=dict(self.clock.seconds),
            provenance=self._provenance(),
        )

    def _provenance(self) -> record.Provenance:
        # A name can hold bytes that are no text, and JSON holds text alone.
        command = shlex.join(self.command).encode(errors="backslashreplace").decode()
        ended = datetime.datetime.now(datetime.UTC)
        return record.Provenance(
            command=command, started=self.began, ended=ended, commit=self.commit, system=platform.platform()
        )

    def export(self, folder: Path, curves: exports.Curves) -> None:
        """Write what other programs open of the run."""
        with self.clock("record"):
            exports.write(folder, curves, _install(self.entry))


def _start(
    configuration: Configuration,
    entry: Entry,
    load: Load[Device, Tensor, Model, Optimizer],
    command: Sequence[str],
    once: Once,
    place: Place,
) -> Started[Device, Tensor, Model, Optimizer]:
    """Import the framework and set it up."""
    clock, began = Clock(), datetime.datetime.now(datetime.UTC)
    commit = once("commit", None, checkout.commit)
    with clock("import"):
        try:
            implementation = load()
        except ModuleNotFoundError as error:
            told = f"{error.name} is not installed for {sys.executable}"
            raise InputError(f"{told}; install it with: {_install(entry)}") from None
        except Exception as error:
            if _system_is_short_of_memory(error):
                raise
            told = f"{entry.name} can't be imported: {in_one_line(error)}"
            raise InputError(f"{told}; mend what this names, or install anew with: {_install(entry)}") from None
    ending.raise_lost_interrupt()
    device = implementation.runtime.configure(configuration.execution, configuration.training.dtype)
    facts = implementation.runtime.describe(device)
    return Started(configuration, entry, implementation, device, facts, clock, place, began, commit, command, once)


def _install(entry: Entry) -> str:
    """The command that installs what an implementation needs."""
    return f"{sys.executable} -m pip install -r {entry.requirements}"


def _evaluate(started: Started[Device, Tensor, Model, Optimizer], weights: Weights) -> int:
    started.announce()
    implementation = started.implementation
    examples, dataset = started.read("test")
    model = implementation.model.build(started.configuration.training, weights, started.device)
    logits = implementation.train.predict(model, dataset.inputs)
    progress.say(f"Accuracy: {metrics.accuracy(logits, examples.labels):.2%}")
    return ending.OK if np.isfinite(logits).all() else ending.FAILED


class Ready(NamedTuple, Generic[Model, Optimizer, Tensor]):
    """What is trained, by which engine, and on what."""

    model: Model
    optimizer: Optimizer
    engine: Engine[Model, Optimizer, Tensor]
    datasets: tuple[Dataset[Tensor], Dataset[Tensor]]
    test_labels: np.ndarray


def _make_ready(
    started: Started[Device, Tensor, Model, Optimizer], weights: Weights
) -> Ready[Model, Optimizer, Tensor]:
    """All that is needed before the first step."""
    implementation, training, clock = started.implementation, started.configuration.training, started.clock
    engine = implementation.engine(started.engine)
    with clock("data"):
        datasets, test_labels = started.once("data", started.data_made_for, lambda: _load(started))

    def make() -> Ready[Model, Optimizer, Tensor]:
        with started.workers.scope() if started.workers else contextlib.nullcontext():
            model = implementation.model.build(training, weights, started.device)
            optimizer = implementation.optimizers.make_optimizer(training, model)
        engine.warm_up(training, model, optimizer, datasets[0])
        return Ready(model, optimizer, engine, datasets, test_labels)

    with clock("compile"):
        if UPDATE_RULES[training.optimizer].buffers or training.schedule != "constant":
            return make()  # an optimizer that remembers earlier steps can't begin again
        # What is compiled for a model serves its next run, from other weights.
        ready = started.once("model", (training.model_copy(update={"seed": 0}), started.engine), make)
        implementation.model.set_weights(ready.model, weights)
    return ready


def _train(
    started: Started[Device, Tensor, Model, Optimizer], weights: Weights, options: argparse.Namespace, folder: Path
) -> bool:
    """Train and write the record into `folder`. Returns whether every loss and logit is finite."""
    with _joined(started, weights) as compare:
        implementation, training = started.implementation, started.configuration.training
        model, optimizer, engine, datasets, test_labels = _make_ready(started, weights)
        started.announce()

        recording = session.RecordedSession(
            training,
            session.Model(
                weights=lambda: implementation.model.weights(model),
                buffers=lambda: implementation.optimizers.buffers(training, model, optimizer),
                probe=lambda batch: implementation.train.probe(model, datasets[0], batch),
            ),
            test_labels,
            checkpoint_steps=options.checkpoints,
            draw=started.draw,
            clock=started.clock,
        )
        with recording:
            implementation.train.train(model, optimizer, datasets, recording, engine.train_epoch)
        final = implementation.model.weights(model)
        compare(final)
        progress.say(f"Accuracy: {recording.summaries[-1].test_accuracy:.2%}")

        def checksums() -> dict[str, str]:
            return {
                split: checksum(*implementation.data.to_arrays(dataset))
                for split, dataset in zip(("train", "test"), datasets, strict=True)
            }

        with started.clock("record"):
            # Of the tensors that the run has used, wherever they are, and not of what they were made from.
            data_checksum = started.once("checksums", started.data_made_for, checksums)
        files = record.write_arrays(folder, final, recording.arrays)
        started.export(folder, recording.curves)
        made = record.RunRecord(
            **dict(started.about()),
            settings=started.settings(),
            data_checksum=data_checksum,
            order_checksums=recording.order_checksums,
            checkpoint_steps=options.checkpoints,
            epochs=recording.summaries,
            files=files,
        )
        record.write_record(folder, made)
    return all(bool(np.isfinite(recording.arrays[name]).all()) for name in ("step_losses", "test_logits"))


def _train_beside(started: Started[Device, Tensor, Model, Optimizer], weights: Weights) -> None:
    """Take the same steps as the first worker, which prints and writes the record."""
    with _joined(started, weights) as compare:
        model, optimizer, engine, datasets, _ = _make_ready(started, weights)
        unrecorded = session.Session(started.configuration.training, started.draw)
        started.implementation.train.train(model, optimizer, datasets, unrecorded, engine.train_epoch)
        compare(started.implementation.model.weights(model))


@contextlib.contextmanager
def _joined(started: Started[Device, Tensor, Model, Optimizer], weights: Weights) -> Iterator[group.Compare]:
    """Be with the other workers while the block lasts, if the run has workers."""
    if started.workers is None:
        yield lambda _: None
        return
    training = started.configuration.training
    with group.joined(started.workers, started.device, started.place, training, weights) as compare:
        yield compare


def _load(
    started: Started[Device, Tensor, Model, Optimizer],
) -> tuple[tuple[Dataset[Tensor], Dataset[Tensor]], np.ndarray]:
    """The training and the test set on the device, and the test set's labels."""
    examples, train_set = started.read("train")
    check_examples("train", examples)
    examples, test_set = started.read("test")  # this frees the training images
    check_examples("test", examples)
    return (train_set, test_set), examples.labels


def _train_stock(started: Started[Device, Tensor, Model, Optimizer], folder: Path) -> None:
    """Let the framework train as its tutorials do, and write what it prints into `folder`."""
    training, stock = started.configuration.training, started.implementation.stock
    if stock is None:
        raise InputError(f"--mode stock: {started.entry.called} has no tutorial; use --mode matched")
    started.announce()
    losses: list[float] = []
    start, start_time, ends = time.perf_counter(), time.time(), []

    def printed(loss: float) -> None:
        losses.append(loss)
        ends.append(time.perf_counter())
        progress.say(f"Epoch {len(losses)}/{training.epochs}, Loss: {loss:.4f}")

    accuracy = stock.train(training, started.device, started.clock, printed)
    progress.say(f"Accuracy: {accuracy:.2%}")
    seconds = np.diff([start, *ends]).tolist()
    figures: list[dict[str, float]] = [{exports.EPOCH_LOSS: loss} for loss in losses]
    figures[-1][exports.TEST_ACCURACY] = accuracy
    started.export(folder, exports.Curves(figures, [start_time + end - start for end in ends]))
    made = record.StockRecord(
        **dict(started.about()), printed_losses=losses, test_accuracy=accuracy, epoch_seconds=seconds
    )
    record.write_record(folder, made)
