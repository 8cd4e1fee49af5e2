"""How a run is executed: what may differ between two runs that are compared."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.options import Whole


class Execution(BaseModel):
    """Validated and immutable. Rounding aside, none of it changes what a run computes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train; auto takes the GPU where the framework sees one"
    )
    engine: Literal["auto", "eager", "fast"] = Field(
        "auto",
        description="how steps are run: eager, one by one, as one reads them; fast, many compiled into one call; auto, "
        "whichever finishes the default run first",
    )
    # Two OpenMP threads stalled single epochs for 20 to 40 s on a shared two-core machine, and at this size
    # a second thread gains nothing.
    threads: Whole = Field(1, ge=1, le=1024, description="CPU threads for the arithmetic")
