"""Layers that one side has and the other has not, and weights that one side shares and the other does not."""

import re
from collections.abc import Iterator

import numpy as np

from shared.pairs import description as kinds
from shared.pairs.causes import Candidate, with_others
from shared.pairs.description import Layer
from shared.pairs.layouts import Array, torch_pieces
from shared.pairs.pairing import RECURRENT, Sides
from shared.pairs.protocol import Arrays, Edit, told
from shared.system.language import join, say

# What may be left out of a model without another shape of what comes after it.
SAME_SHAPE = {kinds.LAYER_NORM, kinds.BATCH_NORM, kinds.GROUP_NORM, kinds.PRELU}


def of_ties(sides: Sides) -> Iterator[Candidate]:
    """A tensor that PyTorch uses in two places, and Keras has twice: in Keras both have but a part of the gradient."""
    for source, names in sides.carry.untied:
        ordered = [name for name in sides.keras.tensors if name in names]
        trials = [edit for other in ordered[1:] if (edit := _tie(sides, source, ordered[0], other))]
        if len(trials) != len(ordered) - 1:
            continue
        yield Candidate(
            say(
                "{tensor}: one tensor in PyTorch, tied in all its uses; {n} in Keras, not tied, {names}",
                tensor=source,
                n=len(ordered),
                names=join(say(" and "), ordered),
            ),
            tuple(trials),
            say(
                "in place of the layer of {tensor}: keras.ops.matmul(x, keras.ops.transpose(embedding.embeddings)), or "
                "call the one layer again",
                tensor=ordered[1],
            ),
            say("a layer of its own for the second use of {tensor}", tensor=source),
        )
    for layer in sides.carry.alone(sides.torch):
        for name in layer.tensors.values():
            yield from _untied(sides, layer, name)


def _tie(sides: Sides, source: str, one: str, other: str) -> Edit | None:
    """Let both of Keras's be one; None where neither is the other, or its transpose."""
    numbers = {source: np.arange(np.prod(sides.torch.tensors[source].shape)).reshape(sides.torch.tensors[source].shape)}
    a, b = (sides.carry.made[name].value(numbers) for name in (one, other))
    if a is None or b is None:
        return None
    for transposed in (False, True):
        if np.array_equal(a.T if transposed else a, b):
            return Edit(what="tie", place=other, values={"to": one, "transposed": transposed})
    return None


def _untied(sides: Sides, layer: Layer, name: str) -> Iterator[Candidate]:
    """PyTorch's head has a weight of its own, and Keras may make the logits by the embedding's."""
    shape = sides.torch.tensors[name].shape
    for match in sides.carry.matches:
        of, to = match.torch[0], match.keras[0]
        tables = [n for n in of.tensors.values() if sides.torch.tensors[n].shape == shape]
        if layer.kind == kinds.DENSE and of.kind == to.kind == kinds.EMBEDDING and tables:
            yield Candidate(
                say(
                    "{tensor} of {layer} ({called}): a weight of its own in PyTorch; in Keras that of {other}, tied, "
                    "is used in its place",
                    tensor=name,
                    layer=layer.path,
                    called=layer.called,
                    other=to.path,
                ),
                (Edit(what="untie", place=to.path, values={"name": f"torch/{name}"}),),
                say(
                    "keras.layers.Dense({units}, use_bias=False) in place of the product with {layer}.embeddings",
                    units=shape[0],
                    layer=to.path,
                ),
                f"{layer.path}.weight = {of.path}.weight",
            )


BIAS, SCALE = say("bias"), say("scale")
ROLES = {"bias": BIAS, "beta": BIAS, "gamma": SCALE, "moving_mean": say("mean"), "moving_variance": say("variance")}


def role_of(name: str) -> str:
    """What a tensor that a layer may lack is: "0.1.weight", of a normalisation, is a scale."""
    last = re.split("[./]", name)[-1]
    return SCALE if last == "weight" else BIAS if last.startswith("bias") else ROLES.get(last, last)


def of_biases(sides: Sides, weights: Arrays) -> Iterator[Candidate]:
    """A layer has a bias, or a scale, on one side alone. In a trial Keras's stays as it is, or is given PyTorch's."""
    alike: dict[tuple[str, str], list[str]] = {}
    kinds_of = {name: layer.kind for layer in sides.keras.layers for name in layer.tensors.values()}
    for name, path in sides.more_in_keras.items():
        if name.endswith("moving_mean"):
            yield Candidate(
                say(
                    "the statistics of {layer}: PyTorch keeps none, and takes the batch's in evaluation too", layer=path
                ),
                (Edit(what="training", place=path, values={"value": True, "always": True}),),
                say("{call} in evaluation too", call=f"{path}(…, training=True)"),
                "nn.BatchNorm2d(…, track_running_stats=True)",
            )
        if not sides.keras.tensors[name].buffer:
            alike.setdefault((role_of(name), kinds_of[name]), []).append(name)
    for (role, kind), names in alike.items():
        of_norm = kind in SAME_SHAPE
        setting = ("scale" if role == SCALE else "center") if of_norm else "use_bias"
        yield Candidate(
            say(
                "{tensor}: a {role} that PyTorch does not have",
                tensor=with_others(names[0], len(names) - 1),
                role=role,
            ),
            tuple(Edit(what="trainable", place=name, values={"value": False}) for name in names),
            f"{sides.more_in_keras[names[0]]}: {setting}=False",
            say("affine=True (of a layer normalisation: elementwise_affine=True)") if of_norm else "bias=True",
        )
    yield from _more_in_torch(sides, weights)


def _more_in_torch(sides: Sides, weights: Arrays) -> Iterator[Candidate]:
    of = {name: layer for layer in sides.torch.layers for name in layer.tensors.values()}
    alike: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name, path in sides.more_in_torch.items():
        alike.setdefault((role_of(name), of[name].kind), {}).setdefault(path, []).append(name)
    for (role, kind), paths in alike.items():
        of_norm = kind in SAME_SHAPE
        own = ("gamma" if role == SCALE else "beta") if of_norm else "bias"
        edits = []
        for path, names in paths.items():
            values: Array | None = weights[names[0]]
            if kind in RECURRENT:
                values = torch_pieces(of[names[0]], sides.torch)[0].tensors["bias"].value(weights)
            if values is None:
                continue
            given = {"own": own, "values": told(values.tolist()), "name": f"torch/{' + '.join(names)}"}
            edits.append(Edit(what="bias", place=path, values=given))
        path, names = next(iter(paths.items()))
        setting = ("scale" if role == SCALE else "center") if of_norm else "use_bias"
        yield Candidate(
            say(
                "{tensor}: a {role} that Keras does not have, in {layer}",
                tensor=with_others(" + ".join(names), len(paths) - 1),
                role=role,
                layer=path,
            ),
            tuple(edits),
            f"{path}: {setting}=True",
            say("affine=False (of a layer normalisation: elementwise_affine=False)") if of_norm else "bias=False",
        )


def of_more_layers(sides: Sides) -> Iterator[Candidate]:
    """A layer that Keras alone has, left out; one whose output is added, as of positions, adds nothing then."""
    of_torch = {layer.path for layer in sides.torch.layers}
    for lacks, layer in sides.more_layers:
        number = next((n for n, call in enumerate(sides.keras.calls) if call.place == layer.path), None)
        if lacks != "PyTorch" or number is None:
            continue
        edit = None
        without = [c for c in sides.torch.calls if c.kind == layer.kind and c.place not in of_torch]
        if without:
            yield Candidate(
                say(
                    "{layer} ({called}): weights that {other} in PyTorch does not have",
                    layer=layer.path,
                    called=layer.called,
                    other=without[0].called,
                ),
                tuple(Edit(what="trainable", place=n, values={"value": False}) for n in layer.tensors.values()),
                f"{layer.called}(…, center=False, scale=False)",
                f"{without[0].called}(…, elementwise_affine=True)",
            )
        if layer.kind in SAME_SHAPE:
            edit = Edit(what="activation", place=str(number), values={"kind": "", "settings": {}})
        elif layer.kind == kinds.EMBEDDING:
            nothing = {"where": "out", "slot": 0, "scale": 0.0, "offset": 0.0}
            edit = Edit(what="linear", place=str(number), values=nothing)
        if edit:
            yield Candidate(
                say("{layer} ({called}): a layer that PyTorch does not have", layer=layer.path, called=layer.called),
                (edit,),
                say("no {what} there", what=layer.called),
                say("the same layer there"),
            )
