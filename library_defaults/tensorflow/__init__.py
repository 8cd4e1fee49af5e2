"""What Keras and TensorFlow do unless told otherwise: one probe for each row of docs/differences.md."""
