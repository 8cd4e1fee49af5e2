"""`python -m shared.differences`: measure the table of differences anew."""

import sys

from shared import cli
from shared.differences.table import main

if __name__ == "__main__":
    sys.exit(cli.exit_status("python -m shared.differences", main))
