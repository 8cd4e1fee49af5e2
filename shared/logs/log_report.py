"""A pair of own results -> results.json, report.md, pictures, and the last words on the screen."""

import json
import os
import textwrap
from pathlib import Path
from typing import Any

from shared.logs import log_plots
from shared.logs.hints import hint
from shared.logs.log_pair import LETTERS, Losses, Pair, Tensors
from shared.logs.log_words import gap_in_words, lettered, milestones, notes, sentences
from shared.logs.sources import check_there
from shared.reporting.report import json_safe
from shared.reporting.tables import Code, Table
from shared.system import escaping
from shared.system.errors import InputError

SCHEMA = 1
# Rows of the table around the first step at which the two part.
BEFORE, AFTER = 2, 6
WIDTH = 100  # of the text on the terminal
DISCLAIMER = (
    "No noise floor can be measured for runs that were made elsewhere, so this is no verdict of a match: it says how "
    "far apart the numbers lie, and how much of that their files can hide."
)


def refuse_to_replace(out: Path, paths: tuple[Path, Path]) -> None:
    """Raise InputError where a report in `out` would take the place of what it is about, or of a comparison's runs."""
    for path in paths:
        check_there(path)
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out)):
            raise InputError(f"--out {out}: it holds {path}, which is compared; give --out a new folder")
    if os.path.isdir(out / "runs"):  # noqa: PTH112 which answers for any name
        raise InputError(f"--out {out}: it holds the runs of a comparison; give --out a new folder")


def write(pair: Pair, folder: Path, command: str) -> None:
    """Write results.json, the pictures and report.md. `command` is what reproduces them."""
    text = json.dumps(json_safe(results(pair)), indent=2, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    if pair.losses:
        labels = [f"{letter}: {source.path.name}" for letter, source in lettered(pair)]
        log_plots.losses(pair.losses, labels, folder / "loss.png")
        log_plots.divergence(pair.losses, folder / "divergence.png")
    if pair.tensors:
        log_plots.weights(pair.tensors, folder / "weights.png")
    (folder / "report.md").write_text(markdown(pair, command), encoding="utf-8")


def results(pair: Pair) -> dict[str, Any]:
    """What results.json holds. Numbers that are not finite become null: JSON has none."""
    return {
        "schema": SCHEMA,
        "records": {letter.lower(): str(source.path) for letter, source in lettered(pair)},
        "agree": pair.agree,
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
        "hint": hint(losses),
    }


def _tensors_results(tensors: Tensors) -> dict[str, Any]:
    return {
        "agree": tensors.agree,
        "only_in": {letter.lower(): only for letter, only in zip(LETTERS, tensors.only, strict=True)},
        "tensors": {
            name: {
                "agrees": tensor.agrees,
                "shapes": [list(shape) for shape in tensor.shapes],
                "transposed": tensor.transposed,
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
        rows = [["", "step", "difference"], *milestones(pair.losses)]
        lines += ["", *(f"{what:<52}  {step:>9}  {gap:>10}" for what, step, gap in rows)]
        lines += ["", *textwrap.wrap(hint(pair.losses), WIDTH)]
    lines += ["", *(f"NOTE: {note}" for note in notes(pair)), *sentences(pair)]
    return "\n".join(map(escaping.one_line, lines))


def markdown(pair: Pair, command: str) -> str:
    """The report as Markdown, with relative links to the pictures."""
    parts = ["# A and B, compared"]
    parts += [f"**{escaping.markdown(sentence)}**" for sentence in sentences(pair)]
    parts += [f"> **Note.** {escaping.markdown(note)}" for note in notes(pair)]
    parts.append(_facts_table(pair))
    if pair.losses:
        parts += _losses_parts(pair.losses)
    if pair.tensors:
        parts += _tensors_parts(pair.tensors)
    return "\n\n".join([*parts, "## What this is not", DISCLAIMER, f"Again: {escaping.markdown_code(command)}"]) + "\n"


def _facts_table(pair: Pair) -> str:
    rows = [["path", *(Code(source.path) for source in pair.sources)]]
    if pair.losses:
        logs = pair.losses.logs
        rows.append(["losses", *(f"{len(log.steps):,}, steps {log.steps[0]} to {log.steps[-1]}" for log in logs)])
        rows.append(["precision", *(log.precision for log in logs)])
    if pair.tensors:
        rows.append(["tensors", *(str(len(source.weights or {})) for source in pair.sources)])
    return Table(["", *LETTERS], rows, words=True).markdown()


def _losses_parts(losses: Losses) -> list[str]:
    coarsest = losses.resolution.max()
    parts = ["## Losses", "![Both losses, overlaid](loss.png)", "![Largest difference so far](divergence.png)"]
    parts += [Table(["", "step", "difference"], milestones(losses)).markdown(), escaping.markdown(hint(losses))]
    parts.append(
        "What the files can hide is half a unit of the last digit that each writes, and half a unit in the last place "
        f"of the float32 or float64 that it was: {coarsest:.1e} at most, between the two. Within it, the two losses "
        "may have been the same number."
    )
    candidates = (losses.diverged, losses.first_apart, losses.first_difference)
    around = next((index for index in candidates if index is not None), None)
    if around is not None:
        rows = [
            [str(step), f"{a:.9g}", f"{b:.9g}", gap_in_words(gap), f"{resolution:.1e}"]
            for step, a, b, gap, resolution in list(
                zip(losses.steps, *losses.values, losses.gap, losses.resolution, strict=True)
            )[max(0, around - BEFORE) : around + AFTER]
        ]
        parts.append(Table(["step", *LETTERS, "difference", "the files can hide"], rows).markdown())
    return parts


def _tensors_parts(tensors: Tensors) -> list[str]:
    rows = []
    for name, tensor in tensors.shared.items():
        a, b = tensor.shapes
        shape = str(a) if a == b else f"{a} against {b}"
        if tensor.transposed:
            shape += ": one is the transpose"
        if a != b and not tensor.transposed:
            size, ulps = "", ""
        else:
            size, ulps = f"{tensor.difference.absolute:.1e}", f"{tensor.difference.ulps:.3g}"
        rows.append([Code(name), shape, size, ulps, "yes" if tensor.agrees else "NO"])
    parts = ["## Weights", "![Largest difference in each tensor](weights.png)"]
    parts.append(Table(["tensor", "shape", "largest difference", "ulps", "agrees"], rows).markdown())
    parts.append(
        "A unit in the last place, ulp, is that of the tensor's largest magnitude, in the coarser of the two dtypes; "
        "up to one of them the two agree. Kernels are (out, in, …) in PyTorch and (…, in, out) in Keras: where the "
        "shapes say so, or the numbers of a square one, one was transposed for the comparison."
    )
    return parts
