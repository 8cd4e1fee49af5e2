"""What is said of two logs, of real runs: each signature where it is, and not where it is not.

runs.json holds runs of benchmarks/log_material as float32: losses of every step, and what evaluations found.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from library_defaults.rows import ROWS
from shared.logs import signatures
from shared.logs.causes import CAUSES
from shared.logs.finding import find
from shared.logs.log_pair import compare_logs
from shared.logs.loss_logs import LossLog, Series, half_unit
from shared.logs.sources import Source

RUNS = json.loads(Path(__file__).with_name("runs.json").read_text(encoding="utf-8"))
PYTORCH, KERAS = "mlp, PyTorch", "mlp, Keras"


def written(values, decimals):
    """What a file holds, and how far that can be from what it was."""
    values = np.asarray(values, np.float32)
    if decimals is None:
        return values.astype(np.float64), half_unit(values)
    return np.round(values.astype(np.float64), decimals), 0.5 * 10.0**-decimals + half_unit(values)


def log_of(run, decimals=None, counts="step", steps=None, taken=None, **columns):
    """A log of one of RUNS, or of losses; columns replace those of the run."""
    run = RUNS[run] if isinstance(run, str) else {"loss": run}
    losses, resolution = written(run["loss"], decimals)
    found = {name: (column["steps"], column["values"]) for name, column in run.items() if name != "loss"} | columns
    series = {name: Series(name, np.array(at), *written(values, decimals)) for name, (at, values) in found.items()}
    steps = np.arange(len(losses)) if steps is None else np.asarray(steps)
    return LossLog(steps, losses, resolution, counts, "as written", taken=taken, series=series)


def compared(a, b):
    """Two logs, or names of runs."""
    logs = [log_of(one) if isinstance(one, str) else one for one in (a, b)]
    return compare_logs(tuple(Source(None, log) for log in logs))


def found(a, b):
    return find(compared(a, b))


# What the issue of all this was: six wrong answers, each from a pair of real runs.


def test_other_columns_are_compared_and_what_differs_in_one_alone_is_no_agreement():
    """Equal losses, and in evaluation 1.9 against 3.9, or an accuracy of 0.2 against 0.9."""
    a, b = found("cnn, PyTorch", "cnn, Keras"), found("cnn, PyTorch", "norm momentum, Keras")
    assert (a.key, a.good, b.key, b.column, b.good) == ("rounding", True, "evaluation", "val_loss", False)
    assert "DIFFER in val_loss: from step 11" in b.sentence
    assert "running statistics of batch normalisation" in b.sentence
    loss = RUNS[PYTORCH]["loss"]
    one = log_of(loss, val_loss=([11, 23], [1.9, 1.8]), accuracy=([11, 23], [0.2, 0.25]))
    other = log_of(loss, val_loss=([11, 23], [3.9, 3.8]), accuracy=([11, 23], [0.9, 0.95]))
    both = found(one, other)
    assert (both.key, both.good) == ("evaluation", False)
    assert "so do accuracy" in both.sentence


def test_the_metric_alone_points_to_its_definition():
    said = found("two likeliest, PyTorch", KERAS)
    assert (said.key, said.column, said.good) == ("metric", "val_accuracy", False)
    assert found(PYTORCH, KERAS).good


def test_at_the_first_step_the_forward_pass_is_named_and_the_ratio_told():
    said = found(PYTORCH, "sum, Keras")
    assert said.key == "reduction"
    assert "B's first loss is 32 times A's" in said.numbers
    logits = found(PYTORCH, "of probabilities, Keras")
    assert logits.key == "logits"
    assert "4.359 times A's. ln 10 is 2.303" in logits.numbers
    assert "from_logits" in logits.sentence
    padding = found("cnn, PyTorch", "padding, Keras")
    assert padding.key == "start"
    for word in ("initial weights", "definition of the loss", "ε", "padding", "GELU", "dropout", "batch normalisation"):
        assert word in padding.sentence
    assert "DIFFER from the first step, 0" in padding.sentence


def test_adams_epsilon_is_not_taken_for_a_schedule_or_another_order():
    """From the first update on, though hardly more than a network with batch normalisation makes of rounding."""
    said = found("adam, PyTorch", "Keras Adam, Keras")
    assert (said.key, said.at, said.good) == ("unclear", 1, False)
    assert "UNDECIDED: they part at step 1" in said.sentence
    assert "a small difference in every update (ε, decay, a rate)" in said.sentence
    assert "order" not in said.sentence


def test_a_first_difference_after_the_first_update_points_to_rate_or_rule():
    said = found(PYTORCH, "rate, Keras")
    assert (said.key, said.at) == ("update", 1)
    assert "PART at step 1" in said.sentence
    assert "the learning rate" in said.sentence
    assert "ε" in said.sentence
    assert said.cause.excluded.startswith("other initial weights")


@pytest.mark.parametrize("run", ["momentum, PyTorch", "not zeroed, PyTorch"])
def test_a_first_difference_after_the_second_update_points_to_what_is_carried_over(run):
    said = found(run, KERAS)
    assert (said.key, said.at) == ("carried", 2)
    assert "momentum" in said.sentence
    assert "not zeroed" in said.sentence


@pytest.mark.parametrize("decimals", [None, 6, 4])
def test_a_finer_log_gets_no_worse_a_hint(decimals):
    """A drop of the rate one step late: the gap jumps in one step, however many digits are written."""
    said = found(log_of("drop, PyTorch", decimals), log_of("drop late, Keras", decimals))
    assert (said.key, said.at) == ("schedule", 91)


@pytest.mark.parametrize("network", ["mlp", "cnn", "gpt", "adam", "amplified"])
@pytest.mark.parametrize("decimals", [None, 4])
def test_a_sound_port_is_called_the_same_or_like_rounding(network, decimals):
    said = found(log_of(f"{network}, PyTorch", decimals), log_of(f"{network}, Keras", decimals))
    assert said.good
    assert said.sentence.split(":")[0] in ("SAME as far as these files can tell", "LIKE ROUNDING")
    if decimals is None:
        assert "less than a proof" in said.sentence


# The other signatures, each where it is and where it is not.


def test_other_batches_are_told_by_their_ups_and_downs():
    assert found("order, PyTorch", KERAS).key == "examples"
    assert found(PYTORCH, "order later, Keras").key == "order"
    assert signatures.same_batches(compared(PYTORCH, KERAS), 0) == pytest.approx(1, abs=0.01)


def test_the_ups_and_downs_of_a_training_that_goes_astray_say_nothing_of_the_batches():
    """Its loss rises to almost three times the first, in other steps with other weights."""
    said = found("astray, other weights, PyTorch", "astray, Keras")
    assert (said.key, said.at) == ("first loss", 0)
    assert "The training goes astray: its ups and downs say nothing of the batches." in said.numbers
    bursts = [np.concatenate([CURVE[:60], CURVE[0] * np.random.default_rng(seed).uniform(1, 4, 60)]) for seed in (3, 4)]
    assert found(*map(log_of, bursts)).key == "later"


def test_other_examples_do_not_make_a_first_loss_many_times_as_large():
    random = np.random.default_rng(5)
    a, b = (CURVE[0] + random.uniform(-0.5, 0.5, 60) for _ in range(2))
    assert found(log_of(a), log_of(b)).key == "examples"
    assert found(log_of(a), log_of(3.3 * b)).key == "first loss"


def test_first_losses_that_are_near_by_chance_are_no_constant_of_the_forward_pass():
    loss = np.array(RUNS[PYTORCH]["loss"])[:100]
    apart = np.random.default_rng(6).uniform(0.01, 0.02, 100)
    apart[0] = 1e-3
    assert found(log_of(loss), log_of(loss + apart)).key == "start"
    assert found(log_of(loss), log_of(loss + apart / 20)).key == "forward"


def test_a_jump_with_the_second_update_is_carried_over_however_small_it_is_beside_the_loss():
    loss = np.array(RUNS["gpt, PyTorch"]["loss"])
    grown = np.concatenate([np.zeros(2), 4e-4 * np.arange(1, len(loss) - 1)])
    assert found(log_of(loss), log_of(loss + grown)).key == "carried"
    grown[:2] = 0, 2e-4
    assert found(log_of(loss), log_of(loss + grown)).key == "small"


def test_a_sum_of_a_batch_that_adam_trains_alike_is_no_other_way_of_logging():
    run = RUNS[PYTORCH]
    evaluated = run["val_loss"]["steps"], run["val_loss"]["values"]
    drift = 1 + 1e-5 * np.random.default_rng(7).uniform(-1, 1, len(run["loss"]))
    both = [log_of(np.array(run["loss"]) * factor, counts="epoch", val_loss=evaluated) for factor in (1, 32 * drift)]
    assert found(*both).key == "reduction"
    both[1] = log_of(np.array(run["loss"]) * 1.4 * drift, counts="epoch", val_loss=evaluated)
    assert found(*both).key == "reported"


def test_what_differs_in_evaluation_is_named_beside_losses_that_rounding_alone_may_have_moved_so_far():
    said = found("momentum 0.95, PyTorch", "in training, Keras")
    assert (said.key, said.column, said.good) == ("evaluation", "val_loss", False)
    assert "the losses are apart by far less" in said.sentence


def test_a_perplexity_moves_as_much_more_than_its_loss_as_it_is_larger():
    columns = {}
    for run in ("gpt, PyTorch", "gpt, Keras"):
        loss = np.array(RUNS[run]["loss"])
        columns[run] = log_of(loss, perplexity=(range(len(loss)), 1_000 * np.exp(loss)))
    assert found(*columns.values()).good


def test_one_hit_more_is_no_other_metric_whatever_last_digits_two_programs_write():
    loss, steps = np.array(RUNS[PYTORCH]["loss"]), [11, 23, 35]
    a = log_of(loss, accuracy=(steps, np.float32([20 / 96, 30 / 96, 40 / 96])))
    b = log_of(loss, accuracy=(steps, np.nextafter(np.float32([20 / 96, 31 / 96, 40 / 96]), np.float32(1))))
    c = log_of(loss, accuracy=(steps, np.float32([20 / 96, 36 / 96, 40 / 96])))
    assert found(a, b).good
    assert found(a, c).key == "metric"


def test_a_second_softmax_and_a_penalty_are_told_by_their_shape():
    assert found("softmax twice, PyTorch", KERAS).key == "softmax twice"
    assert found(PYTORCH, "penalty, Keras").key == "penalty"
    assert found("small batches, PyTorch", "penalty, small batches, Keras").key == "penalty"
    # A tenth of the rate makes a loss that moves as little, from the same first loss.
    assert found(PYTORCH, "rate, Keras").key not in ("softmax twice", "penalty")


def test_a_small_constant_moves_the_loss_to_one_side_and_rounding_does_not():
    assert found("gpt, PyTorch", "gelu, Keras").key == "small"
    assert signatures.growth(compared("gpt, PyTorch", "gpt, Keras")).kind == "rounding"
    # As large as rounding, and as jagged.
    loss = np.array(RUNS["gpt, PyTorch"]["loss"])
    noise = np.random.default_rng(0).standard_normal(len(loss)) * 1e-6 * np.linspace(0.3, 4, len(loss))
    assert found(log_of(loss), log_of(loss + noise)).key == "rounding"


def test_what_leans_to_one_side_in_the_end_is_no_rounding_however_slowly_it_rose():
    """A rate that is lowered in the middle of a training: the gap rises from rounding without a jump."""
    losses = np.array(RUNS[KERAS]["loss"])
    since = np.arange(len(losses)) - 60
    rise = np.minimum(np.where(since < 0, 0, 1e-7 * 1.25**since), 0.05) * losses
    said = found(PYTORCH, log_of(losses + rise))
    assert (said.key, said.good) == ("later", False)
    to_both_sides = found(PYTORCH, log_of(losses + rise * np.where(since % 2, 1, -1)))
    assert (to_both_sides.key, to_both_sides.good) == ("rounding", True)


def test_with_few_decimals_a_small_constant_may_be_hidden_and_then_nothing_is_claimed():
    said = found(log_of("gpt, PyTorch", 4), log_of("gelu, Keras", 4))
    assert (said.key, said.good) == ("same", True)
    assert "could not be seen in these files" in said.numbers


def test_a_log_with_few_steps_names_no_single_update():
    logs = [log_of(RUNS[run]["loss"][::10], 4, steps=np.arange(0, 180, 10)) for run in (PYTORCH, "rate, Keras")]
    said = found(*logs)
    assert (said.key, said.good) == ("first updates", False)


def test_the_rate_that_the_logs_give_is_believed():
    at = np.arange(180)
    logs = [log_of(run, learning_rate=(at, np.full(180, rate))) for run, rate in ((PYTORCH, 0.1), ("rate, Keras", 0.5))]
    said = found(*logs)
    assert said.key == "rate"
    assert "learning_rate is 0.1 in A and 0.5 in B" in said.numbers
    # Of the same losses, another rate is a matter of what was logged.
    one, other = (log_of(run, learning_rate=(at, np.full(180, r))) for run, r in ((PYTORCH, 0.1), (KERAS, 0.2)))
    assert (found(one, other).key, found(one, other).good) == ("reported", False)


def test_the_last_short_batch_is_told_by_the_lengths_of_the_epochs():
    loss = np.array(RUNS[PYTORCH]["loss"])
    other = np.concatenate([loss[:10], loss[11:], loss[:1]])
    evaluated = [([at * length + length - 1 for at in range(10)], np.linspace(2, 1, 10)) for length in (11, 10)]
    logs = [log_of(losses, val_loss=at) for losses, at in zip((loss, other), evaluated, strict=True)]
    assert found(*logs).key == "last batch"


def test_a_running_mean_is_told_from_a_loss_of_one_batch():
    loss = np.array(RUNS[PYTORCH]["loss"][:12])
    mean = np.cumsum(loss) / np.arange(1, 13)
    assert found(log_of(loss), log_of(mean)).key == "reported"
    assert found(log_of(mean), log_of(loss)).key == "reported"
    assert found(log_of(loss), log_of(loss * np.linspace(1, 1.5, 12))).key != "reported"


def test_where_the_evaluation_is_the_same_another_loss_is_only_reported():
    loss = np.array(RUNS[PYTORCH]["loss"])
    evaluated = ([11, 23, 35], [2.2, 2.1, 2.0])
    rough = loss + 0.1 * np.abs(np.sin(np.arange(len(loss))))
    assert found(log_of(loss, val_loss=evaluated), log_of(rough, val_loss=evaluated)).key == "reported"
    assert found(log_of(loss), log_of(rough)).key != "reported"


# By epoch, or begun late.


def test_the_loss_of_an_epoch_says_less_than_that_of_a_step():
    epochs = [np.array(RUNS[run]["loss"]).reshape(15, 12).mean(axis=1) for run in (PYTORCH, "rate, Keras", KERAS)]
    said = found(log_of(epochs[0], counts="epoch"), log_of(epochs[1], counts="epoch"))
    assert (said.key, said.good) == ("first epoch", False)
    assert found(log_of(epochs[0], counts="epoch"), log_of(epochs[2], counts="epoch")).good


def test_the_first_common_step_is_not_taken_for_the_first():
    steps = np.arange(180) + 500
    said = found(log_of(PYTORCH, steps=steps), log_of("order, PyTorch", steps=steps))
    assert said.key == "begun late"
    assert "500" in said.numbers


# Curves of known form.

STEPS = np.arange(200)
RANDOM = np.random.default_rng(0)
CURVE = 2 * np.exp(-STEPS / 50) + 0.3 + 0.05 * RANDOM.standard_normal(200)
SPOILED = CURVE.copy()
SPOILED[7] = np.nan
KINDS = {
    "nothing": (CURVE, CURVE + 4e-5, "same", "A difference below 1.0e-04 could not be seen"),
    "not a number": (CURVE, SPOILED, "not finite", "B's loss is nan, which agrees with nothing"),
    "not a number on either side": (SPOILED, SPOILED, "not finite", "A's loss is nan and B's loss is nan, which"),
    "doubled": (CURVE, 2 * CURVE, "reduction", "B's loss is 2 times A's at every common step"),
    "summed over 64": (64 * CURVE, CURVE, "reduction", "B's loss is 0.015625 times A's at every common step"),
    "moved": (CURVE, CURVE + 0.25, "penalty", "B's loss is A's and 0.25 at every common step"),
}


def rounded(losses, steps=STEPS):
    return LossLog(steps[: len(losses)], np.asarray(losses), np.full(len(losses), 5e-5), "step", "4 decimals")


@pytest.mark.parametrize(("a", "b", "key", "numbers"), KINDS.values(), ids=KINDS)
def test_each_form_is_recognised(a, b, key, numbers):
    said = found(rounded(a), rounded(b))
    assert said.key == key
    assert numbers in said.numbers


@pytest.mark.parametrize(
    ("a", "b", "steps_a", "steps_b", "shift"),
    [
        (CURVE[1:], CURVE[:-1], STEPS, STEPS, "s+1"),  # logged one step late
        (CURVE, CURVE, STEPS, STEPS + 50, "s+50"),
    ],
)
def test_the_same_losses_numbered_differently_are_recognised(a, b, steps_a, steps_b, shift):
    said = found(rounded(a, steps_a), rounded(b, steps_b))
    assert said.key == "renumbered"
    assert f"B's loss at step {shift} is A's at step s" in said.numbers


def test_a_few_points_fit_everything_and_so_prove_nothing():
    assert found(rounded(CURVE[:3]), rounded(2 * CURVE[:3])).key != "penalty"
    assert "every common step" not in found(rounded(CURVE[:3]), rounded(2.5 * CURVE[:3])).numbers
    assert found(rounded(CURVE[:3]), rounded(CURVE[:3], STEPS + 1)).key != "renumbered"


def test_a_curve_that_is_almost_another_times_a_factor_is_not_called_so():
    b = 2 * CURVE
    b[100] += 0.01
    assert "every common step" not in found(rounded(CURVE), rounded(b)).numbers


# The table of causes.


def test_every_row_of_differences_that_a_cause_names_exists():
    keys = {row.key for row in ROWS}
    assert not {row for cause in CAUSES.values() for row in cause.rows} - keys


def test_every_cause_says_what_to_measure_next():
    for key, cause in CAUSES.items():
        assert cause.points_to, key
        assert cause.then.endswith("."), key
        assert not cause.points_to.endswith("."), key
        assert len(set(cause.rows)) == len(cause.rows), key


@pytest.mark.parametrize("name", ["time", "epoch_time", "seconds", "samples_per_second", "gpu_memory", "eta", "epoch"])
def test_what_a_clock_or_the_machine_says_is_not_compared(name):
    loss = RUNS[PYTORCH]["loss"]
    logs = [log_of(loss, **{name: ([0, 1], values)}) for values in ([1, 2], [3, 4])]
    assert found(*logs).key == "same"
    assert "val_time_step" not in compared(*logs).columns


@pytest.mark.parametrize("name", ["val_loss", "accuracy", "timeliness", "grad_norm", "val_mae", "train_loss_epoch"])
def test_what_a_network_says_is(name):
    loss = RUNS[PYTORCH]["loss"]
    logs = [log_of(loss, **{name: ([0, 1], values)}) for values in ([1, 2], [3, 4])]
    assert not found(*logs).good


def test_columns_that_are_not_compared_are_named():
    losses = compared(
        log_of([1, 2], val_loss=([0], [1]), f1=([0], [1])), log_of([1, 2], val_loss=([1], [1]), mae=([0], [1]))
    )
    assert (losses.lone, losses.unmet) == ((("f1",), ("mae",)), ("val_loss",))


def test_a_training_that_goes_astray_is_not_told_from_another_by_how_rounding_grows():
    """Both losses rise by orders, and what rounding makes of them as much."""
    risen = np.array(RUNS[PYTORCH]["loss"]) * 10.0 ** np.linspace(0, 8, 180)
    noise = 1 + 1e-6 * np.random.default_rng(0).standard_normal(180)
    assert found(log_of(risen), log_of(risen * noise)).key == "rounding"
    assert found(log_of(risen), log_of(risen * np.where(np.arange(180) < 60, noise, 1.5))).key != "rounding"
