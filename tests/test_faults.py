"""Whole programs with one fault in each: whatever happens, and whenever, nothing of a user's is lost or left behind.

After each fault: the earlier result as it was, or a whole new one; the status and the one line that the fault deserves;
no process of the run alive; and, after a run without one, nothing beside the result, and the bits that it always has.
"""

import contextlib
import errno
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.system import cache
from shared.system.output import is_whole, sha256
from tests import stand_in
from tests.conftest import ROOT, but_still
from tests.faults import trying

SMALL = ["--epochs", "1", "--batch-size", "6000", "--hidden-sizes", "6,5"]
ENDLESS = ["--epochs", "2000", "--batch-size", "6000", "--hidden-sizes", "6,5"]
SECONDS_TO_END = 20


class Injector:
    """Has one process that forks the programs, and knows what they leave."""

    def __init__(self, folder):
        self._folder = folder
        self._numbers = itertools.count()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.injection"],
            cwd=ROOT,
            env=os.environ | {cache.VARIABLE: str(folder / "cache")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        (folder / "python").mkdir()
        self.interpreters = stand_in.interpreters(folder / "python")

    def run(self, program, options, fault=None, largest_file=None, **environment):
        """Returns the status, and what was written to standard output and to standard error.

        With `largest_file`, no file of the run's may grow beyond so many bytes, as on a disk that is full.
        """
        files = {name: str(self._folder / f"{name}-{next(self._numbers)}") for name in ("stdout", "stderr")}
        order = {"program": program, "options": list(map(str, options)), "fault": fault} | files
        order["largest_file"] = largest_file
        order["environment"] = {"TMPDIR": str(self.temporary)} | environment
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        wait_for_session_to_end(ended["session"])
        said = (Path(files[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        return ended["status"], *said

    def close(self):
        with self._process as process:
            process.stdin.close()


def wait_for_session_to_end(session):
    """Fail where a process of the session is still alive after some seconds."""
    deadline = time.monotonic() + SECONDS_TO_END
    while living := processes_of(session):
        if time.monotonic() > deadline:
            for pid in living:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"still alive: {living}")
        time.sleep(0.02)


def processes_of(session):
    """Command lines of the session's processes that have not ended, by their pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _parent, _group, of_session = (
                (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
            )
            if int(of_session) == session and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text(encoding="utf-8").replace("\0", " ")
    return found


@pytest.fixture(scope="module")
def injector(tmp_path_factory):
    injector = Injector(tmp_path_factory.mktemp("injector"))
    yield injector
    injector.close()


def digests(folder):
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def bits(out):
    """What a run must give again: the digests of the arrays of every record in a result."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["files"]
        for path in sorted(out.rglob("run.json"))
    }


class Result:
    """Where a program writes, with an earlier result in it, and how it is made there again and again."""

    def __init__(self, injector, program, options, folder):
        self.injector, self.program, self.out = injector, program, folder / "place" / "out"
        self.options = [*options, "--out", self.out]
        status, _, said = self.again()
        assert status == 0, said
        self.bits = bits(self.out)

    def again(self, fault=None, more=(), **environment):
        return self.injector.run(self.program, [*self.options, *more], fault, **environment)

    def suffers(self, kind, fault, statuses, line, **more):
        """Run it with a fault, count that, and look at all that it left."""
        before = digests(self.out)
        with trying(kind):
            status, _, said = self.again(fault, **more)
            assert status in statuses, said
            assert "Traceback" not in said
            assert re.fullmatch(line, said, re.DOTALL), said
            after = digests(self.out)
            assert after == before or (is_whole(self.out) and bits(self.out) == self.bits)
            assert after == before or status == 0

    def is_as_ever(self):
        """A run without a fault, after those with one."""
        status, _, said = self.again()
        assert status == 0, said
        assert bits(self.out) == self.bits
        assert is_whole(self.out)
        assert [path.name for path in self.out.parent.iterdir()] == ["out"]
        assert list(self.injector.temporary.iterdir()) == []


@pytest.fixture(scope="module")
def compared(injector, tmp_path_factory):
    return Result(injector, "compare.py", [*SMALL, *injector.interpreters], tmp_path_factory.mktemp("compare"))


@pytest.fixture(scope="module")
def alone(injector, tmp_path_factory):
    return Result(injector, "reference", SMALL, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def own_pair(injector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    log = folder / "log.csv"
    log.write_text("step,loss\n" + "".join(f"{step},{1 / (step + 1):.6f}\n" for step in range(20)), encoding="utf-8")
    return Result(injector, "compare.py", ["--records", log, log], folder)


# Faults of this process: what happens, the status it deserves, and the line.
ONE_LINE = r"[^\n]*\n"
FAULTS = {
    "kill self 9": ([-9], r""),
    "kill self 15": ([130], r"\S+: interrupted\n"),
    "kill self 2": ([130], r"\S+: interrupted\n"),
    "kill self 1": ([130], r"\S+: interrupted\n"),
    "kill self 3": ([-3], r""),
    f"raise OSError {errno.ENOSPC}": ([2], r"\S+: error: .*No space left on device; [^\n]+\n"),
    f"raise OSError {errno.EACCES}": ([2], r"\S+: error: .*Permission denied; [^\n]+\n"),
    "raise MemoryError": ([2], r"\S+: error: [^\n]*out of memory[^\n]+\n"),
    "raise RuntimeError": ([70], r"\S+: crashed: (\w+ float32: )?RuntimeError: on purpose; [^\n]+\n"),
}
# In which functions, and at which call of them. A generator is called anew when it goes on.
STAGES = {
    "alone": [
        ("shared.mnist:check_files", 1),
        ("shared.system.output:fresh_folder", 1),
        ("shared.system.output:_claim", 1),
        ("shared.running.runner:_start", 1),
        ("shared.running.runner:_load", 1),
        ("shared.reference.train:train_step", 3),
        ("shared.reference.train:predict", 1),
        ("shared.running.record:write_arrays", 1),
        ("shared.running.exports:write", 1),
        ("shared.running.record:write_record", 1),
        ("shared.system.output:fresh_folder", 2),
        ("shared.system.output:write_manifest", 2),
        ("shared.system.output:_put", 1),
    ],
    "own_pair": [
        ("shared.logs.sources:read_source", 2),
        ("shared.logs.log_report:write", 1),
        ("shared.logs.log_plots:divergence", 1),
        ("shared.system.output:write_manifest", 2),
    ],
    "compared": [
        ("shared.comparing.processes:find_interpreter", 2),
        ("shared.comparing.runs:make_runs", 1),
        ("shared.comparing.processes:Child.__init__", 2),
        ("shared.comparing.processes:Child.finish", 1),
        ("shared.comparing.verification:verify", 2),
        ("shared.comparing.segments:Segments.take", 4),
        ("shared.comparing.checks:judge", 1),
        ("shared.reporting.report:write", 1),
        ("shared.reporting.page:render", 1),
    ],
}


@pytest.mark.parametrize(
    ("place", "stage", "call"), [(place, *stage) for place, stages in STAGES.items() for stage in stages]
)
def test_a_fault_at_any_stage_loses_nothing_and_leaves_nothing(request, place, stage, call):
    result = request.getfixturevalue(place)
    for fault, (statuses, line) in FAULTS.items():
        # The system's refusals have words of their own where --out is looked at.
        result.suffers(f"{place}: {fault}", (stage, call, fault), statuses, line)
    result.is_as_ever()


FULL = r"(Nothing is kept [^\n]+\n)?\S+: error: [^\n]+(File too large|os error 27)[^\n]+\n"


@pytest.mark.parametrize("place", ["alone", "own_pair", "compared"])
def test_a_disk_that_fills_up_at_any_time_is_told_in_a_line(request, place):
    result = request.getfixturevalue(place)
    largest = max(path.stat().st_size for path in result.out.rglob("*") if path.is_file())
    for part in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.9):
        result.suffers(f"{place}: a full disk", None, [2], FULL, largest_file=max(2_000, int(part * largest)))
    result.is_as_ever()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, with 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["/bin/umount", folder], check=True)


@pytest.mark.parametrize("program", ["alone", "compared"])
def test_a_disk_that_is_too_small_is_refused_at_once(request, program, small_disk):
    result = request.getfixturevalue(program)
    with trying("a small disk"):
        status, _, said = result.again(None, ["--out", small_disk / "out", "--epochs", "2000"])
        assert status == 2
        assert re.fullmatch(r"\S+: error: --out \S+: [\d,.]+ MB are needed and 0.2 MB are free; [^\n]+\n", said)
        assert not any(small_disk.iterdir())


def test_a_cache_without_room_costs_a_line_and_no_more(injector, small_disk, tmp_path):
    command = [sys.executable, "compare.py", *SMALL, *injector.interpreters, "--out", tmp_path / "out"]
    with trying("a small disk"):
        (small_disk / "filled").write_bytes(bytes(150_000))
        environment = os.environ | {cache.VARIABLE: str(small_disk)}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
        assert run.returncode == 0, run.stderr
        assert re.fullmatch(r"Nothing is kept for the next run: [^\n]+\n", but_still(run.stderr))
        assert is_whole(tmp_path / "out")


# Faults of a child, at its own stages, and of compare.py at these.
CHILDS_STAGES = ["start", "doing", "epoch", "ended"]
CHILDS_FAULTS = {
    "kill self 9": r".*: error: \w+ float32 was killed by signal 9; .*\n",
    "kill self 11": r".*: error: \w+ float32 was killed by signal 11; .*\n",
    "kill self 15": r".*: error: \w+ float32 ended with status 130; .*\n",
    "exit 0": r".*: error: \w+ float32 ended with status 0; .*\n",
    "exit 1": r".*: error: \w+ float32 ended with status 1; .*\n",
}


@pytest.mark.parametrize("framework", ["PyTorch", "TensorFlow"])
@pytest.mark.parametrize("stage", CHILDS_STAGES)
def test_a_child_that_ends_in_any_way_fails_the_comparison_and_no_more(compared, framework, stage):
    for fault, line in CHILDS_FAULTS.items():
        compared.suffers(f"a child: {fault}", None, [2], line, FAULT=f"{framework} {stage} {fault}")
    compared.is_as_ever()


@pytest.mark.parametrize("fault", [f"raise OSError {errno.ENOSPC}", "raise MemoryError", "raise RuntimeError"])
@pytest.mark.parametrize("stage", ["doing", "epoch"])
def test_what_ends_a_child_is_told_by_compare_with_its_status(compared, stage, fault):
    statuses, line = FAULTS[fault]
    compared.suffers(f"a child: {fault}", None, statuses, line, FAULT=f"TensorFlow {stage} {fault}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("framework", "stage"), [("PyTorch", "start"), ("PyTorch", "doing"), ("PyTorch", "epoch")])
def test_children_end_when_compare_does(compared, framework, stage, number):
    """Of runs that would take many minutes: `run` waits some seconds until no process is left."""
    status = 130 if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) else -number
    environment = {"FAULT": f"{framework} {stage} kill parent {int(number)}"}
    compared.suffers(
        "compare.py killed by a signal", None, [status], r"(\S+: interrupted\n)?", more=ENDLESS, **environment
    )


@pytest.mark.parametrize("stage", ["start", "doing", "epoch"])
def test_impatience_leaves_no_process_either(compared, stage):
    environment = {"FAULT": f"PyTorch {stage} kill parent 2 2 15 2"}
    compared.suffers(
        "compare.py interrupted four times", None, [130], r"\S+: interrupted\n", more=ENDLESS, **environment
    )


@pytest.mark.parametrize("asked", ["--seeds", "--explain"])
def test_a_later_part_that_fails_does_not_lose_the_comparison(compared, asked):
    function = {"--seeds": "shared.studies.seeds:run_seeds", "--explain": "shared.studies.attribution:attribute"}
    for fault in ("raise RuntimeError", f"raise OSError {errno.ENOSPC}", "kill self 2", "kill self 9"):
        statuses, line = FAULTS[fault]
        before = (compared.out / "report.md").read_bytes()
        with trying(f"{asked} fails: {fault}"):
            status, _, said = compared.again((function[asked], 1, fault), [asked, *["2"] * (asked == "--seeds")])
            assert status in statuses
            assert re.fullmatch(line, said)
            assert (compared.out / "report.md").read_bytes() != before
            assert is_whole(compared.out)
            assert bits(compared.out) == compared.bits
    compared.is_as_ever()


def test_after_all_that_a_comparison_is_as_ever(compared):
    compared.is_as_ever()
