"""The one exception for what a user can mend."""

LONGEST = 300  # characters of a message that is not ours


class InputError(Exception):
    """Bad input or environment. The message is one line: what is wrong, its value, and the cure.

    Every program of this repository prints it and exits with status 2.
    """


class ChildRefusedError(Exception):
    """A child process found its input bad, and has said so on standard error: status 2, without another word."""


def in_one_line(error: Exception) -> str:
    """The type and the message of someone else's exception, whatever it wrote, in one line of bounded length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST].removesuffix(":")
