"""The exceptions that end a program with one line."""

from shared.escaping import one_line


class OneLineError(Exception):
    """Its message is one line, whatever names and values are in it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class InputError(OneLineError):
    """Bad input or environment. The message says what is wrong, its value, and the cure.

    Every program of this repository prints it and exits with status 2.
    """


class CrashError(OneLineError):
    """An unforeseen exception in a child process: a fault of ours. Status 70."""
