"""Makes many runs of one framework in one process, for benchmarks.sound: importing it takes as long as a run.

`python -m benchmarks.sound_runs FRAMEWORK` reads a line for each run, the options as a JSON list, and answers with a
line: the exit status. All else that is printed goes to standard error.
"""

import importlib
import json
import os
import sys

from shared.contract import IMPLEMENTATIONS
from shared.running import runner


def main() -> None:
    """Make the runs that are asked for, until no more are."""
    (name,) = sys.argv[1:]
    load = importlib.import_module(f"{IMPLEMENTATIONS[name].module}.__main__").load
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(runner.main(name, load, json.loads(line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
