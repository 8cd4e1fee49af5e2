"""Is a run the one that its configuration demands? All that it recorded is derived again, and nothing is presumed.

The rules are explained in docs/parity.md.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from shared import metrics, random_numbers
from shared.comparing.deviations import INPUTS, OUTPUTS, deviation
from shared.comparing.segments import LOSSES, Segment, Segments
from shared.contract import Dataset
from shared.mnist import Split, check_examples, checksum
from shared.network import initial_weights
from shared.reference import data
from shared.reference.replay import Replay, State, Stepper, rounding_steppers
from shared.running import batches
from shared.running.record import PROBED_EXAMPLES, Epoch, Run, Steps
from shared.system.language import say
from shared.training import Training

# What is systematic is no rounding, however small: it has a direction. Over all segments the median share of the
# updates, and of the weights, in what a tensor lies off is allowed so many units of its dtype's precision, for
# constants that one side rounds and the other does not; and so many standard errors.
UPDATES_EPSILONS, WEIGHTS_EPSILONS, STANDARD_ERRORS = 2.0, 0.1, 6.0
# The same of the median difference of a segment's losses, in units in the last place.
LOSSES_ULPS = 0.3
# And what is left of the difference, once these shares are taken out of it, points where it likes in each segment: the
# median correlation of one with the next is so much at the most, and as many standard errors.
CORRELATION = 0.03
SPLITS: tuple[Split, ...] = ("train", "test")
FIRST_STEP, EVERY_STEP = say("first step"), say("every step")
ENOUGH = 3  # segments that fail: no more are looked at
CHAOTIC = 1_000  # units in the last place: where rounding alone carries a few steps so far, nothing can be told
FEWEST_SEGMENTS = 12  # that a standard error can be taken of
# Derived figures are sums in float64, which two versions of NumPy may add in another order.
SAME_FIGURE = 1e-12


@dataclass(frozen=True)
class Finding:
    """One thing that was derived again."""

    check: str
    where: str
    numbers: int  # that were compared
    share: float  # of what is allowed: above 1, or no number, it is a mistake
    size: str  # how far off, in words
    sentence: str  # what is wrong, where it is

    @property
    def passes(self) -> bool:
        return self.share <= 1


@dataclass(frozen=True)
class Verification:
    """All that was found of a run."""

    framework: str
    findings: list[Finding]
    segments: list[Segment]
    smallest: dict[str, float]  # what would have been seen: the smallest error of the rate, and the smallest decay

    @property
    def checks(self) -> dict[str, list[Finding]]:
        """The findings by check."""
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.check, []).append(finding)
        return found

    @property
    def reasons(self) -> list[str]:
        """Of each check that fails, its first failing: a sentence."""
        reasons = []
        for findings in self.checks.values():
            if failing := [finding for finding in findings if not finding.passes]:
                first, *others = failing
                told = say("{sentence} (and {more} more)", sentence=first.sentence, more=len(others))
                reasons.append(told if others else first.sentence)
        return reasons

    def repeats(self, run: Run, again: Run) -> "Verification":
        """The same, where this is of a run made `again`, to see more of it: and whether it is the same as the first."""
        pairs = [(run.step_losses, again.step_losses), (run.arrays["test_logits"], again.arrays["test_logits"])]
        pairs += [(values, again.weights[name]) for name, values in run.weights.items()]
        same = all(np.array_equal(*pair) for pair in pairs)
        told = say(
            "{framework}, run again to see more, gave other numbers: it does not repeat, and was not verified",
            framework=self.framework,
        )
        where = say("losses, weights, logits")
        finding = Finding(say("repeats"), where, len(pairs), 0.0 if same else np.inf, "", told)
        return dataclasses.replace(self, findings=[finding, *self.findings])

    @property
    def crossings(self) -> int:
        """How many ReLU inputs lay so near to zero that rounding decided their side."""
        return sum(len(segment.crossings) for segment in self.segments)


@functools.lru_cache(maxsize=4)
def _checksum(dtype: str, split: Split) -> str:
    """SHA-256 of a split as it must be on the device."""
    return checksum(*datasets(dtype)[SPLITS.index(split)])


examples_of = functools.lru_cache(maxsize=2)(data.read)  # 55 MB, which would take a third of a second to read again


@functools.lru_cache(maxsize=2)
def datasets(dtype: str) -> tuple[Dataset[np.ndarray], Dataset[np.ndarray]]:
    """The training and the test set as the reference reads them, checked."""
    made = []
    for split in SPLITS:
        check_examples(split, examples_of(split))
        made.append(data.to_dataset(examples_of(split), Training(dtype=dtype), "cpu"))
    return made[0], made[1]


class Taking:
    """Takes the segments of a run again, one after the other, as far as the run has come; up to a few that fail."""

    def __init__(self, framework: str, told: Callable[[int], object] = lambda _steps: None) -> None:
        """`told` is called with the number of steps that have been taken."""
        self._framework, self._told = framework, told
        self.segments: list[Segment] = []
        # How much of what is left points the same way in each segment and the one before it, by tensor.
        self.alike: list[dict[str, float]] = []
        self._seen: Steps | None = None

    def go_on(self, steps: Steps, executor: Executor) -> None:
        """Take those that have come to their end. `steps` holds all that was recorded so far; `executor` has threads.

        Every number must be finite.
        """
        self._seen, segments = steps, segments_of(self._framework, steps)
        to_take = [] if self.has_failed else segments.whole[len(self.segments) :]
        for segment in executor.map(lambda ends: segments.take(*ends), to_take):
            if self.segments:
                before = self.segments[-1].left
                self.alike.append({name: _correlation(left, before[name]) for name, left in segment.left.items()})
                self.segments[-1] = dataclasses.replace(self.segments[-1], left={})  # as large as the weights
            self.segments.append(segment)
            self._told(segment.until)
            if self.has_failed:
                break

    @property
    def has_failed(self) -> bool:
        """Whether so many segments have failed that no more are taken."""
        return sum(not segment.share <= 1 for segment in self.segments) >= ENOUGH

    def is_of(self, run: Run) -> bool:
        """Whether what was taken is what this run recorded in the end."""
        seen = self._seen.arrays if self._seen else {}
        recorded = dict(run.arrays)
        if seen:
            recorded["step_losses"] = run.step_losses[: len(seen["step_losses"])]
        return all(name in recorded and np.array_equal(values, recorded[name]) for name, values in seen.items())


def verify(run: Run, executor: Executor, begun: Taking | None = None) -> Verification:
    """Derive again all that a run with checkpoints recorded. Every number must be finite.

    The segments are taken by `executor`'s threads, but for those that were taken while the run was made.
    """
    taking = begun if begun and begun.is_of(run) else Taking(run.record.framework)
    taking.go_on(run.steps, executor)
    verifier, taken = _Verifier(run), taking.segments
    findings = [*verifier.given(), *verifier.first_step(), *verifier.steps(taken)]
    findings += [*verifier.systematic(taken, taking.alike), *verifier.logits(), *verifier.figures()]
    return Verification(run.record.framework, findings, taken, verifier.smallest(taken))


def segments_of(framework: str, steps: Steps) -> Segments:
    """The segments of a run with checkpoints."""
    train_set, _ = datasets(steps.training.dtype)
    return Segments(steps, Replay(steps.training, train_set, _draw(framework, steps.training)))


def _draw(framework: str, training: Training) -> int:
    """The purpose of the random numbers that order the examples of a run."""
    return random_numbers.OTHER_ORDER if "order" in training.defaults_of(framework) else random_numbers.ORDER


class _Verifier:
    def __init__(self, run: Run) -> None:
        self._run, self._training, self._name = run, run.record.training, run.record.framework
        self._train_set, self._test_set = datasets(self._training.dtype)
        self._initial = initial_weights(self._training, self._training.defaults_of(self._name))
        self.segments = segments_of(self._name, run.steps)
        self._replay = self.segments.replay

    def _exactly(self, check: str, where: str, same: bool, sentence: str) -> Finding:
        size = say("the same") if same else say("not the same")
        return Finding(check, where, 1, 0.0 if same else np.inf, size, sentence)

    def given(self) -> Iterator[Finding]:
        """What the run was given: data, order, initial weights."""
        record, name, draw = self._run.record, self._name, _draw(self._name, self._training)
        for split in SPLITS:
            same = record.data_checksum.get(split) == _checksum(self._training.dtype, split)
            told = say(
                "{name} holds other {split} inputs or labels on its device than the normalised {split} set",
                name=name,
                split=split,
            )
            yield self._exactly(say("data on the device"), split, same, told)
        for number, found in enumerate(record.order_checksums, start=1):
            same = found == batches.checksum(batches.epoch_order(self._training.seed, number - 1, draw))
            told = say(
                "{name} saw the examples of epoch {number} in another order than its configuration's",
                name=name,
                number=number,
            )
            yield self._exactly(say("order of the examples"), _epoch(number), same, told)
        recorded = self._run.at(0, "weights")
        for tensor, values in self._initial.items():
            told = say(
                "{name} starts from other weights than its configuration's: {tensor} differs", name=name, tensor=tensor
            )
            yield self._exactly(say("initial weights"), tensor, np.array_equal(recorded[tensor], values), told)
        kept = self._run.at(0, "kept")
        start = Stepper(self._training, State(0, self._initial, {})).state.kept
        for buffer, values in start.items():
            told = say(
                "{name}'s optimizer starts from other buffers than its configuration's: {buffer} differs",
                name=name,
                buffer=buffer,
            )
            yield self._exactly(say("initial weights"), buffer, np.array_equal(kept[buffer], values), told)

    def first_step(self) -> Iterator[Finding]:
        """What the first step computes, tensor by tensor."""
        batch = self._replay.batch(0)[:PROBED_EXAMPLES]
        examples = self._train_set.inputs[batch], self._train_set.labels[batch]
        start = State(0, self._run.at(0, "weights"), {})
        plain, *others = (stepper.probe(*examples) for stepper in rounding_steppers(self._training, start))
        for tensor, computed in plain.items():
            recorded = self._run.arrays[f"at/0/{tensor}"]
            limits = INPUTS if tensor == "input" else OUTPUTS
            found = deviation(recorded, computed, limits)
            if found.share > 1:
                found = deviation(recorded, computed, limits, [other[tensor] for other in others])
            told = say(
                "{name}'s {tensor} of the first step lies {size}", name=self._name, tensor=tensor, size=found.size
            )
            yield Finding(FIRST_STEP, tensor, recorded.size, found.share, found.size, told)

    def steps(self, taken: Iterable[Segment]) -> Iterator[Finding]:
        """Every step, from the weights before it."""
        for segment in taken:
            worst, found = segment.worst, segment.deviations[segment.worst]
            steps = say("steps {first:,} to {last:,}", first=segment.first, last=segment.until - 1)
            told = self._wrong_steps(segment, steps)
            where = say("{tensor}, {steps}", tensor=worst, steps=steps)
            numbers = sum(values.size for values in self._run.weights.values()) + segment.until - segment.first
            yield Finding(EVERY_STEP, where, numbers, found.share, found.size, told)

    def _wrong_steps(self, segment: Segment, steps: str) -> str:
        """What is wrong with a segment, where it is."""
        worst, found = segment.worst, segment.deviations[segment.worst]
        if found.floor > CHAOTIC:
            return say(
                "{name}'s {steps} can't be judged: there rounding alone carries {tensor} {floor:.3g} units in the "
                "last place; lower --learning-rate",
                name=self._name,
                steps=steps,
                tensor=worst,
                floor=found.floor,
            )
        ends = say("{tensor} ends {size}", tensor=worst, size=found.size)
        told = say(
            "{name}'s {steps} are not what its weights before them lead to: {off}",
            name=self._name,
            steps=steps,
            off=say("their losses lie {size}", size=found.size) if worst == LOSSES else ends,
        )
        if segment.first_loss is None:
            return told
        return say("{told}; the first loss to differ is step {step:,}'s", told=told, step=segment.first_loss)

    def systematic(self, taken: Sequence[Segment], alike: Sequence[dict[str, float]]) -> Iterator[Finding]:
        """What has the same direction in all segments, where there are enough, and all were taken."""
        if len(taken) < max(FEWEST_SEGMENTS, len(self.segments.ends)):
            return
        for tensor in taken[0].of_update:
            size, allowed = median([s.of_update[tensor] for s in taken], self._epsilons(UPDATES_EPSILONS))
            told = say(
                "{name}'s updates of {tensor} are 1 {size:+.2g} times what its gradients make them",
                name=self._name,
                tensor=tensor,
                size=size,
            )
            yield self._leans(say("size of the updates"), tensor, size, allowed, told, len(taken))
            size, allowed = median([s.of_weights[tensor] for s in taken], self._epsilons(WEIGHTS_EPSILONS))
            told = say(
                "{name}'s {tensor} becomes 1 {size:+.2g} times itself in a segment, beside its updates",
                name=self._name,
                tensor=tensor,
                size=size,
            )
            yield self._leans(say("decay of the weights"), tensor, size, allowed, told, len(taken))
            size, allowed = median([each[tensor] for each in alike], CORRELATION)
            told = say(
                "What {name}'s {tensor} lies off points the same way in one segment and the next ({size:+.2g})",
                name=self._name,
                tensor=tensor,
                size=size,
            )
            yield self._leans(say("direction of what is left"), tensor, size, allowed, told, len(taken))
        size, allowed = median([segment.loss_bias for segment in taken], LOSSES_ULPS)
        told = say(
            "{name}'s losses lie {size:+.2g} units in the last place off, on average", name=self._name, size=size
        )
        yield self._leans(say("mean of the losses"), LOSSES, size, allowed, told, len(taken))

    def _epsilons(self, count: float) -> float:
        return count * float(np.finfo(self._training.numpy_dtype).eps)

    def _leans(self, check: str, where: str, size: float, allowed: float, told: str, segments: int) -> Finding:
        sentence = say(
            "{told}, over {segments} segments; rounding explains {allowed:.2g}",
            told=told,
            segments=segments,
            allowed=allowed,
        )
        return Finding(check, where, segments, abs(size) / allowed, f"{size:+.1e}", sentence)

    def smallest(self, taken: Sequence[Segment]) -> dict[str, float]:
        """The smallest error of the learning rate, and the smallest decay, that would not have passed for rounding."""
        if len(taken) < FEWEST_SEGMENTS:
            return {}
        rate = min(
            median([s.of_update[t] for s in taken], self._epsilons(UPDATES_EPSILONS))[1] for t in taken[0].of_update
        )
        shrinks = min(
            median([s.of_weights[t] for s in taken], self._epsilons(WEIGHTS_EPSILONS))[1] for t in taken[0].of_weights
        )
        steps = float(np.median([segment.until - segment.first for segment in taken]))
        return {"rate": rate, "decay": shrinks / (steps * self._training.learning_rate)}

    def logits(self) -> Iterator[Finding]:
        """The test set's logits after each epoch, from the weights then."""
        for epoch, recorded in enumerate(self._run.arrays["test_logits"], start=1):
            state = self.segments.state(epoch * self._training.steps_per_epoch)
            plain, *others = rounding_steppers(self._training, state._replace(kept={}))
            computed = plain.predict(self._test_set.inputs)
            found = deviation(recorded, computed, OUTPUTS)
            if found.share > 1:
                rounded = [other.predict(self._test_set.inputs) for other in others]
                found = deviation(recorded, computed, OUTPUTS, rounded)
            told = say(
                "{name}'s test logits after epoch {epoch} are not those of its weights: they lie {size}",
                name=self._name,
                epoch=epoch,
                size=found.size,
            )
            yield Finding(say("test logits"), _epoch(epoch), recorded.size, found.share, found.size, told)

    def figures(self) -> Iterator[Finding]:
        """Each epoch's figures, from the losses and logits that the run recorded."""
        steps = self._training.steps_per_epoch
        sizes = [len(self._replay.batch(step)) for step in range(steps)]
        for number, (epoch, logits) in enumerate(
            zip(self._run.record.epochs, self._run.arrays["test_logits"], strict=True), start=1
        ):
            losses = self._run.step_losses[(number - 1) * steps : number * steps]
            derived = Epoch(
                train_loss=metrics.mean_of_batch_means(losses),
                train_loss_per_example=metrics.mean_per_example(losses, sizes),
                test_loss=metrics.cross_entropy(logits, self._test_set.labels),
                test_accuracy=metrics.accuracy(logits, self._test_set.labels),
            )
            for figure, value in derived:
                given = getattr(epoch, figure)
                same = abs(given - value) <= SAME_FIGURE * abs(value)
                told = say(
                    "{name}'s {figure} of epoch {number} is {given!r}; what it recorded makes {value!r}",
                    name=self._name,
                    figure=figure,
                    number=number,
                    given=given,
                    value=value,
                )
                where = say("{figure} of epoch {number}", figure=figure, number=number)
                yield self._exactly(say("figures of the epochs"), where, same, told)


def _epoch(number: int) -> str:
    return say("epoch {number}", number=number)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the angle between two tensors; 0 where one is 0."""
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.vdot(a, b)) / norms if norms else 0.0


def median(values: Sequence[float], allowance: float) -> tuple[float, float]:
    """The median over the segments, which a crossing in a few of them does not move, and how large it may be."""
    middle = float(np.median(values))
    # Of normal values, the standard deviation is 1.4826 median deviations, and the median's standard error 1.2533 times
    # the mean's.
    deviation = 1.4826 * float(np.median(np.abs(np.array(values) - middle)))
    return middle, allowance + STANDARD_ERRORS * 1.2533 * deviation / float(np.sqrt(len(values)))
