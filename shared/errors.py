"""The one exception for what a user can mend."""


class InputError(Exception):
    """Bad input or environment. The message is one line: what is wrong, its value, and the cure.

    Every program of this repository prints it and exits with status 2.
    """


class ChildRefusedError(Exception):
    """A child process found its input bad, and has said so on standard error: status 2, without another word."""
