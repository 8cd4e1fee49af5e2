"""What was found out about a pair, in words: for the report and for the terminal.

"Confirmed" is said of causes alone, for these were tried. What was only read is told as read.
"""

from collections.abc import Iterator, Sequence
from math import isfinite

from shared.pairs.climb import AFTER, EVALUATED, EVALUATION, GIVEN, GRADIENTS, LIMITS, TRAINED, TRAINING, Check
from shared.pairs.description import Call, Description
from shared.pairs.diagnosis import Cause, Diagnosis

VERDICTS = {"same": "SAME", "defaults": "SAME BUT FOR FRAMEWORK DEFAULTS", "different": "DIFFERENT"}
# What is checked, in order.
GROUPS = {
    GIVEN: "what the models are given",
    EVALUATION: "layers and functions in an evaluation",
    EVALUATED: "outputs and loss of an evaluation",
    TRAINING: "layers and functions in training",
    TRAINED: "outputs and loss in training",
    GRADIENTS: "gradients of the first batch",
    AFTER: "the steps: rates, losses, weights",
}
# How the verdict comes about.
JUDGED = (
    (
        "PyTorch’s weights are carried into the Keras model, and both models are given the same batches. So the first "
        "weights and the order of the data make no difference here."
    ),
    (
        "Every number that both models compute is compared, in the order in which one depends on another. So the first "
        "that is off tells where the models differ: what comes after it may be off for that reason alone."
    ),
    (
        "A noise floor is how far rounding alone carries a number. It is measured on these two models: all weights and "
        "inputs are moved by one unit in the last place, and the examples of each batch are taken in reverse."
    ),
    (
        f"{LIMITS['float64']:,.0f} noise floors are allowed in float64, which judges. Sound models lie up to some tens "
        "apart, because the frameworks sum in another order, and mistakes lie far beyond: how far is measured, in "
        "benchmarks/pairs.md. Float32 shows what your own curves will look like, and does not judge: there rounding "
        "alone may put an input of a ReLU on the other side of zero."
    ),
    (
        f"{VERDICTS['same']} is said where no number lies beyond that limit. {VERDICTS['defaults']} is said where none "
        "is left beyond it once each framework does what the other does by default. All else is "
        f"{VERDICTS['different']}. docs/pairs.md has the whole rule."
    ),
)
SHOWN_NAMES = 12
TENTHS_BELOW, EXPONENT_FROM = 100, 10_000


def count(number: int, what: str) -> str:
    """So many of them."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def begun(text: str) -> str:
    """With a capital, as a sentence begins."""
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """Names, the first ones where they are many."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


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
        return f", by {times(check.multiple)} noise floors"
    if isfinite(check.difference):
        return f", by {check.difference:g} where rounding changes nothing"
    # Of what has no counterpart, `what` has said so.
    return "" if ": " in check.what else ", where one side has numbers that are not finite"


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
    calls = len({check.pairing for check in exact.checks if check.stage == EVALUATION})
    gradients = sum(check.stage == GRADIENTS for check in exact.checks)
    steps = len(exact.losses[0])
    return f"{count(calls, 'call')}, {count(gradients, 'gradient')} and {count(steps, 'step')}"


def agreement(diagnosis: Diagnosis, *, changed: bool = False) -> str:
    """That they compute the same, and to within what; with the changes of all causes, or as they are."""
    exact, plain = diagnosis.precisions["float64"], diagnosis.precisions["float32"]
    if changed:
        within = f"in float64 to within {times(largest(diagnosis.explained))} noise floors"
    else:
        within = (
            f"in float64 to within {times(largest(exact.checks))} noise floors, "
            f"in float32 to within {times(largest(plain.checks))}"
        )
    return f"from the same weights the two models compute the same, {within}, over {extent(diagnosis)}"


def sentence(diagnosis: Diagnosis) -> str:
    """The verdict in one sentence."""
    causes = diagnosis.causes
    match diagnosis.verdict:
        case "same":
            said = agreement(diagnosis)
        case "defaults":
            them = "it" if len(causes) == 1 else "them"
            said = (
                f"{count(len(causes), 'framework default')} {_each_confirmed(causes)}; without {them}, "
                f"{agreement(diagnosis, changed=True)}"
            )
        case _:
            said = "; ".join(_different(diagnosis))
    return f"{VERDICTS[diagnosis.verdict]}: {said}."


def _each_confirmed(causes: Sequence[Cause]) -> str:
    return "is confirmed by a trial" if len(causes) == 1 else "are confirmed, each by a trial"


def _different(diagnosis: Diagnosis) -> Iterator[str]:
    exact, causes, left = diagnosis.precisions["float64"].first, diagnosis.causes, diagnosis.unexplained
    if exact:
        yield f"they differ first in {exact.what}{off(exact)} in float64"
    if causes:
        yield f"{count(len(causes), 'cause')} {_each_confirmed(causes)}"
        if left:
            yield f"with {_those_changes(causes)}, they still differ first in {left.what}{off(left)}"
        elif diagnosis.explained:
            yield f"with {_those_changes(causes)}, {agreement(diagnosis, changed=True)}"
    elif exact:
        yield "no cause was confirmed"
    for read in diagnosis.read_only:
        yield f"{read}, which was not measured"
    if not exact:
        yield f"apart from that, {agreement(diagnosis)}"


def _those_changes(causes: Sequence[Cause]) -> str:
    return "that change" if len(causes) == 1 else "those changes"


def effect(cause: Cause) -> str:
    """How much it does."""
    check = cause.without
    share = f": {check.difference:.2g} beside numbers up to {check.largest:.2g}" if isfinite(check.difference) else ""
    return f"Without this change, they differ first in {check.what}{off(check)}{share}."


def confirmation(cause: Cause, diagnosis: Diagnosis) -> str:
    """What its trial showed: no more."""
    others = [other for other in diagnosis.causes if other is not cause]
    alone = f"this change and th{'at' if len(others) == 1 else 'ose'} of the other{'s' * (len(others) > 1)}"
    changes = alone if others else "this change"
    if diagnosis.unexplained:
        return f"confirmed: with {changes} that difference is gone, and another is left"
    return f"confirmed: with {changes} the rest matches"


def place(check: Check, checks: Sequence[Check], diagnosis: Diagnosis) -> str:
    """Where the first difference is made, as far as the checks before it tell."""
    if check.pairing is None:
        return ""
    keras = called(diagnosis.sides.keras.calls[check.pairing.keras])
    if not check.inside:
        return (
            "All that was compared before it agrees: the difference is made on the way from there to "
            f"{keras} in Keras, in code that is no call with a counterpart."
        )
    before = [c for c in checks if c.pairing == check.pairing and c.stage == check.stage and not c.inside]
    if not before:
        return f"What goes into it could not be compared. In Keras it is {keras}."
    return f"What goes into it agrees: the difference is made in this call. In Keras it is {keras}."


def excluded(check: Check, checks: Sequence[Check]) -> list[str]:
    """What agrees before the first difference, and so is not where it comes from."""
    before = checks[: next(number for number, other in enumerate(checks) if same(other, check))]
    said = []
    for key, name in GROUPS.items():
        agree, all_of_it = (sum(group(c) == key for c in some) for some in (before, checks))
        if agree:
            of = "all" if agree == all_of_it else f"{agree} of"
            said.append(f"{name}: {of} {count(all_of_it, 'check')}")
    return said


def called(call: Call) -> str:
    """A call, for a reader."""
    return f"{call.place} ({call.called})" if call.place else call.called


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
    yield from (f"{begun(read)}. It was not measured." for read in diagnosis.read_only)
    if any(torch.dropout.values()) or any(keras.dropout.values()):
        equal = "" if diagnosis.read_only else " As read, the rates are the same on both sides."
        yield f"Dropout: its random numbers can't be the same in both, so its rates were set to 0.{equal}"
    for side, name in ((torch, "PyTorch"), (keras, "Keras")):
        if side.random_in_evaluation:
            yield f"{name}’s model is random in an evaluation too: two passes over one batch gave different outputs."
    for name, calls in alone(diagnosis).items():
        if calls:
            yield (
                f"{name} has {count(len(calls), 'call')} without a counterpart: {listed(calls)}. What they compute is "
                "compared only where it goes into a call that has one."
            )
    if calls := _never_beside(diagnosis):
        yield f"Arrays of these calls could not be laid beside each other, and were not compared: {listed(calls)}."


def _of_any_pair(diagnosis: Diagnosis) -> Iterator[str]:
    steps = len(diagnosis.precisions["float64"].losses[0])
    yield "How each framework draws its first weights: PyTorch’s were carried into Keras."
    yield "How your own programs order and load the data: here both models are given the same batches."
    yield (
        f"What shows after step {steps:,} only, with another seed or other data, or elsewhere than here: the models "
        "ran eagerly, on the CPU."
    )
    yield "A mistake that both files share. And a model that is unstable widens its own noise floor."
