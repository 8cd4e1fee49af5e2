"""The launcher of workers, with small programs in place of a framework's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from shared.comparing.processes import Children
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.running import workers
from shared.running.place import Place, place_of
from shared.system.errors import InputError
from tests.conftest import ROOT, run_program

LAUNCHER = [sys.executable, "-m", "shared.running.workers"]
# Each worker tells its process, and waits.
WAITS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
# In the second worker something happens, and the others wait.
HARM = "import os, sys, time; time.sleep(60) if os.environ['RANK'] != '1' else {}"


def launch(number, code):
    return run_program("-m", "shared.running.workers", number, sys.executable, "-c", code)


def test_only_the_firsts_output_is_passed_on():
    run = launch(3, "import os, sys; r = os.environ['RANK']; print('out', r); print('one\\nerr', r, file=sys.stderr)")
    assert (run.returncode, run.stdout, run.stderr) == (0, "out 0\n", "one\nerr 0\n")


def test_a_line_of_the_first_is_passed_on_while_it_works():
    code = "import sys, time; print('now', file=sys.stderr, flush=True); time.sleep(60)"
    run = subprocess.Popen([*LAUNCHER, "1", sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    assert run.stderr is not None
    assert run.stderr.readline() == b"now\n"
    run.terminate()
    run.communicate(timeout=30)
    assert run.returncode == 130


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("os.kill(os.getpid(), 9)", "was killed by signal 9; all were ended; was memory short?"),
        ("os.kill(os.getpid(), 11)", "was killed by signal 11; all were ended; run again"),
        ("sys.exit(1)", "has ended with status 1: it said nothing; all were ended"),
        ("sys.exit('first\\nlast')", "has ended with status 1: last; all were ended"),
    ],
)
def test_where_another_ends_badly_all_end_and_one_line_names_it(harm, said):
    start = time.monotonic()
    run = launch(3, HARM.format(harm))
    assert time.monotonic() - start < 20
    assert run.returncode == 2
    assert run.stderr == f"shared.running.workers: error: worker 1 (of 3, counted from 0) {said}\n"


def test_a_worker_that_is_deaf_is_ended_by_force_with_what_it_started():
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); import subprocess as s; p = s.Popen(['sleep', '61'])"
    waits = "time.sleep(60 if os.environ['RANK'] == '0' else 3)"
    code = f"import os, sys, time; {deaf}; {waits}; 1 / 0"
    start = time.monotonic()
    before = {process.pid for process in psutil.process_iter()}
    run = launch(2, code)
    assert time.monotonic() - start < 30
    assert "ZeroDivisionError" in run.stderr
    left = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", "61"]]
    assert not [process for process in left if process.pid not in before]


TIDIES = """
import os, signal, sys, time
from pathlib import Path

begun, tidied = Path(sys.argv[1], "begun"), Path(sys.argv[1], "tidied")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
if os.environ["RANK"] == "1":
    while not begun.exists():
        time.sleep(0.01)
    sys.exit(2)
try:
    begun.touch()
    time.sleep(30)
    os._exit(0)  # it was never told to end
finally:
    time.sleep(0.5)
    tidied.touch()
"""


def test_a_worker_that_a_shell_has_started_may_tidy_up_as_well(tmp_path):
    shell = ["sh", "-c", '"$0" "$@"; exit $?']  # it stays, and ends at once when it is told to
    run = run_program("-m", "shared.running.workers", "2", *shell, sys.executable, "-c", TIDIES, tmp_path)
    assert run.returncode == 2
    assert (tmp_path / "tidied").exists()


def test_the_first_may_end_with_1_and_no_other_may():
    assert launch(2, "import os, sys; sys.exit(int(os.environ['RANK'] == '0'))").returncode == 1
    assert launch(2, "import os, sys; sys.exit(int(os.environ['RANK'] == '1'))").returncode == 2


@pytest.fixture
def waiting():
    """A launcher, and the process of its first worker."""
    run = subprocess.Popen([*LAUNCHER, "2", sys.executable, "-c", WAITS], cwd=ROOT, stdout=-1, stderr=-1)
    assert run.stdout is not None
    run.stdout.readline()
    started = psutil.Process(run.pid).children()
    assert len(started) == 2
    yield run, started
    for process in started:
        if process.is_running():
            process.kill()
    run.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("_attempt", range(3))  # it comes while the second worker starts, in one or another
def test_an_interrupt_ends_all(waiting, number, _attempt):
    run, started = waiting
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert (run.returncode, said) == (130, b"shared.running.workers: interrupted\n")
    assert not [process for process in started if process.is_running()]


def stop(worker):
    while worker.cmdline()[1] != "-c":  # it is still being started
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGSTOP)


def test_a_worker_that_is_stopped_ends_all(waiting):
    run, started = waiting
    stop(started[1])
    _, said = run.communicate(timeout=40)
    told = "worker 1 (of 2, counted from 0) is stopped by a signal; all were ended; run again"
    assert (run.returncode, said.decode()) == (2, f"shared.running.workers: error: {told}\n")
    assert not [process for process in started if process.is_running()]


def test_a_worker_that_is_stopped_and_goes_on_is_left_alone(waiting):
    run, started = waiting
    stop(started[1])
    time.sleep(1)
    os.kill(started[1].pid, signal.SIGCONT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=workers.SECONDS_STOPPED + 2)
    run.terminate()


@pytest.mark.parametrize("through_a_shell", [False, True])
def test_workers_end_when_their_launcher_is_killed(through_a_shell, tmp_path):
    code = "import os, time; from shared.system import progress; progress.follow_launcher(); " + WAITS
    shell = ["sh", "-c", '"$0" "$@"; true'] if through_a_shell else []
    command = [*shell, sys.executable, "-c", code]
    run = subprocess.Popen([*LAUNCHER, "1", *command], cwd=ROOT, stdout=subprocess.PIPE)
    assert run.stdout is not None
    worker = psutil.Process(int(run.stdout.readline()))
    run.kill()
    run.wait()
    worker.wait(timeout=20)  # or it raises
    run.stdout.close()


def test_each_worker_is_told_its_place_in_both_ways(monkeypatch):
    for number in range(3):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in workers.variables(number, [5001, 5002, 5003, 5004]).items():
                patch.setenv(name, value)
            for entry in IMPLEMENTATIONS.values():
                if entry.launch:
                    assert place_of(Configuration.of(engine="workers"), entry) == Place(number, 3)
            config = json.loads(os.environ["TF_CONFIG"])
            assert config["cluster"] == {"worker": ["127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:5003"]}
            assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == ("127.0.0.1", "5004")


def test_a_port_that_is_held_is_for_those_who_share_it():
    with workers._ports(3) as ports:
        assert len(set(ports)) == 3
        for port in ports:
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            with socket.socket() as worker:
                worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                worker.bind(("127.0.0.1", port))
                worker.listen()
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[0]))  # it is free again


def test_workers_are_reached_from_no_other_network():
    """TensorFlow listens on all addresses of the network that it is in."""
    run = launch(2, "print(*(line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line))")
    if "this system gives no network of one's own" in run.stderr:
        pytest.skip("no process may make a network here")
    assert run.stdout == "lo\n"


def test_compare_is_told_which_worker_has_ended():
    code = HARM.format("os.kill(os.getpid(), 9)")
    with Children() as children:
        child = children.start("X", [*LAUNCHER, "2", sys.executable, "-c", code], lambda _event: None)
        with pytest.raises(InputError, match=r"^X: worker 1 \(of 2, .*\) was killed by signal 9; .*short\?$"):
            child.finish()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit(1)", "ended with status 1"),
        ("import os; os.kill(int(os.environ['WORKERS_LAUNCHER']), 9)", "was killed by signal 9"),
    ],
)
def test_a_launchers_own_end_is_no_verdict(code, said):
    """An implementation tells its status itself; it ends with 1 where a number is not finite, and torchrun always."""
    with Children() as children:
        child = children.start("X", [*LAUNCHER, "1", sys.executable, "-c", code], lambda _event: None)
        with pytest.raises(InputError, match=f"^X {said}; its last words: "):
            child.finish()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: WORKERS"),
        (["0", "true"], "'0' is not a number of workers from 1 on"),
        (["two", "true"], "'two' is not a number of workers from 1 on"),
        (["2"], "no command is given that 2 workers should run"),
        (["2", "/no/such/python"], "/no/such/python: no such program; name the Python that has the framework"),
    ],
)
def test_bad_input_is_one_line(words, said):
    run = run_program("-m", "shared.running.workers", *words)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert said in run.stderr
