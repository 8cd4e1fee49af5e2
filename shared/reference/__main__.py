"""`python -m shared.reference`: train the MLP in NumPy alone."""

import sys

from shared.system import ending

with ending.importing("shared.reference"):
    import numpy as np

    from shared.contract import REFERENCE, Implementation
    from shared.reference.model import Model
    from shared.reference.optimizers import Optimizer
    from shared.running import runner


def load() -> Implementation[str, np.ndarray, Model, Optimizer]:
    """Import the modules, which takes no time here."""
    from shared.reference import data, model, optimizers, runtime, train

    return Implementation(runtime, data, model, optimizers, train)


if __name__ == "__main__":
    sys.exit(runner.main(REFERENCE, load))
