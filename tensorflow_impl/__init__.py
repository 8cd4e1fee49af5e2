"""The MLP in TensorFlow/Keras."""

import os
from pathlib import Path

from shared.system import cache

# All of this is read when TensorFlow or Keras is imported, so it stands before everything that imports them.
# TensorFlow's C++ side logs to standard error; before it is set up, it does so at any log level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Keras must run on TensorFlow; and a user's own Keras settings, such as another floatx, are for the user's own models.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = str((cache.folder() or Path(os.devnull)) / "keras")
