"""What the tutorial behind this project printed, with its own seed: the curve to reproduce within seed noise."""

EPOCH_LOSSES = (1.0917, 0.3857, 0.3251, 0.2942, 0.2703)  # mean of batch means
ACCURACY = 0.9281
