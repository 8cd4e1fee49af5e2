"""Workers on two machines, which the test makes of one: the documents' own commands, and a cable that is cut."""

import json
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shared.running.record import read_run
from tests import two_hosts
from tests.conftest import ROOT, but_still, run_program

FRAMEWORKS = ("pytorch", "tensorflow")
LOSSES = 2e-15  # between 0.5 and 5: so some units in the last place
SMALL = "--batch-size 4096 --hidden-sizes 16,8 --dtype float64"
# What srun sets for a step of two tasks on these hosts.
SLURM = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "host[1-2]", "SLURM_STEP_TASKS_PER_NODE": "1(x2)"}
# Gloo waits two minutes for an answer, which is too long for a test. TensorFlow's heartbeat is not ours to set.
SECONDS_TO_ANSWER = 20
IMPATIENT = f"""import runpy, sys
sys.path[0] = {str(ROOT)!r}
from shared.running import place
place.SECONDS_TO_ANSWER = {SECONDS_TO_ANSWER}
runpy.run_module("pytorch_impl", run_name="__main__")
"""
SECONDS_UNTIL_ALL_HAVE_ENDED = {"pytorch": SECONDS_TO_ANSWER + 20, "tensorflow": 40}
SAID = {"pytorch": f"Timed out waiting {SECONDS_TO_ANSWER}000ms", "tensorflow": "heartbeat"}


@pytest.fixture
def hosts(tmp_path):
    try:
        with two_hosts.two_hosts(tmp_path) as made:
            yield made
    except two_hosts.NotPermittedError as error:
        pytest.skip(f"no hosts can be made here: {error}")


def by_hand(framework):
    """The line of docs/workers.md for each host."""
    lines = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8").splitlines()
    first, second = (line for line in lines if "host1" in line and f"-m {framework}_impl" in line)
    return first, second


def in_docs(framework, known_by):
    """The line of docs/workers.md that has this in it."""
    lines = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if known_by in line and f"-m {framework}_impl" in line)
    return line.strip(" #")


def by_slurm(framework):
    """The line as each task of srun's sees it."""
    return [in_docs(framework, "srun ").replace("srun ", "").replace("$(hostname)", "host1")] * 2


def by_kubernetes(framework):
    return [in_docs(framework, "workers-0.workers")] * 2


def start(hosts, lines, options, tmp_path):
    """Start a line with these options on each of the hosts; results come to a folder of the host's name."""
    runs = []
    for index, (host, line) in enumerate(zip(hosts, lines, strict=True)):
        given = {"SLURM_PROCID": str(index), "SLURMD_NODENAME": host.name, "JOB_COMPLETION_INDEX": str(index)}
        told = line.replace("--engine workers", f"--engine workers {options} --out {tmp_path / host.name}")
        runs.append(host.start(told, **SLURM, **given))
    return runs


def ended(runs, seconds):
    """What they have printed, and said."""
    with ThreadPoolExecutor(len(runs)) as readers:
        both = list(readers.map(lambda run: run.communicate(timeout=seconds), runs))
    return [(printed, but_still(said)) for printed, said in both]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The losses of one process."""
    losses = {}
    for framework in FRAMEWORKS:
        out = tmp_path_factory.mktemp(framework) / "out"
        python = ROOT / ".venv" / framework / "bin" / "python"
        options = f"-m {framework}_impl --engine eager --epochs 1 {SMALL} --out {out}"
        run = run_program(*options.split(), python=python)
        assert run.returncode == 0, run.stderr
        losses[framework] = read_run(out).arrays["step_losses"]
    return losses


@pytest.mark.parametrize(
    ("framework", "how"), [("pytorch", by_hand), ("tensorflow", by_hand), ("tensorflow", by_slurm)]
)
def test_two_hosts_train_as_one_process_does(framework, how, hosts, alone, tmp_path):
    runs = start(hosts, how(framework), f"--epochs 1 {SMALL}", tmp_path)
    said = ended(runs, 300)
    assert [run.returncode for run in runs] == [0, 0], said
    assert not (tmp_path / "host2").exists()
    made = read_run(tmp_path / "host1")
    assert made.record.settings["workers"] == "2"
    losses = made.arrays["step_losses"]
    assert np.max(np.abs(losses - alone[framework]) / np.maximum(alone[framework], 1)) <= LOSSES
    assert not [process for host in hosts for process in host.processes()]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_cut_link_ends_both_soon_and_each_says_why(framework, hosts, tmp_path):
    lines = by_kubernetes(framework)
    if framework == "pytorch":  # Slurm's line sets the same variables: each host takes one of the two
        program = tmp_path / "impatient.py"
        program.write_text(IMPATIENT, encoding="utf-8")
        lines = [line.replace("-m pytorch_impl", str(program)) for line in (by_slurm(framework)[0], lines[1])]
    runs = start(hosts, lines, f"--epochs 1000 {SMALL}", tmp_path)
    for line in runs[0].stdout:
        if line.startswith("Epoch 2/"):
            break
    hosts[0].run("ip", "link", "set", "eth0", "down")
    cut = time.monotonic()
    for run, (_, said) in zip(runs, ended(runs, 100), strict=True):
        assert run.returncode == 2, said
        told = rf"{framework}_impl: error: --engine workers: another is gone, or does not answer: .*{SAID[framework]}.*"
        assert re.fullmatch(f"{told}; see what it said, and start all again\n", said, re.IGNORECASE), said
    assert time.monotonic() - cut < SECONDS_UNTIL_ALL_HAVE_ENDED[framework]
    assert not [process for host in hosts for process in host.processes()]
    assert not [host.name for host in hosts if (tmp_path / host.name).exists()]


def test_a_host_that_takes_its_own_name_for_a_loopback_address_is_told(hosts, tmp_path):
    """As Debian's /etc/hosts has it."""
    own_names = tmp_path / "own"
    own_names.write_text("127.0.1.1 host2\n10.77.0.1 workers-0.workers\n", encoding="utf-8")
    line = f"mount --bind {own_names} /etc/hosts && {by_kubernetes('pytorch')[1]}"
    (run,) = start(hosts[1:], [line.replace("$JOB_COMPLETION_INDEX", "1")], SMALL, tmp_path)
    ((_, said),) = ended([run], 300)
    told = "others are told that host2 is 127.0.1.1, where they find only themselves; set GLOO_SOCKET_IFNAME to the"
    assert run.returncode == 2
    assert said.startswith(f"pytorch_impl: error: --engine workers: {told}")


def test_the_manifest_for_kubernetes_agrees_with_itself():
    yaml = pytest.importorskip("yaml", reason="no reader of YAML is in this environment")
    text = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
    service, job = yaml.safe_load_all(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    name, work, pod = job["metadata"]["name"], job["spec"], job["spec"]["template"]["spec"]
    assert (work["completionMode"], work["completions"], work["parallelism"]) == ("Indexed", 2, 2)
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    (line,) = pod["containers"][0]["args"]
    assert [f"{name}-{index}.{pod['subdomain']}:2222" in line for index in range(3)] == [True, True, False]


def tensorflow_told(variables, tmp_path):
    """TensorFlow's run on this machine, with these variables."""
    python, environment = ROOT / ".venv" / "tensorflow" / "bin" / "python", os.environ | variables
    command = f"-m tensorflow_impl --engine workers {SMALL} --out {tmp_path / 'out'}"
    return run_program(*command.split(), python=python, env=environment)


def test_tasks_that_slurm_and_tensorflow_number_differently_are_refused(tmp_path):
    own = {"SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "node[9-10]", "SLURMD_NODENAME": "node9"}
    run = tensorflow_told(SLURM | own, tmp_path)
    said = "task 0 is on node9, and TensorFlow takes it to be on node10, by the order of their names"
    cure = "set TF_CONFIG in each task, or take other machines"
    assert (run.returncode, run.stderr) == (2, f"tensorflow_impl: error: --engine workers: {said}; {cure}\n")


def test_a_port_that_another_program_has_is_refused(tmp_path):
    with socket.create_server(("", 0)) as other:
        addresses = [f"127.0.0.1:{port}" for port in (other.getsockname()[1], 1)]
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 0}}
        run = tensorflow_told({"TF_CONFIG": json.dumps(config)}, tmp_path)
    said = (
        "the port that TF_CONFIG gives this worker is taken; end the program that has it, or name another in TF_CONFIG"
    )
    assert (run.returncode, run.stderr) == (2, f"tensorflow_impl: error: --engine workers: {said}\n")
