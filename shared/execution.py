"""How a run is executed: what may differ between two runs that are compared."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.options import Whole
from shared.system.language import say

Engine = Literal["auto", "eager", "fast", "workers"]


def _several_have_their_engine(so_far: dict[str, Any]) -> Engine:
    return "workers" if so_far.get("workers", 1) > 1 else "auto"


class Execution(BaseModel):
    """Validated and immutable. Rounding aside, none of it changes what a run computes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description=say("where to train; auto takes the GPU where the framework sees one")
    )
    workers: Whole = Field(
        1,
        ge=1,
        le=1024,
        description=say(
            "processes that share each batch: --engine workers; compare.py starts them, else a launcher does"
        ),
    )
    engine: Engine = Field(
        default_factory=_several_have_their_engine,
        description=say(
            "how steps are run: eager, one by one, as one reads them; fast, many compiled into one call; auto, "
            "whichever finishes the default run first; workers, one by one, each by several processes that a launcher "
            "has started (docs/workers.md), and refused without one"
        ),
    )
    # Two OpenMP threads stalled single epochs for 20 to 40 s on a shared two-core machine, and at this size
    # a second thread gains nothing.
    threads: Whole = Field(1, ge=1, le=1024, description=say("CPU threads for the arithmetic"))

    @model_validator(mode="after")
    def _only_one_engine_has_several_workers(self) -> Self:
        if self.workers > 1 and self.engine != "workers":
            told = {"field": "workers", "engine": self.engine}
            raise PydanticCustomError("workers", "is more than the one of --engine {engine}", told)
        return self

    @property
    def cores(self) -> int:
        """How many cores a run keeps busy."""
        return self.threads * self.workers
