"""`compare.py --pair`: from two files to a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.contract import FRAMEWORKS
from shared.pairs import data, pair_report, sides, template
from shared.pairs.diagnosis import Asked, diagnose
from shared.pairs.protocol import Arrays
from shared.pairs.serving import save
from shared.system import ending, output, progress
from shared.system.errors import InputError

STEPS, BATCH_SIZE = 30, 16


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
    arrays = data.read(request.data, request.batch_size) if request.data else None
    with output.fresh_folder(out) as folder, sides.both(pythons) as processes:
        if arrays is None:
            arrays = _random(processes, request)
        given = folder / "given.npz"
        save(given, arrays)
        asked = Asked(request.files, given, request.seed, request.batch_size, request.steps)
        found = diagnose(asked, processes, progress.notice)
        given.unlink()
        print(pair_report.summary(found))
        pair_report.write(found, sources, folder, command)
    return found.verdict == "same"


def _sources(files: tuple[Path, Path]) -> tuple[str, str]:
    """The text of both files. Raises InputError."""
    texts = []
    for name, path in zip(FRAMEWORKS, files, strict=True):
        cure = "give the PyTorch file first, then the Keras file; --pair-template FOLDER writes two to start from"
        if not path.is_file():
            raise InputError(f"--pair {path}: there is no such file; {cure}")
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--pair {path}: the {name} file can't be read: {error}; {cure}") from None
    return texts[0], texts[1]


def _random(processes: tuple[sides.Process, sides.Process], request: Request) -> Arrays:
    progress.notice("no --data: random numbers of the shape that the Keras model says")
    shapes = processes[1].shapes(request.files[1].resolve(), request.seed)
    arrays = data.random(shapes["inputs"], shapes["tokens"], shapes["outputs"], request.seed)
    if len(arrays[data.TARGETS]) < request.batch_size:
        told = f"random data has {data.EXAMPLES} examples"
        raise InputError(f"--batch-size {request.batch_size}: {told}; give fewer, or --data")
    return arrays


def write_template(folder: Path) -> int:
    """Write two files to start from. Returns the exit status."""
    template.write(folder)
    print(f"Written: {folder}")
    return ending.OK
