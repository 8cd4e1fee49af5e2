"""matplotlib, the same for everyone. All that draws imports it from here, and nothing of it from elsewhere.

A user's settings would change the pictures, and some of them (a backend or a file that can't be read) end the import.
"""

import contextlib
import logging
import os
from pathlib import Path

from shared.system import cache

kept = cache.folder()
os.environ |= {"MPLBACKEND": "agg", "MPLCONFIGDIR": str(kept / "matplotlib") if kept else os.devnull}
# Where that is no folder that can be written, matplotlib takes a temporary one, and nobody need be told.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
# A matplotlibrc in the working directory comes before all others: here that is ours.
with contextlib.chdir(Path(__file__).resolve().parent / "assets"):
    import matplotlib.pyplot as plt
    from matplotlib import ticker
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Axes", "Figure", "plt", "ticker"]
