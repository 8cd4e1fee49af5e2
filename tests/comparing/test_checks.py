"""The judge, on runs of the reference that take a second, and on what has been done to them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from shared.comparing import checks
from shared.comparing.checks import difference
from shared.configuration import Configuration
from shared.network import initial_weights, perturb
from shared.reference.__main__ import load
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import runner
from shared.running.record import Run, read_run
from shared.system.files import save_tensors

CONFIGURATION = Configuration.of(epochs=1, batch_size=2_000, hidden_sizes=(6, 5), dtype="float64")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The reference plainly, and its two rounding runs, through the same door as any framework."""
    folder = tmp_path_factory.mktemp("runs")
    save_tensors(folder / "perturbed.safetensors", perturb(initial_weights(CONFIGURATION.training)))
    ways = {
        "plain": (load, []),
        "perturbed": (load, ["--weights", str(folder / "perturbed.safetensors")]),
        "reordered": (load_reordered, []),
    }
    for name, (how, more) in ways.items():
        options = [*CONFIGURATION.options(), "--out", str(folder / name), *more]
        assert runner.main("Reference", how, options) == 0
    return {name: read_run(folder / name) for name in ways}


def named(run: Run, framework: str) -> Run:
    return dataclasses.replace(run, record=run.record.model_copy(update={"framework": framework}))


SOUND = SimpleNamespace(reasons=[])


def judge(runs, pytorch=None, tensorflow=None, **verified):
    """Two frameworks: the reference itself and, by rounding alone another, the reordered one."""
    pair = [named(pytorch or runs["plain"], "PyTorch"), named(tensorflow or runs["reordered"], "TensorFlow")]
    verified = {"PyTorch": SOUND, "TensorFlow": SOUND} | verified
    return checks.judge(pair, runs["plain"], [runs["perturbed"], runs["reordered"]], verified)


def changed(run: Run, name: str, change) -> Run:
    """A copy of a run in which `change` was applied to a copy of one of its arrays."""
    where = "weights" if name in run.weights else "arrays"
    arrays = dict(getattr(run, where))
    arrays[name] = arrays[name].copy()
    change(arrays[name])
    return dataclasses.replace(run, **{where: arrays})


def test_runs_that_differ_by_rounding_match(runs):
    verdict = judge(runs)
    assert verdict.match, verdict.reasons
    assert set(verdict.pairs) == {("PyTorch", "TensorFlow"), ("PyTorch", "Reference"), ("TensorFlow", "Reference")}
    for judged in verdict.pairs.values():
        assert [check.name for check in judged] == [
            "input", "fc1", "fc2", "logits", "loss", "gradients", "weights after 1 step", "weights after 8 steps",
            "final weights", "step losses", "test logits", "predictions",
        ]  # fmt: skip


def test_a_run_that_was_not_verified_is_no_match(runs):
    pair = [named(runs["plain"], "PyTorch"), named(runs["reordered"], "TensorFlow")]
    verdict = checks.judge(pair, runs["plain"], [runs["perturbed"]], {"PyTorch": SOUND})
    assert verdict.reasons == ["TensorFlow's run was not verified"]


def test_what_was_found_wrong_of_a_run_is_said_and_whose_it_is(runs):
    wrong = SimpleNamespace(reasons=["PyTorch's steps 8 to 63 are not what they must be"])
    verdict = judge(runs, PyTorch=wrong)
    assert (verdict.match, verdict.reasons, verdict.odd_one_out) == (False, wrong.reasons, "PyTorch")
    assert judge(runs, PyTorch=wrong, TensorFlow=wrong).odd_one_out is None
    assert judge(runs).odd_one_out is None


def test_the_noise_floor_is_a_few_units_in_the_last_place(runs):
    floors = checks.noise_floors(runs["plain"], [runs["perturbed"], runs["reordered"]])
    for check in checks.checks_of(CONFIGURATION.training):
        for found in check.compare(runs["plain"], runs["reordered"]):
            # Three times the largest that was measured over seeds 0 to 9 of this configuration: 50, in the gradients.
            assert found.unit <= floors[check.name][found.tensor] <= 150 * found.unit, found.tensor


def test_each_tensor_has_its_own_floor(runs):
    floors = checks.noise_floors(runs["plain"], [runs["perturbed"], runs["reordered"]])["gradients"]
    assert len(set(floors.values())) > 1
    (result,) = (r for r in judge(runs).pairs["PyTorch", "TensorFlow"] if r.check is checks.GRADIENTS)
    factors = {d.tensor: d.absolute / floors[d.tensor] for d in result.tensors}
    assert result.difference.tensor == max(factors, key=factors.get)
    assert result.factor == max(factors.values())
    assert result.floor == floors[result.difference.tensor]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["step_losses", "fc1.bias", "test_logits"])
@pytest.mark.parametrize("sides", [("pytorch",), ("tensorflow",), ("pytorch", "tensorflow")])
def test_a_number_that_is_not_one_is_never_a_match(runs, sides, name, bad):
    def spoil(values):
        values.flat[-1] = bad

    run = changed(runs["plain"], name, spoil)
    verdict = judge(runs, **dict.fromkeys(sides, run))
    assert not verdict.match
    assert len(verdict.reasons) == len(sides)


def test_a_diverged_run_says_at_which_step(runs):
    def spoil(values):
        values[7:] = np.nan

    reasons = judge(runs, pytorch=changed(runs["plain"], "step_losses", spoil)).reasons
    assert reasons == ["PyTorch: the loss is nan from step 7"]


def with_record(run: Run, **update) -> Run:
    return dataclasses.replace(run, record=run.record.model_copy(update=update))


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (
            {"training": CONFIGURATION.but(learning_rate=0.0101).training},
            "were trained differently: learning_rate 0.01 and 0.0101",
        ),
        ({"training": CONFIGURATION.but(seed=1).training}, "were trained differently: seed 0 and 1"),
        ({"data_checksum": {"train": "x", "test": "y"}}, "different test data"),
        ({"order_checksums": ["x"]}, "the examples of epoch 1 in different orders"),
    ],
)
def test_unequal_inputs_are_named_before_anything_is_compared(runs, update, reason):
    verdict = judge(runs, tensorflow=with_record(runs["plain"], **update))
    assert any(reason in found for found in verdict.reasons)
    assert not verdict.pairs


def test_another_device_is_no_other_input(runs):
    execution = CONFIGURATION.but(device="cuda").execution
    pair = [named(with_record(runs["plain"], execution=execution), name) for name in ("PyTorch", "TensorFlow")]
    verified = {"PyTorch": SOUND, "TensorFlow": SOUND}
    assert checks.judge(pair, runs["plain"], [runs["perturbed"], runs["reordered"]], verified).match


def test_a_missing_step_is_named(runs):
    short = dataclasses.replace(runs["plain"], arrays={**runs["plain"].arrays, "step_losses": np.ones(29)})
    assert any("different numbers of steps: 29 and 30" in r for r in judge(runs, pytorch=short).reasons)


def test_a_wrong_framework_cannot_widen_the_floor(runs):
    def double(values):
        values *= 2

    wrong = changed(runs["plain"], "step_losses", double)
    (result,) = (r for r in judge(runs, pytorch=wrong).pairs["PyTorch", "Reference"] if r.name == "step losses")
    assert result.factor > 1e10


@pytest.mark.parametrize(
    ("a", "b", "absolute", "ulps"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0, 0),
        ([1.0, 2.0], [1.0, 2.0 + 2**-51], 2**-51, 1),  # the unit at 2 is 2**-51
        ([2.0, 2**-40], [2.0, 0.0], 2**-40, 2**11),  # of the largest magnitude, not of the element's own
        ([1.0], [np.nan], np.inf, np.inf),
        ([np.nan], [np.nan], np.inf, np.inf),
        ([np.inf], [np.inf], np.inf, np.inf),
        ([1.0, 2.0], [1.0], np.inf, np.inf),
    ],
)
def test_difference_by_hand(a, b, absolute, ulps):
    found = difference("t", np.array(a), np.array(b))
    assert (found.absolute, found.ulps) == (absolute, ulps)


def test_difference_across_dtypes_counts_in_the_coarser_units():
    found = difference("t", np.array([1.0], np.float32), np.array([1.0 + 2**-23]))
    assert (found.absolute, found.ulps) == (2**-23, 1)


def test_in_float64_noise_that_grew_is_no_divergence(runs):
    def move(values):
        values += 1e-9

    assert checks.first_divergence_step(changed(runs["plain"], "step_losses", move), runs["plain"]) is None


def test_what_lies_around_a_run_and_differs_is_said(runs):
    assert checks.unequal_surroundings(runs["plain"], named(runs["reordered"], "Other")) == []
    record = runs["plain"].record
    update = {
        "framework": "Other",
        "device": record.device.model_copy(update={"name": "another CPU"}),
        "versions": {"numpy": "1.0", "torch": "2.0"},  # a library of its own is no difference
        "environment": {"MKL_CBWR": "COMPATIBLE"},
    }
    other = dataclasses.replace(runs["plain"], record=record.model_copy(update=update))
    plain = dataclasses.replace(runs["plain"], record=record.model_copy(update={"environment": {"XLA_FLAGS": "--x"}}))
    assert checks.unequal_surroundings(plain, other) == [
        f"Reference and Other differ in device: cpu ({record.device.name}) and cpu (another CPU).",
        f"Reference and Other differ in version of numpy: {np.__version__} and 1.0.",
        "Reference and Other differ in MKL_CBWR: not set and COMPATIBLE.",
        "Reference and Other differ in XLA_FLAGS: --x and not set.",
    ]
