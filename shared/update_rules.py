"""The update rules: their names, their defaults and their constants, each once.

The constants are the defaults of PyTorch's own classes, whose formulas are the project's; docs/optimizers.md has
Keras's beside them.
"""

from dataclasses import dataclass
from typing import Literal

from shared.system.language import join, say

Name = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad"]
# A mean or a sum of earlier gradients, and one of their squares. Each library has its own names for them.
Buffer = Literal["mean", "square"]

# The share of the buffer that is kept: the usual choice, for which neither library has a default.
MOMENTUM = 0.9
# The share of the mean gradient and of the mean squared gradient that is kept.
ADAM_BETAS = (0.9, 0.999)
RMSPROP_ALPHA = 0.99
ADAGRAD_INITIAL_ACCUMULATOR = 0.0
# Added to the root of a (mean) squared gradient, before the division by it.
ADAM_EPSILON = 1e-8
RMSPROP_EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10
# Added to the norm of all gradients before clipping divides by it. In PyTorch it is in the code, and no option.
CLIP_EPSILON = 1e-6


@dataclass(frozen=True)
class UpdateRule:
    """The facts of a rule; its formula is in the three `optimizers.py`."""

    buffers: tuple[Buffer, ...]  # what it keeps of earlier gradients: a tensor of each weight's size
    keeps: str = ""  # the shares that it keeps of earlier steps, for --help
    # 0.01 is the tutorial's rate, and PyTorch's for Adagrad.
    learning_rate: float = 1e-2
    weight_decay: float = 0.0


_ADAM_KEEPS = join(say(" and "), (f"{beta:g}" for beta in ADAM_BETAS))
UPDATE_RULES: dict[Name, UpdateRule] = {
    "sgd": UpdateRule(buffers=()),
    "momentum": UpdateRule(buffers=("mean",), keeps=f"{MOMENTUM:g}"),
    "nesterov": UpdateRule(buffers=("mean",), keeps=f"{MOMENTUM:g}"),
    # 0.001 is both libraries' rate for Adam and AdamW.
    "adam": UpdateRule(buffers=("mean", "square"), keeps=_ADAM_KEEPS, learning_rate=1e-3),
    # AdamW differs from Adam only in its decay, so it has one by default: PyTorch's.
    "adamw": UpdateRule(buffers=("mean", "square"), keeps=_ADAM_KEEPS, learning_rate=1e-3, weight_decay=1e-2),
    # Keras's rate. PyTorch's 0.01 would move every weight by 0.1 in the first step.
    "rmsprop": UpdateRule(buffers=("square",), keeps=f"{RMSPROP_ALPHA:g}", learning_rate=1e-3),
    "adagrad": UpdateRule(buffers=("square",)),
}
