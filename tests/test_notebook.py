"""The notebook is run from top to bottom, and what it shows is what comes out."""

import base64
import copy
import io
import json
import math
import os
import re
import sys

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.conftest import ROOT, run_program

NOTEBOOK = ROOT / "notebooks" / "tutorial.ipynb"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
# A cell so tagged shows what rounding does, which is another number on another processor.
VARIES = "varies"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def texts(output):
    """The texts of an output by their kind."""
    data = output.get("data", {"text/plain": output.get("text", [])})
    return {kind: "".join(lines) for kind, lines in data.items() if kind != "image/png"}


def same_numbers(one, other, *, varies):
    """Of two texts. What rounding makes is alike where it is small in both, or of one size."""
    for pair in zip(NUMBER.findall(one), NUMBER.findall(other), strict=True):
        a, b = (float(number.replace(",", "")) for number in pair)
        if not (max(a, b) <= 10 or max(a, b) <= 10 * min(a, b) if varies else math.isclose(a, b, rel_tol=1e-3)):
            return False
    return True


def same_picture(one, other):
    """Of the same size, and the same but for what rounding does to a curve."""
    pictures = [Image.open(io.BytesIO(base64.b64decode(text))).convert("L") for text in (one, other)]
    alike = pictures[0].size == pictures[1].size
    return alike and ImageStat.Stat(ImageChops.difference(*pictures)).mean[0] < 3  # of 255


def different(one, other):
    """The first cell of two executed notebooks whose outputs are not the same; None where there is none."""
    for a, b in zip(one["cells"], other["cells"], strict=True):
        varies = VARIES in a["metadata"].get("tags", [])
        outputs = [cell.get("outputs", []) for cell in (a, b)]
        if [output["output_type"] for output in outputs[0]] != [output["output_type"] for output in outputs[1]]:
            return a["id"]
        for known, found in zip(*outputs, strict=True):
            known_texts, found_texts = texts(known), texts(found)
            words = [
                {kind: NUMBER.sub("0", text).split() for kind, text in all_.items()}
                for all_ in (known_texts, found_texts)
            ]
            if words[0] != words[1]:
                return a["id"]
            if not all(same_numbers(text, found_texts[kind], varies=varies) for kind, text in known_texts.items()):
                return a["id"]
            pictures = [output.get("data", {}).get("image/png") for output in (known, found)]
            if pictures != [None, None] and not (all(pictures) and same_picture(*pictures)):
                return a["id"]
    return None


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    where = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    run = run_program("-m", "tests.notebook", NOTEBOOK, folder / "done.ipynb", cwd=folder, env=where)
    assert run.returncode == 0, run.stderr
    return read(folder / "done.ipynb")


def test_it_runs_and_shows_what_comes_out(executed):
    assert different(read(NOTEBOOK), executed) is None
    assert "FAIL  every step" in str(executed["cells"][-2])
    assert "step 937's" in str(executed["cells"][-2])


@pytest.mark.parametrize(
    ("cell", "old", "new"),
    [("images of each digit", "5923", "5932"), ("MATCH", "MATCH", "NO MATCH"), ("step 937", "937", "37")],
)
def test_another_output_is_seen(executed, cell, old, new):
    changed = copy.deepcopy(executed)
    output = next(o for c in changed["cells"] for o in c.get("outputs", []) if cell in "".join(o.get("text", [])))
    output["text"] = ["".join(output["text"]).replace(old, new)]
    assert different(changed, executed)


def test_another_picture_is_seen(executed):
    changed = copy.deepcopy(executed)
    shown = [o["data"] for c in changed["cells"] for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    shown[0]["image/png"], shown[1]["image/png"] = shown[1]["image/png"], shown[0]["image/png"]
    assert different(changed, executed)
    assert different(executed, changed)


def test_it_is_a_notebook_that_any_program_opens_and_none_waits_for():
    notebook = read(NOTEBOOK)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    pictures = [o["data"].get("image/png", "") for c in cells for o in c.get("outputs", []) if "data" in o]
    assert all(len(base64.b64decode(picture)) < 100_000 for picture in pictures)
    assert not any(line.startswith(("%", "!")) for cell in cells for line in cell["source"])


def test_links_lead_somewhere():
    said = "".join("".join(cell["source"]) for cell in read(NOTEBOOK)["cells"] if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#]+)", said)
    assert links
    for link in links:
        assert (NOTEBOOK.parent / link).exists(), link


def test_what_a_cell_leaves_is_its_output(tmp_path):
    source = tmp_path / "one.ipynb"
    cells = [
        {"cell_type": "code", "source": ["x = 1\n", "print('said')\n", "x + 1"]},
        {"cell_type": "code", "source": ["y = x\n"]},
    ]
    source.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    run = run_program("-m", "tests.notebook", source, source, python=sys.executable)
    assert run.returncode == 0, run.stderr
    first, second = (cell["outputs"] for cell in read(source)["cells"])
    assert [texts(output)["text/plain"] for output in first] == ["said\n", "2"]
    assert second == []


def test_a_cell_that_fails_fails_the_run(tmp_path):
    source = tmp_path / "one.ipynb"
    source.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]}), encoding="utf-8")
    run = run_program("-m", "tests.notebook", source, tmp_path / "done.ipynb")
    assert run.returncode != 0
    assert "ZeroDivisionError" in run.stderr
    assert not (tmp_path / "done.ipynb").exists()
