"""Several workers in TensorFlow: the same training, with each batch shared among processes."""

import contextlib
import faulthandler
import functools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import Optimizer
from tensorflow import Tensor

from shared.contract import Dataset, Session
from shared.mnist import MNIST
from shared.running import batches as order
from shared.running.place import SECONDS_TO_ANSWER, SECONDS_TO_NOTICE
from shared.system.errors import InputError
from shared.training import Training
from tensorflow_impl.model import MLP


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """Of all workers; made before any other work of TensorFlow's."""
    # Or TensorFlow rewrites the graph of a step so that a weight can be updated before the forward pass has read it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    collectives = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=collectives.NCCL if tf.config.get_visible_devices("GPU") else collectives.RING,
        timeout_seconds=SECONDS_TO_ANSWER,
    )
    # Who it is and where all meet, the launcher has set in TF_CONFIG; for PyTorch in several variables.
    cluster = None if "TF_CONFIG" in os.environ else _cluster_of_slurm()
    return tf.distribute.MultiWorkerMirroredStrategy(cluster, options)


def _cluster_of_slurm() -> tf.distribute.cluster_resolver.ClusterResolver:
    """The tasks of the Slurm step in which this process is one."""
    resolvers = tf.distribute.cluster_resolver
    # It fails where a task has no GPU. So it is told of one each, and only its addresses are taken.
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    slurm = resolvers.SlurmClusterResolver(gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False)
    addresses = slurm.cluster_spec()
    # It sorts the machines by name: node10 comes before node9, and the tasks there have other numbers.
    own = addresses.task_address(slurm.task_type, slurm.task_id).rpartition(":")[0]
    node = os.environ.get("SLURMD_NODENAME", own)
    if own != node:
        told = f"task {slurm.task_id} is on {node}, and TensorFlow takes it to be on {own}, by the order of their names"
        raise InputError(f"--engine workers: {told}; set TF_CONFIG in each task, or take other machines")
    gpus = {"GPU": len(tf.config.get_visible_devices("GPU"))}
    return resolvers.SimpleClusterResolver(
        addresses, "", slurm.task_type, slurm.task_id, num_accelerators=gpus, rpc_layer="grpc"
    )


@contextlib.contextmanager
def join(device: tf.DeviceSpec) -> Iterator[None]:
    """Become one of the workers while the block lasts, for a run on this device.

    Raises InputError where the others do not come, and where one is gone.
    """
    try:
        # Until all have come TensorFlow may wait for ever, and keep Python's lock: only a timer of C ends that.
        faulthandler.dump_traceback_later(SECONDS_TO_ANSWER, exit=True)
        try:
            strategy()
        finally:
            faulthandler.cancel_dump_traceback_later()
        yield
        # None ends before all have come so far. Who has heard that ends, perhaps before another has heard it.
        try:
            total(np.zeros(1))
        except tf.errors.OpError as error:
            if not _is_gone(error):
                raise
    except tf.errors.OpError as error:
        if error.message == "Could not start gRPC server":
            port = "the port that TF_CONFIG gives this worker" if "TF_CONFIG" in os.environ else "a port from 8888 on"
            cure = "end the program that has it, or name another in TF_CONFIG"
            raise InputError(f"--engine workers: {port} is taken; {cure}") from None
        if not _is_gone(error):
            raise
        time.sleep(SECONDS_TO_NOTICE)
        cause = error.message.rpartition("\n\n")[2]  # before it is said where in the graph that is
        told = f"--engine workers: another is gone, or does not answer: {cause}"
        raise InputError(f"{told}; see what it said, and start all again") from None


def scope() -> AbstractContextManager[object]:
    """Within it the model and its optimizer are made."""
    # Their variables become each worker's copy of what all have; PyTorch wraps a model that is made as any other.
    return strategy().scope()


def _is_gone(error: Exception) -> bool:
    """Whether this is how TensorFlow says that another worker has ended, or does not answer."""
    gone = tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError
    return isinstance(error, gone)


def settings() -> dict[str, str]:
    """What the framework reports: how many workers there are, and the backend by which they meet."""
    backend = strategy().extended._communication_options.implementation
    return {"workers": str(strategy().num_replicas_in_sync), "backend": backend.value}


@tf.function(reduce_retracing=True)
def _total(values: Tensor) -> Tensor:
    def of_all(own: Tensor) -> Tensor:
        # An argument as such is on no device yet, and could not be added up.
        return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(own))

    return strategy().run(of_all, (values,))


def total(values: np.ndarray) -> np.ndarray:
    """The sum of the arrays that all workers have. Each of them must call it."""
    return _total(tf.constant(values)).numpy()


def warm_up(training: Training, model: MLP, optimizer: Optimizer, dataset: Dataset[Tensor]) -> None:
    """Do beforehand what would slow the first step: trace it into a graph."""
    inputs = tf.TensorSpec([None, MNIST.pixels], training.dtype)
    labels = tf.TensorSpec([None], tf.int64)
    train_step.get_concrete_function(model, optimizer, inputs, labels, tf.TensorSpec([], training.dtype))


@tf.function(jit_compile=False, reduce_retracing=True)  # XLA has no collectives on a CPU
def train_step(model: MLP, optimizer: Optimizer, inputs: Tensor, labels: Tensor, size: Tensor) -> Tensor:
    """One update from a share, inputs (b, P) and labels (b,), of a batch of `size`. Returns its part of the loss."""

    def gradients_of_all(inputs: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        with tf.GradientTape() as tape:
            # By the size of the whole batch: a mean over the share would be wrong where shares are unequal, and none
            # where one is empty.
            losses = keras.losses.sparse_categorical_crossentropy(labels, model(inputs), from_logits=True)
            loss = tf.reduce_sum(losses) / size
        gradients = tape.gradient(loss, model.trainable_variables)
        # The sum over the workers; PyTorch's DistributedDataParallel takes the mean.
        return loss, tf.distribute.get_replica_context().all_reduce("SUM", gradients)

    loss, gradients = strategy().run(gradients_of_all, (inputs, labels))
    # It clips and decays here, when all gradients are the batch's, and does the same in each worker. Within `run` Keras
    # would add up all gradients once more, those that are clipped and decayed already.
    optimizer.apply(gradients, model.trainable_variables)
    return loss


def train_epoch(
    model: MLP,
    optimizer: Optimizer,
    dataset: Dataset[Tensor],
    batches: Sequence[np.ndarray],
    session: Session,
) -> np.ndarray:
    """One update for each batch of indices (B,). Returns the mean loss of each before it, (steps,)."""
    worker, workers = strategy().extended._id_in_cluster, strategy().num_replicas_in_sync
    losses = []
    for step, batch in enumerate(batches):
        session.before_step(step)
        index = tf.constant(order.share(batch, worker, workers))
        inputs, labels = (tf.gather(tensor, index) for tensor in dataset)
        losses.append(train_step(model, optimizer, inputs, labels, tf.constant(len(batch), inputs.dtype)))
    return total(tf.stack(losses).numpy())  # once, and not in every step
