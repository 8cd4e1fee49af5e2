"""What may make two models differ: read from the two descriptions, or guessed from the numbers where they first differ.

A candidate is a claim with a change of the Keras side that would make it do as PyTorch does. It is a cause only once
the change was made and the numbers agreed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from library_defaults.rows import ROWS, Row
from shared.pairs import description as kinds
from shared.pairs.climb import (
    AFTER,
    EVALUATED,
    EVALUATION,
    GIVEN,
    GRADIENTS,
    TRAINED,
    TRAINING,
    Check,
    Numbers,
    Pairing,
    Sides,
    folded,
    laid_out,
)
from shared.pairs.description import Call, OptimizerFacts, Setting
from shared.pairs.protocol import GIVEN as GIVEN_EDIT
from shared.pairs.protocol import Arrays, Edit, told
from shared.system.paths import ROOT

DEFAULTS_FILE = ROOT / "docs" / "differences.json"
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
)
FIT = 1e-9  # of a tensor's size: what a guess may leave of a difference
FIT_OF_INPUTS = 2e-6  # `prepare` often computes in float32
FEW = 8  # entries that are written out
# A scale or an offset is named as this where it is, to nine digits.
NAMED = {
    "√2": 2**0.5,
    "ln 2": float(np.log(2)),
    "255": 255.0,
    "1/255": 1 / 255,
    "127.5": 127.5,
    "ln 10": float(np.log(10)),
}


@dataclass(frozen=True)
class Candidate:
    """A difference of the two sides, and what would remove it."""

    what: str  # what differs: "ε of blocks.0.norm: 1e-05 in PyTorch, 0.001 in Keras"
    edits: tuple[Edit, ...]  # on the Keras side
    keras: str  # the code that removes it, in the Keras file
    torch: str = ""  # in the PyTorch file
    row: Row | None = None  # of the table of differences
    by_default: bool = False  # both sides are at their framework's default, or neither has a setting for it
    # The stage that must agree too before it counts: a factor can be found for any one number.
    beyond: int = -1

    @property
    def key(self) -> str:
        """What tells it from others."""
        return json.dumps([edit.model_dump() for edit in self.edits], sort_keys=True)


@cache
def _rows() -> dict[str, Row]:
    return {row.key: row for row in ROWS}


@cache
def _measured(framework: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))[framework]["values"]
    return values


def _both_default(key: str, torch: Setting, keras: Setting) -> bool:
    """Whether both sides have what their framework takes unless told otherwise."""
    return bool(_measured("PyTorch").get(key) == torch and _measured("TensorFlow").get(key) == keras)


def read(sides: Sides) -> list[Candidate]:
    """What the descriptions say is set otherwise."""
    return [*_of_layers(sides), *_of_activations(sides), *_of_loss(sides), *_of_optimizer(sides), *_of_trainable(sides)]


def _name(call: Call) -> str:
    return call.place or call.called


def _of_layers(sides: Sides) -> Iterator[Candidate]:
    """Settings of layers that are each other's counterpart."""
    ours, theirs = folded(sides.torch.calls), folded(sides.keras.calls)
    seen = set()
    for pairing in sides.pairings:
        a, b = ours[pairing.torch][1], theirs[pairing.keras][1]
        if (a.place, b.place, a.kind) in seen and a.kind not in ACTIVATIONS:
            continue
        seen.add((a.place, b.place, a.kind))
        for name in sorted(a.settings.keys() & b.settings.keys()):
            if a.settings[name] != b.settings[name] and a.kind == b.kind:
                yield from _of_setting(name, a, b, pairing)


def _of_setting(name: str, a: Call, b: Call, pairing: Pairing) -> Iterator[Candidate]:
    ours, theirs = a.settings[name], b.settings[name]
    told = f"{ours} in PyTorch, {theirs} in Keras"
    where = _name(b)
    match name:
        case "eps":
            key = {kinds.BATCH_NORM: "batch_norm_epsilon", kinds.LAYER_NORM: "layer_norm_epsilon"}.get(
                a.kind, "group_norm_epsilon"
            )
            yield Candidate(
                f"ε of {_name(a)} ({a.called}): {told}",
                (Edit(what="epsilon", place=b.place, values={"value": ours}),),
                f"{b.called}(…, epsilon={ours})",
                f"{a.called}(…, eps={theirs})",
                _rows()[key],
                _both_default(key, ours, theirs),
            )
        case "momentum":
            yield Candidate(
                f"momentum of {_name(a)} ({a.called}), as the weight of the new batch: {told}",
                (Edit(what="momentum", place=b.place, values={"value": ours}),),
                f"{b.called}(…, momentum={1 - float(str(ours)):g})",
                f"{a.called}(…, momentum={theirs})",
                _rows()["batch_norm_weight_of_the_new"],
                _both_default("batch_norm_weight_of_the_new", ours, theirs),
            )
        case "padding":
            fill = (
                a.settings.get("padding_mode", "zeros")
                if a.kind == kinds.CONV
                else "lowest"
                if a.kind == "max_pool"
                else "zeros"
            )
            counts = bool(a.settings.get("count_include_pad", True))
            edit = Edit(what="pad", place=b.place, values={"padding": ours, "fill": fill, "count": counts})
            yield Candidate(
                f"padding of {_name(a)} ({a.called}), before and after in each dimension: {told}",
                (edit,),
                f'keras.layers.ZeroPadding{len(ours)}D({_pads(ours)}) before {where}, and there padding="valid"',  # type: ignore[arg-type]
                f"F.pad(…, {_pads(theirs)}) before {_name(a)}, and there padding=0",
                _rows()["halving_padding"] if a.kind == kinds.CONV else _rows()["average_pooling_padding"],
                _same_size_asked(ours, theirs),
            )
        case "padding_mode":
            values: dict[str, Setting] = {"padding": b.settings["padding"], "fill": ours}
            padded = pairing.first_keras != pairing.keras
            edit = Edit(what="pad", place=b.place, values={**values, "padding": a.settings["padding"]})
            yield Candidate(
                f"padding mode of {_name(a)} ({a.called}): {told}",
                (Edit(what="padding mode", place=str(pairing.first_keras), values=values),) if padded else (edit,),
                f'tf.pad(…, {_pads(a.settings["padding"])}, "{str(ours).upper()}") before {where}',
                f'{a.called}(…, padding_mode="zeros")',
            )
        case "count_include_pad":
            edit = Edit(
                what="pad",
                place=b.place,
                values={"padding": a.settings["padding"], "fill": "zeros", "count": bool(ours)},
            )
            yield Candidate(
                f"whether the zeros of the border count in {_name(a)} ({a.called}): {told}",
                (edit,),
                _rows()["average_pooling_padding"].keras,
                f"{a.called}(…, count_include_pad=False)",
                _rows()["average_pooling_padding"],
                by_default=True,
            )
        case "strides" | "dilation" | "size":
            own = {"dilation": "dilation_rate", "size": "pool_size"}.get(name, name)
            yield Candidate(
                f"{name} of {_name(a)} ({a.called}): {told}",
                (Edit(what="attribute", place=b.place, values={"name": own, "value": ours}),),
                f"{b.called}(…, {own}={tuple(ours)})",  # type: ignore[arg-type]
                f"{a.called}(…, {name.removesuffix('s') if name == 'strides' else name}={theirs})",
            )
        case "approximate" | "negative_slope" | "alpha":
            settings = {
                key: value for key, value in a.settings.items() if key in {"approximate", "negative_slope", "alpha"}
            }
            yield Candidate(
                f"{name} of {a.kind.replace('_', ' ')} after {_name(a)}: {told}",
                (Edit(what="activation", place=str(pairing.keras), values={"kind": a.kind, "settings": settings}),),
                _activation_code(a.kind, ours),
                _activation_in_torch(b.kind, theirs),
                _rows().get({"approximate": "gelu_function", "negative_slope": "leaky_relu_layer"}.get(name, "")),
                _activation_default(name, a, b),
            )
        case "reset_after" | "go_backwards" | "activation" | "recurrent_activation" | "heads" | "groups" | "merge_mode":
            yield Candidate(
                f"{name} of {_name(a)} ({a.called}): {told}",
                (Edit(what="attribute", place=b.place, values={"name": name, "value": ours}),),
                f"{b.called}(…, {name}={ours!r})",
            )


def _pads(padding: Setting) -> str:
    return str(tuple(tuple(pair) for pair in padding)) if isinstance(padding, list) else str(padding)  # type: ignore[arg-type]


def _same_size_asked(ours: Setting, theirs: Setting) -> bool:
    """Whether both add as many zeros, on other sides: what padding=1 and "same" do to a stride of 2."""
    return all(np.sum(np.array(pads)) > 0 for pads in (ours, theirs))


def _activation_default(name: str, a: Call, b: Call) -> bool:
    if name == "approximate":
        return a.settings[name] == "none" and b.called == "keras.ops.gelu"
    key = "leaky_relu_layer" if b.called == "keras.layers.LeakyReLU" else "leaky_relu_function"
    return name == "negative_slope" and _both_default(key, a.settings[name], b.settings[name])


def _activation_code(kind: str, setting: Setting) -> str:
    match kind:
        case "gelu":
            return f"keras.activations.gelu(…, approximate={setting == 'tanh'})"
        case "leaky_relu":
            return f"keras.layers.LeakyReLU(negative_slope={setting})"
        case "":
            return "no activation"
    return f'activation="{kind}"'


def _activation_in_torch(kind: str, setting: Setting) -> str:
    match kind:
        case "gelu":
            return f'nn.GELU(approximate="{setting}")'
        case "leaky_relu":
            return f"nn.LeakyReLU({setting})"
    return f"F.{kind}" if kind else "no activation"


def _of_activations(sides: Sides) -> Iterator[Candidate]:
    """Between two layers that have counterparts: one activation in place of another, one more, one less."""
    pairings = [*sides.pairings]
    starts = [Pairing(-1, -1, -1, -1), *pairings]
    ends = [
        *pairings,
        Pairing(len(sides.torch.calls), len(sides.keras.calls), len(sides.torch.calls), len(sides.keras.calls)),
    ]
    for start, end in zip(starts, ends, strict=True):
        ours = [n for n in range(start.torch + 1, end.first_torch) if sides.torch.calls[n].kind in ACTIVATIONS]
        theirs = [n for n in range(start.keras + 1, end.first_keras) if sides.keras.calls[n].kind in ACTIVATIONS]
        if len(ours) == 1 and len(theirs) == 1:
            a, b = sides.torch.calls[ours[0]], sides.keras.calls[theirs[0]]
            settings = {k: v for k, v in a.settings.items() if k in {"approximate", "negative_slope", "alpha"}}
            yield Candidate(
                f"the activation {_after(start, sides)}: {a.called} in PyTorch, {b.kind} ({b.called}) in Keras",
                (Edit(what="activation", place=str(theirs[0]), values={"kind": a.kind, "settings": settings}),),
                _activation_code(a.kind, next(iter(settings.values()), None)),
                _activation_in_torch(b.kind, next(iter(b.settings.values()), None)),
            )
        elif len(theirs) == 1 and not ours:
            b = sides.keras.calls[theirs[0]]
            yield Candidate(
                f"the activation {_after(start, sides)}: none in PyTorch, {b.kind} ({b.called}) in Keras",
                (Edit(what="activation", place=str(theirs[0]), values={"kind": "", "settings": {}}),),
                f"no {b.kind} there",
                _activation_in_torch(b.kind, None),
            )
        elif len(ours) == 1 and not theirs and start.keras >= 0 and not sides.orders.get(start.torch, np.zeros(0)).size:
            a = sides.torch.calls[ours[0]]
            edit = Edit(what="after", place=str(start.keras), values={"kind": a.kind, "settings": a.settings})
            code = _activation_code(a.kind, next(iter(a.settings.values()), None))
            yield Candidate(
                f"the activation {_after(start, sides)}: {a.called} in PyTorch, none in Keras",
                (edit,),
                code,
                f"no {a.called} there",
            )


def _after(start: Pairing, sides: Sides) -> str:
    return f"after {_name(sides.torch.calls[start.torch])}" if start.torch >= 0 else "of the input"


# Kinds of losses for which the Keras side has PyTorch's formula.
LOSSES = {"cross_entropy", "mse", "mae", "binary_cross_entropy"}


def _of_loss(sides: Sides) -> Iterator[Candidate]:
    """The loss, as it is called."""
    if not sides.torch.losses or not sides.keras.losses:
        return
    ours, theirs = sides.torch.losses[-1], sides.keras.losses[-1]
    settings = dict(theirs.settings)
    if "ignore_class" in settings:
        settings["ignore_index"] = -100 if settings["ignore_class"] is None else settings["ignore_class"]
    if settings.get("reduction") == "sum_over_batch_size":
        settings["reduction"] = "mean"
    settings.setdefault("label_smoothing", 0.0)  # a loss that has none
    differ = {
        k: (ours.settings[k], settings[k]) for k in ours.settings if k in settings and ours.settings[k] != settings[k]
    }
    if ours.kind != theirs.kind:
        told = f"{ours.called} in PyTorch, {theirs.called} in Keras"
    elif differ:
        told = "; ".join(f"{name}: {a} in PyTorch, {b} in Keras" for name, (a, b) in differ.items())
    else:
        return
    if ours.kind in LOSSES:
        row = _rows()["cross_entropy_input"] if "from_logits" in differ else None
        yield Candidate(
            f"the loss, {told}",
            (Edit(what="loss", values={"kind": ours.kind, "settings": ours.settings}),),
            _loss_code(theirs, ours, differ),
            "",
            row,
            bool(row and differ["from_logits"] == (True, False)),
        )


def _loss_code(theirs: Call, ours: Call, differ: Mapping[str, tuple[Setting, Setting]]) -> str:
    names = {"ignore_index": "ignore_class"}
    given = ", ".join(f"{names.get(name, name)}={value!r}" for name, (value, _) in differ.items())
    return f"{theirs.called}(…, {given})" if given else f"Keras's counterpart of {ours.called}"


def _of_trainable(sides: Sides) -> Iterator[Candidate]:
    """Tensors that one side trains and the other does not."""
    for name, sources in sides.carry.sources.items():
        facts = sides.keras.tensors[name]
        ours = any(sides.torch.tensors[source].trainable for source in sources)
        if not facts.buffer and ours != facts.trainable:
            one, other = ("trained", "frozen") if ours else ("frozen", "trained")
            yield Candidate(
                f"{' + '.join(sources)}: {one} in PyTorch, {other} in Keras",
                (Edit(what="trainable", place=name, values={"value": ours}),),
                f"layer.trainable = {ours} for the layer of {name}",
                f"parameter.requires_grad_({not ours})",
            )


def of_biases(sides: Sides, weights: Arrays) -> Iterator[Candidate]:
    """A layer has a bias on one side alone. In a trial Keras's stays at zero, or it is given PyTorch's."""
    for name, path in sides.more_in_keras.items():
        yield Candidate(
            f"{name}: a bias that PyTorch does not have",
            (Edit(what="trainable", place=name, values={"value": False}),),
            f"{path}: use_bias=False (of a normalisation: center=False)",
            "bias=True",
        )
    for name, path in sides.more_in_torch.items():
        yield Candidate(
            f"{name}: a bias that Keras does not have, in {path}",
            (Edit(what="bias", place=path, values={"values": told(weights[name].tolist())}),),
            f"{path}: use_bias=True",
            "bias=False",
        )


def _of_optimizer(sides: Sides) -> Iterator[Candidate]:
    """Its class and its numbers."""
    ours, theirs = sides.torch.optimizer, sides.keras.optimizer
    if ours.rule != theirs.rule:
        settings = _rule_settings(ours)
        yield Candidate(
            f"the optimizer: {ours.called} in PyTorch, {theirs.called} in Keras",
            (Edit(what="rule", values={"rule": ours.rule, "settings": settings}), *_decay_edits(sides)),
            f"keras.optimizers.{ours.called.rpartition('.')[2]}",
            f"torch.optim.{theirs.called.rpartition('.')[2]}",
        )
        return
    if ours.settings.get("dampening"):
        yield Candidate(
            f"dampening of the optimizer: {ours.settings['dampening']} in PyTorch; Keras has none",
            (Edit(what="formula", values={"dampening": ours.settings["dampening"]}),),
            "a subclass of keras.optimizers.SGD whose update_step multiplies the gradient by 1 - dampening",
            f"{ours.called}(…, dampening=0)",
        )
    names = {"momentum", "nesterov", "betas", "eps", "amsgrad", "alpha", "rho", "centered", "initial_accumulator_value"}
    for name in sorted(names & ours.settings.keys() & theirs.settings.keys()):
        a, b = ours.settings[name], theirs.settings[name]
        if a != b:
            key = f"{ours.rule}_{ {'eps': 'epsilon', 'alpha': 'smoothing', 'rho': 'smoothing', 'initial_accumulator_value': 'accumulator'}.get(name, name) }"  # noqa: E501
            yield Candidate(
                f"{name} of the optimizer: {a} in PyTorch, {b} in Keras",
                (Edit(what="optimizer", values={"name": name, "value": a}),),
                f"{theirs.called}(…, {_keras_name(name, a)})",
                f"{ours.called}(…, {name}={_tupled(b)})",
                _rows().get(key),
                _both_default(key, a, b),
            )
    for name in ("clip_norm", "clip_norm_each", "clip_value"):
        a, b = ours.settings.get(name), theirs.settings.get(name)
        if a != b and name != "clip_norm":
            yield Candidate(
                f"clipping ({name}): {a} in PyTorch, {b} in Keras",
                (Edit(what="clip", values={"limit": ours.settings.get("clip_norm")}),),
                f"{theirs.called}(…, {_keras_name(name, a)})",
                row=_rows()["clipping_scope"],
            )
        elif a != b:
            yield Candidate(
                f"clipping of the norm of all gradients: at {a} in PyTorch, at {b} in Keras",
                (Edit(what="clip", values={"limit": a}),),
                f"{theirs.called}(…, global_clipnorm={a})",
                f"nn.utils.clip_grad_norm_(model.parameters(), {b})",
            )
    yield from _of_decay(sides)


def _tupled(value: Setting) -> object:
    return tuple(value) if isinstance(value, list) else value


def _rule_settings(facts: OptimizerFacts) -> dict[str, Setting]:
    kept = {"momentum", "nesterov", "betas", "eps", "amsgrad", "alpha", "centered", "initial_accumulator_value"}
    return {name: value for name, value in facts.settings.items() if name in kept}


def _keras_name(name: str, value: Setting) -> str:
    names = {"eps": "epsilon", "alpha": "rho", "clip_norm_each": "clipnorm", "clip_value": "clipvalue"}
    if name == "betas" and isinstance(value, list):
        return f"beta_1={value[0]}, beta_2={value[1]}"
    return f"{names.get(name, name)}={value}"


def decays(sides: Sides) -> tuple[dict[str, float], dict[str, float]]:
    """The decay of each of Keras's tensors, as PyTorch has it and as Keras does."""
    ours, theirs = sides.torch.optimizer, sides.keras.optimizer

    def of(facts: OptimizerFacts, name: str) -> float:
        value = facts.of_tensors.get(name, {}).get("weight_decay", facts.settings.get("weight_decay", 0.0))
        return float(str(value or 0.0))

    trained = [n for n, facts in sides.keras.tensors.items() if facts.trainable and n in sides.carry.sources]
    return {n: of(ours, sides.carry.sources[n][0]) for n in trained}, {n: of(theirs, n) for n in trained}


COUPLED = {
    "sgd",
    "adam",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adamax",
    "nadam",
}  # where PyTorch's decay is part of the gradient


def _decay_edits(sides: Sides) -> tuple[Edit, ...]:
    ours, _ = decays(sides)
    if not any(ours.values()):
        return ()
    how = "coupled decay" if sides.torch.optimizer.rule in COUPLED else "decays"
    return (Edit(what=how, values={"decays": {n: d for n, d in ours.items() if d}}),)


def _sources(sides: Sides, name: str) -> str:
    return " + ".join(sides.carry.sources[name])


def _of_decay(sides: Sides) -> Iterator[Candidate]:
    ours, theirs = decays(sides)
    differ = [name for name in ours if ours[name] != theirs[name]]
    coupled = sides.torch.optimizer.rule in COUPLED and any(ours.values()) and any(theirs.values())
    if not differ and not coupled:
        return
    edits = _decay_edits(sides) or (Edit(what="decays", values={"decays": {}}),)
    if not differ:
        yield Candidate(
            "weight decay: part of the gradient in PyTorch, beside the rule in Keras",
            edits,
            "keras.regularizers.L2(decay / 2) for each layer, and no weight_decay",
            "p.detach().mul_(1 - rate * decay) after each step, and no weight_decay",
            _rows().get(f"{sides.torch.optimizer.rule}_weight_decay"),
            by_default=True,
        )
        return
    name = differ[0]
    some = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
    values = {(ours[n], theirs[n]) for n in differ}
    key = "adamw_weight_decay"
    yield Candidate(
        f"weight decay of {_sources(sides, name)}{some}: {ours[name]} in PyTorch, {theirs[name]} in Keras",
        edits,
        f"weight_decay={max(ours.values())}, and optimizer.exclude_from_weight_decay(var_names=[…]) for those without",
        f"weight_decay={max(theirs.values())}",
        _rows()[key] if sides.torch.optimizer.rule == "adamw" else None,
        len(values) == 1 and _both_default(key, *next(iter(values))),
    )


def guesses(check: Check, sides: Sides, torch: Numbers, keras: Numbers) -> list[Candidate]:
    """What the numbers at this check, the first that fails, may come from."""
    if check.stage == GIVEN:
        return [*_of_input(check, torch.arrays, keras.arrays)]
    if check.stage in {EVALUATION, TRAINING} and check.pairing:
        return [*_of_call(check, check.pairing, sides, torch, keras)]
    if check.stage in {EVALUATED, TRAINED} and "the loss" in check.what:
        return [*_of_loss_value(check, sides, torch.arrays, keras.arrays)]
    if check.stage in {EVALUATED, TRAINED}:
        return [*_of_outputs(check, torch, keras)]
    if check.stage >= AFTER:
        return [*_of_update(check, sides, torch.arrays, keras.arrays)]
    return []


def _named(number: float) -> str:
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


def _linear_words(what: str, scale: float, offset: float, fit: float = FIT) -> str:
    parts = []
    if abs(scale - 1) > fit:
        parts.append(f"{_named(1 / scale)} times" if scale else "0 times")
    said = f"{what} is scaled in Keras, {parts[0]} PyTorch's" if parts else f"{what} is shifted in Keras"
    if abs(offset) > fit:
        said += f", an offset of {-offset / scale:.9g}"
    return said


def reordered(ours: np.ndarray, theirs: np.ndarray, axis: int) -> list[int] | None:
    """The order in which Keras's entries along an axis are PyTorch's; None where there is none, or none is needed."""
    a, b = (np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in (ours, theirs))
    if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all() or len(a) > 4096:  # noqa: PLR2004
        return None
    size = np.abs(a).max()
    order = []
    for row in a:
        gaps = np.abs(b - row).max(axis=1)
        best = int(gaps.argmin())
        if gaps[best] > FIT * size:
            return None
        order.append(best)
    return order if sorted(order) == [*range(len(a))] and order != [*range(len(a))] else None


def _of_input(check: Check, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    """What `prepare` makes otherwise. The trial gives Keras what PyTorch's makes; what that is, the numbers tell."""
    name, ours, theirs = check.key.removeprefix("given/"), torch[check.key], keras[check.key]
    axes = [*range(ours.ndim)]
    if ours.shape != theirs.shape:
        if ours.ndim != theirs.ndim or ours.ndim < 3:  # noqa: PLR2004
            return
        axes = [0, *axes[2:], 1]
    ours = ours.transpose(axes)
    what, fix = _input_words(ours, theirs) if ours.shape == theirs.shape else (None, "")
    edit = Edit(what=GIVEN_EDIT, place=name, values={"axes": axes})
    gap = float(np.abs(ours.astype(np.float64) - theirs).max()) if ours.shape == theirs.shape else np.inf
    size = float(np.abs(ours).max())
    unknown = f"what prepare makes differs, by up to {gap:.3g}, where the largest number is {size:.3g}"
    yield Candidate(
        f"{check.what}: {what or unknown}",
        (edit,),
        fix or "in prepare, make what the PyTorch file's makes",
    )


def _input_words(ours: np.ndarray, theirs: np.ndarray) -> tuple[str | None, str]:
    """What of PyTorch's input Keras's is, and the code that makes it equal; None where no rule was found."""
    if np.issubdtype(ours.dtype, np.floating) and (fit := fitted(ours, theirs, FIT_OF_INPUTS)):
        scale, offset = fit
        more = f" + {offset:.7g}" if offset else ""
        return _linear_words("it", scale, offset, FIT_OF_INPUTS), f"inputs * {scale:.7g}{more} in prepare"
    for axis in range(ours.ndim - 1, 0, -1):
        if order := reordered(ours, theirs, axis):
            turned = order == [*range(len(order))][::-1]
            channels = turned and len(order) in {3, 4} and axis == ours.ndim - 1
            how = "reversed" if turned else f"in the order {order if len(order) <= FEW else '…'}"
            return (
                f"axis {axis} is {how} in Keras{' (BGR against RGB?)' if channels else ''}",
                f"take axis {axis} in that order",
            )
    for one in range(1, ours.ndim):
        for other in range(one + 1, ours.ndim):
            if ours.shape[one] == ours.shape[other] and np.array_equal(np.swapaxes(theirs, one, other), ours):
                return f"axes {one} and {other} are exchanged in Keras: transposed", f"inputs.swapaxes({one}, {other})"
    return None, ""


def _of_call(check: Check, pairing: Pairing, sides: Sides, torch: Numbers, keras: Numbers) -> Iterator[Candidate]:
    """Of what goes into a call, or comes out of it."""
    of = "evaluation" if check.stage == EVALUATION else "training"
    calls = sides.torch.calls if check.stage == EVALUATION else sides.torch.training_calls
    twins = sides.keras.calls if check.stage == EVALUATION else sides.keras.training_calls
    a, b = calls[pairing.torch], twins[pairing.keras]
    if check.inside:
        number, where, slot = pairing.keras, "out", 0
        ours, theirs = torch.arrays[f"{of}/{a.output}"], keras.arrays[f"{of}/{b.output}"]
        if check.stage == TRAINING and a.kind == kinds.BATCH_NORM:
            yield from _frozen_norm(a, b)
    else:
        first_a, first_b = calls[pairing.first_torch], twins[pairing.first_keras]
        slot = int(check.key.rpartition("/")[2])
        number, where = pairing.first_keras, "in"
        ours, theirs = torch.arrays[f"{of}/{first_a.inputs[slot]}"], keras.arrays[f"{of}/{first_b.inputs[slot]}"]
        a, b = first_a, first_b
    if pairing.torch in sides.orders:
        ours = ours[..., sides.orders[pairing.torch]]
    arranged = laid_out(ours, theirs, a, b)
    if arranged is None:
        return
    if fit := fitted(ours, arranged):
        scale, offset = fit
        values: dict[str, Setting] = {"where": where, "slot": slot, "scale": scale, "offset": offset}
        yield Candidate(
            _linear_words(check.what, scale, offset),
            (Edit(what="linear", place=str(number), values=values),),
            f"multiply it by {_named(scale)}{f' and add {offset:.9g}' if offset else ''} there",
        )
    yield from _orders(
        check, ours, arranged, theirs, Edit(what="", place=str(number), values={"where": where, "slot": slot})
    )
    yield from _other_tensors(check, number, where, slot, (ours, arranged), twins, keras.arrays, of)


def _orders(
    check: Check, ours: np.ndarray, arranged: np.ndarray, theirs: np.ndarray, place: Edit
) -> Iterator[Candidate]:
    if arranged is not theirs:
        return
    for axis in range(1, ours.ndim):
        if order := reordered(ours, arranged, axis):
            how = "reversed" if order == [*range(len(order))][::-1] else "in another order"
            yield Candidate(
                f"{check.what}: axis {axis} is {how} in Keras",
                (
                    place.model_copy(
                        update={"what": "rearrange", "values": place.values | {"axis": axis, "order": order}}
                    ),
                ),
                f"take axis {axis} in the order {order if len(order) <= 8 else '…'} there",  # noqa: PLR2004
            )
            return


def _other_tensors(  # noqa: PLR0913, PLR0917 a place and what was seen
    check: Check,
    number: int,
    where: str,
    slot: int,
    arrays: tuple[np.ndarray, np.ndarray],
    twins: Sequence[Call],
    keras: Arrays,
    of: str,
) -> Iterator[Candidate]:
    """Whether PyTorch's tensor is another of Keras's, or Keras's plus another: a skipped or an added connection."""
    ours, theirs = arrays
    if ours.size < 8 or not np.isfinite(ours).all() or not np.isfinite(theirs).all():  # noqa: PLR2004
        return
    size, gap = np.abs(ours).max(), ours - theirs
    for other, call in enumerate(twins[:number]):
        for end, key in (("in", call.inputs[0] if call.inputs else ""), ("out", call.output)):
            seen = keras.get(f"{of}/{key}")
            if seen is None or seen.shape != ours.shape or not np.issubdtype(seen.dtype, np.floating):
                continue
            named = f"{'what goes into' if end == 'in' else 'the output of'} {_name(call)}"
            values: dict[str, Setting] = {"where": where, "slot": slot, "other": other, "end": end}
            if np.abs(seen - ours).max() <= FIT * size:
                edit = Edit(what="instead", place=str(number), values=values)
                yield Candidate(
                    f"{check.what}: in PyTorch it is {named}, in Keras it is not", (edit,), f"take {named} there"
                )
                return
            for sign, verb in ((1, "is missing in Keras"), (-1, "is added in Keras alone")):
                if np.abs(sign * seen - gap).max() <= FIT * size:
                    edit = Edit(what="add", place=str(number), values={**values, "scale": sign})
                    fix = "add" if sign > 0 else "do not add"
                    yield Candidate(f"{check.what}: {named} {verb}", (edit,), f"{fix} {named} there")
                    return


def _frozen_norm(a: Call, b: Call) -> Iterator[Candidate]:
    for training in (True, False):
        edit = Edit(what="training", place=b.place, values={"value": training})
        which = ("the batch's", "its running") if training else ("its running", "the batch's")
        yield Candidate(
            f"{_name(a)} ({a.called}) in training takes {which[0]} mean and variance in PyTorch, {which[1]} in Keras",
            (edit,),
            f"{_name(b)}(…, training={training})",
            "module.eval()" if training else "module.train()",
            _rows()["batch_norm_frozen"],
        )


def _of_outputs(check: Check, torch: Numbers, keras: Numbers) -> Iterator[Candidate]:
    ours = torch.arrays.get(check.key)
    theirs = keras.arrays.get(check.key)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return
    if fit := fitted(ours, theirs):
        scale, offset = fit
        yield Candidate(
            _linear_words(check.what, scale, offset),
            (Edit(what="linear outputs", values={"scale": scale, "offset": offset}),),
            f"multiply it by {_named(scale)}{f' and add {offset:.9g}' if offset else ''}",
        )


def _of_loss_value(check: Check, sides: Sides, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    ours, theirs = float(torch[check.key]), float(keras[check.key])
    if sides.keras.outputs != sides.torch.outputs or "1)" in sides.keras.outputs:
        yield Candidate(
            "the loss sets outputs of shape (B, 1) against targets of shape (B,), so that each meets all",
            (Edit(what="loss shape"),),
            "targets[:, None] in the loss, or outputs[:, 0]",
            row=_rows()["column_against_vector"],
        )
    yield Candidate(
        "the regularisers in Keras: PyTorch has none, nor a weight decay in their place",
        (Edit(what="no regularisers"),),
        "no kernel_regularizer, bias_regularizer, activity_regularizer",
        "weight_decay of twice their strength",
        _rows()["l2_gradient"],
    )
    yield Candidate(
        "the loss in Keras includes the penalty of its regularisers",
        (Edit(what="penalty"),),
        "leave it out of the loss that is looked at; it is trained all the same",
        row=_rows()["l2_gradient"],
        by_default=True,
    )
    if theirs and np.isfinite(ours / theirs):
        scale = ours / theirs
        yield Candidate(
            f"the loss is {_named(1 / scale)} times PyTorch's in Keras",
            (Edit(what="loss scale", values={"scale": scale}),),
            f"multiply the loss by {_named(scale)}: a sum against a mean, or another count that is divided by",
            beyond=GRADIENTS,
        )


FORMULA = {
    "adam": "adam_epsilon_place",
    "adamw": "adam_epsilon_place",
    "rmsprop": "rmsprop_epsilon_place",
    "adagrad": "adagrad_epsilon_place",
    "sgd": "sgd_momentum",
}


def _of_update(check: Check, sides: Sides, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    """What the formulas of the two frameworks do otherwise, with the same numbers."""
    if "the rate" in check.what:
        rates = [float(rate) for rate in torch["rates"]]
        step = int(check.what.rpartition(" ")[2].replace(",", "")) - 1
        yield Candidate(
            f"the learning rate of step {step + 1:,}: {rates[step]:g} in PyTorch, {keras['rates'][step]:g} in Keras",
            (Edit(what="rates", values={"rates": rates}),),
            _rates_code(rates),
        )
        return
    for pairing in sides.pairings:
        a, b = sides.torch.calls[pairing.torch], sides.keras.calls[pairing.keras]
        if a.kind == kinds.BATCH_NORM and check.tensor in {*_tensors_of(sides, b.place)}:
            yield Candidate(
                f"the running variance of {_name(a)} ({a.called}): by n − 1 in PyTorch, by n in Keras",
                (Edit(what="unbiased variance", place=b.place),),
                _rows()["batch_norm_running_variance"].keras,
                _rows()["batch_norm_running_variance"].pytorch,
                _rows()["batch_norm_running_variance"],
                by_default=True,
            )
    rule = sides.torch.optimizer.rule
    if any(call.kind == kinds.EMBEDDING for call in sides.keras.calls):
        yield Candidate(
            "a token that occurs more than once in a batch: Keras squares each part of its gradient, PyTorch their sum",
            (Edit(what="dense gradients"),),
            "in a subclass of the optimizer: apply([tf.convert_to_tensor(g) for g in grads], …)",
            by_default=True,
        )
    if (limit := sides.torch.optimizer.settings.get("clip_norm")) is not None:
        yield Candidate(
            "clipping: PyTorch divides by the norm of all gradients + 1e-6, Keras by the norm",
            (Edit(what="clip", values={"limit": limit}),),
            _rows()["clipping_denominator"].keras,
            _rows()["clipping_denominator"].pytorch,
            _rows()["clipping_denominator"],
            by_default=True,
        )
    if rule in FORMULA:
        row = _rows()[FORMULA[rule]]
        yield Candidate(
            f"the formula of {rule}: {row.item}: {_measured('PyTorch')[row.key]} in PyTorch, "
            f"{_measured('TensorFlow')[row.key]} in Keras",
            (Edit(what="formula"),),
            row.keras,
            row.pytorch,
            row,
            by_default=True,
        )
    yield from _two_biases(sides)


def _tensors_of(sides: Sides, place: str) -> Sequence[str]:
    return [name for layer in sides.keras.layers if layer.path == place for name in layer.tensors.values()]


def _two_biases(sides: Sides) -> Iterator[Candidate]:
    twice = [name for name, made in sides.carry.made.items() if made.summed]
    trained = [n for n in twice if sum(sides.torch.tensors[source].trainable for source in sides.carry.sources[n]) > 1]
    if trained:
        yield Candidate(
            f"{' + '.join(sides.carry.sources[trained[0]])}: PyTorch trains two biases where Keras has one, their sum",
            (Edit(what="two biases", values={"names": list(trained)}),),
            "nothing: Keras has one bias",
            "lstm.bias_hh_l0.requires_grad_(False) after nn.init.zeros_(lstm.bias_hh_l0)",
            by_default=True,
        )


def _rates_code(rates: Sequence[float]) -> str:
    steady = len(set(rates)) == 1
    return (
        f"learning_rate={rates[0]:g}"
        if steady
        else f"a schedule that gives {', '.join(f'{r:g}' for r in rates[:4])}, …"
    )
