"""One run of one framework: the outline that every implementation follows, and its record."""

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared import batches, cli, metrics, output, progress, record
from shared.dataset import check_files, fingerprint
from shared.errors import InputError
from shared.spec import Spec
from shared.timing import Clock
from shared.weights import initial_weights, load_weights


class Implementation(NamedTuple):
    """An implementation's modules. `pytorch_impl`, `tensorflow_impl` and `shared.referee` show what each holds."""

    runtime: Any
    data: Any
    model: Any
    train: Any


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
    parser.add_argument("--evaluate", action="store_true", help="do not train: only print the accuracy of the weights")
    parser.add_argument(
        "--snapshots",
        default="",
        metavar="STEPS",
        help="steps, with commas between, whose weights, activations and gradients the record keeps as well",
    )

    def run() -> int:
        spec, options = cli.parse(parser, arguments)
        probed = _parse_snapshots(options.snapshots, spec)
        weights = load_weights(options.weights, spec) if options.weights else initial_weights(spec)
        check_files()
        if options.evaluate:
            return _evaluate(spec, framework, load, weights)
        with output.fresh_folder(options.out, marker=record.RUN_JSON) as folder:
            finite = _train(spec, framework, load, weights, probed, folder)
        if not progress.has_parent():
            progress.notice(f"Run record: {options.out}")
        if not finite:
            progress.notice(f"{program}: the run diverged: a loss or logit is not finite; lower --learning-rate")
        return cli.OK if finite else cli.FAILED

    return cli.exit_status(program, run)


def _parse_snapshots(text: str, spec: Spec) -> set[int]:
    try:
        steps = {int(word) for word in text.split(",")} if text else set()
    except ValueError:
        steps = {-1}
    if not all(0 <= step < spec.steps for step in steps):
        raise InputError(f"--snapshots {text}: give steps from 0 to {spec.steps - 1}, with commas between")
    return steps


def _start(
    spec: Spec, framework: str, load: Callable[[], Implementation], clock: Clock
) -> tuple[Implementation, Any, record.Device]:
    """Import the framework, set it up for `spec`, and print the environment."""
    with clock("import"):
        try:
            implementation = load()
        except ModuleNotFoundError as error:
            raise InputError(
                f"{error.name} is not installed for {sys.executable}; "
                f"install it with: {sys.executable} -m pip install -r requirements/{framework.lower()}.txt"
            ) from None
    handle = implementation.runtime.configure(spec)
    device = implementation.runtime.describe(handle)
    versions = implementation.runtime.versions()
    print(f"{framework} {versions[next(iter(versions))]}")
    print(f"CUDA available: {device.cuda_available}")
    print(f"Device: {device.type} ({device.name})", flush=True)
    return implementation, handle, device


def _evaluate(spec: Spec, framework: str, load: Callable[[], Implementation], weights: dict[str, np.ndarray]) -> int:
    implementation, handle, _ = _start(spec, framework, load, Clock())
    examples = implementation.data.read("test")
    model = implementation.model.build(spec, weights, handle)
    dataset = implementation.data.to_dataset(examples, spec, handle)
    logits = implementation.train.predict(model, dataset.inputs)
    print(f"Accuracy: {metrics.accuracy(logits, examples.labels):.2%}")
    return cli.OK if np.isfinite(logits).all() else cli.FAILED


def _train(
    spec: Spec,
    framework: str,
    load: Callable[[], Implementation],
    weights: dict[str, np.ndarray],
    probed: set[int],
    folder: Path,
) -> bool:
    """Train and write the record into `folder`. Returns whether every loss and logit is finite."""
    clock = Clock()
    implementation, handle, device = _start(spec, framework, load, clock)
    with clock("data"):
        examples = {split: implementation.data.read(split) for split in ("train", "test")}
        train_set, test_set = (implementation.data.to_dataset(e, spec, handle) for e in examples.values())
    with clock("compile"):
        model = implementation.model.build(spec, weights, handle)
        optimizer = implementation.train.make_optimizer(spec, model)
        implementation.train.warm_up(spec, model, optimizer)

    # The rungs of the ladder that every record holds: the start, one update, ten, an epoch.
    weighed = {0, 1, 10, spec.steps_per_epoch} | probed
    probed = {0} | probed
    arrays: dict[str, np.ndarray] = {}
    epochs, order_fingerprints, losses = [], [], []
    for epoch in range(spec.epochs):
        order = batches.epoch_order(spec.seed, epoch)
        epoch_batches = batches.split(order, spec.batch_size)
        first = epoch * spec.steps_per_epoch
        epoch_losses = []
        with progress.bar(len(epoch_batches), f"{framework} epoch {epoch + 1}/{spec.epochs}") as advance:
            for start, stop in _stretches(first, len(epoch_batches), weighed):
                if start in weighed:
                    state = implementation.model.weights(model)
                    arrays |= {f"at/{start}/weights/{name}": values for name, values in state.items()}
                if start in probed:
                    values = implementation.train.probe(
                        model, train_set, epoch_batches[start - first][: record.PROBED_EXAMPLES]
                    )
                    arrays |= {f"at/{start}/{name}": value for name, value in values.items()}
                with clock("training"):
                    stretch = epoch_batches[start - first : stop - first]
                    epoch_losses.append(implementation.train.train_steps(model, optimizer, train_set, stretch, advance))
        with clock("evaluation"):
            logits = implementation.train.predict(model, test_set.inputs)
        losses.append(np.concatenate(epoch_losses))
        order_fingerprints.append(batches.fingerprint(order))
        epochs.append(
            record.Epoch(
                train_loss=metrics.mean_of_batch_means(losses[-1]),
                train_loss_per_example=metrics.mean_per_example(losses[-1], [len(b) for b in epoch_batches]),
                test_loss=metrics.cross_entropy(logits, examples["test"].labels),
                test_accuracy=metrics.accuracy(logits, examples["test"].labels),
            )
        )
        print(f"Epoch {epoch + 1}/{spec.epochs}, Loss: {epochs[-1].train_loss:.4f}", flush=True)
    print(f"Accuracy: {epochs[-1].test_accuracy:.2%}", flush=True)

    arrays |= {"step_losses": np.concatenate(losses), "test_logits": logits}
    files = record.write_arrays(folder, implementation.model.weights(model), arrays)
    record.write_record(
        folder,
        record.RunRecord(
            schema_version=record.SCHEMA,
            framework=framework,
            spec=spec,
            device=device,
            versions=implementation.runtime.versions(),
            settings=implementation.runtime.settings(),
            data_fingerprint={split: fingerprint(e) for split, e in examples.items()},
            order_fingerprints=order_fingerprints,
            epochs=epochs,
            timing=dict(clock.seconds),
            files=files,
        ),
    )
    return bool(np.isfinite(arrays["step_losses"]).all() and np.isfinite(logits).all())


def _stretches(first: int, count: int, stops: set[int]) -> list[tuple[int, int]]:
    """Steps `first` to `first + count` cut at each of `stops`, as (start, stop) pairs."""
    cuts = sorted({first, first + count} | {stop for stop in stops if first < stop < first + count})
    return list(pairwise(cuts))
