"""What is set otherwise in the loss, the optimizer and what it trains, and carried otherwise by the user's own map."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from shared.pairs.causes import CARRY, Candidate, both_default, rows, sources_of, with_others
from shared.pairs.description import Call, OptimizerFacts, Setting
from shared.pairs.pairing import Sides
from shared.pairs.protocol import Arrays, Edit
from shared.pairs.relations import reordered
from shared.system.language import join, say

# Rules for which the Keras side has PyTorch's formula.
EMULATED = {"sgd", "adam", "adamw", "rmsprop", "adagrad"}
# Kinds of losses for which the Keras side has PyTorch's formula.
LOSSES = {"cross_entropy", "nll", "mse", "mae", "binary_cross_entropy", "huber", "smooth_l1"}


def of_loss(sides: Sides) -> Iterator[Candidate]:
    """The loss, as it is called."""
    if not sides.torch.losses or not sides.keras.losses:
        return
    ours, theirs = sides.torch.losses[-1], sides.keras.losses[-1]
    settings = dict(theirs.settings)
    if "ignore_class" in settings:
        settings["ignore_index"] = -100 if settings["ignore_class"] is None else settings["ignore_class"]
    if settings.get("reduction") == "sum_over_batch_size":
        settings["reduction"] = "mean"
    settings = {"label_smoothing": 0.0, "weight": None} | settings  # of a loss that has none
    differ = {
        k: (ours.settings[k], settings[k]) for k in ours.settings if k in settings and ours.settings[k] != settings[k]
    }
    if ours.kind != theirs.kind:
        told: str = say("{ours} in PyTorch, {theirs} in Keras", ours=ours.called, theirs=theirs.called)
    elif differ:
        told = join(say("; "), [_differing(name, *values, theirs) for name, values in differ.items()])
    else:
        return
    if ours.kind in LOSSES:
        row = rows()["cross_entropy_input"] if "from_logits" in differ else None
        yield Candidate(
            say("the loss, {told}", told=told),
            (Edit(what="loss", values={"kind": ours.kind, "settings": ours.settings}),),
            _loss_code(theirs, ours, differ),
            "",
            row,
            bool(row and differ["from_logits"] == (True, False)),
        )


def _differing(name: str, ours: Setting, theirs: Setting, keras: Call) -> str:
    """A setting in the words of both frameworks."""
    own = {"ignore_index": "ignore_class"}.get(name, name)
    value = keras.settings.get(own, theirs)
    if name == "weight":
        words = [say("some") if given else say("none") for given in (ours, theirs)]
        return say("class weights: {ours} in PyTorch, {theirs} in Keras", ours=words[0], theirs=words[1])
    told = value if own == name else f"{own}: {value}"
    return say("{name}: {ours} in PyTorch, {theirs} in Keras", name=name, ours=ours, theirs=told)


def _loss_code(theirs: Call, ours: Call, differ: Mapping[str, tuple[Setting, Setting]]) -> str:
    names = {"ignore_index": "ignore_class"}
    given = ", ".join(f"{names.get(name, name)}={value!r}" for name, (value, _) in differ.items())
    return f"{theirs.called}(…, {given})" if given else say("Keras's counterpart of {called}", called=ours.called)


def of_trainable(sides: Sides) -> Iterator[Candidate]:
    """Tensors that one side trains and the other does not."""
    for name, sources in sides.carry.sources.items():
        facts = sides.keras.tensors[name]
        ours = any(sides.torch.tensors[source].trainable for source in sources)
        if not facts.buffer and ours != facts.trainable:
            told = sources_of(sides, name)
            yield Candidate(
                say("{tensor}: trained in PyTorch, frozen in Keras", tensor=told)
                if ours
                else say("{tensor}: frozen in PyTorch, trained in Keras", tensor=told),
                (Edit(what="trainable", place=name, values={"value": ours}),),
                say("{code} for the layer of {tensor}", code=f"layer.trainable = {ours}", tensor=name),
                f"parameter.requires_grad_({not ours})",
            )


def of_carry(sides: Sides, weights: Arrays) -> Iterator[Candidate]:
    """What the user's own `carry` makes otherwise than the automatic map does."""
    users = sides.carry.values(weights)
    automatic = replace(sides.carry, users={}).values(weights)
    for name in sides.carry.users:
        if name in automatic and not np.array_equal(users[name], automatic[name]):
            how, fix = _carried_otherwise(users[name], automatic[name])
            yield Candidate(
                say(
                    "carry, of {name}: {how} than it must be, {sources} of PyTorch",
                    name=name,
                    how=how,
                    sources=sources_of(sides, name),
                ),
                (Edit(what=CARRY, place=name),),
                fix,
            )


def _carried_otherwise(users: np.ndarray, right: np.ndarray) -> tuple[str, str]:
    if users.shape == right.T.shape and np.array_equal(users, right.T):
        return say("the transpose, not transposed as a kernel is, rather"), say("transpose it in carry: .T")
    axes = ((0, say("rows (inputs, as after a flatten)")), (right.ndim - 1, say("columns (gates or units)")))
    for axis, what in axes:
        if reordered(right, users, axis):
            cure = say("put its {what} into PyTorch's order in carry", what=what)
            return say("its {what} are in another order", what=what), cure
    if users.size == right.size and np.array_equal(np.sort(users, axis=None), np.sort(right, axis=None)):
        cure = say("reshape or transpose it in another order in carry")
        return say("the same numbers stand in another order"), cure
    return say("it has other numbers"), say("leave it out of carry: it is carried without")


# The rows of the table that are of other optimizers and settings too.
LIKE = {"adamw": "adam", "nadam": "adam"}
ROW_OF_SETTING = {
    "eps": "epsilon",
    "alpha": "smoothing",
    "rho": "smoothing",
    "initial_accumulator_value": "accumulator",
}


def of_optimizer(sides: Sides) -> Iterator[Candidate]:
    """Its class and its numbers."""
    ours, theirs = sides.torch.optimizer, sides.keras.optimizer
    if {ours.rule, theirs.rule} == {"adam", "adamw"}:
        yield from _of_adams(sides)
    elif ours.rule != theirs.rule:
        settings = _rule_settings(ours)
        yield Candidate(
            say("the optimizer: {ours} in PyTorch, {theirs} in Keras", ours=ours.called, theirs=theirs.called),
            (Edit(what="rule", values={"rule": ours.rule, "settings": settings}), *_decay_edits(sides)),
            f"keras.optimizers.{ours.called.rpartition('.')[2]}",
            f"torch.optim.{theirs.called.rpartition('.')[2]}",
        )
        yield from _of_clipping(ours, theirs)
        return
    yield from _of_one_framework(ours, theirs)
    names = {"momentum", "nesterov", "betas", "eps", "amsgrad", "alpha", "rho", "centered", "initial_accumulator_value"}
    for name in sorted(names & ours.settings.keys() & theirs.settings.keys()):
        a, b = ours.settings[name], theirs.settings[name]
        if a != b:
            key = f"{LIKE.get(ours.rule, ours.rule)}_{ROW_OF_SETTING.get(name, name)}"
            candidate = Candidate(
                say(
                    "{name} of the optimizer: {ours} in PyTorch, {theirs} in Keras",
                    name="ε" if name == "eps" else name,
                    ours=a,
                    theirs=b,
                ),
                (Edit(what="optimizer", values={"name": name, "value": a}),),
                f"{theirs.called}(…, {_keras_name(name, a)})",
                f"{ours.called}(…, {name}={_tupled(b)})",
                rows().get(key),
                both_default(key, a, b),
            )
            yield candidate
            if not theirs.called.startswith("keras.") and name in {"amsgrad", "nesterov"}:
                # A class of the user's own may not look at it.
                yield replace(candidate, edits=(*candidate.edits, Edit(what="formula"), Edit(what="dense gradients")))
    yield from _of_clipping(ours, theirs)
    yield from _of_decay(sides)


def _of_clipping(ours: OptimizerFacts, theirs: OptimizerFacts) -> Iterator[Candidate]:
    """The norm of all gradients together, of each by itself, or each number, and at which limit."""
    a, b = ({name: facts.settings[name] for name in CLIPPING if facts.settings.get(name)} for facts in (ours, theirs))
    edits = (Edit(what="clip", values=clipping(ours)),)
    back = f"nn.utils.clip_grad_norm_(model.parameters(), {b['clip_norm']})" if "clip_norm" in b else ""
    if kind := ours.settings.get("clip_norm_type"):
        yield Candidate(
            say(
                "clipping: PyTorch takes the norm of type {kind} of all gradients, Keras has that of type 2 alone",
                kind=kind,
            ),
            edits,
            say("a subclass of the optimizer whose apply() divides all gradients by that norm"),
            back,
        )
    elif a != b:
        of_keras = theirs.called.startswith("keras.")
        none = say("none")
        maybe = say("maybe that in the code of {own}, a class of the file,", own=theirs.called)
        code = ", ".join(f"{CLIPPING[name]}={a.get(name)}" for name in CLIPPING if name in {*a, *b})
        yield Candidate(
            say(
                "clipping: {ours} in PyTorch, {theirs} in Keras",
                ours=_clipped(a) or none,
                theirs=_clipped(b) or (none if of_keras else maybe),
            ),
            edits,
            f"{theirs.called}(…, {code})"
            if of_keras or not a
            else say("in {own}: clip {limits}", own=theirs.called, limits=_clipped(a)),
            back,
            rows()["clipping_scope"] if "clip_norm" in a and "clip_norm_each" in b else None,
        )


CLIPPING = {"clip_norm": "global_clipnorm", "clip_norm_each": "clipnorm", "clip_value": "clipvalue"}


def _clipped(limits: Mapping[str, Setting]) -> str:
    words = {
        "clip_norm": say("the norm of all gradients"),
        "clip_norm_each": say("the norm of each gradient"),
        "clip_value": say("each number"),
    }
    told = [say("{what} at {limit}", what=words[name], limit=limit) for name, limit in limits.items()]
    return join(say(" and "), told)


def clipping(facts: OptimizerFacts) -> dict[str, Setting]:
    """What the change "clip" is told, for it to clip as PyTorch's side does."""
    names = {"clip_norm": "limit", "clip_norm_type": "norm_type", "clip_norm_each": "each", "clip_value": "value"}
    return {"limit": None} | {own: facts.settings[name] for name, own in names.items() if name in facts.settings}


def _of_one_framework(ours: OptimizerFacts, theirs: OptimizerFacts) -> Iterator[Candidate]:
    """What one of them alone can be told."""
    if ours.settings.get("maximize"):
        yield Candidate(
            say("maximize of the optimizer: True in PyTorch, which climbs; Keras descends"),
            (Edit(what="maximize"),),
            say("-loss in place of the loss"),
            f"{ours.called}(…, maximize=False)",
        )
    if every := theirs.settings.get("gradient_accumulation_steps"):
        yield Candidate(
            say(
                "gradient_accumulation_steps of the optimizer: {n} in Keras; PyTorch takes a step after each batch",
                n=every,
            ),
            (Edit(what="optimizer", values={"name": "gradient_accumulation_steps", "value": None}),),
            f"{theirs.called}(…, gradient_accumulation_steps=None)",
            say("optimizer.step() and optimizer.zero_grad() after every {n} batches alone", n=every),
        )
    if ours.settings.get("dampening"):
        yield Candidate(
            say("dampening of the optimizer: {value} in PyTorch; Keras has none", value=ours.settings["dampening"]),
            (Edit(what="formula", values={"dampening": ours.settings["dampening"]}),),
            say("a subclass of keras.optimizers.SGD whose update_step multiplies the gradient by 1 - dampening"),
            f"{ours.called}(…, dampening=0)",
        )


def of_class(sides: Sides) -> Iterator[Candidate]:
    """An optimizer of the Keras file's own class, with PyTorch's in its place: rule, decay and clipping."""
    ours, theirs = sides.torch.optimizer, sides.keras.optimizer
    if theirs.called.startswith("keras.") or ours.rule not in EMULATED:
        return
    clipped = [
        say("{how} {limit:g}", how=words, limit=limit)
        for name, words in (
            ("clip_norm", say("clipped together to a norm of")),
            ("clip_norm_each", say("clipped each by itself to a norm of")),
            ("clip_value", say("each number clipped to")),
        )
        if isinstance(limit := ours.settings.get(name), float)
    ]
    gradients = say("gradients that are not clipped")
    if clipped:
        gradients = say("gradients {how}", how=join(say(" and "), clipped))
    decay = _decay_edits(sides) or (Edit(what="decays", values={"decays": {}}),)
    rule = Edit(what="rule", values={"rule": ours.rule, "settings": _rule_settings(ours)})
    yield Candidate(
        say(
            "the optimizer: {own}, a class of the Keras file, does not do what {called} does, of {gradients}: look at "
            "its clipping, its decay and its formula",
            own=theirs.called,
            called=ours.called,
            gradients=gradients,
        ),
        (
            rule,
            Edit(what="formula"),
            *decay,
            Edit(what="clip", values=clipping(ours)),
            Edit(what="clip denominator"),
            Edit(what="dense gradients"),
        ),
        say("in {own}: PyTorch's formula, of {gradients}", own=theirs.called, gradients=gradients),
    )


def _of_adams(sides: Sides) -> Iterator[Candidate]:
    """Adam and AdamW differ in their decay alone. A class of the user's own keeps what else it does."""
    ours, theirs = decays(sides)
    if not any(ours.values()) and not any(theirs.values()):
        return
    where = {"adam": say("part of the gradient"), "adamw": say("beside it")}
    of, to = sides.torch.optimizer, sides.keras.optimizer
    told = [
        say(
            "{called} in {framework}, weight decay {where} ({decays})",
            called=facts.called,
            framework=name,
            where=where[facts.rule],
            decays=_values_of(decay),
        )
        for name, facts, decay in (("PyTorch", of, ours), ("Keras", to, theirs))
    ]
    row = rows()["adamw_weight_decay"]
    kind = of.called.rpartition(".")[2]
    base, coupled = "AdamW" if of.rule == "adamw" else "Adam", of.rule == "adam"
    yield Candidate(
        say("the optimizer: {ours}; {theirs}", ours=told[0], theirs=told[1]),
        _decay_edits(sides) or (Edit(what="decays", values={"decays": {}}),),
        say(
            "keras.regularizers.L2(decay / 2) for each layer that is decayed, and no weight_decay: Adam with coupled "
            "decay"
        )
        if coupled and any(ours.values())
        else f"keras.optimizers.{base}(…, weight_decay={max(ours.values())})",
        f"torch.optim.{'AdamW' if kind.startswith('Adam') and coupled else 'Adam'}(…, "
        f"weight_decay={max(theirs.values())})",
        row if any(ours.values()) and any(theirs.values()) else None,
    )


def _values_of(decays: Mapping[str, float]) -> str:
    """The decays in words; those of tensors that have none are left out."""
    return ", ".join(f"{value:g}" for value in sorted({*decays.values()}) if value) or say("none")


def _tupled(value: Setting) -> object:
    return tuple(value) if isinstance(value, list) else value


def _rule_settings(facts: OptimizerFacts) -> dict[str, Setting]:
    kept = {"momentum", "nesterov", "betas", "eps", "amsgrad", "alpha", "centered", "initial_accumulator_value"}
    return {name: value for name, value in facts.settings.items() if name in kept}


def _keras_name(name: str, value: Setting) -> str:
    names = {"eps": "epsilon", "alpha": "rho"}
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


# Where PyTorch's decay is part of the gradient, unless told otherwise.
COUPLED = {"sgd", "adam", "rmsprop", "adagrad", "adadelta", "adamax", "nadam"}


def _is_coupled(facts: OptimizerFacts) -> bool:
    return facts.rule in COUPLED and not facts.settings.get("decoupled_weight_decay")


def _decay_edits(sides: Sides) -> tuple[Edit, ...]:
    ours, _ = decays(sides)
    if not any(ours.values()):
        return ()
    how = "coupled decay" if _is_coupled(sides.torch.optimizer) else "decays"
    return (Edit(what=how, values={"decays": {n: d for n, d in ours.items() if d}}),)


def _of_decay(sides: Sides) -> Iterator[Candidate]:
    ours, theirs = decays(sides)
    if sides.torch.optimizer.rule != sides.keras.optimizer.rule:
        return  # told with the rule
    differ = [name for name in ours if ours[name] != theirs[name]]
    coupled = _is_coupled(sides.torch.optimizer) and any(ours.values()) and any(theirs.values())
    if not differ and not coupled:
        return
    edits = _decay_edits(sides) or (Edit(what="decays", values={"decays": {}}),)
    if not differ:
        yield Candidate(
            say("weight decay: part of the gradient in PyTorch, beside the rule in Keras"),
            edits,
            say("keras.regularizers.L2(decay / 2) for each layer, and no weight_decay"),
            say("p.detach().mul_(1 - rate * decay) after each step, and no weight_decay"),
            rows().get(f"{sides.torch.optimizer.rule}_weight_decay"),
            by_default=True,
        )
        return
    name = differ[0]
    values = {(ours[n], theirs[n]) for n in differ}
    key, adamw = "adamw_weight_decay", sides.torch.optimizer.rule == "adamw"
    yield Candidate(
        say(
            "weight decay of {tensor}: {ours} in PyTorch, {theirs} in Keras",
            tensor=with_others(sources_of(sides, name), len(differ) - 1),
            ours=ours[name],
            theirs=theirs[name],
        ),
        edits,
        say(
            "weight_decay={decay}, and optimizer.exclude_from_weight_decay(var_names=[…]) for those without",
            decay=max(ours.values()),
        ),
        f"weight_decay={max(theirs.values())}",
        rows()[key] if adamw else None,
        adamw and len(values) == 1 and both_default(key, *next(iter(values))),
    )
