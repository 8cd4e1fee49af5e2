"""Everything the two implementations share. Nothing here imports PyTorch or TensorFlow."""
