"""The exceptions that end a program with one line."""

from shared.system.escaping import one_line

# Characters of a long message that are shown: what is wrong, at its beginning, and the cure, at its end.
HEAD, TAIL = 1_000, 400

LONGEST = 300  # characters of a message that others wrote


class OneLineError(Exception):
    """Its message is one line of limited length, whatever names and values are in it."""

    def __init__(self, message: str) -> None:
        line = one_line(message)
        super().__init__(line if len(line) <= HEAD + TAIL else f"{line[:HEAD]} … {line[-TAIL:]}")


class InputError(OneLineError):
    """Bad input or environment. The message says what is wrong, its value, and the cure.

    Every program of this repository prints it and exits with status 2.
    """


class CrashError(OneLineError):
    """An unforeseen exception in a child process: a fault of ours. Status 70."""


def in_one_line(error: Exception) -> str:
    """The type and the message of a library's exception, in one line of limited length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST].removesuffix(":")
