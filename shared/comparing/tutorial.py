"""What the tutorial behind this project printed, with its own seed: the curve to reproduce within seed noise."""

from shared.spec import Spec

EPOCH_LOSSES = (1.0917, 0.3857, 0.3251, 0.2942, 0.2703)  # mean of batch means
ACCURACY = 0.9281


def comparable(spec: Spec) -> bool:
    """Whether the tutorial's figures may stand beside this run: its seed and epochs aside, the same training."""
    free = ("seed", "epochs", "dtype", "device", "engine", "threads")
    return spec.model_copy(update={name: getattr(Spec(), name) for name in free}) == Spec()
