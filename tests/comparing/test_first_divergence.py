"""Where two runs part, on what has been done to a run of the reference."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shared.comparing import checks, first_divergence
from shared.comparing.segments import Crossing
from shared.comparing.verification import verify
from shared.configuration import Configuration
from shared.network import weight_shapes
from shared.reference.__main__ import load
from shared.reference.replay import Unit
from shared.running import runner
from shared.running.record import read_run

CONFIGURATION = Configuration.of(epochs=1, batch_size=2_000, hidden_sizes=(6, 5))


def made(folder, configuration=CONFIGURATION):
    options = [*configuration.options(), "--checkpoints", "8", "--out", str(folder)]
    assert runner.main("Reference", load, options) == 0
    return read_run(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("run") / "plain")


def altered(run, framework="Other", **arrays):
    record = run.record.model_copy(update={"framework": framework})
    return dataclasses.replace(run, record=record, arrays=run.arrays | arrays)


def verified(run):
    with ThreadPoolExecutor(1) as executor:
        return verify(run, executor)


def cause(run, other):
    found = first_divergence.start_differs(run, other, verified(other))
    assert found is None or (found.step, found.crossings) == (0, [])
    return found and found.cause


def test_equal_runs_do_not_part(run):
    assert cause(run, altered(run)) is None
    assert checks.first_divergence_step(run, run) is None
    assert first_divergence.between((run, run), (verified(run), verified(run))) is None


@pytest.mark.parametrize("parameter", ["fc1.weight", "fc3.bias"])
def test_other_initial_weights_are_named(run, parameter):
    name = f"at/0/weights/{parameter}"
    other = altered(run, **{name: np.nextafter(run.arrays[name], np.float32(1))})
    assert cause(run, other) == f"Other starts from other weights than the reference: {parameter} differs"


def test_another_normalisation_is_told_by_its_line(run):
    pixels = run.arrays["at/0/input"] * 0.5 + 0.5  # what mean 0.5 and std 0.5 undo
    other = altered(run, **{"at/0/input": ((pixels - 0.4999) / 0.5).astype(np.float32)})
    assert cause(run, other) == "Other's input is 1 × the reference's +0.0002: another normalisation"


def test_other_pixels_are_no_other_normalisation(run):
    other = altered(run, **{"at/0/input": run.arrays["at/0/input"][::-1].copy()})
    assert cause(run, other).endswith("sees other pixels than the reference: other data, or another order")


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        (
            "at/0/fc1",
            1.5,
            "the forward pass of Other differs from the reference's: other fc1 from the same weights and in",
        ),
        (
            "at/0/fc2",
            1.5,
            "the forward pass of Other differs from the reference's: other fc2 from the same weights and th",
        ),
        ("at/0/logits", 1.5, "the forward pass of Other differs from the reference's: other logits from the same"),
        ("at/0/loss", 2.0, "Other's loss is 2 times the reference's, from the same logits"),
        ("at/0/gradient/fc2.weight", 0.5, "Other's gradient of fc2.weight is 0.5 times the reference's, from the same"),
    ],
)
def test_the_first_quantity_that_differs_is_named(run, name, factor, expected):
    assert cause(run, altered(run, **{name: run.arrays[name] * np.float32(factor)})).startswith(expected)


def test_a_factor_that_does_not_make_the_one_of_the_other_is_not_said(run):
    gradient = run.arrays["at/0/gradient/fc2.weight"].copy()
    gradient[1] *= 3
    told = cause(run, altered(run, **{"at/0/gradient/fc2.weight": gradient}))
    assert told.endswith("from the same loss; no one factor leads from one to the other")


def updated(run, factors):
    """The first update of each tensor, times its factor."""
    return {
        f"at/1/weights/{name}": run.arrays[f"at/0/weights/{name}"]
        + np.float32(factors(name)) * (run.arrays[f"at/1/weights/{name}"] - run.arrays[f"at/0/weights/{name}"])
        for name in weight_shapes(CONFIGURATION.training)
    }


def test_another_rate_is_told_by_its_factor(run):
    told = cause(run, altered(run, **updated(run, lambda _name: 1.01)))
    assert told.startswith("Other's first update of all tensors is 1.0")
    assert told.endswith(" times the reference's, from the same weights and the same gradients: another rate")


def test_an_update_of_one_tensor_is_no_other_rate(run):
    told = cause(run, altered(run, **updated(run, lambda name: 0 if name == "fc3.bias" else 1)))
    assert told.startswith("Other's first update of fc3.bias is 0 times the reference's, from the same weights and")
    assert "another rate" not in told


def test_an_update_that_no_factor_explains_is_said_to_be_so(run):
    name = "at/1/weights/fc2.weight"
    moved = run.arrays[name].copy()
    moved[2, 3] += 1e-3
    told = cause(run, altered(run, **{name: moved}))
    assert told.endswith("no one factor leads from one to the other")


def test_where_there_is_no_relu_no_cause_is_named(run, tmp_path):
    tanh = made(tmp_path / "tanh", CONFIGURATION.but(activation="tanh"))
    losses = tanh.step_losses.copy()
    losses[5:] += 1
    found = first_divergence.between((tanh, altered(tanh, step_losses=losses)), (None, None))
    assert (found.step, found.crossings) == (5, [])
    assert found.cause.startswith("why was not found: this network has no ReLU")


def test_a_loss_has_diverged_when_it_differs_by_more_than_a_few_units(run):
    losses = run.step_losses.copy()
    unit = np.spacing(losses.max().astype(np.float32))
    losses[11] += checks.DIVERGED_ULPS * unit
    losses[17] += (checks.DIVERGED_ULPS + 2) * unit
    assert checks.first_divergence_step(run, altered(run, step_losses=losses)) == 17
    losses[3] = np.nan
    assert checks.first_divergence_step(run, altered(run, step_losses=losses)) == 3


def test_an_input_on_either_side_of_zero_is_found(run):
    """The other run took a unit of step 9 on the other side, wherever the reference's arithmetic has its input."""
    found = verified(run)
    unit, row = 2, 137
    second = next(segment for segment in found.segments if segment.first == 8)
    seen = {}
    segments = first_divergence.segments_of(run.record.framework, run.steps)
    segments.see(second, lambda step, layer, entering, slopes: seen.update({(step, layer): (entering, slopes > 0)}))
    value, passes = (values[row, unit] for values in seen[9, "fc1"])
    example = int(segments.replay.batch(9)[row])
    crossing = Crossing(Unit(9, "fc1", row, unit), example, float(value), not passes, 0.0)
    crossed = dataclasses.replace(second, crossings=[crossing])
    others = [crossed if segment is second else segment for segment in found.segments]
    losses = run.step_losses.copy()
    losses[11:] += 1
    after = {f"at/16/weights/{name}": values * np.float32(1.001) for name, values in run.at(16, "weights").items()}
    pair = run, altered(run, step_losses=losses, **after)
    told = first_divergence.between(pair, (found, dataclasses.replace(found, segments=others)))
    assert told.step == 9
    (seen_crossing,) = told.crossings
    assert seen_crossing == first_divergence.Crossing(
        "fc1", unit, example, (float(value), float(value)), (bool(passes), not passes)
    )
    assert f"fc1, unit {unit}, training image {example}. " in told.cause
    names = ("Reference", "Other") if passes else ("Other", "Reference")
    assert f"{names[0]} passes the gradient of that image on, {names[1]} stops it" in told.cause


def test_a_divergence_without_a_crossing_says_that_no_cause_was_found(run):
    losses = run.step_losses.copy()
    losses[5:] += 1
    found = verified(run)
    told = first_divergence.between((run, altered(run, step_losses=losses)), (found, found))
    assert (told.step, told.crossings) == (5, [])
    assert told.cause.startswith("no ReLU's input had crossed zero before")
