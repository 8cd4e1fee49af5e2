"""The outside peer: the same training in JAX, a whole epoch in one `lax.scan`. Prints a line of JSON."""

import json
import os
import time

import numpy as np

from shared import cli, metrics
from shared.mnist import MNIST
from shared.network import initial_weights, layer_sizes
from shared.reference import data
from shared.running import batches
from shared.running.clock import Clock
from shared.training import Training


def epoch_rows(training: Training, epoch: int) -> list[np.ndarray]:
    """An epoch's batches as rows of indices: the whole ones, and the short last one where there is one."""
    order = batches.epoch_order(training.seed, epoch).astype(np.int32)
    whole = MNIST.train_examples - MNIST.train_examples % training.batch_size
    return [
        rows for rows in (order[:whole].reshape(-1, training.batch_size), order[whole:].reshape(1, -1)) if rows.size
    ]


def main() -> None:
    """Train, and time as the implementations do."""
    configuration, _ = cli.parse(cli.make_parser("jax_scan", __doc__ or "", "out"), None)
    training = configuration.training
    # One thread. JAX has no such option: its pool takes the cores that the process may use.
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["JAX_PLATFORMS"] = "" if configuration.execution.device == "auto" else configuration.execution.device
    clock = Clock()
    with clock("import"):
        import jax
        import jax.numpy as jnp

    def loss(parameters: dict[str, jax.Array], inputs: jax.Array, labels: jax.Array) -> jax.Array:
        *hidden, last = (
            (parameters[f"{layer}.weight"], parameters[f"{layer}.bias"]) for layer in layer_sizes(training)
        )
        for weight, bias in hidden:
            inputs = jax.nn.relu(inputs @ weight.T + bias)
        log_probabilities = jax.nn.log_softmax(inputs @ last[0].T + last[1])
        return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()

    @jax.jit
    def steps(
        parameters: dict[str, jax.Array], inputs: jax.Array, labels: jax.Array, rows: jax.Array
    ) -> tuple[dict[str, jax.Array], jax.Array]:
        def step(parameters: dict[str, jax.Array], index: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
            before, gradients = jax.value_and_grad(loss)(parameters, inputs[index], labels[index])
            return jax.tree.map(lambda p, g: p - training.learning_rate * g, parameters, gradients), before

        return jax.lax.scan(step, parameters, rows)

    with clock("data"):
        dataset = data.to_dataset(data.read("train"), training, "cpu")
        inputs, labels = (jax.block_until_ready(jnp.asarray(array)) for array in dataset)
    parameters = {name: jnp.asarray(values) for name, values in initial_weights(training).items()}
    with clock("compile"):
        for rows in epoch_rows(training, 0):
            jax.block_until_ready(steps(parameters, inputs, labels, jnp.asarray(rows)))

    epoch_seconds, epoch_losses = [], []
    for epoch in range(training.epochs):
        parts = epoch_rows(training, epoch)
        start = time.perf_counter()
        losses = []
        for rows in parts:
            parameters, found = steps(parameters, inputs, labels, jnp.asarray(rows))
            losses.append(np.asarray(found))  # waits for it
        epoch_seconds.append(time.perf_counter() - start)
        epoch_losses.append(metrics.mean_of_batch_means(np.concatenate(losses)))
    print(json.dumps({"timing": clock.seconds, "epoch_seconds": epoch_seconds, "epoch_losses": epoch_losses}))


if __name__ == "__main__":
    main()
