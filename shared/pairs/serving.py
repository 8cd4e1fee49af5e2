"""The process of one side: it reads requests, one JSON object a line, until there are no more.

The answer to each is a JSON object on a line of its own. What the user's file prints goes to standard error. A fault of
the user's file or data is told as one line, with the place in their file.
"""

import contextlib
import importlib.util
import itertools
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from shared.pairs.description import Description
from shared.pairs.protocol import ALONE, GIVEN, Arrays, Carrying, Opening, Seen, Shapes, Side, Subject, Wanted
from shared.system.errors import InputError, in_one_line

INPUTS, TARGETS = "inputs", "targets"


class Served:
    """One side, with the file that was opened last."""

    def __init__(self, framework: str, side: Side) -> None:
        self.framework, self.side = framework, side

    def open(self, asked: Opening) -> dict[str, Any]:
        """Describe the model, and write its tensors."""
        self.asked = asked
        self.side.configure(asked.seed, asked.dtype)
        self.side.prepare()
        with in_users_file(asked.file):
            self.module = import_file(asked.file)
        self.inputs, self.targets = self._read(asked)
        self.batches = batches(len(self.targets), asked.batch_size, asked.steps, asked.seed)
        subject = self._make([])
        with in_users_file(asked.file):
            seen, again = (subject.evaluate(*self._batch(0)) for _ in range(2))
            trained, _ = subject.gradients(*self._batch(0))
        description = Description(
            framework=self.framework,
            tensors=subject.tensors(),
            layers=subject.layers(),
            calls=seen.calls,
            training_calls=trained.calls,
            losses=trained.losses,
            optimizer=subject.optimizer_facts(),
            dropout=subject.dropout(),
            random_in_evaluation=not all(
                np.array_equal(seen.outputs[name], again.outputs[name], equal_nan=True) for name in seen.outputs
            ),
            outputs=outputs_in_words(seen.outputs),
        )
        save(asked.out, subject.values())
        save(asked.inputs_out, self.inputs)
        return description.model_dump(mode="json")

    def run(self, asked: Wanted) -> dict[str, Any]:
        """Evaluate and train, and write what was seen."""
        taken = self._taken(asked)
        subject = self._make(asked.edits)
        weights = load(asked.weights)
        moved = np.random.default_rng(asked.perturbed)
        if asked.perturbed is not None:
            weights = {name: by_one_ulp(values, moved) for name, values in weights.items()}
        subject.assign(weights)

        def batch(number: int) -> tuple[Arrays, np.ndarray]:
            inputs, targets = self._batch(number, taken, reverse=asked.reversed)
            if asked.perturbed is not None:
                inputs = {name: by_one_ulp(values, moved) for name, values in inputs.items()}
            return inputs, targets

        arrays: Arrays = {f"given/{name}": values for name, values in batch(0)[0].items()}
        answer: dict[str, Any] = {}
        with in_users_file(self.asked.file):
            arrays |= named(subject.evaluate(*batch(0)), "evaluation")
            if asked.until != "evaluation":
                seen, gradients = subject.gradients(*batch(0))
                arrays |= named(seen, "training") | {f"gradient/{name}": g for name, g in gradients.items()}
            if asked.until == "training":
                steps = [
                    self._step(subject, batch(number), number, asked, arrays)
                    for number in range(asked.record_after[-1])
                ]
                losses, rates = zip(*steps, strict=True)
                arrays |= {"losses": np.array(losses), "rates": np.array(rates)}
        save(asked.out, arrays)
        return answer

    def _step(
        self, subject: Subject, batch: tuple[Arrays, np.ndarray], number: int, asked: Wanted, arrays: Arrays
    ) -> tuple[float, float]:
        told = subject.step(*batch)
        if number + 1 in asked.record_after:
            arrays |= {f"after/{number + 1}/{name}": values for name, values in subject.values().items()}
        return told

    def shapes(self, asked: Shapes) -> dict[str, Any]:
        """Of one example, as far as the model says."""
        self.side.configure(asked.seed, "float32")
        with in_users_file(asked.file):
            return self.side.shapes(import_file(asked.file))

    def carry(self, asked: Carrying) -> dict[str, Any]:
        """What the user's own `carry` makes; `has` is whether there is one."""
        with in_users_file(self.asked.file):
            made = self.side.carry(self.module, load(asked.weights))
        if made is not None:
            save(asked.out, made)
        return {"has": made is not None}

    def _make(self, edits: list[Any]) -> Subject:
        self.side.configure(self.asked.seed, self.asked.dtype)
        with in_users_file(self.asked.file):
            return self.side.make(self.module, self.asked.dtype, self._batch(0), edits)

    def _read(self, asked: Opening) -> tuple[Arrays, np.ndarray]:
        """The file's inputs, prepared, and its targets; floats in the run's dtype."""
        arrays = load(asked.data)
        inputs = {
            name.partition("/")[2] or ALONE: in_dtype(values, asked.dtype, whole=False)
            for name, values in arrays.items()
            if name != TARGETS
        }
        prepare = getattr(self.module, "prepare", None)
        if prepare:
            with in_users_file(asked.file):
                prepared = prepare(inputs[ALONE] if inputs.keys() == {ALONE} else inputs)
            inputs = prepared if isinstance(prepared, dict) else {ALONE: prepared}
        values: Any
        for name, values in inputs.items():
            if not isinstance(values, np.ndarray) or len(values) != len(arrays[TARGETS]):
                made = (
                    f"an array of {len(values)} examples" if isinstance(values, np.ndarray) else type(values).__name__
                )
                told = f"prepare made {made} of the {len(arrays[TARGETS])} examples{f' of {name}' if name else ''}"
                raise InputError(f"{asked.file}: {told}; return NumPy arrays, with as many examples as there are")
        return {name: in_dtype(values, asked.dtype) for name, values in inputs.items()}, in_dtype(
            arrays[TARGETS], asked.dtype
        )

    def _taken(self, asked: Wanted) -> Arrays:
        """The inputs of all examples: those of `prepare`, but for those that an edit takes from elsewhere."""
        axes: dict[str, Any] = {edit.place: edit.values["axes"] for edit in asked.edits if edit.what == GIVEN}
        if not axes or asked.given is None:
            return self.inputs
        others = load(asked.given)
        return self.inputs | {name: others[name].transpose(order) for name, order in axes.items()}

    def _batch(self, number: int, of: Arrays | None = None, *, reverse: bool = False) -> tuple[Arrays, np.ndarray]:
        index = self.batches[number][:: -1 if reverse else 1]
        return {name: values[index] for name, values in (of or self.inputs).items()}, self.targets[index]


def serve(framework: str, side: Side) -> int:
    """Answer requests until the parent closes the pipe or is gone."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that a user's print is no answer
    lines = iter(_lines())
    served = Served(framework, side)
    for line in lines:
        asked = json.loads(line)
        try:
            match asked["do"]:
                case "open":
                    answer = served.open(Opening.model_validate(asked))
                case "run":
                    answer = served.run(Wanted.model_validate(asked))
                case "shapes":
                    answer = served.shapes(Shapes.model_validate(asked))
                case _:
                    answer = served.carry(Carrying.model_validate(asked))
        except InputError as error:
            answer = {"bad input": str(error)}
        except Exception:  # noqa: BLE001 the parent ends as for a fault of its own
            answer = {"fault": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


def _lines() -> Iterator[str]:
    """The requests. Where the parent is gone, the process ends, in whatever it is just then."""
    received: list[str] = []
    there = threading.Condition()

    def read() -> None:
        with open(0, encoding="utf-8", closefd=False) as requests:
            for line in requests:
                with there:
                    received.append(line)
                    there.notify()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        with there:
            while not received:
                there.wait()
            line = received.pop(0)
        yield line


def import_file(file: Path) -> ModuleType:
    """A user's file as a module, imported anew, with its own folder's other modules. Raises what it raises."""
    folder = str(file.parent.resolve())
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(folder + os.sep):
            del sys.modules[name]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: it is no Python file; give one whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "model", None)):
        raise InputError(f"{file}: it has no function model(); write one that returns the model")
    return module


@contextlib.contextmanager
def in_users_file(file: Path) -> Iterator[None]:
    """Tell what is raised in the block as a fault of the user's file: the error, and their line it came from."""
    try:
        yield
    except InputError:
        raise
    except SyntaxError as error:
        where = f"{Path(error.filename or file).name}, line {error.lineno}"
        raise InputError(f"{where}: SyntaxError: {error.msg}; mend it there") from None
    except (Exception, SystemExit) as raised:  # noqa: BLE001 whatever a user's file raises is theirs to mend
        fault = raised if isinstance(raised, Exception) else RuntimeError(f"it ended the program, {raised!r}")
        theirs = [
            f for f in traceback.extract_tb(fault.__traceback__) if Path(f.filename).parent == file.parent.resolve()
        ]
        where = f"{Path(theirs[-1].filename).name}, line {theirs[-1].lineno}" if theirs else file.name
        missing = getattr(fault, "name", None) if isinstance(fault, ModuleNotFoundError) else None
        raise InputError(f"{where}: {in_one_line(fault)}; {MISSING.get(missing or '', 'mend it there')}") from None


# A file that was given on the other framework's side.
MISSING = {
    "torch": "--pair takes the PyTorch file first, then the Keras file",
    "keras": "--pair takes the PyTorch file first, then the Keras file",
    "tensorflow": "--pair takes the PyTorch file first, then the Keras file",
}


def batches(examples: int, size: int, steps: int, seed: int) -> list[np.ndarray]:
    """The examples of each step: a permutation of all, and then another, cut into batches of equal size."""
    draws = np.random.default_rng(seed)
    endless = itertools.chain.from_iterable(draws.permutation(examples) for _ in itertools.count())
    return [np.fromiter(itertools.islice(endless, size), np.int64, size) for _ in range(steps)]


def by_one_ulp(values: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Each float moved to its neighbour, up or down at random. Integers stay, and so do zeros, which are exact."""
    if not np.issubdtype(values.dtype, np.floating):
        return values
    towards = np.where(draws.integers(2, size=values.shape), np.inf, -np.inf).astype(values.dtype)
    return np.where(values == 0, values, np.nextafter(values, towards)).astype(values.dtype)


def in_dtype(values: np.ndarray, dtype: str, *, whole: bool = True) -> np.ndarray:
    """Floats in this dtype, and whole numbers as int64 unless told otherwise."""
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(dtype)
    return values.astype(np.int64) if whole and np.issubdtype(values.dtype, np.integer) else values


def named(seen: Seen, of: str) -> Arrays:
    """The arrays of a forward pass, by the names that the description of its calls gives them."""
    outputs = {f"output/{name}": values for name, values in seen.outputs.items()}
    return {f"{of}/{name}": values for name, values in (seen.arrays | outputs | {"loss": seen.loss}).items()}


def outputs_in_words(outputs: Arrays) -> str:
    """What a model returns."""
    told = [f"{name or 'a tensor'} {values.shape}" for name, values in outputs.items()]
    return ", ".join(told)


def save(path: Path, arrays: Arrays) -> None:
    """Write arrays. Names may hold slashes and anything else, which a zip's may not."""
    names = [*arrays]
    with path.open("wb") as file:
        numbered: Any = {f"a{i}": arrays[name] for i, name in enumerate(names)}
        np.savez(file, names=np.array(names, dtype=str), **numbered)


def load(path: Path) -> Arrays:
    """What `save` wrote."""
    with np.load(path) as file:
        return {str(name): file[f"a{i}"] for i, name in enumerate(file["names"])}
