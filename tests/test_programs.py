"""The three programs as a person runs them: whole small runs, bad input, and children that die."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from shared.comparing.processes import find_interpreter
from shared.running.record import read_run
from shared.system import machine
from shared.system.errors import InputError
from shared.system.language import BY_LOCALE
from shared.system.output import MANIFEST, fresh_folder
from tests.conftest import ROOT, but_still, run_program
from tests.faults import DAMAGES, trying
from tests.marks import unmarked

SMALL = ["--epochs", "1", "--batch-size", "512", "--hidden-sizes", "16,8"]
PYTHONS = {name: find_interpreter(name, None) for name in ("PyTorch", "TensorFlow")}
ALONE = {
    "pytorch_impl": PYTHONS["PyTorch"],
    "tensorflow_impl": PYTHONS["TensorFlow"],
    "shared.reference": sys.executable,
}


@pytest.fixture(scope="module", autouse=True)
def prepared(tmp_path_factory):
    """TFDS's one-off preparation, which speaks on standard error, has been done."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    run = run_program("-m", "tensorflow_impl", *SMALL, "--out", out, python=PYTHONS["TensorFlow"])
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module", params=["float32", "float64"])
def compared(request, tmp_path_factory):
    """compare.py run twice with the same configuration: the first run's words, and both output folders."""
    folder = tmp_path_factory.mktemp("compare")
    runs = [
        run_program("compare.py", *SMALL, "--dtype", request.param, "--out", folder / name) for name in ("one", "two")
    ]
    return runs[0], folder / "one", folder / "two"


def test_compare_says_that_the_two_match(compared):
    run, _, _ = compared
    assert run.returncode == 0, run.stderr
    assert re.search(
        r"^MATCH: in PyTorch and TensorFlow, each of the 118 steps in float(32|64) follows from the weights before it",
        run.stdout,
        re.MULTILINE,
    )
    # On a busy machine it takes so long that it tells how far it is.
    assert [line for line in run.stderr.splitlines() if not re.fullmatch(r".*: [\d,]+ of 118 steps", line)] == []


def test_compare_leaves_results_pictures_report_and_records(compared):
    _, out, _ = compared
    pictures = ["accuracy.png", "divergence.png", "loss.png", "steps.png", "verification.png"]
    vectors = [picture.replace("png", "svg") for picture in pictures]
    left = {*pictures, *vectors, "index.html", "report.md", "report.zh-CN.md", "results.json", "runs", MANIFEST}
    assert {path.name for path in out.iterdir()} == left
    assert sorted(path.name for path in out.parent.iterdir()) == ["one", "two"]  # nothing half-written stays
    for picture in pictures:
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
        assert f"]({picture})" in (out / "report.md").read_text(encoding="utf-8")


def test_results_hold_the_promised_keys(compared):
    _, out, _ = compared
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {"schema", "training", "execution", "runs", "comparison"} <= results.keys()
    for framework in ("pytorch", "tensorflow"):
        run = results["runs"][framework]
        assert {"device", "versions", "data_checksum", "epochs", "timing"} <= run.keys()
        assert len(run["epochs"]) == 1
        assert run["epochs"][0].keys() == {"train_loss", "train_loss_per_example", "test_loss", "test_accuracy"}
        assert {"import", "data", "compile", "training", "evaluation", "record"} == run["timing"].keys()
    comparison = results["comparison"]
    for framework in ("pytorch", "tensorflow"):
        verified = comparison["verification"][framework]
        assert verified.keys() == {"reasons", "findings", "crossings", "smallest_seen"}
        assert {finding["check"] for finding in verified["findings"]} == {
            "data on the device",
            "order of the examples",
            "initial weights",
            "first step",
            "every step",
            "test logits",
            "figures of the epochs",
        }
        assert all(finding["passes"] and finding["share"] <= 1 for finding in verified["findings"])
    assert comparison["differences"].keys() == {"pytorch-tensorflow", "pytorch-reference", "tensorflow-reference"}
    assert comparison["match"] is True
    assert (comparison["steps"], comparison["test_examples"]) == (118, 10_000)
    tolerance = {"float32": 1e-4, "float64": 1e-12}[results["training"]["dtype"]]
    for key in ("max_step_loss_difference", "max_weight_difference", "max_logit_difference"):
        assert 0 < comparison[key] < tolerance
    assert comparison["identical_predictions"] >= {"float32": 9_990, "float64": 10_000}[results["training"]["dtype"]]


def test_prove_adds_the_yardstick_float64_and_repeats(tmp_path):
    run = run_program("compare.py", "--prove", "--epochs", "1", "--batch-size", "2048", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    proof = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))["proof"]
    assert proof["float64"]["match"] is True
    assert proof["float64"]["verification"].keys() == {"pytorch", "tensorflow"}
    assert len(proof["yardstick"]) == 7  # two ways each, and the reference's third
    assert 0 < proof["times_largest_of_yardstick"]["step losses"] < 2
    assert set(proof["same_bits_when_repeated"]) == {
        f"{framework} {dtype}"
        for framework in ("PyTorch", "TensorFlow", "Reference")
        for dtype in ("float32", "float64")
    }
    assert all(proof["same_bits_when_repeated"].values())
    assert "## What rounding alone does" in (tmp_path / "out/report.md").read_text(encoding="utf-8")


def test_the_same_command_twice_gives_the_same_bits(compared):
    _, one, two = compared
    records = sorted(path.relative_to(one) for path in one.glob("runs/*/run.json"))
    assert len(records) >= 4
    for record in records:
        first, second = (json.loads((folder / record).read_text(encoding="utf-8")) for folder in (one, two))
        assert first["files"] == second["files"], record  # SHA-256 of weights, step losses, logits, gradients


@pytest.mark.parametrize("program", ALONE)
def test_alone_prints_what_the_tutorial_prints(program, tmp_path):
    run = run_program("-m", program, *SMALL, "--epochs", "2", "--out", tmp_path / "out", python=ALONE[program])
    assert run.returncode == 0, run.stderr
    patterns = [
        r"(PyTorch|TensorFlow|Reference) \d+\.\d+\.\d+\S*",
        r"CUDA available: (True|False)",
        r"Device: (cpu|cuda) \(.+\)",
        r"Epoch 1/2, Loss: \d\.\d{4}",
        r"Epoch 2/2, Loss: \d\.\d{4}",
        r"Accuracy: \d\d\.\d\d%",
    ]
    for line, pattern in zip(run.stdout.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line)
    assert run.stderr == f"Run record: {tmp_path / 'out'}\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "arrays.safetensors",
        "events.out.tfevents.run",
        "losses.csv",
        MANIFEST,
        "run.json",
        "weights.safetensors",
    ]


def test_a_run_is_the_same_in_every_language_and_prints_what_the_tutorial_prints(tmp_path):
    runs = {}
    for name, words in {"en": [], "zh": ["--language", "zh-CN"]}.items():
        runs[name] = run_program("-m", "shared.reference", *SMALL, *words, "--out", tmp_path / name)
        assert runs[name].returncode == 0, runs[name].stderr
    assert runs["zh"].stderr == f"运行记录：{tmp_path / 'zh'}\n"
    assert runs["zh"].stdout == runs["en"].stdout
    first, second = (read_run(tmp_path / name).record for name in runs)
    assert first.files == second.files  # SHA-256 of weights and arrays
    assert first.configuration == second.configuration


@pytest.mark.parametrize(
    ("locale", "words", "first"),
    [
        ({"LANG": "zh_CN.UTF-8"}, [], "用法：python compare.py [选项]"),
        ({"LANG": "zh_CN.UTF-8"}, ["--language", "en"], "usage: python compare.py [options]"),
        ({"LANG": "C", "LC_ALL": "C"}, [], "usage: python compare.py [options]"),
        ({"LANG": "C", "LC_ALL": "C"}, ["--language", "zh-CN"], "用法：python compare.py [选项]"),
    ],
    ids=str,
)
def test_compare_speaks_the_language_that_is_named_else_the_locales(locale, words, first):
    others = {name: value for name, value in os.environ.items() if name not in BY_LOCALE}
    run = run_program("compare.py", "--help", *words, env=others | locale)
    assert run.stdout.splitlines()[0] == first


def test_weights_of_one_framework_give_the_same_predictions_in_the_other(compared, tmp_path):
    _, out, _ = compared
    dtype = json.loads((out / "results.json").read_text(encoding="utf-8"))["training"]["dtype"]
    accuracies = set()
    for program, python in ALONE.items():
        weights = out / "runs" / f"pytorch-{dtype}" / "weights.safetensors"
        options = ["--hidden-sizes", "16,8", "--dtype", dtype, "--weights", weights, "--evaluate"]
        run = run_program("-m", program, *options, python=python, env={**os.environ, "TMPDIR": str(tmp_path)})
        assert run.returncode == 0, run.stderr
        accuracies.add(run.stdout.splitlines()[-1])
    assert len(accuracies) == 1


BAD = [
    (["--epochs", "0"], "--epochs 0: "),
    (["--batch-size", "-1"], "--batch-size -1: "),
    (["--learning-rate", "nan"], "--learning-rate nan: "),
    (["--learning-rate", "0"], "--learning-rate 0: "),
    (["--hidden-sizes", "1,1,1,1,1,1,1,1,1"], "--hidden-sizes 1,1,1,1,1,1,1,1,1: at most 8 are possible"),
    (["--hidden-sizes", "128,x"], "--hidden-sizes 128,x: "),
    (["--dtype", "float16"], "--dtype float16: "),
    (["--seed", "-1"], "--seed -1: "),
    (["--threads", "0"], "--threads 0: "),
    (["--device", "tpu"], "--device tpu: "),
    (["--epoch", "1"], "unrecognized arguments: --epoch 1; did you mean --epochs?"),
    (["--lr=0.1"], "unrecognized arguments: --lr=0.1; did you mean --learning-rate?"),
    (["1", "--bs", "1"], "unrecognized arguments: 1 --bs 1; did you mean --batch-size?"),
    (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    (["--language", "fr"], "argument --language: invalid choice: 'fr' (choose from "),
    (["--out", "README.md"], "--out README.md: it is a file"),
    (["--out", "README.md/out"], "--out README.md/out: "),
    (["--out", "/proc/out"], "--out /proc/out: "),
    (["--out", "tests"], "--out tests: it holds benchmarks, and no manifest.json"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[" ".join(options) for options, _ in BAD])
@pytest.mark.parametrize("program", ["compare.py", "pytorch_impl", "tensorflow_impl"])
def test_bad_input_gets_one_line_and_status_2(program, options, message, tmp_path):
    where = [] if "--out" in options else ["--out", tmp_path / "out"]
    start = [program] if program == "compare.py" else ["-m", program]
    run = run_program(*start, *options, *where, python=ALONE.get(program, sys.executable))
    assert run.returncode == 2
    assert run.stdout == ""
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert ";" in run.stderr  # the cure
    assert not any(tmp_path.iterdir())


BAD_FOR_COMPARE = [
    (["--seeds", "1"], "'1' is not a number of seeds from 2 on"),
    (["--explain", "--dtype", "float64"], "--dtype float64: is not what the tutorials do"),
    (["--mode", "stock", "--dtype", "float64"], "--dtype float64: is not what the tutorials do"),
    (["--mode", "stock", "--optimizer", "adam"], "--optimizer adam: is not what the tutorials do"),
    (["--side-by-side", "--threads", "1000"], "--side-by-side: 2 runs of 1000 threads need more than"),
    (["--keras-defaults", "sloth"], "--keras-defaults sloth: input should be 'kernels',"),
    (["--seeds", "٣"], "'٣' is not a number of seeds from 2 on"),
    (["--seeds", "5", "--loss-margin", "nan"], "--loss-margin: 'nan' is not a finite number above 0"),
    (["--scheduler", "tcp://127.0.0.1:8786"], "--scheduler is for many runs, and none were asked for; add --seeds 10"),
    (["--seeds", "5", "--scheduler", "127.0.0.1:1"], "--scheduler 127.0.0.1:1: no scheduler answers there within 10 s"),
    (["--accuracy-margin", "1e-3"], "--accuracy-margin is for many seeds, and none were asked for; add --seeds 10"),
    *[
        (["--mode", "stock", *words], f"--mode stock takes no {words[0]}: each framework trains in its own way,")
        for words in (["--prove"], ["--seeds", "3"], ["--explain"], ["--side-by-side"])
    ],
    (["--mode", "stock", "--engine", "fast"], "--engine fast: is not what the tutorials do"),
    *[
        (
            ["--workers", "2", *words],
            f"{words[0]} trains each of its many runs in one process; leave out {words[0]}, or",
        )
        for words in (["--seeds", "6"], ["--explain"])
    ],
    (["--workers", "2", "--engine", "eager"], "--workers 2: is more than the one of --engine eager"),
    (["--workers", "2", "--mode", "stock"], "--workers 2: is not what the tutorials do"),
    (["--workers", "500", "--side-by-side"], "--side-by-side: 2 runs of 500 threads need more than"),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD_FOR_COMPARE, ids=[" ".join(options) for options, _ in BAD_FOR_COMPARE]
)
def test_bad_input_to_compare_alone(options, message, tmp_path):
    run = run_program("compare.py", *options, "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "dtype"), [(1, "float32"), (3, "float64")])
def test_compare_starts_workers_verifies_every_step_and_says_what_they_cost(number, dtype, tmp_path):
    options = [*SMALL, "--dtype", dtype, "--workers", number, "--engine", "workers"]
    run = run_program("compare.py", *options, "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "each of the 118 steps" in run.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    report = unmarked((tmp_path / "out" / "report.md").read_text(encoding="utf-8"))
    backends = {"pytorch": "gloo", "tensorflow": "RING"}
    for name, backend in backends.items():
        settings = results["runs"][name]["settings"]
        assert (settings["engine"], settings["workers"], settings["backend"]) == ("workers", str(number), backend)
        assert f"engine: workers, workers: {number}, backend: {backend}" in report
        runs = tmp_path / "out" / "runs"
        found, alone = (read_run(runs / f"{name}-{dtype}{which}") for which in ("", "-in-one-process"))
        assert (alone.record.execution.engine, alone.record.execution.workers) == ("eager", 1)
        apart = np.abs(found.step_losses.astype("float64") - alone.step_losses).max()
        assert apart <= {"float32": 1e-4, "float64": 2e-15}[dtype]
        assert apart > 0 or number == 1  # the order of the sums
        told = {check["check"]: check for check in results["comparison"]["against_one_process"][name]}
        assert told["step losses"]["largest_difference"] == apart
        assert told["gradients"]["largest_difference"] < told["final weights"]["noise_floor"]
        assert f"{apart:.1e} in {found.record.framework}" in report
        assert f"{apart:.1e} in {found.record.framework}" in run.stdout
    assert results["comparison"]["match"] is True
    assert run.stdout.count("Accuracy:") == 2  # what one process prints is not passed on


def test_side_by_side_is_as_good_and_says_so(compared, tmp_path):
    if machine.cores() < 2:
        pytest.skip("one core")
    _, out, _ = compared
    dtype = json.loads((out / "results.json").read_text(encoding="utf-8"))["training"]["dtype"]
    run = run_program("compare.py", *SMALL, "--dtype", dtype, "--side-by-side", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "WARNING: The frameworks trained side by side" in run.stdout
    for name in ("pytorch", "tensorflow"):
        files = [
            json.loads((o / f"runs/{name}-{dtype}/run.json").read_text(encoding="utf-8"))["files"]
            for o in (out, tmp_path / "out")
        ]
        assert files[0] == files[1]


def test_stock_pair_trains_and_says_what_each_printed(tmp_path):
    run = run_program(
        "compare.py", "--mode", "stock", "--epochs", "1", "--batch-size", "2048", "--out", tmp_path / "out"
    )
    assert run.returncode == 0, run.stderr
    assert re.search(r"After one epoch the tutorials’ losses are 2\.\d+ in PyTorch and \d\.\d+ in Keras", run.stdout)
    assert (tmp_path / "out" / "stock.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("framework", PYTHONS)
def test_the_fast_engine_agrees_with_the_eager_one(framework, tmp_path):
    losses = []
    for engine in ("eager", "fast"):
        options = ["-m", f"{framework.lower()}_impl", *SMALL, "--dtype", "float64", "--engine", engine]
        (tmp_path / f"{engine}-temporary").mkdir()
        # As a user has it: what is compiled lies in a temporary folder, by default.
        ours = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
        temporary = ours | {"TMPDIR": str(tmp_path / f"{engine}-temporary")}
        run = run_program(*options, "--out", tmp_path / engine, python=PYTHONS[framework], env=temporary)
        assert run.returncode == 0, run.stderr
        assert not any((tmp_path / f"{engine}-temporary").iterdir())
        record = read_run(tmp_path / engine)
        assert record.record.settings["engine"] == engine
        losses.append(record.step_losses)
    assert abs(losses[0] - losses[1]).max() < 1e-12


def test_pytorchs_compiled_steps_are_compiled_once(tmp_path):
    (tmp_path / "c++").write_text('#!/bin/sh\necho "$@" >> "$0.log"\nexec g++ "$@"\n', encoding="utf-8")
    (tmp_path / "c++").chmod(0o755)
    ours = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    compiler = ours | {"CXX": str(tmp_path / "c++"), "TWIN_TRAINING_CACHE": str(tmp_path / "cache")}
    told = []
    for _ in range(2):
        options = [*SMALL, "--engine", "fast", "--optimizer", "momentum", "--out", tmp_path / "out"]
        run = run_program("-m", "pytorch_impl", *options, env=compiler)
        assert run.returncode == 0, run.stderr
        told.append((tmp_path / "c++.log").read_text(encoding="utf-8").splitlines())
        (tmp_path / "c++.log").unlink()
    first, second = ([line for line in lines if ".cpp" in line] for lines in told)
    assert first
    assert not second


@pytest.mark.parametrize("framework", PYTHONS)
def test_cuda_without_a_gpu_is_refused(framework, tmp_path):
    program = f"{framework.lower()}_impl"
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    options = ["-m", program, "--device", "cuda", "--out", tmp_path / "out"]
    run = run_program(*options, python=ALONE[program], env=hidden)
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch(rf"{program}: error: --device cuda: {framework} \S+ sees no GPU; .+\n", run.stderr)
    assert not any(tmp_path.iterdir())


def test_compare_hands_on_a_childs_refusal_once(tmp_path):
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    run = run_program("compare.py", "--device", "cuda", "--out", tmp_path / "out", env=hidden)
    assert run.returncode == 2
    assert run.stderr.count("error") == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "python", "message"),
    [
        ("--pytorch-python", "/no/such/python", "--pytorch-python /no/such/python: No such file or directory; "),
        ("--tensorflow-python", ROOT / "README.md", "README.md: Permission denied; "),
    ],
)
def test_a_missing_interpreter_is_named(option, python, message, tmp_path):
    run = run_program("compare.py", option, python, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert message in run.stderr
    assert not any(tmp_path.iterdir())


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python with what `shared` needs and neither framework."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("option", ["--pytorch-python", "--tensorflow-python"])
def test_compare_names_a_missing_framework(option, bare_python, tmp_path):
    run = run_program("compare.py", option, bare_python, "--out", tmp_path / "out")
    assert run.returncode == 2
    package = {"--pytorch-python": "torch", "--tensorflow-python": "tensorflow"}[option]
    assert f"{bare_python} has no {package}; run 'make setup'" in run.stderr
    assert not any(tmp_path.iterdir())


@pytest.fixture
def copy_of_the_house(tmp_path):
    """The programs beside a copy of the data that a test may damage."""
    house = tmp_path / "house"
    for name in ("shared", "library_defaults", "pytorch_impl", "tensorflow_impl"):
        shutil.copytree(ROOT / name, house / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "compare.py", house)
    (house / "data/MNIST/raw").mkdir(parents=True)
    for archive in (ROOT / "data/MNIST/raw").glob("*.gz"):
        shutil.copy(archive, house / "data/MNIST/raw")
    return house


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("program", ["compare.py", "pytorch_impl", "tensorflow_impl"])
def test_damaged_data_is_refused_by_name(program, damage, copy_of_the_house):
    DAMAGES[damage](copy_of_the_house / "data/MNIST/raw/train-labels-idx1-ubyte.gz")
    start = [program] if program == "compare.py" else ["-m", program]
    run = run_program(*start, python=ALONE.get(program, sys.executable), cwd=copy_of_the_house)
    assert (run.returncode, run.stdout) == (2, "")
    assert "train-labels-idx1-ubyte.gz" in run.stderr
    assert "git checkout" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not (copy_of_the_house / "out").exists()


@pytest.fixture
def earlier_result(tmp_path):
    with fresh_folder(tmp_path / "out") as folder:
        (folder / "results.json").write_text("{}", encoding="utf-8")
    return tmp_path / "out"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def children_of(pid):
    """Command lines of a process's children by their pid."""
    listed = run_program("-o", "pid=,args=", "--ppid", pid, python="/bin/ps")
    return {int(line.split()[0]): line for line in listed.stdout.splitlines()}


@pytest.fixture
def endless_compare(earlier_result):
    """compare.py at work on more epochs than anyone waits for, over an earlier result."""
    process = subprocess.Popen(
        [sys.executable, "compare.py", "--epochs", "1000", "--out", earlier_result],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_child(process, module):
    deadline = time.monotonic() + 180  # the reference comes after both frameworks, on a machine that may be busy
    while time.monotonic() < deadline:
        for pid, line in children_of(process.pid).items():
            if module in line:
                return pid
        time.sleep(0.05)
    raise AssertionError(f"{module} did not start")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_child_fails_the_comparison_and_leaves_the_earlier_result(endless_compare, earlier_result):
    before, process = contents(earlier_result), endless_compare
    os.kill(wait_for_child(process, "pytorch_impl"), signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "PyTorch float32 was killed by signal 9" in stderr
    assert contents(earlier_result) == before
    assert [path.name for path in earlier_result.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_all_processes_and_leaves_the_earlier_result(endless_compare, earlier_result, how):
    before, process = contents(earlier_result), endless_compare
    pids = {wait_for_child(process, "pytorch_impl"), wait_for_child(process, "shared.reference")}
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "compare.py: interrupted" in stderr
    assert not any(alive(pid) for pid in pids)
    assert contents(earlier_result) == before
    assert [path.name for path in earlier_result.parent.iterdir()] == ["out"]


def test_a_run_that_diverges_is_no_match(tmp_path):
    options = ["--epochs", "1", "--batch-size", "2048", "--learning-rate", "1e6", "--out", tmp_path / "out"]
    run = run_program("compare.py", *options)
    assert run.returncode == 1, run.stderr
    assert "NO MATCH: PyTorch: the loss is" in run.stdout
    comparison = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))["comparison"]
    assert comparison["match"] is False
    assert comparison["max_step_loss_difference"] is None


SMALLEST = ["--epochs", "1", "--batch-size", "6000", "--hidden-sizes", "6,5", "--device", "cpu"]


def test_a_framework_that_fails_to_start_is_named_in_one_line(tmp_path):
    options = ["-m", "pytorch_impl", *SMALLEST, "--out", tmp_path / "out"]
    run = run_program(*options, python=PYTHONS["PyTorch"], env={**os.environ, "TORCH_LOGS": "nonsense"})
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch(
        r"pytorch_impl: error: PyTorch can't be imported: ValueError: .*nonsense.*; mend what this names, .*\n",
        run.stderr,
    )
    assert not any(tmp_path.iterdir())


def test_a_users_own_keras_settings_change_nothing_and_are_left_alone(tmp_path):
    files = []
    settings = {"floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"}
    for name, text in (("without", None), ("with", json.dumps(settings))):
        home = tmp_path / name
        (home / ".keras").mkdir(parents=True)
        if text:
            (home / ".keras" / "keras.json").write_text(text, encoding="utf-8")
        outer = {**os.environ, "HOME": str(home), "KERAS_BACKEND": "torch" if text else "tensorflow"}
        options = ["-m", "tensorflow_impl", *SMALLEST, "--out", tmp_path / f"{name}-out"]
        run = run_program(*options, python=PYTHONS["TensorFlow"], env=outer)
        assert run.returncode == 0, run.stderr
        files.append(read_run(tmp_path / f"{name}-out").record.files)
        assert [path.read_text(encoding="utf-8") for path in (home / ".keras").iterdir()] == [text] * bool(text)
    assert files[0] == files[1]


@pytest.mark.parametrize("program", ALONE)
def test_what_can_change_bits_is_in_every_record(program, tmp_path):
    outer = {**os.environ, "OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "default"}
    options = ["-m", program, *SMALLEST, "--out", tmp_path / "out"]
    run = run_program(*options, python=ALONE[program], env=outer)
    assert run.returncode == 0, run.stderr
    record = read_run(tmp_path / "out").record
    assert record.environment.items() >= {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "default"}.items()
    assert {"numpy", "python"} <= record.versions.keys()
    if program == "pytorch_impl":
        assert record.settings["CPU capability"] in ("DEFAULT", "NO AVX")


@pytest.mark.skipif(not shutil.which("clang++") and not shutil.which("g++"), reason="no C++ compiler")
def test_compiled_steps_are_kept_by_their_compiler_and_the_outer_settings(tmp_path):
    """A compiler that names itself otherwise is another, and one that does not run is none."""
    real = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    other = tmp_path / "other"
    other.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo another 1.0 && exit\nexec {real} "$@"\n', encoding="utf-8"
    )
    other.chmod(0o755)
    code = "from pytorch_impl import fast; print(fast._compiler())"
    told = [
        run_program("-c", code, python=PYTHONS["PyTorch"], env={**os.environ, "CXX": str(c)}) for c in (real, other)
    ]
    assert told[1].stdout == "another 1.0\n"
    assert told[0].stdout not in ("", told[1].stdout)
    none = run_program("-c", code, python=PYTHONS["PyTorch"], env={**os.environ, "CXX": str(tmp_path / "none")})
    assert "PyTorch needs a C++ compiler; install g++, or use --engine eager" in none.stderr


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [ASCII, {"PYTHONIOENCODING": "gbk"}, {"PYTHONIOENCODING": "latin-1"}], ids=str)
def test_a_locale_that_lacks_a_character_loses_no_report(locale, tmp_path):
    log = tmp_path / "naïve × τ 数.csv"
    log.write_text("step,loss\n0,1.5\n1,1.25\n", encoding="utf-8")
    options = ["compare.py", "--records", log, log]
    command = [sys.executable, *map(os.fsencode, map(str, options)), "--out", os.fsencode(tmp_path / "out")]
    with trying("a locale"):
        run = subprocess.run(command, cwd=ROOT, env=os.environ | locale, capture_output=True, check=False)
        assert (run.returncode, but_still(run.stderr.decode())) == (0, "")
        text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert "naïve × τ 数.csv" in text or locale is ASCII  # there the name itself can't be decoded


def test_a_comparison_in_a_locale_of_ascii_is_reported_whole(tmp_path):
    run = run_program("compare.py", *SMALL, "--out", tmp_path / "out", env=os.environ | ASCII)
    assert run.returncode == 0, run.stderr
    assert "MATCH" in run.stdout
    assert "% ✓" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.4, 0.8])
@pytest.mark.parametrize("program", ["compare.py", "pytorch_impl", "tensorflow_impl"])
def test_an_interrupt_during_the_imports_is_one_line(program, delay, tmp_path):
    start = [program] if program == "compare.py" else ["-m", program]
    command = [ALONE.get(program, sys.executable), *start, "--out", tmp_path / "out"]
    with trying("an interrupt in the first second"):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        said = but_still(process.communicate(timeout=60)[1])
        # Before Python has got to its first line, it says something itself, or nothing.
        assert (process.returncode, said) == (130, f"{program}: interrupted\n") or process.returncode == -signal.SIGINT
        assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("python", ["/bin/true", "/bin/false", "/bin/cat", "/bin/echo", "/etc", "/dev/null", "nul\0"])
def test_what_is_no_python_is_refused_at_once(python, tmp_path):
    """In this process: a command line can't hold all of these."""
    with trying("a Python that is none"), pytest.raises(InputError, match="--pytorch-python") as error:
        find_interpreter("PyTorch", Path(python))
    assert "run 'make setup'" in str(error.value)


def test_a_working_directory_that_is_gone_is_said(tmp_path):
    (tmp_path / "gone").mkdir()
    command = f"cd {tmp_path}/gone && rmdir ../gone && exec {sys.executable} {ROOT}/compare.py"
    with trying("no working directory"):
        run = run_program("-c", command, python="/bin/sh")
        assert run.returncode == 2
        assert re.fullmatch(r"compare\.py: error: the working directory: No such file or directory; .+\n", run.stderr)
