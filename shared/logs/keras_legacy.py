"""The weights in an HDF5 file of the kind that Keras wrote before 3, and still writes as `.h5`: they have names."""

from functools import reduce
from itertools import count, takewhile
from typing import Any

from shared.logs.keras_names import inside

LAYERS, WEIGHTS, OWN = "layer_names", "weight_names", "top_level_model_weights"


def weights(file: Any) -> dict[str, Any]:
    """The datasets by name, in the model's order; none where the file is of another kind. Raises ValueError."""
    root = inside(file, "model_weights") if "model_weights" in file else file
    layers = _attribute(root, LAYERS)
    found: dict[str, Any] = {}
    for layer in [*layers, OWN] if layers and OWN in root else layers:
        group = inside(root, layer)
        for name in _attribute(group, WEIGHTS):
            own = name.partition(":")[0]
            found[own if "/" in own or layer == OWN else f"{layer}/{own}"] = reduce(inside, name.split("/"), group)
    return found


def _attribute(group: Any, name: str) -> list[str]:
    """A list of names; where it was too long for HDF5, its parts are numbered."""
    if name in group.attrs:
        values = list(group.attrs[name])
    else:
        parts = takewhile(lambda part: part in group.attrs, (f"{name}{number}" for number in count()))
        values = [value for part in parts for value in group.attrs[part]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
