"""`python -m library_defaults`: measure every framework default anew, and write docs/differences.md."""

import sys

from library_defaults.table import main
from shared.system import ending

if __name__ == "__main__":
    sys.exit(ending.exit_status("python -m library_defaults", main))
