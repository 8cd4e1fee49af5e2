"""Which run is made next: a process at hand goes on, and a new one is started where that pays."""

import pytest

from shared.studies import turns
from shared.studies.turns import Need, Turns

A, OTHER_A, B = Need("a", "1"), Need("a", "2"), Need("b", "1")


@pytest.fixture
def at(monkeypatch):
    """Sets the time, in seconds."""

    def at(seconds):
        monkeypatch.setattr(turns.time, "monotonic", lambda: seconds)

    at(0.0)
    return at


def test_a_slot_keeps_to_its_process_and_to_what_that_has_compiled(at):
    runs = Turns([A, OTHER_A, A, B, B], 2)
    assert runs.begin() == [0, 3]
    at(11.0)
    runs.ends(0, 1.0)
    assert runs.begin() == [2]
    runs.ends(2, 1.0)
    runs.ends(3, 1.0)
    assert runs.begin() == [1, 4]
    runs.ends(1, 1.0)
    runs.ends(4, 1.0)
    assert runs.begin() == []


@pytest.mark.parametrize(("waiting", "pays"), [(11, False), (12, True)])
def test_another_process_is_started_where_the_wait_for_those_at_hand_is_longer(at, waiting, pays):
    runs = Turns([A] * (waiting + 2) + [B], 2)
    assert runs.begin() == [0, waiting + 2]
    at(11.0)
    runs.ends(0, 1.0)  # it took 10 seconds to start, and one to run
    assert runs.begin() == [1]
    runs.ends(waiting + 2, 1.0)
    assert runs.begin() == [2] * pays


def test_one_slot_makes_all_and_more_slots_than_kinds_are_shared(at):
    alone, made = Turns([A, B, A, B], 1), []
    for _ in range(4):
        made += alone.begin()
        alone.ends(made[-1], 1.0)
    assert made == [0, 2, 1, 3]
    assert sorted(Turns([A] * 4 + [B] * 2, 4).begin()) == [0, 1, 2, 4]


def test_what_is_left_is_estimated_from_the_first_run_on(at):
    runs = Turns([A, A, A, B], 2)
    runs.begin()
    assert runs.seconds_left() is None
    at(12.0)
    runs.ends(0, 2.0)
    assert runs.seconds_left() == pytest.approx(3.0)  # three more like it, two at a time
    runs.begin()
    runs.ends(3, 4.0)
    assert runs.seconds_left() == pytest.approx(2.0)
