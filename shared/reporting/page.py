"""A report as one page that holds all it needs, by `assets/page.html.jinja`, which has a macro for each kind of part.

It opens from disk, asks nobody for anything, and says the same without its script. It holds each text in every
language, side by side where they differ, and shows one of them; a number or a picture it holds once.
"""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from shared.reporting import plots
from shared.reporting.glossary import TERMS, Marker, Term
from shared.reporting.page_words import AROUND, OF_SCRIPT, unit
from shared.reporting.parts import (
    Chart,
    Origin,
    Part,
    Report,
    Section,
    Verdict,
    by_turns,
    leading,
    pictures,
    probability,
    titled,
)
from shared.reporting.styles import BAND, FEW_POINTS, PALE, STYLES
from shared.system.escaping import code_lines
from shared.system.language import ENGLISH, LANGUAGES, join, say, translated

ASSETS = Path(__file__).resolve().parent / "assets"
# Read in this order; the page runs no other script, and a browser refuses it one.
SCRIPTS = ("uplot.min.js", "page.js")
STYLE_SHEETS = ("uplot.min.css", "page.css")
PAIR_STYLE_SHEETS = ("pair.css",)  # more of them, for a report on two models of a user's own
LIBRARY_LICENCE = "LICENSE-uplot.txt"
TERMS_IN_ORDER = sorted(TERMS, key=lambda term: term.name.lower())
DRAWN_DIGITS = 5  # of what is drawn, and never told
# Enough for a float32 to be read back as the same number.
SIGNIFICANT_DIGITS = {"float32": 9, "float64": 17}


def render(
    report: Report, stills: Mapping[str, str], dtype: str, *, pair: bool = False, language: str = ENGLISH
) -> str:
    """The whole page. `stills` are the pictures as SVG files, by name; `dtype` is that of the charts' numbers.

    `pair` is whether it reports on two models of a user's own: such a page shows their code, and no digits.
    `language` is the one in which it opens before a reader has chosen.
    """
    licence = f"/*\n{_asset(LIBRARY_LICENCE)}*/\n"
    scripts = [licence + _asset(SCRIPTS[0]), *map(_asset, SCRIPTS[1:])]
    verdict = next(part for part in report.parts if isinstance(part, Verdict))
    title = {
        one: translated(AROUND["title"], one).format(verdict=_word(verdict), title=translated(report.title, one))
        for one in LANGUAGES
    }
    return (
        _environment(stills, language)
        .get_template("page.html.jinja")
        .render(
            report=report,
            opening=[part for part in report.parts if not isinstance(part, Section)],
            sections=[part for part in report.parts if isinstance(part, Section)],
            title=title[language],
            pair=pair,
            language=language,
            languages=LANGUAGES,
            script_data={
                "charts": [chart_data(one, dtype) for one in pictures(report.parts) if isinstance(one, Chart)],
                "styles": chart_styles(),
                "fewPoints": FEW_POINTS,
                "bandOpacity": BAND,
                "paleOpacity": PALE,
                "words": in_each(OF_SCRIPT),
                "title": title,
            },
            style=Markup("\n".join(map(_asset, STYLE_SHEETS + PAIR_STYLE_SHEETS * pair))),  # noqa: S704 our own files
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            script_hashes=[_csp_hash(script) for script in scripts],
        )
    )


def _environment(stills: Mapping[str, str], language: str = ENGLISH) -> Environment:
    markers = {one: Marker(TERMS, one) for one in LANGUAGES}
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
        return _beside(lambda one: _linked(translated(text, one), one, markers[one]))

    def finding(verdict: Verdict) -> Markup:
        """What its word stands before, with a capital."""
        return _beside(lambda one: _linked(_finding(verdict, one), one, markers[one]))

    def explained(_: Part) -> list[tuple[Term, str]]:
        """Every term that was marked, and the language in which it was where it was not in each."""
        found = {one: marker.close() for one, marker in markers.items()}
        return [
            (term, "" if len(among) == len(LANGUAGES) else among[0])
            for term in TERMS_IN_ORDER
            if (among := [one for one, terms in found.items() if term in terms])
        ]

    environment.filters |= {
        "attribute": lambda text, name: _attribute(text, name, language),
        "code_lines": code_lines,
        "colour": lambda style: STYLES[style].colour,
        "data_uri": _data_uri,
        "explained": explained,
        "finding": finding,
        "leading": leading,
        "listed": lambda texts: join(say(", "), texts),
        "marked": marked,
        "more": lambda origin: _beside(lambda one: _more(origin, one)),
        "printed": lambda part: Markup(printed(part)),  # noqa: S704 the template has escaped it
        "probability": probability,
        "said": lambda text: _beside(lambda one: _words(translated(text, one))),
        "still": lambda name: Markup(plots.inline(stills[name], name)),  # noqa: S704 drawn here
        "titled": titled,
        "word": _word,
        "zip": zip,
    }
    environment.globals["words"] = AROUND
    return environment


def _beside(printed: Callable[[str], Markup]) -> Markup:
    """What is printed in each language, side by side; once where it is the same in all."""
    texts = {language: printed(language) for language in LANGUAGES}
    if len(set(texts.values())) == 1:
        return texts[ENGLISH]
    return Markup("").join(Markup('<span lang="{}">{}</span>').format(*each) for each in texts.items())


def _words(text: str) -> Markup:
    """Words, and of `Prose` what is code in it."""
    pieces = (Markup("<code>{}</code>").format(one) if i % 2 else escape(one) for i, one in enumerate(by_turns(text)))
    return Markup("").join(pieces)


def _linked(text: str, language: str, marker: Marker) -> Markup:
    link = Markup('<a class="term" href="#{}" title="{}">{}</a>')
    return Markup("").join(
        link.format(term.key, translated(term.meaning, language), piece) if term else piece
        for piece, term in marker.split(text)
    )


def _attribute(text: str, name: str, opening: str) -> Markup:
    """An attribute in the language in which the page opens, and those by which its script says it in another."""
    texts = {f"data-{name}-{language.lower()}": translated(text, language) for language in LANGUAGES}
    shown = translated(text, opening)
    texts = {name: shown} | {key: other for key, other in texts.items() if other != shown}
    return Markup(" ").join(Markup('{}="{}"').format(*each) for each in texts.items())


def _more(origin: Origin, language: str) -> Markup:
    link = Markup('<a href="#{}">{}</a>').format(origin.section, translated(origin.title, language))
    return escape(translated(AROUND["more"], language)).format(made=translated(origin.text, language), section=link)


def _word(verdict: Verdict) -> str:
    """The word or two in capitals, which are the same in every language."""
    return verdict.sentence.partition(":")[0]


def _finding(verdict: Verdict, language: str) -> str:
    """What stands after them."""
    said = re.split(r": |\uff1a", translated(verdict.sentence, language), maxsplit=1)[-1]
    return said[0].upper() + said[1:]


def in_each(value: Any) -> Any:
    """For the page's script: of each text that is not the same in all languages the text in every language."""
    if isinstance(value, str):
        texts = {language: translated(value, language) for language in LANGUAGES}
        return texts if len(set(texts.values())) > 1 else value
    if isinstance(value, dict):
        return {key: in_each(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [in_each(one) for one in value]
    return value


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
        in_each({"label": curve.label})
        | {
            "style": curve.style,
            "joined": curve.joined,
            "values": shown(curve.values),
            "band": list(map(shown, curve.band or ())),
            "mean": [] if curve.mean is None else shown(curve.mean, DRAWN_DIGITS),
        }
        for curve in chart.curves
    ]
    what, place = unit(chart.x_label)
    texts = {
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "mark": chart.mark,
        "each": say("Each {unit}", unit=what),
        "asked": say("{title}: values at one {unit}", title=chart.title, unit=what),
        "place": place,
    }
    return {
        "name": chart.name,
        **in_each(texts),
        "scale": chart.scale,
        "stairs": chart.stairs,
        "compared": chart.compared,
        "x": chart.x.tolist(),
        "curves": curves,
    }
