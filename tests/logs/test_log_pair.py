"""Two logs, and two sets of weights: how far apart, by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.comparing import checks
from shared.logs import log_pair
from shared.logs.loss_logs import LossLog, Series
from shared.logs.sources import Source
from shared.system.errors import InputError


def log_of(folder, name, losses, steps=None, counts="step"):
    path = folder / f"{name}.json"
    numbers = {"loss": losses} if steps is None else {counts: steps, "loss": losses}
    path.write_text(json.dumps(numbers), encoding="utf-8")
    return path


@pytest.fixture
def compared(tmp_path):
    """Compare two logs."""

    def compare(a, b, steps_a=None, steps_b=None):
        pair = log_pair.compare(log_of(tmp_path, "a", a, steps_a), log_of(tmp_path, "b", b, steps_b))
        assert pair.tensors is None
        assert pair.agree is pair.losses.agree
        return pair.losses

    return compare


FULL = [0.123456789, 0.987654321, 0.555555555, 0.444444444]


def test_a_log_agrees_with_itself(compared):
    losses = compared(FULL, FULL)
    assert losses.agree
    assert (losses.first_difference, losses.first_apart, losses.diverged) == (None, None, None)
    assert losses.gap.tolist() == [0] * 4


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("swapped", [False, True])
def test_one_loss_that_differs_is_found_at_its_step(compared, index, swapped):
    other = list(FULL)
    other[index] += 1e-3
    losses = compared(*((other, FULL) if swapped else (FULL, other)), [3, 5, 8, 9], [3, 5, 8, 9])
    assert not losses.agree
    found = (losses.first_difference, losses.first_apart, losses.diverged, losses.largest)
    assert found == (index,) * 4
    assert losses.steps[index] == [3, 5, 8, 9][index]
    assert losses.gap[index] == pytest.approx(1e-3)


def test_the_three_thresholds_are_told_apart(compared):
    a = [0.5000, 0.5001, 0.5002, 0.5003, 0.5004]
    # One unit of the fourth decimal, which both files can hide between them; then 3 units, and then 12.
    losses = compared(a, [0.5000, 0.5002, 0.5005, 0.5015, 0.5004])
    assert (losses.first_difference, losses.first_apart, losses.diverged) == (1, 2, 3)
    assert losses.resolution == pytest.approx(1e-4, rel=1e-2)


def test_one_printed_unit_is_hidden_and_two_are_not(compared):
    a = [x / 10_000 for x in range(1001, 9999)]
    assert compared(a, [round(x + 1e-4, 4) for x in a]).agree
    apart = compared(a, [round(x + 2e-4, 4) for x in a])
    assert apart.first_apart == 0
    assert (apart.gap > apart.resolution).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("sides", ["a", "b", "both"])
def test_what_is_not_finite_is_a_divergence_on_either_side_or_both(compared, bad, sides):
    spoiled = [FULL[0], FULL[1], bad, FULL[3]]
    losses = compared(FULL if sides == "b" else spoiled, FULL if sides == "a" else spoiled)
    assert not losses.agree
    assert (losses.first_difference, losses.first_apart, losses.diverged, losses.largest) == (2, 2, 2, 2)
    assert losses.gap.tolist() == [0, 0, np.inf, 0]


@pytest.mark.parametrize(
    ("steps_a", "steps_b", "only"),
    [([0, 1, 2, 3], [0, 1, 2], ([3], [])), ([0, 2, 4], [0, 1, 2, 4], ([], [1])), ([0, 1, 2], [1, 2, 9], ([0], [9]))],
)
def test_steps_that_one_alone_has_are_no_agreement(compared, steps_a, steps_b, only):
    losses = compared([0.125 * s for s in steps_a], [0.125 * s for s in steps_b], steps_a, steps_b)
    assert losses.first_apart is None
    assert tuple(steps.tolist() for steps in losses.only) == only
    assert not losses.agree


def refused(a, b, message):
    with pytest.raises(InputError) as error:
        log_pair.compare(a, b)
    assert message in str(error.value)
    assert str(a) in str(error.value)
    assert str(b) in str(error.value)
    assert "\n" not in str(error.value)


def test_logs_without_a_step_in_common_are_refused(tmp_path):
    a, b = log_of(tmp_path, "a", [1, 2], [0, 1]), log_of(tmp_path, "b", [1, 2], [5, 9])
    refused(a, b, "have no step in common: 0 to 1 and 5 to 9; number both in the same way")


def test_a_log_by_step_is_not_compared_with_one_by_epoch(tmp_path):
    a, b = log_of(tmp_path, "a", [1, 2], [0, 1]), log_of(tmp_path, "b", [1, 2], [0, 1], "epoch")
    refused(a, b, "count different things, steps and epochs; give both logs by step, or both by epoch")


def test_losses_are_not_compared_with_weights(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.ones(2))
    refused(log_of(tmp_path, "a", [1]), tmp_path / "w.npz", "w.npz holds weights, which can't be compared; give two of")


def test_diverged_means_what_it_means_of_two_records(tmp_path):
    """Of float32 losses that fall, as those of a training, the same step as `checks.first_divergence_step`."""

    class Run:
        def __init__(self, losses):
            self.step_losses = losses

    random = np.random.default_rng(3)
    a = np.sort(random.uniform(0.3, 2.2, 200).astype(np.float32))[::-1]
    b = (a + np.cumsum(random.standard_normal(200)) * 3e-7).astype(np.float32)
    paths = [log_of(tmp_path, name, [float(x) for x in losses]) for name, losses in (("a", a), ("b", b))]
    losses = log_pair.compare(*paths).losses
    assert losses.diverged == checks.first_divergence_step(Run(a), Run(b)) > 0


def test_what_one_holds_besides_is_left_alone(tmp_path):
    both = Source(tmp_path, log_pair.read_source(log_of(tmp_path, "a", FULL)).log, {"w": np.ones((4, 3))})
    assert log_pair.compare_weights((both, both)).agree
    assert log_pair.compare_logs((both, both)).agree


def log(steps, losses, counts="step", **series):
    columns = {name: Series(name, steps, values, np.full(len(steps), 5e-5)) for name, values in series.items()}
    return LossLog(steps, losses, np.full(len(steps), 5e-5), counts, "4 decimals", series=columns)


def sources_of(*logs):
    return tuple(Source(Path(name), log) for name, log in zip("ab", logs, strict=True))


FALLING = 2.3 * 0.9 ** np.arange(40)
OTHERWISE = FALLING * 1.2  # from the first on
LATER = np.where(np.arange(40) < 20, FALLING, FALLING * 1.1)


@pytest.mark.parametrize("counts", ["epoch", "step"])
@pytest.mark.parametrize("first", [0, 1])
def test_who_counts_from_0_and_who_counts_from_1_are_compared_from_the_first_on(first, counts):
    steps = np.arange(40)
    a, b = log(steps + first, FALLING, counts, acc=FALLING), log(steps + 1 - first, LATER, counts, acc=FALLING)
    losses = log_pair.compare_logs(sources_of(a, b))
    assert losses.first_apart == 20
    assert losses.steps[20] == 20 + first
    assert losses.agree is False
    assert losses.columns["acc"].first_apart is None
    assert [len(only) for only in losses.only] == [0, 0]
    assert losses.logs[1].notes[-1].startswith(f"Its {counts} {1 - first} is taken for {counts} {first} of A")


def test_epochs_are_those_from_the_first_on_even_where_all_losses_differ_and_steps_are_not():
    steps = np.arange(40)
    for counts, common in (("epoch", 40), ("step", 39)):
        pair = sources_of(log(steps + 1, FALLING, counts), log(steps, OTHERWISE, counts))
        assert len(log_pair.compare_logs(pair).steps) == common


def test_a_log_without_the_first_keeps_its_numbers():
    steps = np.arange(40)
    for counts in ("epoch", "step"):
        losses = log_pair.compare_logs(sources_of(log(steps, FALLING, counts), log(steps[1:], FALLING[1:], counts)))
        assert losses.first_apart is None
        assert [len(only) for only in losses.only] == [1, 0]
        assert losses.logs[1].notes == ()


def test_steps_that_never_meet_but_lie_one_apart_are_compared():
    tens = 10 * np.arange(1, 5)
    losses = log_pair.compare_logs(sources_of(log(tens, FALLING[:4]), log(tens - 1, FALLING[:4])))
    assert losses.first_apart is None
    assert losses.steps.tolist() == tens.tolist()
