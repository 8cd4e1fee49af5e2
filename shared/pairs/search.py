"""The search for the causes: what may be one is tried, and kept where the numbers then agree for longer."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.pairs.bench import Bench, without_users
from shared.pairs.causes import Candidate
from shared.pairs.climb import AFTER, LIMITS, Check, Numbers, climb, first_beyond
from shared.pairs.guesses import guesses_at
from shared.pairs.layer_settings import of_activations, of_layers
from shared.pairs.more_layers import of_biases, of_more_layers, of_ties
from shared.pairs.pairing import Sides
from shared.pairs.protocol import Arrays, Until
from shared.pairs.training_settings import of_carry, of_loss, of_optimizer, of_trainable
from shared.system.errors import InputError
from shared.system.language import say, say_number

Notice = Callable[[str], object]

MOST_CAUSES = 12
MOST_LEFT_OUT, MOST_WAYS = 2, 16  # of several changes that are made together
FEW_STEPS, FIRST_STEP = 2, (1,)
POWERS = 100


@dataclass(frozen=True)
class Cause:
    """A candidate that was tried: with its change the numbers agree, and without it they do not."""

    candidate: Candidate
    without: Check  # what is off first where everything else is changed, and this is not


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
