"""Where two runs part, on what has been done to a run of the reference."""

import dataclasses

import numpy as np
import pytest

from shared.comparing import checks, comparison, first_divergence
from shared.comparing.runs import Variant, Watcher
from shared.configuration import Configuration
from shared.network import weight_shapes
from shared.reference.__main__ import load
from shared.running import batches, runner
from shared.running.record import read_run

CONFIGURATION = Configuration.of(epochs=1, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "traced"
    options = [*CONFIGURATION.options(), "--out", str(folder), "--activations-until", "30"]
    assert runner.main("Reference", load, options) == 0
    return read_run(folder)


def altered(run, framework="Other", **arrays):
    record = run.record.model_copy(update={"framework": framework})
    return dataclasses.replace(run, record=record, arrays=run.arrays | arrays)


def results_of(a, b):
    """What the checks found, where rounding alone makes a difference of one unit in the last place."""
    found = []
    for check in checks.checks_of(a.record.training):
        floor = max(d.unit for d in check.compare(a, a))
        found.append(checks.Result(check, check.compare(a, b), floor, checks.LIMIT))
    return found


def cause(a, b):
    found = first_divergence.start_differs(a, b, results_of(a, b))
    assert found is None or (found.step, found.crossings) == (0, [])
    return found and found.cause


def test_equal_runs_do_not_part(run):
    assert cause(run, altered(run)) is None
    assert checks.first_divergence_step(run, run) is None
    assert first_divergence.trace_crossings(run, altered(run), 30) is None


@pytest.mark.parametrize("parameter", weight_shapes(CONFIGURATION.training))
def test_other_initial_weights_are_named(run, parameter):
    name = f"at/0/weights/{parameter}"
    other = altered(run, **{name: np.nextafter(run.arrays[name], 1)})
    assert cause(run, other) == f"Reference and Other start from different weights: {parameter} differs"


def test_another_normalisation_is_told_by_its_line(run):
    pixels = run.arrays["at/0/input"] * 0.5 + 0.5  # what mean 0.5 and std 0.5 undo
    other = altered(run, **{"at/0/input": (pixels - 0.4999) / 0.5})
    assert cause(run, other) == "Other's input is 1 × Reference's +0.0002: another normalisation"


def test_other_pixels_are_no_other_normalisation(run):
    other = altered(run, **{"at/0/input": run.arrays["at/0/input"][::-1].copy()})
    assert cause(run, other).endswith("see other pixels: other data, or another order")


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        ("at/0/fc1", 1.5, "the forward passes of Reference and Other differ: other fc1 from the same"),
        ("at/0/fc2", 1.5, "the forward passes of Reference and Other differ: other fc2 from the same"),
        ("at/0/logits", 1.5, "the forward passes of Reference and Other differ: other logits from the same"),
        ("at/0/loss", 2.0, "Other's loss is 2 times Reference's, from the same logits"),
        ("at/0/gradient/fc2.weight", 0.0, "Other's gradient of fc2.weight is 0 times Reference's, from the same loss"),
    ],
)
def test_the_first_quantity_that_differs_is_named(run, name, factor, expected):
    assert cause(run, altered(run, **{name: run.arrays[name] * factor})).startswith(expected)


def test_tensors_that_one_lacks_are_said_and_end_nothing(run):
    lacking = {name: values for name, values in run.arrays.items() if not name.startswith("at/1/weights/fc2")}
    other = dataclasses.replace(altered(run), arrays=lacking)
    assert cause(run, other) == "Reference and Other do not hold the same tensors in weights after 1 step"


def test_where_there_is_no_relu_no_cause_is_named(run, tmp_path):
    losses = run.step_losses.copy()
    losses[5:] += 1
    made = {
        Variant("PyTorch", "float64"): run,
        Variant("TensorFlow", "float64"): altered(run, step_losses=losses),
    }
    found = comparison._trace(CONFIGURATION.but(activation="tanh"), made, {}, tmp_path / "traced", Watcher())
    assert (found.step, found.crossings) == (5, [])
    assert found.cause.startswith("why was not found: this network has no ReLU")
    assert not any(tmp_path.iterdir())


def test_another_rate_is_told_by_its_factor(run):
    before, after = (run.arrays[f"at/{step}/weights/fc1.weight"] for step in (0, 1))
    others = {
        f"at/1/weights/{name}": run.arrays[f"at/0/weights/{name}"]
        + 1.01 * (run.arrays[f"at/1/weights/{name}"] - run.arrays[f"at/0/weights/{name}"])
        for name in weight_shapes(CONFIGURATION.training)
    }
    assert (before != after).any()
    assert cause(run, altered(run, **others)).endswith(
        "is 1.01 times Reference's, from the same gradients: another rate"
    )


def test_a_loss_has_diverged_when_it_differs_by_more_than_a_few_units(run):
    losses = run.step_losses.copy()
    unit = np.spacing(losses.max().astype(np.float32))
    losses[11] += checks.DIVERGED_ULPS * unit
    losses[17] += (checks.DIVERGED_ULPS + 2) * unit
    assert checks.first_divergence_step(run, altered(run, step_losses=losses)) == 17
    losses[3] = np.nan
    assert checks.first_divergence_step(run, altered(run, step_losses=losses)) == 3


def test_an_input_on_either_side_of_zero_is_found_with_its_image_unit_and_values(run):
    name = "at/21/fc2"
    values = run.arrays[name].copy()
    values[137, 4] *= -1
    other = altered(run, **{name: values})
    found = first_divergence.trace_crossings(run, other, 30)
    assert found.step == 21
    (crossing,) = found.crossings
    image = batches.split(batches.epoch_order(CONFIGURATION.training.seed, 0), CONFIGURATION.training.batch_size)[21][
        137
    ]
    assert crossing == first_divergence.Crossing("fc2", 4, int(image), (-values[137, 4], values[137, 4]))
    assert f"fc2, unit 4, training image {image}: " in found.cause
    assert first_divergence.trace_crossings(run, other, 21) is None


def test_of_several_crossings_the_one_furthest_apart_comes_first(run):
    sides = []
    for sign in (1, -1):
        arrays = {f"at/21/{layer}": run.arrays[f"at/21/{layer}"].copy() for layer in ("fc1", "fc2")}
        arrays["at/21/fc1"][137, :2] = sign * 1e-12, sign * 3e-12
        arrays["at/21/fc2"][5, 4] = sign * 2e-12
        sides.append(altered(run, **arrays))
    found = first_divergence.trace_crossings(*sides, 30)
    assert [(c.layer, c.unit) for c in found.crossings] == [("fc1", 1), ("fc2", 4), ("fc1", 0)]
    assert "zero: fc1, unit 1, " in found.cause
    assert found.cause.partition(". One")[0].endswith(", and 2 more")
