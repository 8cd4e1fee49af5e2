"""The code that sets the other framework's default, run in the environment of each: `make test` runs this in both.

Every piece runs. Where its outcome is a number, a dtype or an option, it must be what was measured in the other
framework, judged by the same formulas.
"""

import ast
import importlib
import json
import runpy
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from library_defaults import formulas, probing, table, update_rules
from library_defaults.rows import ROWS
from shared import metrics
from shared.contract import FRAMEWORKS

COMMITTED = json.loads(table.JSON_FILE.read_text(encoding="utf-8"))
DIFFERING = {row.key: row for row in ROWS if table.differs(row, COMMITTED)}

# The reader's own in the code: arrays, which each framework gets as its tensors, and numbers.
ARRAYS = {
    "inputs": np.ones((3, formulas.FAN_IN)),
    "logits": formulas.LOGITS,
    "labels": formulas.LABELS,
    "probabilities": formulas.PROBABILITIES,
    "class_weights": np.array(formulas.CLASS_WEIGHTS),
    "predictions": formulas.TARGETS[:, None],
    "targets": formulas.TARGETS,
    "images": formulas.PIXELS.reshape(1, 16, 16),
    "values": formulas.BATCH,
    "integers": formulas.INTEGERS,
    "chance": np.zeros(1),
    "x": np.zeros(1),
    "y": np.zeros(1),
    "before": np.ones(4 * formulas.FAN_IN),
    "loss": np.ones(1),
    "square": np.array(1.0),
}
NUMBERS = {
    "units": formulas.FAN_OUT,
    "fan_in": formulas.FAN_IN,
    "rows": formulas.FAN_OUT,
    "width": formulas.FAN_IN,
    "filters": formulas.FAN_OUT,
    "size": formulas.KERNEL,
    "groups": 2,
    "low": formulas.LIMITS[0],
    "high": formulas.LIMITS[1],
    "classes": formulas.TRUE.shape[1],
    "rate": update_rules.TENTH,
    "decay": update_rules.DECAY,
    "strength": update_rules.DECAY,
    "epsilon": update_rules.EPSILON,
    "limit": 1.0,
    "old_rate": 0.5,
    "new_rate": 0.125,
    "momentum": update_rules.TENTH,
    "milestone": update_rules.MILESTONE,
    "step": 1,
    "std": formulas.USUAL_STANDARD_DEVIATION,
    "height": 1,
    "padding": formulas.PADDING,
    "accumulation_steps": len(update_rules.TWO_GRADIENTS),
    "epoch": 1,
    "replicas": len(update_rules.TWO_GRADIENTS),
    "order": [2, 0, 1],
    "batch_losses": [metrics.cross_entropy(formulas.LOGITS[b], formulas.LABELS[b]) for b in (slice(2), slice(2, 3))],
    "batch_sizes": [2, 1],
}
HALVING = (0.5, 1, 0.5)  # a rate, that is multiplied each step by
# Where a default shows only with other arrays.
FIRST = np.array([0])
OTHER_ARRAYS = {
    "adam_repeated_token": {"square": np.zeros((1, 1))},
    "batch_norm_running_variance": {"inputs": formulas.BATCH, "before": np.ones(1)},
    "leaky_relu_function": {"inputs": np.array([-1.0])},
    "gelu_function": {"inputs": np.array([1.0])},
    "gelu_dtype": {"inputs": np.array([1.0])},
    "binary_cross_entropy_of_a_certain_mistake": {"probabilities": np.zeros(1), "labels": np.ones(1)},
    "kl_divergence_mean": {"probabilities": formulas.PREDICTED, "targets": formulas.TRUE},
    "cross_entropy_input": {"logits": formulas.PROBABILITIES, "labels": FIRST},
    "cross_entropy_of_a_certain_mistake": {
        "probabilities": formulas.CERTAIN_MISTAKE,
        "logits": formulas.CERTAIN_MISTAKE_LOGITS,
        "labels": FIRST,
    },
    "softmax_before_the_loss": {"logits": formulas.CERTAIN_MISTAKE_LOGITS, "labels": FIRST},
}
SWITCHES = {
    "PyTorch": {"torch": "set_float32_matmul_precision"},
    "TensorFlow": {
        "keras.config": "set_floatx",
        "tensorflow.config.experimental": "enable_tensor_float_32_execution",
    },
}
GRADIENTS = {"clipping_denominator": update_rules.TINY_GRADIENTS}
OTHER_NUMBERS = {
    "clipping_denominator": {"limit": update_rules.TINY_LIMIT},
    "convolution_bias_initialiser": {"fan_in": formulas.KERNEL * formulas.FAN_IN},
    "lstm_recurrent_kernel": {"width": formulas.RECURRENT_UNITS},
    "nearest_resize": {"size": formulas.SMALLER},
    "resizing_layer": {"width": formulas.SMALLER},
}


def numbers(key):
    return NUMBERS | OTHER_NUMBERS.get(key, {})


def pytorch_layer(nn, key):
    if key.startswith("batch_norm"):
        return nn.BatchNorm1d(1, dtype=importlib.import_module("torch").float64)
    if key.startswith("convolution"):
        return nn.Conv1d(formulas.FAN_IN, formulas.FAN_OUT, formulas.KERNEL)
    return nn.Linear(formulas.FAN_IN, formulas.FAN_OUT)


def pytorch_names(key, arrays, gradients):
    torch, data = importlib.import_module("torch"), importlib.import_module("torch.utils.data")
    nn = torch.nn
    parameters = [nn.Parameter(torch.tensor(update_rules.START, dtype=torch.float64)) for _ in gradients]
    tensors = [torch.tensor(gradient, dtype=torch.float64) for gradient in gradients]
    for parameter, tensor in zip(parameters, tensors, strict=True):
        parameter.grad = tensor
    optimizer = torch.optim.SGD(parameters, lr=update_rules.TENTH, momentum=update_rules.MOMENTUM)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 1.0)
    optimizer.step()
    tokens = torch.zeros(update_rules.OCCURRENCES, dtype=torch.int64)
    vectors = torch.zeros(update_rules.OCCURRENCES, 1, dtype=torch.float64)
    vectors.grad = torch.ones_like(vectors)
    return {
        **{name: torch.from_numpy(array) for name, array in arrays.items()},
        "loss": torch.from_numpy(arrays["loss"]).requires_grad_(),
        "torch": torch,
        "nn": nn,
        "F": nn.functional,
        "v2": importlib.import_module("torchvision.transforms.v2"),
        "DataLoader": data.DataLoader,
        "data_set": data.TensorDataset(torch.arange(3)),
        "layer": pytorch_layer(nn, key),
        "embedding": nn.Embedding(formulas.FAN_OUT, formulas.FAN_IN),
        "lstm": nn.LSTM(1, numbers(key)["width"]),
        "gru": nn.GRU(1, 3),
        "scheduler": scheduler,
        "image": torch.from_numpy(formulas.PLACES)[None, None],
        "signal": torch.from_numpy(formulas.PLACES)[None, None, :],
        "kernel": torch.ones(1, 1, formulas.KERNEL, dtype=torch.float64),
        "outputs": torch.tensor(formulas.CHANNELS)[:, None, None].expand(1, -1, *[formulas.IMAGE_SIZE] * 2),
        "model": nn.Sequential(nn.Linear(formulas.FAN_IN, 1), nn.Dropout()),
        "parameters": parameters,
        "p": parameters[0],
        "gradients": tensors,
        "optimizer": optimizer,
        "tokens": tokens,
        "vectors": vectors,
    }


def tensorflow_names(key, arrays, gradients):
    tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
    in_batch_norm = key.startswith("batch_norm")
    layer = keras.layers.BatchNormalization(dtype="float64") if in_batch_norm else keras.layers.Dense(formulas.FAN_OUT)
    layer.build((None, 1 if in_batch_norm else formulas.FAN_IN))
    model = keras.Sequential([keras.Input((formulas.FAN_IN,)), keras.layers.Dense(1), keras.layers.Dropout(0.5)])
    model.compile("sgd", "mse")
    callback = keras.callbacks.ReduceLROnPlateau()
    callback.best = 1.0
    optimizer = keras.optimizers.SGD(momentum=update_rules.MOMENTUM)
    optimizer.build(model.trainable_variables)
    tensors = [tf.constant(gradient, tf.float64) for gradient in gradients]
    lstm, gru = keras.layers.LSTM(formulas.FAN_IN, dtype="float64"), keras.layers.GRU(3)
    for recurrent in (lstm, gru):
        recurrent.build((None, None, 1))
    return {
        **{name: tf.constant(array) for name, array in arrays.items()},
        "tf": tf,
        "keras": keras,
        "layer": layer,
        "lstm": lstm,
        "gru": gru,
        "schedule": keras.optimizers.schedules.ExponentialDecay(*HALVING),
        "image": tf.constant(formulas.PLACES)[None, None, :, None],
        "signal": tf.constant(formulas.PLACES)[None, :, None],
        "kernel": tf.ones((formulas.KERNEL, 1, 1), tf.float64),
        "outputs": tf.broadcast_to(formulas.CHANNELS, (1, *[formulas.IMAGE_SIZE] * 2, len(formulas.CHANNELS))),
        "model": model,
        "weight": tf.Variable(update_rules.START, dtype=tf.float64),
        "gradient": tensors[0],
        "gradients": tensors,
        "new_gradients": tensors,
        "optimizer": optimizer,
        "callback": callback,
        "pipeline": tf.data.Dataset.range(formulas.EXAMPLES),
    }


def run_code(name, key, names, folder):
    """The names after the code of a row has run with `names`; where it is an expression, "result" is its value."""
    code = {"PyTorch": DIFFERING[key].pytorch, "TensorFlow": DIFFERING[key].keras}[name]
    is_expression = isinstance(ast.parse(code).body[0], ast.Expr)
    path = folder / f"{key}.py"
    path.write_text("result = " * is_expression + code, encoding="utf-8")
    return runpy.run_path(str(path), init_globals=names)


@pytest.fixture
def after(name, tmp_path, monkeypatch):
    """Runs the code of a row; returns the names after it. Switches that last are not set: only the call is checked."""

    def run(key):
        make = {"PyTorch": pytorch_names, "TensorFlow": tensorflow_names}[name]
        names = make(key, ARRAYS | OTHER_ARRAYS.get(key, {}), GRADIENTS.get(key, update_rules.TWO_GRADIENTS))
        names |= numbers(key) | {"np": np}
        for module, switch in SWITCHES[name].items():
            owner = importlib.import_module(module)
            monkeypatch.setattr(owner, switch, mock.create_autospec(getattr(owner, switch)))
        return run_code(name, key, names, tmp_path)

    return run


@pytest.mark.parametrize("key", DIFFERING)
def test_the_code_runs(after, key):
    after(key)


# --- What the code leads to. ---


def as_array(tensor):
    return (tensor.detach() if hasattr(tensor, "detach") else tensor).numpy()


def computed(judge):
    """What a formula makes of the array that the code computes."""
    return lambda names: judge(as_array(names["result"]))


def number(judge):
    """What a formula makes of the number that the code computes."""
    return lambda names: judge(np.asarray(names["result"]).item())


def option(pytorch, keras):
    """What the optimizer, layer or schedule that the code makes is set to."""

    def look(names):
        made = names["result"]
        if "keras" in names:
            return float(getattr(made, keras))
        return made.defaults[pytorch] if hasattr(made, "defaults") else getattr(made, pytorch)

    return look


def drawn(weights, window=1):
    """The distribution of what the code draws: PyTorch's draws a tensor, Keras's makes a layer."""

    def look(names):
        made = names["result"]
        if "keras" in names:
            made.build((None, None, formulas.FAN_IN))
            made = getattr(made, weights)
        return formulas.distribution(as_array(made), window * formulas.FAN_IN, window * formulas.FAN_OUT)

    return look


def initialised(judge):
    """What a formula makes of a kernel that the code draws: PyTorch's in place, Keras's as it makes a layer."""

    def look(names):
        made = names["result"]
        if "keras" in names:
            made.build((None, formulas.FAN_IN))
            made = made.kernel
        return judge(as_array(made))

    return look


def clipped(judge):
    """What a formula makes of clipped gradients: PyTorch's are clipped in place, Keras's in a list or an optimizer."""

    def look(names):
        gradients, made = names["gradients"], names.get("result")
        if "keras" not in names:
            return judge(np.array([gradient.item() for gradient in gradients]))
        if isinstance(made, list):
            return judge(np.array([gradient.numpy() for gradient in made]))
        weights = [names["keras"].Variable(0.0, dtype="float64") for _ in gradients]
        made.build(weights)
        made.learning_rate = 1.0
        made.apply(gradients, weights)
        return judge(np.array([-weight.numpy() for weight in weights]))

    return look


def forget_bias(names):
    units = formulas.FAN_IN
    if "keras" in names:
        names["result"].build((None, None, 1))
        bias = names["result"].cell.bias
    else:
        bias = names["lstm"].bias_ih_l0 + names["lstm"].bias_hh_l0
    return round(as_array(bias)[units : 2 * units].mean().item())


def recurrent_kernel(names):
    made = names["result"]
    if "keras" in names:
        made.build((None, None, 1))
        made = made.cell.recurrent_kernel
    return formulas.recurrent_kernel(as_array(made))


def bias_shapes(names):
    made = [names["bias"]] if "bias" in names else [names["input_bias"], names["recurrent_bias"]]
    return " and ".join(str(tuple(bias.shape)) for bias in made)


def milestone(names):
    """The first step at another rate, by the schedule that the code makes."""
    rates = []
    for step in update_rules.STEPS_AROUND_IT:
        if "keras" in names:
            rates.append(names["result"](step).numpy().item())
        else:
            rates.append(names["optimizer"].param_groups[0]["lr"])
            names["optimizer"].step()
            names["result"].step()
    return update_rules.first_lower(np.array(rates))


def penalty(names):
    if "keras" not in names:
        return update_rules.penalty_gradient(names["result"].defaults["weight_decay"] * update_rules.START)
    with names["tf"].GradientTape() as tape:
        total = names["result"](names["weight"])
    return update_rules.penalty_gradient(tape.gradient(total, names["weight"]).numpy())


def running_variance(names):
    moved = names["layer"].running_var if "torch" in names else names["layer"].moving_variance
    weight = 0.1 if "torch" in names else 0.01
    return formulas.running_variance(moved.numpy().item(), weight)


OUTCOMES = {
    "dense_kernel_initialiser": drawn("kernel"),
    "dense_bias_initialiser": drawn("bias"),
    "convolution_kernel_initialiser": drawn("kernel", formulas.KERNEL),
    "convolution_bias_initialiser": drawn("bias", formulas.KERNEL),
    "embedding_initialiser": drawn("embeddings"),
    "truncated_normal_limit": initialised(
        lambda kernel: formulas.truncated_normal(kernel, formulas.USUAL_STANDARD_DEVIATION)
    ),
    "he_normal": initialised(lambda kernel: formulas.he_normal(kernel, formulas.FAN_IN)),
    "lstm_forget_bias": forget_bias,
    "lstm_recurrent_kernel": recurrent_kernel,
    "gru_bias_layout": bias_shapes,
    "halving_padding": computed(lambda sums: formulas.halving_padding(sums.ravel())),
    "average_pooling_padding": computed(lambda means: formulas.average_pooling(means.ravel())),
    "flattened_convolution": computed(lambda values: formulas.flattened_order(values.ravel())),
    "batch_norm_epsilon": option("eps", "epsilon"),
    "batch_norm_running_variance": running_variance,
    "layer_norm_epsilon": option("eps", "epsilon"),
    "group_norm_epsilon": option("eps", "epsilon"),
    "leaky_relu_layer": option("negative_slope", "negative_slope"),
    "leaky_relu_function": number(lambda slope: probing.six_digits(-slope)),
    "gelu_function": number(formulas.gelu),
    "gelu_dtype": number(formulas.gelu_dtype),
    "sgd_learning_rate": option("lr", "learning_rate"),
    "adam_epsilon": option("eps", "epsilon"),
    "adamw_weight_decay": option("weight_decay", "weight_decay"),
    "nadam_learning_rate": option("lr", "learning_rate"),
    "rmsprop_learning_rate": option("lr", "learning_rate"),
    "rmsprop_smoothing": option("alpha", "rho"),
    "rmsprop_epsilon": option("eps", "epsilon"),
    "adagrad_learning_rate": option("lr", "learning_rate"),
    "adagrad_accumulator": option("initial_accumulator_value", "initial_accumulator_value"),
    "adagrad_epsilon": option("eps", "epsilon"),
    "adadelta_learning_rate": option("lr", "learning_rate"),
    "adadelta_smoothing": option("rho", "rho"),
    "adadelta_epsilon": option("eps", "epsilon"),
    "adamax_learning_rate": option("lr", "learning_rate"),
    "adamax_epsilon": option("eps", "epsilon"),
    "l2_gradient": penalty,
    "milestone": milestone,
    "clipping_scope": clipped(update_rules.clipping_scope),
    "clipping_denominator": clipped(update_rules.clipping_denominator),
    "cross_entropy_input": number(formulas.loss_input),
    "cross_entropy_of_a_certain_mistake": number(probing.six_digits),
    "binary_cross_entropy_of_a_certain_mistake": number(probing.six_digits),
    "kl_divergence_mean": number(formulas.divergence_mean),
    "softmax_before_the_loss": number(formulas.softmax_before_loss),
    "class_weighted_mean": number(formulas.weighted_mean),
    "masked_mean": number(formulas.masked_mean),
    "epoch_loss": number(formulas.epoch_loss),
    "column_against_vector": number(formulas.column_against_vector),
    "loss_object_dtype": computed(lambda loss: loss.dtype.name),
    "pixel_scaling_layer": computed(lambda pixels: formulas.pixel_scaling(pixels.ravel())),
    "pixel_scaling_function": computed(lambda pixels: formulas.pixel_scaling(pixels.ravel())),
    "nearest_resize": computed(lambda picked: formulas.nearest(picked.ravel())),
    "resizing_layer": computed(lambda values: formulas.linear_resize(values.ravel())),
    "standard_deviation": number(formulas.standard_deviation),
}


@pytest.mark.parametrize("key", OUTCOMES)
def test_the_code_does_what_the_other_framework_does(name, after, key):
    (other,) = set(FRAMEWORKS) - {name}
    expected = COMMITTED[other]["values"][key]
    if isinstance(expected, list):
        expected, _gradient = expected
    outcome = OUTCOMES[key](after(key))
    assert outcome == (
        pytest.approx(expected, rel=probing.TOLERANCE, abs=0) if isinstance(outcome, float) else expected
    )


# Where the default shows, and where the code must do as every framework does: what the gradients are there.
SPECIAL_POINTS = {
    "maximum_gradient": {"x": [0.0], "y": [0.0]},
    "clip_gradient": {"inputs": formulas.LIMITS},
    "norm_gradient": {"inputs": formulas.NOWHERE},
}
USUAL_POINTS = {
    "maximum_gradient": ({"x": [1.0, 3.0], "y": [2.0, 2.0]}, [(0, 1), (1, 0)]),
    "clip_gradient": ({"inputs": [-1.0, 0.25, 2.0]}, [(0, 1, 0)]),
    "norm_gradient": ({"inputs": [3.0, 4.0]}, [pytest.approx((0.6, 0.8))]),
}


@pytest.mark.parametrize("key", SPECIAL_POINTS)
def test_the_code_has_the_gradients_of_the_other_framework(name, key, tmp_path):
    layers = importlib.import_module(f"{table.PROBES[name]}.layers")
    library, short = {"PyTorch": ("torch", "torch"), "TensorFlow": ("tensorflow", "tf")}[name]
    given = {short: importlib.import_module(library)} | numbers(key)

    def gradients(inputs):
        def function(*tensors):
            names = given | dict(zip(inputs, tensors, strict=True))
            return run_code(name, key, names, tmp_path)["result"]

        return layers._gradients(function, *inputs.values())

    (other,) = set(FRAMEWORKS) - {name}
    found = gradients(SPECIAL_POINTS[key])
    found = formulas.norm_gradient(*found) if key == "norm_gradient" else [number for one in found for number in one]
    assert found == COMMITTED[other]["values"][key]
    inputs, usual = USUAL_POINTS[key]
    assert gradients(inputs) == usual


def test_the_mean_of_integers_is_cut_off_or_as_it_should_be(name, after):
    mean = np.asarray(after("mean_of_integers")["result"]).item()
    # To refuse, as PyTorch does, is no cure.
    expected = {"PyTorch": COMMITTED["TensorFlow"]["values"]["mean_of_integers"], "TensorFlow": "keeps the fraction"}
    assert formulas.integer_mean(mean) == expected[name]


def test_the_optimizer_that_is_named(name, after):
    names = after("default_optimizer")
    if name == "PyTorch":
        weight = names["p"]
        before = weight.item()
        weight.grad = names["torch"].full_like(weight, update_rules.GRADIENT)
        names["result"].step()
        step = before - weight.item()
        assert update_rules.default_optimizer(step) == COMMITTED["TensorFlow"]["values"]["default_optimizer"]
    else:
        assert names["model"].optimizer is names["optimizer"]


def test_a_token_that_occurs_several_times(name, tmp_path):
    (rate, gradient), _ = update_rules.STEADY
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        tokens = torch.zeros(update_rules.OCCURRENCES, dtype=torch.int64)
        vectors = torch.nn.Embedding(1, 1, dtype=torch.float64)(tokens)
        vectors.retain_grad()
        (gradient * vectors).sum().backward()
        square = torch.zeros(1, 1, dtype=torch.float64)
        run_code(name, "adam_repeated_token", {"square": square, "tokens": tokens, "vectors": vectors}, tmp_path)
        step = rate * vectors.grad.sum().item() / (square.item() / 0.001) ** 0.5
    else:
        tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        embedding = keras.layers.Embedding(1, 1, embeddings_initializer="zeros", dtype="float64")
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(gradient * embedding(tf.zeros(update_rules.OCCURRENCES, tf.int64)))
        gradients = tape.gradient(total, embedding.trainable_variables)
        assert isinstance(gradients[0], tf.IndexedSlices)
        names = run_code(name, "adam_repeated_token", {"tf": tf, "gradients": gradients}, tmp_path)
        beta_1, beta_2 = update_rules.BETAS
        optimizer = keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=0.0)
        optimizer.apply(names["gradients"], embedding.trainable_variables)
        step = -embedding.embeddings.numpy().item()
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.repeated_token(step) == COMMITTED[other]["values"]["adam_repeated_token"]


def test_a_token_that_occurs_several_times_is_clipped(name, tmp_path):
    key = "clipping_repeated_token"
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        embedding = torch.nn.Embedding(1, 1, dtype=torch.float64)
        vectors = embedding(torch.zeros(update_rules.OCCURRENCES, dtype=torch.int64))
        vectors.retain_grad()
        vectors.sum().backward()
        names = {"nn": torch.nn, "parameters": [embedding.weight], "limit": 1.0, "vectors": vectors}
        run_code(name, key, names, tmp_path)
        step = embedding.weight.grad.item()
    else:
        tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        embedding = keras.layers.Embedding(1, 1, embeddings_initializer="zeros", dtype="float64")
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(embedding(tf.zeros(update_rules.OCCURRENCES, tf.int64)))
        gradients = tape.gradient(total, embedding.trainable_variables)
        names = run_code(name, key, {"tf": tf, "gradients": gradients}, tmp_path)
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
        optimizer.apply(names["gradients"], embedding.trainable_variables)
        step = -embedding.embeddings.numpy().item()
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.clipped_token(step) == COMMITTED[other]["values"][key]


def test_gradients_of_several_batches(name, tmp_path):
    key, steps = "accumulated_gradients", len(update_rules.TWO_GRADIENTS)
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        weight = torch.nn.Parameter(torch.tensor(0.0))
        for gradient in update_rules.TWO_GRADIENTS:
            run_code(name, key, {"loss": gradient * weight, "accumulation_steps": steps}, tmp_path)
        step = weight.grad.item()
    else:
        tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        weight = keras.Variable(0.0)
        optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=steps)
        for gradient in update_rules.TWO_GRADIENTS:
            given = {"gradients": [tf.constant(gradient)], "accumulation_steps": steps}
            optimizer.apply(run_code(name, key, given, tmp_path)["gradients"], [weight])
        step = -weight.numpy().item()
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.accumulated(step) == COMMITTED[other]["values"][key]


def test_gradients_of_several_replicas(name, after):
    """What each framework has, a mean or a sum of equal gradients, becomes what the other has."""
    (other,) = set(FRAMEWORKS) - {name}
    key, replicas = "replicated_gradients", len(update_rules.TWO_GRADIENTS)
    had = {"their mean": 1 / replicas, "their sum": 1.0}
    names = after(key)
    made = names["gradients"] if name == "TensorFlow" else [p.grad for p in names["parameters"]]
    factors = as_array(made[0]) / update_rules.TWO_GRADIENTS[0]
    assert had[COMMITTED[name]["values"][key]] * factors == had[COMMITTED[other]["values"][key]]


def test_biases_that_learn_as_fast_as_the_others(name, tmp_path):
    key, layers = "lstm_biases_in_training", importlib.import_module(f"{table.PROBES[name]}.layers")
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        lstm = torch.nn.LSTM(1, 1, dtype=torch.float64)
        run_code(name, key, {"lstm": lstm}, tmp_path)
        moved, gradient = layers._moved_bias(lstm, 0)
    else:
        lstm = importlib.import_module("keras").layers.LSTM(1, dtype="float64")
        lstm.build((None, None, 1))
        before = lstm.cell.bias.numpy()
        _, gradient = layers._moved_bias(lstm, 0)
        run_code(name, key, {"lstm": lstm, "before": before}, tmp_path)
        moved = (lstm.cell.bias.numpy() - before)[0]
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.gates_bias(moved, gradient) == COMMITTED[other]["values"][key]


def test_gates_in_the_order_of_the_other(name, tmp_path, monkeypatch):
    layers = importlib.import_module(f"{table.PROBES[name]}.layers")
    for kernel in ("GRU_KERNEL", "GRU_RECURRENT_KERNEL"):
        if name == "PyTorch":
            torch = importlib.import_module("torch")
            gru = SimpleNamespace(weight_ih_l0=torch.from_numpy(getattr(formulas, kernel).T))
            made = run_code(name, "gru_gate_order", {"torch": torch, "gru": gru}, tmp_path)["kernel"].T
        else:
            tf = importlib.import_module("tensorflow")
            gru = SimpleNamespace(cell=SimpleNamespace(kernel=getattr(formulas, kernel)))
            made = run_code(name, "gru_gate_order", {"tf": tf, "gru": gru}, tmp_path)["kernel"]
        monkeypatch.setattr(formulas, kernel, made.numpy())
    judge = formulas.gru

    def judged_by_what_they_were(outputs):
        monkeypatch.undo()
        return judge(outputs)

    monkeypatch.setattr(formulas, "gru", judged_by_what_they_were)
    (other,) = set(FRAMEWORKS) - {name}
    assert layers.gru_gate_order() == COMMITTED[other]["values"]["gru_gate_order"]


def test_a_schedule_in_the_unit_of_the_other(name, tmp_path):
    seen = []
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        weight = torch.nn.Parameter(torch.tensor(update_rules.START, dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=HALVING[0])
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, HALVING[2])
        for _ in range(2):
            weight.grad = torch.ones_like(weight)
            optimizer.step()
            run_code(name, "schedule_unit", {"scheduler": scheduler}, tmp_path)
            seen.append(weight.item())
    else:
        tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        weight = keras.Variable(update_rules.START, dtype="float64")
        optimizer, schedule = keras.optimizers.SGD(1.0), keras.optimizers.schedules.ExponentialDecay(*HALVING)
        run_code(name, "schedule_unit", {"optimizer": optimizer, "schedule": schedule, "epoch": 0}, tmp_path)
        for _ in range(2):
            optimizer.apply([tf.constant(1.0, tf.float64)], [weight])
            seen.append(weight.numpy().item())
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.schedule_unit(np.array(seen)) == COMMITTED[other]["values"]["schedule_unit"]


def test_momentum_carried_over_a_change_of_rate(name, tmp_path):
    (old_rate, first), (new_rate, second) = update_rules.DROPPING
    rates, seen = {"old_rate": old_rate, "new_rate": new_rate}, []
    if name == "PyTorch":
        torch = importlib.import_module("torch")
        weight = torch.nn.Parameter(torch.tensor(update_rules.START, dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=old_rate, momentum=update_rules.MOMENTUM)
        for gradient in (first, second):
            weight.grad = torch.full_like(weight, gradient)
            optimizer.step()
            seen.append(weight.item())
            run_code(name, "sgd_momentum", {"parameters": [weight], "optimizer": optimizer} | rates, tmp_path)
            optimizer.param_groups[0]["lr"] = new_rate
    else:
        tf, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        weight = keras.Variable(update_rules.START, dtype="float64")
        optimizer = keras.optimizers.SGD(old_rate, momentum=update_rules.MOMENTUM)
        optimizer.build([weight])
        for gradient in (first, second):
            optimizer.apply([tf.constant(gradient, tf.float64)], [weight])
            seen.append(weight.numpy().item())
            run_code(name, "sgd_momentum", {"optimizer": optimizer} | rates, tmp_path)
            optimizer.learning_rate = new_rate
    (other,) = set(FRAMEWORKS) - {name}
    assert update_rules.momentum(seen) == COMMITTED[other]["values"]["sgd_momentum"]


def test_momentum_in_the_dtype_of_the_other(name, tmp_path):
    def make(parameters, **_rate):
        names = {"np": np, "momentum": update_rules.TENTH, "parameters": parameters}
        for library in {"PyTorch": ["torch"], "TensorFlow": ["keras"]}[name]:
            names[library] = importlib.import_module(library)
        return run_code(name, "momentum_dtype", names, tmp_path)["result"]

    optimizers = importlib.import_module(f"{table.PROBES[name]}.optimizers")
    (other,) = set(FRAMEWORKS) - {name}
    found = update_rules.momentum_dtype(optimizers._updated(make, update_rules.COASTING))
    assert found == COMMITTED[other]["values"]["momentum_dtype"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_the_threshold_of_a_plateau_takes_the_others_mode(name, tmp_path):
    def drops(losses):
        """Whether the rate drops after the second loss, where patience is 0."""
        if name == "PyTorch":
            torch = importlib.import_module("torch")
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            names = {"torch": torch, "optimizer": optimizer}
            scheduler = run_code(name, "plateau_threshold_mode", names, tmp_path)["result"]
            scheduler.patience = 0
            for loss in losses:
                scheduler.step(loss)
            return optimizer.param_groups[0]["lr"] < 1
        keras = importlib.import_module("keras")
        model = keras.Sequential()
        model.compile(keras.optimizers.SGD(1.0))
        callback = keras.callbacks.ReduceLROnPlateau(patience=0)
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            run_code(name, "plateau_threshold_mode", {"callback": callback}, tmp_path)
        return float(model.optimizer.learning_rate) < 1

    found = update_rules.plateau_threshold(drops(update_rules.BETTER_RELATIVELY), drops(update_rules.BETTER_ABSOLUTELY))
    (other,) = set(FRAMEWORKS) - {name}
    assert found == COMMITTED[other]["values"]["plateau_threshold_mode"]


@pytest.mark.parametrize("key", ["clipping_scope", "standard_deviation", "adam_epsilon"])
def test_code_that_does_not_is_noticed(name, after, key, monkeypatch):
    without = {
        "clipping_scope": ("nn.utils.clip_grad_norm_(parameters, limit)", "keras.optimizers.SGD(clipnorm=limit)"),
        "standard_deviation": ("values.std()", "np.std(values)"),
        "adam_epsilon": ("torch.optim.Adam(parameters)", "keras.optimizers.Adam()"),
    }
    monkeypatch.setitem(DIFFERING, key, DIFFERING[key]._replace(pytorch=without[key][0], keras=without[key][1]))
    assert OUTCOMES[key](after(key)) == pytest.approx(COMMITTED[name]["values"][key])
