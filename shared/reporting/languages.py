"""A report in another language: its parts as they are, each text that is said translated."""

import dataclasses
from typing import Any

from shared.reporting.parts import Report
from shared.system.language import translated


def report_in(report: Report, language: str) -> Report:
    """The same report, said in `language`. Arrays are the same objects, and so is all that holds no text."""
    made: Report = _in(report, language)
    return made


def _in(value: Any, language: str) -> Any:
    """The kinds that parts are made of. What results.json holds is a dictionary, and no reader's."""
    if isinstance(value, str):
        return translated(value, language)
    if isinstance(value, list):
        return [_in(each, language) for each in value]
    if isinstance(value, tuple):
        return tuple(_in(each, language) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {field.name: _in(getattr(value, field.name), language) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **held)
    return value
