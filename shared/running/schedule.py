"""How the learning rate changes from step to step: what it is multiplied by, the same in all implementations."""

import math

from shared.training import STEP_FACTOR, STEP_MILESTONES, Training


def factor(training: Training, step: int) -> float:
    """What the learning rate is multiplied by at `step`, counted from 0: 1 at the start, never more.

    `step` falls by `STEP_FACTOR` at each of `STEP_MILESTONES`, as in He et al. 2016 (arXiv 1512.03385); `cosine` falls
    along half a wave, to 0 where the run ends: Loshchilov and Hutter 2017 (arXiv 1608.03983), without a restart.
    """
    if training.schedule == "step":
        return STEP_FACTOR ** sum(step >= share * training.steps for share in STEP_MILESTONES)
    if training.schedule == "cosine":
        return (1 + math.cos(math.pi * step / training.steps)) / 2
    return 1.0
