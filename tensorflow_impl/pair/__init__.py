"""A user's Keras model: seen into, described, trained."""
