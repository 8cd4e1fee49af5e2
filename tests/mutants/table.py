"""What a mutant is, and how a table of them is written."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Change = tuple[str, str]  # the old text and the new


class Mutant(NamedTuple):
    """`old`, which stands once or more in `file`, becomes `new`; the test `killer` must notice."""

    what: str
    file: str
    old: str
    new: str
    killer: str


def in_file(file: str, changes: Mapping[str, Sequence[tuple[str, str, str]]]) -> list[Mutant]:
    """Mutants of a file by their killer: of each what is wrong, the old text and the new."""
    return [Mutant(what, file, old, new, killer) for killer, those in changes.items() for what, old, new in those]


def twins(file: str, changes: Mapping[str, Sequence[tuple[str, Change, Change]]]) -> list[Mutant]:
    """The same mistakes in both implementations, by the test of tests/implementations that kills them in either."""
    return [
        Mutant(
            f"{what} ({framework})",
            f"{framework.lower()}_impl/{file}",
            *change,
            f"tests/implementations/test_implementation.py::test_{killer}",
        )
        for killer, those in changes.items()
        for what, *both in those
        for framework, change in zip(("PyTorch", "TensorFlow"), both, strict=True)
    ]
