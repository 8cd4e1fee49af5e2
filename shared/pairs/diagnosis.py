"""Where two models differ, and why: what may be the cause is tried, and told only where the trial shows it.

Float64 judges, because rounding is far below any mistake there; float32 shows what a user's own curves will look like.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shared.pairs.alignment import title
from shared.pairs.carry import Carry, carry
from shared.pairs.causes import CARRY, Candidate
from shared.pairs.climb import (
    AFTER,
    LIMITS,
    Check,
    Numbers,
    Sides,
    climb,
    first_beyond,
    flatten_orders,
    pair_calls,
)
from shared.pairs.description import Description
from shared.pairs.guesses import guesses_at
from shared.pairs.layer_settings import of_activations, of_layers
from shared.pairs.more_layers import of_biases, of_more_layers, of_ties, role_of
from shared.pairs.protocol import Arrays, Edit, Until
from shared.pairs.sides import Process, at_once
from shared.pairs.training_settings import of_carry, of_loss, of_optimizer, of_trainable
from shared.system.errors import InputError
from shared.system.language import join, say, say_number

STEPS_LOOKED_AT = (1, 2, 10)  # and the last
PERTURBATIONS = 2
MOST_CAUSES = 12
MOST_LEFT_OUT, MOST_WAYS = 2, 16  # of several changes that are made together
FEW_STEPS, FIRST_STEP = 2, (1,)
POWERS = 100
Notice = Callable[[str], object]


@dataclass(frozen=True)
class Cause:
    """A candidate that was tried: with its change the numbers agree, and without it they do not."""

    candidate: Candidate
    without: Check  # what is off first where everything else is changed, and this is not


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


@dataclass(frozen=True)
class Asked:
    """What a pair is compared by."""

    files: tuple[Path, Path]
    data: Path
    seed: int
    batch_size: int
    steps: int

    @property
    def record_after(self) -> tuple[int, ...]:
        """The steps after which weights and buffers are compared."""
        return tuple(sorted({*(s for s in STEPS_LOOKED_AT if s < self.steps), self.steps}))

    def opening(self, side: int, dtype: str) -> dict[str, object]:
        """What a process is asked to open."""
        given = {"data": self.data, "seed": self.seed, "batch_size": self.batch_size, "steps": self.steps}
        return {**given, "file": self.files[side].resolve(), "dtype": dtype}


class Bench:
    """Both sides in one precision, and all that was computed of them."""

    def __init__(self, asked: Asked, processes: tuple[Process, Process], dtype: Literal["float32", "float64"]) -> None:
        self.asked, self.dtype = asked, dtype
        self.torch, self.keras = processes
        (torch, self.torch_weights), (keras, self.keras_weights) = at_once(
            lambda: self.torch.open(**asked.opening(0, dtype)), lambda: self.keras.open(**asked.opening(1, dtype))
        )
        self.sides = _laid_beside(torch, keras, carry(torch, keras), asked)

    def carry_users(self) -> "Carry | None":
        """With what the user's own `carry` returns in place of the automatic map; None where there is none."""
        if self.keras.carry(self.torch_weights) is None:
            return None

        def users(arrays: Arrays) -> Arrays:
            return self.keras.carry(dict(arrays)) or {}

        return self.sides.carry.override(users)

    def measure(
        self,
        edits: Sequence[Edit] = (),
        until: Until = "training",
        perturbed: int | None = None,
        steps: Sequence[int] = (),
    ) -> Numbers:
        """The Keras side's numbers alone, after these steps: after all that are looked at where none are named."""
        sides = without_users(self.sides, edits)
        edits = [edit for edit in edits if edit.what != CARRY]
        weights = self.keras_weights | sides.carry.values(self.torch_weights)
        # A trial may give Keras a layer that it lacks.
        weights |= {f"torch/{name}": self.torch_weights[name] for name in sides.carry.unmatched_torch}
        added = [name for name in self.sides.more_in_keras if not self.sides.keras.tensors[name].buffer]
        weights |= {name: np.full_like(weights[name], name.endswith("gamma")) for name in added}
        arrays = self.keras.run(
            weights,
            [*(steps or self.asked.record_after)],
            [*edits],
            until,
            perturbed,
            reverse=bool(perturbed and perturbed > 1),
            inputs=self.torch.inputs,
        )
        return Numbers(arrays, arrays)

    def measure_torch(self, until: Until = "training", perturbed: int | None = None) -> Numbers:
        """PyTorch's."""
        arrays = self.torch.run(
            self.torch_weights,
            [*self.asked.record_after],
            [],
            until,
            perturbed,
            reverse=bool(perturbed and perturbed > 1),
        )
        return Numbers(arrays, arrays)

    def look(self, until: Until) -> tuple[Numbers, Numbers]:
        """Both sides, unperturbed."""
        torch, keras = at_once(lambda: self.measure_torch(until), lambda: self.measure((), until))
        return torch, keras

    def floors(self, torch: Numbers, keras: Numbers) -> tuple[Numbers, Numbers]:
        """The same, with what perturbations make of both. A pass in reverse is looked at only where order is none."""

        def perturb(measure: Callable[..., Numbers]) -> list[Arrays]:
            found = []
            for number in range(1, PERTURBATIONS + 1):
                arrays = measure(perturbed=number).arrays
                found.append({k: v for k, v in arrays.items() if number == 1 or not _by_example(k)})
            return found

        ours, theirs = at_once(lambda: perturb(self.measure_torch), lambda: perturb(self.measure))
        return replace(torch, perturbed=ours), replace(keras, perturbed=theirs)


def without_users(sides: Sides, edits: Sequence[Edit]) -> Sides:
    """With the automatic map in place of the user's own, for the tensors that these edits name."""
    names = {edit.place for edit in edits if edit.what == CARRY}
    users = {name: made for name, made in sides.carry.users.items() if name not in names}
    return replace(sides, carry=replace(sides.carry, users=users)) if names else sides


def _by_example(key: str) -> bool:
    """Whether a tensor has a place for each example, so that it can't be compared with one of a reversed batch."""
    return key.startswith(("evaluation/call", "training/call", "evaluation/output", "training/output", "given/"))


def _laid_beside(torch: Description, keras: Description, carried: Carry, asked: Asked) -> Sides:
    return Sides(torch, keras, carried, pair_calls(torch, keras, carried), {}, asked.record_after)


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


def read(sides: Sides, weights: Arrays) -> list[Candidate]:
    """What is set otherwise, as the two descriptions have it."""
    of_training = (*of_loss(sides), *of_optimizer(sides), *of_trainable(sides), *of_biases(sides, weights))
    of_layers_alone = (*of_ties(sides), *of_more_layers(sides))
    return [*of_carry(sides, weights), *of_layers(sides), *of_activations(sides), *of_layers_alone, *of_training]


class Search:
    """Tries what may be the causes, until the numbers agree or nothing is left to try."""

    def __init__(self, bench: Bench, torch: Numbers, keras: Numbers, notice: Notice) -> None:
        self.bench, self.torch, self.keras, self.notice = bench, torch, keras, notice
        self.readable: list[Candidate] = []

    def run(self, checks: list[Check]) -> tuple[list[Cause], Check | None, list[Check]]:
        """The causes, what is off first without them, and the checks without them."""
        self.readable = read(self.bench.sides, self.bench.torch_weights)
        applied = self._improving(self.readable, checks)
        now = self._climb(applied) if applied else checks
        while (first := self._first(now)) and len(applied) < MOST_CAUSES:
            better = self._guess(first, now, applied)
            if better is None:
                break
            applied, now = better
        causes, now = self._needed(applied, now)
        return causes, self._first(now), now

    def _first(self, checks: Sequence[Check]) -> Check | None:
        return first_beyond(checks, LIMITS["float64"])

    def _climb(self, applied: Sequence[Candidate]) -> list[Check]:
        """The checks with these changes, up to the stretch in which the first fails; none where one does not fit."""
        edits = [edit for candidate in applied for edit in candidate.edits]
        checks: list[Check] = []
        for until, steps in self._stretches():
            try:
                numbers = self.bench.measure(edits, until, steps=steps)
            except InputError:  # such a change can't be made in this model
                return []
            sides = replace(without_users(self.bench.sides, edits), record_after=steps)
            checks = climb(sides, self.torch, replace(self.keras, arrays=numbers.arrays), until)
            if self._first(checks):
                break
        return checks

    def _stretches(self) -> list[tuple[Until, tuple[int, ...]]]:
        """A forward pass, a backward pass, the first steps, all steps: what differs early is found in a moment."""
        steps = self.bench.asked.record_after
        few = tuple(step for step in steps if step <= FEW_STEPS) or steps[:1]
        stretches: list[tuple[Until, tuple[int, ...]]] = [
            ("evaluation", steps),
            ("gradients", steps),
            ("training", few),
        ]
        return stretches if few == steps else [*stretches, ("training", steps)]

    def _improving(self, kept: list[Candidate], checks: list[Check]) -> list[Candidate]:
        """Those of what was read that together move the first difference on, or away."""
        if not kept:
            return []
        self.notice(say_number("trying {n} setting that differs", "trying {n} settings that differ", n=len(kept)))
        now = self._climb(kept)
        if self._rank(now) > self._rank(checks):
            return kept if self._first(now) is None else self._without_harm(kept, self._rank(now))
        together: list[Candidate] = []
        rank = self._rank(checks)
        for candidate in kept:
            better = self._rank(self._climb([*together, candidate]))
            if better > rank:
                together, rank = [*together, candidate], better
        return together

    def _without_harm(self, kept: list[Candidate], rank: float) -> list[Candidate]:
        """Without those that bring nothing: a setting may be read otherwise than a class of the user's takes it."""
        for candidate in kept if len(kept) > 1 else []:
            others = [other for other in kept if other is not candidate]
            without = self._rank(self._climb(others)) if others else -1
            if without >= rank:
                kept, rank = others, without
        return kept

    def _rank(self, checks: Sequence[Check]) -> float:
        """How far the climb comes: the number of the check that fails first, and more where it is off by less."""
        if not checks:
            return -1
        first = self._first(checks)
        if first is None:
            return np.inf
        powers = int(np.log10(first.multiple)) if np.isfinite(first.multiple) else POWERS
        return [*checks].index(first) + 1 - min(powers, POWERS) / POWERS

    def _guess(
        self, first: Check, now: list[Check], applied: list[Candidate]
    ) -> tuple[list[Candidate], list[Check]] | None:
        """One more change, guessed from the numbers, with which the first difference goes."""
        keras = self.keras
        if applied:
            edits = [edit for candidate in applied for edit in candidate.edits]
            until = first.stage + first.key.startswith("rates/")  # the step that a rate is of is not over before it
            steps = tuple(s for s in self.bench.asked.record_after if AFTER + s <= until) or FIRST_STEP
            keras = replace(self.keras, arrays=self.bench.measure(edits, first.until, steps=steps).arrays)
        known = {candidate.key for candidate in applied}
        guesses = guesses_at(first, self.bench.sides, self.torch, keras)
        tried = [*{c.key: c for c in [*guesses, *self.readable] if c.edits and c.key not in known}.values()]
        best: tuple[list[Candidate], list[Check]] | None = None
        for candidate in tried:
            self.notice(say("trying: {what}", what=candidate.what))
            checks = self._climb([*applied, candidate])
            after = self._first(checks)
            better = self._rank(checks) > self._rank(best[1] if best else now)
            if better and (after is None or after.stage > candidate.beyond):
                best = [*applied, candidate], checks
            if best and after is None:
                return best
        beyond = now.index(first) + 1
        if best and self._rank(best[1]) > beyond:
            return best
        # Of formulas, several may be at work at one place: none shows alone, or one makes it less and is not all.
        several = [candidate for candidate in tried if candidate.beyond < first.stage]
        return self._together(several, applied, beyond) or best

    def _together(
        self, several: list[Candidate], applied: list[Candidate], rank: float
    ) -> tuple[list[Candidate], list[Check]] | None:
        """All of these, or all but one or two, with which together the climb comes beyond this rank."""
        sizes = range(len(several), max(len(several) - MOST_LEFT_OUT, 2) - 1, -1)
        ways = itertools.chain.from_iterable(itertools.combinations(several, size) for size in sizes)
        for some in itertools.islice(ways, MOST_WAYS):
            if self._rank(checks := self._climb([*applied, *some])) > rank:
                return [*applied, *some], checks
        return None

    def _needed(self, applied: list[Candidate], now: list[Check]) -> tuple[list[Cause], list[Check]]:
        """Those without which a difference comes back, and the checks with these.

        What another one does too is left out, guesses first.
        """
        kept = list(applied)
        found: dict[str, Cause] = {}
        for candidate in sorted(applied, key=lambda one: one in self.readable):
            others = [other for other in kept if other is not candidate]
            unchanged = climb(self.bench.sides, self.torch, self.keras)
            # Where the others can't be made without it, what is off without any.
            checks = (self._climb(others) if others else unchanged) or unchanged
            first = self._first(checks)
            if first is None or self._rank(checks) >= self._rank(now):
                kept, now = others, checks
            else:
                found[candidate.key] = Cause(candidate, first)
        return families([found[candidate.key] for candidate in kept]), now


def families(causes: Sequence[Cause]) -> list[Cause]:
    """Those that are one difference, in several places, as one."""
    alike: dict[str, list[Cause]] = {}
    for number, cause in enumerate(causes):
        alike.setdefault(cause.candidate.family or str(number), []).append(cause)
    found = []
    for first, *others in alike.values():
        what = first.candidate.what
        if others:
            what = say_number(
                "{what}, and so in {n} more place after it",
                "{what}, and so in {n} more places after it",
                n=len(others),
                what=what,
            )
        edits = tuple(edit for cause in (first, *others) for edit in cause.candidate.edits)
        candidate = replace(first.candidate, what=what, edits=edits)
        found.append(Cause(candidate, first.without))
    return found
