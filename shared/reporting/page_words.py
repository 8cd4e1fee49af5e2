"""The page's own words: those around a report, and those of its script, which fills the braces itself."""

import re

from shared.reporting.parts import Prose
from shared.system.language import say

AROUND = {
    "title": say("{verdict}: {title}"),
    "skip": say("Skip to the report"),
    "contents": say("Contents"),
    "language": say("Language"),
    "picture": say("Picture"),
    "more": say("{made} {section} tells more."),
    "digit": say("digit"),
    "label": say("label"),
    "says_so": say("says so: "),
    "footer": Prose(
        say(
            "The numbers are in `results.json` beside this page; the losses, weights and logits of every run are under "
            "`runs`. The digits are from MNIST, by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, "
            "CC BY-SA 3.0. The charts are drawn by uPlot, MIT licence."
        )
    ),
    "footer_of_pair": Prose(
        say("The numbers are in `results.json` beside this page. The charts are drawn by uPlot, MIT licence.")
    ),
}
OF_SCRIPT = {
    "colours": say("Colours"),
    "auto": say("Auto"),
    "light": say("Light"),
    "dark": say("Dark"),
    "curves": say("Curves: press to hide or show"),
    "points": say("Points of the curves"),
    "zoomOut": say("Zoom out"),
    "zoomIn": say("Zoom in"),
    "all": say("All"),
    "showAll": say("Show all"),
    "band": say("{value} ({low} to {high})"),
    "gap": say("{gap} points"),  # of percent
    "at": say("At {place}:"),
    "atApart": say("At {place}, {gap} apart:"),
    "read": say("{place}: {values}"),
    "readApart": say("{place}: {values}, {gap} apart"),
    "and": say(", "),
}
# What a chart's points are, and one of them, by the first word of its axis.
UNITS = {
    "step": (say("step"), say("step {at}")),
    "epoch": (say("epoch"), say("epoch {at}")),
    "seed": (say("seed"), say("seed {at}")),
    "check": (say("check"), say("check {at}")),
}


def unit(x_label: str) -> tuple[str, str]:
    """What the points along an axis are, and one of them."""
    word = re.split("[ ,]", x_label)[0]
    return UNITS.get(word, (word, f"{word} {{at}}"))
