"""Loss logs that any program wrote, CSV or JSON, and how precise their losses are.

Accepted are, in any case of letters and with other columns beside them:

- CSV with a header, cells separated by commas, semicolons or tabs;
- JSON: a list of numbers, a list of objects with a loss each, an object of lists, or TensorBoard's export.

`LOSSES` and `STEPS` are what the columns may be called. Where there are no steps, they count from 0.
"""

import csv
import io
import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.system import files
from shared.system.errors import InputError

LOSSES = ("loss", "train_loss", "value")  # TensorBoard's export calls it Value
EPOCH = "epoch"
STEPS = ("step", "global_step", "iteration", EPOCH)  # an epoch is extra where a step stands beside it
FORMS = (
    "a loss log is a .csv file with a header, or a .json file with a list of numbers, a list of objects or an object "
    f"of lists; its losses are called {', '.join(LOSSES)}, its steps {', '.join(STEPS)}, else they count from 0; "
    "other columns are ignored"
)
# What Python's float() reads, without underscores and digits of other alphabets. A digit can match in one place only:
# otherwise the time for a long row of digits would grow with its square.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
TENSORBOARD = ("Wall time", "Step", "Value")  # the names in its CSV export; its JSON export leaves them out
LARGEST = 1e100  # far beyond any float32; and the difference of two such numbers is still finite
LARGEST_STEP = 2**53  # up to here every whole number is exact as a float


@dataclass(frozen=True)
class Series:
    """A column of a log beside the loss, at the steps of its own."""

    name: str  # as the file has it
    steps: np.ndarray  # (N,) int64, strictly increasing, N > 0
    values: np.ndarray  # (N,) float64; NaN and infinities as they were logged
    resolution: np.ndarray  # (N,) float64: how far a value can have been from what is written; NaN where not finite


@dataclass(frozen=True)
class LossLog:
    """The losses of one run, by step, and what was logged beside them."""

    steps: np.ndarray  # (N,) int64, strictly increasing, N > 0
    losses: np.ndarray  # (N,) float64; NaN and infinities as they were logged
    resolution: np.ndarray  # (N,) float64: how far the loss can have been from what is written; NaN where not finite
    counts: str | None  # what the steps count, "step" or "epoch"; None where the file does not say
    precision: str  # where the resolution comes from, in words
    form: str = ""  # the format that was recognised, in words
    taken: str | None = None  # what a loss is of: "batch", "running mean" or "epoch"; None where the file does not say
    # By what they mean, so that those of two files meet: val_loss, accuracy, val_accuracy, learning_rate; else by their
    # name in lower case.
    series: Mapping[str, Series] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what was assumed in reading it, a sentence each


@dataclass(frozen=True)
class _Table:
    """A file as it was read. A column is a list of JSON values, every number as its text."""

    names: list[str]
    column: Callable[[int], list[Any]]  # by index; all at once would take too much memory where there are many names
    places: list[str]  # of each row, to name in an error

    def find(self, path: Path, accepted: Sequence[str]) -> int | None:
        """The index of the column with an accepted name; None without one. Raises InputError where several have one."""
        found = [index for index, name in enumerate(self.names) if name.strip().lower() in accepted]
        if len(found) > 1:
            names = " and ".join(reprlib.repr(self.names[index]) for index in found)
            raise InputError(f"{path}: {names} could both be the {accepted[0]}; keep one, or rename the other")
        return found[0] if found else None


def read_log(path: Path) -> LossLog:
    """Read a .csv or .json file. Raises InputError, one line with the place, the value and the cure."""
    try:
        text = files.read_utf8(path)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: {files.why(error)}; give a file that you may read, with one run's losses") from None
    if not text.strip():
        raise InputError(f"{path} is empty; give a log with at least one loss")
    table = _csv_table(path, text) if path.suffix.lower() == ".csv" else _json_table(path, text)

    loss_column = table.find(path, LOSSES)
    if loss_column is None:
        found = reprlib.repr(table.names)[1:-1] or "none"
        raise InputError(f"{path} has no column called {' or '.join(LOSSES)}, but {found}; rename the one with losses")
    step_column = table.find(path, STEPS[:-1])
    epochs = step_column is None
    if step_column is None:
        step_column = table.find(path, (EPOCH,))
    cells = table.column(loss_column)
    if not cells:
        raise InputError(f"{path} holds no losses; give a log with at least one")
    step_cells = None if step_column is None else table.column(step_column)
    if step_column is not None and step_cells is not None and len(step_cells) != len(cells):
        sizes = [
            f"{len(c)} {reprlib.repr(table.names[i])}" for i, c in ((step_column, step_cells), (loss_column, cells))
        ]
        raise InputError(f"{path} has {' and '.join(sizes)}; give each loss its {table.names[step_column]}")

    # Columns beside these may be longer.
    texts = [_number(path, place, "loss", cell) for place, cell in zip(table.places, cells, strict=False)]
    losses, resolution, precision = _as_the_run_had(texts)
    if step_cells is None:
        return LossLog(np.arange(len(losses)), losses, resolution, None, precision)
    steps = _steps(path, table.places, step_cells)
    # TensorBoard calls everything a step: Keras's callback counts epochs there.
    unsaid = table.names[loss_column].strip().lower() == "value"
    return LossLog(steps, losses, resolution, None if unsaid else EPOCH if epochs else "step", precision)


def _csv_table(path: Path, text: str) -> _Table:
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}; write it as plain CSV") from None
    if not rows:
        raise InputError(f"{path} has only empty cells; give a log with at least one loss")
    (line, header), *rows = rows
    if any(NUMBER.fullmatch(cell.strip()) for cell in header):
        shown = reprlib.repr(",".join(header))
        raise InputError(f"{path}: line {line}: {shown} is no header; put one above it, for example step,loss")
    for line, row in rows:
        if len(row) != len(header):
            cure = "complete it or remove it"
            raise InputError(f"{path}: line {line} has {len(row)} cells and the header {len(header)}; {cure}")
    return _Table(header, lambda index: [row[index] for _, row in rows], [f"line {line}" for line, _ in rows])


def _json_table(path: Path, text: str) -> _Table:
    try:
        # Numbers stay texts, because the number of digits says how precise they are.
        content = json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        cure = "write it with a JSON library, whole"
        raise InputError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; {cure}") from None
    except KeyError as error:
        raise InputError(f"{path}: an object has {reprlib.repr(error.args[0])} twice; keep one") from None
    except RecursionError:
        raise InputError(f"{path}: lists within lists within lists; {FORMS}") from None
    if isinstance(content, dict) and any(isinstance(values, list) for values in content.values()):
        lists = {name: values for name, values in content.items() if isinstance(values, list)}
        places = [f"entry {index}" for index in range(max(map(len, lists.values())))]
        return _Table(list(lists), list(lists.values()).__getitem__, places)
    if not isinstance(content, list):
        raise InputError(f"{path} holds {reprlib.repr(content)} and no list; {FORMS}")
    places = [f"entry {index}" for index in range(len(content))]
    if content and all(isinstance(entry, list) and len(entry) == len(TENSORBOARD) for entry in content):
        return _Table(list(TENSORBOARD), lambda index: [entry[index] for entry in content], places)
    if not any(isinstance(entry, dict) for entry in content):
        return _Table([LOSSES[0]], [content].__getitem__, places)
    for place, entry in zip(places, content, strict=True):
        if not isinstance(entry, dict):
            cure = "make every entry an object, or every entry a number"
            raise InputError(f"{path}: {place} is {reprlib.repr(entry)} among objects; {cure}")
    names = list(dict.fromkeys(name for entry in content for name in entry))
    return _Table(names, lambda index: [entry.get(names[index]) for entry in content], places)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises KeyError for a name that comes twice: JSON libraries would keep one of the two."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise KeyError(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return found


def _number(path: Path, place: str, what: str, cell: object) -> str:
    """The text of a number. Raises InputError where the cell is no number, or one too large to be compared."""
    if cell is None or cell == "":
        raise InputError(f"{path}: {place} has no {what}; write a number such as 0.25, or nan where there was none")
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell.strip()):
        shown = reprlib.repr(cell)
        raise InputError(f"{path}: {place}: {what} {shown} is not a number; write it as 0.25, 1e-3 or nan")
    if LARGEST < abs(float(cell)) < float("inf"):
        raise InputError(f"{path}: {place}: {what} {cell} is beyond {LARGEST:g}; write inf where it overflowed")
    return cell.strip()


def _steps(path: Path, places: Sequence[str], cells: Sequence[object]) -> np.ndarray:
    steps: list[int] = []
    for place, cell in zip(places, cells, strict=False):
        step = float(_number(path, place, "step", cell))
        if not (abs(step) <= LARGEST_STEP and step.is_integer()):
            raise InputError(f"{path}: {place}: step {cell} is not a whole number; number the steps 0, 1, 2, …")
        if steps and step <= steps[-1]:
            again = "comes twice" if step == steps[-1] else f"comes after step {steps[-1]}"
            cure = "keep the log of one run, its steps in ascending order"
            raise InputError(f"{path}: {place}: step {int(step)} {again}; {cure}")
        steps.append(int(step))
    return np.array(steps, dtype=np.int64)


def _as_the_run_had(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, str]:
    """The losses, how far each can lie from the run's own, and where that comes from, in words.

    A loss can lie off by half a unit in the last place of the run's dtype. Where fewer digits were written than that
    needs, half a unit of the last digit comes on top. A single text does not tell which digit was the last, because
    zeros may have been dropped. So the file is taken to have as many decimals, or as many significant digits, as the
    value with the most of them: of the two, whichever more values reach.
    """
    losses = np.array([float(text) for text in texts])
    resolution, finite = np.full(len(losses), np.nan), np.isfinite(losses)
    if not finite.any():
        return losses, resolution, "no finite loss"
    single = _as_float32(losses[finite])
    values = losses[finite] if single is None else single
    resolution[finite] = rounding = half_unit(values)
    # Python writes a whole number as 2.0: that is no decimal.
    written = [text.lower().removesuffix(".0") for text, keep in zip(texts, finite, strict=True) if keep]
    if not all(text.lstrip("+-").isdecimal() for text in written):
        decimals, significant = np.array([_digits(text) for text in written]).T
        fixed = (decimals == decimals.max()).sum() >= (significant == significant.max()).sum()
        last = np.full(len(values), -decimals.max()) if fixed else significant - decimals - significant.max()
        printed = 0.5 * 10.0**last
        if np.median(printed) >= np.median(rounding):
            resolution[finite] += printed
            return (
                losses,
                resolution,
                f"{decimals.max()} decimals" if fixed else f"{significant.max()} significant digits",
            )
    losses[finite] = values
    return losses, resolution, f"{values.dtype} numbers"


def _digits(text: str) -> tuple[int, int]:
    """Decimals and significant digits. Of "0.0120": 4 and 3; of "1.5e-3": 4 and 2; of "0.00e+00": 2 and 0."""
    mantissa, _, exponent = text.lstrip("+-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    significant = len((whole + fraction).lstrip("0"))
    return len(fraction) - int(exponent or 0) * (significant > 0), significant


def _as_float32(values: np.ndarray) -> np.ndarray | None:
    """Finite values as float32, where all are float32 numbers, exactly or in their shortest form; else None."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    names = (single == values).all() or (single.astype(str).astype(np.float64) == values).all()
    return single if names else None


def half_unit(values: np.ndarray) -> np.ndarray:
    """Half a unit in the last place of each value, float64: how far rounding to its dtype can have moved it."""
    half: np.ndarray = np.maximum(np.spacing(np.abs(values)).astype(np.float64) / 2, np.spacing(0.0))  # never zero
    return half
