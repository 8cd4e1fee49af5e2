"""How curves look, and the colours of everything that is drawn."""

from dataclasses import dataclass
from typing import Literal

# Okabe and Ito's palette, which colour-blind readers can tell apart; shape and dash tell them apart as well.
BLUE, ORANGE, GREEN, GREY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#555555", "#AA4A82"
# Their counterparts on a dark ground.
SKY, AMBER, MINT, SILVER, PINK = "#56B4E9", "#E69F00", "#2BC79B", "#B4B4B4", "#E08FBF"
BAND = 0.2  # how opaque a curve's band is
PALE = 0.25  # how opaque the values are over which their running mean is drawn
FEW_POINTS = 60  # up to here a curve shows each of its points


@dataclass(frozen=True)
class Style:
    """How a curve looks. Sizes are in points."""

    light: str  # colours, on a light ground and on a dark one
    dark: str
    width: float
    dash: tuple[float, ...] = ()
    marker: Literal["", "ring", "dot", "cross"] = ""
    thin: float | None = None  # the width where points are many, and go up and down at each

    @property
    def colour(self) -> str:
        """For a style sheet."""
        return f"light-dark({self.light}, {self.dark})"


UNKNOWN = "unknown"  # the style of a framework that has none of its own
# A wide hollow marker under a small filled one: curves that coincide both stay visible.
STYLES = {
    "pytorch": Style(ORANGE, AMBER, 3.5, thin=2, marker="ring"),
    "tensorflow": Style(BLUE, SKY, 1.2, thin=0.7, marker="dot"),
    UNKNOWN: Style(PURPLE, PINK, 1.2, (2, 2), "cross"),
    "matched": Style(GREY, SILVER, 1.2, (5, 2)),
    "tutorial": Style(GREY, SILVER, 1, (4, 3), "cross"),
    "level": Style(GREY, SILVER, 1, (4, 3)),  # one value for all of x
    "float32": Style(BLUE, SKY, 2),
    "float64": Style(GREEN, MINT, 2),
    "floor-1": Style(GREY, SILVER, 1, (1, 2)),
    "floor-2": Style(GREY, SILVER, 1, (5, 3)),
    "floor-3": Style(GREY, SILVER, 1, (6, 2, 1, 2)),
    "mark": Style(ORANGE, AMBER, 1.2),
}


def style_of(framework: str) -> str:
    """The name of a framework's style, by the framework's name."""
    return framework.lower() if framework.lower() in STYLES else UNKNOWN
