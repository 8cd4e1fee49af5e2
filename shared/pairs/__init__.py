"""Any two models: described, given the same weights, compared from layer to layer and step to step, and explained."""
