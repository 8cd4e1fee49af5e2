"""The steps of a run, each judged from where it stands.

A step is a function of the weights before it, of what the optimizer keeps, and of its batch. A run records these every
few steps. From each such checkpoint the reference takes the steps to the next one, a *segment*, and what it finds is
compared with what the run recorded. Nothing is chaotic in so few steps, so that the two differ by rounding alone; or by
a ReLU whose input lies so near to zero that rounding decides its side, and then the reference takes that side too.
"""

import functools
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shared.comparing import deviations as limits
from shared.comparing.deviations import ADAPTIVE, Deviation, deviation
from shared.network import hidden_layers
from shared.reference.replay import Replay, Sides, State, Taken, Unit, on
from shared.running.record import Steps, checkpoints
from shared.system.language import say
from shared.update_rules import UPDATE_RULES

LOSSES: str = say("losses")  # of a segment's steps: a name beside those of the tensors
# How near to zero the input of a ReLU must lie to take either side, in units in the last place of the largest input.
NEAR_ZERO = 32.0
# How far a unit's weights must lie off, in units in the last place, for its ReLU to be looked at.
OFF = 2.0
# Of how far they lie off, what may be left once its ReLU takes the other side.
LEFT = 0.5
# How many of these are tried for the next crossing, the nearest to zero first.
TRIES = 32
# How often more rounding is drawn where a segment would fail: the furthest of a few draws varies much.
MANY_DRAWS = 12


@dataclass(frozen=True)
class Crossing:
    """A ReLU's input so near to zero that rounding decides its side. The run took the other than the reference."""

    unit: Unit
    example: int  # index into the training images in the canonical order
    value: float  # as the reference computes it
    passes: bool  # whether the run passes the gradient on, which the reference would not, or stops it
    ulps: float  # `value`, in units in the last place of the layer's largest


@dataclass(frozen=True)
class Segment:
    """The steps from one checkpoint to the next, taken again."""

    first: int
    until: int
    deviations: dict[str, Deviation]  # by tensor; `LOSSES` are those of the steps
    crossings: list[Crossing]
    # By tensor of the weights: how much of the difference is a share of the segment's update, and of the weights.
    of_update: dict[str, float]
    of_weights: dict[str, float]
    # What is left of the difference then, float32.
    left: dict[str, np.ndarray]
    loss_bias: float  # mean difference of the losses, in units in the last place
    first_loss: int | None  # the first step whose loss lies off, where one does

    @property
    def worst(self) -> str:
        """The tensor that lies furthest off, next to what is allowed."""
        return max(self.deviations, key=lambda name: self.deviations[name].share)

    @property
    def share(self) -> float:
        return self.deviations[self.worst].share


def sides(crossings: Iterable[Crossing]) -> Sides:
    """The side that the run takes at each."""
    return {crossing.unit: crossing.passes for crossing in crossings}


class Segments:
    """Takes the steps of a run with checkpoints again."""

    def __init__(self, steps: Steps, replay: Replay) -> None:
        self.steps, self.replay = steps, replay
        adaptive = "square" in UPDATE_RULES[steps.training.optimizer].buffers
        more = ADAPTIVE if adaptive else {}
        self._limits = [each._replace(**more) for each in (limits.LOSSES, limits.WEIGHTS, limits.BUFFERS)]
        self._measure_first = adaptive  # whether crossings are sought only of what rounding does not explain
        self.state = functools.lru_cache(maxsize=8)(self._state)

    @property
    def ends(self) -> list[tuple[int, int]]:
        """The first step of each, and the one after its last. Of a run that goes on, also those to come."""
        training = self.steps.training
        return list(pairwise([*checkpoints(training, self.steps.checkpoint_steps), training.steps]))

    @property
    def whole(self) -> list[tuple[int, int]]:
        """Those whose steps and end have been recorded."""
        known = len(self.steps.step_losses) + bool(self.steps.weights)
        return [(first, until) for first, until in self.ends if until < known]

    def _state(self, step: int) -> State:
        """What the run recorded before a step of a checkpoint, or at its end, where it keeps no buffers."""
        return self._recorded(step)._replace(fused=self._fused)

    def _recorded(self, step: int) -> State:
        if step == self.steps.training.steps:
            return State(step, self.steps.weights, {})
        return State(step, self.steps.at(step, "weights"), self.steps.at(step, "kept"))

    @functools.cached_property
    def _fused(self) -> bool:
        """Whether AdamW's shrunk weights are rounded with their update alone, as XLA does: the first step shows it.

        By itself, a weight that shrinks by a few units in the last place is rounded the same way in each step. Over all
        steps the two differ by what would pass for another decay.
        """
        if self.steps.training.optimizer != "adamw":
            return False
        (first, until), *_ = self.ends
        start, end = self._recorded(first), self._recorded(until).weights
        apart, together = (self.replay.take(start._replace(fused=fused), until).end.weights for fused in (False, True))
        same = [sum(int((taken[name] == end[name]).sum()) for name in end) for taken in (apart, together)]
        return same[1] > same[0]

    def take(self, first: int, until: int) -> Segment:
        """Take the steps again, and find out where they lie off."""
        start, relu = self.state(first), self.steps.training.activation == "relu"
        near_zero = NEAR_ZERO
        taken, crossings = self.replay.take(start, until), list[Crossing]()
        measured = False
        while _share(deviations := self._deviations(start, taken)) > 1:
            seek = relu and (measured or not self._measure_first)
            if seek and (closer := self._cross(start, taken, crossings, near_zero)):
                crossing, taken = closer
                crossings.append(crossing)
                continue
            for draws in (0, MANY_DRAWS):
                taken, *rounded = self.replay.rounded(start, until, on(sides(crossings)), draws)
                if _share(deviations := self._deviations(start, taken, rounded)) <= 1:
                    break
            floor = max(deviations[name].floor for name in start.weights)
            if _share(deviations) <= 1 or near_zero > NEAR_ZERO:
                break
            measured = True
            # Where training itself enlarges rounding, it decides the side of larger inputs too.
            near_zero *= max(1.01, floor)
        return self._found(start, taken, deviations, crossings)

    def see(self, segment: Segment, told: Callable[[int, str, np.ndarray, np.ndarray], object]) -> None:
        """Take a segment again, as the run took it; what enters each activation is told, with its slopes."""
        taken_sides = on(sides(segment.crossings))

        def sees(step: int, layer: str, entering: np.ndarray, slopes: np.ndarray) -> np.ndarray:
            taken = taken_sides(step, layer, entering, slopes)
            told(step, layer, entering, taken)
            return taken

        self.replay.take(self.state(segment.first), segment.until, sees)

    def _deviations(self, start: State, taken: Taken, rounded: Sequence[Taken] = ()) -> dict[str, Deviation]:
        """Of the losses, and of each tensor at the end. `rounded` took the same steps with other rounding."""
        end = self.state(taken.end.step)
        recorded, others = self.steps.step_losses[start.step : end.step], [other.losses for other in rounded]
        of_losses, of_weights, of_buffers = self._limits
        found = {LOSSES: deviation(recorded, taken.losses, of_losses, others)}
        for name, values in end.weights.items():
            others = [other.end.weights[name] for other in rounded]
            found[name] = deviation(values, taken.end.weights[name], of_weights, others)
        for name, values in end.kept.items():
            others = [other.end.kept[name] for other in rounded]
            found[name] = deviation(values, taken.end.kept[name], of_buffers, others)
        return found

    def _cross(
        self, start: State, taken: Taken, found: Sequence[Crossing], near_zero: float
    ) -> tuple[Crossing, Taken] | None:
        """The next crossing, and the steps with it, which are closer to the run's; None where there is none.

        It is the one with which the losses agree for longest; of several, the one that brings its unit's own weights
        closest, for a crossing changes these first and most.
        """
        recorded = self.steps.step_losses[start.step : taken.end.step]
        best, reached = None, (_agree(recorded, taken.losses), -LEFT)
        for candidate in self._near_zero(start, taken, found, near_zero):
            trial = self.replay.take(start, taken.end.step, on(sides((*found, candidate))))
            if _share(self._deviations(start, trial)) <= 1:
                return candidate, trial
            left = self._off(trial, candidate.unit) / self._off(taken, candidate.unit)
            if (reach := (_agree(recorded, trial.losses), -left)) > reached:
                best, reached = (candidate, trial), reach
        return best

    def _off(self, taken: Taken, unit: Unit) -> float:
        """How far the weights of a hidden unit lie from those recorded, in units in the last place."""
        return float(self._all_off(taken, unit.layer)[unit.unit])

    def _all_off(self, taken: Taken, layer: str) -> np.ndarray:
        """The same of each unit of a layer, (units,)."""
        off = []
        for name in (f"{layer}.weight", f"{layer}.bias"):
            recorded, computed = self.state(taken.end.step).weights[name], taken.end.weights[name]
            far = np.abs(recorded.astype(np.float64) - computed).reshape(len(recorded), -1)
            off.append(far.max(axis=1) / np.spacing(np.abs(recorded).max()))
        furthest: np.ndarray = np.maximum(*off)
        return furthest

    def _near_zero(self, start: State, taken: Taken, found: Sequence[Crossing], near_zero: float) -> list[Crossing]:
        """ReLU inputs so near to zero that rounding decides their side, where the unit's weights lie off.

        As many as are tried: where training is chaotic all inputs are as near, millions of them.
        """
        near: list[Crossing] = []
        taken_sides = on(sides(found))
        off = {layer: self._all_off(taken, layer) > OFF for layer in hidden_layers(self.steps.training)}

        def sees(step: int, layer: str, entering: np.ndarray, slopes: np.ndarray) -> np.ndarray:
            far = np.abs(entering)
            unit_in_the_last_place = float(np.spacing(far.max()))
            candidates = (far <= near_zero * unit_in_the_last_place) & off[layer]
            for known in found:
                if (known.unit.step, known.unit.layer) == (step, layer):
                    candidates[known.unit.row, known.unit.unit] = False
            rows_and_units = np.argwhere(candidates)
            nearest = np.argsort(far[candidates], kind="stable")[:TRIES]
            for row, unit in rows_and_units[nearest]:
                value = float(entering[row, unit])
                example = int(self.replay.batch(step)[row])
                where = Unit(step, layer, int(row), int(unit))
                near.append(Crossing(where, example, value, not value > 0, value / unit_in_the_last_place))
            near[:] = heapq.nsmallest(TRIES, near, key=lambda c: abs(c.ulps))
            return taken_sides(step, layer, entering, slopes)

        until = taken.end.step
        first_loss = _first_loss(self.steps.step_losses[start.step : until], taken.losses)
        if first_loss is not None and near_zero == NEAR_ZERO:
            until = start.step + first_loss  # what crosses later can't be why this loss lies off
        self.replay.take(start, until, sees)
        return near

    def _found(
        self,
        start: State,
        taken: Taken,
        deviations: dict[str, Deviation],
        crossings: list[Crossing],
    ) -> Segment:
        end = self.state(taken.end.step)
        of_update, of_weights, left = {}, {}, {}
        for name, values in end.weights.items():
            before, after = start.weights[name].astype(np.float64), values.astype(np.float64)
            off, update = after - taken.end.weights[name], after - before
            of_update[name], of_weights[name] = _factor(off, update), _factor(off, before)
            left[name] = _without(off, update, before).astype(np.float32)
        recorded = self.steps.step_losses[start.step : end.step]
        unit = float(np.spacing(np.abs(recorded).max()))
        first = _first_loss(recorded, taken.losses)
        return Segment(
            start.step,
            end.step,
            deviations,
            crossings,
            of_update,
            of_weights,
            left,
            float(np.mean(recorded.astype(np.float64) - taken.losses)) / unit,
            None if first is None else start.step + first,
        )


def _factor(off: np.ndarray, of: np.ndarray) -> float:
    """The factor that makes `of` most of `off`; 0 where `of` is 0."""
    square = float(np.vdot(of, of))
    return float(np.vdot(off, of)) / square if square else 0.0


def _without(off: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What no sum of multiples of `a` and `b` makes of `off`."""
    b = b - _factor(b, a) * a
    left: np.ndarray = off - _factor(off, a) * a - _factor(off, b) * b
    return left


def _share(deviations: dict[str, Deviation]) -> float:
    return max(found.share for found in deviations.values())


def _agree(recorded: np.ndarray, computed: np.ndarray) -> int:
    """How many of the first losses agree."""
    first = _first_loss(recorded, computed)
    return len(recorded) if first is None else first


def _first_loss(recorded: np.ndarray, computed: np.ndarray) -> int | None:
    """The first step, counted from the segment's, whose loss lies off; None where none does."""
    unit = float(np.spacing(np.abs(recorded).max()))
    off = np.abs(recorded.astype(np.float64) - computed)
    beyond = np.flatnonzero(~(off <= limits.LOSSES.most * unit))
    return int(beyond[0]) if len(beyond) else None
