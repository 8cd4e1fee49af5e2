"""Two files to start a pair from, and one that writes their data: copies of examples/template."""

from pathlib import Path

from shared.system.errors import InputError
from shared.system.paths import ROOT

FOLDER = ROOT / "examples" / "template"
FILES = ("in_pytorch.py", "in_keras.py", "make_data.py")


def write(folder: Path) -> None:
    """Write them into a folder, which is made where it is missing. Raises InputError; no file is ever replaced."""
    cure = "give --pair-template a new folder"
    for name in FILES:
        path = folder / name
        if path.exists() or path.is_symlink():
            raise InputError(f"--pair-template {folder}: it has a {name} already; {cure}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write((FOLDER / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--pair-template {folder}: {error.strerror}; {cure}") from None
