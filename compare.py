"""Train the same small network in PyTorch and in TensorFlow, and report whether the two runs are the same.

Exit status: 0 the two match; 1 they do not; 2 bad input or environment, nothing compared; 130 interrupted; 70 a fault
of the program itself.
With --records nothing is trained; 0 then means that the two are the same as far as their files can tell, or differ as
rounding makes them.
With --pair it is two models of your own; 0 then means that they are the same.
"""

import sys

from shared.system import ending

with ending.importing("compare.py"):
    import argparse
    import shlex
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from shared import cli
    from shared.comparing.comparison import compare, disk_needed, refuse_what_the_machine_lacks
    from shared.comparing.processes import find_interpreter
    from shared.configuration import FIELDS, Configuration, parse
    from shared.contract import FRAMEWORKS, check_engine
    from shared.logs.formats import FORMS
    from shared.mnist import check_files
    from shared.options import name_of
    from shared.pairs import BATCH_SIZE, STEPS
    from shared.reporting import terminal
    from shared.reporting.parts import Section
    from shared.running import footprint
    from shared.studies import cluster
    from shared.studies.attribution import attribute, stock_pair
    from shared.studies.equivalence import ALPHA, fewest_pairs
    from shared.studies.seeds import ACCURACY, FEWEST_SEEDS, LAST_LOSS, run_seeds
    from shared.system import beside, output, own_python, progress
    from shared.system.errors import InputError
    from shared.system.language import say, shown
    from shared.training import KERAS_DEFAULTS

    beside.refuse_without("babel", "jinja2", "matplotlib")

RECORDS_OUT, STOCK_OUT, PAIR_OUT = Path("out/records"), Path("out/stock"), Path("out/pair")
SEEDS = 5
WHICH = say("Which of these answers your question, with a picture of each result: docs/which.md")
PYTHON_OPTIONS = {f"{name.lower()}_python" for name in FRAMEWORKS}
PAIR_OPTIONS = {"pair", "data", "steps", "batch_size", "seed", "out", *PYTHON_OPTIONS}
# The options that name a margin, each by its figure.
MARGINS = {ACCURACY: "accuracy_margin", LAST_LOSS: "loss_margin"}


def make_parser() -> cli.Parser:
    """A parser with the configuration's options, and those that only compare.py has."""
    told = say(
        "Train the same small network in PyTorch and in TensorFlow, and report whether the two runs are the same."
    )
    parser = cli.make_parser("compare.py", told, "out/compare")
    for framework in FRAMEWORKS:
        parser.add_argument(
            f"--{framework.lower()}-python",
            type=Path,
            metavar="PYTHON",
            help=say(
                "the Python that has {framework} (default: {folder}, else this one)",
                framework=framework,
                folder=f".venv/{framework.lower()}",
            ),
        )
    # Last, for the end of a long help is what a terminal shows.
    add_questions(parser.add_argument_group(say("what else is asked of that training")))
    add_own(parser.add_argument_group(say("results and models of your own, in place of that training")))
    parser.epilog = WHICH
    return parser


def add_questions(group: argparse._ArgumentGroup) -> None:
    """The options that ask more of the training."""
    group.add_argument(
        "--prove",
        action="store_true",
        help=say(
            "also measure how far rounding alone carries each framework, judge in float64, run everything twice, and "
            "find where the two diverge"
        ),
    )
    group.add_argument(
        "--side-by-side",
        action="store_true",
        help=say("train both at the same time, on a core each: done sooner, but their times then say less"),
    )
    group.add_argument(
        "--explain",
        action="store_true",
        help=say(
            "also train both as their own tutorials would, over several seeds, and measure what each difference "
            "between them does to the curves"
        ),
    )
    group.add_argument(
        "--seeds",
        type=cli.count_of("seeds", at_least=FEWEST_SEEDS),
        metavar="N",
        help=say(
            "also train the pair from N seeds, --seed and those after it, and test whether the frameworks are "
            "equivalent next to what a seed does, which it takes {fewest} at least to show; --explain takes as many "
            "(default there: {seeds})",
            fewest=fewest_pairs(ALPHA),
            seeds=SEEDS,
        ),
    )
    cluster.add_option(group)
    for figure, option in MARGINS.items():
        group.add_argument(
            name_of(option),
            type=cli.positive,
            metavar="MARGIN",
            help=say(
                "with --seeds: the mean difference in the {figure} below which the frameworks count as equivalent (an "
                "accuracy is a share of 1, a loss in nats; default: for what the default run trains, as measured "
                "beforehand, else estimated from these runs)",
                figure=figure,
            ),
        )


def add_own(group: argparse._ArgumentGroup) -> None:
    """The options that compare what a user has."""
    group.add_argument(
        "--records",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help=say(
            "train nothing: compare two loss logs, weight files (.safetensors, .npz, .pt, .keras, .h5 or .onnx) or run "
            "records (folders) of your own, into {out} unless --out is given; {forms}",
            out=RECORDS_OUT,
            forms=FORMS,
        ),
    )
    group.add_argument(
        "--column",
        metavar="NAME",
        help=say(
            "with --records: the column with the losses, or the run of a log that has several, in both logs; FILE:NAME "
            "names one for one of the two"
        ),
    )
    group.add_argument(
        "--pair",
        nargs=2,
        type=Path,
        metavar=("TORCH.PY", "KERAS.PY"),
        help=say(
            "compare two models of your own, a PyTorch file's and a Keras file's, and say where and why they differ, "
            "into {out} unless --out is given; both files are run, with all your rights",
            out=PAIR_OUT,
        ),
    )
    group.add_argument(
        "--data", type=Path, metavar="NPZ", help=say("with --pair: inputs and targets (default: random ones)")
    )
    group.add_argument(
        "--steps",
        type=cli.count_of("steps", at_least=1),
        metavar="N",
        help=say(
            "with --pair: how many steps are trained (default: {steps}), of --batch-size examples (default there: "
            "{size})",
            steps=STEPS,
            size=BATCH_SIZE,
        ),
    )
    group.add_argument(
        "--pair-template", type=Path, metavar="FOLDER", help=say("write two files to start a pair from, and stop")
    )


def main() -> int:
    """Parse the command line and do what it asks for. Returns the exit status."""
    with progress.doing(say("{program} works", program="compare.py")):
        return _main()


def _main() -> int:
    parser = make_parser()
    configuration, options = cli.parse(parser, None)
    command = shlex.join([own_python.as_called(), *sys.argv])

    def out(default: Path) -> Path:
        # By identity: a folder that is named on the command line is given, even where it is the default one.
        given: Path = options.out
        return default if given is parser.get_default("out") else given

    refuse(parser, configuration, options)
    if options.records:
        return compare_records(options, out(RECORDS_OUT), command)
    if options.pair_template:
        from shared.pairs import command as pairs

        return pairs.write_template(options.pair_template)
    if options.pair:
        return compare_pair(options, out(PAIR_OUT), command)
    check_files()
    pythons = {name: find_interpreter(name, getattr(options, f"{name.lower()}_python")) for name in FRAMEWORKS}
    if configuration.training.mode == "stock":
        return run_stock(configuration, pythons, out(STOCK_OUT), command)
    if options.seeds or options.explain:
        cluster.check(options.scheduler)
    refuse_what_the_machine_lacks(configuration, prove=options.prove, side_by_side=options.side_by_side)
    needed = footprint.REPORT + disk_needed(configuration, prove=options.prove)
    with output.fresh_folder(options.out, needed=needed) as folder:
        # What draws takes longer to import than all else here, and the frameworks take longer still.
        with beside.importing("shared.reporting.report"), terminal.watching(configuration.training) as watcher:
            asked = {"prove": options.prove, "side_by_side": options.side_by_side}
            outcome = compare(configuration, pythons, folder / "runs", **asked, watcher=watcher)
        from shared.reporting import report

        terminal.show(outcome)
        with progress.doing(say("the report is drawn")):
            report.write(outcome, folder, command)
    good, sections = outcome.match, []
    try:
        for section, equivalent in studies(configuration, options, pythons):
            good &= equivalent
            sections.append(section)
            with output.renewed_folder(options.out, kept="runs") as folder, progress.doing(say("the report is drawn")):
                report.write(outcome, folder, command, sections)
    finally:
        say_where(options.out / "index.html")
    return ending.OK if good else ending.FAILED


def say_where(report: Path) -> None:
    """Print the last line."""
    print(shown(say("Report: {file}", file=report)))


def studies(
    configuration: Configuration, options: argparse.Namespace, pythons: Mapping[str, Path]
) -> Iterator[tuple[Section, bool]]:
    """What `--explain` and `--seeds` add, each as it is done, and whether the frameworks are equivalent in it."""
    from shared.reporting import attribution_report, seeds_report

    if options.explain:
        explained = attribute(configuration, options.seeds or SEEDS, pythons, options.scheduler)
        terminal.say(attribution_report.sentence(explained))
        yield attribution_report.section(explained), True
    if options.seeds:
        named = {figure: value for figure, option in MARGINS.items() if (value := getattr(options, option))}
        many = run_seeds(configuration, options.seeds, pythons, named, options.scheduler)
        terminal.say(seeds_report.sentence(many), good=many.equivalent)
        yield seeds_report.section(many), many.equivalent


def refuse(parser: cli.Parser, configuration: Configuration, options: argparse.Namespace) -> None:
    """Raise InputError for options that do not go together, before anything is done."""
    if options.records:
        why = "it compares what was made already"
        cli.take_only(parser, options, {"records", "column", "out", *PYTHON_OPTIONS}, doing="--records", why=why)
    elif options.column is not None:
        raise InputError("--column is for --records, and none are given; add --records A B")
    refuse_with_pair(parser, options)
    if configuration.training.mode == "stock":
        taken = {*FIELDS, "out", *PYTHON_OPTIONS}
        why = "each framework trains in its own way, once, and nothing is judged"
        cli.take_only(parser, options, taken, doing="--mode stock", why=why)
    refuse_of_many_runs(configuration, options)
    if options.explain:
        # The explanation chooses defaults and engines itself. Anything else that no tutorial does is refused.
        parse(configuration.fields() | {"mode": "stock", "keras_defaults": KERAS_DEFAULTS, "engine": "auto"})
    for framework in FRAMEWORKS:
        check_engine(configuration, framework)


def refuse_of_many_runs(configuration: Configuration, options: argparse.Namespace) -> None:
    """Raise InputError for options that are for many runs, where there is one, or that many runs do not take."""
    for option in MARGINS.values():
        if getattr(options, option) and not options.seeds:
            raise InputError(f"{name_of(option)} is for many seeds, and none were asked for; add --seeds 10")
    if configuration.execution.engine == "workers":
        for option in ("explain", "seeds"):
            if getattr(options, option):
                told = f"{name_of(option)} trains each of its many runs in one process"
                raise InputError(f"{told}; leave out {name_of(option)}, or --workers and --engine workers")
    if options.scheduler is not None and not (options.seeds or options.explain):
        raise InputError("--scheduler is for many runs, and none were asked for; add --seeds 10 or --explain")


def refuse_with_pair(parser: cli.Parser, options: argparse.Namespace) -> None:
    """Raise InputError for options that do not go with --pair, or go with it alone."""
    if options.pair_template:
        cli.take_only(parser, options, {"pair_template"}, doing="--pair-template", why="it writes two files, and stops")
    if options.pair:
        why = "the two files say what is trained, and how"
        cli.take_only(parser, options, PAIR_OPTIONS, doing="--pair", why=why)
    for name in ("data", "steps"):
        if getattr(options, name) and not options.pair:
            raise InputError(f"{name_of(name)} is for --pair, and no pair is given; add --pair TORCH.PY KERAS.PY")


def run_stock(configuration: Configuration, pythons: Mapping[str, Path], out: Path, command: str) -> int:
    """Run both as their tutorials would, and say what each printed."""
    from shared.reporting import attribution_report, report

    with output.fresh_folder(out) as folder:
        found = stock_pair(configuration, pythons)
        report.write_alone(attribution_report.section(found), folder, command)
    print(shown(attribution_report.sentence(found)))
    say_where(out / "report.md")
    return ending.OK


def compare_pair(options: argparse.Namespace, out: Path, command: str) -> int:
    """Compare two models of a user's own."""
    from shared.pairs import command as pairs

    pythons = {name: find_interpreter(name, getattr(options, f"{name.lower()}_python")) for name in FRAMEWORKS}
    asked = pairs.Request(
        files=(options.pair[0], options.pair[1]),
        data=options.data,
        seed=int(getattr(options, "seed", 0)),
        batch_size=int(getattr(options, "batch_size", BATCH_SIZE)),
        steps=options.steps or STEPS,
    )
    same = pairs.compare(asked, pythons, out, command)
    say_where(out / "index.html")
    return ending.OK if same else ending.FAILED


def compare_records(options: argparse.Namespace, out: Path, command: str) -> int:
    """Compare two results that exist already, whoever made them."""
    from shared.logs import log_pair, log_report, log_words, sources

    a, b = (sources.with_column(path, options.column) for path in options.records)
    log_report.refuse_to_replace(out, (a, b))
    named = {name: python for name in FRAMEWORKS if (python := getattr(options, f"{name.lower()}_python"))}
    pair = log_pair.compare(a, b, named)
    with output.fresh_folder(out) as folder:
        log_report.write(pair, folder, command)
    print(shown(log_report.summary(pair)))
    say_where(out / "report.md")
    return ending.OK if log_words.good(pair) else ending.FAILED


if __name__ == "__main__":
    sys.exit(ending.exit_status("compare.py", main))
