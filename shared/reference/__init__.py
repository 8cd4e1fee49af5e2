"""The reference implementation: the same training in NumPy, forward and backward by hand, with no framework.

When the two frameworks disagree, it says which one moved; and run in float32 and in float64 it measures how far
rounding alone carries a run. `python -m shared.reference` runs it like the other two.
"""
