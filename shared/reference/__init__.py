"""The reference implementation: the same training in NumPy, forward and backward by hand, with no framework.

When the two frameworks disagree, it tells which of them is wrong. Run again with other rounding, it measures the noise
floor: how far rounding alone carries a run. `python -m shared.reference` runs it like the other two.
"""
