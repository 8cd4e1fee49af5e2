"""Where two models differ, and why: what may be the cause is tried, and told only where the trial shows it.

Float64 judges, because rounding is far below any mistake there; float32 shows what a user's own curves will look like.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shared.pairs.alignment import title
from shared.pairs.bench import Asked, Bench
from shared.pairs.climb import LIMITS, Check, Numbers, climb, first_beyond, flatten_orders
from shared.pairs.more_layers import role_of
from shared.pairs.pairing import Sides, pair_calls
from shared.pairs.search import Cause, Notice, Search
from shared.pairs.sides import Process
from shared.system.errors import InputError
from shared.system.language import join, say


@dataclass(frozen=True)
class Precision:
    """The comparison in one dtype."""

    dtype: Literal["float32", "float64"]
    checks: list[Check]
    losses: tuple[np.ndarray, np.ndarray]  # of all steps, PyTorch's and Keras's

    @property
    def first(self) -> Check | None:
        """What is off first."""
        return first_beyond(self.checks, LIMITS[self.dtype])

    @property
    def largest(self) -> Check:
        """The check that is furthest off, in noise floors."""
        return max(self.checks, key=lambda check: check.multiple)


@dataclass(frozen=True)
class Diagnosis:
    """What was found out about a pair."""

    files: tuple[Path, Path]
    sides: Sides
    precisions: dict[str, Precision]
    causes: list[Cause]
    unexplained: Check | None  # what is off first once all causes are removed
    explained: list[Check] = field(default_factory=list)  # the checks with all causes removed
    read_only: list[str] = field(default_factory=list)  # what differs as it is read, and could not be measured
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Literal["same", "defaults", "different"]:
        """The answer."""
        if self.unexplained or self.read_only or any(not cause.candidate.by_default for cause in self.causes):
            return "different"
        if self.causes:
            return "defaults"
        return "same" if self.precisions["float64"].first is None else "different"


def diagnose(asked: Asked, processes: tuple[Process, Process], notice: Notice, *, in_float32: bool = True) -> Diagnosis:
    """Compare both in float64, find the causes, and compare in float32 unless told not to. Raises InputError."""
    notice(say("reading both files, in float64"))
    bench = Bench(asked, processes, "float64")
    notes = _settle_weights(bench, notice)
    notice(say("measuring both, and how far rounding alone carries them"))
    torch, keras = bench.look("training")
    _refuse_not_finite(torch, keras)
    torch, keras = bench.floors(torch, keras)
    checks = climb(bench.sides, torch, keras)
    found: list[Cause] = []
    unexplained, explained = None, checks
    if first_beyond(checks, LIMITS["float64"]):
        search = Search(bench, torch, keras, notice)
        found, unexplained, explained = search.run(checks)
    precisions = {"float64": Precision("float64", checks, (torch.arrays["losses"], keras.arrays["losses"]))}
    if in_float32:
        notice(say("once more in float32"))
        precisions["float32"] = _in_float32(asked, processes, bench)
    return Diagnosis(
        asked.files,
        bench.sides,
        precisions,
        found,
        unexplained,
        explained,
        _read_only(bench.sides, found),
        notes,
    )


def _settle_weights(bench: Bench, notice: Notice) -> list[str]:
    """Find the order in which Keras flattens, and that of equal siblings, by what a forward pass gives.

    The user's own `carry` is taken meanwhile for what nothing else carries. Then all that it returns is taken.
    """
    notes: list[str] = []
    users = bench.carry_users()
    if users:
        alone = {name: made for name, made in users.users.items() if name not in bench.sides.carry.made}
        bench.sides = replace(bench.sides, carry=replace(bench.sides.carry, users=alone))
    _refuse_what_is_not_carried(bench.sides, notice)
    torch, keras = bench.look("evaluation")
    if orders := flatten_orders(bench.sides, torch.arrays, keras.arrays):
        carried = bench.sides.carry
        for number, order in orders.items():
            pairing = next(p for p in bench.sides.pairings if p.torch == number)
            carried = carried.with_rows(bench.sides.keras.calls[pairing.keras].place, order)
            notes.append(
                say(
                    "{layer}: its inputs are an image, flattened channel by channel in PyTorch and pixel by pixel in "
                    "Keras; its weights were carried in that order.",
                    layer=bench.sides.torch.calls[number].place,
                )
            )
        bench.sides = replace(bench.sides, carry=carried, orders=orders)
        keras = bench.measure((), "evaluation")
    notes += _settle_siblings(bench, torch, keras)
    if users and (all_of_them := bench.carry_users()):
        bench.sides = replace(bench.sides, carry=all_of_them)
        if all_of_them.users:
            names = join(say(", "), sorted(all_of_them.users))
            notes.append(say("Carried by the Keras file's own carry: {names}.", names=names))
    return notes


def _refuse_what_is_not_carried(sides: Sides, notice: Notice) -> None:
    """Raise InputError for a tensor without a counterpart.

    One side's bias is a difference, and no obstacle; and so are whole layers, where the other side has all but these.
    """
    biases = {*sides.more_in_keras, *sides.more_in_torch}
    missing = [told for told in sides.carry.missing() if not any(name in told for name in biases)]
    if missing and not sides.more_layers:
        notice("\n\n".join(missing))
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        first = missing[0].partition(" Say how")[0].splitlines()[0]
        raise InputError(f"{first}{more}; write the carry(torch) that stands above")


def _settle_siblings(bench: Bench, torch: Numbers, keras: Numbers) -> list[str]:
    """Where the outputs are off, whether equal layers are called in another order on one side."""
    rough = LIMITS["float64"] * 1000  # no floor is measured yet
    first = first_beyond(climb(bench.sides, torch, keras, "evaluation"), rough)
    if first is None:
        return []
    for other in bench.sides.carry.alternatives():
        sides = replace(bench.sides, carry=other, pairings=pair_calls(bench.sides.torch, bench.sides.keras, other))
        tried = Bench.__new__(Bench)
        tried.__dict__.update(bench.__dict__ | {"sides": sides})
        numbers = tried.measure((), "evaluation")
        if first_beyond(climb(sides, torch, numbers, "evaluation"), rough) is None:
            bench.sides = sides
            return [
                say(
                    "Layers of equal shape are called in another order in Keras; their weights were carried in that "
                    "order."
                )
            ]
    return []


def _refuse_not_finite(torch: Numbers, keras: Numbers) -> None:
    for name, numbers in (("PyTorch", torch), ("Keras", keras)):
        for key in ("evaluation/loss", "training/loss"):
            if not np.isfinite(numbers.arrays[key]).all():
                raise InputError(
                    f"{name}: the loss of the first batch is {float(numbers.arrays[key])}, before any step; "
                    "look for a logarithm of 0 or a division by 0 in the model or the data"
                )


def _in_float32(asked: Asked, processes: tuple[Process, Process], before: Bench) -> Precision:
    """The same in float32, from the same weights but for rounding."""
    bench, exact = Bench(asked, processes, "float32"), before.sides
    bench.torch_weights = {name: values.astype(np.float32) for name, values in before.torch_weights.items()}
    users = bench.carry_users()
    bench.sides = replace(
        bench.sides,
        carry=replace(exact.carry, torch=bench.sides.torch, keras=bench.sides.keras) if not users else exact.carry,
        pairings=exact.pairings,
        orders=exact.orders,
    )
    torch, keras = bench.floors(*bench.look("training"))
    checks = climb(bench.sides, torch, keras)
    return Precision("float32", checks, (torch.arrays["losses"], keras.arrays["losses"]))


def _read_only(sides: Sides, found: Sequence[Cause]) -> list[str]:
    """What differs as it is read: rates of dropout, which are set to 0; biases and layers that no trial was about."""
    changed = [edit for cause in found for edit in cause.candidate.edits]
    told = " ".join([*(c.candidate.what for c in found), *(f"{e.place} {e.values.get('name', '')}" for e in changed)])
    alone = {"Keras": sides.more_in_torch, "PyTorch": sides.more_in_keras}
    return (
        _dropout(sides)
        + [
            say("{name}: a {role} that {lacks} does not have", name=name, role=role_of(name), lacks=lacks)
            for lacks, names in alone.items()
            for name in names
            if name not in told
        ]
        + [
            say("{layer}: its weights have no counterpart in {lacks}", layer=title(layer), lacks=lacks)
            for lacks, layer in sides.more_layers
            if layer.path not in told
        ]
    )


def _dropout(sides: Sides) -> list[str]:
    ours = [rate for rate in sides.torch.dropout.values() if rate]
    theirs = [rate for rate in sides.keras.dropout.values() if rate]
    if ours == theirs or sorted(ours) == sorted(theirs):
        return []
    told = [_rates(side.dropout) for side in (sides.torch, sides.keras)]
    return [say("dropout, as read: {ours} in PyTorch, {theirs} in Keras", ours=told[0], theirs=told[1])]


def _rates(rates: Mapping[str, float]) -> str:
    told = [say("{rate:g} ({path})", rate=rate, path=path) for path, rate in rates.items() if rate]
    return join(say(", "), told) if told else say("none")
