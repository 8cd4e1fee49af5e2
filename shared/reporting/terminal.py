"""What compare.py shows on a terminal: how far both runs are, then the table and the verdict; plain text elsewhere."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.measure import Measurement
from rich.progress import Progress, TaskID, TextColumn
from rich.table import Table as RichTable
from rich.text import Text

from shared.comparing.comparison import Outcome
from shared.comparing.runs import Variant, Watcher
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.reporting import epochs, findings
from shared.reporting.parts import Table
from shared.reporting.styles import STYLES, style_of
from shared.running.record import Epoch
from shared.system import language, progress
from shared.training import Training

# The columns that a narrow terminal does without, the first first; what is left is not cut, down to 28 characters.
DISPENSABLE = [
    figure.headers(FRAMEWORKS) for figure in sorted(epochs.FIGURES, key=lambda figure: figure.dropped) if figure.dropped
]
WIDE = 200  # characters, where no terminal sets a width
# Of the live table: its head, what was left out, a bar for each run that can be at work, and each that is verified.
LINES_BESIDE_ROWS = 6 + len(IMPLEMENTATIONS) + len(FRAMEWORKS)


@contextlib.contextmanager
def watching(training: Training) -> Iterator[Watcher | None]:
    """Yield who shows both runs in a live table, which vanishes at the end; None where nobody watches."""
    if not progress.watched():
        yield None
        return
    table = LiveTable(training, progress.terminal())
    # What is printed meanwhile goes above the table; but never from a pipe or a file onto the terminal.
    printed = sys.stdout.isatty()
    with Live(console=table.console, get_renderable=table.draw, transient=True, redirect_stdout=printed):
        yield table


class LiveTable(Watcher):
    """Both frameworks' figures epoch by epoch, and a bar for each run that is at work."""

    def __init__(self, training: Training, console: Console) -> None:
        self.console = console
        self._training = training
        self._epochs: dict[str, list[Epoch]] = {name: [] for name in FRAMEWORKS}
        self._bars = Progress(TextColumn("{task.fields[name]}", markup=False), *progress.columns(), console=console)
        self._tasks: dict[Variant, TaskID] = {}

    def starts(self, variant: Variant, number: int, count: int) -> None:
        name = language.say("{run} ({number} of {count})", run=variant.name, number=number, count=count)
        told, total = language.shown(language.say("starting")), self._training.steps_per_epoch
        self._tasks[variant] = self._bars.add_task(told, start=False, total=total, name=language.shown(name))

    def hears(self, variant: Variant, event: dict[str, Any]) -> None:
        if "doing" in event:
            self._bars.start_task(self._tasks[variant])
            self._bars.update(self._tasks[variant], **_progress(event))
        elif variant.framework not in FRAMEWORKS:  # the reference works quietly
            return
        elif "notice" in event:
            self.console.out(event["notice"], highlight=False)
        elif "epoch" in event and variant == Variant(variant.framework, self._training.dtype):
            self._epochs[variant.framework].append(Epoch.model_validate(event["epoch"]))

    def ends(self, variant: Variant) -> None:
        self._bars.remove_task(self._tasks[variant])

    def draw(self) -> Group:
        table = epochs.table(self._training, self._epochs)
        room = max(1, self.console.height - LINES_BESIDE_ROWS)
        return Group(_fitting(Table(table.header, table.rows[-room:]), self.console), "", self._bars)


def _progress(event: dict[str, Any]) -> dict[str, Any]:
    return {"description": language.shown(event["doing"]), "completed": event["done"], "total": event["total"]}


def show(outcome: Outcome) -> None:
    """Print the table and the verdict."""
    console = _output()
    console.print("", _fitting(epochs.of(outcome), console), "", sep="\n")
    for warning in outcome.warnings:
        say(language.say("WARNING: {warning}", warning=warning), good=False)
    say(findings.sentence(outcome), good=outcome.match)
    if cost := findings.cost_of_order(outcome):
        say(cost)


def say(sentence: str, *, good: bool | None = None) -> None:
    """Print a sentence in the reader's language: on a terminal broken between words.

    A verdict's capitals are green if it is `good`, else red.
    """
    console = _output()
    words = Text(language.shown(sentence))
    if good is not None:
        words.highlight_regex(r"^[A-Z ]*[A-Z]\b", "bold green" if good else "bold red")
    console.print(words, soft_wrap=not console.is_terminal)


def _output() -> Console:
    """Standard output; with colours on a terminal only, and there none where NO_COLOR is set."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE, color_system=None, force_terminal=False)


def _fitting(table: Table, console: Console) -> Group:
    """As much of a table as the console is wide enough for, and what was left out."""
    forms: list[tuple[str, list[str]]] = [(" ", []), ("\n", [])]
    for columns in DISPENSABLE:
        forms.append(("\n", forms[-1][1] + columns))
    for between_words, left_out in forms:
        drawn = _drawn(table, between_words, left_out)
        if Measurement.get(console, console.options.update(width=WIDE), drawn).maximum <= console.width:
            break
    names = {name: name for name in table.header}  # as they are said
    missing = [names[name] for name in left_out if name in names]
    told = language.say("Left out, for want of width: {columns}.", columns=language.join(language.say(", "), missing))
    return Group(drawn, *([Text(language.shown(told))] if missing else []))


def _drawn(table: Table, between_words: str, left_out: Sequence[str]) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    shown = [column for column in zip(table.header, *table.rows, strict=True) if column[0] not in left_out]
    for name, *_ in shown:
        framework = name.partition(" ")[0]
        style = f"bold {STYLES[style_of(framework)].light}" if framework in FRAMEWORKS else "bold"
        told = language.shown(name).replace(" ", between_words)
        drawn.add_column(told, justify="right", no_wrap=True, header_style=style)
    for row in list(zip(*shown, strict=True))[1:]:
        drawn.add_row(*(Text(language.shown(cell)) for cell in row))
    return drawn
