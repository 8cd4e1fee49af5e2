"""What a process is told of its place among workers."""

import json

import pytest

from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS
from shared.running.place import ALONE, Place, place_of
from shared.system.errors import InputError

WORKERS = Configuration.of(engine="workers")
CLUSTER = {"worker": ["a:1", "b:1", "c:1"]}


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "TF_CONFIG", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def place(name, configuration=WORKERS):
    return place_of(configuration, IMPLEMENTATIONS[name])


def test_whoever_is_not_asked_for_workers_is_alone_whatever_a_launcher_has_told(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("TF_CONFIG", "nonsense")
    for name in IMPLEMENTATIONS:
        assert place(name, Configuration()) == ALONE


@pytest.mark.parametrize("name", ["PyTorch", "TensorFlow"])
def test_without_a_launcher_the_command_is_named(name):
    told = f"--engine workers: no launcher has started this process; start all with: {IMPLEMENTATIONS[name].launch}"
    with pytest.raises(InputError) as raised:
        place(name)
    assert str(raised.value) == told


def test_pytorchs_place(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert place("PyTorch") == Place(2, 3)
    assert place("PyTorch", Configuration.of(workers=3)) == Place(2, 3)
    with pytest.raises(InputError, match=r"^--workers 4: the launcher has started 3; leave out --workers, or let it"):
        place("PyTorch", Configuration.of(workers=4))


@pytest.mark.parametrize(("rank", "size"), [("3", "3"), ("-1", "3"), ("x", "3"), ("0", ""), ("", "3"), ("0", "0")])
def test_a_place_that_pytorchs_launcher_can_not_mean(rank, size, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(
        InputError, match=r"^RANK .* of WORLD_SIZE .*: no worker has such a place; let torchrun set both"
    ):
        place("PyTorch")


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        (CLUSTER, "worker", 0, Place(0, 3)),
        (CLUSTER, "worker", 2, Place(2, 3)),
        (CLUSTER, "worker", "2", Place(2, 3)),
        ({"chief": ["z:1"], **CLUSTER}, "chief", 0, Place(0, 4)),
        ({"chief": ["z:1"], **CLUSTER}, "worker", 1, Place(2, 4)),
    ],
)
def test_tensorflows_place(cluster, kind, index, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
    assert place("TensorFlow") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 3}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": -1}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "evaluator", "index": 0}}),
        json.dumps({"cluster": {"worker": 3}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_a_place_that_tf_config_can_not_mean(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r'^TF_CONFIG .*; it must be like \{"cluster": '):
        place("TensorFlow")


def test_slurm_tells_tensorflow_where_tf_config_does_not(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    with pytest.raises(InputError, match="no launcher has started this process"):
        place("TensorFlow")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert place("TensorFlow") == Place(1, 4)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 0}}))
    assert place("TensorFlow") == Place(0, 3)
    with pytest.raises(InputError, match="no launcher has started this process"):
        place("PyTorch")


def test_a_place_that_slurm_can_not_mean(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "a")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(InputError, match=r"^SLURM_PROCID a of SLURM_STEP_NUM_TASKS 4: no worker has .*; let srun set"):
        place("TensorFlow")
