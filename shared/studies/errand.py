"""What is sent to a worker of Dask. It travels as code, so that neither scheduler nor worker need import it.

It needs only the standard library, and finds the rest of the program in the worker's own checkout.
"""

import sys
from typing import Any


def run(root: str, order: dict[str, Any]) -> dict[str, Any]:
    """Do what `order` says, with the program of the worker's working directory, else with that in `root`."""
    if root not in sys.path:
        sys.path.append(root)
    try:
        from shared.studies import worker
    except ImportError as error:
        raise OSError(
            f"{error.name or error} can't be imported there; start the worker in this program's folder, "
            "with the Python in .venv/pytorch"
        ) from None
    return worker.make(order)
