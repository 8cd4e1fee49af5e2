"""A user's PyTorch model: seen into, described, trained."""
