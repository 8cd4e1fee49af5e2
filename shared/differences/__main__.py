"""`python -m shared.differences`: measure the table of differences anew."""

import sys

from shared import ending
from shared.differences.table import main

if __name__ == "__main__":
    sys.exit(ending.exit_status("python -m shared.differences", main))
