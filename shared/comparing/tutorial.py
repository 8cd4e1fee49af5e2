"""What the tutorial behind this project printed, with its own seed: the curve to reproduce within seed noise."""

from shared.mnist import MNIST
from shared.training import Training

DATA_SET = "MNIST"
EPOCH_LOSSES = (1.0917, 0.3857, 0.3251, 0.2942, 0.2703)  # mean of batch means
ACCURACY = 0.9281


def comparable(training: Training) -> bool:
    """Whether the tutorial's figures may stand beside this run: seed, epochs and precision aside, the same training."""
    free = {name: getattr(Training(), name) for name in ("seed", "epochs", "dtype")}
    return MNIST.name == DATA_SET and training.model_copy(update=free) == Training()
