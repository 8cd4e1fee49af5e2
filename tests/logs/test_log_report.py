"""compare.py --records, as a person runs it, and what it leaves."""

import json
import os
import platform

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.configuration import Configuration
from shared.logs import log_pair, log_plots, log_report
from shared.logs.loss_logs import LossLog, Series
from shared.logs.sources import Source
from shared.reference.__main__ import load
from shared.running import runner
from shared.running.record import read_run
from shared.system.errors import InputError
from shared.system.output import MANIFEST
from tests.conftest import ROOT, run_program
from tests.marks import unmarked

ANSWER = "PART at step 40: 0.4 in A and 0.41 in B, 1.0e-02 apart, 100 times what the files can hide"
LOSSES = [round(2 / (1 + 0.1 * step), 4) for step in range(100)]


def csv_of(folder, name, losses):
    path = folder / name
    path.write_text(
        "step,loss\n" + "".join(f"{step},{loss:.4f}\n" for step, loss in enumerate(losses)), encoding="utf-8"
    )
    return path


@pytest.fixture
def logs(tmp_path):
    """Two that diverge at step 40."""
    return csv_of(tmp_path, "a.csv", LOSSES), csv_of(tmp_path, "b.csv", LOSSES[:40] + [x + 0.01 for x in LOSSES[40:]])


def written(pair, folder):
    folder.mkdir()
    log_report.write(pair, folder, "python compare.py")
    return unmarked((folder / "report.md").read_text(encoding="utf-8")), json.loads(
        (folder / "results.json").read_text(encoding="utf-8")
    )


def pictures_are_there(folder, text, *names):
    assert {path.name for path in folder.iterdir()} - {MANIFEST} == {*names, "report.md", "results.json"}
    for name in names:
        assert f"]({name})" in text
        assert (folder / name).stat().st_size > 5_000


def test_the_report_opens_with_the_answer_and_ends_with_the_command(logs, tmp_path):
    text, results = written(log_pair.compare(*logs), tmp_path / "out")
    lines = text.splitlines()
    assert lines[2].startswith(f"**{ANSWER}, which points to the schedule of the learning rate: ")
    assert "| 40 | 0.4 | 0.41 | 1.0e-02 | 1.0e-04 |" in lines
    assert lines[-1] == "Again: `python compare.py`"
    assert log_report.DISCLAIMER in lines
    assert "MATCH" not in text
    pictures_are_there(tmp_path / "out", text, "loss.png", "divergence.png")
    losses = results["losses"]
    assert (results["agree"], losses["differ_from"], losses["part_at"], results["weights"]) == (False, 40, 40, None)
    assert (losses["largest_difference"], losses["last_difference"]) == pytest.approx((0.01, 0.01))
    finding = losses["finding"]
    assert (finding["kind"], finding["step"], finding["column"], finding["good"]) == ("schedule", 40, "loss", False)
    assert f"- Excluded: {finding['excluded']}." in lines
    assert f"- Next: {finding['next'].replace('`', chr(92) + '`')}" in lines
    assert "| SGD with momentum: where the rate enters | Nothing at a constant rate." in text


def test_code_in_the_projects_own_words_is_code_in_the_report_and_a_name_from_outside_is_not(tmp_path):
    random = np.random.default_rng(0)
    for name in ("a.csv", "b.csv"):
        rows = "".join(f"{step},{loss:.4f},{loss:.2f}\n" for step, loss in enumerate(random.uniform(1, 3, 20)))
        (tmp_path / name).write_text(f"step,loss,`x`\n{rows}", encoding="utf-8")
    text, _ = written(log_pair.compare(tmp_path / "a.csv", tmp_path / "b.csv"), tmp_path / "out")
    assert "- Next: `compare.py --pair TORCH.PY KERAS.PY` carries the same weights into both models" in text
    assert "| GELU, the functions `F.gelu` and `keras.ops.gelu` | Outputs" in text
    assert "| \\`x\\` | 20 |" in text
    assert text.count("\\`") == 2 * text.count("\\`x\\`")  # the report's table, and a picture's title


def test_no_number_is_made_up_for_what_is_not_finite(tmp_path):
    a = csv_of(tmp_path, "a.csv", [*LOSSES, float("nan")])
    text, results = written(log_pair.compare(a, csv_of(tmp_path, "b.csv", [*LOSSES, 1])), tmp_path / "out")
    assert "**PART at step 100: nan in A and 1 in B, which points to an overflow" in text
    assert results["losses"]["largest_difference"] is None
    assert results["losses"]["part_at"] == 100


def test_weights_are_told_tensor_by_tensor(tmp_path):
    kernel, bias = np.random.default_rng(0).random((128, 784)).astype("f4"), np.ones(3, "f4")
    save_file({"k": kernel, "b": bias, "mine": bias, "other": bias}, tmp_path / "a.safetensors")
    np.savez(tmp_path / "b.npz", k=kernel.T, b=bias * 2, other=bias[:2])
    pair = log_pair.compare(tmp_path / "a.safetensors", tmp_path / "b.npz")
    text, results = written(pair, tmp_path / "out")
    assert (
        "| `k` | `k` | (128, 784) against (784, 128) | transposed | the same name | 0.0e+00 | 0 | 0.0e+00 | yes |"
        in text
    )
    assert "| `b` | `b` | (3,) | as it is | the same name | 1.0e+00 | 4.19e+06 | 5.0e-01 | NO |" in text
    assert "| `other` | `other` | (3,) against (2,) | none fits | the same name |  |  |  | NO |" in text
    assert "> **Note.** A alone has 1 tensor: mine." in text
    assert "**DIFFERENT WEIGHTS: 2 of 3 tensors, most in other, of shape (3,) against (2,).**" in text
    pictures_are_there(tmp_path / "out", text, "weights.png")
    assert results["weights"]["tensors"]["other"]["largest_difference"] is None
    assert results["weights"]["only_in"] == {"a": ["mine"], "b": []}


def test_many_tensors_still_make_a_picture(tmp_path):
    np.savez(tmp_path / "a.npz", **{f"layer_$\\{i}_{'long' * 30}": np.ones(2) for i in range(300)})
    text, _ = written(log_pair.compare(tmp_path / "a.npz", tmp_path / "a.npz"), tmp_path / "out")
    assert "**THE WEIGHTS AGREE: all 300 tensors, number for number.**" in text
    assert "> **Note.** A and B are one and the same file." in text


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.5], [1.5]),
        ([0, 0], [0, 0]),
        ([np.nan, np.nan], [np.nan, np.nan]),
        ([np.inf, 1], [-np.inf, 1]),
        ([1e99, -1e99], [-1e99, 1e99]),
        ([5e-324, 1e-300], [0, 1e-320]),
        ([-1, 1], [1, -1]),
    ],
)
@pytest.mark.parametrize("names", [("a.json", "b.json"), ("$_a^.json", "_\u4e2d.json")])
def test_every_pair_of_logs_makes_pictures(a, b, names, tmp_path):
    for name, losses in zip(names, (a, b), strict=True):
        (tmp_path / name).write_text(json.dumps(losses), encoding="utf-8")
    pair = log_pair.compare(*(tmp_path / name for name in names))
    text, _ = written(pair, tmp_path / "out")
    pictures_are_there(tmp_path / "out", text, "loss.png", "divergence.png")
    assert log_report.summary(pair).splitlines()[-1] in text


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Two run records with another rate, and the first again."""
    folder = tmp_path_factory.mktemp("runs")
    for name, rate in (("one", 0.01), ("two", 0.02), ("again", 0.01)):
        configuration = Configuration.of(epochs=1, batch_size=10_000, hidden_sizes=(6, 5), learning_rate=rate)
        assert runner.main("Reference", load, [*configuration.options(), "--out", str(folder / name)]) == 0
    return folder


def test_two_run_records_are_compared_in_losses_weights_and_inputs(records, tmp_path):
    text, results = written(log_pair.compare(records / "one", records / "two"), tmp_path / "out")
    assert "> **Note.** A and B were trained differently: learning_rate 0.01 and 0.02." in text
    assert (results["losses"]["agree"], results["losses"]["differ_from"]) == (False, 1)
    assert results["weights"]["agree"] is False
    assert log_pair.compare(records / "one", records / "again").agree


def test_what_lies_around_two_run_records_and_differs_is_said(records, tmp_path):
    """The same run where OpenBLAS takes the processor for another, and adds in another order."""
    options = read_run(records / "one").record.configuration.options()
    made = run_program(
        "-m",
        "shared.reference",
        *options,
        "--out",
        tmp_path / "run",
        env={**os.environ, "OPENBLAS_CORETYPE": "Prescott"},
    )
    assert made.returncode == 0, made.stderr
    text, _ = written(log_pair.compare(records / "one", tmp_path / "run"), tmp_path / "out")
    assert "> **Note.** A and B differ in OPENBLAS_CORETYPE: not set and Prescott." in text
    before, after = (read_run(folder).record.settings.get("BLAS", "") for folder in (records / "one", tmp_path / "run"))
    if "openblas" in before and platform.machine() == "x86_64":
        assert after != before  # it names the processor that it took this one for


@pytest.mark.parametrize("inside", ["a.csv", "deeper/a.csv"])
def test_a_report_never_replaces_what_it_is_about(tmp_path, inside):
    out = tmp_path / "out"
    (out / inside).parent.mkdir(parents=True)
    for path in (out / inside, tmp_path / "a.csv", tmp_path / "b.csv"):
        path.touch()
    with pytest.raises(InputError, match=r"it holds .*a\.csv, which is compared; give --out a new folder"):
        log_report.refuse_to_replace(out, (tmp_path / "b.csv", out / inside))
    log_report.refuse_to_replace(out, (tmp_path / "a.csv", tmp_path / "b.csv"))


# The program.


def test_status_1_and_a_report_where_the_two_part(logs, tmp_path):
    run = run_program("compare.py", "--records", *logs, "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (1, "")
    last = run.stdout.splitlines()[-2:]
    assert last[0].startswith(f"{ANSWER}, which points to ")
    assert "Losses of A: 4 decimals, every step, of what, the file does not say." in run.stdout
    assert last[1] == f"Report: {tmp_path}/out/report.md"
    text = unmarked((tmp_path / "out/report.md").read_text(encoding="utf-8"))
    pictures_are_there(tmp_path / "out", text, "loss.png", "divergence.png")
    again = next(line for line in text.splitlines() if line.startswith("Again: `"))
    assert again.endswith(f"python compare.py --records {logs[0]} {logs[1]} --out {tmp_path}/out`")


def test_status_0_where_the_two_agree(logs, tmp_path):
    hidden = csv_of(tmp_path, "c.csv", [x + 1e-5 for x in LOSSES])
    run = run_program("compare.py", "--records", logs[0], hidden, "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (0, "")
    assert "SAME as far as these files can tell: over all 100 steps the losses" in run.stdout


def test_status_0_where_they_differ_as_rounding_makes_them(tmp_path):
    """A sound port's float32 log: of real runs, in both frameworks."""
    runs = json.loads((ROOT / "tests/logs/runs.json").read_text(encoding="utf-8"))
    logs = [tmp_path / f"{framework}.json" for framework in ("PyTorch", "Keras")]
    for log in logs:
        log.write_text(json.dumps(runs[f"cnn, {log.stem}"]["loss"]), encoding="utf-8")
    run = run_program("compare.py", "--records", *logs, "--out", tmp_path / "out")
    assert (run.returncode, run.stderr) == (0, "")
    assert "LIKE ROUNDING: over 180 steps the gap of the losses grows to" in run.stdout
    assert "That is less than a proof." in run.stdout


@pytest.fixture
def earlier(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.json").write_text("earlier", encoding="utf-8")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--epochs", "1"], "--records takes no --epochs: it compares what was made already; leave out --epochs"),
        (["--prove"], "--records takes no --prove: it compares what was made already; leave out --prove"),
        (["--seeds", "9"], "--records takes no --seeds: it compares what was made already; leave out --seeds"),
        (["--records", "a.csv"], "argument --records: expected 2 arguments; compare.py --help lists the options"),
        (["--records", "missing.csv", "b.csv"], "missing.csv: No such file or directory; give"),
        (["--records", "/dev/zero", "b.csv"], "/dev/zero: not a regular file; give a loss log"),
        (["--records", "bad.csv", "bad.csv"], "bad.csv: line 3: loss 'oops' is not a number; write it as"),
        (["--out", "bad.csv"], "--out bad.csv: it is a file; give --out a new folder"),
        (["--out", "."], "it holds a.csv, which is compared; give --out a new folder"),
        (["--out", "compared"], "--out compared: it holds the runs of a comparison; give --out a new folder"),
        (
            ["--out", "mine"],
            "--out mine: it holds thesis.txt, and no manifest.json that tells it from a file of yours; move it",
        ),
    ],
    ids=" ".join,
)
def test_status_2_and_one_line_for_bad_input_and_nothing_is_lost(logs, earlier, tmp_path, more, message):
    (tmp_path / "bad.csv").write_text("step,loss\n0,1\n1,oops\n", encoding="utf-8")
    for folder, file in (("compared/runs", "x"), ("compared", "results.json"), ("mine", "thesis.txt")):
        (tmp_path / folder).mkdir(exist_ok=True, parents=True)
        (tmp_path / folder / file).write_text("mine", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    where = [] if "--out" in more else ["--out", "out"]
    program = ROOT / "compare.py"
    run = run_program(program, "--records", "a.csv", "b.csv", *more, *where, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_out_the_report_has_a_folder_of_its_own(logs, tmp_path):
    program = ROOT / "compare.py"
    assert run_program(program, "--records", *logs, cwd=tmp_path).returncode == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["records"]
    given = run_program(program, "--records", *logs, "--out", "out/compare", cwd=tmp_path)
    assert given.stdout.endswith("Report: out/compare/report.md\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["compare", "records"]


def test_help_says_what_is_accepted():
    said = " ".join(run_program("compare.py", "--help").stdout.split())
    assert "--records A B" in said
    assert "a loss log is CSV with a header, JSON" in said


def test_a_column_that_differs_is_named_first_drawn_and_told_in_a_row(tmp_path):
    steps = np.arange(30)
    logs = [
        LossLog(
            steps,
            np.linspace(2, 1, 30),
            np.full(30, 1e-8),
            "step",
            "float32 numbers",
            taken="batch",
            series={
                "val_loss": Series("val_loss", steps[9::10], np.array(values), np.full(3, 1e-8)),
                "time": Series("time", steps, steps * first, np.full(30, 0.5)),
                only: Series(only, steps, steps * 1.0, np.full(30, 0.5)),
            },
            notes=("The loss is a sum.",),
        )
        for values, first, only in (([2, 1.9, 1.9], 1, "f1"), ([2, 3.9, 3.9], 2, "mae"))
    ]
    sources = tuple(Source(tmp_path / name, log) for name, log in zip("ab", logs, strict=True))
    for source in sources:
        source.path.write_text("", encoding="utf-8")
    pair = log_pair.Pair(sources, log_pair.compare_logs(sources), None)
    text, results = written(pair, tmp_path / "out")
    assert "**DIFFER in val_loss: from step 19, 1.9 in A and 3.9 in B, 2.0e+00 apart" in text
    assert "| val_loss | 3 | 19 | 2.0e+00 |" in text
    assert "> **Note.** A: The loss is a sum." in text
    assert "> **Note.** Not compared, for A alone has it: f1." in text
    assert "> **Note.** Not compared, for B alone has it: mae." in text
    assert "float32 numbers, every step, of one batch each" in text
    pictures_are_there(tmp_path / "out", text, "loss.png", "divergence.png", "column-0.png")
    assert results["losses"]["columns"]["val_loss"]["differ_from"] == 19
    assert results["losses"]["columns_only_in"] == {"a": ["f1"], "b": ["mae"]}
    assert results["good"] is False


def test_a_curve_of_very_many_points_keeps_its_extremes_and_its_gaps():
    steps = np.arange(1_000_003)
    values = np.sin(steps / 1e5)
    values[[777, 123_456, 600_000]] = 99, -50, np.nan
    drawn_steps, drawn = log_plots.thinned(steps, values)
    assert len(drawn) <= 2 * log_plots.MOST_STRETCHES + 2
    assert (np.nanmax(drawn), np.nanmin(drawn)) == (99, -50)
    assert np.isnan(drawn[drawn_steps == 600_000]).all()
    assert drawn_steps[-1] == steps[-1]
    assert (np.diff(drawn_steps) > 0).all()
    few = log_plots.thinned(steps[:1000], values[:1000])
    np.testing.assert_array_equal(few, (steps[:1000], values[:1000]))
