"""Train the same MLP in PyTorch and in TensorFlow, and report whether the two runs are the same.

Exit status: 0 the two match; 1 they do not; 2 bad input or environment, nothing compared; 130 interrupted.
With --records nothing is trained; 0 then means that the two agree as far as their files can tell.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from shared import attribution_report, cli, logs, output, own_pair, own_report, report, seeds_report
from shared.attribution import attribute, stock_pair
from shared.comparison import compare
from shared.dataset import check_files
from shared.errors import InputError
from shared.experiment import FRAMEWORKS
from shared.processes import find_interpreter
from shared.seeds import run_seeds
from shared.spec import HABITS, Spec, option_name, parse_spec

RECORDS_OUT, EXPLAIN_OUT, SEEDS_OUT = Path("out/records"), Path("out/explain"), Path("out/seeds")
SEEDS, FEWEST_SEEDS = 5, 2
MARKER = "results.json"


def make_parser() -> cli.Parser:
    """The spec's options, and what compare.py alone can do."""
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
        "--explain",
        action="store_true",
        help="train both as their own tutorials would, over several seeds, and measure what each difference between "
        f"them does to the curves; into {EXPLAIN_OUT} unless --out is given",
    )
    parser.add_argument(
        "--seeds",
        type=seeds,
        metavar="N",
        help="train the pair from N seeds, from --seed on, and test whether the frameworks are equivalent beside what "
        f"a seed does; into {SEEDS_OUT} unless --out is given; with --explain: explain by so many (default: {SEEDS})",
    )
    parser.add_argument(
        "--records",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="train nothing: compare two loss logs, weight files (.safetensors or .npz) or run records (folders) of "
        f"your own, into {RECORDS_OUT} unless --out is given; {logs.FORMS}",
    )
    return parser


def main() -> int:
    """Parse, start both, compare, report; or explain; or compare what was made elsewhere."""
    parser = make_parser()
    spec, options = cli.parse(parser, None)
    command = shlex.join(["python", *sys.argv])

    def out(default: Path) -> Path:
        # The very object, so not even the same folder, named on the command line, is taken for the default.
        given: Path = options.out
        return default if given is parser.get_default("out") else given

    if options.records:
        return compare_records(options, out(RECORDS_OUT), command)
    check_files()
    pythons = {name: find_interpreter(name, getattr(options, f"{name.lower()}_python")) for name in FRAMEWORKS}
    if options.explain or spec.mode == "stock":
        seeds = (options.seeds or SEEDS) if options.explain else None
        return explain(spec, seeds, pythons, out(EXPLAIN_OUT), command)
    if options.seeds:
        return many_seeds(spec, options.seeds, pythons, out(SEEDS_OUT), command)
    with output.fresh_folder(options.out, marker=MARKER) as folder:
        runs = folder / "runs"
        outcome = compare(spec, pythons, runs, prove=options.prove, side_by_side=options.side_by_side)
        report.write(outcome, folder, command)
    print(f"\n{report.summary(outcome)}\nReport: {options.out / 'index.html'}")
    return cli.OK if outcome.match else cli.FAILED


def seeds(text: str) -> int:
    """A number of seeds. Two are the fewest that have a spread."""
    if not text.isdecimal() or int(text) < FEWEST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seeds from {FEWEST_SEEDS} on")
    return int(text)


def explain(spec: Spec, seeds: int | None, pythons: Mapping[str, Path], out: Path, command: str) -> int:
    """Run both as their tutorials would; with `seeds`, take the difference apart."""
    parse_spec(spec.model_dump() | {"mode": "stock", "keras_habits": HABITS})  # refuses what no tutorial does
    with output.fresh_folder(out, marker=MARKER) as folder:
        found = attribute(spec, seeds, pythons) if seeds else stock_pair(spec, pythons)
        attribution_report.write(found, folder, command)
    print(f"{attribution_report.summary(found)}\nReport: {out / 'report.md'}")
    return cli.OK


def many_seeds(spec: Spec, count: int, pythons: Mapping[str, Path], out: Path, command: str) -> int:
    """Run the pair from many seeds, and test for equivalence."""
    with output.fresh_folder(out, marker=MARKER) as folder:
        found = run_seeds(spec, count, pythons)
        seeds_report.write(found, folder, command)
    print(f"{seeds_report.summary(found)}\nReport: {out / 'report.md'}")
    return cli.OK if found.equivalent else cli.FAILED


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
