"""`python -m tensorflow_impl.pair`: the process that compare.py asks about a user's Keras model."""

import sys

from shared.system import ending, progress

with ending.importing("tensorflow_impl.pair"):
    with progress.standard_error_only_on_failure():
        from tensorflow_impl.pair import subject
    from shared.pairs import serving

if __name__ == "__main__":
    sys.exit(ending.exit_status("tensorflow_impl.pair", lambda: serving.serve("TensorFlow", subject)))
