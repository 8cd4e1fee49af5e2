"""How precise the numbers of a log are: how far each can lie from what the run itself had."""

import numpy as np

from shared.logs.formats.cells import Numbers

# A number of so many significant digits is told from all others by float32, within its normal range.
DIGITS_OF_FLOAT32 = 6
CHUNK = 65_536


def as_the_run_had(numbers: Numbers) -> tuple[np.ndarray, np.ndarray, str]:
    """The losses, how far each can lie from the run's own, and where that comes from, in words.

    A loss can lie off by half a unit in the last place of the run's dtype. Where fewer digits were written than that
    needs, half a unit of the last digit comes on top. A single text does not tell which digit was the last, because
    zeros may have been dropped. So the file is taken to have as many decimals, or as many significant digits, as the
    value with the most of them: of the two, whichever more values reach.
    """
    losses = numbers.values.copy()
    finite = np.isfinite(losses)
    resolution = np.full(len(losses), np.nan)
    if not finite.any():
        return losses, resolution, "no finite loss"
    written = numbers if finite.all() else numbers.at(finite)
    if numbers.dtype:
        resolution[finite] = half_unit(written.values.astype(numbers.dtype))
        return losses, resolution, f"{numbers.dtype} numbers"
    single = _as_float32(written)
    values = written.values if single is None else single
    resolution[finite] = rounding = half_unit(values)
    if written.fractional.any():
        decimals, significant = written.decimals, written.significant
        fixed = (decimals == decimals.max()).sum() >= (significant == significant.max()).sum()
        last = -float(decimals.max()) if fixed else significant.astype(np.float64) - decimals - significant.max()
        printed = 0.5 * np.power(10.0, last)
        if np.median(printed) >= np.median(rounding):
            resolution[finite] += printed
            return (
                losses,
                resolution,
                f"{decimals.max()} decimals" if fixed else f"{significant.max()} significant digits",
            )
    losses[finite] = values
    return losses, resolution, f"{values.dtype} numbers"


def _as_float32(written: Numbers) -> np.ndarray | None:
    """Finite values as float32, where all are float32 numbers, exactly or in their shortest form; else None."""
    values = written.values
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if (single == values).all():
        return single
    normal = np.abs(values) >= np.finfo(np.float32).tiny
    unsure = np.flatnonzero((written.significant > DIGITS_OF_FLOAT32) | ~normal | ~np.isfinite(single))
    # Slow, and as a rule answered by the first of many.
    for start in range(0, len(unsure), CHUNK):
        few = unsure[start : start + CHUNK]
        if not (single[few].astype(str).astype(np.float64) == values[few]).all():
            return None
    return single


def half_unit(values: np.ndarray) -> np.ndarray:
    """Half a unit in the last place of each value, float64: how far rounding to its dtype can have moved it."""
    half: np.ndarray = np.maximum(np.spacing(np.abs(values)).astype(np.float64) / 2, np.spacing(0.0))  # never zero
    return half
