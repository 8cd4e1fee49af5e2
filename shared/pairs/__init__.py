"""Any two models: described, given the same weights, compared from layer to layer and step to step, and explained."""

STEPS, BATCH_SIZE = 30, 16  # trained, unless told otherwise
