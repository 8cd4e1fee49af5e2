"""The report as one page that holds all it needs: what stands on it, as plain data, for `assets/page.html.jinja`.

It opens from disk, asks nobody for anything, and says the same without its script.
"""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.comparing.comparison import Outcome
from shared.contract import FRAMEWORKS
from shared.mnist import Examples
from shared.reference import data
from shared.reporting import findings, mistakes, plots
from shared.reporting.mistakes import Mistakes
from shared.reporting.pictures import BAND, FEW_POINTS, STYLES, Picture
from shared.reporting.section import Section
from shared.reporting.side_by_side import Row, side_by_side
from shared.system.paths import ROOT

ASSETS = Path(__file__).resolve().parent / "assets"
# Read in this order; the page runs no other script, and a browser refuses it one.
SCRIPTS = ("uplot.min.js", "page.js")
STYLE_SHEETS = ("uplot.min.css", "page.css")
LIBRARY_LICENCE = "LICENSE-uplot.txt"
# Which pictures share a place on the page, the first shown first.
CHARTS = {"loss": ("steps", "loss"), "accuracy": ("accuracy",), "divergence": ("divergence",)}
CODE = ("train.py", "model.py", "data.py", "fast.py", "runtime.py")
# Enough for a float32 to be read back as the same number.
SIGNIFICANT_DIGITS = {"float32": 9, "float64": 17}


@dataclass(frozen=True)
class Cell:
    """A number on a ground as dark as its share of the largest."""

    text: str
    share: float  # -1 to 1; below zero on the other ground
    words: str


@dataclass(frozen=True)
class Phase:
    """What one phase of a run took in both frameworks."""

    name: str
    what: str
    seconds: list[float]
    shares: list[float]  # of the longest of all phases


@dataclass(frozen=True)
class Comparison:
    """One file of the two implementations."""

    file: str
    rows: list[Row]

    @property
    def changed(self) -> int:
        return sum(row.kind != "same" for row in self.rows)


def render(
    outcome: Outcome,
    drawn: list[Picture],
    stills: Mapping[str, str],
    found: Mistakes,
    command: str,
    sections: Sequence[Section] = (),
) -> str:
    """The whole page. `stills` are the pictures as SVG files; `sections` are the parts that other rooms fill."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": _data_uri, "zip": zip, "probability": mistakes.probability}
    licence = f"/*\n{_asset(LIBRARY_LICENCE)}*/\n"
    scripts = [licence + _asset(SCRIPTS[0]), *map(_asset, SCRIPTS[1:])]
    by_name = {picture.name: picture for picture in drawn}
    more = [picture for section in sections for picture in section.pictures if isinstance(picture, Picture)]
    return environment.get_template("page.html.jinja").render(
        outcome=outcome,
        findings=findings,
        command=command,
        key_figures=key_figures(outcome, found),
        charts={name: [by_name[picture] for picture in shown] for name, shown in CHARTS.items()},
        stills={name: Markup(plots.inline(svg, name)) for name, svg in stills.items()},  # noqa: S704 drawn here
        chart_data={
            "pictures": [chart_data(picture, outcome.training.dtype) for picture in (*drawn, *more)],
            "styles": chart_styles(),
            "fewPoints": FEW_POINTS,
            "bandOpacity": BAND,
        },
        styles=STYLES,
        sections=sections,
        phases=phases(outcome),
        mistakes=mistakes,
        found=found,
        matrices=matrices(found),
        crossing_digits=crossing_digits(outcome),
        code=code(),
        frameworks=FRAMEWORKS,
        style=Markup("\n".join(map(_asset, STYLE_SHEETS))),  # noqa: S704 our own files
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        script_hashes=[_csp_hash(script) for script in scripts],
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    """By which a browser knows a script that it may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _data_uri(image: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(plots.digit(image)).decode()


def key_figures(outcome: Outcome, found: Mistakes) -> list[tuple[str, str]]:
    """The figures to remember, each with what it is."""
    a, b = (run.step_losses.astype(np.float64) for run in outcome.runs)
    gap = float(np.abs(a - b).max())
    last = [run.record.epochs[-1].test_accuracy for run in outcome.runs]
    figures = [
        (f"{gap:.1e}" if math.isfinite(gap) else "not a number", "largest difference of any step's loss"),
        (f"{found.examples - found.disagreed:,}", f"of {found.examples:,} predictions are identical"),
        (" · ".join(f"{accuracy:.2%}" for accuracy in last), f"test accuracy, {' · '.join(FRAMEWORKS)}"),
    ]
    if outcome.verdict.pairs:
        worst, factor = findings.furthest_check(outcome)
        figures.insert(0, (f"{factor:.2g}×", f"what rounding alone does, at the most ({worst})"))
    return figures


def chart_styles() -> dict[str, Any]:
    """The looks of curves for the page's script."""
    return {
        name: {
            "colour": style.colour,
            "width": style.width,
            "thin": style.thin or style.width,
            "dash": style.dash,
            "marker": style.marker,
        }
        for name, style in STYLES.items()
    }


def chart_data(picture: Picture, dtype: str) -> dict[str, Any]:
    """A picture for the page's script. Null where a curve has no value."""
    digits = SIGNIFICANT_DIGITS[dtype]

    def shown(values: np.ndarray) -> list[float | None]:
        return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]

    return {
        "name": picture.name,
        "title": picture.title,
        "xLabel": picture.x_label,
        "yLabel": picture.y_label,
        "scale": picture.scale,
        "stairs": picture.stairs,
        "mark": picture.mark,
        "x": picture.x.tolist(),
        "curves": [
            {
                "label": curve.label,
                "style": curve.style,
                "joined": curve.joined,
                "values": shown(curve.values),
                "band": [shown(edge) for edge in curve.band or ()],
            }
            for curve in picture.curves
        ],
    }


def phases(outcome: Outcome) -> list[Phase]:
    seconds = {name: [run.record.timing.get(name, 0.0) for run in outcome.runs] for name in findings.PHASES}
    longest = max(max(pair) for pair in seconds.values()) or 1.0
    return [
        Phase(name, what, seconds[name], [s / longest for s in seconds[name]]) for name, what in findings.PHASES.items()
    ]


def matrices(found: Mistakes) -> list[tuple[str, str, list[list[Cell]]]]:
    """Title, explanation and cells of both confusion matrices and of their difference."""
    a, b = found.confusion
    mistaken = max(int(np.max(m - np.diag(np.diag(m)))) for m in (a, b)) or 1
    changed = int(np.abs(b - a).max()) or 1
    first, second = found.names
    counted = [
        (name, f"{wrong:,} wrong", [[_count(counts, i, j, mistaken) for j in range(len(a))] for i in range(len(a))])
        for name, wrong, counts in zip(found.names, found.wrong, found.confusion, strict=True)
    ]
    cells = [
        [_change(int(b[i, j] - a[i, j]), i, j, changed, found.names) for j in range(len(a))] for i in range(len(a))
    ]
    return [*counted, ("Difference", f"{second} less {first}", cells)]


def _count(counts: np.ndarray, label: int, taken_for: int, most: int) -> Cell:
    number = int(counts[label, taken_for])
    if label == taken_for:  # right: it would outshine every mistake
        return Cell(f"{number}", 0.0, f"{label} recognised: {mistakes.how_often(number)}")
    return Cell(f"{number}", number / most, f"{label} taken for {taken_for}: {mistakes.how_often(number)}")


def _change(number: int, label: int, taken_for: int, most: int, names: tuple[str, str]) -> Cell:
    what = f"{label} recognised" if label == taken_for else f"{label} taken for {taken_for}"
    oftener = f"{mistakes.how_often(abs(number))} more by {names[number > 0]}" if number else "as often by both"
    return Cell(f"{number:+d}".replace("-", "−") if number else "0", number / most, f"{what}: {oftener}")


def crossing_digits(outcome: Outcome) -> list[tuple[int, int, np.ndarray]]:
    """Index, label and image of the training images at which the two part."""
    if not (outcome.first_divergence and outcome.first_divergence.crossings):
        return []
    train: Examples = data.read("train")
    chosen = dict.fromkeys(crossing.example for crossing in outcome.first_divergence.crossings)
    return [(index, int(train.labels[index]), train.images[index]) for index in chosen]


def code() -> list[Comparison]:
    """The two implementations, file by file."""
    texts = {
        file: [(ROOT / f"{name.lower()}_impl" / file).read_text(encoding="utf-8") for name in FRAMEWORKS]
        for file in CODE
    }
    return [Comparison(file, side_by_side(*pair)) for file, pair in texts.items()]
