"""Loss logs as people have them, and as they should not be."""

import json

import numpy as np
import pytest

from shared.logs.loss_logs import read_log
from shared.system.errors import InputError


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


GOOD = {
    "plain": ("a.csv", "step,loss\n0,0.5\n10,0.25\n", [0, 10], "step"),
    "upper case": ("A.CSV", "STEP,Loss\n0,0.5\n10,0.25\n", [0, 10], "step"),
    "byte order mark": ("a.csv", "\ufeffstep,loss\n0,0.5\n10,0.25\n", [0, 10], "step"),
    "Windows line ends": ("a.csv", "step,loss\r\n0,0.5\r\n10,0.25\r\n", [0, 10], "step"),
    "semicolons": ("a.csv", "step;loss\n0;0.5\n10;0.25\n", [0, 10], "step"),
    "tabs": ("a.csv", "step\tloss\n0\t0.5\n10\t0.25\n", [0, 10], "step"),
    "blank lines and spaces": ("a.csv", "\nstep, loss\n\n0, 0.5\n10, 0.25\n\n", [0, 10], "step"),
    "pandas's index": ("a.csv", ",step,loss\n0,0,0.5\n1,10,0.25\n", [0, 10], "step"),
    "quoted": ("a.csv", '"step","loss"\n"0","0.5"\n"10","0.25"\n', [0, 10], "step"),
    "no steps": ("a.csv", "loss,accuracy\n0.5,x\n0.25,y\n", [0, 1], None),
    "TensorBoard's CSV": ("a.csv", "Wall time,Step,Value\n1.7e9,0,0.5\n1.7e9,10,0.25\n", [0, 10], None),
    "TensorBoard's JSON": ("a.json", "[[1.7e9, 0, 0.5], [1.7e9, 10, 0.25]]", [0, 10], None),
    "Keras's CSVLogger": ("a.csv", "epoch,accuracy,loss,val_loss\n0,1,0.5,9\n1,1,0.25,9\n", [0, 1], "epoch"),
    "Keras's history": ("a.json", '{"loss": [0.5, 0.25], "val_loss": [9, 9]}', [0, 1], None),
    "a step beside an epoch": ("a.csv", "epoch,step,train_loss\n0,0,0.5\n0,10,0.25\n", [0, 10], "step"),
    "a longer list beside": ("a.json", '{"loss": [0.5, 0.25], "val_loss": [9, 9, 9]}', [0, 1], None),
    "list of numbers": ("a.json", "[0.5, 0.25]", [0, 1], None),
    "numbers in quotes": ("a.json", '["0.5", "0.25"]', [0, 1], None),
    "list of objects": ("a.json", '[{"step": 0, "loss": 0.5}, {"loss": 0.25, "step": 10, "lr": 1}]', [0, 10], "step"),
    "object of lists": ("a.json", '{"Epoch": [0, 10], "Loss": [0.5, 0.25], "name": "x"}', [0, 10], "epoch"),
    "whole steps as floats": ("a.csv", "step,loss\n0.0,0.5\n1e1,0.25\n", [0, 10], "step"),
}


@pytest.mark.parametrize(("name", "content", "steps", "counts"), GOOD.values(), ids=GOOD)
def test_every_accepted_form_is_read(tmp_path, name, content, steps, counts):
    log = read_log(written(tmp_path, name, content))
    assert log.steps.tolist() == steps
    assert log.losses.tolist() == [0.5, 0.25]
    assert log.counts == counts


BAD = {
    "missing": ("a.csv", None, "No such file or directory; give a file that exists"),
    "empty": ("a.csv", "", "is empty; give a log with at least one loss"),
    "only a mark": ("a.json", "\ufeff \n", "is empty; give a log with at least one loss"),
    "only empty cells": ("a.csv", ",,\n,\n", "has only empty cells; give a log with at least one loss"),
    "a name twice": ("a.json", '{"loss": [1], "loss": [2]}', "an object has 'loss' twice; keep one"),
    "only a header": ("a.csv", "step,loss\n", "holds no losses; give a log with at least one"),
    "no entries": ("a.json", "[]", "holds no losses; give a log with at least one"),
    "UTF-16": ("a.csv", "step,loss".encode("utf-16"), "byte 0 is not UTF-8 text; save the file as UTF-8"),
    "no header": ("a.csv", "0,0.5\n", "line 1: '0,0.5' is no header; put one above it, for example step,loss"),
    "no loss": (
        "a.csv",
        "step,cost\n0,1\n",
        "no column called loss or train_loss or value, but 'step', 'cost'; rename the one with losses",
    ),
    "two losses": (
        "a.csv",
        "step,loss,train_loss\n0,1,2\n",
        "'loss' and 'train_loss' could both be the loss; keep one, or rename the other",
    ),
    "two steps": (
        "a.json",
        '[{"step": 0, "iteration": 0, "loss": 1}]',
        "'step' and 'iteration' could both be the step; keep one, or rename the other",
    ),
    "the same twice": ("a.csv", "Loss,loss\n1,2\n", "'Loss' and 'loss' could both be the loss; keep one"),
    "a word": ("a.csv", "step,loss\n0,1\n1,oops\n", "line 3: loss 'oops' is not a number; write it as 0.25"),
    "a decimal comma": ("a.csv", "step;loss\n0;0,5\n1;0.25\n", "line 2: loss '0,5' is not a number"),
    "Python's underscores": ("a.csv", "step,loss\n0,1_0\n", "line 2: loss '1_0' is not a number"),
    "a tensor": ("a.json", '["tensor(0.5)"]', "entry 0: loss 'tensor(0.5)' is not a number; write it as 0.25"),
    "true": ("a.json", "[1, true]", "entry 1: loss True is not a number; write it as 0.25"),
    "an empty cell": ("a.csv", "step,loss\n0,\n", "line 2 has no loss; write a number such as 0.25, or nan where"),
    "null": ("a.json", "[0.5, null]", "entry 1 has no loss; write a number such as 0.25, or nan where there was none"),
    "an entry without": ("a.json", '[{"loss": 1}, {"eval": 2}]', "entry 1 has no loss; write a number such as 0.25"),
    "a number among objects": ("a.json", '[{"loss": 1}, 2]', "entry 1 is '2' among objects; make every entry an"),
    "no list": (
        "a.json",
        '{"loss": 0.5}',
        "and no list; give a list of numbers, a list of objects or an object of lists",
    ),
    "cut short": ("a.csv", "step,loss\n0,1\n1", "line 3 has 1 cells and the header 2; complete it or remove it"),
    "cut short JSON": ("a.json", "[0.5,\n0.2", "line 2, column 4: Expecting ',' delimiter; write it with a JSON"),
    "an open quote": ("a.csv", 'step,loss\n0,"1\n', "unexpected end of data; write it as plain CSV"),
    "deep": ("a.json", "[" * 100_000, "lists within lists within lists; give a list"),
    "unequal lists": ("a.json", '{"step": [0], "loss": [1, 2]}', "has 1 'step' and 2 'loss'; give each loss its step"),
    "half a step": ("a.csv", "step,loss\n0.5,1\n", "line 2: step 0.5 is not a whole number; number the steps"),
    "step NaN": ("a.csv", "step,loss\nnan,1\n", "line 2: step nan is not a whole number; number the steps"),
    "step beyond": ("a.csv", "step,loss\n1e30,1\n", "line 2: step 1e30 is not a whole number; number the steps"),
    "a step twice": (
        "a.csv",
        "step,loss\n7,1\n7,2\n",
        "line 3: step 7 comes twice; keep the log of one run, its steps in ascending order",
    ),
    "out of order": ("a.json", '{"step": [3, 2], "loss": [1, 2]}', "entry 1: step 2 comes after step 3; keep the log"),
    "beyond all": ("a.csv", "loss\n-1e101\n", "line 2: loss -1e101 is beyond 1e+100; write inf where it overflowed"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_with_its_place_value_and_cure(tmp_path, name, content, message):
    path = tmp_path / name if content is None else written(tmp_path, name, content)
    with pytest.raises(InputError) as error:
        read_log(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_finite_is_kept(tmp_path):
    for name, content in (
        ("a.csv", "loss\nnan\n-inf\nInfinity\n1e999\n2\n"),
        ("a.json", "[NaN,-Infinity,Infinity,1e999,2]"),
    ):
        log = read_log(written(tmp_path, name, content))
        assert np.isnan(log.losses[0])
        assert log.losses[1:].tolist() == [-np.inf, np.inf, np.inf, 2]
        assert np.isfinite(log.resolution).tolist() == [False, False, False, False, True]


def resolutions(folder, *texts):
    return read_log(written(folder, "a.csv", "\n".join(["loss", *texts]))).resolution


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # As many decimals for all, whatever the magnitude.
        (["0.3830", "0.0012", "12.3456"], [5e-5, 5e-5, 5e-5]),
        # Rounded to four, and written without the zeros at the end.
        (["0.3830", "0.25", "0.5012", "1.0"], [5e-5, 5e-5, 5e-5, 5e-5]),
        # As many significant digits for all.
        (["1.234e+01", "2.340e-02", "0.000e+00"], [5e-3, 5e-6, 5e-8]),
        (["12.34", "0.001234", "1.234"], [5e-3, 5e-7, 5e-4]),
        (["1e2", "2e-2"], [50, 5e-3]),
    ],
)
def test_resolution_is_half_a_unit_of_the_last_digit_that_the_file_writes(tmp_path, texts, expected):
    assert resolutions(tmp_path, *texts) == pytest.approx(expected, rel=2e-2)


def test_resolution_of_full_precision_is_that_of_the_dtype(tmp_path):
    values = np.random.default_rng(0).uniform(0.1, 3, 50)
    single = values.astype(np.float32)
    # A float32 in its own shortest digits, as the float64 that it became, and a float64.
    shortest, widened, double = (
        [str(x) for x in single],
        [repr(float(x)) for x in single],
        [repr(x) for x in values.tolist()],
    )
    for texts, dtype in ((shortest, np.float32), (widened, np.float32), (double, np.float64)):
        half = np.spacing(values.astype(dtype)).astype(float) / 2
        resolution = resolutions(tmp_path, *texts)
        assert (resolution == half).all()


def test_a_float32_in_its_shortest_digits_is_read_as_itself(tmp_path):
    values = np.random.default_rng(0).uniform(0.1, 3, 50).astype(np.float32)
    log = read_log(written(tmp_path, "a.json", json.dumps([str(x) for x in values])))
    assert (log.losses == values).all()
    assert log.precision == "float32 numbers"


def test_whole_numbers_are_exact(tmp_path):
    assert (resolutions(tmp_path, "3", "2.0", "100") < 1e-5).all()


def test_a_log_that_python_wrote_comes_back(tmp_path):
    losses = np.random.default_rng(1).lognormal(size=100).tolist()
    log = read_log(written(tmp_path, "a.json", json.dumps({"loss": losses})))
    assert log.losses.tolist() == losses
