"""The command line that the three programs share, made from the configuration's own fields."""

import argparse
import difflib
import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from shared import configuration, options
from shared.configuration import FIELDS, Configuration
from shared.execution import Execution
from shared.system import progress
from shared.system.errors import InputError
from shared.training import Training

# Accepted for one more version.
FORMER_NAMES = {"--keras-habits": "keras_defaults"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        _, _, unknown = message.partition("unrecognized arguments: ")
        near = next((name for word in unknown.split() if (name := self._near(word.partition("=")[0]))), None)
        meant = f"did you mean {near}? " if near else ""
        raise InputError(f"{message}; {meant}{self.prog} --help lists the options")

    def _near(self, given: str) -> str | None:
        """The option that was perhaps meant by one that there is not: by its first letters, or nearly its name."""
        shown = (action for action in self._actions if action.help != argparse.SUPPRESS)
        names = [name for action in shown for name in action.option_strings if name.startswith("--")]
        letters = {"--" + "".join(word[0] for word in name[2:].split("-")): name for name in names}
        return letters.get(given) or next(iter(difflib.get_close_matches(given, names, 1)), None)


def make_parser(program: str, description: str, default_out: str) -> Parser:
    """A parser with an option for each field of a configuration, and `--out`."""
    started = program if program.endswith(".py") else f"-m {program}"
    parser = Parser(prog=program, usage=f"python {started} [options]", description=description, allow_abbrev=False)
    # So many options are read by what they are for.
    groups = {
        **dict.fromkeys(Training.model_fields, parser.add_argument_group("what is trained")),
        **dict.fromkeys(Execution.model_fields, parser.add_argument_group("how it is run")),
    }
    for name, default in Configuration().fields().items():
        field = FIELDS[name]
        choices = getattr(field.annotation, "__args__", None) if isinstance(default, str) else None
        told = f"{field.description} (default: {options.written(default)})"
        groups[name].add_argument(
            options.name_of(name),
            metavar="|".join(choices) if choices else name.rpartition("_")[2].upper(),
            default=argparse.SUPPRESS,
            help=told if field.description else argparse.SUPPRESS,
        )
    parser.add_argument("--out", type=Path, default=Path(default_out), help="output folder (default: %(default)s)")
    for former, name in FORMER_NAMES.items():
        parser.add_argument(former, dest=name, default=argparse.SUPPRESS, action=Former, help=argparse.SUPPRESS)
    return parser


class Former(argparse.Action):
    """An option by its former name."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Take the value, and say the new name."""
        progress.notice(f"{option} is {options.name_of(self.dest)} now; the next version drops the former name")
        setattr(namespace, self.dest, values)


def parse(parser: Parser, arguments: Sequence[str] | None) -> tuple[Configuration, argparse.Namespace]:
    """The configuration, and the options that are not part of it. Raises InputError."""
    found = parser.parse_args(arguments)
    given: dict[str, Any] = {name: value for name, value in vars(found).items() if name in FIELDS}
    return configuration.parse(given), found


def take_only(parser: Parser, given: argparse.Namespace, taken: Collection[str], *, doing: str, why: str) -> None:
    """Raise InputError for the first option that was given and is not among those `taken` by what is asked for."""
    for name, value in vars(given).items():
        # By identity: a folder that was named is given, even where it is the default one.
        if name not in taken and value is not parser.get_default(name):
            option = options.name_of(name)
            raise InputError(f"{doing} takes no {option}: {why}; leave out {option}")


def count_of(what: str, *, at_least: int) -> Callable[[str], int]:
    """A type of option: a whole number."""

    def read(text: str) -> int:
        if not (options.is_plain(text) and text.isdecimal()) or int(text) < at_least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what} from {at_least} on")
        return int(text)

    return read


def positive(text: str) -> float:
    """A type of option: a finite number above 0."""
    try:
        value = float(text) if options.is_plain(text) else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number above 0")
    return value
