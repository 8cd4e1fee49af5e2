"""One epoch by each of Keras's own optimizers and schedules, as little told as its documentation allows.

`python -m benchmarks.optimizers_tensorflow OUT` writes step losses (938,), float64, by "CASE/TOLD", as safetensors.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras.optimizers.schedules import CosineDecay, PiecewiseConstantDecay
from safetensors.numpy import save_file

from benchmarks.optimizers import CLIP_NORM, DECAY, TOLD, TRAINING
from shared.execution import Execution
from shared.network import initial_weights
from shared.running.session import Session
from shared.training import STEP_FACTOR, STEP_MILESTONES, Training
from shared.update_rules import (
    ADAGRAD_EPSILON,
    ADAGRAD_INITIAL_ACCUMULATOR,
    ADAM_BETAS,
    ADAM_EPSILON,
    MOMENTUM,
    RMSPROP_ALPHA,
    RMSPROP_EPSILON,
    UPDATE_RULES,
)
from tensorflow_impl import data, fast, model, runtime

DEFAULT_RATE = 0.01  # SGD's, for a schedule has none of its own


momentum = functools.partial(keras.optimizers.SGD, momentum=MOMENTUM)
nesterov = functools.partial(keras.optimizers.SGD, momentum=MOMENTUM, nesterov=True)
decayed_sgd = functools.partial(keras.optimizers.SGD, weight_decay=DECAY)
decayed_adam = functools.partial(keras.optimizers.Adam, weight_decay=DECAY)
clipped_sgd = functools.partial(keras.optimizers.SGD, global_clipnorm=CLIP_NORM)


def by_steps(learning_rate: float = DEFAULT_RATE, *, early: int = 0, **constants: Any) -> keras.optimizers.Optimizer:
    # Keras's boundary is the last step of the higher rate, PyTorch's milestone the first of the lower one.
    boundaries = [int(share * TRAINING.steps) - early for share in STEP_MILESTONES]
    values = [learning_rate * STEP_FACTOR**fallen for fallen in range(len(boundaries) + 1)]
    return momentum(PiecewiseConstantDecay(boundaries, values), **constants)


def by_cosine(learning_rate: float = DEFAULT_RATE, **constants: Any) -> keras.optimizers.Optimizer:
    return momentum(CosineDecay(learning_rate, TRAINING.steps), **constants)


def exactly(**constants: float) -> dict[str, Any]:
    """Constants in a form that Keras takes as they are: it casts Python's floats through float32."""
    return {name: np.float64(value) for name, value in constants.items()}


ADAM = exactly(beta_1=ADAM_BETAS[0], beta_2=ADAM_BETAS[1], epsilon=ADAM_EPSILON)
# How an optimizer is made from what is told, and which constants of PyTorch's it can be told; ε squared where Keras has
# it under the root.
CASES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "sgd": (keras.optimizers.SGD, {}),
    "momentum": (momentum, exactly(momentum=MOMENTUM)),
    "nesterov": (nesterov, exactly(momentum=MOMENTUM)),
    "adam": (keras.optimizers.Adam, ADAM),
    "adamw": (keras.optimizers.AdamW, ADAM | exactly(weight_decay=UPDATE_RULES["adamw"].weight_decay)),
    "rmsprop": (keras.optimizers.RMSprop, exactly(rho=RMSPROP_ALPHA, epsilon=RMSPROP_EPSILON**2)),
    "adagrad": (
        keras.optimizers.Adagrad,
        exactly(initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR, epsilon=ADAGRAD_EPSILON**2),
    ),
    "momentum, schedule step": (by_steps, exactly(momentum=MOMENTUM) | {"early": 1}),
    "momentum, schedule cosine": (by_cosine, exactly(momentum=MOMENTUM)),
    "sgd, decay 0.01": (decayed_sgd, exactly(weight_decay=DECAY)),
    "adam, decay 0.01": (decayed_adam, ADAM | exactly(weight_decay=DECAY)),
    "sgd, clipped to 0.5": (clipped_sgd, exactly(global_clipnorm=CLIP_NORM)),
}


def main() -> None:
    device = runtime.configure(Execution(), TRAINING.dtype)
    train_set = data.to_dataset(data.read("train"), TRAINING, device)
    session = Session(TRAINING)
    steps = next(session.epochs())
    losses: dict[str, np.ndarray] = {}
    for case, (make, constants) in CASES.items():
        for told in TOLD:
            built = model.build(TRAINING, initial_weights(TRAINING), device)
            project = Training.model_validate({"optimizer": case.partition(",")[0]}).learning_rate
            rate: dict[str, Any] = {} if told == "nothing" else {"learning_rate": project}
            optimizer = make(**rate, **(constants if told == "constants" else {}))
            optimizer.build(built.trainable_variables)
            losses[f"{case}/{told}"] = fast.train_epoch(built, optimizer, train_set, steps, session)
    save_file(losses, sys.argv[1])


if __name__ == "__main__":
    main()
