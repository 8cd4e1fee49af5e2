"""The MLP in TensorFlow/Keras."""
