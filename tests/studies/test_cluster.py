"""Runs on workers of Dask: the same bits as alone, made again where a worker dies, and told in a line what is wrong."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client

from shared.comparing.processes import find_interpreter
from shared.configuration import Configuration
from shared.contract import FRAMEWORKS, IMPLEMENTATIONS, REFERENCE
from shared.running import runner
from shared.running.record import read_run
from shared.studies import cluster, sweep
from shared.system import machine
from shared.system.errors import InputError
from tests.conftest import ROOT, run_program

SMALL = Configuration.of(epochs=1, batch_size=6_000, hidden_sizes=(6, 5))
ENDLESS = SMALL.but(epochs=2_000)
PYTHONS = {REFERENCE: Path(sys.executable)}
SECONDS = 90  # for what takes a few, on a machine that does much else


def seeds(count, framework=REFERENCE, configuration=SMALL):
    return [(framework, configuration.but(seed=seed)) for seed in range(count)]


def wait_until(holds, what):
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def running(*words, cwd=ROOT, **settings):
    """A program of Dask's, started by hand."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, words)],
        cwd=cwd,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def scheduling(folder):
    """A scheduler: its process and its address."""
    file = folder / "scheduler.json"
    with running(
        "scheduler", "--host", "127.0.0.1", "--port", 0, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", file
    ) as process:
        wait_until(file.exists, "no scheduler")
        text = wait_until(lambda: file.read_text(encoding="utf-8"), "no address")
        yield process, json.loads(text)["address"]


@contextlib.contextmanager
def working(address, folder, *, nanny=False, **more):
    words = [
        "worker",
        address,
        "--host",
        "127.0.0.1",
        "--dashboard-address",
        "127.0.0.1:0",
        "--nthreads",
        1,
        "--local-directory",
        folder,
    ]
    with running(*words, *["--no-nanny"] * (not nanny), **more) as process:
        yield process


@pytest.fixture(autouse=True)
def folder(own_cache):
    return own_cache / sweep.KIND


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of one without workers."""
    with scheduling(tmp_path_factory.mktemp("scheduler")) as (_, address):
        yield address


def runs_of(process):
    """The processes that make a run for this worker."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid).children(recursive=True)
        return [child for child in found if runner.ORDERS in child.cmdline()]
    return []


def test_the_bits_are_those_of_runs_made_alone_here_and_where_a_worker_dies_half_way(
    scheduler, folder, tmp_path, capfd, monkeypatch
):
    pythons = PYTHONS | {name: find_interpreter(name, None) for name in FRAMEWORKS}
    jobs = [*seeds(6), *(job for name in FRAMEWORKS for job in seeds(2, name))]
    alone = {}
    for number, (framework, configuration) in enumerate(jobs):
        out = tmp_path / str(number)
        words = ["-m", IMPLEMENTATIONS[framework].module, *configuration.options(), "--out", out]
        assert run_program(*words, python=pythons[framework]).returncode == 0
        alone[framework, configuration] = read_run(out).record
    monkeypatch.setattr(machine, "cores", lambda: 2)
    here = sweep.figures(jobs, pythons, "")
    shutil.rmtree(folder)
    with working(scheduler, tmp_path), working(scheduler, tmp_path), Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2)
        processes = client.run(os.getpid)

        def stopped_at_work():
            """A worker with a run that it has not handed over, stopped so that it can't."""
            if not folder.exists() or len(list(folder.iterdir())) < 4:
                return None
            for address, pid in processes.items():
                os.kill(pid, signal.SIGSTOP)
                if client.processing()[address] and runs_of(psutil.Process(pid)):
                    return pid
                os.kill(pid, signal.SIGCONT)
            return None

        def kill_half_way():
            worker = psutil.Process(wait_until(stopped_at_work, "no half"))
            killed.extend(runs_of(worker))
            worker.kill()

        killed = []
        killer = threading.Thread(target=kill_half_way)
        killer.start()
        there = sweep.figures(jobs, pythons, "", scheduler)
        killer.join()
    assert killed
    wait_until(lambda: not any(map(alive, killed)), "a run has outlived its worker")
    assert " is gone, and it is made again on tcp://127.0.0.1:" in capfd.readouterr().err
    assert {job: made.files for job, made in here.items()} == {job: record.files for job, record in alone.items()}
    assert there == here
    assert {job: made.losses for job, made in there.items()} == {
        job: [epoch.train_loss for epoch in record.epochs] for job, record in alone.items()
    }


def test_a_machine_of_another_kind_is_known_by_its_key_and_said(scheduler, folder, tmp_path, capfd):
    (job,) = seeds(1)
    with working(scheduler, tmp_path, NVPL_OF_ANOTHER_KIND="1"):
        (made,) = sweep.figures([job], PYTHONS, "", scheduler).values()
    assert "NVPL_OF_ANOTHER_KIND" in made.machine["settings"]
    said = capfd.readouterr().err
    assert " is a machine of another kind, whose bits may differ: settings {" in said
    assert sweep.figures([job], PYTHONS, "", scheduler)[job] == made  # without any worker: it is kept
    assert "NVPL_OF_ANOTHER_KIND" not in sweep.figures([job], PYTHONS, "")[job].machine["settings"]


def test_a_worker_under_dasks_nanny_is_no_other_kind_and_listens_where_told(scheduler, tmp_path, capfd):
    (job,) = seeds(1)
    with working(scheduler, tmp_path, nanny=True) as nanny:
        sweep.figures([job], PYTHONS, "", scheduler)
        processes = [psutil.Process(nanny.pid), *psutil.Process(nanny.pid).children(recursive=True)]
        listening = [c.laddr.ip for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
        assert set(listening) == {"127.0.0.1"}  # as the README starts them
        nanny.terminate()
        nanny.wait()
    assert "another kind" not in capfd.readouterr().err


def test_another_version_of_the_program_is_refused_by_the_worker(scheduler, folder, tmp_path):
    house = tmp_path / "house"
    shutil.copytree(ROOT / "shared", house / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    with (house / "shared" / "metrics.py").open("a", encoding="utf-8") as changed:
        changed.write("# changed\n")
    with working(scheduler, tmp_path, cwd=house), pytest.raises(InputError) as error:
        sweep.figures(seeds(1), PYTHONS, "", scheduler)
    assert str(error.value).startswith("tcp://127.0.0.1:")
    assert "this program is of another version there; bring all machines to one" in str(error.value)
    assert not folder.exists()


def test_a_record_that_was_altered_on_its_way_is_not_taken(folder):
    (job,) = seeds(1)
    maker = sweep._makers(PYTHONS)[REFERENCE]
    answer = {"record": b"{}", "sha256": "0" * 64, "maker": maker.model_dump(), "worker": "tcp://x:1"}
    with pytest.raises(InputError, match="seed 0: its record has not come from tcp://x:1 as it was sent; run again"):
        sweep._take(job, answer, maker, set())
    assert not folder.exists()


SWEEP = """
import sys
from pathlib import Path
from shared.studies import sweep
from shared.system import ending
from tests.studies.test_cluster import ENDLESS, PYTHONS, seeds
scheduler = sys.argv[1] if len(sys.argv) > 1 else None
def main():
    sweep.figures(seeds(4, configuration=ENDLESS), PYTHONS, "", scheduler)
    return 0
if __name__ == "__main__":
    sys.exit(ending.exit_status("sweep", main))
"""


@contextlib.contextmanager
def sweeping(*scheduler):
    words = [sys.executable, "-c", SWEEP, *scheduler]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("place", ["here", "on a worker"])
def test_whoever_ends_a_sweep_ends_its_runs(scheduler, tmp_path, place, how):
    with contextlib.ExitStack() as stack:
        if place == "here":
            asks = makes = stack.enter_context(sweeping())
        else:
            makes = stack.enter_context(working(scheduler, tmp_path))
            asks = stack.enter_context(sweeping(scheduler))
        begun = wait_until(lambda: runs_of(makes), "nothing has begun")
        asks.send_signal(how)
        _, said = asks.communicate(timeout=SECONDS)
        assert asks.returncode == (130 if how != signal.SIGKILL else -how)
        assert ("sweep: interrupted" in said.splitlines()) is (how != signal.SIGKILL)
        assert "Traceback" not in said
        wait_until(lambda: not any(map(alive, begun)), "a run goes on")
        assert place == "here" or makes.poll() is None


def test_a_scheduler_that_dies_ends_the_sweep_in_one_line(tmp_path):
    with scheduling(tmp_path) as (process, address), working(address, tmp_path) as worker, sweeping(address) as asks:
        begun = wait_until(lambda: runs_of(worker), "nothing has begun")
        process.kill()
        _, said = asks.communicate(timeout=SECONDS)
        assert asks.returncode == 2
        assert said.splitlines()[-1].startswith(
            f"sweep: error: --scheduler {address}: it is gone, or has dropped the runs; start"
        )
        assert "Traceback" not in said
        wait_until(lambda: not any(map(alive, begun)), "a run goes on")


def test_a_run_that_fails_on_a_worker_is_told_with_its_place(scheduler, folder, tmp_path):
    wild = seeds(1, configuration=SMALL.but(learning_rate=1e30))
    with working(scheduler, tmp_path):
        with pytest.raises(InputError, match=r"^Reference, matched, seed 0: a loss is not finite; lower"):
            sweep.figures(wild, PYTHONS, "", scheduler)
        order = sweep._order(seeds(1)[0], Path("/no/such/python"), sweep._makers(PYTHONS)[REFERENCE])
        with (
            cluster.there(scheduler) as client,
            cluster.Errands(client, scheduler, [order]) as errands,
            pytest.raises(InputError, match=r"^tcp://127.0.0.1:\d+: /no/such/python: nothing tells the version"),
        ):
            list(errands.answers())
    assert not folder.exists()


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_nobody_answers_is_refused_in_bounded_time(listens, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_TO_ANSWER", 1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        if listens:
            nobody.listen()
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"^--scheduler {address}: no scheduler answers there within 1 s; start"):
            cluster.check(address)


@pytest.mark.parametrize("address", ["", "sloth", "sloth://127.0.0.1:1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match=f"^--scheduler {address}: .*; start one with 'dask scheduler', or leave"):
        cluster.check(address)


def test_a_python_without_dask_is_told_where_it_is(monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"distributed is not installed for .*; use the Python in .venv/pytorch"):
        cluster.check(None)


def test_the_cluster_of_this_process_has_its_slots_and_listens_on_loopback():
    before = {connection.laddr for connection in psutil.Process().net_connections()}
    with cluster.embedded(3) as client:
        assert list(client.nthreads().values()) == [3]
        opened = {connection.laddr for connection in psutil.Process().net_connections()} - before
        assert {address.ip for address in opened} == {"127.0.0.1"}
        assert client.scheduler.address.startswith("inproc://")


def test_dask_is_imported_for_a_sweep_only():
    code = "import sys, compare; print({'dask', 'distributed'} & set(sys.modules))"
    assert run_program("-c", code).stdout == "set()\n"
