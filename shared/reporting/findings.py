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

# What a run's clock tells apart, in the order in which it happens.
PHASES = {
    "import": "the framework is loaded",
    "data": f"{MNIST.name} is read, checked and put on the device",
    "compile": "the model is built and its step compiled",
    "training": "every step of every epoch",
    "evaluation": f"{MNIST.test_images}, after every epoch",
}
DERIVED = (
    "Each row is a check. The percentage is the largest share that a framework took of what rounding may do: more than "
    "100% is no match. Beside it stands where that was."
)
SHOWN = (
    "How far the whole runs lie apart is shown here, and not judged: two sound runs diverge. The noise floor is how "
    "far rounding alone carries the reference implementation in a whole run, in this comparison: the largest of what "
    "it does perturbed by 1 ulp, with reordered sums and, where the runs are in float32, in float64. The last column "
    "is the difference as a multiple of it. A figure of some units there is what two sound runs may show."
)
YARDSTICK_MEANS = (
    "Each implementation is compared with itself; only its rounding is changed. The table shows the largest difference "
    "on each check. Its last column compares the frameworks’ difference with the largest of these: above 1 is no "
    "mistake, for nothing is judged by it."
)
SHOWN_IN_FLOAT64 = "In float64 too, how far the whole runs lie apart is shown beside the noise floor, and not judged."
WORKERS_MEAN = (
    "Each step of the workers was verified like any other, above. One process trains the same batches in the same "
    "order, step by step: what lies between the two is the order in which the workers' sums are added, and what "
    "training makes of it. It is shown beside the noise floor, and not judged."
)
NOTHING, SAME = "–", "the very same"  # of a cell
NOTHING_JUDGED = "No check was made: the runs were not given the same, or they hold numbers that are not finite."
NOT_LOOKED_FOR = "Where they diverge was not looked for: no run was verified."
NO_DIVERGENCE = "They do not diverge: at no step do their losses lie further apart than a few units in the last place."


def names(outcome: Outcome) -> list[str]:
    """Of the frameworks."""
    return [run.record.framework for run in outcome.runs]


def listed(names: list[str]) -> str:
    """Names in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


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
        more = len(outcome.reasons) - 1
        odd = f" {outcome.verdict.odd_one_out} is the odd one out." if outcome.verdict.odd_one_out else ""
        return f"NO MATCH: {outcome.reasons[0]}{f' (and {more} more)' if more else ''}.{odd}"
    return (
        f"MATCH: in {listed(names(outcome))}, each of the {outcome.training.steps:,} steps in {outcome.training.dtype} "
        f"follows from the weights before it, to within {furthest_step(outcome).share:.0%} of what rounding may do; "
        f"{identical_predictions(outcome):,} of {len(outcome.reference.test_logits):,} predictions are identical."
    )


def key_figures(outcome: Outcome) -> list[tuple[str, str]]:
    """The figures to remember, each with what it is."""
    gap = float(spread([run.step_losses.astype(np.float64) for run in outcome.runs]).max())
    examples = len(outcome.reference.test_logits)
    last = [run.record.epochs[-1].test_accuracy for run in outcome.runs]
    figures = [
        (f"{gap:.1e}" if np.isfinite(gap) else "not a number", "largest difference of any step's loss"),
        (f"{identical_predictions(outcome):,}", f"of {examples:,} predictions are identical"),
        (" · ".join(f"{accuracy:.2%}" for accuracy in last), f"test accuracy, {' · '.join(names(outcome))}"),
    ]
    if verified := outcome.verdict.verified:
        steps = sum(segment.until - segment.first for found in verified.values() for segment in found.segments)
        figures.insert(0, (f"{steps:,}", f"steps taken again and judged, {' and '.join(verified)} together"))
    return figures


def first_divergence(outcome: Outcome) -> list[Part]:
    """Where the frameworks diverge, and why; else that they don't."""
    first = outcome.first_divergence
    if not first:
        return [Paragraph(NO_DIVERGENCE if outcome.verdict.verified else NOT_LOOKED_FOR)]
    train = examples_of("train") if first.crossings else None
    images = dict.fromkeys(crossing.example for crossing in first.crossings)
    said = Paragraph(f"They diverge at step {first.step:,}, counted from 0: {first.cause}.")
    return [said, *(_crossing(i, int(train.labels[i]), train.images[i]) for i in images if train)]


def _crossing(index: int, label: int, image: np.ndarray) -> Image:
    return Image(
        image,
        f"Handwritten digit labelled {label}, training image {index}",
        f"Training image {index:,}, a {label}: from its gradient on, the runs take different ways.",
    )


def verification(verdict: Verdict, where: str = "") -> list[Part]:
    """What was derived again of each framework's run, and how far off it was."""
    if not verdict.verified:
        return [Paragraph(NOTHING_JUDGED)]
    title = f"What was derived again{where}, and how far off it was"
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
    columns = [column for name in verified for column in (f"{name}: of what is allowed", f"{name}: furthest off")]
    return Table(["derived again", "numbers", *columns], rows, title=title)


def _furthest(findings: Sequence[Finding]) -> tuple[str, str]:
    """What lies furthest off, as a share of what is allowed, and where. Nothing is looked for once steps fail."""
    if not findings:
        return "not looked for", NOTHING
    worst = max(findings, key=lambda finding: finding.share)
    size = f"{worst.share:.0%}" if np.isfinite(worst.share) else "not the same"
    return f"{size} {'✓' if worst.passes else '✗'}", SAME if worst.share == 0 else worst.where


def _seen(found: Verification) -> str:
    """What the verification of a run covers, and what it would have seen."""
    told = (
        f"{found.framework}: 1 input of a ReLU lay so near to zero that rounding decided its side, and the reference "
        "took the same side."
        if found.crossings == 1
        else f"{found.framework}: {found.crossings} inputs of a ReLU lay so near to zero that rounding decided their "
        "side, and the reference took the same side."
    )
    if not found.smallest:
        return f"{told} There were too few segments to look for what is systematic."
    rate, decay = found.smallest["rate"], found.smallest["decay"]
    return (
        f"{told} A learning rate that is off by {rate:.1e} of itself would have been seen, and a decay of {decay:.1e}."
    )


def checks(verdict: Verdict, where: str = "") -> list[Part]:
    """A table for each pair of runs, the first one's open."""
    titles = {pair: f"How far apart {' and '.join(pair)} lie{where}" for pair in verdict.pairs}
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
    told = listed([f"{size:.1e} in {name}" for name, size in apart.items()])
    return f"Against one process of the same framework, no step's loss lies further off than {told}."


def against_one(outcome: Outcome) -> list[Part]:
    """What lies between the workers of each framework and one process of it; nothing of a run without workers."""
    titles = {name: f"How far {name}'s workers lie from one process" for name in outcome.against_one}
    tables = [
        Group(titles[name], [_check_table(titles[name], results)]) for name, results in outcome.against_one.items()
    ]
    return [Paragraph(cost_of_order(outcome)), Paragraph(WORKERS_MEAN), *tables] if tables else []


def _check_table(title: str, results: list[Result]) -> Table:
    header = ["check", "largest difference", "in", "ulps", "noise floor", "× floor"]
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
    exact: Part = Bullets(proof.exact.reasons) if proof.exact.reasons else Paragraph("Every step was verified.")
    in_float64 = [exact, *verification(proof.exact, ", in float64"), Paragraph(SHOWN_IN_FLOAT64)]
    return [
        Group("In float64", [*in_float64, *checks(proof.exact, ", in float64")]),
        Group("What rounding alone does", [Paragraph(YARDSTICK_MEANS), yardstick(proof, names(outcome))]),
        Group("Run twice", [repeats(proof)]),
    ]


def yardstick(proof: Proof, frameworks: list[str]) -> Table:
    """How far rounding alone carries each implementation, and the frameworks' difference as a multiple of it."""
    columns = [*proof.yardstick, f"{' against '.join(frameworks)}, × the largest of these"]
    rows = []
    for name, factor in proof.factors.items():
        form = ".0f" if name == PREDICTIONS.name else ".1e"
        rows.append([name, *(f"{row[name]:{form}}" for row in proof.yardstick.values()), f"{factor:.2f}"])
    return Table(["largest difference", *columns], rows, sums_up="column")


def repeats(proof: Proof) -> Table:
    return Table(["run", "same bits again"], [[name, "yes" if same else "NO"] for name, same in proof.repeats.items()])


def times(outcome: Outcome) -> Bars:
    """Seconds of each phase; where the engines differ, each framework's stands beside its name."""
    seconds = np.array([[run.record.timing.get(phase, 0.0) for run in outcome.runs] for phase in PHASES])
    engines = engines_of(outcome)
    mixed = len(set(engines.values())) > 1
    columns = [f"{name}, {engine} engine" if mixed else name for name, engine in engines.items()]
    return Bars(["seconds by phase", *columns], list(PHASES.items()), seconds, ".2f", [*map(style_of, engines)])


def engines_of(outcome: Outcome) -> dict[str, str]:
    """By framework, the engine that its steps were run by."""
    return {run.record.framework: run.record.settings.get("engine", "unknown") for run in outcome.runs}


def time_caveats(outcome: Outcome) -> list[str]:
    """What a reader must know before drawing anything from the seconds."""
    caveats = []
    engines = engines_of(outcome)
    if len(set(engines.values())) > 1:
        caveats.append(
            f"Their steps were run by different engines: {listed([f'{n} by “{e}”' for n, e in engines.items()])}. So "
            "the seconds of compiling and training compare engines as much as frameworks, and do not say which "
            "framework is faster. --engine eager runs both step by step."
        )
    return [
        *caveats,
        (
            "This is one run of each, on a machine that may have had other work, such as the runs of the reference "
            "implementation. It is not a benchmark."
        ),
        "Where a core is free, one framework is imported and compiled while the other trains. That slows both.",
        "The first run on a machine takes longer: it decodes the data and compiles code, once.",
    ]


def facts(outcome: Outcome) -> Table:
    rows = [[name, written(value)] for name, value in outcome.configuration.fields().items()]
    checksums = outcome.reference.record.data_checksum
    rows.append(["data, SHA-256", ", ".join(f"{split} {value[:12]}…" for split, value in checksums.items())])
    for run in outcome.runs:
        about = run.record
        rows.append([about.framework, ", ".join(f"{name} {version}" for name, version in about.versions.items())])
        rows.append([f"{about.framework} on", f"{about.device.type} ({about.device.name})"])
        rows.append([f"{about.framework} with", ", ".join(f"{k}: {v}" for k, v in about.settings.items())])
    return Table(["what", "value"], rows, words=True)


def checksums(outcome: Outcome) -> Table:
    """SHA-256 of what the runs were given and of what each left behind."""
    record = outcome.reference.record
    rows = [[f"{split} images and labels", value] for split, value in record.data_checksum.items()]
    rows += [[f"order of epoch {number}", value] for number, value in enumerate(record.order_checksums, start=1)]
    for run in outcome.runs:
        rows += [[f"{run.record.framework}, {file}", value] for file, value in run.record.files.items()]
    return Table(["what", "SHA-256"], rows, words=True)
