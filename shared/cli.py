"""The command line that the three programs share, made from the spec's own fields."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from shared.errors import ChildRefusedError, InputError
from shared.spec import Spec, option_name, parse_spec

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


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


def exit_status(program: str, main: Callable[[], int]) -> int:
    """Run `main`. InputError and MemoryError become a line and status 2, Ctrl-C and SIGTERM status 130."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us in the background, deaf to SIGINT
        signal.signal(interrupt, signal.default_int_handler)
    try:
        return main()
    except InputError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except ChildRefusedError:
        return BAD_INPUT  # the child has said why
    except MemoryError:
        print(f"{program}: error: memory ran out; lower --hidden-sizes, or end other programs", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return INTERRUPTED
