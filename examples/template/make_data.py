"""Writes data.npz: replace the random numbers by a few hundred examples of your own.

python make_data.py
"""

from pathlib import Path

import numpy as np

EXAMPLES = 256  # at least as many as a batch has

draws = np.random.default_rng(0)
inputs = draws.standard_normal((EXAMPLES, 8)).astype("float32")
targets = draws.integers(3, size=EXAMPLES)  # whole numbers are classes or tokens, others are to be predicted

# Of a model with several inputs, each is an array of its own: **{"inputs/text": text, "inputs/mask": mask}.
np.savez(Path(__file__).with_name("data.npz"), inputs=inputs, targets=targets)
