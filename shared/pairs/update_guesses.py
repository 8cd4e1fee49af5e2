"""What an update may do otherwise with the same numbers: the rate, the formulas of the two frameworks."""

from collections.abc import Iterator, Sequence

from shared.pairs import description as kinds
from shared.pairs.causes import Candidate, measured, rows, sources_of, tensors_of, titled, with_others
from shared.pairs.climb import Check
from shared.pairs.pairing import Sides
from shared.pairs.protocol import Arrays, Edit
from shared.pairs.training_settings import clipping, of_class
from shared.system.language import say

NADAM_DECAY = 0.004  # PyTorch's, unless told otherwise; Keras has 1
# The rows of the table of differences on formulas.
FORMULA = {
    "adam": "adam_epsilon_place",
    "adamw": "adam_epsilon_place",
    "rmsprop": "rmsprop_epsilon_place",
    "adagrad": "adagrad_epsilon_place",
    "sgd": "sgd_momentum",
}
# What the table of differences says of them, which is written down as plain text.
SAID: dict[str, str] = {
    text: text
    for text in (
        say("Adam: ε is added"),
        say("after the bias correction"),
        say("before the bias correction"),
        say("RMSprop: ε and the root"),
        say("Adagrad: ε and the root"),
        say("SGD with momentum: where the rate enters"),
        say("outside: w −= η·b, b = μ·b + g"),
        say("inside: w −= v, v = μ·v + η·g"),
    )
}


def of_update(check: Check, sides: Sides, torch: Arrays, keras: Arrays) -> Iterator[Candidate]:
    """What the formulas of the two frameworks do otherwise, with the same numbers."""
    if "the rate" in check.what:
        rates = [float(rate) for rate in torch["rates"]]
        step = int(check.what.rpartition(" ")[2].replace(",", "")) - 1
        yield Candidate(
            say(
                "the learning rate of step {n:,}: {ours:g} in PyTorch, {theirs:g} in Keras",
                n=step + 1,
                ours=rates[step],
                theirs=float(keras["rates"][step]),
            ),
            (Edit(what="rates", values={"rates": rates}),),
            _rates_code(rates),
        )
        return
    yield from _of_running_variance(check, sides)
    rule = sides.torch.optimizer.rule
    if any(call.kind == kinds.EMBEDDING for call in sides.keras.calls):
        yield Candidate(
            say(
                "a token that occurs more than once in a batch: Keras squares each part of its gradient, PyTorch their "
                "sum"
            ),
            (Edit(what="dense gradients"),),
            say("in a subclass of the optimizer: {code}", code="apply([tf.convert_to_tensor(g) for g in grads], …)"),
            row=rows()["adam_repeated_token"],
            by_default=True,
        )
    clips = clipping(sides.torch.optimizer)
    if (clips["limit"] is not None or "each" in clips) and "norm_type" not in clips:
        yield Candidate(
            say("clipping: PyTorch divides by the norm of all gradients + 1e-6, Keras by the norm")
            if clips["limit"] is not None
            else say("clipping: PyTorch divides by the norm of each gradient + 1e-6, Keras by the norm"),
            (Edit(what="clip denominator"),),
            rows()["clipping_denominator"].keras,
            rows()["clipping_denominator"].pytorch,
            rows()["clipping_denominator"],
            by_default=True,
        )
    if rule == "adamax":
        yield Candidate(
            say(
                "the formula of adamax: ε is added: to the size of a gradient in PyTorch, to the largest of all in "
                "Keras"
            ),
            (Edit(what="formula"),),
            say("in a subclass of the optimizer: u = max(beta_2 * u, abs(gradient) + epsilon), and no epsilon below m"),
            say("in a subclass of the optimizer: exp_inf = max(beta2 * exp_inf, abs(grad)), and + eps below exp_avg"),
            by_default=True,
        )
    if rule == "nadam":
        decay = sides.torch.optimizer.settings.get("momentum_decay", 0.0)
        yield Candidate(
            say(
                "the formula of nadam: the momentum grows by 0.96 to the power of each step: times {decay} in PyTorch, "
                "as it is in Keras",
                decay=decay,
            ),
            (Edit(what="formula", values={"momentum_decay": decay}),),
            say(
                "in a subclass of the optimizer: {code}",
                code="u = beta_1 * (1 - 0.5 * 0.96 ** (momentum_decay * step))",
            ),
            f"{sides.torch.optimizer.called}(…, momentum_decay=1)",
            by_default=decay == NADAM_DECAY,
        )
    if rule in FORMULA:
        row = rows()[FORMULA[rule]]
        theirs = sides.keras.optimizer
        of_a_class = theirs.settings.get("own_update_step")
        yield Candidate(
            say(
                "the formula of {rule}: update_step of {own}, a class of the Keras file, is not PyTorch's",
                rule=rule,
                own=theirs.called,
            )
            if of_a_class
            else say(
                "the formula of {rule}: {what}: {ours} in PyTorch, {theirs} in Keras",
                rule=rule,
                what=_said(row.item),
                ours=_said(measured("PyTorch")[row.key]),
                theirs=_said(measured("TensorFlow")[row.key]),
            ),
            # What is done with the gradient of an embedding is such a class's own, too.
            (Edit(what="formula"), *([Edit(what="dense gradients")] if of_a_class else [])),
            say("PyTorch's formula in update_step of {own}", own=theirs.called) if of_a_class else row.keras,
            "" if of_a_class else row.pytorch,
            row,
            by_default=not of_a_class,
        )
    yield from _two_biases(sides)
    yield from of_class(sides)


def _of_running_variance(check: Check, sides: Sides) -> Iterator[Candidate]:
    """Of all batch normalisations together, and of the one that is off."""
    calls = [(sides.torch.calls[p.torch], sides.keras.calls[p.keras]) for p in sides.pairings]
    norms = {a.place: (a, b) for a, b in calls if a.kind == kinds.BATCH_NORM}
    one = [(a, b) for a, b in norms.values() if check.tensor in tensors_of(sides, b.place)]
    row = rows()["batch_norm_running_variance"]
    for some in ([*norms.values()], one) if one and len(norms) > 1 else (one,):
        if some:
            yield Candidate(
                say(
                    "the running variance of {layer}: by n − 1 in PyTorch, by n in Keras",
                    layer=with_others(titled(some[0][0]), len(some) - 1),
                ),
                tuple(Edit(what="unbiased variance", place=b.place) for _, b in some),
                row.keras,
                row.pytorch,
                row,
                by_default=True,
            )
            own = [(a, b) for a, b in some if not b.called.startswith("keras.")]
            if one[0] in own:
                yield Candidate(
                    say(
                        "the running variance of {layer}: by n − 1 in PyTorch, where n numbers are of a channel; "
                        "otherwise in {own}, a class of the Keras file",
                        layer=with_others(titled(own[0][0]), len(own) - 1),
                        own=own[0][1].called,
                    ),
                    tuple(Edit(what="unbiased variance", place=b.place, values={"own": True}) for _, b in own),
                    say("n / (n - 1) times the batch's variance in {own}", own=own[0][1].called),
                    row=row,
                )


def _two_biases(sides: Sides) -> Iterator[Candidate]:
    twice = [name for name, made in sides.carry.made.items() if made.summed]
    trained = [n for n in twice if sum(sides.torch.tensors[source].trainable for source in sides.carry.sources[n]) > 1]
    if trained:
        yield Candidate(
            say(
                "{tensors}: PyTorch trains two biases where Keras has one, their sum",
                tensors=sources_of(sides, trained[0]),
            ),
            (Edit(what="two biases", values={"names": list(trained)}),),
            say("nothing: Keras has one bias"),
            say("lstm.bias_hh_l0.requires_grad_(False) after nn.init.zeros_(lstm.bias_hh_l0)"),
            by_default=True,
        )


def _rates_code(rates: Sequence[float]) -> str:
    steady = len(set(rates)) == 1
    return (
        f"learning_rate={rates[0]:g}"
        if steady
        else say("a schedule that gives {rates}, …", rates=", ".join(f"{r:g}" for r in rates[:4]))
    )


def _said(text: str) -> str:
    return SAID.get(text, text)
