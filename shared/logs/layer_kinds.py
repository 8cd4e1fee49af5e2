"""The layers of a file of weights, their kinds guessed from names and shapes; described as `--pair` does it."""

import re
from collections.abc import Mapping

from shared.logs.tensor_names import PYTORCH, is_table, split
from shared.network import Weights
from shared.pairs import description as kinds
from shared.pairs.description import Description, Layer, OptimizerFacts, TensorFacts

Shape = tuple[int, ...]
OF_GATES = {4: kinds.LSTM, 3: kinds.GRU, 1: kinds.RNN}
MATRIX, OF_HEADS = 2, 3  # axes; the latter of a kernel of Keras's attention
PROJECTION = re.compile(r"(.*?)\.?(query|key|value|attention_output|output)(_dense)?")
DIRECTION = re.compile(r"(.*?)\.?((?:forward|backward)[^.]*(\..*)?)")


def described(framework: str, weights: Weights) -> Description:
    """What is known of the model: tensors and layers, in the file's order."""
    shapes = {name: values.shape for name, values in weights.items()}
    layers: dict[str, dict[str, str]] = {}
    for name in shapes:
        path, part = (_torch_place if framework == PYTORCH else _keras_place)(name, shapes)
        layers.setdefault(path, {})[part] = name
    kind_of = _torch_kind if framework == PYTORCH else _keras_kind
    described_layers = []
    for path, parts in layers.items():
        kind = kind_of(path, {part: shapes[name] for part, name in parts.items()})
        settings: dict[str, kinds.Setting] = {"depthwise": "depthwise" in path.lower()}
        described_layers.append(Layer(path=path, kind=kind, called=kind, tensors=parts, settings=settings))
    return Description(
        framework="PyTorch" if framework == PYTORCH else "TensorFlow",
        tensors={name: TensorFacts(shape=shape, trainable=True, buffer=False) for name, shape in shapes.items()},
        layers=described_layers,
        calls=[],
        training_calls=[],
        losses=[],
        optimizer=OptimizerFacts(rule="", called="", settings={}, of_tensors={}),
        dropout={},
        random_in_evaluation=False,
        outputs="",
    )


def _torch_place(name: str, shapes: Mapping[str, Shape]) -> tuple[str, str]:
    """The layer and the part in it: an attention's output projection is a part of the attention."""
    path, part = split(name)
    parent, _, own = path.rpartition(".")
    start = parent + "." * bool(parent)
    if own == "out_proj" and (f"{start}in_proj_weight" in shapes or f"{start}q_proj_weight" in shapes):
        return parent, f"out_proj.{part}"
    return path, part


def _keras_place(name: str, shapes: Mapping[str, Shape]) -> tuple[str, str]:
    """The same: of an attention, and of a layer in both directions, the parts are layers themselves."""
    path, part = split(name)
    if found := PROJECTION.fullmatch(path):
        siblings = [split(other) for other, shape in shapes.items() if len(shape) == OF_HEADS]
        projected = {match[2] for at, _ in siblings if (match := PROJECTION.fullmatch(at)) and match[1] == found[1]}
        if {"query", "key", "value"} <= projected:
            return found[1], f"{found[2]}/{part}"
    if found := DIRECTION.fullmatch(path):
        return found[1], f"{found[2]}/{part}"
    return path, part


def _torch_kind(path: str, shapes: Mapping[str, Shape]) -> str:
    hidden = next((shape for part, shape in shapes.items() if part.startswith("weight_hh")), (0, 1))
    weight, bias = shapes.get("weight", ()), "bias" in shapes
    guesses = {
        OF_GATES.get(hidden[0] // hidden[-1], kinds.RAW): hidden[0] > 0,
        kinds.ATTENTION: "in_proj_weight" in shapes or "q_proj_weight" in shapes,
        kinds.BATCH_NORM: "running_mean" in shapes,
        kinds.EMBEDDING: is_table(f"{path}.weight", weight),
        kinds.CONV: len(weight) > MATRIX,  # a transposed one has the same layout here, in both frameworks
        kinds.DENSE: bias and len(weight) == MATRIX,
        kinds.LAYER_NORM: bias and len(weight) == 1,
    }
    # Without a bias it is dense or a table, a scale or a slope: what it meets tells.
    return next((kind for kind, so in guesses.items() if so), kinds.RAW)


def _keras_kind(path: str, shapes: Mapping[str, Shape]) -> str:
    parts = {part.rpartition("/")[2]: shape for part, shape in shapes.items()}
    recurrent = parts.get("recurrent_kernel", (1, 0))
    kernel = next((shape for part, shape in parts.items() if part.endswith("kernel")), ())
    guesses = {
        kinds.BIDIRECTIONAL: any(part.startswith(("forward", "backward")) for part in shapes),
        kinds.ATTENTION: any(part.startswith("query") for part in shapes),
        OF_GATES.get(recurrent[1] // recurrent[0], kinds.RAW): recurrent[1] > 0,
        kinds.SEPARABLE_CONV: "pointwise_kernel" in parts,
        kinds.EMBEDDING: "embeddings" in parts,
        kinds.BATCH_NORM: "moving_mean" in parts,
        kinds.LAYER_NORM: "gamma" in parts or "beta" in parts,
        kinds.DENSE: len(kernel) == MATRIX or "einsum" in path,
        kinds.CONV: len(kernel) > MATRIX,
    }
    return next((kind for kind, so in guesses.items() if so), kinds.RAW)
