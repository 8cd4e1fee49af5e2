"""`python -m pytorch_impl.pair`: the process that compare.py asks about a user's PyTorch model."""

import sys

from shared.system import ending

with ending.importing("pytorch_impl.pair"):
    from pytorch_impl.pair import subject
    from shared.pairs import serving

if __name__ == "__main__":
    sys.exit(ending.exit_status("pytorch_impl.pair", lambda: serving.serve("PyTorch", subject)))
