"""Where the seconds of a whole `compare.py` go: cold, with nothing in the cache, and warm, as every time after.

`make bench` runs both, and between the warm ones PyTorch's tutorial loop for as many epochs, beside which a comparison
is measured; and writes benchmarks/breakdown.json, breakdown.md and breakdown.png. The picture has a lane for each
process, on one axis of time.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import processes
from benchmarks.speed import STOCK
from shared.comparing.processes import find_interpreter
from shared.configuration import Configuration
from shared.reporting import markdown
from shared.reporting.drawing import Axes, plt
from shared.reporting.parts import Table
from shared.reporting.styles import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from shared.system import cache, ending, progress, trace
from shared.system.errors import InputError
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole

HERE = Path(__file__).resolve().parent
REPEATS = 3
COLD, WARM = "cold", "warm"
EPOCHS = Configuration().training.epochs
WAITING = "waiting for its turn"
# What each process does, in the order of the legend, and its colour. What is not named here is drawn as the rest.
COLOURS = {
    "start": "#CFCFCF",
    "import": GREY,
    "data": GREEN,
    "compile": PURPLE,
    "training": ORANGE,
    "evaluation": "#E8A33D",
    "record": SKY,
    "verifying": BLUE,
    "reading records": "#8FA8C8",
    "judging": "#B3446C",
    "drawing": "#4B9B8E",
    "page": "#7FCDBB",
}
REST, REST_COLOUR = "waiting, and the rest", "#EDEDED"
# By program: the lane it is drawn in.
LANES = {
    "compare.py": "compare.py",
    "pytorch_impl": "PyTorch",
    "tensorflow_impl": "TensorFlow",
    "shared.reference": "the reference",
    "shared.reference.reordered": "the reference",
}
BESIDE = "compare.py, beside"


class Span(NamedTuple):
    """What a process did from `began` to `ended`, in seconds since the comparison's start."""

    lane: str
    what: str
    began: float
    ended: float
    cpu: float  # seconds that its process had used by the end
    process: int


class Comparison(NamedTuple):
    """A whole `compare.py`: how long it took, and what it did meanwhile."""

    seconds: float
    spans: list[Span]

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes."""
        used: defaultdict[int, float] = defaultdict(float)
        for span in self.spans:
            used[span.process] = max(used[span.process], span.cpu)
        return sum(used.values())


def main() -> int:
    """Measure and write."""
    python = find_interpreter("PyTorch", None)
    with tempfile.TemporaryDirectory() as kept, progress.bar(1 + 2 * REPEATS, "comparisons") as advance:
        cold, warm, tutorial = compare_once(python, kept), [], []
        advance(1)
        for _ in range(REPEATS):
            warm.append(compare_once(python, kept))
            advance(1)
            tutorial.append(tutorial_seconds(python))
            advance(1)
    middle = sorted(warm, key=lambda one: one.seconds)[REPEATS // 2]
    shown = {COLD: cold, WARM: middle}
    result = {
        "machine": {"cpu": cpu_name(), "cores": cores()},
        "tutorial_seconds": tutorial,
        "warm_seconds": [one.seconds for one in warm],
        "spans": {name: [span._asdict() for span in one.spans] for name, one in shown.items()},
        "seconds": {name: one.seconds for name, one in shown.items()},
    }
    text = as_markdown(shown, result)
    write_whole(HERE / "breakdown.json", lambda path: path.write_text(json.dumps(result) + "\n", encoding="utf-8"))
    write_whole(HERE / "breakdown.md", lambda path: path.write_text(text, encoding="utf-8"))
    write_whole(HERE / "breakdown.png", lambda path: draw(shown, path))
    print(text)
    return ending.OK


def compare_once(python: Path, kept: str) -> Comparison:
    """A comparison, with what is kept for the next one in the folder `kept`. Raises InputError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        began = time.time()
        command = [str(python), "compare.py", "--device", "cpu", "--out", f"{folder}/out"]
        processes.run("compare.py", command, **{cache.VARIABLE: kept, trace.VARIABLE: str(path)})
        seconds = time.time() - began
        return Comparison(seconds, read(path.read_text(encoding="utf-8").splitlines(), began))


def read(lines: Iterable[str], began: float) -> list[Span]:
    """The spans of a trace, in the order in which they are drawn: those within another one later."""
    spans = []
    for line in lines:
        noted = json.loads(line)
        lane = BESIDE if noted["beside"] else LANES.get(noted["program"])
        if lane is None:
            raise InputError(f"the trace names {noted['program']}, which has no lane; add it to LANES")
        within = noted["began"] - began, noted["ended"] - began
        spans.append(Span(lane, noted["what"], *within, noted["cpu"], noted["process"]))
    return sorted(spans, key=lambda span: (span.began, -span.ended))


def tutorial_seconds(python: Path) -> float:
    """Seconds that PyTorch's tutorial loop takes for as many epochs: its imports and its evaluation not counted."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        options = [*STOCK, "--device", "cpu", "--epochs", str(EPOCHS), "--out", str(out)]
        processes.run("the tutorial's loop", [str(python), "-m", "pytorch_impl", *options])
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    seconds: float = run["timing"]["training"]
    return seconds


def own_seconds(spans: list[Span]) -> dict[tuple[str, str], float]:
    """By lane and name, the seconds that were spent in it and in no span within it."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    open_spans: defaultdict[tuple[int, str], list[Span]] = defaultdict(list)
    for span in spans:
        around = open_spans[span.process, span.lane]
        while around and around[-1].ended <= span.began:
            around.pop()
        found[span.lane, span.what] += span.ended - span.began
        if around and span.ended <= around[-1].ended:
            found[span.lane, around[-1].what] -= span.ended - span.began
        around.append(span)
    return dict(found)


def as_markdown(shown: dict[str, Comparison], result: dict[str, Any]) -> str:
    """The ratios, and the seconds of each lane by what it did."""
    tutorial, warm = statistics.median(result["tutorial_seconds"]), result["warm_seconds"]
    machine, blank = result["machine"], "\n\n"
    named = [*COLOURS, WAITING, trace.WHOLE]
    tables = []
    for name, one in shown.items():
        own = own_seconds(one.spans)
        lanes = [lane for lane in dict.fromkeys([*LANES.values(), BESIDE]) if any(lane == key[0] for key in own)]
        rows = [
            [
                REST if what == trace.WHOLE else what,
                *(f"{own[lane, what]:.2f}" if (lane, what) in own else "" for lane in lanes),
            ]
            for what in named
            if any((lane, what) in own for lane in lanes)
        ]
        title = f"## {name.capitalize()}: {one.seconds:.1f} s, {one.seconds / tutorial:.2f} of the tutorial's loop"
        shared = one.cpu / machine["cores"]
        bound = f"shared evenly by all cores, {shared:.1f} s, {shared / tutorial:.2f} of the loop"
        tables.append(f"{title}\n\n{markdown.table(Table(['seconds', *lanes], rows))}")
        tables.append(f"{one.cpu:.1f} CPU seconds: {bound}.")
    spread = ", ".join(f"{seconds / tutorial:.2f}" for seconds in sorted(warm))
    return f"""<!-- Made by `make bench`: not edited by hand. -->

# Where the seconds of a whole comparison go

`python compare.py` as it is, against {tutorial:.1f} s, which PyTorch's tutorial loop takes to train {EPOCHS} epochs.
Warm, it took {spread} of that in {len(warm)} repeats, each followed by the loop; the one in the middle is shown.
Cold, nothing was in the cache. {machine["cpu"]}, {machine["cores"]} cores.

![A lane for each process, by what it did](breakdown.png)

{blank.join(tables)}
"""


def draw(shown: dict[str, Comparison], path: Path) -> None:
    """A panel for each comparison, each on its own axis of time; a lane for each process."""
    figure, panels = plt.subplots(len(shown), figsize=(10, 3.1 * len(shown)), layout="constrained", squeeze=False)
    for axes, (name, one) in zip(panels[:, 0], shown.items(), strict=True):
        _draw_lanes(axes, one)
        axes.set_title(f"{name.capitalize()}: {one.seconds:.1f} s on the clock, {one.cpu:.1f} s of CPU", loc="left")
    panels[-1, 0].set_xlabel("seconds since the start")
    for what in [*COLOURS, WAITING, trace.WHOLE]:
        panels[0, 0].barh(0, 0, label=REST if what == trace.WHOLE else what, **_look(what))
    figure.legend(loc="outside lower center", ncols=7, frameon=False, fontsize=9)
    plt.savefig(path, dpi=150, format="png")
    plt.close()


def _draw_lanes(axes: Axes, one: Comparison) -> None:
    lanes = [lane for lane in dict.fromkeys([*LANES.values(), BESIDE]) if any(lane == s.lane for s in one.spans)]
    for span in one.spans:
        at = len(lanes) - lanes.index(span.lane)
        axes.barh(at, span.ended - span.began, left=span.began, height=0.7, **_look(span.what))
    axes.set_yticks(range(len(lanes), 0, -1), lanes)
    axes.set_xlim(0, one.seconds)
    axes.set_ylim(0.5, len(lanes) + 0.5)
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _look(what: str) -> dict[str, Any]:
    if what == WAITING:
        return {"facecolor": "white", "hatch": "////", "edgecolor": "#BBBBBB", "linewidth": 0}
    return {"color": COLOURS.get(what, REST_COLOUR)}


if __name__ == "__main__":
    sys.exit(ending.exit_status("breakdown.py", main))
