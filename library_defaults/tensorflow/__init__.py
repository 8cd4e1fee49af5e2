"""What TensorFlow does unless told otherwise: one probe a row of docs/differences.md."""
