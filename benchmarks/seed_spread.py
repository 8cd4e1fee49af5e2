"""Measure how far a seed carries a run: the standard deviation of its figures over seeds.

`python -m benchmarks.seed_spread` trains each framework from ten seeds, for some minutes, and says which margins to
name to `compare.py --seeds`: so they are fixed before other seeds are run. Of the default configuration it writes
benchmarks/seed_spread.json, from which the margins in `shared.studies.seeds` are; of any other, where --out says.
"""

import json
import platform
import sys
from pathlib import Path
from typing import Any

from shared import cli
from shared.comparing.processes import find_interpreter, versions
from shared.configuration import FIELDS, Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.studies import cluster
from shared.studies.equivalence import ALPHA, SHARE, spread
from shared.studies.seeds import FIGURES, MEASURED_SEEDS, ManySeeds, run_seeds
from shared.system import ending
from shared.system.machine import cores, cpu_name
from shared.system.output import write_whole

HERE = Path(__file__).resolve().parent
NAME = "benchmarks.seed_spread"


def results(found: ManySeeds) -> dict[str, Any]:
    """Of each framework and figure: the figure of each seed, their standard deviation and its interval."""
    return {
        framework: {
            figure: {"runs": (samples := found.samples(figure, framework)).tolist(), **spread(samples)._asdict()}
            for figure in FIGURES
        }
        for framework in FRAMEWORKS
    }


def in_words(measured: dict[str, Any]) -> str:
    """A line per framework and figure, and the options that name the margins."""
    lines = [
        f"{framework}, {figure}: {of['value']:.2g} ({1 - ALPHA:.0%} interval {of['low']:.2g} to {of['high']:.2g})"
        for framework, figures in measured.items()
        for figure, of in figures.items()
    ]
    accuracy, loss = (SHARE * measured[FRAMEWORKS[0]][figure]["value"] for figure in FIGURES)
    return "\n".join([*lines, f"A tenth of it: --accuracy-margin {accuracy:.1e} --loss-margin {loss:.1e}"])


def main() -> int:
    """Train, measure, say, write."""
    parser = cli.make_parser(NAME, (__doc__ or "").partition("\n")[0], str(HERE))
    cluster.add_option(parser)
    configuration, options = cli.parse(parser, None)
    why = f"its seeds are {MEASURED_SEEDS[0]} to {MEASURED_SEEDS[-1]}"
    cli.take_only(parser, options, {*FIELDS, "out", "scheduler"} - {"seed"}, doing=NAME, why=why)
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    cluster.check(options.scheduler)
    found = run_seeds(configuration.but(seed=MEASURED_SEEDS[0]), len(MEASURED_SEEDS), pythons, {}, options.scheduler)
    measured = results(found)
    print(in_words(measured))
    if configuration != Configuration() and options.out is parser.get_default("out"):
        return ending.OK
    environment = {"cpu": cpu_name(), "cores": cores(), "python": platform.python_version()}
    packages = {name: versions(pythons[name], IMPLEMENTATIONS[name].packages) for name in FRAMEWORKS}
    told = {
        "machine": environment,
        "versions": packages,
        "training": configuration.training.model_dump(mode="json", exclude={"seed"}),
        "seeds": list(MEASURED_SEEDS),
        "measured": measured,
    }
    text = json.dumps(told, indent=2) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    write_whole(options.out / "seed_spread.json", lambda path: path.write_text(text, encoding="utf-8"))
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
