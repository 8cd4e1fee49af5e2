"""Both sides of a pair in one precision, and all that is measured of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shared.pairs.carry import Carry, carry
from shared.pairs.causes import CARRY
from shared.pairs.climb import Numbers
from shared.pairs.description import Description
from shared.pairs.pairing import Sides, pair_calls
from shared.pairs.protocol import Arrays, Edit, Until
from shared.pairs.sides import Process, at_once

STEPS_LOOKED_AT = (1, 2, 10)  # and the last
PERTURBATIONS = 2


@dataclass(frozen=True)
class Asked:
    """What a pair is compared by."""

    files: tuple[Path, Path]
    data: Path
    seed: int
    batch_size: int
    steps: int

    @property
    def record_after(self) -> tuple[int, ...]:
        """The steps after which weights and buffers are compared."""
        return tuple(sorted({*(s for s in STEPS_LOOKED_AT if s < self.steps), self.steps}))

    def opening(self, side: int, dtype: str) -> dict[str, object]:
        """What a process is asked to open."""
        given = {"data": self.data, "seed": self.seed, "batch_size": self.batch_size, "steps": self.steps}
        return {**given, "file": self.files[side].resolve(), "dtype": dtype}


class Bench:
    """Both sides in one precision, and all that was computed of them."""

    def __init__(self, asked: Asked, processes: tuple[Process, Process], dtype: Literal["float32", "float64"]) -> None:
        self.asked, self.dtype = asked, dtype
        self.torch, self.keras = processes
        (torch, self.torch_weights), (keras, self.keras_weights) = at_once(
            lambda: self.torch.open(**asked.opening(0, dtype)), lambda: self.keras.open(**asked.opening(1, dtype))
        )
        self.sides = _laid_beside(torch, keras, carry(torch, keras), asked)

    def carry_users(self) -> "Carry | None":
        """With what the user's own `carry` returns in place of the automatic map; None where there is none."""
        if self.keras.carry(self.torch_weights) is None:
            return None

        def users(arrays: Arrays) -> Arrays:
            return self.keras.carry(dict(arrays)) or {}

        return self.sides.carry.override(users)

    def measure(
        self,
        edits: Sequence[Edit] = (),
        until: Until = "training",
        perturbed: int | None = None,
        steps: Sequence[int] = (),
    ) -> Numbers:
        """The Keras side's numbers alone, after these steps: after all that are looked at where none are named."""
        sides = without_users(self.sides, edits)
        edits = [edit for edit in edits if edit.what != CARRY]
        weights = self.keras_weights | sides.carry.values(self.torch_weights)
        # A trial may give Keras a layer that it lacks.
        weights |= {f"torch/{name}": self.torch_weights[name] for name in sides.carry.unmatched_torch}
        added = [name for name in self.sides.more_in_keras if not self.sides.keras.tensors[name].buffer]
        weights |= {name: np.full_like(weights[name], name.endswith("gamma")) for name in added}
        arrays = self.keras.run(
            weights,
            [*(steps or self.asked.record_after)],
            [*edits],
            until,
            perturbed,
            reverse=bool(perturbed and perturbed > 1),
            inputs=self.torch.inputs,
        )
        return Numbers(arrays, arrays)

    def measure_torch(self, until: Until = "training", perturbed: int | None = None) -> Numbers:
        """PyTorch's."""
        arrays = self.torch.run(
            self.torch_weights,
            [*self.asked.record_after],
            [],
            until,
            perturbed,
            reverse=bool(perturbed and perturbed > 1),
        )
        return Numbers(arrays, arrays)

    def look(self, until: Until) -> tuple[Numbers, Numbers]:
        """Both sides, unperturbed."""
        torch, keras = at_once(lambda: self.measure_torch(until), lambda: self.measure((), until))
        return torch, keras

    def floors(self, torch: Numbers, keras: Numbers) -> tuple[Numbers, Numbers]:
        """The same, with what perturbations make of both. A pass in reverse is looked at only where order is none."""

        def perturb(measure: Callable[..., Numbers]) -> list[Arrays]:
            found = []
            for number in range(1, PERTURBATIONS + 1):
                arrays = measure(perturbed=number).arrays
                found.append({k: v for k, v in arrays.items() if number == 1 or not _by_example(k)})
            return found

        ours, theirs = at_once(lambda: perturb(self.measure_torch), lambda: perturb(self.measure))
        return replace(torch, perturbed=ours), replace(keras, perturbed=theirs)


def without_users(sides: Sides, edits: Sequence[Edit]) -> Sides:
    """With the automatic map in place of the user's own, for the tensors that these edits name."""
    names = {edit.place for edit in edits if edit.what == CARRY}
    users = {name: made for name, made in sides.carry.users.items() if name not in names}
    return replace(sides, carry=replace(sides.carry, users=users)) if names else sides


def _by_example(key: str) -> bool:
    """Whether a tensor has a place for each example, so that it can't be compared with one of a reversed batch."""
    return key.startswith(("evaluation/call", "training/call", "evaluation/output", "training/output", "given/"))


def _laid_beside(torch: Description, keras: Description, carried: Carry, asked: Asked) -> Sides:
    return Sides(torch, keras, carried, pair_calls(torch, keras, carried), {}, asked.record_after)
