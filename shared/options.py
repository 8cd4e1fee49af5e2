"""How a value of a configuration is written on the command line, and read from it."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

NONE = "none"  # an empty list


def is_plain(text: str) -> bool:
    """Whether a number is written in ASCII, without blanks or underscores. Python itself accepts much more."""
    return re.fullmatch("[!-~]+", text) is not None and "_" not in text


def _plainly_written(value: Any) -> Any:
    if isinstance(value, str) and not is_plain(value):
        raise PydanticCustomError("number", "a number has the digits 0 to 9, no blanks and no underscores")
    return value


def _split_commas(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return () if value in ("", NONE) else value.split(",")


Whole = Annotated[int, BeforeValidator(_plainly_written)]
Real = Annotated[float, BeforeValidator(_plainly_written)]
Listed = BeforeValidator(_split_commas)


def name_of(field: str) -> str:
    """The option that sets a field."""
    return "--" + field.replace("_", "-")


def written(value: object) -> str:
    """A field's value as an option has it."""
    return (",".join(map(str, value)) or NONE) if isinstance(value, tuple) else str(value)


def quoted(value: object) -> str:
    """A value as it was typed, but in quotes where it is empty or has blanks or other invisible characters."""
    text = str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
