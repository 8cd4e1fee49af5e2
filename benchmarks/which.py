"""The pictures of docs/which.md, made small from the reports that its commands leave under out/which.

`python -m benchmarks.which` takes the picture of each report that is there, and leaves the others as they are.
"""

import sys
from pathlib import Path

from shared.system import ending

with ending.importing("benchmarks.which"):
    from PIL import Image

    from shared.system.errors import InputError
    from shared.system.paths import ROOT

REPORTS = ROOT / "out" / "which"
# By the name of a report's folder, the picture that shows its answer.
PICTURES = {
    "compare": "steps",
    "prove": "divergence",
    "seeds": "seeds-accuracy",
    "explain": "shares",
    "pair": "checks-float64",
    "records": "loss",
}
WIDTH = 720  # pixels
COLOURS = 128  # fewer would dull the few points that are coloured
LARGEST = 60_000  # bytes


def small(source: Path, target: Path) -> None:
    """Write a picture of few colours, `WIDTH` pixels wide. Raises InputError where it is still large."""
    with Image.open(source) as picture:
        height = round(picture.height * WIDTH / picture.width)
        scaled = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    scaled.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE).save(target, optimize=True)
    if (size := target.stat().st_size) > LARGEST:
        raise InputError(f"{target} has {size:,} bytes, more than {LARGEST:,}; lower COLOURS or WIDTH")


def main() -> int:
    """Make each picture whose report is there. Returns the exit status."""
    there = {name: REPORTS / name / f"{picture}.png" for name, picture in PICTURES.items()}
    found = {name: source for name, source in there.items() if source.is_file()}
    if not found:
        raise InputError(f"{REPORTS} holds no report; run the commands of docs/which.md first")
    for name, source in found.items():
        target = ROOT / "docs" / f"which-{name}.png"
        small(source, target)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status("benchmarks.which", main))
