"""One implementation against the reference, in the environment of its framework: `make test` runs this in both.

No tolerance is picked for a number here: two probes agree when they differ by no more than `LIMIT` times what moving
the reference's weights by 1 ulp does, or adding its sums in another order.
"""

import importlib
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from shared import metrics
from shared.comparing.checks import difference
from shared.execution import Execution
from shared.mnist import MNIST, Examples, checksum
from shared.network import initial_weights, perturb, weight_shapes
from shared.normalisation import normalise
from shared.reference import data, model, train
from shared.reference.__main__ import load
from shared.reference.reordered.__main__ import load as load_reordered
from shared.running import batches
from shared.system import cache
from shared.system.output import is_whole
from shared.training import Training
from shared.update_rules import ADAGRAD_INITIAL_ACCUMULATOR, UPDATE_RULES
from tests.faults import DAMAGES, trying
from tests.small_runs import unwatched

pytestmark = pytest.mark.usefixtures("device")
# Two runs that each lie within one noise floor of exact arithmetic lie within two of each other; and the floor itself
# is the largest of a few samples, so twice that.
LIMIT = 4.0


@pytest.fixture(scope="session")
def test_examples():
    return data.read("test")


# Where both hidden layers are as wide, a kernel that was not transposed fits.
WORLDS = {
    "float32": Training(dtype="float32"),
    "float64": Training(dtype="float64"),
    "float64 square": Training(dtype="float64", hidden_sizes=(32, 32)),
    "float64 tanh, 3 layers": Training(dtype="float64", hidden_sizes=(32, 16, 8), activation="tanh"),
    "float64 sigmoid, 1 layer": Training(dtype="float64", hidden_sizes=(16,), activation="sigmoid"),
    "float64 no layers": Training(dtype="float64", hidden_sizes=()),
}


@pytest.fixture(params=["eager", "fast"])
def engine(request, framework, implementation):
    if framework == "reference" and request.param == "fast":
        pytest.skip("the reference has one engine")
    return implementation.engine(request.param)


@pytest.fixture(params=WORLDS)
def world(request, implementation, device, test_examples):
    """The implementation and the reference with the same weights and data, in one dtype."""
    training = WORLDS[request.param]
    initial = initial_weights(training)
    implementation.runtime.configure(Execution(device="cpu"), training.dtype)
    built = implementation.model.build(training, initial, device)
    return SimpleNamespace(
        training=training,
        device=device,
        initial=initial,
        model=built,
        optimizer=implementation.optimizers.make_optimizer(training, built),
        dataset=implementation.data.to_dataset(test_examples, training, device),
        reference=model.build(training, initial, "cpu"),
        perturbed=model.build(training, perturb(initial), "cpu"),
        reference_dataset=data.to_dataset(test_examples, training, "cpu"),
    )


def by_kind(weights):
    return {f"weights/{name}": values for name, values in weights.items()}


def trained_by_the_reference(initial, training, examples, steps, load=load):
    reference = load()
    built = reference.model.build(training, initial, "cpu")
    optimizer = reference.optimizers.make_optimizer(training, built)
    dataset = reference.data.to_dataset(examples, training, "cpu")
    losses = reference.train.train_epoch(built, optimizer, dataset, steps, unwatched(steps))
    kept = reference.optimizers.buffers(training, built, optimizer)
    return {"losses": losses} | by_kind(reference.model.weights(built)) | kept


def outputs_one_after_another(self, inputs):
    """The reference's, each product added to the sum of those before it, as a plain loop does.

    Some libraries add so on some processors. NumPy's own sums are more exact by a digit, in whatever order.
    """
    outputs = []
    for layer in self.layers:
        below = np.maximum(outputs[-1], 0) if outputs else inputs
        products = below[:, np.newaxis] * self.parameters[f"{layer}.weight"]  # (B, out, in)
        outputs.append(products.cumsum(axis=2)[..., -1] + self.parameters[f"{layer}.bias"])
    return outputs


def assert_within_noise(found, expected, *rounding):
    """By kind, as in the checks: all gradients together, all weights together, all buffers of a kind together."""
    assert found.keys() == expected.keys()
    for kind in {name.partition("/")[0] for name in found}:
        names = [name for name in found if name.startswith(kind)]
        gap = max(difference(name, found[name], expected[name]).absolute for name in names)
        floors = [difference(name, expected[name], other[name]) for other in rounding for name in names]
        assert gap <= LIMIT * max(max(floor.absolute, floor.unit) for floor in floors), kind


@pytest.mark.parametrize("split", ["train", "test"])
def test_its_own_loader_delivers_the_canonical_arrays(implementation, split, monkeypatch):
    def uncached(_sources, read):
        return read()

    # Not what an earlier version of the loader may have read and kept.
    monkeypatch.setattr(implementation.data, "cached", uncached, raising=False)
    examples = implementation.data.read(split)
    assert (examples.images.dtype, examples.labels.dtype) == (np.uint8, np.int64)
    assert checksum(*examples) == MNIST.checksums[split]


def test_normalises_all_256_pixel_values_to_the_same_bits(implementation, world):
    pixels = np.zeros((256, MNIST.pixels), np.uint8)
    pixels[:, 0] = np.arange(256)
    dataset = implementation.data.to_dataset(Examples(pixels, np.arange(256)), world.training, world.device)
    expected = normalise(pixels, world.training.numpy_dtype)
    found = np.asarray(dataset.inputs)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.asarray(dataset.labels), np.arange(256))


def test_tells_what_is_on_the_device_now(implementation, world, test_examples):
    dataset = world.dataset
    for given, added in ((dataset, 0), (dataset._replace(inputs=dataset.inputs + 1), 1)):
        inputs, labels = implementation.data.to_arrays(given)
        assert (inputs.dtype, labels.dtype) == (world.training.numpy_dtype, np.int64)
        np.testing.assert_array_equal(inputs, normalise(test_examples.images, world.training.numpy_dtype) + added)
        np.testing.assert_array_equal(labels, test_examples.labels)


def test_weights_go_in_and_come_out_as_the_same_bits(implementation, world):
    found = implementation.model.weights(world.model)
    assert list(found) == list(weight_shapes(world.training))
    for name, values in found.items():
        assert values.dtype == world.training.numpy_dtype
        np.testing.assert_array_equal(values, world.initial[name])


@pytest.mark.parametrize("size", [64, 17, 1])
def test_computes_the_references_activations_logits_loss_and_gradients(implementation, world, size):
    batch = np.arange(size) * 7
    found = implementation.train.probe(world.model, world.dataset, batch)
    assert {values.dtype for values in found.values()} == {world.training.numpy_dtype}
    expected, perturbed = (train.probe(m, world.reference_dataset, batch) for m in (world.reference, world.perturbed))
    np.testing.assert_array_equal(found["input"], expected["input"])
    assert_within_noise(found, expected, perturbed)


def test_trains_as_the_reference_does_short_last_batch_included(implementation, engine, world, test_examples):
    order = batches.epoch_order(0, 0)
    # PyTorch's fast engine takes eight steps at once: one such call, one step, and the short batch.
    steps = batches.split(order[order < 10_000][: 9 * 64 + 17], 64)
    told = []
    engine.warm_up(world.training, world.model, world.optimizer, world.dataset)
    session = unwatched(steps, told.append, world.training)
    losses = engine.train_epoch(world.model, world.optimizer, world.dataset, steps, session)
    assert (len(losses), losses.dtype, told[0]) == (10, world.training.numpy_dtype, 0)
    assert told == sorted(set(told))
    expected, perturbed = (
        trained_by_the_reference(initial, world.training, test_examples, steps)
        for initial in (world.initial, perturb(world.initial))
    )
    assert_within_noise({"losses": losses} | by_kind(implementation.model.weights(world.model)), expected, perturbed)


# Of as many steps as are taken here, so that a rate goes through its whole schedule.
TEN_STEPS = {"epochs": 1, "batch_size": 6_000, "hidden_sizes": (32, 16)}
CHANGES = {"alone": {}, "with all": {"weight_decay": 0.1, "clip_norm": 0.5, "schedule": "cosine"}}
UPDATES = {
    f"{optimizer} {name} {dtype}": Training(optimizer=optimizer, dtype=dtype, **TEN_STEPS, **changes)
    for optimizer in UPDATE_RULES
    for name, changes in CHANGES.items()
    for dtype in ("float32", "float64")
}


@pytest.mark.parametrize("update", UPDATES)
def test_updates_as_the_reference_does(implementation, device, test_examples, engine, update):
    # The last one short: it is of no size that has been compiled.
    training, steps = UPDATES[update], batches.split(np.arange(9 * 64 + 17), 64)
    initial = initial_weights(training)
    examples = Examples(*(array[:640] for array in test_examples))
    implementation.runtime.configure(Execution(device="cpu"), training.dtype)
    built = implementation.model.build(training, initial, device)
    dataset = implementation.data.to_dataset(examples, training, device)
    optimizer = implementation.optimizers.make_optimizer(training, built)
    losses = engine.train_epoch(built, optimizer, dataset, steps, unwatched(steps, training=training))
    kept = implementation.optimizers.buffers(training, built, optimizer)
    found = {"losses": losses} | by_kind(implementation.model.weights(built)) | kept
    # An adaptive rule enlarges the rounding of a gradient near zero, so the one weight whose gradient is nearest to it
    # decides: more runs than two are needed to see how far that goes.
    starts = [initial, *(perturb(initial, draw) for draw in range(4))]
    expected, *rounding = (
        trained_by_the_reference(start, training, examples, steps, how)
        for start in starts
        for how in (load, load_reordered)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.Model, "outputs", outputs_one_after_another)
        rounding.append(trained_by_the_reference(initial, training, examples, steps))
    assert_within_noise(found, expected, *rounding)


@pytest.fixture(params=UPDATE_RULES)
def optimized(request, implementation, device, test_examples):
    """A model, its optimizer, and what takes steps of theirs, on other examples each time."""
    training = Training(optimizer=request.param, dtype="float64", **TEN_STEPS)
    implementation.runtime.configure(Execution(device="cpu"), training.dtype)
    built = implementation.model.build(training, initial_weights(training), device)
    optimizer = implementation.optimizers.make_optimizer(training, built)
    dataset = implementation.data.to_dataset(Examples(*(a[:640] for a in test_examples)), training, device)
    steps = iter(batches.split(np.arange(640), 64))

    def step():
        batch = [next(steps)]
        implementation.train.train_epoch(built, optimizer, dataset, batch, unwatched(batch))

    return SimpleNamespace(training=training, model=built, optimizer=optimizer, step=step)


def test_keeps_nothing_of_gradients_before_the_first_step(implementation, optimized):
    training = optimized.training
    found = implementation.optimizers.buffers(training, optimized.model, optimized.optimizer)
    names = [
        f"{buffer}/{name}" for buffer in UPDATE_RULES[training.optimizer].buffers for name in weight_shapes(training)
    ]
    assert list(found) == names
    for name, values in found.items():
        assert values.shape == weight_shapes(training)[name.partition("/")[2]]
        start = ADAGRAD_INITIAL_ACCUMULATOR if training.optimizer == "adagrad" else 0
        np.testing.assert_array_equal(values, np.full_like(values, start, dtype=training.dtype), strict=True)


def library_keeps(framework, optimized):
    """All tensors of a weight's shape that the library's own optimizer holds, in the interchange form."""
    optimizer = optimized.optimizer
    if framework == "pytorch":
        kept = [tensor for state in optimizer.state.values() for tensor in state.values() if tensor is not None]
        return [tensor.numpy() for tensor in kept if tensor.ndim]  # the count of steps has no dimension
    return [variable.numpy().T for variable in optimizer.variables if len(variable.shape)]  # nor here, nor the rate


def test_what_the_library_keeps_is_found_all_of_it_and_copied(framework, implementation, optimized):
    if framework == "reference":
        pytest.skip("the reference is no library")

    def buffers():
        return implementation.optimizers.buffers(optimized.training, optimized.model, optimized.optimizer)

    optimized.step()
    first = buffers()
    before = {name: values.copy() for name, values in first.items()}
    for _ in range(3):
        optimized.step()
    found = buffers()
    kept = library_keeps(framework, optimized)
    assert sorted(v.tobytes() for v in found.values()) == sorted(np.ascontiguousarray(v).tobytes() for v in kept)
    assert all(np.any(values) for values in found.values())
    for name, values in first.items():
        np.testing.assert_array_equal(values, before[name])  # no later step has changed it
        assert not np.array_equal(found[name], values)


def test_loss_is_the_mean_cross_entropy_before_the_update(implementation, world, test_examples):
    batch = np.arange(64)
    logits = implementation.train.probe(world.model, world.dataset, batch)["logits"]
    (loss,) = implementation.train.train_epoch(world.model, world.optimizer, world.dataset, [batch], unwatched([batch]))
    by_hand = metrics.cross_entropy(logits, test_examples.labels[batch])
    assert abs(loss - by_hand) <= 4 * np.spacing(world.training.numpy_dtype.type(by_hand))


def test_looking_changes_nothing(implementation, world):
    implementation.train.predict(world.model, world.dataset.inputs)
    implementation.train.probe(world.model, world.dataset, np.arange(64))
    for name, values in implementation.model.weights(world.model).items():
        np.testing.assert_array_equal(values, world.initial[name])

    steps = batches.split(np.arange(640), 64)
    fresh = implementation.model.build(world.training, world.initial, world.device)
    optimizer = implementation.optimizers.make_optimizer(world.training, fresh)
    unseen = implementation.train.train_epoch(fresh, optimizer, world.dataset, steps, unwatched(steps))
    seen = implementation.train.train_epoch(world.model, world.optimizer, world.dataset, steps, unwatched(steps))
    np.testing.assert_array_equal(seen, unseen)


def test_predicts_all_test_images_as_the_reference_does(implementation, world):
    found = implementation.train.predict(world.model, world.dataset.inputs)
    expected, perturbed = (train.predict(m, world.reference_dataset.inputs) for m in (world.reference, world.perturbed))
    assert_within_noise({"logits": found}, {"logits": expected}, {"logits": perturbed})


def test_describes_itself(implementation, world):
    device = implementation.runtime.describe(world.device)
    assert device.type == "cpu"
    assert device.name
    assert all(implementation.runtime.versions().values())


def test_knows_when_memory_ran_out(framework, implementation, device):
    if framework == "reference":
        # More than any machine has: 4 PB.
        def take():
            np.ones(2**50, np.float32)
    else:
        library = importlib.import_module({"pytorch": "torch", "tensorflow": "tensorflow"}[framework])

        def take():
            library.ones([2**50])

    with pytest.raises(Exception) as raised:  # noqa: PT011 which one it is differs, and is what is asked
        take()
    assert implementation.runtime.ran_out_of_memory(raised.value), raised.value
    assert not implementation.runtime.ran_out_of_memory(ValueError("a shape is wrong"))


@pytest.fixture
def copied(framework, implementation, device, own_cache, monkeypatch):
    """A copy of what the framework's own loader has prepared, from which it is made again: TFDS takes half a minute."""
    kind = {"pytorch": "extracted", "tensorflow": "tensorflow_datasets"}.get(framework)
    if not kind:
        pytest.skip("the reference prepares nothing")
    implementation.data.read("test")
    entry = cache.find(kind, "mnist")
    good = own_cache.parent / "good"
    entry.rename(good)
    if framework == "tensorflow":
        monkeypatch.setattr(
            implementation.data, "_prepare", lambda folder: shutil.copytree(good, folder, dirs_exist_ok=True)
        )
    shutil.copytree(good, entry)
    return entry


def test_a_prepared_copy_that_is_damaged_is_made_again(implementation, copied, capsys):
    files = [path for path in copied.rglob("*") if path.is_file()]
    for path in files:
        for damage in DAMAGES.values():
            with trying("a damaged copy of MNIST"):
                damage(path)
                assert checksum(*implementation.data.read("test")) == MNIST.checksums["test"]
                assert f"{copied} is damaged: it is made again\n" in capsys.readouterr().err
                assert is_whole(copied)
    assert len(files) >= 4


@pytest.mark.parametrize(("optimizer", "on_a_gpu"), [("sgd", True), ("adam", False), ("adagrad", False)])
def test_pytorchs_update_is_fused_where_that_is_exact(framework, implementation, optimizer, on_a_gpu):
    """On a GPU the fused Adam takes 1 - beta in float32, and there is no fused Adagrad."""
    if framework != "pytorch":
        pytest.skip("PyTorch alone has fused updates")
    training = Training(optimizer=optimizer)
    for device, fused in (("cpu", True), ("meta", on_a_gpu)):
        model = implementation.model.build(training, initial_weights(training), device)
        assert implementation.optimizers.make_optimizer(training, model).defaults["fused"] == fused
