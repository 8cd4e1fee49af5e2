"""What a comparison found, in sentences and tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from shared import metrics
from shared.comparing.checks import PREDICTIONS, STEP_LOSSES, Result, Verdict
from shared.comparing.comparison import Outcome, Proof
from shared.comparing.verification import EVERY_STEP, Finding, Verification, examples_of
from shared.mnist import MNIST
from shared.options import written
from shared.reporting.charts import spread
from shared.reporting.parts import Bars, Bullets, Group, Image, Paragraph, Part, Table
from shared.reporting.styles import style_of
from shared.system.language import join, say, say_number, sentences

# What a run's clock tells apart, in the order in which it happens.
PHASES = {
    say("import"): say("the framework is loaded"),
    say("data"): say("{data_set} is read, checked and put on the device", data_set=MNIST.name),
    say("compile"): say("the model is built and its step compiled"),
    say("training"): say("every step of every epoch"),
    say("evaluation"): say("{test_images}, after every epoch", test_images=MNIST.test_images),
}
DERIVED = say(
    "Each row is a check. The percentage is the largest share that a framework took of what rounding may do: more than "
    "100% is no match. Beside it stands where that was."
)
SHOWN = say(
    "How far the whole runs lie apart is shown here, and not judged: two sound runs diverge. The noise floor is how "
    "far rounding alone carries the reference implementation in a whole run, in this comparison: the largest of what "
    "it does perturbed by 1 ulp, with reordered sums and, where the runs are in float32, in float64. The last column "
    "is the difference as a multiple of it. A figure of some units there is what two sound runs may show."
)
YARDSTICK_MEANS = say(
    "Each implementation is compared with itself; only its rounding is changed. The table shows the largest difference "
    "on each check. Its last column compares the frameworks’ difference with the largest of these: above 1 is no "
    "mistake, for nothing is judged by it."
)
SHOWN_IN_FLOAT64 = say(
    "In float64 too, how far the whole runs lie apart is shown beside the noise floor, and not judged."
)
WORKERS_MEAN = say(
    "Each step of the workers was verified like any other, above. One process trains the same batches in the same "
    "order, step by step: what lies between the two is the order in which the workers' sums are added, and what "
    "training makes of it. It is shown beside the noise floor, and not judged."
)
NOTHING, SAME = "–", say("the very same")  # of a cell
NOTHING_JUDGED = say("No check was made: the runs were not given the same, or they hold numbers that are not finite.")
NOT_LOOKED_FOR = say("Where they diverge was not looked for: no run was verified.")
NO_DIVERGENCE = say(
    "They do not diverge: at no step do their losses lie further apart than a few units in the last place."
)


def names(outcome: Outcome) -> list[str]:
    """Of the frameworks."""
    return [run.record.framework for run in outcome.runs]


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    *others, last = names
    before = join(say(", "), others)
    return say("{others} and {last}", others=before, last=last) if others else last


def furthest_step(outcome: Outcome) -> Finding:
    """Of all steps of all frameworks, those that lie furthest from what they must be."""
    findings = [f for verified in outcome.verdict.verified.values() for f in verified.checks[EVERY_STEP]]
    return max(findings, key=lambda finding: finding.share)


def identical_predictions(outcome: Outcome) -> int:
    """For how many test images all frameworks predict the same class; never where the logits are not numbers."""
    predicted = np.stack([metrics.predictions(run.test_logits) for run in outcome.runs])
    return int(((predicted == predicted[0]).all(axis=0) & (predicted[0] >= 0)).sum())


def sentence(outcome: Outcome) -> str:
    """The verdict in one sentence, with its figure."""
    if outcome.reasons:
        reason, *others = outcome.reasons
        told = say("{reason} (and {more} more)", reason=reason, more=len(others)) if others else reason
        odd = outcome.verdict.odd_one_out
        return sentences(
            say("NO MATCH: {reason}.", reason=told),
            say("{framework} is the odd one out.", framework=odd) if odd else "",
        )
    return say(
        "MATCH: in {names}, each of the {steps:,} steps in {dtype} follows from the weights before it, to within "
        "{share:.0%} of what rounding may do; {same:,} of {examples:,} predictions are identical.",
        names=listed(names(outcome)),
        steps=outcome.training.steps,
        dtype=outcome.training.dtype,
        share=furthest_step(outcome).share,
        same=identical_predictions(outcome),
        examples=len(outcome.reference.test_logits),
    )


def key_figures(outcome: Outcome) -> list[tuple[str, str]]:
    """The figures to remember, each with what it is."""
    gap = float(spread([run.step_losses.astype(np.float64) for run in outcome.runs]).max())
    examples = len(outcome.reference.test_logits)
    last = [run.record.epochs[-1].test_accuracy for run in outcome.runs]
    figures: list[tuple[str, str]] = [
        (f"{gap:.1e}" if np.isfinite(gap) else say("not a number"), say("largest difference of any step's loss")),
        (f"{identical_predictions(outcome):,}", say("of {examples:,} predictions are identical", examples=examples)),
        (
            " · ".join(f"{accuracy:.2%}" for accuracy in last),
            say("test accuracy, {names}", names=" · ".join(names(outcome))),
        ),
    ]
    if verified := outcome.verdict.verified:
        steps = sum(segment.until - segment.first for found in verified.values() for segment in found.segments)
        together = join(say(" and "), verified)
        figures.insert(0, (f"{steps:,}", say("steps taken again and judged, {names} together", names=together)))
    return figures


def first_divergence(outcome: Outcome) -> list[Part]:
    """Where the frameworks diverge, and why; else that they don't."""
    first = outcome.first_divergence
    if not first:
        return [Paragraph(NO_DIVERGENCE if outcome.verdict.verified else NOT_LOOKED_FOR)]
    train = examples_of("train") if first.crossings else None
    images = dict.fromkeys(crossing.example for crossing in first.crossings)
    told = say("They diverge at step {step:,}, counted from 0: {cause}.", step=first.step, cause=first.cause)
    said = Paragraph(told)
    return [said, *(_crossing(i, int(train.labels[i]), train.images[i]) for i in images if train)]


def _crossing(index: int, label: int, image: np.ndarray) -> Image:
    return Image(
        image,
        say("Handwritten digit labelled {label}, training image {index}", label=label, index=index),
        say(
            "Training image {index:,}, a {label}: from its gradient on, the runs take different ways.",
            index=index,
            label=label,
        ),
    )


def verification(verdict: Verdict, where: str = "") -> list[Part]:
    """What was derived again of each framework's run, and how far off it was."""
    if not verdict.verified:
        return [Paragraph(NOTHING_JUDGED)]
    title = say("What was derived again{where}, and how far off it was", where=where)
    table = _verification_table(verdict.verified, title)
    return [Paragraph(DERIVED), table, *map(Paragraph, map(_seen, verdict.verified.values()))]


def _verification_table(verified: Mapping[str, Verification], title: str) -> Table:
    """A row for each check; for each framework, the finding furthest off."""
    names = dict.fromkeys(check for found in verified.values() for check in found.checks)
    rows = []
    for check in names:
        findings = [found.checks.get(check, []) for found in verified.values()]
        numbers = max(sum(finding.numbers for finding in each) for each in findings)
        rows.append([check, f"{numbers:,}", *(cell for each in findings for cell in _furthest(each))])
    columns = [
        column
        for name in verified
        for column in (say("{name}: of what is allowed", name=name), say("{name}: furthest off", name=name))
    ]
    return Table([say("derived again"), say("numbers"), *columns], rows, title=title)


def _furthest(findings: Sequence[Finding]) -> tuple[str, str]:
    """What lies furthest off, as a share of what is allowed, and where. Nothing is looked for once steps fail."""
    if not findings:
        return say("not looked for"), NOTHING
    worst = max(findings, key=lambda finding: finding.share)
    size = f"{worst.share:.0%}" if np.isfinite(worst.share) else say("not the same")
    return join(" ", [size, "✓" if worst.passes else "✗"]), SAME if worst.share == 0 else worst.where


def _seen(found: Verification) -> str:
    """What the verification of a run covers, and what it would have seen."""
    told = say_number(
        "{framework}: {n} input of a ReLU lay so near to zero that rounding decided its side, and the reference took "
        "the same side.",
        "{framework}: {n} inputs of a ReLU lay so near to zero that rounding decided their side, and the reference "
        "took the same side.",
        n=found.crossings,
        framework=found.framework,
    )
    if not found.smallest:
        return sentences(told, say("There were too few segments to look for what is systematic."))
    seen = say(
        "A learning rate that is off by {rate:.1e} of itself would have been seen, and a decay of {decay:.1e}.",
        rate=found.smallest["rate"],
        decay=found.smallest["decay"],
    )
    return sentences(told, seen)


def checks(verdict: Verdict, where: str = "") -> list[Part]:
    """A table for each pair of runs, the first one's open."""
    titles = {
        pair: say("How far apart {pair} lie{where}", pair=join(say(" and "), pair), where=where)
        for pair in verdict.pairs
    }
    return [
        Group(titles[pair], [_check_table(titles[pair], results)], folded=number > 0)
        for number, (pair, results) in enumerate(verdict.pairs.items())
    ]


def cost_of_order(outcome: Outcome) -> str:
    """How far workers carry each framework from its one process, in a sentence; empty of a run without workers."""
    apart = {
        name: next(result.difference.absolute for result in results if result.check is STEP_LOSSES)
        for name, results in outcome.against_one.items()
    }
    if not apart:
        return ""
    told = listed([say("{size:.1e} in {name}", size=size, name=name) for name, size in apart.items()])
    return say("Against one process of the same framework, no step's loss lies further off than {told}.", told=told)


def against_one(outcome: Outcome) -> list[Part]:
    """What lies between the workers of each framework and one process of it; nothing of a run without workers."""
    titles = {name: say("How far {name}'s workers lie from one process", name=name) for name in outcome.against_one}
    tables = [
        Group(titles[name], [_check_table(titles[name], results)]) for name, results in outcome.against_one.items()
    ]
    return [Paragraph(cost_of_order(outcome)), Paragraph(WORKERS_MEAN), *tables] if tables else []


def _check_table(title: str, results: list[Result]) -> Table:
    header: list[str] = [
        say("check"),
        say("largest difference"),
        say("in"),
        say("ulps"),
        say("noise floor"),
        say("× floor"),
    ]
    rows = []
    for result in results:
        counts = result.check.is_count
        size = f"{result.difference.absolute:.0f}" if counts else f"{result.difference.absolute:.1e}"
        floor = f"{result.floor:.0f}" if counts else f"{result.floor:.1e}"
        ulps = NOTHING if counts else f"{result.difference.ulps:.3g}"
        rows.append([result.name, size, result.difference.tensor, ulps, floor, f"{result.factor:.2f}"])
    return Table(header, rows, title=title)


def proof(outcome: Outcome) -> list[Part]:
    """What --prove adds; nothing where it was not asked for."""
    proof = outcome.proof
    if not proof:
        return []
    exact: Part = Bullets(proof.exact.reasons) if proof.exact.reasons else Paragraph(say("Every step was verified."))
    in_float64 = [exact, *verification(proof.exact, say(", in float64")), Paragraph(SHOWN_IN_FLOAT64)]
    return [
        Group(say("In float64"), [*in_float64, *checks(proof.exact, say(", in float64"))]),
        Group(say("What rounding alone does"), [Paragraph(YARDSTICK_MEANS), yardstick(proof, names(outcome))]),
        Group(say("Run twice"), [repeats(proof)]),
    ]


def yardstick(proof: Proof, frameworks: list[str]) -> Table:
    """How far rounding alone carries each implementation, and the frameworks' difference as a multiple of it."""
    against = join(say(" against "), frameworks)
    columns = [*proof.yardstick, say("{against}, × the largest of these", against=against)]
    rows = []
    for name, factor in proof.factors.items():
        form = ".0f" if name == PREDICTIONS.name else ".1e"
        rows.append([name, *(f"{row[name]:{form}}" for row in proof.yardstick.values()), f"{factor:.2f}"])
    return Table([say("largest difference"), *columns], rows, sums_up="column")


def repeats(proof: Proof) -> Table:
    rows = [[name, say("yes") if same else say("NO")] for name, same in proof.repeats.items()]
    return Table([say("run"), say("same bits again")], rows)


def times(outcome: Outcome) -> Bars:
    """Seconds of each phase; where the engines differ, each framework's stands beside its name."""
    seconds = np.array([[run.record.timing.get(phase, 0.0) for run in outcome.runs] for phase in PHASES])
    engines = engines_of(outcome)
    mixed = len(set(engines.values())) > 1
    columns = [
        say("{name}, {engine} engine", name=name, engine=engine) if mixed else name for name, engine in engines.items()
    ]
    return Bars([say("seconds by phase"), *columns], list(PHASES.items()), seconds, ".2f", [*map(style_of, engines)])


def engines_of(outcome: Outcome) -> dict[str, str]:
    """By framework, the engine that its steps were run by."""
    return {run.record.framework: run.record.settings.get("engine", "unknown") for run in outcome.runs}


def time_caveats(outcome: Outcome) -> list[str]:
    """What a reader must know before drawing anything from the seconds."""
    caveats: list[str] = []
    engines = engines_of(outcome)
    if len(set(engines.values())) > 1:
        each = [say("{name} by “{engine}”", name=name, engine=engine) for name, engine in engines.items()]
        caveats.append(
            say(
                "Their steps were run by different engines: {engines}. So the seconds of compiling and training "
                "compare engines as much as frameworks, and do not say which framework is faster. --engine eager runs "
                "both step by step.",
                engines=listed(each),
            )
        )
    return [
        *caveats,
        say(
            "This is one run of each, on a machine that may have had other work, such as the runs of the reference "
            "implementation. It is not a benchmark."
        ),
        say("Where a core is free, one framework is imported and compiled while the other trains. That slows both."),
        say("The first run on a machine takes longer: it decodes the data and compiles code, once."),
    ]


def facts(outcome: Outcome) -> Table:
    rows: list[list[str]] = [[name, written(value)] for name, value in outcome.configuration.fields().items()]
    checksums = outcome.reference.record.data_checksum
    rows.append([say("data, SHA-256"), ", ".join(f"{split} {value[:12]}…" for split, value in checksums.items())])
    for run in outcome.runs:
        about = run.record
        rows.append([about.framework, ", ".join(f"{name} {version}" for name, version in about.versions.items())])
        rows.append([say("{framework} on", framework=about.framework), f"{about.device.type} ({about.device.name})"])
        settings = ", ".join(f"{name}: {value}" for name, value in about.settings.items())
        rows.append([say("{framework} with", framework=about.framework), settings])
    return Table([say("what"), say("value")], rows, words=True)


def checksums(outcome: Outcome) -> Table:
    """SHA-256 of what the runs were given and of what each left behind."""
    record = outcome.reference.record
    rows: list[list[str]] = [
        [say("{split} images and labels", split=split), value] for split, value in record.data_checksum.items()
    ]
    orders = enumerate(record.order_checksums, start=1)
    rows += [[say("order of epoch {number}", number=number), value] for number, value in orders]
    for run in outcome.runs:
        rows += [[f"{run.record.framework}, {file}", value] for file, value in run.record.files.items()]
    return Table([say("what"), "SHA-256"], rows, words=True)
