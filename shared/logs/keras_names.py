"""Names for the variables in a Keras file, which numbers them: `layers/dense_1/vars/0` is `fc1/kernel`.

The file says what the user called each layer. What a variable is to its layer follows from the class and the shapes;
the order of the layers, which HDF5 does not keep, from the model's configuration, else from where they lie in the file.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.logs.tensor_names import natural

KERNEL, CELL = ("kernel", "bias"), ("kernel", "recurrent_kernel", "bias")
# The variables of a layer in Keras's order, by the class, in Keras's snake case; others are told by their shapes.
VARIABLES = {
    "embedding": ("embeddings",),
    "p_re_lu": ("alpha",),
    "rms_normalization": ("scale",),
    "normalization": ("mean", "variance", "count"),
    "seed_generator": ("seed_generator_state",),
    **dict.fromkeys(("separable_conv1d", "separable_conv2d"), ("depthwise_kernel", "pointwise_kernel", "bias")),
    **dict.fromkeys(("lstm_cell", "gru_cell", "simple_rnn_cell"), CELL),
}
MOVING, SCALES = ("moving_mean", "moving_variance"), {"gamma": "scale", "beta": "center"}
OPTIMIZER = "optimizer"
# Attributes of Keras's own layers, whose layers have better names than these.
INNER = re.compile(r"cell|(forward|backward)_layer|\w+_dense")
Config = Mapping[str, Any]


@dataclass(frozen=True)
class Node:
    """A layer or a container of a file."""

    called: str  # by its user; "" where the file doesn't say
    variables: dict[str, Any]  # HDF5 datasets, by number
    children: dict[str, "Node"]
    last: int  # the largest address of what is in it: what is written later lies further on, but for small gaps


def tree(group: Any, address: Callable[[Any], int]) -> Node:
    """What an HDF5 group holds. Raises ValueError for what Keras never writes: a link out of the group, or a circle."""
    return _node(group, address, set())


def inside(group: Any, name: str) -> Any:
    """What a group holds under this name. Raises ValueError where that is a link out of it."""
    if (link := type(group.get(name, getlink=True)).__name__) != "HardLink":
        raise ValueError(f"{group.name} has for {name} a {link}, which is not followed")
    return group[name]


def _node(group: Any, address: Callable[[Any], int], above: set[int]) -> Node:
    if (own := address(group)) in above:
        raise ValueError(f"{group.name} lies within itself")
    items = {name: inside(group, name) for name in group}
    groups = {name: item for name, item in items.items() if not hasattr(item, "shape") and name != "vars"}
    children = {name: _node(item, address, above | {own}) for name, item in groups.items()}
    variables, called = {name: item for name, item in items.items() if hasattr(item, "shape")}, ""
    if (of := items.get("vars")) is not None and hasattr(of, "keys"):
        called = str(of.attrs.get("name", ""))
        variables |= {name: inside(of, name) for name in sorted(of, key=natural)}
    addresses = [address(item) for item in (*variables.values(), *(items[n] for n in items if n == "vars"))]
    return Node(called, variables, children, max([own, *addresses, *(child.last for child in children.values())]))


def named(node: Node, config: Config) -> dict[str, Any]:
    """The datasets by name, in the model's order. `config` is the model's, of a .keras file; else empty."""
    found: dict[str, Any] = {}
    for name, dataset in _variables(node, (), "", config):
        while name in found:  # layers of a user's own class may have one name; none of them may get lost
            name += "_again"  # noqa: PLW2901
        found[name] = dataset
    return found


def _variables(node: Node, path: tuple[str, ...], stem: str, config: Config) -> Iterator[tuple[str, Any]]:
    settings = _inner(config, "config")
    roles = _roles(stem, [tuple(dataset.shape) for dataset in node.variables.values()], settings)
    for role, (number, dataset) in zip(roles, node.variables.items(), strict=True):
        yield "/".join((*path, role or number)), dataset
    for name, child in sorted(node.children.items(), key=lambda item: item[1].last):
        if name == OPTIMIZER and not path:
            continue
        if name == "layers":
            configs = _by_group(settings.get("layers"))
            order = {group: place for place, group in enumerate(configs)}
            layers = sorted(child.children.items(), key=lambda item: (order.get(item[0], len(order)), item[1].last))
            for group, layer in layers:
                of = configs.get(group, {})
                yield from _variables(layer, (*path, layer.called or group), re.sub(r"_\d+$", "", group), of)
        else:
            called = child.called if INNER.fullmatch(name) and child.called else name
            stem = re.sub(r"_\d+$", "", child.called or name)
            yield from _variables(_numbered(child), (*path, called), stem, {})


def _numbered(node: Node) -> Node:
    """A list of layers of one class with its indices for names: `blocks/block_1` is `blocks/1`."""
    names = sorted(node.children, key=natural)
    if node.called or node.variables or not names:
        return node
    if names != [names[0], *(f"{names[0]}_{i}" for i in range(1, len(names)))]:
        return node
    return replace(node, children={str(i): replace(node.children[name], last=i) for i, name in enumerate(names)})


def _inner(config: object, name: str) -> Config:
    found = config.get(name) if isinstance(config, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _by_group(layers: object) -> dict[str, Config]:
    """The configurations of a container's layers by the names that Keras gives their groups, in order."""
    found: dict[str, Config] = {}
    for layer in layers if isinstance(layers, list) else []:
        name = _snake_case(str(layer.get("class_name"))) if isinstance(layer, Mapping) else "?"
        number = next(i for i in range(len(found) + 1) if (f"{name}_{i}" if i else name) not in found)
        found[f"{name}_{number}" if number else name] = layer
    return found


def _snake_case(name: str) -> str:
    """As Keras makes it, for the names of groups."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _roles(stem: str, shapes: list[tuple[int, ...]], settings: Config) -> Iterable[str]:
    """What each variable is to its layer; "" where that can't be told."""
    count, axes = len(shapes), [len(shape) for shape in shapes]
    if stem in VARIABLES and count <= len(VARIABLES[stem]):
        return VARIABLES[stem][:count]
    if stem.endswith("normalization") and set(axes) == {1}:
        moving = MOVING if stem.startswith("batch") and count >= len(MOVING) else ()
        scales = [name for name, setting in SCALES.items() if settings.get(setting, True)]
        scales = scales if len(scales) == count - len(moving) else [*SCALES][-(count - len(moving)) :]
        return (*scales, *moving)[:count]
    if count == len(CELL) and axes == [2, 2, axes[2]] and shapes[0][1] == shapes[1][1]:
        return CELL
    if axes[:1] and axes[0] > 1 and count <= len(KERNEL) and axes[1:] in ([], [1], [axes[0] - 1]):
        return KERNEL[:count] if count > 1 or stem else ("",)
    return [""] * count
