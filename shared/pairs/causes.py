"""What a cause is made of: a claim, and a change of the Keras side that would make it do as PyTorch does.

A candidate is a cause only once the change was made and the numbers agreed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from library_defaults.rows import ROWS, Row
from shared.pairs.description import Call, Setting
from shared.pairs.pairing import Sides
from shared.pairs.protocol import Edit
from shared.system.language import say
from shared.system.paths import ROOT

DEFAULTS_FILE = ROOT / "docs" / "differences.json"
CARRY = "carry"  # an edit: the automatic map, in place of what the user's `carry` returns for a tensor


@dataclass(frozen=True)
class Candidate:
    """A difference of the two sides, and what would remove it."""

    what: str  # what differs: "ε of blocks.0.norm: 1e-05 in PyTorch, 0.001 in Keras"
    edits: tuple[Edit, ...]  # on the Keras side
    keras: str  # the code that removes it, in the Keras file
    torch: str = ""  # in the PyTorch file
    row: Row | None = None  # of the table of differences
    by_default: bool = False  # both sides are at their framework's default, or neither has a setting for it
    # The stage that must agree too before it counts: a factor can be found for any one number.
    beyond: int = -1
    # Equal for one difference that shows in several places: what is added to a residual stream is in all that follows.
    family: str = ""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return json.dumps([edit.model_dump() for edit in self.edits], sort_keys=True)


@cache
def rows() -> dict[str, Row]:
    return {row.key: row for row in ROWS}


@cache
def measured(framework: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))[framework]["values"]
    return values


def both_default(key: str, torch: Setting, keras: Setting) -> bool:
    """Whether both sides have what their framework takes unless told otherwise."""
    return bool(measured("PyTorch").get(key) == torch and measured("TensorFlow").get(key) == keras)


def name_of(call: Call) -> str:
    return call.place or call.called


def titled(call: Call) -> str:
    return say("{place} ({called})", place=name_of(call), called=call.called)


def with_others(first: str, others: int) -> str:
    """The first of several, and how many more there are."""
    return say("{first} and {n} more", first=first, n=others) if others else first


def sources_of(sides: Sides, name: str) -> str:
    return " + ".join(sides.carry.sources[name])


def tensors_of(sides: Sides, place: str) -> Sequence[str]:
    return [name for layer in sides.keras.layers if layer.path == place for name in layer.tensors.values()]
