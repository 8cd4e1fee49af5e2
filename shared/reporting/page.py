"""A report as one page that holds all it needs, by `assets/page.html.jinja`, which has a macro for each kind of part.

It opens from disk, asks nobody for anything, and says the same without its script.
"""

import base64
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.reporting import plots
from shared.reporting.glossary import TERMS, Marker
from shared.reporting.parts import Chart, Part, Report, Section, Verdict, pictures, probability
from shared.reporting.styles import BAND, FEW_POINTS, PALE, STYLES
from shared.system.escaping import code_lines

ASSETS = Path(__file__).resolve().parent / "assets"
# Read in this order; the page runs no other script, and a browser refuses it one.
SCRIPTS = ("uplot.min.js", "page.js")
STYLE_SHEETS = ("uplot.min.css", "page.css")
PAIR_STYLE_SHEETS = ("pair.css",)  # more of them, for a report on two models of a user's own
LIBRARY_LICENCE = "LICENSE-uplot.txt"
DRAWN_DIGITS = 5  # of what is drawn, and never told
# Enough for a float32 to be read back as the same number.
SIGNIFICANT_DIGITS = {"float32": 9, "float64": 17}


def render(report: Report, stills: Mapping[str, str], dtype: str, *, pair: bool = False) -> str:
    """The whole page. `stills` are the pictures as SVG files, by name; `dtype` is that of the charts' numbers.

    `pair` is whether it reports on two models of a user's own: such a page shows their code, and no digits.
    """
    licence = f"/*\n{_asset(LIBRARY_LICENCE)}*/\n"
    scripts = [licence + _asset(SCRIPTS[0]), *map(_asset, SCRIPTS[1:])]
    verdict = next(part for part in report.parts if isinstance(part, Verdict))
    return (
        _environment(stills)
        .get_template("page.html.jinja")
        .render(
            report=report,
            opening=[part for part in report.parts if not isinstance(part, Section)],
            sections=[part for part in report.parts if isinstance(part, Section)],
            verdict=verdict.sentence.partition(":")[0],
            pair=pair,
            chart_data={
                "charts": [chart_data(one, dtype) for one in pictures(report.parts) if isinstance(one, Chart)],
                "styles": chart_styles(),
                "fewPoints": FEW_POINTS,
                "bandOpacity": BAND,
                "paleOpacity": PALE,
            },
            style=Markup("\n".join(map(_asset, STYLE_SHEETS + PAIR_STYLE_SHEETS * pair))),  # noqa: S704 our own files
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            script_hashes=[_csp_hash(script) for script in scripts],
        )
    )


def _environment(stills: Mapping[str, str]) -> Environment:
    marker = Marker(TERMS)
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def printed(part: Part) -> str:
        """By the macro that is called as the part's class is."""
        macro = getattr(environment.get_template("parts.html.jinja").module, type(part).__name__)
        return str(macro(part))

    def marked(text: str) -> Markup:
        """Each term a link to what it means, where it first stands in the report; its meaning shows when pointed at."""
        link = Markup('<a class="term" href="#{}" title="{}">{}</a>')
        pieces = marker.split(text)
        return Markup("").join(link.format(term.key, term.meaning, piece) if term else piece for piece, term in pieces)

    environment.filters |= {
        "marked": marked,
        "printed": lambda part: Markup(printed(part)),  # noqa: S704 the template has escaped it
        "still": lambda name: Markup(plots.inline(stills[name], name)),  # noqa: S704 drawn here
        "code_lines": code_lines,
        "colour": lambda style: STYLES[style].colour,
        "data_uri": _data_uri,
        "explained": lambda _: marker.close(),
        "probability": probability,
        "zip": zip,
    }
    return environment


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _csp_hash(script: str) -> str:
    """By which a browser knows a script that it may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _data_uri(image: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(plots.digit(image)).decode()


def chart_styles() -> dict[str, Any]:
    """The looks of curves for the page's script."""
    return {n: vars(s) | {"colour": s.colour, "thin": s.thin or s.width} for n, s in STYLES.items()}


def chart_data(chart: Chart, dtype: str) -> dict[str, Any]:
    """A chart for the page's script. Null where a curve has no value."""
    digits = SIGNIFICANT_DIGITS[dtype]

    def shown(values: np.ndarray, digits: int = digits) -> list[float | None]:
        return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]

    curves = [
        vars(curve)
        | {
            "values": shown(curve.values),
            "band": list(map(shown, curve.band or ())),
            "mean": [] if curve.mean is None else shown(curve.mean, DRAWN_DIGITS),
        }
        for curve in chart.curves
    ]
    return vars(chart) | {"x": chart.x.tolist(), "curves": curves}
