"""Loss logs that any program wrote: which of their numbers are losses, at which steps, and how precise they are.

The formats are in `shared.logs.formats`, each in a module of its own. Here the columns are chosen, by their names:
nothing is guessed in silence. What was assumed is a sentence in the notes, and what is ambiguous is refused.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shared.logs import formats
from shared.logs.formats import names
from shared.logs.formats.cells import LARGEST, Column, Numbers, text_of_number
from shared.logs.formats.names import EPOCH
from shared.logs.formats.precision import as_the_run_had, half_unit
from shared.logs.formats.table import Table
from shared.system.errors import InputError

__all__ = ["EPOCH", "FORMS", "LossLog", "Series", "half_unit", "read_folder", "read_log"]

FORMS = formats.FORMS
MOST_SERIES = 64
DOMINANT = 2  # a column with so many times the losses of each other one is the finer log of them
STEP = "step"


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


def read_log(path: Path, column: str | None = None) -> LossLog:
    """Read a log of any of the formats; `column` names the losses, or the run of a file that has several.

    Raises InputError, one line with the place, the value and the cure.
    """
    return _log(path, formats.read_table(path, column), column)


def read_folder(folder: Path, column: str | None = None) -> LossLog | None:
    """Read the log in a folder that TensorBoard or MLflow wrote; None where there is none. Raises InputError."""
    table = formats.read_folder(folder, column)
    return None if table is None else _log(folder, table, column)


def _log(path: Path, table: Table, column: str | None) -> LossLog:
    chosen, notes = _loss_columns(path, table, None if table.run_chosen else column)
    loss = chosen[0]
    numbers = _losses(path, table, chosen)
    numbering = _numbering(path, table, loss, numbers.rows)
    steps = numbering.of(numbers.rows) if loss.steps is None else loss.steps
    _refuse_steps_that_go_back(path, table, steps, numbers.rows)
    values, resolution, precision = _sum(chosen)
    series, without = _all_series(table, chosen, numbering, loss, numbers)
    counts = table.counts or (None if table.silent or names.plain(loss.name) == "value" else numbering.counts)
    by_name = (None, "batch", None, "epoch")[1 + (-1 if (rank := names.rank(loss.name)) is None else rank)]
    taken = table.taken or ("running mean" if names.plain(loss.name) == "running_loss" else by_name)
    told = (*table.notes, *notes, *numbering.notes, *_hidden(steps, counts), *without)
    return LossLog(steps, values, resolution, counts, precision, table.form, taken, series, told)


# Which columns are the loss.


def _loss_columns(path: Path, table: Table, asked: str | None) -> tuple[list[Column], list[str]]:
    """The column with the losses, or those whose sum is the loss, and what was assumed."""
    if asked is not None:
        return [_asked_for(path, table, asked)], []
    if table.parts:
        parts = [column for column in table.columns if column.name in table.parts]
        listed = " + ".join(column.name.strip() for column in parts)
        return parts, [f"The loss is the sum of its parts, {listed}."] if len(parts) > 1 else []
    ranked = [(rank, c) for c in table.columns if (rank := names.rank(c.name)) is not None]
    if not ranked:
        only = _only_one_with_loss_in_its_name(path, table)
        return [only], [
            f"The loss is taken from {only.name!r}, the only one with loss in its name, or else of validation."
        ]
    best = min(rank for rank, _ in ranked)
    candidates = [column for rank, column in ranked if rank == best]
    loss = _finest(candidates)
    if loss is None:
        shown = [reprlib.repr(column.name) for column in candidates]
        both = "both" if len(shown) == 2 else "each"  # noqa: PLR2004
        cure = f"keep one, or rename the other, or choose one, as in {path}:{candidates[0].name}"
        raise InputError(f"{path}: {' and '.join(shown)} could {both} be the loss; {cure}")
    others = [reprlib.repr(column.name) for _, column in ranked if column is not loss]
    return [loss], [f"The loss is taken from {loss.name!r}, and not from {', '.join(others)}."] if others else []


def _finest(candidates: Sequence[Column]) -> Column | None:
    """The only one, or the one that has far more numbers than each other."""
    first, *others = sorted(candidates, key=lambda column: -len(column.numbers.values))
    enough = all(len(first.numbers.values) >= DOMINANT * len(column.numbers.values) > 0 for column in others)
    return first if enough else None


def _only_one_with_loss_in_its_name(path: Path, table: Table) -> Column:
    candidates = [column for column in table.columns if names.has_loss(column.name) and len(column.numbers.values)]
    if len(candidates) == 1:
        return candidates[0]
    found = reprlib.repr(table.names)[1:-1] or "none"
    measures = [column for column in table.columns if names.is_measure(column.name) and len(column.numbers.values)]
    usable = candidates or sorted(measures, key=lambda column: names.meaning(column.name) != names.VALIDATION_LOSS)
    choice = f", or choose it, as in {path}:{usable[0].name}" if usable else ""
    known = "loss or train_loss or value"
    raise InputError(f"{path} has no column called {known}, but {found}; rename the one with losses{choice}")


def _asked_for(path: Path, table: Table, asked: str) -> Column:
    """The column of this name; in its letters, or else as names are compared."""
    for same in (
        lambda name: name == asked,
        lambda name: name.strip().lower() == asked.strip().lower(),
        lambda name: names.plain(name) == names.plain(asked),
    ):
        found = [column for column in table.columns if same(column.name)]
        if len(found) == 1:
            return found[0]
        if found:
            shown = " and ".join(reprlib.repr(column.name) for column in found)
            raise InputError(f"{path}: {shown} are both called {asked!r}; rename one")
    listed = reprlib.repr(table.names)[1:-1] or "none"
    raise InputError(f"{path} has no column {reprlib.repr(asked)}, but {listed}; give one of these")


# Their numbers.


def _losses(path: Path, table: Table, chosen: Sequence[Column]) -> Numbers:
    """The losses of the first column, after all were checked. Raises InputError for a cell that is none."""
    for column in chosen:
        blank = _first_blank(table, column)
        if column.bad and (blank is None or column.bad[0] < blank):
            _refuse(path, table.place(column.bad[0]), "loss", column.bad[1])
        if blank is not None:
            _refuse(path, table.place(blank), "loss", None)
        if not len(column.numbers.values):
            raise InputError(f"{path} holds no losses; give a log with at least one")
        if not np.array_equal(column.numbers.rows, chosen[0].numbers.rows):
            shown = f"{chosen[0].name!r} and {column.name!r}"
            raise InputError(f"{path}: {shown}, parts of one loss, are not in the same rows; complete them")
    return chosen[0].numbers


def _first_blank(table: Table, column: Column) -> int | None:
    """The first row that should have a number and has none.

    Where something else was logged in a row, an accuracy or a loss of validation, its loss may be blank.
    """
    if table.sparse or column.blank is None:
        return None
    logged = [
        other.numbers.rows
        for other in table.columns
        if other is not column and (names.of_validation(other.name) or names.meaning(other.name) in names.MEANINGS)
    ]
    rows = np.concatenate([column.numbers.rows, *logged])
    missing = np.setdiff1d(np.arange(column.count), rows)
    return int(missing[0]) if len(missing) else None


def _refuse(path: Path, place: str, what: str, cell: object) -> None:
    """Raise InputError: the cell is no number, or one too large to be compared."""
    if cell is None or (isinstance(cell, str) and cell in ("", "NA")):
        raise InputError(f"{path}: {place} has no {what}; write a number such as 0.25, or nan where there was none")
    if text_of_number(cell) is None:
        shown = reprlib.repr(cell)
        raise InputError(f"{path}: {place}: {what} {shown} is not a number; write it as 0.25, 1e-3 or nan")
    raise InputError(f"{path}: {place}: {what} {cell} is beyond {LARGEST:g}; write inf where it overflowed")


def _sum(chosen: Sequence[Column]) -> tuple[np.ndarray, np.ndarray, str]:
    """The losses, how far they can be from what the run had, and why; of one column, or the sums of several."""
    found = [as_the_run_had(column.numbers) for column in chosen]
    values = np.sum([values for values, _, _ in found], axis=0) if len(found) > 1 else found[0][0]
    resolution = np.sum([resolution for _, resolution, _ in found], axis=0) if len(found) > 1 else found[0][1]
    return values, resolution, found[0][2]


# Their steps.


@dataclass(frozen=True)
class _Numbering:
    """The step of a row."""

    of: Callable[[np.ndarray], np.ndarray]  # rows (N,) to steps (N,); KeyError where a row has none
    counts: str | None
    notes: tuple[str, ...] = ()


def _numbering(path: Path, table: Table, loss: Column, rows: np.ndarray) -> _Numbering:
    """How the rows are numbered: by a column, by a step in each epoch, or in order from 0."""
    if loss.steps is not None:
        return _Numbering(lambda rows: rows, STEP)
    epoch = _one_of(path, table, rows, names.is_epoch, EPOCH)
    step = _one_of(path, table, rows, names.is_step, STEP) or _one_of(path, table, rows, names.is_batch, STEP)
    notes: tuple[str, ...] = ()
    if epoch is not None and epoch.unwhole and not epoch.bad:
        notes = () if step else (f"Its epochs are fractions, such as {epoch.unwhole[1]}: the losses count from 0.",)
        epoch = None
    counted = step or epoch
    if counted is None:
        return _Numbering(lambda wanted: _found(rows, wanted, np.arange(len(rows))), None, notes)
    _check_steps(path, table, counted, loss)
    if step is None or epoch is None or epoch.bad or not _covers(epoch, rows):
        return _Numbering(lambda wanted: _values(counted, wanted), STEP if step else EPOCH, notes)
    steps, epochs = _values(step, rows), _values(epoch, rows)
    back = np.diff(steps) <= 0
    if not back.any() or (np.diff(epochs) < 0).any():
        return _Numbering(lambda wanted: _values(step, wanted), STEP, notes)
    return _through_the_epochs(table, step, epoch, steps, epochs)


def _through_the_epochs(table: Table, step: Column, epoch: Column, steps: np.ndarray, epochs: np.ndarray) -> _Numbering:
    """Steps that start again in each epoch are counted on: as many to an epoch as the log says, or else shows."""
    gaps = np.diff(steps)
    shown = int(steps.max() + (gaps[gaps > 0].min() if (gaps > 0).any() else 1) * (steps.min() <= 0))
    span = max(table.epoch_length or shown, int(steps.max()))
    first = int(epochs[0])

    def of(wanted: np.ndarray) -> np.ndarray:
        steps: np.ndarray = _values(step, wanted) + (_values(epoch, wanted) - first) * span
        return steps

    why = "as the log says" if span == table.epoch_length else "the most that it shows"
    note = f"Its steps start again in each epoch: they are counted on, {span:,} to an epoch, {why}."
    return _Numbering(of, STEP, (note,))


def _one_of(path: Path, table: Table, rows: np.ndarray, fits: Callable[[str], bool], what: str) -> Column | None:
    """The column that numbers the losses. Raises InputError where several could."""
    found = [column for column in table.columns if fits(column.name)]
    if len(found) > 1:
        found = [column for column in found if _covers(column, rows)] or found
    if len(found) > 1:
        shown = " and ".join(reprlib.repr(column.name) for column in found)
        raise InputError(f"{path}: {shown} could both be the {what}; keep one, or rename the other")
    return found[0] if found else None


def _covers(column: Column, rows: np.ndarray) -> bool:
    """Whether it has a number in each of these rows."""
    return np.array_equal(column.numbers.rows, rows) or bool(np.isin(rows, column.numbers.rows).all())


def _check_steps(path: Path, table: Table, step: Column, loss: Column) -> None:
    """Raise InputError where a loss has no step, or one that is no whole number."""
    rows = loss.numbers.rows
    if step.count != loss.count and not table.sparse:
        sizes = f"{step.count} {reprlib.repr(step.name)} and {loss.count} {reprlib.repr(loss.name)}"
        raise InputError(f"{path} has {sizes}; give each loss its {step.name}")
    missing = rows[:0] if _covers(step, rows) else rows[~np.isin(rows, step.numbers.rows)]
    odd = step.unwhole[0] if step.unwhole and step.unwhole[0] in rows else None
    if odd is not None and step.unwhole and not (len(missing) and missing[0] < odd):
        cure = "is not a whole number; number the steps 0, 1, 2, …"
        raise InputError(f"{path}: {table.place(odd)}: step {step.unwhole[1]} {cure}")
    if len(missing):
        row = int(missing[0])
        _refuse(path, table.place(row), STEP, step.bad[1] if step.bad and step.bad[0] == row else None)


def _values(column: Column, rows: np.ndarray) -> np.ndarray:
    """The whole numbers of these rows, int64. Raises KeyError where a row has none."""
    found: np.ndarray = _found(column.numbers.rows, rows, column.numbers.values).astype(np.int64)
    return found


def _found(rows: np.ndarray, wanted: np.ndarray, values: np.ndarray) -> np.ndarray:
    if len(rows) == len(wanted) and np.array_equal(rows, wanted):
        return values
    at = np.searchsorted(rows, wanted)
    if len(wanted) and (at.max() >= len(rows) or not (rows[at] == wanted).all()):
        raise KeyError
    return values[at]


def _refuse_steps_that_go_back(path: Path, table: Table, steps: np.ndarray, rows: np.ndarray) -> None:
    back = np.flatnonzero(np.diff(steps) <= 0)
    if len(back):
        before, step = int(steps[back[0]]), int(steps[back[0] + 1])
        again = "comes twice" if step == before else f"comes after step {before}"
        cure = "keep the log of one run, its steps in ascending order"
        raise InputError(f"{path}: {table.place(int(rows[back[0] + 1]))}: step {step} {again}; {cure}")


def _hidden(steps: np.ndarray, counts: str | None) -> list[str]:
    """What the steps that it has say of those that it has not."""
    what = counts or STEP
    gaps = np.diff(steps)
    if len(gaps) <= 1 or gaps.max() == 1:
        return []
    if gaps.min() == gaps.max():
        return [f"It has one {what} in {gaps[0]:,}, from {what} {steps[0]:,} on."]
    return [f"It has {len(steps):,} of the {steps[-1] - steps[0] + 1:,} {what}s from {steps[0]:,} to {steps[-1]:,}."]


# What is beside them.


def _all_series(
    table: Table, chosen: Sequence[Column], numbering: _Numbering, loss: Column, numbers: Numbers
) -> tuple[dict[str, Series], list[str]]:
    """The other measures by what they mean, and a sentence on those that could not be read."""
    found: dict[str, Series] = {}
    without: list[str] = []
    parts = [column for column in table.columns if column.name in table.validation_parts]
    rows = parts[0].numbers.rows if parts else np.array([])
    if len(parts) > 1 and all(np.array_equal(column.numbers.rows, rows) and not column.bad for column in parts):
        values, resolution, _ = _sum(parts)
        listed = " + ".join(column.name.strip() for column in parts)
        if (made := _series(listed, values, resolution, numbering, rows)) is not None:
            found[names.VALIDATION_LOSS] = made
    for column in table.columns:
        measured = (
            names.is_measure(column.name) and len(column.numbers.values) and not any(column is one for one in chosen)
        )
        if not measured or (column.bad and column.bad[0] == 0):
            continue
        values, resolution, _ = as_the_run_had(column.numbers)
        kept = np.ones(len(values), bool)
        if loss.steps is None and numbering.counts is None:  # counted by the losses: a row without one has no number
            kept = np.isin(column.numbers.rows, numbers.rows)
        rows = column.numbers.rows[kept] if column.steps is None else column.steps
        one = None
        if not column.bad and (loss.steps is None) == (column.steps is None) and len(found) < MOST_SERIES:
            one = _series(column.name, values[kept], resolution[kept], numbering, rows)
        if one is None:
            without.append(reprlib.repr(column.name))
            continue
        meaning = names.meaning(column.name)
        found[meaning if meaning not in found else column.name] = one
    shown = ", ".join(without[:5]) + (f" and {len(without) - 5:,} more" if len(without) > 5 else "")  # noqa: PLR2004
    return found, [f"Not compared, as their cells or steps can't be: {shown}."] if without else []


def _series(
    name: str, values: np.ndarray, resolution: np.ndarray, numbering: _Numbering, rows: np.ndarray
) -> Series | None:
    """None where its rows have no steps, or some that go back."""
    try:
        steps = numbering.of(rows)
    except KeyError:
        return None
    return None if not len(steps) or (np.diff(steps) <= 0).any() else Series(name, steps, values, resolution)
