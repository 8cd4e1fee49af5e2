"""Whether what was logged beside the losses differs by more than the losses explain."""

import re

import numpy as np

from shared.logs import signatures
from shared.logs.log_pair import Column, Losses
from shared.logs.signatures import Growth

RATES = re.compile(r"(?:^|[^a-z])(?:learning_rate|lr)(?:[^a-z]|$)", re.IGNORECASE).search
SHARES = re.compile(
    r"(?:^|[^a-z])(?:acc|accuracy|f1|precision|recall|auc|top\w*|error)(?:[^a-z]|$)", re.IGNORECASE
).search


def moved(losses: Losses, column: Column, growth: Growth) -> bool:
    """Whether a column differs by more than rounding carries it, which moves the loss only so far."""
    # An evaluation comes after the update that the next loss shows.
    shown = np.minimum(np.searchsorted(losses.steps, column.steps, "right"), len(losses.steps) - 1)
    reached = np.maximum.accumulate(losses.gap)[shown]
    # A perplexity of hundreds moves by hundreds of times as much as its logarithm, the loss.
    size, usual = (float(np.abs(one[np.isfinite(one)]).max(initial=0)) for one in (column.values, losses.values))
    scale = max(1.0, size / usual) if usual > 0 else 1.0
    epochs = signatures.BY_EPOCH if signatures.by_epoch(losses) else 1
    allowed = signatures.AMPLIFIED * epochs * scale * np.maximum(reached, growth.unit)
    if SHARES(column.name):
        # An example at a border may fall to either side. Where the loss itself has moved, more do: only before that
        # can another definition be told.
        steps = np.diff(np.unique(column.values[np.isfinite(column.values)]))
        early = reached <= signatures.USUAL * growth.unit
        # The mean of an epoch hides what moved in it: then the first evaluation alone counts as early.
        early[1:] &= epochs == 1
        # Two programs write the same share with other last digits: that is no example more.
        hit = 1.5 * float(steps[steps > signatures.FLOOR * column.resolution.max()].min(initial=np.inf))
        allowed = np.where(early, 0.0 if np.isinf(hit) else hit, np.inf if early.any() else signatures.SHARE * allowed)
    return bool(np.any(~(column.gap <= np.maximum(allowed, column.resolution))))
