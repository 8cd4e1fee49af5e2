"""`compare.py --pair`: from two files to a report."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.contract import FRAMEWORKS
from shared.pairs import data, pair_report, sides, template
from shared.pairs.bench import Asked
from shared.pairs.climb import AFTER, GRADIENTS
from shared.pairs.diagnosis import Diagnosis, diagnose
from shared.pairs.pairing import SIDES
from shared.pairs.protocol import Arrays
from shared.pairs.serving import save
from shared.system import ending, output, progress
from shared.system.errors import InputError
from shared.system.language import of_environment, say, translated

MOST_STEPS = 100_000  # a difference shows in the first ones, if in any
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    files: tuple[Path, Path]  # PyTorch's, Keras's
    data: Path | None
    seed: int
    batch_size: int
    steps: int


def compare(request: Request, pythons: Mapping[str, Path], out: Path, command: str) -> bool:
    """Compare both models, and write the report into `out`. Returns whether they are the same. Raises InputError."""
    sources = _sources(request.files)
    _refuse_too_large(request)
    _refuse_to_replace(out, [*request.files, *([request.data] if request.data else [])])
    arrays = data.read(request.data, request.batch_size) if request.data else None
    with output.fresh_folder(out) as folder, sides.both(pythons) as processes:
        if arrays is None:
            arrays = _random(processes, request)
        given = folder / "given.npz"
        save(given, arrays)
        asked = Asked(request.files, given, request.seed, request.batch_size, request.steps)
        with np.errstate(all="ignore"):  # of a training that diverges, the differences are told, and not warned of
            found = diagnose(asked, processes, progress.notice)
        given.unlink()
        _refuse_what_is_not_finite(found)
        print(pair_report.summary(found, of_environment()))
        pair_report.write(found, sources, folder, command)
    return found.verdict == "same"


def _sources(files: tuple[Path, Path]) -> tuple[str, str]:
    """The text of both files. Raises InputError."""
    texts = []
    for name, path in zip(FRAMEWORKS, files, strict=True):
        cure = "give the PyTorch file first, then the Keras file; --pair-template FOLDER writes two to start from"
        try:
            if path.exists() and not path.is_file():
                raise InputError(
                    f"--pair {path}: it is a {'folder' if path.is_dir() else 'device'}, not a file; {cure}"
                )
            texts.append(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"--pair {path}: there is no such file; {cure}") from None
        except UnicodeDecodeError as error:
            told = f"it is not UTF-8 at byte {error.start:,}"
            raise InputError(f"--pair {path}: the {name} file can't be read: {told}; save it as UTF-8") from None
        except OSError as error:
            raise InputError(f"--pair {path}: the {name} file can't be read: {error.strerror}; {cure}") from None
        if path.suffix != ".py":
            raise InputError(f"--pair {path}: it is no Python file by its name; give one that ends in .py")
    return texts[0], texts[1]


def _refuse_too_large(request: Request) -> None:
    """Raise InputError for numbers that could only fail later."""
    if request.steps > MOST_STEPS:
        raise InputError(f"--steps {request.steps:,}: at most {MOST_STEPS:,} are possible; give fewer")
    if request.seed > LARGEST_SEED:
        raise InputError(f"--seed {request.seed}: Keras takes none above {LARGEST_SEED}; give a smaller one")
    if request.data is None and request.batch_size > data.EXAMPLES:
        told = f"without --data there are {data.EXAMPLES} examples"
        raise InputError(f"--batch-size {request.batch_size:,}: {told}; give fewer, or --data")


def _refuse_to_replace(out: Path, paths: list[Path]) -> None:
    """Raise InputError where a report in `out` would replace what is compared."""
    for path in paths:
        if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out)):
            raise InputError(f"--out {out}: it holds {path}, which is compared; give --out a new folder")


def _refuse_what_is_not_finite(found: Diagnosis) -> None:
    """Raise InputError where nothing differs before numbers that are not finite: two such are no agreement.

    That one side alone has such in float64 is a difference like any other. In float32, which does not judge, it is
    told here.
    """
    left = found.unexplained or (None if found.causes else found.precisions["float64"].first)
    mistaken = found.read_only or any(not cause.candidate.by_default for cause in found.causes)
    if mistaken or (left and left.difference > 0):
        return
    for dtype, precision in found.precisions.items():
        checks = found.explained if found.causes and dtype == "float64" else precision.checks
        lost = next((check for check in checks if check.lost and check.stage >= GRADIENTS), None)
        finite = np.isfinite(precision.losses).all(axis=0)
        if lost and lost.stage == GRADIENTS:
            cure = "look for what has no gradient at 0, such as a square root or a norm, and add a small number to it"
            raise InputError(f"in {dtype} {lost.what} is not finite {_where(lost.lost)}, though the loss is; {cure}")
        if not finite.all():
            step = int(np.argmin(finite))
            values = [float(losses[step]) for losses in precision.losses]
            told = f"in {dtype} the losses of step {step + 1:,} are {' and '.join(map(str, values))}"
            alone = [name for name, value in zip(SIDES, values, strict=True) if not np.isfinite(value)]
            raise InputError(_diverged(told, alone, step))
        if lost:
            told = f"in {dtype} not all of {lost.what} is finite {_where(lost.lost)}"
            raise InputError(_diverged(told, [*lost.lost], lost.stage - AFTER - 1))


def _where(lost: Sequence[str]) -> str:
    return "on both sides" if len(lost) > 1 else f"in {lost[0]} alone"


def _diverged(told: str, lost: Sequence[str], steps: int) -> str:
    who = "both models diverge" if len(lost) > 1 else f"{lost[0]} alone diverges"
    cure = f"lower the optimizer's rate{f', or give --steps {steps}' if steps else ''}"
    return f"{who}: {told}, so that what follows can't be compared; {cure}"


def _random(processes: tuple[sides.Process, sides.Process], request: Request) -> Arrays:
    progress.notice(say("no --data: random numbers of the shape that the Keras model says"))
    shapes = processes[1].shapes(request.files[1].resolve(), request.seed)
    return data.random(shapes["inputs"], shapes["tokens"], shapes["outputs"], request.seed)


def write_template(folder: Path) -> int:
    """Write two files to start from. Returns the exit status."""
    template.write(folder)
    print(translated(say("Written: {folder}", folder=folder), of_environment()))
    return ending.OK
