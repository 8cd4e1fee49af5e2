"""What is set otherwise in layers that are each other's counterpart, as the two descriptions have it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shared.pairs import description as kinds
from shared.pairs.causes import Candidate, both_default, name_of, rows, tensors_of, titled, with_others
from shared.pairs.description import Call, Setting
from shared.pairs.pairing import Pairing, Sides, folded, in_order
from shared.pairs.protocol import Edit
from shared.system.language import say

ACTIVATIONS = (
    "relu",
    "relu6",
    "gelu",
    "leaky_relu",
    "elu",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "softmax",
    "mish",
    "hard_silu",
    "hard_sigmoid",
    "hardtanh",
    "selu",
    "softsign",
    "log_softmax",
    "thresholded_relu",
)
OF_ACTIVATIONS = {"approximate", "negative_slope", "alpha", "beta", "low", "high"}


def _is_activation(call: Call) -> bool:
    """Of Keras's ReLU with a largest value, the kind has it: relu1."""
    return call.kind in ACTIVATIONS or re.fullmatch(r"relu[\d.]+", call.kind) is not None


def of_layers(sides: Sides) -> Iterator[Candidate]:
    """Settings of layers that are each other's counterpart; those that differ alike are one difference."""
    alike: dict[tuple[str, ...], list[tuple[Layers, Candidate]]] = {}
    for setting, pair, candidate in _of_each_layer(sides):
        a, b = pair.torch, pair.keras
        told = (setting, a.called, b.called, str(a.settings[setting]), str(b.settings[setting]))
        alike.setdefault(told, []).append((pair, candidate))
    for (setting, *_), found in alike.items():
        edits = tuple(edit for _, candidate in found for edit in candidate.edits)
        first = found[0][0]._replace(others=len(found) - 1)
        yield from (replace(candidate, edits=edits) for candidate in BY_SETTING[setting](setting, first))


def _of_each_layer(sides: Sides) -> Iterator[tuple[str, "Layers", Candidate]]:
    ours, theirs = folded(sides.torch.calls), folded(sides.keras.calls)
    seen = set()
    for pairing in sides.pairings:
        a, b = ours[pairing.torch][1], theirs[pairing.keras][1]
        if (a.place, b.place, a.kind) in seen and a.kind not in ACTIVATIONS:
            continue
        seen.add((a.place, b.place, a.kind))
        for name in sorted(a.settings.keys() & b.settings.keys()):
            if a.settings[name] != b.settings[name] and a.kind == b.kind:
                weight = next(iter(tensors_of(sides, b.place)), "")
                pair = Layers(a, b, pairing, weight)
                found = BY_SETTING[name](name, pair) if name in BY_SETTING else ()
                yield from ((name, pair, candidate) for candidate in found)


class Layers(NamedTuple):
    """Two calls that are each other's counterpart."""

    torch: Call
    keras: Call
    pairing: Pairing
    weight: str  # Keras's first tensor of the layer
    others: int = 0  # how many more pairs differ in the same setting by the same values

    @property
    def title(self) -> str:
        """PyTorch's layer, and how many more there are."""
        return with_others(titled(self.torch), self.others)

    def told(self, name: str) -> str:
        """Both values of a setting."""
        return say(
            "{ours} in PyTorch, {theirs} in Keras", ours=self.torch.settings[name], theirs=self.keras.settings[name]
        )


def _of_norm(name: str, pair: Layers) -> Iterator[Candidate]:
    """ε and momentum of a normalisation."""
    a, b = pair.torch, pair.keras
    ours, theirs, told = a.settings[name], b.settings[name], pair.told(name)
    match name:
        case "eps":
            key = {kinds.BATCH_NORM: "batch_norm_epsilon", kinds.LAYER_NORM: "layer_norm_epsilon"}.get(
                a.kind, "group_norm_epsilon"
            )
            yield Candidate(
                say("ε of {layer}: {told}", layer=pair.title, told=told),
                (Edit(what="epsilon", place=b.place, values={"value": ours}),),
                f"{b.called}(…, epsilon={ours})",
                f"{a.called}(…, eps={theirs})",
                rows()[key],
                both_default(key, ours, theirs),
            )
        case "momentum":
            yield Candidate(
                say("momentum (the weight of the new batch) of {layer}: {told}", layer=pair.title, told=told),
                (Edit(what="momentum", place=b.place, values={"value": ours}),),
                f"{b.called}(…, momentum={1 - float(str(ours)):g})",
                f"{a.called}(…, momentum={theirs})",
                rows()["batch_norm_weight_of_the_new"],
                both_default("batch_norm_weight_of_the_new", ours, theirs),
            )


def _of_padding(name: str, pair: Layers) -> Iterator[Candidate]:
    """How many zeros are added where, with what they are filled, and whether they count."""
    a, b = pair.torch, pair.keras
    ours, theirs, told = a.settings[name], b.settings[name], pair.told(name)
    match name:
        case "padding":
            fill = str(
                a.settings.get("padding_mode", "zeros")
                if a.kind == kinds.CONV
                else "lowest"
                if a.kind == "max_pool"
                else "zeros"
            )
            counts = bool(a.settings.get("count_include_pad", True))
            edit = Edit(what="pad", place=b.place, values={"padding": ours, "fill": fill, "count": counts})
            if pair.pairing.first_keras != pair.pairing.keras:  # a padding of its own stands before it
                values = {"padding": ours, "fill": fill}
                edit = Edit(what="padding mode", place=str(pair.pairing.first_keras), values=values)
            yield Candidate(
                say("padding (before and after, in each dimension) of {layer}: {told}", layer=pair.title, told=told),
                (edit,),
                _padded_before(_padding_code(ours, fill), b, 'padding="valid"'),
                _padded_before(f"F.pad(…, {_pads(theirs)})", a, "padding=0"),
                rows().get({kinds.CONV: "halving_padding", "avg_pool": "average_pooling_padding"}.get(a.kind, "")),
                pair.pairing.first_keras == pair.pairing.keras and _same_size_asked(ours, theirs),
            )
        case "padding_mode":
            values = {"padding": b.settings["padding"], "fill": ours}
            padded = pair.pairing.first_keras != pair.pairing.keras
            edit = Edit(what="pad", place=b.place, values={**values, "padding": a.settings["padding"]})
            yield Candidate(
                say("padding mode of {layer}: {told}", layer=pair.title, told=told),
                (Edit(what="padding mode", place=str(pair.pairing.first_keras), values=values),) if padded else (edit,),
                say(
                    "{code} before {layer}",
                    code=f'tf.pad(…, {_pads(a.settings["padding"])}, "{str(ours).upper()}")',
                    layer=name_of(b),
                ),
                f'{a.called}(…, padding_mode="zeros")',
            )
        case "count_include_pad":
            edit = Edit(
                what="pad",
                place=b.place,
                values={"padding": a.settings["padding"], "fill": "zeros", "count": bool(ours)},
            )
            yield Candidate(
                say("whether the zeros of the border count in {layer}: {told}", layer=pair.title, told=told),
                (edit,),
                rows()["average_pooling_padding"].keras,
                f"{a.called}(…, count_include_pad=False)",
                rows()["average_pooling_padding"],
                by_default=True,
            )


def _of_crop(name: str, pair: Layers) -> Iterator[Candidate]:
    """How many of its outputs a transposed convolution leaves out where; fewer than none are added."""
    a, b = pair.torch, pair.keras
    ours, theirs = np.array(a.settings[name]), np.array(b.settings[name])
    yield Candidate(
        say(
            "crop (outputs left out before and after, in each dimension) of {layer}: {told}",
            layer=pair.title,
            told=pair.told(name),
        ),
        (Edit(what="crop", place=b.place, values={"crop": a.settings[name]}),),
        _cropped(f'{b.called}(…, padding="valid")', ours),
        _cropped(f"{a.called}(…, padding=0, output_padding=0)", theirs),
        # As many on other sides: what padding=1, output_padding=1 and "same" do to a stride of 2.
        by_default=bool((ours.sum(-1) == theirs.sum(-1)).all()),
    )


def _cropped(call: str, crops: np.ndarray) -> str:
    told = ", ".join(f"({first}, {last})" for first, last in crops)
    return say("{call}, and of its outputs leave out {crops} before and after", call=call, crops=told)


def _of_function(name: str, pair: Layers) -> Iterator[Candidate]:
    """What an activation or an attention is told."""
    a, b = pair.torch, pair.keras
    ours, theirs, told = a.settings[name], b.settings[name], pair.told(name)
    match name:
        case "approximate" | "negative_slope" | "alpha" | "beta" | "low" | "high":
            settings = {key: value for key, value in a.settings.items() if key in OF_ACTIVATIONS}
            yield Candidate(
                say(
                    "{name} of {kind} after {layer}: {told}",
                    name=name,
                    kind=a.kind.replace("_", " "),
                    layer=with_others(name_of(a), pair.others),
                    told=told,
                ),
                (
                    Edit(
                        what="activation", place=str(pair.pairing.keras), values={"kind": a.kind, "settings": settings}
                    ),
                ),
                _activation_code(a.kind, ours),
                _activation_in_torch(b.kind, theirs),
                rows().get({"approximate": "gelu_function", "negative_slope": "leaky_relu_layer"}.get(name, "")),
                _activation_default(name, a, b),
            )
        case "scale" | "is_causal":
            where = say("{called} in {place}", called=a.called, place=with_others(name_of(a), pair.others))
            if name == "scale" or not (a.settings["mask"] or b.settings["mask"]):
                yield Candidate(
                    say("scale of the products in {where}: {told}", where=where, told=told)
                    if name == "scale"
                    else say("causal mask in {where}: {told}", where=where, told=told),
                    (Edit(what="told", place=str(pair.pairing.keras), values={"name": name, "value": ours}),),
                    f"{b.called}(…, {name}={ours})",
                    f"{a.called}(…, {name}={theirs})",
                )


def _of_embedding(name: str, pair: Layers) -> Iterator[Candidate]:
    """Tokens that are masked, or not trained."""
    a, b = pair.torch, pair.keras
    ours = a.settings[name]
    match name:
        case "mask_zero":
            yield Candidate(
                say("mask of {layer}: none in PyTorch, token 0 is masked in Keras", layer=pair.title),
                (Edit(what="no mask", place=b.place),),
                f"{b.called}(…, mask_zero=False)",
                say("nn.utils.rnn.pack_padded_sequence, and the mask in the loss"),
            )
        case "padding_idx":
            yield Candidate(
                say(
                    "padding_idx of {layer}: {row} in PyTorch, whose row is not trained; none in Keras",
                    layer=pair.title,
                    row=ours,
                ),
                (Edit(what="no gradient of a row", place=pair.weight, values={"row": ours}),),
                say("multiply that row of the gradient by 0 in a subclass of the optimizer"),
                f"{a.called}(…, padding_idx=None)",
            )


def _of_window(name: str, pair: Layers) -> Iterator[Candidate]:
    """Strides and sizes."""
    a, b = pair.torch, pair.keras
    ours, theirs = a.settings[name], b.settings[name]
    own = {"dilation": "dilation_rate", "size": "pool_size"}.get(name, name)
    yield Candidate(
        say("{name} of {layer}: {told}", name=name, layer=pair.title, told=pair.told(name)),
        (Edit(what="attribute", place=b.place, values={"name": own, "value": ours}),),
        f"{b.called}(…, {own}={tuple(ours)})",  # type: ignore[arg-type]
        f"{a.called}(…, {name.removesuffix('s') if name == 'strides' else name}={theirs})",
    )


def _of_attribute(name: str, pair: Layers) -> Iterator[Candidate]:
    """What Keras's layer has as an attribute."""
    b, ours = pair.keras, pair.torch.settings[name]
    yield Candidate(
        say("{name} of {layer}: {told}", name=name, layer=pair.title, told=pair.told(name)),
        (Edit(what="attribute", place=b.place, values={"name": name, "value": ours}),),
        f"{b.called}(…, {name}={ours!r})",
    )


BY_SETTING: dict[str, Callable[[str, Layers], Iterator[Candidate]]] = {
    **dict.fromkeys(("eps", "momentum"), _of_norm),
    **dict.fromkeys(("padding", "padding_mode", "count_include_pad"), _of_padding),
    "crop": _of_crop,
    **dict.fromkeys(("strides", "dilation", "size"), _of_window),
    **dict.fromkeys((*sorted(OF_ACTIVATIONS), "scale", "is_causal"), _of_function),
    **dict.fromkeys(("mask_zero", "padding_idx"), _of_embedding),
    **dict.fromkeys(
        ("reset_after", "go_backwards", "activation", "recurrent_activation", "heads", "groups", "merge_mode"),
        _of_attribute,
    ),
}


def _padded_before(code: str, call: Call, none: str) -> str:
    return say("{code} before {layer}, and there {none}", code=code, layer=name_of(call), none=none)


def _padding_code(padding: Setting, fill: str) -> str:
    if fill == "lowest":  # what is padded is never the largest
        return say("tf.pad(…, {pads} of each image, constant_values=-np.inf)", pads=_pads(padding))
    return f"keras.layers.ZeroPadding{len(padding)}D({_pads(padding)})"  # type: ignore[arg-type]


def _pads(padding: Setting) -> str:
    return str(tuple(tuple(pair) for pair in padding)) if isinstance(padding, list) else str(padding)  # type: ignore[arg-type]


def _same_size_asked(ours: Setting, theirs: Setting) -> bool:
    """Whether both add as many zeros, on other sides: what padding=1 and "same" do to a stride of 2."""
    return all(np.sum(np.array(pads)) > 0 for pads in (ours, theirs))


def _activation_default(name: str, a: Call, b: Call) -> bool:
    if name == "approximate":
        return a.settings[name] == "none" and b.called == "keras.ops.gelu"
    key = "leaky_relu_layer" if b.called == "keras.layers.LeakyReLU" else "leaky_relu_function"
    return name == "negative_slope" and both_default(key, a.settings[name], b.settings[name])


def _activation_code(kind: str, setting: Setting) -> str:
    match kind:
        case "gelu":
            return f"keras.activations.gelu(…, approximate={setting == 'tanh'})"
        case "leaky_relu":
            return f"keras.layers.LeakyReLU(negative_slope={setting})"
        case "":
            return say("no activation")
    return f'activation="{kind}"'


def _activation_in_torch(kind: str, setting: Setting) -> str:
    match kind:
        case "gelu":
            return f'nn.GELU(approximate="{setting}")'
        case "leaky_relu":
            return f"nn.LeakyReLU({setting})"
    return f"F.{kind}" if kind else say("no activation")


def of_activations(sides: Sides) -> Iterator[Candidate]:
    """Between two layers that have counterparts: one activation in place of another, one more, one less."""
    pairings = in_order(sides.pairings)
    starts = [Pairing(-1, -1, -1, -1), *pairings]
    ends = [
        *pairings,
        Pairing(len(sides.torch.calls), len(sides.keras.calls), len(sides.torch.calls), len(sides.keras.calls)),
    ]
    for start, end in zip(starts, ends, strict=True):
        ours = [n for n in range(start.torch + 1, end.first_torch) if _is_activation(sides.torch.calls[n])]
        theirs = [n for n in range(start.keras + 1, end.first_keras) if _is_activation(sides.keras.calls[n])]
        if len(ours) == 1 and len(theirs) == 1:
            a, b = sides.torch.calls[ours[0]], sides.keras.calls[theirs[0]]
            settings = {k: v for k, v in a.settings.items() if k in OF_ACTIVATIONS}
            yield Candidate(
                say(
                    "the activation {where}: {ours} in PyTorch, {theirs} in Keras",
                    where=_after(start, sides),
                    ours=a.called,
                    theirs=_kind(b),
                ),
                (Edit(what="activation", place=str(theirs[0]), values={"kind": a.kind, "settings": settings}),),
                _activation_code(a.kind, next(iter(settings.values()), None)),
                _activation_in_torch(b.kind, next(iter(b.settings.values()), None)),
                family=f"activation {a.called}, {b.called}",
            )
        elif len(theirs) == 1 and not ours:
            b = sides.keras.calls[theirs[0]]
            yield Candidate(
                say(
                    "the activation {where}: none in PyTorch, {theirs} in Keras",
                    where=_after(start, sides),
                    theirs=_kind(b),
                ),
                (Edit(what="activation", place=str(theirs[0]), values={"kind": "", "settings": {}}),),
                say("no {what} there", what=b.kind),
                _activation_in_torch(b.kind, None),
                family=f"activation of {b.called}",
            )
        elif len(ours) == 1 and not theirs and start.keras >= 0 and not sides.orders.get(start.torch, np.zeros(0)).size:
            a = sides.torch.calls[ours[0]]
            edit = Edit(what="after", place=str(start.keras), values={"kind": a.kind, "settings": a.settings})
            code = _activation_code(a.kind, next(iter(a.settings.values()), None))
            yield Candidate(
                say(
                    "the activation {where}: {ours} in PyTorch, none in Keras",
                    where=_after(start, sides),
                    ours=a.called,
                ),
                (edit,),
                code,
                say("no {what} there", what=a.called),
                family=f"activation of {a.called}",
            )


def _after(start: Pairing, sides: Sides) -> str:
    if start.torch < 0:
        return say("of the input")
    return say("after {layer}", layer=name_of(sides.torch.calls[start.torch]))


def _kind(call: Call) -> str:
    return say("{kind} ({called})", kind=call.kind, called=call.called)
