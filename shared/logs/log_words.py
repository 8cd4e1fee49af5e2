"""What was found in two results of a user's own, in words: for the report and for the terminal."""

import dataclasses

import numpy as np

from shared.comparing.checks import DIVERGED_ULPS, unequal_inputs, unequal_surroundings
from shared.logs.finding import find
from shared.logs.log_pair import LETTERS, Losses, Pair
from shared.logs.loss_logs import EPOCH, LossLog
from shared.logs.sources import Source
from shared.logs.tensor_pairs import Tensor, Tensors
from shared.running.record import Run

TAKEN = {  # what a loss is of, by `LossLog.taken`
    "batch": "of one batch each",
    "running mean": "each the mean over the epoch so far, which hides what a single batch does",
    EPOCH: "each of an epoch, which hides what a step does",
}
SHOWN_NAMES = 10


def lettered(pair: Pair) -> list[tuple[str, Source]]:
    return list(zip(LETTERS, pair.sources, strict=True))


def notes(pair: Pair) -> list[str]:
    """What a reader must know before anything else."""
    (_, a), (_, b) = lettered(pair)
    same = a.path.samefile(b.path) and a.column == b.column
    found = ["A and B are one and the same file."] if same else []
    if a.run and b.run:
        runs = _called("A", a.run), _called("B", b.run)
        found += [*(f"{reason}." for reason in unequal_inputs(*runs)), *unequal_surroundings(*runs)]
    if pair.losses:
        found += _losses_notes(pair.losses)
    if pair.tensors:
        for letter, names in zip(LETTERS, pair.tensors.only, strict=True):
            if names:
                found.append(f"{letter} alone has {_count(len(names), 'tensor')}: {_listed(names)}.")
        found += tensor_notes(pair.tensors)
        found += [f"{letter}: {note}" for letter, source in lettered(pair) for note in source.weights_notes]
    return found


def _losses_notes(losses: Losses) -> list[str]:
    """What was assumed in reading the logs, and what of them is not compared."""
    found = [f"{letter}: {note}" for letter, log in zip(LETTERS, losses.logs, strict=True) for note in log.notes]
    for letter, only in zip(LETTERS, losses.only, strict=True):
        if len(only):
            which = f", the first {only[0]}, the last {only[-1]}" if len(only) > 1 else f", {only[0]}"
            found.append(f"{letter} alone has {_count(len(only), losses.unit)}{which}.")
    for letter, names in zip(LETTERS, losses.lone, strict=True):
        if names:
            found.append(f"Not compared, for {letter} alone has it: {_listed(list(names))}.")
    if losses.unmet:
        found.append(f"Not compared, for the two have it at no common step: {_listed(list(losses.unmet))}.")
    return found


def hides(log: LossLog) -> str:
    """What a log does not show: how precise its losses are, how often they were written, and what each is of."""
    gaps = np.diff(log.steps)
    every = int(np.median(gaps)) if len(gaps) else 1
    often = f"every {log.counts or 'step'}" if every == 1 else f"every {every:,} {log.counts or 'step'}s"
    of = TAKEN.get(log.taken or (EPOCH if log.counts == EPOCH else ""), "of what, the file does not say")
    return f"{log.precision}, {often}, {of}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def _called(letter: str, run: Run) -> Run:
    """The run under the name `letter`: both may be of one framework."""
    return dataclasses.replace(run, record=run.record.model_copy(update={"framework": letter}))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def sentences(pair: Pair) -> list[str]:
    """What was found: a sentence for the losses, one for the weights."""
    found = [find(pair.losses).sentence] if pair.losses else []
    return found + ([_tensors_sentence(pair.tensors)] if pair.tensors else [])


def tensor_notes(tensors: Tensors) -> list[str]:
    """What was assumed of the weights, and which lie the wrong way."""
    turned: dict[str, list[str]] = {}
    for name, tensor in tensors.shared.items():
        if tensor.turned:
            turned.setdefault(tensor.turned, []).append(name)
    wrong = [f"{_listed(names)}: {what}." for what, names in turned.items()]
    by_order = sum(tensor.names[0] != tensor.names[1] for tensor in tensors.shared.values())
    assumed = (
        f"{_count(by_order, 'tensor')} of other names in A than in B: the table of the weights says what met what."
    )
    return [*wrong, *([assumed] if by_order else []), *tensors.notes]


def _tensors_sentence(tensors: Tensors) -> str:
    apart = {name: tensor for name, tensor in tensors.shared.items() if not tensor.agrees}
    count = _count(len(tensors.shared), "tensor")
    if apart:
        name, tensor = max(apart.items(), key=lambda item: (item[1].turned != "", item[1].difference.absolute))
        return f"DIFFERENT WEIGHTS: {len(apart)} of {count}, most in {name}, {_tensor_distance(tensor)}."
    same = all(tensor.difference.absolute == 0 for tensor in tensors.shared.values())
    how = "number for number" if same else "within one unit in the last place"
    if tensors.agree:
        return f"THE WEIGHTS AGREE: all {count}, {how}."
    return f"OTHER TENSORS: the {count} that both have agree, {how}; the rest has only one of the two."


def _tensor_distance(tensor: Tensor) -> str:
    a, b = tensor.shapes
    if not tensor.layout:
        return f"of shape {a} against {b}"
    if tensor.turned:
        return f"which is {tensor.turned}"
    if not np.isfinite(tensor.difference.absolute):
        return "where not all is finite"
    size = f"by {tensor.difference.absolute:.1e} ({tensor.difference.ulps:.3g} ulps)"
    return f"{size}, {tensor.relative:.1e} of its norm"


def good(pair: Pair) -> bool:
    """Whether the two are the same as far as they tell, or their losses differ as rounding makes them."""
    return (pair.losses is None or find(pair.losses).good) and (pair.tensors is None or pair.tensors.agree)


def gap_in_words(gap: float) -> str:
    return f"{gap:.1e}" if np.isfinite(gap) else "not finite"


def milestones(losses: Losses) -> list[list[str]]:
    """The answers in the order of a reader's questions: what, at which step, and how far apart there."""

    def row(what: str, index: int | None) -> list[str]:
        if index is None:
            return [what, "nowhere", ""]
        return [what, str(losses.steps[index]), gap_in_words(losses.gap[index])]

    return [
        row("what is written differs from", losses.first_difference),
        row("they differ by more than the files can hide from", losses.first_apart),
        row(f"they diverge, by more than {DIVERGED_ULPS} times that, at", losses.diverged),
        row("they differ most at", losses.largest),
        row("the last step that both have", len(losses.steps) - 1),
    ]
