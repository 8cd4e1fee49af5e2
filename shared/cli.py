"""The command line that the three programs share, made from the configuration's own fields."""

import argparse
import difflib
import math
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from shared import configuration, options
from shared.configuration import FIELDS, Configuration
from shared.execution import Execution
from shared.help_text import Formatter
from shared.system import progress
from shared.system.errors import InputError
from shared.system.language import BY_LOCALE, LANGUAGES, say
from shared.training import Training

# Accepted for one more version.
FORMER_NAMES = {"--keras-habits": "keras_defaults"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and whose help is in the reader's language."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **settings)

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
    usage = say("python {program} [options]", program=started)
    parser = Parser(prog=program, usage=usage, description=description)
    # So many options are read by what they are for.
    groups = {
        **dict.fromkeys(Training.model_fields, parser.add_argument_group(say("what is trained"))),
        **dict.fromkeys(Execution.model_fields, parser.add_argument_group(say("how it is run"))),
    }
    for name, default in Configuration().fields().items():
        field = FIELDS[name]
        choices = getattr(field.annotation, "__args__", None) if isinstance(default, str) else None
        told = say("{what} (default: {value})", what=field.description, value=options.written(default))
        groups[name].add_argument(
            options.name_of(name),
            metavar="|".join(choices) if choices else name.rpartition("_")[2].upper(),
            default=argparse.SUPPRESS,
            help=told if field.description else argparse.SUPPRESS,
        )
    told = say("output folder (default: {folder})", folder=default_out)
    parser.add_argument("--out", type=Path, default=Path(default_out), help=told)
    add_language(parser)
    for former, name in FORMER_NAMES.items():
        parser.add_argument(former, dest=name, default=argparse.SUPPRESS, action=Former, help=argparse.SUPPRESS)
    return parser


def add_language(parser: argparse.ArgumentParser) -> None:
    """Add `--language`."""
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        metavar="|".join(LANGUAGES),
        default=argparse.SUPPRESS,
        action=SetLanguage,
        help=say(
            "the language of this help and of what the terminal shows (default: the locale's, if it is one of these)"
        ),
    )


class SetLanguage(argparse.Action):
    """The language for this process and those that it starts, as if the locale named it: no run depends on it."""

    def __call__(
        self, _parser: argparse.ArgumentParser, _namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        """Take it."""
        os.environ[BY_LOCALE[0]] = values


class Former(argparse.Action):
    """An option by its former name."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Take the value, and say the new name."""
        now = options.name_of(self.dest)
        progress.notice(say("{former} is {now} now; the next version drops the former name", former=option, now=now))
        setattr(namespace, self.dest, values)


def parse(parser: Parser, arguments: Sequence[str] | None) -> tuple[Configuration, argparse.Namespace]:
    """The configuration, and the options that are not part of it. Raises InputError."""
    # First, for --help may stand before it.
    of_language = Parser(prog=parser.prog, add_help=False)
    add_language(of_language)
    of_language.parse_known_args(arguments)
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
