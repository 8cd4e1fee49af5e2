"""Train the same MLP in PyTorch and in TensorFlow, and report whether the two runs are the same.

Exit status: 0 the two match; 1 they do not; 2 bad input or environment, nothing compared; 130 interrupted.
"""

import shlex
import sys
from pathlib import Path

from shared import cli, output, report
from shared.comparison import compare
from shared.dataset import check_files
from shared.experiment import FRAMEWORKS
from shared.processes import find_interpreter


def main() -> int:
    """Parse, start both, compare, report."""
    parser = cli.make_parser("compare.py", (__doc__ or "").partition("\n")[0], "out/compare")
    for framework in FRAMEWORKS:
        parser.add_argument(
            f"--{framework.lower()}-python",
            type=Path,
            metavar="PYTHON",
            help=f"the Python that has {framework} (default: .venv/{framework.lower()}, else this one)",
        )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="measure as well how far rounding alone carries each framework, judge in float64 too, run all twice, and "
        "find where the two part",
    )
    spec, options = cli.parse(parser, None)
    check_files()
    pythons = {name: find_interpreter(name, getattr(options, f"{name.lower()}_python")) for name in FRAMEWORKS}
    with output.fresh_folder(options.out, marker="results.json") as folder:
        outcome = compare(spec, pythons, folder / "runs", prove=options.prove)
        report.write(outcome, folder, command=shlex.join(["python", *sys.argv]))
    print(f"\n{report.summary(outcome)}\nReport: {options.out / 'report.md'}")
    return cli.OK if outcome.match else cli.FAILED


if __name__ == "__main__":
    sys.exit(cli.exit_status("compare.py", main))
