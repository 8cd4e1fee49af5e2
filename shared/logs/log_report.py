"""The report on two results of a user's own: results.json, report.md, pictures, and the summary on the terminal."""

import os
import textwrap
from pathlib import Path
from typing import Any

from library_defaults.rows import ROWS
from shared.logs import log_plots
from shared.logs.finding import Finding, find
from shared.logs.log_pair import LETTERS, Column, Losses, Pair
from shared.logs.log_words import gap_in_words, good, hides, lettered, milestones, notes, sentences
from shared.logs.sources import check_there
from shared.logs.tensor_pairs import Tensors
from shared.reporting import glossary, origin
from shared.reporting.parts import Bullets, Caution, Code, Paragraph, Part, Prose, Report, Section, Table, Verdict
from shared.reporting.report import write_files
from shared.system import escaping
from shared.system.errors import InputError
from shared.system.language import ENGLISH

# Rows of the table around the step at which the two diverge.
BEFORE, AFTER = 2, 6
WIDTH = 100  # of the text on the terminal
DISCLAIMER = (
    "A noise floor, how far rounding alone carries a run, can't be measured for runs that were made elsewhere. So this "
    "is no verdict of a match. It says how far apart the numbers lie, and how much of that their files can hide."
)


def refuse_to_replace(out: Path, paths: tuple[Path, Path]) -> None:
    """Raise InputError where a report in `out` would replace what it compares, or a comparison's runs."""
    for path in paths:
        check_there(path)
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out)):
            raise InputError(f"--out {out}: it holds {path}, which is compared; give --out a new folder")
    if os.path.isdir(out / "runs"):  # noqa: PTH112 which answers for any name
        raise InputError(f"--out {out}: it holds the runs of a comparison; give --out a new folder")


def write(pair: Pair, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    write_files(report(pair, command), results(pair), folder, [ENGLISH])


def results(pair: Pair) -> dict[str, Any]:
    """What results.json holds."""
    return {
        "records": {letter.lower(): str(source.path) for letter, source in lettered(pair)},
        "agree": pair.agree,
        "good": good(pair),
        "notes": notes(pair),
        "losses": pair.losses and _losses_results(pair.losses),
        "weights": pair.tensors and _tensors_results(pair.tensors),
    }


def _losses_results(losses: Losses) -> dict[str, Any]:
    def step(index: int | None) -> int | None:
        return None if index is None else int(losses.steps[index])

    return {
        "agree": losses.agree,
        "steps_in_common": len(losses.steps),
        "steps_only_in": {letter.lower(): len(only) for letter, only in zip(LETTERS, losses.only, strict=True)},
        "resolution": float(losses.resolution.max()),
        "written_differently_from": step(losses.first_difference),
        "differ_from": step(losses.first_apart),
        "part_at": step(losses.diverged),
        "largest_difference": float(losses.gap[losses.largest]),
        "largest_difference_at": step(losses.largest),
        "last_difference": float(losses.gap[-1]),
        "finding": _finding_results(find(losses)),
        "columns": {name: _column_results(column) for name, column in losses.columns.items()},
        "columns_only_in": {letter.lower(): list(n) for letter, n in zip(LETTERS, losses.lone, strict=True)},
        "columns_without_a_common_step": list(losses.unmet),
    }


def _finding_results(finding: Finding) -> dict[str, Any]:
    cause = finding.cause
    told = {"kind": finding.key, "sentence": finding.sentence, "numbers": finding.numbers, "good": finding.good}
    where = {"column": finding.column, "step": finding.at}
    return told | where | {"excluded": cause.excluded, "next": cause.then, "differences": list(cause.rows)}


def _column_results(column: Column) -> dict[str, Any]:
    apart = column.first_apart
    return {
        "in_common": len(column.steps),
        "differ_from": None if apart is None else int(column.steps[apart]),
        "largest_difference": float(column.gap[column.largest]),
        "resolution": float(column.resolution.max()),
    }


def _tensors_results(tensors: Tensors) -> dict[str, Any]:
    return {
        "agree": tensors.agree,
        "only_in": {letter.lower(): only for letter, only in zip(LETTERS, tensors.only, strict=True)},
        "tensors": {
            name: {
                "agrees": tensor.agrees,
                "shapes": [list(shape) for shape in tensor.shapes],
                "names": list(tensor.names),
                "layout": tensor.layout,
                "met_by": tensor.why,
                "transposed": tensor.transposed,
                "turned": tensor.turned or None,
                "share_of_norm": tensor.relative,
                "largest_difference": tensor.difference.absolute,
                "ulps": tensor.difference.ulps,
            }
            for name, tensor in tensors.shared.items()
        },
    }


def summary(pair: Pair) -> str:
    """What was found, for the terminal."""
    lines = [f"{letter}: {source.path}" for letter, source in lettered(pair)]
    if pair.losses:
        rows = [["", pair.losses.unit, "difference"], *milestones(pair.losses)]
        lines += ["", *(f"{what:<52}  {step:>9}  {gap:>10}" for what, step, gap in rows)]
        finding = find(pair.losses)
        lines += ["", *(line for text in _beyond(finding) for line in textwrap.wrap(text, WIDTH))]
        lines += ["", *(f"Losses of {x}: {hides(log)}." for x, log in zip(LETTERS, pair.losses.logs, strict=True))]
    lines += ["", *(f"NOTE: {note}" for note in notes(pair)), *sentences(pair)]
    return "\n".join(map(escaping.one_line, lines))


def report(pair: Pair, command: str) -> Report:
    """All of it, from its first part to its last."""
    losses = [Section("losses", "Losses", _losses_parts(pair, pair.losses))] if pair.losses else []
    weights = [Section("weights", "Weights", _tensors_parts(pair.tensors))] if pair.tensors else []
    verdicts = [Verdict(sentence, good(pair)) for sentence in sentences(pair)]
    cautions = [Caution(note, "Note") for note in notes(pair)]
    limits = Section("limits", "What this is not", [Paragraph(DISCLAIMER)])
    made = origin.of_now(command)
    sections = [*losses, *weights, limits, glossary.section(), made.section([])]
    return Report("A and B, compared", [*verdicts, *cautions, made.line, _facts(pair), *sections])


def _facts(pair: Pair) -> Table:
    rows = [["path", *(Code(source.path) for source in pair.sources)]]
    if pair.losses:
        logs = pair.losses.logs
        rows.append(["losses", *(f"{len(log.steps):,}, steps {log.steps[0]} to {log.steps[-1]}" for log in logs)])
        if any(log.form for log in logs):
            rows.append(["format", *(log.form for log in logs)])
        rows.append(["they are", *map(hides, logs)])
    if pair.tensors:
        rows.append(["tensors", *(str(len(source.weights or {})) for source in pair.sources)])
    return Table(["", *LETTERS], rows, words=True)


def _losses_parts(pair: Pair, losses: Losses) -> list[Part]:
    labels = [f"{letter}: {source.path.name}" for letter, source in lettered(pair)]
    hidden = (
        "A file hides half a unit of the last digit that it writes, and half a unit in the last place of the float32 "
        f"or float64 that the number was. Together the two files hide {losses.resolution.max():.1e} at most. Two "
        "losses that differ by no more than the files hide may have been the same number."
    )
    parts: list[Part] = [log_plots.losses(losses, labels), log_plots.divergence(losses)]
    finding = find(losses)
    parts = [
        *_points_to(finding),
        *parts,
        Table(["", losses.unit, "difference"], milestones(losses)),
        *_columns(losses),
    ]
    parts += [*log_plots.columns(losses, labels), Paragraph(hidden)]
    candidates = (losses.diverged, losses.first_apart, losses.first_difference)
    around = next((index for index in candidates if index is not None), None)
    return parts if around is None else [*parts, _steps(losses, slice(max(0, around - BEFORE), around + AFTER))]


def _beyond(finding: Finding) -> list[str]:
    """What led to the finding, what it excludes, and what would tell more."""
    cause = finding.cause
    excluded = [Prose(f"Excluded: {cause.excluded}.")] if cause.excluded else []
    likely = [] if finding.good else ["What this points to is a likelihood, and no proof."]
    return [" ".join([finding.numbers, *likely]), *excluded, Prose(f"Next: {cause.then}")]


def _points_to(finding: Finding) -> list[Part]:
    rows: list[list[str]] = [[Prose(row.item), Prose(row.curve)] for row in ROWS if row.key in finding.cause.rows]
    fitting = "Of docs/differences.md, what the frameworks do otherwise unless told, and does this to a curve:"
    table = Table(["what", "what it does to a curve"], rows, words=True)
    return [Bullets(_beyond(finding)), *([Paragraph(fitting), table] if rows else [])]


def _columns(losses: Losses) -> list[Part]:
    """Every other column that both have, a row each."""
    rows = []
    for name, column in losses.columns.items():
        apart = column.first_apart
        since = "nowhere" if apart is None else str(column.steps[apart])
        rows.append([name, str(len(column.steps)), since, gap_in_words(column.gap[column.largest])])
    header = ["column", "in common", "differs from step", "largest difference"]
    return [Table(header, rows)] if rows else []


def _steps(losses: Losses, shown: slice) -> Table:
    columns = (losses.steps, *losses.values, losses.gap, losses.resolution)
    rows = [
        [str(step), f"{a:.9g}", f"{b:.9g}", gap_in_words(gap), f"{resolution:.1e}"]
        for step, a, b, gap, resolution in zip(*(column[shown] for column in columns), strict=True)
    ]
    return Table([losses.unit, *LETTERS, "difference", "the files can hide"], rows)


def _tensors_parts(tensors: Tensors) -> list[Part]:
    rows = []
    for tensor in tensors.shared.values():
        (a, b), names = tensor.shapes, map(Code, tensor.names)
        shape = str(a) if a == b else f"{a} against {b}"
        size, ulps, share = (
            (f"{tensor.difference.absolute:.1e}", f"{tensor.difference.ulps:.3g}", f"{tensor.relative:.1e}")
            if tensor.layout
            else ("", "", "")
        )
        layout = tensor.layout or "none fits"
        rows.append([*names, shape, layout, tensor.why, size, ulps, share, "yes" if tensor.agrees else "NO"])
    columns = ["A's", "B's", "shape", "layout", "met by", "largest difference", "ulps", "of its norm", "agrees"]
    return [
        log_plots.weights(tensors),
        Table(columns, rows),
        Paragraph(
            "One ulp is a unit in the last place of the tensor's largest magnitude, in the coarser of the two dtypes. "
            "Two tensors agree where they differ by one ulp or less. The share of its norm is the norm of the "
            "difference, in units of the larger tensor's norm: 1.4 for two that have nothing to do with each other. "
            "Kernels are (out, in, …) in PyTorch and (…, in, out) in Keras: one of the two is transposed where shapes, "
            "the kind of layer or the other kernels ask for it. A square kernel is never transposed because it fits "
            "better, except where nothing else tells, and then a note says so."
        ),
    ]
