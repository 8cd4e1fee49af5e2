"""The report on a pair of users' models: results.json, report.md, index.html, and a summary for the terminal."""

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from shared.pairs.alignment import titles
from shared.pairs.climb import EVALUATED, EVALUATION, LIMITS, Check, first_beyond
from shared.pairs.description import Call, OptimizerFacts, Setting
from shared.pairs.diagnosis import Diagnosis, Precision
from shared.pairs.pair_charts import apart, climbed, losses
from shared.pairs.pair_words import (
    GROUPS,
    JUDGED,
    VERDICTS,
    alone,
    called,
    confirmation,
    effect,
    excluded,
    extent,
    full,
    group,
    largest,
    not_compared,
    off,
    place,
    same,
    sentence,
    steps_of,
    times,
)
from shared.pairs.pairing import folded
from shared.pairs.search import Cause
from shared.pairs.training_settings import decays
from shared.reporting import glossary, origin, page
from shared.reporting.parts import (
    Bullets,
    Caution,
    Code,
    Command,
    Group,
    KeyFigures,
    Paragraph,
    Part,
    Report,
    Section,
    Sources,
    Table,
    Verdict,
)
from shared.reporting.report import write_files
from shared.system import escaping
from shared.system.language import ENGLISH, begun, join, of_environment, say, say_number, sentences, translated

NOT_SETTINGS = {"rank", "training"}  # what a call is, and how it was called
NONE = "–"
TRIAL = say(
    "A trial changes the Keras model as it runs, and no file. The code for the Keras file makes that change; the code "
    "for the PyTorch file does the reverse, and was not tried. A cause is confirmed where the comparison comes further "
    "with its change than with those of the others alone."
)
GUESSED = say(
    "Layers are matched in order of execution, by kind, shapes and names: a guess until the forward passes agree."
)


def write(diagnosis: Diagnosis, sources: tuple[str, str], folder: Path, command: str) -> None:
    """Write results.json, the pictures, report.md and index.html. `sources` are the files' texts."""
    made = report(diagnosis, sources, command)
    stills = write_files(made, results(diagnosis), folder)
    (folder / "index.html").write_text(
        page.render(made, stills, "float64", pair=True, language=of_environment()), encoding="utf-8"
    )


def summary(diagnosis: Diagnosis, language: str = ENGLISH) -> str:
    """What was found, for the terminal: the verdict first."""
    lines = [sentence(diagnosis)]
    for cause in diagnosis.causes:
        what = cause.candidate.what
        default, own = say("framework default: {what}", what=what), say("cause: {what}", what=what)
        lines += ["", default if cause.candidate.by_default else own, _indented(confirmation(cause, diagnosis))]
        lines.append(_indented(say("in the Keras file: {code}", code=cause.candidate.keras)))
        if cause.candidate.torch:
            lines.append(_indented(say("or in the PyTorch file: {code}", code=cause.candidate.torch)))
    if left := _left(diagnosis):
        check, checks = left
        lines += ["", say("not explained: {what}{off}", what=check.what, off=off(check))]
        lines += [_indented(said) for said in [place(check, checks, diagnosis)] if said]
        lines += [_indented(say("agrees before it: {said}", said=said)) for said in excluded(check, checks)]
    return "\n".join(escaping.one_line(translated(line, language)) for line in lines)


def _indented(line: str) -> str:
    return join("  ", ["", line])


def _left(diagnosis: Diagnosis) -> tuple[Check, Sequence[Check]] | None:
    """What is off first and not explained, and the checks that it is one of."""
    if diagnosis.unexplained:
        return diagnosis.unexplained, diagnosis.explained or diagnosis.precisions["float64"].checks
    return None


def report(diagnosis: Diagnosis, sources: tuple[str, str], command: str) -> Report:
    """All of it, from its first part to its last. `command` is what made it."""
    torch, keras = diagnosis.files
    made = origin.of_now(command)
    sections = [
        Section("verdict", say("How the verdict comes about"), [Bullets(JUDGED)]),
        *([Section("causes", say("Causes"), causes)] if (causes := [*_causes(diagnosis)]) else []),
        Section("weights", say("Weights"), [*_weights(diagnosis)]),
        Section("layers", say("Layer by layer"), [*_layers(diagnosis)]),
        Section("settings", say("Settings"), [*_settings(diagnosis)]),
        Section("loss", say("Loss"), [*map(losses, diagnosis.precisions.values()), apart(diagnosis)]),
        Section("code", say("Both files"), [_code(diagnosis, sources)]),
        Section("limits", say("Not compared"), [Bullets(not_compared(diagnosis))]),
        glossary.section(),
        made.section([_facts(diagnosis)]),
    ]
    title = say("{torch} and {keras}, from the same weights", torch=torch.name, keras=keras.name)
    return Report(title, [*_opening(diagnosis), made.line, *sections])


def _opening(diagnosis: Diagnosis) -> Iterator[Part]:
    yield Verdict(sentence(diagnosis), diagnosis.verdict == "same")
    yield from (Caution(full(read), say("Not measured")) for read in diagnosis.read_only)
    if diagnosis.causes:
        yield Bullets(
            [
                say("{what}: {confirmation}.", what=cause.candidate.what, confirmation=confirmation(cause, diagnosis))
                for cause in diagnosis.causes
            ]
        )
    if diagnosis.verdict == "same":
        yield Paragraph(
            say(
                "The verdict covers these files, this data and these steps. Dropout, first weights and the order of "
                "the data are not part of it: “Not compared” says what else is not."
            )
        )
    yield KeyFigures([*_figures(diagnosis)])


def _figures(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    for precision in diagnosis.precisions.values():
        what = say(
            "noise floors at most in {dtype}; {limit:,.0f} are allowed",
            dtype=precision.dtype,
            limit=LIMITS[precision.dtype],
        )
        yield times(largest(precision.checks)), what
    if diagnosis.causes and diagnosis.explained:
        yield times(largest(diagnosis.explained)), say("noise floors at most in float64, with the confirmed changes")
    what = say("numbers and tensors compared in each precision, over {steps}", steps=steps_of(diagnosis))
    yield f"{len(diagnosis.precisions['float64'].checks):,}", what


def _causes(diagnosis: Diagnosis) -> Iterator[Part]:
    if diagnosis.causes:
        yield Paragraph(TRIAL)
    for number, cause in enumerate(diagnosis.causes, start=1):
        title = join(" ", [f"{number}.", begun(cause.candidate.what)])
        yield Group(title, [*_cause(cause, diagnosis)])
    if left := _left(diagnosis):
        check, checks = left
        agree = excluded(check, checks)
        where = place(check, checks, diagnosis)
        what = say("They differ first in {what}{off}. No cause of it was confirmed.", what=check.what, off=off(check))
        parts: list[Part] = [Paragraph(what)]
        parts += [Paragraph(where)] if where else []
        parts += [Paragraph(say("What agrees before it, and is excluded:")), Bullets(agree)] if agree else []
        yield Group(say("Not explained"), parts)


def _cause(cause: Cause, diagnosis: Diagnosis) -> Iterator[Part]:
    candidate = cause.candidate
    kind = say("A framework default: neither file is wrong.") if candidate.by_default else ""
    yield Paragraph(sentences(kind, full(confirmation(cause, diagnosis)), effect(cause)))
    yield Command(candidate.keras, say("In the Keras file:"))
    if candidate.torch:
        yield Command(candidate.torch, say("Or in the PyTorch file:"))
    if candidate.row:
        item, curve = (words.replace("`", "") for words in (candidate.row.item, candidate.row.curve))
        row = say(
            "The row of docs/differences.md on it is “{item}”. What it does to a curve: {curve}", item=item, curve=curve
        )
        yield Paragraph(row)


def _weights(diagnosis: Diagnosis) -> Iterator[Part]:
    carry = diagnosis.sides.carry
    yield Paragraph(sentences(GUESSED, _carried(diagnosis)))
    rows = [[titles(match.torch), titles(match.keras), match.fit.how] for match in carry.matches]
    yield Table(["PyTorch", "Keras", say("what of PyTorch’s was carried, and how")], rows, words=True)
    if diagnosis.notes:
        yield Bullets(diagnosis.notes)


def _carried(diagnosis: Diagnosis) -> str:
    """Whether the forward passes bear the matching out."""

    def forward(checks: Sequence[Check]) -> list[Check]:
        return [check for check in checks if check.stage <= EVALUATED]

    exact = forward(diagnosis.precisions["float64"].checks)
    changed = forward(diagnosis.explained)
    if first_beyond(exact, LIMITS["float64"]) is None:
        return say("Here they do: all {n} checks of an evaluation in float64.", n=len(exact))
    if diagnosis.causes and changed and first_beyond(changed, LIMITS["float64"]) is None:
        return say(
            "Here they do, with the confirmed changes: all {n} checks of an evaluation in float64.", n=len(changed)
        )
    return say("Here they do not all agree: of what comes after the first difference, the matching is not borne out.")


def _layers(diagnosis: Diagnosis) -> Iterator[Part]:
    exact, plain = diagnosis.precisions["float64"], diagnosis.precisions["float32"]
    explained = diagnosis.explained if diagnosis.causes else []
    yield climbed(exact, explained)
    yield Paragraph(
        say(
            "The layers and functions of an evaluation in float64, in order of execution. Both numbers are noise "
            "floors: where what goes in agrees and what comes out does not, the difference is made there."
        )
    )
    yield _calls(diagnosis, exact, explained)
    for key, name in GROUPS.items():
        checks = [check for check in exact.checks if group(check) == key]
        if checks and key != EVALUATION:
            yield Group(say("{checks}, in float64", checks=begun(name)), [_checks(checks, explained)], folded=True)
    yield climbed(plain)


def _calls(diagnosis: Diagnosis, exact: Precision, explained: Sequence[Check]) -> Table:
    """A row for each pair of calls, in order of execution."""
    sides = diagnosis.sides
    rows = []
    for pairing in sides.pairings:
        of_it = [c for c in exact.checks if c.stage == EVALUATION and c.pairing == pairing]
        if not of_it:
            continue
        ends = [[c for c in of_it if c.inside == inside] for inside in (False, True)]
        row = [called(sides.torch.calls[pairing.torch]), called(sides.keras.calls[pairing.keras])]
        row += [_multiple(checks, exact.first) for checks in ends]
        if explained:
            row.append(_multiple([c for c in explained if any(same(c, other) for other in ends[1])], None))
        rows.append(row)
    header = ["PyTorch", "Keras", say("what goes in"), say("what comes out"), say("with the changes")]
    return Table(header if explained else header[:-1], rows, words=True, title=say("Layers"))


def _multiple(checks: Sequence[Check], first: Check | None) -> str:
    """The largest of these; where the first difference is among them, that is said."""
    if not checks:
        return NONE
    largest_of_them = times(max(check.multiple for check in checks))
    if any(check is first for check in checks):
        return say("{times} ← the first", times=largest_of_them)
    return largest_of_them


def _checks(checks: Sequence[Check], explained: Sequence[Check]) -> Table:
    rows = []
    for check in checks:
        row = [check.what, _size(check.difference), _size(check.floor), times(check.multiple)]
        if explained:
            row.append(next((times(other.multiple) for other in explained if same(check, other)), NONE))
        rows.append(row)
    header: list[str] = [say("what"), say("difference"), say("noise floor"), say("difference in noise floors")]
    header += [say("with the changes")] if explained else []
    return Table(header, rows, title=GROUPS[group(checks[0])])


def _size(number: float) -> str:
    return f"{number:.1e}" if number and isfinite(number) else "0" if number == 0 else NONE


def _settings(diagnosis: Diagnosis) -> Iterator[Part]:
    differ, equal = settings_that_differ(diagnosis)
    told = say("As the two models tell them, whether or not they make a difference here.")
    also = say_number(
        "{n:,} setting that both sides have is equal.", "{n:,} settings that both sides have are equal.", n=equal
    )
    yield Paragraph(sentences(told, also))
    if differ:
        header = [say("where"), say("setting"), "PyTorch", "Keras"]
        rows = [[*row[:2], *map(_shown, row[2:])] for row in differ]
        yield Table(header, rows, words=True, title=say("What differs"))
    else:
        yield Paragraph(say("None differs."))
    torch, keras = diagnosis.sides.torch, diagnosis.sides.keras
    beside = _beside(_optimizer(torch.optimizer), _optimizer(keras.optimizer))
    yield Group(say("The optimizer"), [beside], folded=True)
    if torch.losses and keras.losses:
        yield Group(say("The loss"), [_beside(_of_call(torch.losses[-1]), _of_call(keras.losses[-1]))], folded=True)


def settings_that_differ(diagnosis: Diagnosis) -> tuple[list[tuple[str, str, Setting, Setting]], int]:
    """Where, which, PyTorch's and Keras's; and how many are equal."""
    sides = diagnosis.sides
    ours, theirs = folded(sides.torch.calls), folded(sides.keras.calls)
    found: dict[tuple[str, str], tuple[Setting, Setting]] = {}
    for pairing in sides.pairings:
        a, b = ours[pairing.torch][1], theirs[pairing.keras][1]
        where = join(say("; "), [called(a), called(b)])
        common = (a.settings.keys() & b.settings.keys()) - NOT_SETTINGS if a.kind == b.kind else set()
        found |= {(where, name): (a.settings[name], b.settings[name]) for name in sorted(common)}
    first, second = sides.torch.optimizer, sides.keras.optimizer
    optimizer = say("the optimizer")
    found[optimizer, say("rule")] = first.rule, second.rule
    common = (first.settings.keys() & second.settings.keys()) - {"weight_decay"}
    found |= {(optimizer, name): (first.settings[name], second.settings[name]) for name in sorted(common)}
    of_torch, of_keras = decays(sides)
    found |= {
        (say("the optimizer, of {tensor}", tensor=n), "weight_decay"): (of_torch[n], of_keras[n]) for n in of_torch
    }
    for name, sources in sides.carry.sources.items():
        if not sides.keras.tensors[name].buffer:
            trained = any(sides.torch.tensors[source].trainable for source in sources)
            where = join(say("; "), [" + ".join(sources), name])
            found[where, say("trained")] = trained, sides.keras.tensors[name].trainable
    rates = [sorted(rate for rate in side.dropout.values() if rate) for side in (sides.torch, sides.keras)]
    found["dropout", say("rates")] = (*map(list, rates),)  # type: ignore[assignment]
    differ = [(*key, *values) for key, values in found.items() if values[0] != values[1]]
    return differ, len(found) - len(differ)


def _shown(value: Setting) -> str:
    if value is None or value == []:
        return say("none")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _optimizer(facts: OptimizerFacts) -> dict[str, Setting]:
    return {say("class"): facts.called, **facts.settings}


def _of_call(call: Call) -> dict[str, Setting]:
    return {say("called"): call.called, **call.settings}


def _beside(ours: dict[str, Setting], theirs: dict[str, Setting]) -> Table:
    """All settings of both: what one side has no name for is left open."""
    rows = [
        [name, *(_shown(side[name]) if name in side else NONE for side in (ours, theirs))]
        for name in dict.fromkeys([*ours, *theirs])
    ]
    return Table([say("setting"), "PyTorch", "Keras"], rows, words=True)


def _code(diagnosis: Diagnosis, sources: tuple[str, str]) -> Part:
    return Sources([(str(file), text) for file, text in zip(diagnosis.files, sources, strict=True)])


def _facts(diagnosis: Diagnosis) -> Table:
    sides = (diagnosis.sides.torch, diagnosis.sides.keras)
    rows = [
        [say("file"), *(Code(file) for file in diagnosis.files)],
        [say("returns"), *(side.outputs for side in sides)],
        [say("layers with weights"), *(f"{len(side.layers):,}" for side in sides)],
        [say("calls in an evaluation"), *(f"{len(side.calls):,}" for side in sides)],
        [say("without a counterpart"), *(f"{len(calls):,}" for calls in alone(diagnosis).values())],
        [say("compared"), extent(diagnosis), ""],
    ]
    return Table(["", "PyTorch", "Keras"], rows, words=True)


def results(diagnosis: Diagnosis) -> dict[str, Any]:
    """What results.json holds."""
    differ, equal = settings_that_differ(diagnosis)
    return {
        "verdict": VERDICTS[diagnosis.verdict],
        "files": dict(zip(("pytorch", "keras"), map(str, diagnosis.files), strict=True)),
        "causes": [_cause_result(cause) for cause in diagnosis.causes],
        "unexplained": diagnosis.unexplained and _check_result(diagnosis.unexplained),
        "as_read": diagnosis.read_only,
        "notes": diagnosis.notes,
        "not_compared": not_compared(diagnosis),
        "weights": [
            {
                "pytorch": [layer.path for layer in match.torch],
                "keras": [layer.path for layer in match.keras],
                "how": match.fit.how,
            }
            for match in diagnosis.sides.carry.matches
        ],
        "settings_equal": equal,
        "settings_that_differ": [
            {"where": where, "setting": name, "pytorch": ours, "keras": theirs} for where, name, ours, theirs in differ
        ],
        "precisions": {dtype: _precision_result(found) for dtype, found in diagnosis.precisions.items()},
        "with_the_changes": [*map(_check_result, diagnosis.explained)] if diagnosis.causes else [],
    }


def _cause_result(cause: Cause) -> dict[str, Any]:
    candidate = cause.candidate
    return {
        "what": candidate.what,
        "confirmed": True,
        "framework_default": candidate.by_default,
        "in_keras": candidate.keras,
        "in_pytorch": candidate.torch,
        "row": candidate.row and candidate.row.key,
        "without_it": _check_result(cause.without),
    }


def _precision_result(found: Precision) -> dict[str, Any]:
    return {
        "limit": LIMITS[found.dtype],
        "first_beyond": found.first and _check_result(found.first),
        "largest_times_noise_floor": float(largest(found.checks)),
        "losses": {name: of.tolist() for name, of in zip(("pytorch", "keras"), found.losses, strict=True)},
        "checks": [*map(_check_result, found.checks)],
    }


def _check_result(check: Check) -> dict[str, Any]:
    return {
        "what": check.what,
        "difference": float(check.difference),
        "noise_floor": float(check.floor),
        "times_noise_floor": float(check.multiple),
        "largest_number": float(check.largest),
    }
