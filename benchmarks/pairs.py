"""Measure `compare.py --pair`: how near sound pairs come to its limits, and what it says of mistakes that are planted.

`python -m benchmarks.pairs` compares the pairs of benchmarks/pair_material, two hours on two cores, and writes
benchmarks/pairs.json and the tables of benchmarks/pairs.md. Words select the pairs whose names have them all. Each
pair is a line of out/pairs/rows.jsonl as it comes, and --continue leaves out those that are there already; they go
where the code, the material or the machine is another.
"""

import argparse
import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import pairs_tables
from benchmarks.pair_material import planted
from benchmarks.pair_material.pair import Pair
from benchmarks.pair_material.planted import NAIVE, PLANTED
from benchmarks.pair_material.ports import PORTS
from benchmarks.pair_material.sound import PAIRS
from benchmarks.pairs_tables import NAIVE_PORT, PLANT, PORT, SOUND, Row
from shared.comparing.processes import find_interpreter, versions
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS
from shared.pairs import STEPS, data, sides
from shared.pairs.bench import Asked
from shared.pairs.climb import AFTER, EVALUATED, GIVEN, GRADIENTS, TRAINED, TRAINING, Check
from shared.pairs.diagnosis import Diagnosis, diagnose
from shared.pairs.pairing import Sides
from shared.pairs.search import Cause
from shared.pairs.serving import save
from shared.pairs.sides import Process
from shared.system import ending, progress
from shared.system.errors import InputError, in_one_line
from shared.system.machine import cores, cpu_name, environment
from shared.system.output import write_whole
from shared.system.paths import ROOT

HERE = Path(__file__).resolve().parent
NAME = "benchmarks.pairs"
# All that a row depends on, beside the machine and what only tells of it.
CODE = (
    "shared/pairs/*.py",
    "*_impl/pair/*.py",
    "library_defaults/rows.py",
    "docs/differences.json",
    "examples/*/in_*.py",
    "examples/*/data.npz",
    "benchmarks/pair_material/**/*.py",
)
TELLING = {"command.py", "pair_charts.py", "pair_report.py", "pair_words.py", "template.py"}
EXAMPLES = ("mlp", "cnn", "lstm", "gpt")
SEEDS_AND_BATCH_SIZES = ((0, 16), (1, 8))  # the second of the examples only
PAIRS_OF_A_PROCESS = 40  # a process keeps more and more


class Case(NamedTuple):
    """A pair, how it is compared, and what is known of it."""

    kind: str
    name: str
    made: Pair | planted.Case
    known: Row
    seed: int = 0
    batch_size: int = 16


def cases() -> list[Case]:
    """All that is compared."""
    sound: list[tuple[str, Pair | planted.Case]] = [(pair.name, pair) for pair in PAIRS]
    examples: list[tuple[str, Pair | planted.Case]] = [(f"examples/{e}", planted.Case(e, ())) for e in EXAMPLES]
    several = [(sound + examples, *SEEDS_AND_BATCH_SIZES[0]), (examples, *SEEDS_AND_BATCH_SIZES[1])]
    found = [
        Case(SOUND, f"{name}; weights {seed}, batches of {size}", made, {}, seed, size)
        for of, seed, size in several
        for name, made in of
    ]
    found += [Case(PORT, port.name, port, {"rows": port.rows, "hard": port.hard}) for port in PORTS]
    for number, mistake in enumerate(PLANTED):
        side = "PyTorch" if mistake.file == planted.TORCH else "Keras"
        known = {
            key: value
            for key, value in mistake._asdict().items()
            if key in {"example", "places", "causes", "fixable", "hard"}
        }
        name = f"{mistake.example} {number}: {mistake.kind} ({side})"
        found.append(Case(PLANT, name, planted.Case(mistake.example, (mistake,)), known))
    for case in NAIVE:
        known = {"mistakes": [{"kind": mistake.kind, "causes": mistake.causes} for mistake in case.mistakes]}
        found.append(Case(NAIVE_PORT, case.example, case, known))
    return found


def names_of(check: Check, of: Sides) -> set[str]:
    """The place of a check, in the words of `Planted.places`, with the names of both sides."""
    if check.pairing:
        both = [side.calls if check.stage < TRAINING else side.training_calls for side in (of.torch, of.keras)]
        names = {both[0][check.pairing.torch].place, both[1][check.pairing.keras].place} - {""}
        return names | ({f"training {name}" for name in names} if check.stage >= TRAINING else set())
    if check.stage == GIVEN:
        return {"input"}
    if check.stage in {EVALUATED, TRAINED}:
        return {"loss"} if check.key.endswith("/loss") else {"output"}
    layers = layers_of(check.tensor, of)
    if check.stage == GRADIENTS:
        return {*layers, *(f"gradient of {name}" for name in layers)}
    if check.key.startswith("rates/"):
        return {"rate", "optimizer"}
    facts = of.keras.tensors.get(check.tensor)
    kept = layers if facts and facts.buffer else set()  # a buffer is changed by its layer, not by the optimizer
    return {"optimizer", *kept, *(f"training {name}" for name in kept)}


def layers_of(tensor: str, of: Sides) -> set[str]:
    """The layers of both sides that have Keras's tensor, or its sources."""
    sources = {tensor, *of.carry.sources.get(tensor, ())}
    return {layer.path for side in (of.torch, of.keras) for layer in side.layers if sources & {*layer.tensors.values()}}


def names_of_cause(cause: Cause, of: Sides) -> set[str]:
    """Where it is: what its fix changes, and what is off first without the fix."""
    names = names_of(cause.without, of)
    for place in (edit.place for edit in cause.candidate.edits if edit.place):
        number = int(place) if place.isdigit() else len(of.keras.calls)
        path = of.keras.calls[number].place if number < len(of.keras.calls) else place
        torch = {of.torch.calls[p.torch].place for p in of.pairings if of.keras.calls[p.keras].place == path}
        names |= {path, *torch, *layers_of(place, of)} - {""}
    return names


def _number(multiple: float) -> float | None:
    return float(f"{multiple:.4g}") if np.isfinite(multiple) else None  # JSON has no infinity


def _kind(check: Check) -> str:
    if check.stage < AFTER:
        return "evaluation" if check.stage <= EVALUATED else "gradients" if check.stage == GRADIENTS else "training"
    return {"rates": "rates", "losses": "losses"}.get(check.key.partition("/")[0], "weights")


def _largest(checks: Sequence[Check]) -> dict[str, Row]:
    """By kind of check: the one furthest off."""
    found: dict[str, Check] = {}
    for check in checks:
        if _kind(check) not in found or check.multiple > found[_kind(check)].multiple:
            found[_kind(check)] = check
    return {kind: {"multiple": _number(check.multiple), "what": check.what} for kind, check in found.items()}


def _check(check: Check | None, of: Sides) -> Row | None:
    if check is None:
        return None
    return {"what": check.what, "multiple": _number(check.multiple), "names": sorted(names_of(check, of))}


def told(found: Diagnosis) -> Row:
    """What a row says of a diagnosis."""
    return {
        "verdict": found.verdict,
        "first": _check(found.precisions["float64"].first, found.sides),
        "causes_found": [
            {
                "what": cause.candidate.what,
                "code": f"{cause.candidate.keras}\n{cause.candidate.torch}",
                "row": cause.candidate.row.key if cause.candidate.row else None,
                "by_default": cause.candidate.by_default,
                "names": sorted(names_of_cause(cause, found.sides)),
                "without": _check(cause.without, found.sides),
            }
            for cause in found.causes
        ],
        "unexplained": _check(found.unexplained, found.sides),
        "read_only": found.read_only,
        "notes": found.notes,
        "largest": {dtype: _largest(precision.checks) for dtype, precision in found.precisions.items()},
    }


@dataclass
class Kept:
    """PyTorch's process and Keras's, begun anew after a fault and after many pairs."""

    pythons: Mapping[str, Path]
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _processes: tuple[Process, Process] | None = None
    _taken: int = 0

    def take(self) -> tuple[Process, Process]:
        """Both, for one pair more."""
        if self._taken == PAIRS_OF_A_PROCESS:
            self.close()
        if self._processes is None:
            self._processes, self._taken = self._open.enter_context(sides.both(self.pythons)), 0
        self._taken += 1
        return self._processes

    @property
    def died(self) -> bool:
        """Whether one of them has ended by itself."""
        return any(process._process.poll() is not None for process in self._processes or ())

    def close(self) -> None:
        """End them; `take` begins others."""
        self._processes = None
        self._open.close()


def try_one(case: Case, processes: Kept) -> Row:
    """Compare a pair. What ends its comparison is told in its row."""
    row, start = {"kind": case.kind, "name": case.name, **case.known}, time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="pairs-") as temporary:
        given = Path(temporary) / "given.npz"
        torch, keras, arrays = case.made.write(Path(temporary))
        save(given, data.read(arrays, case.batch_size))
        asked = Asked((torch, keras), given, case.seed, case.batch_size, STEPS)
        try:
            found = diagnose(asked, processes.take(), lambda _: None, in_float32=case.kind == SOUND)
            row |= told(found)
        except InputError as error:
            row["fault" if processes.died else "refused"] = str(error)
        except Exception as error:  # noqa: BLE001 the others are compared all the same
            row["fault"] = in_one_line(error)
        if "verdict" not in row:
            processes.close()
    row["seconds"] = round(time.perf_counter() - start, 1)
    return row


def key() -> str:
    """SHA-256 of all that a row depends on: what is compared, the code, the machine."""
    digest = hashlib.sha256(json.dumps([cpu_name(), sys.version, np.__version__, environment()]).encode())
    for path in sorted(path for pattern in CODE for path in ROOT.glob(pattern) if path.name not in TELLING):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def kept_rows(file: Path, now: str) -> dict[str, Row]:
    """The rows of the file, by kind and name; it is begun anew where it has another key than that of now."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if not lines or json.loads(lines[0]) != {"key": now}:
        write_whole(file, lambda path: path.write_text(json.dumps({"key": now}) + "\n", encoding="utf-8"))
        return {}
    return {f"{row['kind']} {row['name']}": row for row in map(json.loads, lines[1:])}  # of two, the later one


def measure(wanted: Sequence[Case], pythons: Mapping[str, Path], file: Path) -> Iterator[Row]:
    """A row for each, which is added to the file."""
    with contextlib.closing(Kept(pythons)) as processes, file.open("a", encoding="utf-8") as kept:
        for number, case in enumerate(wanted, 1):
            row = try_one(case, processes)
            print(json.dumps(row, ensure_ascii=False), file=kept, flush=True)
            progress.notice(f"{number}/{len(wanted)} {pairs_tables.line(row)}")
            yield row


def write(rows: Sequence[Row], pythons: Mapping[str, Path]) -> None:
    """Write both files."""
    about: dict[str, Any] = {
        "machine": {"cpu": cpu_name(), "cores": cores(), "python": sys.version.split()[0]},
        "versions": {name: versions(pythons[name], IMPLEMENTATIONS[name].packages) for name in FRAMEWORKS},
    }
    text = json.dumps({**about, "rows": rows}, indent=2, ensure_ascii=False) + "\n"
    write_whole(HERE / "pairs.json", lambda path: path.write_text(text, encoding="utf-8"))
    tables = pairs_tables.tables(rows)
    write_whole(HERE / "pairs.md", lambda path: path.write_text(tables, encoding="utf-8"))


def main() -> int:
    """Compare the pairs asked for, and tell of all."""
    parser = argparse.ArgumentParser(NAME, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only the pairs whose kinds and names have all of these")
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="leave out those that are kept already")
    options = parser.parse_args()
    made = {f"{case.kind} {case.name}": case for case in cases()}
    file = ROOT / "out" / "pairs" / "rows.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = kept_rows(file, key())
    asked = [name for name in made if all(word in name for word in options.words)]
    wanted = [made[name] for name in asked if not (options.goes_on and name in rows)]
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    for row in measure(wanted, pythons, file):
        rows[f"{row['kind']} {row['name']}"] = json.loads(json.dumps(row))
    write([rows[name] for name in made if name in rows], pythons)
    return ending.OK


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
