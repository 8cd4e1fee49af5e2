"""Train the same MLP in PyTorch and in TensorFlow, and report whether the two runs are the same.

Exit status: 0 the two match; 1 they do not; 2 bad input or environment, nothing compared; 130 interrupted.
With --records nothing is trained; 0 then means that the two agree as far as their files can tell.
"""

import argparse
import shlex
import sys
from pathlib import Path

from shared import cli, logs, output, own_pair, own_report, report
from shared.comparison import compare
from shared.dataset import check_files
from shared.errors import InputError
from shared.experiment import FRAMEWORKS
from shared.processes import find_interpreter
from shared.spec import option_name

RECORDS_OUT = Path("out/records")
MARKER = "results.json"


def main() -> int:
    """Parse, start both, compare, report; or compare what was made elsewhere."""
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
    parser.add_argument(
        "--side-by-side",
        action="store_true",
        help="train both at the same time, a core each: sooner done, and their times then tell less",
    )
    parser.add_argument(
        "--records",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="train nothing: compare two loss logs, weight files (.safetensors or .npz) or run records (folders) of "
        f"your own, into {RECORDS_OUT} unless --out is given; {logs.FORMS}",
    )
    spec, options = cli.parse(parser, None)
    command = shlex.join(["python", *sys.argv])
    if options.records:
        # The very object, so not even the same folder, named on the command line, is taken for the default.
        defaulted = options.out is parser.get_default("out")
        return compare_records(options, RECORDS_OUT if defaulted else options.out, command)
    check_files()
    pythons = {name: find_interpreter(name, getattr(options, f"{name.lower()}_python")) for name in FRAMEWORKS}
    with output.fresh_folder(options.out, marker=MARKER) as folder:
        runs = folder / "runs"
        outcome = compare(spec, pythons, runs, prove=options.prove, side_by_side=options.side_by_side)
        report.write(outcome, folder, command)
    print(f"\n{report.summary(outcome)}\nReport: {options.out / 'report.md'}")
    return cli.OK if outcome.match else cli.FAILED


def compare_records(options: argparse.Namespace, out: Path, command: str) -> int:
    """Compare two results that are there, whoever made them."""
    for name, value in vars(options).items():
        if name not in ("records", "out") and value not in (None, False):
            option = option_name(name)
            raise InputError(f"--records takes no {option}: it compares what was made already; leave out {option}")
    own_report.refuse_to_replace(out, options.records)
    pair = own_pair.compare(*options.records)
    with output.fresh_folder(out, marker=MARKER) as folder:
        own_report.write(pair, folder, command)
    print(f"{own_report.summary(pair)}\nReport: {out / 'report.md'}")
    return cli.OK if pair.agree else cli.FAILED


if __name__ == "__main__":
    sys.exit(cli.exit_status("compare.py", main))
