"""docs/differences.md against the installed libraries, in the environment of each: `make test` runs this in both."""

import functools
import importlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from library_defaults import formulas, probing, table, update_rules
from library_defaults.rows import ROWS
from shared.contract import FRAMEWORKS
from tests.conftest import ROOT

COMMITTED = json.loads(table.JSON_FILE.read_text(encoding="utf-8"))
KEYS = [row.key for row in ROWS]
DIFFERING = [row for row in ROWS if table.differs(row, COMMITTED)]


@pytest.fixture(scope="session")
def measured(name):
    """What the probes measure, in a process where nothing else has set a switch."""
    command = [sys.executable, "-m", table.PROBES[name]]
    return json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    )


@pytest.fixture(scope="session")
def probes(name):
    return probing.probes(importlib.import_module(f"{table.PROBES[name]}.__main__").MODULES)


def assert_as_committed(name, key, value):
    """Both as JSON holds them: a tuple is a list."""
    found, committed = json.loads(json.dumps(value)), COMMITTED[name]["values"][key]
    assert found == committed, (
        f"{key}: {name} now has {found}, docs/differences.json {committed}: "
        f"regenerate with {table.COMMAND} after checking what it means for the twins and the rows"
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_installed_library_does_what_the_table_says(name, measured, key):
    assert key not in measured["unrecognised"], f"{key}: {measured['unrecognised'][key]}"
    assert_as_committed(name, key, measured["values"][key])


def test_the_table_names_the_installed_versions(name, measured):
    assert measured["versions"] == COMMITTED[name]["versions"], f"regenerate with {table.COMMAND}"


def test_every_row_has_a_probe_and_every_probe_a_row_in_the_same_order(name, probes):
    assert list(probes) == KEYS
    assert list(COMMITTED[name]["values"]) == KEYS


def test_the_page_is_made_of_the_rows_and_the_measurements():
    assert table.MARKDOWN_FILE.read_text(encoding="utf-8") == table.markdown(COMMITTED)


def test_the_page_names_every_row_its_values_and_what_to_do():
    page = table.markdown(COMMITTED)
    for row in ROWS:
        assert f"| {row.item} |" in page
        assert row.curve in page
        assert "|" not in row.item + row.curve + row.pytorch + row.keras, "it would end the cell"
    for row in DIFFERING:
        assert f"| `{row.pytorch}` | `{row.keras}` |" in page
    assert f"{len(DIFFERING)} differ, and [{len(ROWS) - len(DIFFERING)} are the same]" in page


def test_the_page_notices_another_value():
    altered = json.loads(json.dumps(COMMITTED))
    altered["PyTorch"]["values"]["adam_learning_rate"] = 0.002
    page = table.markdown(altered)
    assert "| Adam: learning rate | 0.002 | 0.001 |" in page
    assert f"{len(DIFFERING) + 1} differ" in page


def test_code_for_what_differs_and_for_nothing_else():
    assert [row for row in ROWS if row.pytorch] == DIFFERING
    assert [row for row in ROWS if row.keras] == DIFFERING


@pytest.mark.parametrize("damage", ["missing", "extra", "unrecognised"])
def test_an_incomplete_measurement_is_refused(damage):
    altered = json.loads(json.dumps(COMMITTED))
    if damage == "missing":
        del altered["TensorFlow"]["values"]["adam_epsilon"]
    elif damage == "extra":
        altered["TensorFlow"]["values"]["adam_epsilon_of_old"] = 1
    else:
        altered["TensorFlow"]["unrecognised"]["adam_epsilon"] = "7 is neither"
    table.check(COMMITTED)
    with pytest.raises(table.InputError, match=r"^adam_epsilon.*TensorFlow"):
        table.check(altered)


def test_probes_that_die_leave_the_page_as_it_was(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(table, "MARKDOWN_FILE", tmp_path / "page.md")
    monkeypatch.setitem(table.PROBES, "PyTorch", "no_such_package")
    with pytest.raises(table.InputError, match="no_such_package ended with status 1"):
        table.main()
    assert not list(tmp_path.iterdir())


# --- A library that changes: declared defaults and behaviours, in each framework. ---


def defaulting(function, **options):
    """The same function with other defaults."""
    return functools.partial(function, **options)


def recurrent_layers_that_changed(nn):
    """For each row of them, what takes the place of what in PyTorch, as below."""

    class OneBiasLearns:
        def __init__(self, *sizes, **options):
            super().__init__(*sizes, **options)
            self.bias_hh_l0.requires_grad_(False)

    class LSTM(OneBiasLearns, nn.LSTM):
        pass

    class GRU(OneBiasLearns, nn.GRU):
        pass

    class UpdateFirst(nn.GRU):
        def load_state_dict(self, weights):
            super().load_state_dict({name: w[[2, 3, 0, 1, 4, 5]] for name, w in weights.items()})

    return {
        "lstm_biases_in_training": (nn, "LSTM", LSTM),
        "gru_biases_in_training": (nn, "GRU", GRU),
        "gru_bias_layout": (nn, "GRU", defaulting(nn.GRU, bias=False)),
        "gru_gate_order": (nn, "GRU", UpdateFirst),
    }


def training_that_changed(torch):
    """For each row of it, what takes the place of what in PyTorch, as below."""
    nn, F, optim = torch.nn, torch.nn.functional, torch.optim

    class MeanOfTwo(optim.SGD):
        def step(self):
            for weight in self.param_groups[0]["params"]:
                weight.grad /= 2
            super().step()

    def clipping_each(weights, limit):
        nn.utils.clip_grads_with_norm_(weights, limit, torch.tensor(update_rules.OCCURRENCES**0.5))

    def halving_by_itself(optimizer, factor):
        optimizer.register_step_post_hook(lambda *_: optimizer.param_groups[0].update(lr=0.25))

    def mean_over_all(ignore_index):
        return lambda logits, labels: F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum") / 3

    return {
        "clipping_repeated_token": (nn.utils, "clip_grad_norm_", clipping_each),
        "accumulated_gradients": (optim, "SGD", MeanOfTwo),
        "schedule_unit": (optim.lr_scheduler, "ExponentialLR", halving_by_itself),
        "masked_mean": (nn, "CrossEntropyLoss", mean_over_all),
    }


def pytorch_that_changed():
    """For each row, what takes the place of what in PyTorch: (owner, name, replacement)."""
    torch = importlib.import_module("torch")
    nn, F, optim = torch.nn, torch.nn.functional, torch.optim
    v2 = importlib.import_module("torchvision.transforms.v2")
    binary_cross_entropy, interpolate, mean = F.binary_cross_entropy, F.interpolate, torch.mean
    truncated = nn.init.trunc_normal_

    class FromZero(nn.Conv1d):
        def reset_parameters(self):
            nn.init.zeros_(self.weight)
            nn.init.zeros_(self.bias)

    class Orthogonal(nn.LSTM):
        def reset_parameters(self):
            nn.init.orthogonal_(self.weight_hh_l0)

    class LearnsByItself(nn.Linear):
        def __init__(self, *sizes, **options):
            super().__init__(*sizes, **options)
            self.weight.register_post_accumulate_grad_hook(self.learn)

        def learn(self, weight):
            weight.detach().sub_(0.01 * weight.grad)

    def clamp_that_includes_the_limits(x, low, high):
        return torch.where((low <= x) & (x <= high), x, x.clamp(low, high))

    return {
        "convolution_kernel_initialiser": (nn, "Conv1d", FromZero),
        "convolution_bias_initialiser": (nn, "Conv1d", FromZero),
        "truncated_normal_limit": (nn.init, "trunc_normal_", lambda w, std: truncated(w, 0, std, -2 * std, 2 * std)),
        "he_normal": (
            nn.init,
            "kaiming_normal_",
            lambda w: truncated(w) * (2 / formulas.FAN_IN) ** 0.5 / formulas.TRUNCATED_DEVIATION,
        ),
        "lstm_recurrent_kernel": (nn, "LSTM", Orthogonal),
        **recurrent_layers_that_changed(nn),
        "average_pooling_padding": (nn, "AvgPool1d", defaulting(nn.AvgPool1d, count_include_pad=False)),
        "group_norm_epsilon": (nn, "GroupNorm", defaulting(nn.GroupNorm, eps=0.5)),
        "leaky_relu_layer": (nn, "LeakyReLU", defaulting(nn.LeakyReLU, negative_slope=0.5)),
        "gelu_function": (F, "gelu", defaulting(F.gelu, approximate="tanh")),
        "gelu_activation": (nn, "GELU", defaulting(nn.GELU, approximate="tanh")),
        "gelu_dtype": (F, "gelu", lambda x: x * (1 + torch.erf(x * float(np.float32(0.5**0.5)))) / 2),
        "maximum_gradient": (torch, "maximum", lambda x, y: torch.where(x >= y, x, y)),
        "clip_gradient": (torch, "clamp", clamp_that_includes_the_limits),
        "norm_gradient": (torch.linalg, "norm", lambda x: x.square().sum().sqrt()),
        "sgd_learning_rate": (optim, "SGD", defaulting(optim.SGD, lr=0.5)),
        "adadelta_learning_rate": (optim, "Adadelta", defaulting(optim.Adadelta, lr=0.5)),
        "adadelta_smoothing": (optim, "Adadelta", defaulting(optim.Adadelta, rho=0.5)),
        "adadelta_epsilon": (optim, "Adadelta", defaulting(optim.Adadelta, eps=0.5)),
        "adamax_learning_rate": (optim, "Adamax", defaulting(optim.Adamax, lr=0.5)),
        "adamax_epsilon": (optim, "Adamax", defaulting(optim.Adamax, eps=0.5)),
        "default_optimizer": (nn, "Linear", LearnsByItself),
        "binary_cross_entropy_of_a_certain_mistake": (
            F,
            "binary_cross_entropy",
            lambda p, labels: binary_cross_entropy(p.clamp(1e-7, 1), labels),
        ),
        "kl_divergence_mean": (nn, "KLDivLoss", defaulting(nn.KLDivLoss, reduction="batchmean")),
        "nearest_resize": (F, "interpolate", lambda x, size, mode: interpolate(x, size=size, mode=f"{mode}-exact")),
        **training_that_changed(torch),
        "linear_resize": (F, "interpolate", defaulting(interpolate, align_corners=True)),
        "resizing_layer": (v2, "Resize", defaulting(v2.Resize, antialias=False)),
        "mean_of_integers": (torch, "mean", lambda integers: mean(integers.double())),
    }


def tensorflow_that_changed():
    """For each row, what takes the place of what in Keras and TensorFlow: (owner, name, replacement)."""
    keras, tf = importlib.import_module("keras"), importlib.import_module("tensorflow")
    layers, losses, optimizers = keras.layers, keras.losses, keras.optimizers
    maximum, mean, pooling, divergence = tf.maximum, tf.reduce_mean, layers.AveragePooling1D, losses.KLDivergence
    initializers, schedules, sgd = keras.initializers, optimizers.schedules, optimizers.SGD
    truncated = initializers.TruncatedNormal

    class OfDense:
        def apply(self, gradients, weights):
            super().apply([tf.convert_to_tensor(gradient) for gradient in gradients], weights)

    class DenseAdam(OfDense, optimizers.Adam):
        pass

    class DenseSGD(OfDense, optimizers.SGD):
        pass

    class ResetFirst(layers.GRU):
        def set_weights(self, weights):
            super().set_weights([kernel[:, [2, 3, 0, 1, 4, 5]] for kernel in weights])

    def uniform(fan_in):
        return initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)

    def summing(rate, gradient_accumulation_steps):
        return sgd(rate * gradient_accumulation_steps, gradient_accumulation_steps=gradient_accumulation_steps)

    def pooling_that_counts_zeros(size, strides, padding):
        return lambda places: pooling(size, strides=strides)(tf.pad(places, ((0, 0), (1, 1), (0, 0))))

    def clipping_within_the_limits(x, low, high):
        return tf.where((low < x) & (x < high), x, tf.constant(low, x.dtype))

    def resizing_by_places(image, size, method):
        return tf.gather(image, tf.range(size[1]) * image.shape[2] // size[1], axis=2)

    return {
        "convolution_kernel_initialiser": (layers, "Conv1D", defaulting(layers.Conv1D, kernel_initializer="zeros")),
        "convolution_bias_initialiser": (
            layers,
            "Conv1D",
            defaulting(layers.Conv1D, bias_initializer=uniform(formulas.KERNEL * formulas.FAN_IN)),
        ),
        "lstm_recurrent_kernel": (
            layers,
            "LSTM",
            defaulting(layers.LSTM, recurrent_initializer=uniform(formulas.RECURRENT_UNITS)),
        ),
        "truncated_normal_limit": (
            initializers,
            "TruncatedNormal",
            lambda stddev: truncated(stddev=stddev / formulas.TRUNCATED_DEVIATION),
        ),
        "he_normal": (
            initializers,
            "HeNormal",
            lambda: initializers.VarianceScaling(2, "fan_in", "untruncated_normal"),
        ),
        "lstm_biases_in_training": (optimizers, "SGD", lambda rate: sgd(2 * rate)),
        "gru_biases_in_training": (optimizers, "SGD", lambda rate: sgd(rate / 2)),
        "gru_bias_layout": (layers, "GRU", defaulting(layers.GRU, reset_after=False)),
        "gru_gate_order": (layers, "GRU", ResetFirst),
        "gru_reset": (layers, "GRU", defaulting(layers.GRU, reset_after=False)),
        "average_pooling_padding": (layers, "AveragePooling1D", pooling_that_counts_zeros),
        "group_norm_epsilon": (layers, "GroupNormalization", defaulting(layers.GroupNormalization, epsilon=0.5)),
        "leaky_relu_layer": (layers, "LeakyReLU", defaulting(layers.LeakyReLU, negative_slope=0.5)),
        "gelu_function": (keras.ops, "gelu", defaulting(keras.ops.gelu, approximate=False)),
        "gelu_activation": (tf.nn, "gelu", defaulting(tf.nn.gelu, approximate=True)),
        "gelu_dtype": (keras.activations, "gelu", lambda x: x * (1 + tf.math.erf(x * 0.5**0.5)) / 2),
        "maximum_gradient": (tf, "maximum", lambda x, y: (maximum(x, y) + maximum(y, x)) / 2),
        "clip_gradient": (tf, "clip_by_value", clipping_within_the_limits),
        "norm_gradient": (tf, "norm", lambda x: tf.sqrt(maximum(tf.reduce_sum(x**2), 1e-30))),
        "sgd_learning_rate": (optimizers, "SGD", defaulting(optimizers.SGD, learning_rate=0.5)),
        "adam_repeated_token": (optimizers, "Adam", DenseAdam),
        "clipping_repeated_token": (optimizers, "SGD", DenseSGD),
        "accumulated_gradients": (optimizers, "SGD", summing),
        "schedule_unit": (schedules, "ExponentialDecay", lambda rate, *_: rate),
        "adadelta_learning_rate": (optimizers, "Adadelta", defaulting(optimizers.Adadelta, learning_rate=0.5)),
        "adadelta_smoothing": (optimizers, "Adadelta", defaulting(optimizers.Adadelta, rho=0.5)),
        "adadelta_epsilon": (optimizers, "Adadelta", defaulting(optimizers.Adadelta, epsilon=0.5)),
        "adamax_learning_rate": (optimizers, "Adamax", defaulting(optimizers.Adamax, learning_rate=0.5)),
        "adamax_epsilon": (optimizers, "Adamax", defaulting(optimizers.Adamax, epsilon=0.5)),
        "default_optimizer": (
            keras.Model,
            "compile",
            functools.partialmethod(keras.Model.compile, optimizer="sgd"),
        ),
        "binary_cross_entropy_of_a_certain_mistake": (
            losses,
            "binary_crossentropy",
            lambda labels, p: -mean(maximum(tf.math.log(p), -100.0) * labels),
        ),
        "kl_divergence_mean": (
            losses,
            "KLDivergence",
            lambda: lambda true, predicted: divergence()(true, predicted) / true.shape[1],
        ),
        "nearest_resize": (tf.image, "resize", resizing_by_places),
        "masked_mean": (
            losses,
            "SparseCategoricalCrossentropy",
            defaulting(losses.SparseCategoricalCrossentropy, reduction="mean_with_sample_weight"),
        ),
        "linear_resize": (tf.image, "resize", defaulting(tf.image.resize, antialias=True)),
        "resizing_layer": (layers, "Resizing", defaulting(layers.Resizing, antialias=True)),
        "mean_of_integers": (tf, "reduce_mean", lambda integers: mean(tf.cast(integers, tf.float64))),
    }


def altered_shuffling(monkeypatch, name):
    if name == "PyTorch":
        module = importlib.import_module("library_defaults.pytorch.training")
        monkeypatch.setattr(module, "DataLoader", defaulting(module.DataLoader, shuffle=True))
    else:
        library = importlib.import_module("keras")
        monkeypatch.setattr(library.Model, "fit", functools.partialmethod(library.Model.fit, shuffle=False))


def altered_adam_epsilon_place(monkeypatch, name):
    """Each framework's Adam, made to add ε where the other's does."""
    if name == "PyTorch":
        library = importlib.import_module("torch.optim")

        class OtherAdam(library.Adam):
            def step(self):
                group = self.param_groups[0]
                taken = sum(int(state["step"]) for state in self.state.values())
                group["eps"] = update_rules.EPSILON / (1 - group["betas"][1] ** (taken + 1)) ** 0.5
                super().step()

        monkeypatch.setattr(library, "Adam", OtherAdam)
    else:
        library = importlib.import_module("keras.optimizers")

        class OtherAdam(library.Adam):
            def apply(self, *arguments):
                self.epsilon = update_rules.EPSILON * (1 - self.beta_2 ** (int(self.iterations) + 1)) ** 0.5
                super().apply(*arguments)

        monkeypatch.setattr(library, "Adam", OtherAdam)


def assert_noticed(name, key, probe):
    with pytest.raises(AssertionError, match=f"^{key}: {name} now has .* regenerate with make differences"):
        assert_as_committed(name, key, probe())


@pytest.mark.parametrize("alter", [altered_shuffling, altered_adam_epsilon_place])
def test_a_library_that_changes_is_noticed_by_row(name, probes, monkeypatch, alter):
    key = alter.__name__.removeprefix("altered_")
    assert_as_committed(name, key, probes[key]())
    alter(monkeypatch, name)
    assert_noticed(name, key, probes[key])


def test_what_changes_in_one_place_is_noticed_by_row(name, probes, monkeypatch):
    changed = {"PyTorch": pytorch_that_changed, "TensorFlow": tensorflow_that_changed}[name]()
    for key, change in changed.items():
        assert_as_committed(name, key, probes[key]())
        with monkeypatch.context() as patched:
            patched.setattr(*change)
            assert_noticed(name, key, probes[key])


def test_with_epsilon_moved_each_framework_is_the_other(name, probes, monkeypatch):
    altered_adam_epsilon_place(monkeypatch, name)
    (other,) = set(FRAMEWORKS) - {name}
    assert_as_committed(other, "adam_epsilon_place", probes["adam_epsilon_place"]())


def test_what_no_formula_describes_is_no_row(name, probes, monkeypatch, capsys):
    library = importlib.import_module({"PyTorch": "torch.optim", "TensorFlow": "keras.optimizers"}[name])
    option = {"PyTorch": "dampening", "TensorFlow": "nesterov"}[name]
    value = {"PyTorch": 0.25, "TensorFlow": True}[name]
    monkeypatch.setattr(library, "SGD", defaulting(library.SGD, **{option: value}))
    with pytest.raises(probing.UnrecognisedError, match=r"is none of outside: .*, inside: "):
        probes["sgd_momentum"]()
    two = {key: probes[key] for key in ("sgd_momentum", "adam_epsilon")}
    monkeypatch.setattr(probing, "probes", lambda _modules: two)
    assert probing.main({"library": "1.2+cu130"}, ()) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["versions"] == {"library": "1.2"}
    assert printed["unrecognised"].keys() == {"sgd_momentum"}
    assert printed["values"].keys() == {"adam_epsilon"}


# --- What probes are made with. ---


def test_recognises_one_candidate_or_none():
    candidates = {"one": [1.0, 2.0], "other": [1.0, 2.5], "twin": [1.0, 2.5 + 1e-9], "zero": [0.0, 0.0]}
    assert probing.recognise([1.0, 2.0 + 1e-9], candidates) == "one"
    assert probing.recognise([0.0, 0.0], candidates) == "zero"
    for measured, message in {(1.0, 2.1): "none of one, other", (1.0, 2.5): "other and twin", (1.0,): "none"}.items():
        with pytest.raises(probing.UnrecognisedError, match=message):
            probing.recognise(measured, candidates)
    for not_a_number in (np.nan, np.inf):
        with pytest.raises(probing.UnrecognisedError, match="none of"):
            probing.recognise([1.0, not_a_number], candidates)


def test_a_program_that_fails_measures_nothing():
    with pytest.raises(probing.UnrecognisedError, match=r"no_such_module ended with status 1, and said: .*No module"):
        probing.printed_by("library_defaults.no_such_module")


def test_a_default_must_exist():
    assert probing.default(lambda rate=0.5: rate, "rate") == 0.5
    for parameter in ("needed", "unknown"):
        with pytest.raises(probing.UnrecognisedError, match=parameter):
            probing.default(lambda needed: needed, parameter)


@pytest.mark.parametrize("draw", ["wider", "normal", "shifted"])
def test_a_distribution_is_more_than_its_bounds(draw):
    rng = np.random.default_rng(0)
    shape, bound = (formulas.FAN_IN, formulas.FAN_OUT), formulas.FAN_IN**-0.5
    uniform = rng.uniform(-bound, bound, shape)
    assert formulas.distribution(uniform, *shape) == "U(±1/√fan_in)"
    another = {"wider": 1.05 * uniform, "normal": rng.normal(0, bound / 3**0.5, shape), "shifted": uniform + bound / 20}
    with pytest.raises(probing.UnrecognisedError):
        formulas.distribution(another[draw], *shape)


def test_an_order_with_an_example_missing_is_no_shuffle():
    assert formulas.shuffled([2, 0, 1])
    assert not formulas.shuffled([0, 1, 2])
    with pytest.raises(probing.UnrecognisedError, match="2 different examples"):
        formulas.shuffled([0, 1, 1])


def test_a_shuffle_that_reaches_neither_within_the_buffer_nor_everywhere_is_neither():
    order = np.arange(formulas.EXAMPLES)
    assert formulas.shuffle_reach(order[::-1].tolist()) == "the whole data set"
    swapped = order.copy()
    swapped[[0, formulas.BUFFER - 1]] = swapped[[formulas.BUFFER - 1, 0]]
    assert formulas.shuffle_reach(swapped.tolist()) == "the buffer"
    for reach, message in {0: "did not shuffle", 3 * formulas.BUFFER: "30 places ahead"}.items():
        swapped = order.copy()
        swapped[[0, reach]] = swapped[[reach, 0]]
        with pytest.raises(probing.UnrecognisedError, match=message):
            formulas.shuffle_reach(swapped.tolist())


def test_the_readmes_count_the_differences():
    assert f"[{len(DIFFERING)} defaults in which the frameworks differ]" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    assert f" {len(DIFFERING)} 条差别" in (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def test_every_key_is_a_name_that_explains_itself():
    assert len(set(KEYS)) == len(KEYS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{5,}", key) for key in KEYS)
