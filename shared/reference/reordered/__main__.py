"""`python -m shared.reference.reordered`: the reference with its sums in another order."""

import sys

from shared.system import ending

with ending.importing("shared.reference.reordered"):
    import numpy as np

    from shared.contract import REFERENCE, Implementation
    from shared.reference import reordered, runtime
    from shared.reference.model import Model
    from shared.reference.optimizers import Optimizer
    from shared.running import runner


def load() -> Implementation[str, np.ndarray, Model, Optimizer]:
    """One module holds everything but the switches."""
    return Implementation(runtime, reordered, reordered, reordered, reordered)


if __name__ == "__main__":
    sys.exit(runner.main(REFERENCE, load))
