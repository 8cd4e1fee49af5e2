"""The process of one side: it reads requests, one JSON object a line, until there are no more.

The answer to each is a JSON object on a line of its own. What the user's file prints goes to standard error. A fault of
the user's file or data is told as one line, with the place in their file.
"""

import contextlib
import functools
import importlib.util
import inspect
import itertools
import json
import os
import re
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from shared.pairs.description import Description
from shared.pairs.protocol import (
    ALONE,
    GIVEN,
    Arrays,
    Carrying,
    Opening,
    Seen,
    Shapes,
    Side,
    StartAgainError,
    Subject,
    Wanted,
)
from shared.system import ending
from shared.system.errors import LONGEST, InputError, in_one_line
from shared.system.paths import ROOT

INPUTS, TARGETS = "inputs", "targets"
# What a user's file may define beside `model`, and how it is called.
FUNCTIONS = {
    "loss": "a function of outputs and targets",
    "optimizer": "a function that returns an optimizer",
    "prepare": "a function of the inputs",
    "scheduler": "a function of the optimizer",
    "after_backward": "a function of the model",
    "carry": "a function of PyTorch's tensors",
}
ORDER = "each side has its own framework alone: --pair takes the PyTorch file first, then the Keras file"
NO_GRADIENT = "nothing that is trained has a gradient; let the model compute the outputs, and the loss use them"
SMALLER = "memory is short: make the model smaller, or give a smaller --batch-size"


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
        with in_users_file(asked.file, self._given()):
            seen, again = (subject.evaluate(*self._batch(0)) for _ in range(2))
            trained, _ = subject.gradients(*self._batch(0))
            first = subject.values()
            subject.step(*self._batch(0))  # which clips, where it does
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
        save(asked.out, first)
        save(asked.inputs_out, self.inputs)
        return description.model_dump(mode="json")

    def run(self, asked: Wanted) -> dict[str, Any]:
        """Evaluate and train, and write what was seen."""
        try:
            return self._run(asked)
        except StartAgainError:
            return self._run(asked)

    def _run(self, asked: Wanted) -> dict[str, Any]:
        # Anew, for a file may count its calls, or keep what it has made.
        self.side.configure(self.asked.seed, self.asked.dtype)
        with in_users_file(self.asked.file):
            self.module = import_file(self.asked.file)
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
        with in_users_file(self.asked.file, self._given()):
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
        with in_users_file(self.asked.file, self._given()):
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
        _check_prepared(inputs, len(arrays[TARGETS]), asked.file)
        return {name: in_dtype(values, asked.dtype) for name, values in inputs.items()}, in_dtype(
            arrays[TARGETS], asked.dtype
        )

    def _given(self) -> str:
        """A batch, in words: where no line of the user's is to blame, a shape often is."""
        inputs, targets = self._batch(0)
        arrays = {**inputs, TARGETS: targets}
        return ", ".join(f"{name or INPUTS} {values.shape} {values.dtype}" for name, values in arrays.items())

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
    requests = os.dup(0)
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)  # so that a user's input() takes no request
    sys.dont_write_bytecode = True  # a user's folder stays as it is
    lines = iter(_lines(requests))
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
        except MemoryError:
            answer = {"bad input": SMALLER}
        except Exception as error:  # noqa: BLE001 the parent ends as for a fault of its own
            if isinstance(error, OSError) and error.errno in ending.CURES:
                answer = {"bad input": f"{error.strerror}; {ending.CURES[error.errno]}"}
            else:
                answer = {"fault": in_one_line(error), "traceback": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


def _lines(requests: int) -> Iterator[str]:
    """The requests. Where the parent is gone, the process ends, in whatever it is just then."""
    received: list[str] = []
    there = threading.Condition()

    def read() -> None:
        with open(requests, encoding="utf-8") as told:
            for line in told:
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
    folder = file.parent.resolve()
    for name, module in [*sys.modules.items()]:
        if is_theirs(getattr(module, "__file__", None) or "", folder):
            del sys.modules[name]
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    # A name that nothing else has: a file may be called json.py, or keras.py.
    spec = importlib.util.spec_from_file_location(f"pair_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: it is no Python file; give one whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not hasattr(module, "model"):
        raise InputError(f"{file}: it has no function model(); write one that returns the model")
    # A model can be called too, and then takes inputs.
    if not (isinstance(module.model, type | functools.partial) or inspect.isroutine(module.model)):
        told = f"model is {in_words(module.model)}, not a function"
        raise InputError(f"{file}: {told}; write a function model() that returns the model")
    for name, what in FUNCTIONS.items():
        if hasattr(module, name) and not callable(getattr(module, name)):
            told = f"{name} is {in_words(getattr(module, name))}, not {what}"
            raise InputError(f"{file}: {told}; write def {name}(…), or leave it out")
    if isinstance(getattr(module, "loss", None), type):
        raise InputError(f"{file}: loss is {in_words(module.loss)}; write loss = {module.loss.__name__}(…), one of it")
    return module


def is_theirs(filename: str, folder: Path) -> bool:
    """Whether code is the user's: in their file's folder, which may hold an environment, and this repository too."""
    path = Path(filename)
    installed = "site-packages" in path.parts or path.is_relative_to(sysconfig.get_path("stdlib"))
    ours = any(path.is_relative_to(ROOT / of) for of in ("shared", "pytorch_impl", "tensorflow_impl"))
    return path.is_relative_to(folder) and not installed and not ours


@contextlib.contextmanager
def in_users_file(file: Path, given: str = "") -> Iterator[None]:
    """Tell what is raised in the block as a fault of the user's file: the error, and their line it came from."""
    folder = file.parent.resolve()
    try:
        yield
    except (InputError, StartAgainError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        path = Path(error.filename or file)
        where = f"{path.name}, line {error.lineno}" if error.lineno else path.name
        raise InputError(f"{where}: SyntaxError: {error.msg}; mend it there") from None
    except BaseException as fault:  # noqa: BLE001 whatever a user's file raises is theirs to mend
        theirs = [frame for frame in traceback.extract_tb(fault.__traceback__) if is_theirs(frame.filename, folder)]
        where = f"{Path(theirs[-1].filename).relative_to(folder)}, line {theirs[-1].lineno}" if theirs else file.name
        words = f"it ended the program, {fault!r}" if isinstance(fault, SystemExit) else plain(fault)
        cure = "mend it there" if theirs else "mend the file, or the data"
        if isinstance(fault, ModuleNotFoundError):
            missing = (fault.name or "").partition(".")[0]
            beside = f"install {missing} for {sys.executable}, or put it beside the file"
            cure = ORDER if missing in {"torch", "keras", "tensorflow"} else beside
        elif isinstance(fault, MemoryError) or re.search("can't allocate|OOM when allocating|out of memory", words):
            cure = SMALLER
        shapes = f" (a batch: {given})" if given and not theirs else ""
        raise InputError(f"{where}: {words}{shapes}; {cure}") from None


def plain(fault: BaseException) -> str:
    """An error in one line, without what Keras adds to it: colours, where it was called, and with what."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(fault)).partition("Arguments received by")[0]
    text = re.sub(r"^\s*Exception encountered when calling .*?\(\)\.|\{\{function_node.*?\}\}", "", text)
    return " ".join(f"{type(fault).__name__}: {text}".split())[:LONGEST].removesuffix(":")


def in_words(value: object) -> str:
    """What a value is, for a reader who expected another."""
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


def not_finite(values: np.ndarray) -> int | None:
    """The first example that has a number that is not finite."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return None
    return int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))


def _check_prepared(inputs: Mapping[Any, Any], examples: int, file: Path) -> None:
    """Raise InputError unless these are arrays of numbers, with an entry for each example."""
    if not inputs:
        raise InputError(f"{file}: prepare made no input; return a NumPy array, or a dict of some by name")
    for name, values in inputs.items():
        of = f" of {name}" if name else ""
        cure = "return NumPy arrays of numbers, with as many examples as there are"
        if not isinstance(name, str):
            raise InputError(f"{file}: prepare made an input by the name of {name!r}; name inputs by text")
        if not isinstance(values, np.ndarray):
            raise InputError(f"{file}: prepare made {in_words(values)}{of}, not an array; {cure}")
        if values.ndim == 0 or len(values) != examples:
            made = f"{len(values):,}" if values.ndim else "a single number"
            raise InputError(f"{file}: prepare made {made} of the {examples:,} examples{of}; {cure}")
        if values.dtype.kind not in "fiub":
            raise InputError(f"{file}: prepare made an array of {values.dtype}{of}; {cure}")
        if (at := not_finite(values)) is not None:
            raise InputError(f"{file}: what prepare made of example {at:,}{of} is not finite; {cure}")


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


def named_outputs(outputs: Any, tensor: type, to_array: Callable[[Any], np.ndarray]) -> Arrays:
    """The tensors that a model returned, by key, field or number; alone, by the empty name."""
    if isinstance(outputs, tensor):
        return {ALONE: to_array(outputs)}
    if isinstance(outputs, Mapping):
        held = {**outputs}
    elif isinstance(outputs, tuple) and hasattr(outputs, "_asdict"):
        held = outputs._asdict()
    elif isinstance(outputs, tuple | list):
        held = dict(enumerate(outputs))
    else:  # a dataclass, or what is like one
        held = {} if callable(outputs) else getattr(outputs, "__dict__", {})
    return {
        f"{key}{f'/{name}' if name else ''}": array
        for key, value in held.items()
        if not str(key).startswith("_")
        for name, array in named_outputs(value, tensor, to_array).items()
    }


def check_outputs(outputs: Any, named: Arrays, module: ModuleType, cure: str) -> None:
    """Raise InputError where there are no tensors, or several or named ones, and no loss to choose; `cure` has it."""
    if not named:
        told = f"the model returned {in_words(outputs)}, in which there is no tensor"
        raise InputError(f"{module.__file__}: {told}; return one, or several in a tuple, a dict or a dataclass")
    if named.keys() != {ALONE} and not hasattr(module, "loss"):
        told = f"the model returns more than a tensor, {outputs_in_words(named)}, and no loss says what is trained"
        raise InputError(f"{module.__file__}: {told}; {cure}")


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
