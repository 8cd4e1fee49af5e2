"""What was found out about a pair, in words: for the report and for the terminal.

"Confirmed" is said of causes alone, for these were tried. What was only read is told as read.
"""

from collections.abc import Iterator, Sequence
from math import isfinite

from shared.pairs.climb import AFTER, EVALUATED, EVALUATION, GIVEN, GRADIENTS, LIMITS, TRAINED, TRAINING, Check
from shared.pairs.description import Call, Description
from shared.pairs.diagnosis import Diagnosis
from shared.pairs.search import Cause
from shared.system.language import begun, join, say, say_number, sentences

VERDICTS = {"same": "SAME", "defaults": "SAME BUT FOR FRAMEWORK DEFAULTS", "different": "DIFFERENT"}
# What is checked, in order.
GROUPS = {
    GIVEN: say("what the models are given"),
    EVALUATION: say("layers and functions in an evaluation"),
    EVALUATED: say("outputs and loss of an evaluation"),
    TRAINING: say("layers and functions in training"),
    TRAINED: say("outputs and loss in training"),
    GRADIENTS: say("gradients of the first batch"),
    AFTER: say("the steps: rates, losses, weights"),
}
# How the verdict comes about.
JUDGED = (
    say(
        "PyTorch’s weights are carried into the Keras model, and both models are given the same batches. So the first "
        "weights and the order of the data make no difference here."
    ),
    say(
        "Every number that both models compute is compared, in the order in which one depends on another. So the first "
        "that is off tells where the models differ: what comes after it may be off for that reason alone."
    ),
    say(
        "A noise floor is how far rounding alone carries a number. It is measured on these two models: all weights and "
        "inputs are moved by one unit in the last place, and the examples of each batch are taken in reverse."
    ),
    say(
        "{limit:,.0f} noise floors are allowed in float64, which judges. Sound models lie up to some tens "
        "apart, because the frameworks sum in another order, and mistakes lie far beyond: how far is measured, in "
        "benchmarks/pairs.md. Float32 shows what your own curves will look like, and does not judge: there rounding "
        "alone may put an input of a ReLU on the other side of zero.",
        limit=LIMITS["float64"],
    ),
    say(
        "{same} is said where no number lies beyond that limit. {defaults} is said where none is left beyond it once "
        "each framework does what the other does by default. All else is {different}. docs/pairs.md has the whole "
        "rule.",
        same=VERDICTS["same"],
        defaults=VERDICTS["defaults"],
        different=VERDICTS["different"],
    ),
)
SHOWN_NAMES = 12
TENTHS_BELOW, EXPONENT_FROM = 100, 10_000


def full(text: str) -> str:
    """As a sentence of its own."""
    return say("{sentence}.", sentence=begun(text))


def steps_of(diagnosis: Diagnosis) -> str:
    """How many steps were compared."""
    return say_number("{n:,} step", "{n:,} steps", n=len(diagnosis.precisions["float64"].losses[0]))


def listed(names: Sequence[str]) -> str:
    """Names, the first ones where they are many."""
    shown, more = join(say(", "), names[:SHOWN_NAMES]), len(names) - SHOWN_NAMES
    return say("{names} and {n} more", names=shown, n=more) if more > 0 else shown


def times(multiple: float) -> str:
    """A number of noise floors."""
    if not isfinite(multiple):
        return "∞"
    if multiple >= EXPONENT_FROM:
        mantissa, _, exponent = f"{multiple:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    if multiple >= TENTHS_BELOW:
        return f"{multiple:,.0f}"
    return f"{multiple:.2g}" if multiple < 1 else f"{multiple:.1f}"


def off(check: Check) -> str:
    """By how much it is off, as it follows what is."""
    if isfinite(check.multiple):
        return say(", by {times} noise floors", times=times(check.multiple))
    if isfinite(check.difference):
        return say(", by {difference:g} where rounding changes nothing", difference=check.difference)
    # Of what has no counterpart, `what` has said so.
    return "" if ": " in check.what else say(", where one side has numbers that are not finite")


def group(check: Check) -> int:
    """Which of `GROUPS` it is in."""
    return min(check.stage, AFTER)


def same(check: Check, other: Check) -> bool:
    """Whether two climbs' checks are of the same thing."""
    return (check.stage, check.key, check.inside) == (other.stage, other.key, other.inside)


def largest(checks: Sequence[Check]) -> float:
    """In noise floors. Rates are left out: they are settings, and are no results that rounding carries."""
    return max((check.multiple for check in checks if not check.key.startswith("rates/")), default=0.0)


def extent(diagnosis: Diagnosis) -> str:
    """Over how much was compared."""
    exact = diagnosis.precisions["float64"]
    pairings = {check.pairing for check in exact.checks if check.stage == EVALUATION}
    calls = say_number("{n:,} call", "{n:,} calls", n=len(pairings))
    number = sum(check.stage == GRADIENTS for check in exact.checks)
    gradients = say_number("{n:,} gradient", "{n:,} gradients", n=number)
    return say("{calls}, {gradients} and {steps}", calls=calls, gradients=gradients, steps=steps_of(diagnosis))


def agreement(diagnosis: Diagnosis, *, changed: bool = False) -> str:
    """That they compute the same, and to within what; with the changes of all causes, or as they are."""
    exact, plain = diagnosis.precisions["float64"], diagnosis.precisions["float32"]
    if changed:
        return say(
            "from the same weights the two models compute the same, in float64 to within {exact} noise floors, over "
            "{extent}",
            exact=times(largest(diagnosis.explained)),
            extent=extent(diagnosis),
        )
    return say(
        "from the same weights the two models compute the same, in float64 to within {exact} noise floors, in float32 "
        "to within {plain}, over {extent}",
        exact=times(largest(exact.checks)),
        plain=times(largest(plain.checks)),
        extent=extent(diagnosis),
    )


def sentence(diagnosis: Diagnosis) -> str:
    """The verdict in one sentence."""
    match diagnosis.verdict:
        case "same":
            said = agreement(diagnosis)
        case "defaults":
            said = say_number(
                "{n} framework default is confirmed by a trial; without it, {agreement}",
                "{n:,} framework defaults are confirmed, each by a trial; without them, {agreement}",
                n=len(diagnosis.causes),
                agreement=agreement(diagnosis, changed=True),
            )
        case _:
            said = join(say("; "), _different(diagnosis))
    return say("{verdict}: {said}.", verdict=VERDICTS[diagnosis.verdict], said=said)


def _different(diagnosis: Diagnosis) -> Iterator[str]:
    exact, causes, left = diagnosis.precisions["float64"].first, diagnosis.causes, diagnosis.unexplained
    if exact:
        yield say("they differ first in {what}{off} in float64", what=exact.what, off=off(exact))
    if causes:
        n = len(causes)
        yield say_number("{n} cause is confirmed by a trial", "{n:,} causes are confirmed, each by a trial", n=n)
        if left:
            yield say_number(
                "with that change, they still differ first in {what}{off}",
                "with those changes, they still differ first in {what}{off}",
                n=n,
                what=left.what,
                off=off(left),
            )
        elif diagnosis.explained:
            now = agreement(diagnosis, changed=True)
            yield say_number("with that change, {agreement}", "with those changes, {agreement}", n=n, agreement=now)
    elif exact:
        yield say("no cause was confirmed")
    for read in diagnosis.read_only:
        yield say("{read}, which was not measured", read=read)
    if not exact:
        yield say("apart from that, {agreement}", agreement=agreement(diagnosis))


def effect(cause: Cause) -> str:
    """How much it does."""
    check = cause.without
    if not isfinite(check.difference):
        return say("Without this change, they differ first in {what}{off}.", what=check.what, off=off(check))
    return say(
        "Without this change, they differ first in {what}{off}: {difference:.2g} beside numbers up to {largest:.2g}.",
        what=check.what,
        off=off(check),
        difference=check.difference,
        largest=check.largest,
    )


def confirmation(cause: Cause, diagnosis: Diagnosis) -> str:
    """What its trial showed: no more."""
    others = [other for other in diagnosis.causes if other is not cause]
    changes = say("this change")
    if others:
        n = len(others)
        changes = say_number("this change and that of the other", "this change and those of the others", n=n)
    if diagnosis.unexplained:
        return say("confirmed: with {changes} that difference is gone, and another is left", changes=changes)
    return say("confirmed: with {changes} the rest matches", changes=changes)


def place(check: Check, checks: Sequence[Check], diagnosis: Diagnosis) -> str:
    """Where the first difference is made, as far as the checks before it tell."""
    if check.pairing is None:
        return ""
    keras = called(diagnosis.sides.keras.calls[check.pairing.keras])
    if not check.inside:
        return say(
            "All that was compared before it agrees: the difference is made on the way from there to {keras} in Keras, "
            "in code that is no call with a counterpart.",
            keras=keras,
        )
    before = [c for c in checks if c.pairing == check.pairing and c.stage == check.stage and not c.inside]
    if not before:
        return say("What goes into it could not be compared. In Keras it is {keras}.", keras=keras)
    return say("What goes into it agrees: the difference is made in this call. In Keras it is {keras}.", keras=keras)


def excluded(check: Check, checks: Sequence[Check]) -> list[str]:
    """What agrees before the first difference, and so is not where it comes from."""
    before = checks[: next(number for number, other in enumerate(checks) if same(other, check))]
    said: list[str] = []
    for key, name in GROUPS.items():
        agree, n = (sum(group(c) == key for c in some) for some in (before, checks))
        if agree == n and agree:
            said.append(say_number("{name}: all {n:,} check", "{name}: all {n:,} checks", n=n, name=name))
        elif agree:
            said.append(say("{name}: {agree} of {n:,} checks", name=name, agree=agree, n=n))
    return said


def called(call: Call) -> str:
    """A call, for a reader."""
    return say("{place} ({called})", place=call.place, called=call.called) if call.place else call.called


def alone(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Of each side, the calls without a counterpart. Of several that do the work of one, all have one."""
    sides = diagnosis.sides
    ours = {n for p in sides.pairings for n in range(p.first_torch, p.torch + 1)}
    theirs = {n for p in sides.pairings for n in range(p.first_keras, p.keras + 1)}
    return {"PyTorch": _others(sides.torch, ours), "Keras": _others(sides.keras, theirs)}


def _others(side: Description, known: set[int]) -> list[str]:
    return [called(call) for number, call in enumerate(side.calls) if number not in known]


def _never_beside(diagnosis: Diagnosis) -> list[str]:
    """Calls that have a counterpart, and of which neither input nor output could be compared."""
    checked = {check.pairing for check in diagnosis.precisions["float64"].checks if check.stage == EVALUATION}
    calls = diagnosis.sides.torch.calls
    return [called(calls[p.torch]) for p in diagnosis.sides.pairings if p not in checked]


def not_compared(diagnosis: Diagnosis) -> list[str]:
    """What the verdict does not cover."""
    return [*_of_this_pair(diagnosis), *_of_any_pair(diagnosis)]


def _of_this_pair(diagnosis: Diagnosis) -> Iterator[str]:
    torch, keras = diagnosis.sides.torch, diagnosis.sides.keras
    yield from (sentences(full(read), say("It was not measured.")) for read in diagnosis.read_only)
    if any(torch.dropout.values()) or any(keras.dropout.values()):
        zero = say("Dropout: its random numbers can't be the same in both, so its rates were set to 0.")
        equal = say("As read, the rates are the same on both sides.")
        yield zero if diagnosis.read_only else sentences(zero, equal)
    for side, framework in ((torch, "PyTorch"), (keras, "Keras")):
        if side.random_in_evaluation:
            yield say(
                "{framework}’s model is random in an evaluation too: two passes over one batch gave different outputs.",
                framework=framework,
            )
    for framework, calls in alone(diagnosis).items():
        if calls:
            yield say_number(
                "{framework} has {n} call without a counterpart: {calls}. What they compute is compared only where it "
                "goes into a call that has one.",
                "{framework} has {n:,} calls without a counterpart: {calls}. What they compute is compared only where "
                "it goes into a call that has one.",
                n=len(calls),
                framework=framework,
                calls=listed(calls),
            )
    if calls := _never_beside(diagnosis):
        yield say(
            "Arrays of these calls could not be laid beside each other, and were not compared: {calls}.",
            calls=listed(calls),
        )


def _of_any_pair(diagnosis: Diagnosis) -> Iterator[str]:
    steps = len(diagnosis.precisions["float64"].losses[0])
    yield say("How each framework draws its first weights: PyTorch’s were carried into Keras.")
    yield say("How your own programs order and load the data: here both models are given the same batches.")
    yield say(
        "What shows after step {steps:,} only, with another seed or other data, or elsewhere than here: the models "
        "ran eagerly, on the CPU.",
        steps=steps,
    )
    yield say("A mistake that both files share. And a model that is unstable widens its own noise floor.")
