"""Tensors of two files that are taken for the same, and the ways in which one can be laid upon the other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from shared.logs.tensor_names import AS_IT_IS, TRANSPOSED, is_kernel, is_table
from shared.network import Weights

BY_NAME, BY_LAYER, BY_ORDER = "the same name", "the layer's name", "order and shape"
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Meeting:
    """Two tensors, or what several of one side make and one of the other."""

    names: tuple[str, str]
    shapes: tuple[Shape, Shape]
    views: Mapping[str, tuple[np.ndarray, np.ndarray]]  # A's and B's laid upon each other, by orientation
    expected: str | None  # the orientation that the kind of layer has; None where it isn't known
    why: str
    layout: str = ""  # in words, where the orientation is not all
    vote: str | None = None  # the orientation that it shows the pair's kernels to have

    def exchanged(self) -> "Meeting":
        """With A for B."""
        (a, b), (of_a, of_b) = self.names, self.shapes
        views = {way: (second, first) for way, (first, second) in self.views.items()}
        return replace(self, names=(b, a), shapes=(of_b, of_a), views=views)


def met(name: str, other: str, a: np.ndarray, b: np.ndarray, why: str) -> Meeting:
    """Two tensors whose layouts only their shapes tell: as they are, or (out, in, …) upon (…, in, out) or back."""
    views = {AS_IT_IS: (a, b)} if a.shape == b.shape else {}
    turned = [values for values in other_layouts(b) if values.shape == a.shape]
    if turned:
        views[TRANSPOSED] = a, min(turned, key=lambda values: relative(a, values))
    if AS_IT_IS in views and (is_table(name, a.shape) or is_table(other, b.shape)):
        return Meeting((name, other), (a.shape, b.shape), views, AS_IT_IS, why)
    # What had to be transposed tells of the others, whatever it is; what lies as it is tells if it is a kernel.
    only = next(iter(views)) if len(views) == 1 else None
    tells = only == TRANSPOSED or (a.ndim > 1 and is_kernel(name) and is_kernel(other))
    return Meeting((name, other), (a.shape, b.shape), views, None, why, vote=only if tells else None)


def by_name(a: Weights, b: Weights, names: Mapping[str, str]) -> list[Meeting]:
    """`names` are B's by A's."""
    return [met(name, other, a[name], b[other], BY_NAME) for name, other in names.items()]


def other_layouts(values: np.ndarray) -> list[np.ndarray]:
    """A kernel (out, in, …) as (…, in, out), and the other way round: PyTorch's layout and Keras's."""
    if values.ndim <= 1:
        return []
    orders: list[tuple[int, ...]] = [(*range(2, values.ndim), 1, 0)]
    if values.ndim > 2 and 1 in values.shape:  # noqa: PLR2004 of a depthwise one (in, 1, …) the inputs stay first
        orders.append((*range(2, values.ndim), 0, 1))
    return [values.transpose(axes) for order in orders for axes in (order, np.argsort(order))]


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """The norm of the difference, in units of the larger norm; infinite where something is not finite."""
    if a.shape != b.shape:
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = a.astype(np.float64), b.astype(np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return np.inf
    largest = max(np.abs(first).max(initial=0.0), np.abs(second).max(initial=0.0))
    if largest == 0:
        return 0.0
    first, second = first / largest, second / largest  # the squares of large numbers would overflow
    return float(np.linalg.norm(first - second) / max(np.linalg.norm(first), np.linalg.norm(second)))
