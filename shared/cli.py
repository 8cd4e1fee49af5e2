"""The command line that the three programs share, made from the spec's own fields."""

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from shared.spec import Spec, is_plain, option_name, parse_spec
from shared.system.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self.prog} --help lists the options")


def make_parser(program: str, description: str, default_out: str) -> Parser:
    parser = Parser(prog=program, description=description, allow_abbrev=False)
    words = Spec().options()
    defaults = dict(zip(words[::2], words[1::2], strict=True))
    for name, field in Spec.model_fields.items():
        choices = getattr(field.annotation, "__args__", None) if isinstance(field.default, str) else None
        parser.add_argument(
            option_name(name),
            metavar="|".join(choices) if choices else name.rpartition("_")[2].upper(),
            default=argparse.SUPPRESS,
            help=f"{field.description} (default: {defaults[option_name(name)] or 'none'})",
        )
    parser.add_argument("--out", type=Path, default=Path(default_out), help="output folder (default: %(default)s)")
    return parser


def parse(parser: Parser, arguments: Sequence[str] | None) -> tuple[Spec, argparse.Namespace]:
    """The spec, and the options that are not part of it. Raises InputError."""
    options = parser.parse_args(arguments)
    given: dict[str, Any] = {name: value for name, value in vars(options).items() if name in Spec.model_fields}
    return parse_spec(given), options


def take_only(parser: Parser, options: argparse.Namespace, taken: Collection[str], *, doing: str, why: str) -> None:
    """Raise InputError for the first option that was given and is not among those `taken` by what is asked for."""
    for name, value in vars(options).items():
        # By identity: a folder that was named is given, even where it is the default one.
        if name not in taken and value is not parser.get_default(name):
            option = option_name(name)
            raise InputError(f"{doing} takes no {option}: {why}; leave out {option}")


def count_of(what: str, *, at_least: int) -> Callable[[str], int]:
    """A type of option: a whole number."""

    def read(text: str) -> int:
        if not (is_plain(text) and text.isdecimal()) or int(text) < at_least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what} from {at_least} on")
        return int(text)

    return read
