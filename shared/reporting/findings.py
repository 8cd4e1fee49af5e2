"""What a comparison found, in sentences and tables: for report.md and for the page."""

from collections.abc import Sequence
from itertools import zip_longest

from shared.comparing import tutorial
from shared.comparing.checks import DIVERGED_LIMIT, LIMIT, Result
from shared.comparing.comparison import Outcome, Proof
from shared.contract import FRAMEWORKS
from shared.reporting.tables import Table
from shared.running.record import Epoch
from shared.training import Training

# What a run's clock tells apart, in the order in which it happens.
PHASES = {
    "import": "the framework is loaded",
    "data": "MNIST is read, checked and put on the device",
    "compile": "the model is built and its step compiled",
    "training": "every step of every epoch",
    "evaluation": "the 10,000 test images, after every epoch",
}
LOSS_MEANS = "Loss is the mean of batch means, as the tutorial prints it; accuracy is on the 10,000 test images."
RULE = (
    "Each check rests on those above it. The noise floor is how far rounding alone carries the reference, "
    "the same training in NumPy, in this very comparison. A pair matches while it stays within "
    f"{LIMIT:g} floors: two runs that each lie within one floor of exact arithmetic lie within two of each other, "
    "and the floor is itself a sample. "
    f"After two runs have diverged, as float32 runs mostly do, by a ReLU, their losses and logits may lie "
    f"{DIVERGED_LIMIT:g} apart."
)

YARDSTICK_MEANS = (
    "Each implementation against itself, with nothing changed but its rounding: the largest difference on each check. "
    "The multiples at the end are of the largest of these; the verdict's are of the noise floor, which is the "
    "reference's alone."
)


def furthest_check(outcome: Outcome) -> tuple[str, float]:
    """The judged check on which the frameworks lie furthest apart, and how many times this comparison's noise floor."""
    judged = [check for check in outcome.verdict.pairs[FRAMEWORKS] if check.limit is not None]
    worst = max(judged, key=lambda check: check.factor)
    return worst.name, worst.factor


def sentence(outcome: Outcome) -> str:
    """The verdict in one sentence, with its figure."""
    if outcome.reasons:
        more = len(outcome.reasons) - 1
        return f"NO MATCH: {outcome.reasons[0]}{f' (and {more} more)' if more else ''}."
    worst, factor = furthest_check(outcome)
    changed = outcome.verdict.pairs[FRAMEWORKS][-1].difference.absolute
    examples = len(outcome.reference.test_logits)
    return (
        f"MATCH: over {outcome.training.steps:,} steps in {outcome.training.dtype}, PyTorch and TensorFlow differ by "
        f"at most {factor:.2g} times what rounding alone does ({worst}); "
        f"{examples - int(changed):,} of {examples:,} predictions are identical."
    )


def epochs(outcome: Outcome) -> Table:
    return epoch_table(outcome.training, [run.record.epochs for run in outcome.runs])


def epoch_table(training: Training, runs: Sequence[Sequence[Epoch]]) -> Table:
    """The figures of both frameworks, as far as each has come."""
    shows_tutorial = tutorial.comparable(training)
    header = ["epoch"] + [f"{name} loss" for name in FRAMEWORKS] + ["difference"]
    header += ["tutorial loss"] * shows_tutorial + [f"{name} accuracy" for name in FRAMEWORKS]
    rows = []
    for index, pair in enumerate(zip_longest(*runs)):
        row = [str(index + 1), *(f"{epoch.train_loss:.4f}" if epoch else "" for epoch in pair)]
        row.append(f"{abs(pair[0].train_loss - pair[1].train_loss):.1e}" if all(pair) else "")
        if shows_tutorial:
            losses = tutorial.EPOCH_LOSSES
            row.append(f"{losses[index]:.4f}" if index < len(losses) else "")
        rows.append([*row, *(f"{epoch.test_accuracy:.2%}" if epoch else "" for epoch in pair)])
    return Table(header, rows)


def ladder(checks: list[Result]) -> Table:
    header = ["check", "largest difference", "in", "ulps", "noise floor", "× floor", "judged"]
    rows = []
    for check in checks:
        judged = "" if check.limit is None else f"≤ {check.limit:g} {'✓' if check.passes else '✗'}"
        counts = check.check.is_count
        size = f"{check.difference.absolute:.0f}" if counts else f"{check.difference.absolute:.1e}"
        floor = f"{check.floor:.0f}" if counts else f"{check.floor:.1e}"
        ulps = "" if counts else f"{check.difference.ulps:.3g}"
        rows.append([check.name, size, check.difference.tensor, ulps, floor, f"{check.factor:.2f}", judged])
    return Table(header, rows)


def yardstick(proof: Proof) -> Table:
    """How far rounding alone carries each implementation, and the frameworks' difference as a multiple of it."""
    names = list(proof.factors)
    rows = [
        [who, *(f"{row[name]:.0f}" if name == "predictions" else f"{row[name]:.1e}" for name in names)]
        for who, row in proof.yardstick.items()
    ]
    multiples = [f"{proof.factors[name]:.2f}" for name in names]
    rows.append(["PyTorch against TensorFlow, × the largest of these", *multiples])
    return Table(["largest difference", *names], rows, sums_up="row")


def repeats(proof: Proof) -> Table:
    return Table(["run", "same bits again"], [[name, "yes" if same else "NO"] for name, same in proof.repeats.items()])


def times(outcome: Outcome) -> Table:
    rows = [[r.record.framework, *(f"{r.record.timing.get(phase, 0):.2f}" for phase in PHASES)] for r in outcome.runs]
    return Table(["seconds", *PHASES], rows)


def time_caveats(outcome: Outcome) -> list[str]:
    """What a reader must know before drawing anything from the seconds."""
    caveats = [
        "One run each, on a machine that may have had other work, the reference's runs among it: not a benchmark.",
        "Where a core is free, one framework is imported and compiled while the other trains, which slows both.",
        "The first run on a machine takes longer: MNIST is decoded and code compiled, once.",
    ]
    engines = {run.record.framework: run.record.settings.get("engine", "unknown") for run in outcome.runs}
    if len(set(engines.values())) > 1:
        how = " and ".join(f"{name} by the engine “{engine}”" for name, engine in engines.items())
        caveats.append(
            f"Steps were run {how}: their seconds of training compare engines as much as frameworks. "
            "--engine gives both the same."
        )
    return caveats


def facts(outcome: Outcome) -> Table:
    rows = [[name, str(value)] for name, value in outcome.configuration.fields().items()]
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
