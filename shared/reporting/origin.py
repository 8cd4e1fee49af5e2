"""Where a report comes from: a reader who is sent it alone must find out when, from what and by which command."""

import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from shared.reporting.parts import Code, Command, Origin, Part, Section, Table
from shared.running.record import Run
from shared.system import checkout, escaping
from shared.system.language import say

SECTION, TITLE = "run", say("What was run")
AGAIN = say("Again:")  # stands before the command that made a report
UNKNOWN = say("not recorded")
SHORT = 12  # characters of a commit that tell it from others


@dataclass(frozen=True)
class Made:
    """By which command a report was made, when, and from which state of the program on which system."""

    command: str
    when: datetime.datetime | None
    commits: tuple[str, ...]  # several where runs of several are compared
    system: str

    @property
    def line(self) -> Origin:
        """In a line, for the top of the report."""
        when = say("on {time}", time=self._time) if self.when else self._time
        made = say("Made {when} by {program}.", when=when, program=_program())
        if self.commits:
            commits = ", ".join(map(_short, self.commits))
            made = say("Made {when} by {program}, commit {commits}.", when=when, program=_program(), commits=commits)
        return Origin(made, SECTION, TITLE)

    @property
    def _time(self) -> str:
        if not self.when:
            return say("at a time not recorded")
        return f"{self.when.astimezone(datetime.UTC):%Y-%m-%d, %H:%M} UTC"

    def section(self, parts: Sequence[Part]) -> Section:
        """All of it, after `parts` on what was run."""
        address = checkout.project().address
        what = say(
            "{program}, which compares a neural network in PyTorch with the same in TensorFlow/Keras",
            program=_program(),
        )
        rows: list[list[str]] = [
            [say("program"), what],
            *([[say("kept at"), address]] if address else []),
            [say("commit"), ", ".join(self.commits) or UNKNOWN],
            [say("made"), self._time],
            [say("system"), self.system],
            [say("what else it answers"), Code("docs/which.md")],
        ]
        table = Table([say("this report"), say("value")], rows, words=True)
        return Section(SECTION, TITLE, [*parts, table, Command(self.command, AGAIN)])


def _program() -> str:
    project = checkout.project()
    return f"{project.name} {project.version}"


def _short(commit: str) -> str:
    """As many characters as tell it from others, and whether files had changed since."""
    name, dirty, _ = commit.partition("-dirty")
    return f"{name[:SHORT]}{dirty}"


def of_runs(runs: Sequence[Run], command: str) -> Made:
    """Of a report on these runs: when the last of them ended."""
    told = [run.record.provenance for run in runs if run.record.provenance]
    commits = tuple(dict.fromkeys(each.commit for each in told if each.commit))
    systems = dict.fromkeys(each.system for each in told)
    ended = max((each.ended for each in told), default=None)
    return Made(escaping.one_line(command), ended, commits, ", ".join(systems) or UNKNOWN)


def of_now(command: str) -> Made:
    """Of a report that is being made."""
    commit = checkout.commit()
    now = datetime.datetime.now(datetime.UTC)
    return Made(escaping.one_line(command), now, (commit,) if commit else (), platform.platform())
