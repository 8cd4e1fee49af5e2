"""Runs of a sweep are made once, as many at once as there are cores, and kept."""

import sys
from pathlib import Path

import pytest

from shared.comparing import store
from shared.configuration import Configuration
from shared.contract import IMPLEMENTATIONS, REFERENCE
from shared.running.record import read_run
from shared.studies import pool, sweep
from shared.system import machine
from shared.system.errors import InputError
from tests.conftest import run_program

SPECS = [Configuration.of(epochs=1, batch_size=6_000, hidden_sizes=(6, 5), seed=seed) for seed in range(2)]
PYTHONS = {REFERENCE: Path(sys.executable)}


@pytest.fixture(autouse=True)
def folder(own_cache):
    return own_cache / sweep.KIND


def test_what_was_made_is_kept_and_the_rest_is_made(folder, monkeypatch):
    (first,) = sweep.figures([(REFERENCE, SPECS[0])], PYTHONS, "").values()
    assert len(first.losses) == 1
    assert 0 < first.accuracy < 1
    made = []
    real = sweep._order
    monkeypatch.setattr(sweep, "_order", lambda job, *rest: made.append(job) or real(job, *rest))
    both = sweep.figures([(REFERENCE, configuration) for configuration in SPECS], PYTHONS, "")
    assert made == [(REFERENCE, SPECS[1])]
    assert both[REFERENCE, SPECS[0]] == first
    assert both[REFERENCE, SPECS[1]] != first
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("remembers", [{}, {"optimizer": "momentum", "schedule": "cosine"}])
def test_one_process_makes_all_and_the_bits_are_those_of_runs_made_alone(monkeypatch, tmp_path, remembers):
    monkeypatch.setattr(machine, "cores", lambda: 1)
    configurations = [configuration.but(**remembers) for configuration in SPECS]
    started = []
    real = pool.Child
    monkeypatch.setattr(pool, "Child", lambda *given: started.append(given) or real(*given))
    made = sweep.figures([(REFERENCE, configuration) for configuration in configurations], PYTHONS, "")
    assert len(started) == 1
    for number, configuration in enumerate(configurations):
        out = tmp_path / str(number)
        run_program("-m", IMPLEMENTATIONS[REFERENCE].module, *configuration.options(), "--out", out)
        assert made[REFERENCE, configuration].files == read_run(out).record.files


def test_a_damaged_file_is_made_again(folder):
    job = (REFERENCE, SPECS[0])
    first = sweep.figures([job], PYTHONS, "")
    (kept,) = folder.iterdir()
    written = kept / sweep.FILE
    written.write_text(written.read_text(encoding="utf-8")[:-5], encoding="utf-8")
    assert sweep.figures([job], PYTHONS, "") == first


def test_a_run_that_diverges_is_no_figure(folder):
    wild = SPECS[0].but(learning_rate=1e30)
    with pytest.raises(InputError, match="Reference, matched, seed 0: a loss is not finite; lower --learning-rate"):
        sweep.figures([(REFERENCE, wild)], PYTHONS, "")
    assert not folder.exists()


def test_what_is_kept_is_found_by_every_library_and_gpu(monkeypatch):
    job = (REFERENCE, SPECS[0])

    def key():
        return sweep._key(job, sweep._makers(PYTHONS)[REFERENCE])

    found = [key()]
    assert key() == found[0]
    monkeypatch.setattr(store, "gpus", lambda: ["NVIDIA H100"])
    found.append(key())
    real = sweep.versions
    monkeypatch.setattr(sweep, "versions", lambda *given: real(*given) | {"numpy": "another"})
    found.append(key())
    assert len(set(found)) == 3
    assert {"keras", "torchvision"} <= {name for entry in IMPLEMENTATIONS.values() for name in entry.packages}


def test_as_many_runs_at_once_as_there_are_cores_and_one_to_a_gpu(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    auto, on_cpu = Configuration.of(threads=3), Configuration.of(threads=3, device="cpu")
    assert [sweep._at_once("PyTorch", configuration) for configuration in (auto, on_cpu)] == [2, 2]
    assert sweep._at_once("PyTorch", Configuration.of(threads=9)) == 1
    monkeypatch.setattr(machine, "gpus", lambda: ["NVIDIA H100"])
    assert [sweep._at_once("PyTorch", configuration) for configuration in (auto, on_cpu)] == [1, 2]
    assert sweep._at_once(REFERENCE, auto) == 2
