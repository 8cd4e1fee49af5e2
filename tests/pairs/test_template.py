"""`compare.py --pair-template`: two files to start from, which are a pair that is the same."""

import ast
import re
import subprocess
import sys

import numpy as np
import pytest

from shared.comparing.processes import find_interpreter
from shared.contract import FRAMEWORKS
from shared.pairs import sides, template
from shared.pairs.bench import Asked
from shared.pairs.diagnosis import diagnose
from shared.pairs.serving import save
from shared.system.errors import InputError

NAMES = {
    "in_pytorch.py": {"model", "prepare", "loss", "optimizer", "scheduler", "after_backward"},
    "in_keras.py": {"model", "prepare", "loss", "optimizer", "carry"},
}


def uncommented(text):
    """The file with its optional functions, as a reader takes the "# " away."""
    functions = re.compile(r"^# (?=def )(?:.*\n#)* .*$", re.MULTILINE)
    return functions.sub(lambda found: re.sub(r"^# ?", "", found[0], flags=re.MULTILINE), text)


def functions(text):
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_a_file_may_have_is_shown(name, tmp_path):
    template.write(tmp_path / "new" / "pair")
    text = (tmp_path / "new" / "pair" / name).read_text(encoding="utf-8")
    assert functions(text) < NAMES[name]
    assert "model" in functions(text)
    assert functions(uncommented(text)) == NAMES[name]
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", template.FILES)
def test_no_file_is_ever_replaced_and_then_none_is_written(name, tmp_path):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=f"it has a {name} already; give --pair-template a new folder"):
        template.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_a_folder_that_can_not_be_made_is_bad_input(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="give --pair-template a new folder"):
        template.write(tmp_path / "file" / "pair")


def test_the_pair_is_the_same(tmp_path):
    template.write(tmp_path)
    subprocess.run([sys.executable, "make_data.py"], cwd=tmp_path, check=True)
    given = tmp_path / "given.npz"
    with np.load(tmp_path / "data.npz") as file:
        assert file["inputs"].shape == (len(file["targets"]), 8)
        save(given, dict(file))
    pythons = {name: find_interpreter(name, None) for name in FRAMEWORKS}
    files = (tmp_path / "in_pytorch.py", tmp_path / "in_keras.py")
    with sides.both(pythons) as processes:
        found = diagnose(Asked(files, given, 0, 16, 3), processes, lambda _: None)
    assert found.verdict == "same"
    assert len(found.precisions["float64"].losses[0]) == 3
