"""How one tensor can be made of another: by a scale and an offset, or by putting its entries into another order."""

import itertools
from collections.abc import Sequence

import numpy as np

from shared.system.language import join, say

FIT = 1e-9  # of a tensor's size: what a guess may leave of a difference
FEW = 8  # entries that are written out
# A number is named as this where it is, to nine digits.
NAMED = {
    "√2": 2**0.5,
    "ln 2": float(np.log(2)),
    "255": 255.0,
    "1/255": 1 / 255,
    "127.5": 127.5,
    "ln 10": float(np.log(10)),
}


def named_number(number: float) -> str:
    for name, value in NAMED.items():
        if abs(number / value - 1) < FIT:
            return f"{number:.6g} ({name})"
        if abs(number * value - 1) < FIT:
            return f"{number:.6g} (1 / {name})"
    square = number**2
    if abs(round(square) - square) < FIT * square and round(square) > 1 and abs(round(number) - number) > FIT:
        return f"{number:.6g} (√{round(square)})"
    inverse = 1 / square if square else 0.0
    if inverse and abs(round(inverse) - inverse) < FIT * inverse and round(inverse) > 1:
        root = round(inverse) ** 0.5
        return f"1 / {root:.6g}" if abs(root - round(root)) < FIT else f"1 / √{round(inverse)}"
    return f"{number:.9g}"


def fitted(ours: np.ndarray, theirs: np.ndarray, fit: float = FIT) -> tuple[float, float] | None:
    """Scale and offset that make Keras's tensor PyTorch's; None where none do. NaN and infinity are left out."""
    finite = np.isfinite(ours) & np.isfinite(theirs)
    a, b = ours[finite].astype(np.float64), theirs[finite].astype(np.float64)
    if a.size < 3 or np.ptp(b) == 0:  # noqa: PLR2004
        return None
    for offset_too in (False, True):
        columns = np.stack([b, np.ones_like(b)], 1) if offset_too else b[:, None]
        found, *_ = np.linalg.lstsq(columns, a, rcond=None)
        if np.abs(columns @ found - a).max() <= fit * np.abs(a).max():
            return float(found[0]), float(found[1]) if offset_too else 0.0
    return None


def linear_words(what: str, scale: float, offset: float, fit: float = FIT) -> str:
    said = say("{what} is shifted in Keras", what=what)
    if abs(scale - 1) > fit:
        times = named_number(1 / scale) if scale else "0"
        said = say("{what} is scaled in Keras, {times} times PyTorch's", what=what, times=times)
    if abs(offset) > fit:
        return say("{scaled}, an offset of {offset:.9g}", scaled=said, offset=-offset / scale)
    return said


def reordered(ours: np.ndarray, theirs: np.ndarray, axis: int) -> list[int] | None:
    """The order in which Keras's entries along an axis are PyTorch's; None where there is none, or none is needed."""
    a, b = (np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in (ours, theirs))
    if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all() or len(a) > 4096:  # noqa: PLR2004
        return None
    size = np.abs(a).max()
    order: list[int] = []
    free = np.ones(len(a), bool)  # of equal rows, each is taken once
    for row in a:
        gaps = np.where(free, np.abs(b - row).max(axis=1), np.inf)
        best = int(gaps.argmin())
        if gaps[best] > FIT * size:
            return None
        order.append(best)
        free[best] = False
    return order if order != [*range(len(a))] else None


def rearranged_image(ours: np.ndarray, theirs: np.ndarray, shape: Sequence[int]) -> tuple[str, list[int]] | None:
    """How Keras's flattened image is PyTorch's with axes exchanged or turned round, and the order that undoes it."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    names = (say("rows"), say("columns"), say("channels"))
    for axes in itertools.permutations(range(len(shape))):
        for turned in itertools.chain.from_iterable(itertools.combinations(range(len(shape)), n) for n in range(3)):
            # Where Keras's k-th number stands in PyTorch's.
            seen = np.flip(places, turned).transpose(axes).ravel()
            order = np.argsort(seen)
            if (
                np.array_equal(order, np.arange(len(order)))
                or np.abs(ours - theirs[..., order]).max() > FIT * np.abs(ours).max()
            ):
                continue
            reverse = join(say(", "), (names[axis] for axis in turned))
            how = say("turned round ({axes} in reverse)", axes=reverse) if turned else say("transposed")
            if turned and [*axes] != [*range(len(shape))]:
                how = say("{turned} and transposed", turned=how)
            return how, order.tolist()
    return None
