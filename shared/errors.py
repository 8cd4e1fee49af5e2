"""The exceptions that end a program with one line."""


class InputError(Exception):
    """Bad input or environment. The message is one line: what is wrong, its value, and the cure.

    Every program of this repository prints it and exits with status 2.
    """


class CrashError(Exception):
    """An unforeseen exception in a child process: a fault of ours. The message is one line; status 70."""
