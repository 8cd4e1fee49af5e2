"""Two sets of weights: which tensor of one is which of the other, in which layout, and how far apart they lie.

A square kernel fits with its axes exchanged too, and trained ones are not equal either way. So its orientation is that
of the pair's other kernels, or of its kind of layer. Only where neither tells it is the nearer one, if one is clearly
nearer. A kernel that is near in the other orientation only was not transposed: that is a difference.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shared.comparing.checks import Difference, difference
from shared.logs.meetings import Meeting, by_name, relative
from shared.logs.tensor_layers import of_layers
from shared.logs.tensor_names import AS_IT_IS, KERAS, PYTORCH, TRANSPOSED, framework, stripped, uncounted
from shared.network import Weights
from shared.system.errors import InputError

# One orientation is clearly nearer where its distance is less than this part of the other's. Kernels that have nothing
# to do with each other come near by chance, small ones nearer: of 200,000 pairs 5 by 5 the nearest 0.5; of 160,000
# pairs 16 by 16 0.75, 32 by 32 0.86, 64 by 64 0.95 (normal and heavy-tailed numbers, low rank).
NEARER, NEARER_OF_FEW, FEW = 0.5, 0.01, 25  # FEW: elements
NEARER_OF_MANY, SLOPE = 0.8, 8  # of large kernels: 1 - SLOPE / (rows of a square), 0.8 at most
SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Tensor:
    """A tensor that both have. Distances are infinite where the shapes differ, or something is not finite."""

    names: tuple[str, str]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    layout: str  # how one was laid upon the other, in words; "" where neither way fits
    why: str  # why the two were taken for one tensor
    transposed: bool
    whole: bool  # whether either holds whole numbers, which must be equal
    difference: Difference
    relative: float  # the norm of the difference, in units of the larger norm
    turned: str = ""  # what is wrong with its orientation, in words

    @property
    def agrees(self) -> bool:
        """Whether they lie within one unit in the last place of the largest magnitude. False for different shapes."""
        return self.difference.ulps <= (not self.whole)


@dataclass(frozen=True)
class Tensors:
    """Two sets of weights."""

    shared: dict[str, Tensor]  # by A's name, with B's where it is another; in A's order; never empty
    only: tuple[list[str], list[str]]  # the names that only A has, and only B
    notes: tuple[str, ...] = ()  # what was assumed, a sentence each

    @property
    def agree(self) -> bool:
        return all(tensor.agrees for tensor in self.shared.values()) and not any(self.only)


def compare_tensors(paths: Sequence[Path], a: Weights, b: Weights) -> Tensors:
    """Compare by name, and what is left by order and shape. Raises InputError where nothing meets."""
    left_out = uncounted(a, b), uncounted(b, a)
    a, b = ({n: w[n] for n in w if n not in out} for w, out in zip((a, b), left_out, strict=True))
    meetings = by_name(a, b, _same_names(a, b))
    met = [{meeting.names[side] for meeting in meetings} for side in (0, 1)]
    rest = [{n: w[n] for n in w if n not in met[side]} for side, w in enumerate((a, b))]
    others = of_layers(*rest)
    only = others.only
    if meetings and any(only):  # some names are the same: what has another is another tensor, unless all of it meets
        only = list(rest[0]), list(rest[1])
    else:
        meetings += others.meetings
    if not meetings:
        examples = " and ".join(_example(path, w) for path, w in zip(paths, (a, b), strict=True))
        raise InputError(f"no tensor of one fits one of the other: {examples}; give weights of the same network")
    place, tied = {name: index for index, name in enumerate(a)}, list[str]()
    only = _untied("A", only[0], a, tied), _untied("B", only[1], b, tied)
    meetings.sort(key=lambda meeting: place[meeting.names[0].split(" + ")[0]])
    compared, notes = _oriented(meetings)
    for letter, names in zip("AB", left_out, strict=True):
        if names:
            notes.append(f"Left out of {letter}, for no result depends on it: {_listed(names)}.")
    notes += [*tied, *_exchanged(compared, a, b)]
    labels = [" ~ ".join(dict.fromkeys(tensor.names)) for tensor in compared]
    return Tensors(dict(zip(labels, compared, strict=True)), only, tuple(notes))


def _same_names(a: Weights, b: Weights) -> dict[str, str]:
    """B's names by A's; where none is the same, without what all names of a side begin with."""
    if equal := {name: name for name in a if name in b}:
        return equal
    if {framework(a), framework(b)} == {PYTORCH, KERAS}:  # Keras numbers layers: its dense_1 is the second
        return {}
    of_b = {short: name for name, short in stripped(b).items()}
    return {name: of_b[short] for name, short in stripped(a).items() if short in of_b}


def _example(path: Path, weights: Weights) -> str:
    name, values = next(iter(weights.items()), ("nothing", np.zeros(0)))
    return f"{path} has {name} {values.shape}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _untied(letter: str, names: list[str], weights: Weights, told: list[str]) -> list[str]:
    """What one alone has, without what is another tensor of its once more; `told` gets a sentence for each such."""
    left = []
    for name in names:
        values = weights[name]
        others = (n for n in weights if n not in names and values.ndim > 1 and np.array_equal(weights[n], values))
        if values.size and np.ptp(values) and (twin := next(others, None)):
            told.append(f"{letter}'s {name} is its {twin} once more, as tied weights are.")
        else:
            left.append(name)
    return left


def _exchanged(tensors: Sequence[Tensor], a: Weights, b: Weights) -> list[str]:
    """A sentence where what differs has, in whatever layout, the numbers of another tensor of the other side."""

    def kernels(weights: Weights, side: int) -> dict[bytes, str]:
        names = [tensor.names[side] for tensor in tensors if not tensor.agrees and tensor.names[side] in weights]
        return {np.sort(weights[name], axis=None).tobytes(): name for name in names if weights[name].ndim > 1}

    theirs = kernels(b, 1)
    met = {tensor.names for tensor in tensors}
    found = [(name, theirs[key]) for key, name in kernels(a, 0).items() if key in theirs]
    told = [f"{name} those of {other}" for name, other in found if (name, other) not in met]
    if not told:
        return []
    return [f"A's tensors have the numbers of others in B: {_listed(told)}. Were they exchanged, or met wrongly here?"]


def _oriented(meetings: Sequence[Meeting]) -> tuple[list[Tensor], list[str]]:
    """Each in the orientation of its kind or of the others; and a sentence where nothing tells."""
    votes = {meeting.vote for meeting in meetings}
    expected = next((way for way in (TRANSPOSED, AS_IT_IS) if way in votes), None)
    unknown = [m for m in meetings if len(m.views) > 1 and m.expected is None and expected is None]
    near = Counter(way for meeting in unknown if (way := _nearer(meeting)))
    nearest = max((AS_IT_IS, TRANSPOSED), key=lambda way: near[way])
    tensors = [_tensor(m, m.expected or expected or nearest) for m in meetings]
    if not unknown:
        return tensors, []
    why = "in which they are clearly nearer" if near else "and neither way is clearly nearer"
    names = _listed([meeting.names[0] for meeting in unknown])
    return tensors, [f"No other tensor tells whether a square one is to be transposed: {names} taken {nearest}, {why}."]


def _nearer(meeting: Meeting) -> str | None:
    """The orientation in which the two are clearly nearer; None where neither is."""
    (near, way), (far, _) = sorted((relative(*pair), way) for way, pair in meeting.views.items())
    size = meeting.views[way][0].size
    limit = max(NEARER, min(NEARER_OF_MANY, 1 - SLOPE / np.sqrt(size))) if size >= FEW else NEARER_OF_FEW
    return way if near < limit * far else None


def _tensor(meeting: Meeting, expected: str) -> Tensor:
    if not meeting.views:
        apart = Difference(np.inf, meeting.names[0], 1.0)
        return Tensor(meeting.names, meeting.shapes, "", meeting.why, False, False, apart, np.inf)
    way = expected if expected in meeting.views else next(iter(meeting.views))
    a, b = meeting.views[way]
    tensor = Tensor(
        names=meeting.names,
        shapes=meeting.shapes,
        layout=meeting.layout or way,
        why=meeting.why,
        transposed=way == TRANSPOSED,
        whole=a.dtype.kind != "f" or b.dtype.kind != "f",
        difference=_difference(meeting.names[0], a, b),
        relative=relative(a, b),
    )
    if tensor.agrees or len(meeting.views) == 1 or (near := _nearer(meeting)) in (None, way):
        return tensor
    other = replace(tensor, difference=_difference(meeting.names[0], *meeting.views[near]))
    how = "equal" if other.agrees else "near"
    whose = "its kind of layer needs" if meeting.expected else "the others have"
    if way == TRANSPOSED:
        return replace(
            tensor, turned=f"{how} only without the transpose that {whose}: one of the two was not transposed"
        )
    whose = "its kind of layer needs none" if meeting.expected else "the others have none"
    return replace(tensor, turned=f"{how} only transposed, and {whose}: one of the two was transposed")


def _difference(name: str, a: np.ndarray, b: np.ndarray) -> Difference:
    """As `checks.difference`, but also for tensors of whole numbers and for empty ones."""
    if a.shape == b.shape and np.array_equal(a, b):
        return Difference(0.0, name, 1.0)
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # one dtype may hold larger numbers than the other
            return difference(name, a, b)
    absolute = difference(name, a.astype(np.float64), b.astype(np.float64)).absolute
    return Difference(absolute or 1.0, name, 1.0)  # not equal, though as float64 they are
