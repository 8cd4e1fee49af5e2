"""The MLP in PyTorch."""
