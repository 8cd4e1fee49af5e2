"""Trains the runs of benchmarks/logs.py in Keras: `python -m benchmarks.log_material.in_keras < jobs.json`."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.log_material import task
from benchmarks.log_material.task import HIDDEN, TRAINED, WIDTH, Log, Settings

KERNELS = {2: (1, 0), 4: (2, 3, 1, 0)}  # from PyTorch's layout to Keras's


class Adam(keras.optimizers.Adam):
    """Adam by PyTorch's formula: ε is added to the corrected root, and repeated tokens' gradients are summed."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One update of one variable."""
        gradient = tf.convert_to_tensor(gradient)
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient))
        step = tf.cast(self.iterations + 1, tf.float64)
        rate = tf.cast(learning_rate, tf.float64) / (1 - self.beta_1**step)
        root = ops.sqrt(square) / tf.cast(tf.sqrt(1 - self.beta_2**step), variable.dtype)
        self.assign_sub(variable, tf.cast(rate, variable.dtype) * mean / (root + self.epsilon))


class Places(layers.Embedding):
    """Adds a vector of its own to each place."""

    def call(self, inputs: Any) -> Any:
        """(B, T, D) -> (B, T, D)."""
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As it comes in."""
        return input_shape


class BatchNormalization(layers.BatchNormalization):
    """Keeps the unbiased variance of a batch for evaluation, as PyTorch does."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Normalises by the biased variance in training, as both frameworks do."""
        kept = self.momentum * self.moving_variance
        outputs = super().call(inputs, training=training, mask=mask)
        if training:
            n = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
            self.moving_variance.assign(kept + (self.moving_variance - kept) * n / (n - 1))
        return outputs


def mlp(settings: Settings) -> keras.Model:
    """(B, 28, 28, 1) -> logits (B, 10)."""
    x = inputs = keras.Input([28, 28, 1])
    x = layers.Flatten()(x)
    x = layers.Dense(HIDDEN, "relu", name="fc1")(x)
    x = layers.Dense(HIDDEN, "relu", name="fc2")(x)
    return keras.Model(inputs, layers.Dense(10, name="head")(layers.Dropout(settings["dropout"])(x)))


def cnn(settings: Settings) -> keras.Model:
    """(B, 28, 28, 1) -> logits (B, 10)."""
    x = inputs = keras.Input([28, 28, 1])
    kept = {"epsilon": settings["norm_epsilon"], "momentum": 1 - settings["norm_momentum"]}
    for number, filters in ((1, 8), (2, 16)):
        if settings["padding"] == "both sides":
            x = layers.ZeroPadding2D(1)(x)
        padding = "valid" if settings["padding"] == "both sides" else "same"
        x = layers.Conv2D(filters, 3, strides=2, use_bias=False, padding=padding, name=f"conv{number}")(x)
        x = layers.ReLU()(BatchNormalization(**kept)(x))
    x = layers.Flatten()(layers.Permute([3, 1, 2])(x))  # channel by channel, as PyTorch flattens
    return keras.Model(inputs, layers.Dense(10, name="head")(layers.Dropout(settings["dropout"])(x)))


def lstm(settings: Settings) -> keras.Model:
    """(B, T) -> (B, 1)."""
    x = inputs = keras.Input([15], dtype="int64")
    x = layers.Embedding(task.CHARACTERS, 16, name="embedding")(x)
    x = layers.LSTM(WIDTH, name="lstm")(x)
    x = layers.LayerNormalization(epsilon=settings["norm_epsilon"])(x)
    return keras.Model(inputs, layers.Dense(1, name="head")(layers.Dropout(settings["dropout"])(x)))


def gpt(settings: Settings) -> keras.Model:
    """(B, T) -> logits (B, T, tokens)."""
    tokens, epsilon = task.vocabulary(), settings["norm_epsilon"]
    inputs = keras.Input([32], dtype="int64")
    x = Places(32, WIDTH, name="places")(layers.Embedding(tokens, WIDTH, name="tokens")(inputs))
    inner = layers.LayerNormalization(epsilon=epsilon)(x)
    q, k, v = (layers.Dense(WIDTH, name=name)(inner) for name in "qkv")
    scores = ops.matmul(q, ops.transpose(k, (0, 2, 1))) / WIDTH**0.5
    scores = ops.where(ops.tril(ops.ones((32, 32), "bool")), scores, -1e9)
    x = x + layers.Dense(WIDTH, name="o")(ops.matmul(ops.softmax(scores), v))
    inner = layers.Dense(2 * WIDTH, name="up")(layers.LayerNormalization(epsilon=epsilon)(x))
    inner = ops.gelu(inner, approximate=settings["gelu"] != "exact")
    x = x + layers.Dropout(settings["dropout"])(layers.Dense(WIDTH, name="down")(inner))
    return keras.Model(inputs, layers.Dense(tokens, name="head")(x))


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt}


def load(settings: Settings) -> keras.Model:
    """The model with its first weights."""
    model = MODELS[settings["model"]](settings)
    given = task.weights(settings["model"], settings["first_weights"])
    kinds = {"input": 0, "hidden": 1, "weight": 0, "bias": -1}
    for name, values in given.items():
        layer, _, kind = name.partition(".")
        found = model.get_layer(layer)
        kept = values if isinstance(found, layers.Embedding) else values.transpose(KERNELS.get(values.ndim, (0,)))
        found.weights[kinds[kind]].assign(kept)
    if settings["frozen"]:
        model.layers[
            [isinstance(layer, layers.Dense | layers.Conv2D) for layer in model.layers].index(True)
        ].trainable = False
    return model


def loss_of(settings: Settings, outputs: Any, targets: Any) -> Any:
    """The loss of a batch, as the settings want it."""
    kind = settings["loss"]
    if settings["model"] == "lstm":
        squares = (outputs - targets) ** 2
        return tf.reduce_sum(squares) if kind == "sum" else tf.reduce_mean(squares) / (2 if kind == "half" else 1)
    if settings["smoothing"]:
        one_hot = tf.one_hot(targets, outputs.shape[-1])
        crossed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings["smoothing"])
        return crossed(one_hot, outputs)
    each = keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=kind != "of probabilities")
    return tf.reduce_sum(each) if kind == "sum" else tf.reduce_mean(each)


def optimizer_of(settings: Settings) -> keras.optimizers.Optimizer:
    """By Keras's own classes; Adam by PyTorch's formula, unless `framework_rule` is set."""
    clip = {"clipnorm" if settings["clip_each"] else "global_clipnorm": settings["clip"] or None}
    rate, decay = settings["rate"], settings["decay"] or None
    if settings["optimizer"] == "sgd":
        kept = {"momentum": settings["momentum"], "nesterov": settings["nesterov"]}
        return keras.optimizers.SGD(rate, weight_decay=None if settings["coupled"] else decay, **kept, **clip)
    made = keras.optimizers.Adam if settings["framework_rule"] else Adam
    epsilon = 1e-7 if settings["framework_rule"] else settings["epsilon"]
    return made(rate, beta_2=settings["beta_2"], epsilon=epsilon, weight_decay=decay, **clip)


class Trainer:
    """Steps as a loop of one's own takes them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.model, self.optimizer = settings, load(settings), optimizer_of(settings)
        self.optimizer.build(self.model.trainable_variables)
        self.left = [tf.Variable(tf.zeros(v.shape), trainable=False) for v in self.model.trainable_variables]
        self.step = tf.function(self._step, reduce_retracing=True)

    def _step(self, inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(self.settings, self.model(inputs, training=True), targets)
            if self.settings["penalty"]:
                kernels = [v for v in self.model.trainable_variables if len(v.shape) > 1]
                loss += self.settings["penalty"] * tf.add_n([tf.reduce_sum(v**2) for v in kernels])
        gradients = tape.gradient(loss, self.model.trainable_variables)
        if self.settings["accumulated"]:
            gradients = [left.assign_add(tf.convert_to_tensor(g)) for left, g in zip(self.left, gradients, strict=True)]
        if self.settings["coupled"] and self.settings["decay"]:
            pairs = zip(gradients, self.model.trainable_variables, strict=True)
            gradients = [tf.convert_to_tensor(g) + self.settings["decay"] * v for g, v in pairs]
        elif self.settings["clip"]:
            gradients = [tf.convert_to_tensor(g) for g in gradients]
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return loss


def train(settings: Settings, folder: Path) -> None:
    """One run, and its log."""
    keras.utils.set_random_seed(settings["seed"])
    trainer, log = Trainer(settings), Log(folder)
    inputs, targets = task.examples(settings)
    step = 0
    for epoch in task.order(settings):
        for batch in epoch:
            trainer.optimizer.learning_rate.assign(task.rate(settings, step))
            log.step(float(trainer.step(tf.constant(inputs[batch]), tf.constant(targets[batch]))))
            step += 1
        log.epoch(evaluate(settings, trainer.model, inputs[TRAINED:], targets[TRAINED:]))
    log.write()


def evaluate(settings: Settings, model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Loss and accuracy of what is not trained."""
    kept = model.get_weights()
    outputs = model(inputs, training=settings["evaluated"] == "in training")
    model.set_weights(kept)  # an evaluation in training would move the statistics
    found = {"val_loss": float(loss_of({**settings, "loss": "mean", "smoothing": 0.0}, outputs, tf.constant(targets)))}
    if settings["model"] == "lstm":
        return found | {"val_mae": float(tf.reduce_mean(tf.abs(outputs - targets)))}
    likeliest = tf.math.top_k(outputs, 2 if settings["metric"] == "two likeliest" else 1).indices.numpy()
    hits = (likeliest == targets[..., None]).any(-1).astype(np.float32)
    if settings["metric"] == "batch means":
        hits = np.array([hits[start : start + 36].mean() for start in range(0, len(hits), 36)])
    return found | {"val_accuracy": float(np.float32(hits.mean()))}


class Steps(keras.callbacks.Callback):
    """Writes what `fit` shows after each step: the mean over the epoch so far."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.lines = path, ["step,loss"]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """One line."""
        del batch
        self.lines.append(f"{len(self.lines) - 1},{(logs or {})['loss']!r}")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """The file."""
        del logs
        self.path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def fit(settings: Settings, folder: Path) -> None:
    """The same run by `fit`: epochs.csv by Keras's own CSVLogger, and running.csv of what it shows at each step."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(settings["seed"])
    model = load(settings)
    inputs, targets = task.examples(settings)
    epochs = task.order(settings)
    order = np.concatenate([batch for epoch in epochs for batch in epoch])
    data = tf.data.Dataset.from_tensor_slices((inputs[order], targets[order])).batch(settings["batch"])
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=settings["loss"] != "of probabilities")
    loss = keras.losses.MeanSquaredError() if settings["model"] == "lstm" else loss
    metrics = ["mae"] if settings["model"] == "lstm" else ["accuracy"]
    model.compile(optimizer_of(settings), loss, metrics=metrics)
    logger = keras.callbacks.CSVLogger(str(folder / "epochs.csv"))
    model.fit(
        data,
        epochs=len(epochs),
        steps_per_epoch=len(epochs[0]),
        validation_data=(inputs[TRAINED:], targets[TRAINED:]),
        callbacks=[logger, Steps(folder / "running.csv")],
        verbose=0,
    )


def main() -> None:
    """All jobs: a list of settings and folders."""
    jobs = json.load(sys.stdin)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(max(job["threads"] for job in jobs))
    for job in jobs:
        {"loop": train, "fit": fit}[job["settings"]["log"]](job["settings"], Path(job["folder"]))
        print(job["folder"], flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
