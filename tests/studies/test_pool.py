"""Processes that wait for their next run: taken again by their kind, as many as there may be, and never left behind."""

import sys
import time

import psutil
import pytest

from shared.contract import IMPLEMENTATIONS, REFERENCE
from shared.running.runner import ORDERS
from shared.studies import pool
from shared.studies.pool import Pool
from shared.system.errors import InputError

COMMAND = [sys.executable, "-m", IMPLEMENTATIONS[REFERENCE].module, ORDERS]
SMALL = ["--epochs", "1", "--batch-size", "6000", "--hidden-sizes", "6,5", "--device", "cpu"]


@pytest.fixture
def processes():
    made = Pool()
    yield made
    made.end_idle()


def taken(processes, kind, at_most=1):
    with processes.process(kind, COMMAND, (), at_most) as child:
        return child


def test_one_of_its_kind_is_taken_again_and_gives_way_to_another_kind(processes):
    first = taken(processes, "a")
    assert taken(processes, "a") is first
    assert taken(processes, "b") is not first
    assert first.has_ended
    second, third = taken(processes, "a", at_most=3), taken(processes, "c", at_most=3)
    processes.end_idle()
    assert second.has_ended
    assert third.has_ended


def test_one_that_has_made_many_runs_is_not_taken_again(processes, monkeypatch):
    first = taken(processes, "a")
    assert taken(processes, "a") is first
    monkeypatch.setattr(pool, "MOST_RUNS", 0)
    assert taken(processes, "a").has_ended


def test_one_that_nobody_needs_any_more_is_ended(processes, monkeypatch):
    monkeypatch.setattr(pool, "SECONDS_IDLE", 0.1)
    child = taken(processes, "a")
    deadline = time.monotonic() + 30
    while not child.has_ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_that_fails_tells_why_and_its_process_is_not_taken_again(processes, tmp_path):
    def order(*words):
        with processes.process("a", COMMAND, (), 1) as child:
            child.take_order("a run", [*SMALL, *words, "--out", str(tmp_path / "out")])
            while not child.has_made(1):
                pass
            child.finish_order()
        return child

    first = order()
    with pytest.raises(InputError, match=r"^a run: --optimizer none: input should be 'sgd'"):
        order("--optimizer", "none")
    assert first.has_ended
    assert order() is not first


def test_one_that_was_killed_while_it_waited_is_not_taken(processes):
    child = taken(processes, "a")
    psutil.Process(child._process.pid).kill()
    deadline = time.monotonic() + 30
    while not child.has_ended:
        assert time.monotonic() < deadline
    assert taken(processes, "a") is not child
