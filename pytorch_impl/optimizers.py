"""The optimizers in PyTorch: the library's own, because its formulas and constants are the project's."""

import numpy as np
import torch

from pytorch_impl.model import MLP, interchange
from shared.running.schedule import factor
from shared.training import Training
from shared.update_rules import (
    ADAGRAD_EPSILON,
    ADAGRAD_INITIAL_ACCUMULATOR,
    ADAM_BETAS,
    ADAM_EPSILON,
    MOMENTUM,
    RMSPROP_ALPHA,
    RMSPROP_EPSILON,
    UPDATE_RULES,
    Buffer,
)

# PyTorch's names for a buffer, one or another in each of its classes.
NAMES: dict[Buffer, set[str]] = {
    "mean": {"momentum_buffer", "exp_avg"},
    "square": {"exp_avg_sq", "square_avg", "sum"},
}


def make_optimizer(training: Training, model: MLP) -> torch.optim.Optimizer:
    """The training's optimizer for the model, at its first step. It clips, decays and changes its rate by itself."""
    weights, rate, decay = list(model.parameters()), training.learning_rate, training.weight_decay
    on_cpu = all(weight.is_cpu for weight in weights)
    optimizer: torch.optim.Optimizer
    # Fused: one call updates all weights. Keras's update is part of the traced step.
    match training.optimizer:
        # PyTorch's decay is part of the gradient, except in AdamW; Keras's is outside the rule in all, as in AdamW.
        case "sgd":
            optimizer = torch.optim.SGD(weights, rate, weight_decay=decay, fused=True)
        case "momentum" | "nesterov":
            # The buffer adds up gradients, and is multiplied by the rate of the current step; Keras's adds up
            # gradients that were multiplied by the rate of their own step.
            nesterov = training.optimizer == "nesterov"
            optimizer = torch.optim.SGD(weights, rate, MOMENTUM, weight_decay=decay, nesterov=nesterov, fused=True)
        case "adam" | "adamw":
            # Corrects the bias, in double precision, and then adds epsilon; Keras adds epsilon before.
            adam = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
            # On a GPU the fused rule takes 1 - beta in float32, 1.3e-5 off, and AdamW decays by a subtraction.
            fused = training.optimizer == "adam" and on_cpu
            optimizer = adam(weights, rate, ADAM_BETAS, ADAM_EPSILON, weight_decay=decay, fused=fused)
        case "rmsprop":
            # Adds epsilon to the root; Keras to what is under it. There is no fused RMSprop.
            optimizer = torch.optim.RMSprop(weights, rate, RMSPROP_ALPHA, RMSPROP_EPSILON, weight_decay=decay)
        case "adagrad":
            # Adds epsilon to the root; Keras to what is under it, which by default starts from 0.1.
            optimizer = torch.optim.Adagrad(
                weights,
                rate,
                weight_decay=decay,
                initial_accumulator_value=ADAGRAD_INITIAL_ACCUMULATOR,
                eps=ADAGRAD_EPSILON,
                fused=on_cpu,  # there is none on a GPU
            )
    if training.clip_norm:

        def clip(*_: object) -> None:
            # In PyTorch the training loop clips; by this hook the optimizer does, as in Keras.
            # It divides by the norm of all gradients together + 1e-6; Keras's global_clipnorm by the norm alone.
            torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)

        optimizer.register_step_pre_hook(clip)
    if training.schedule != "constant":
        # Sets the next rate after each step; Keras asks its schedule at each step.
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(training, step))
        optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


def buffers(training: Training, model: MLP, optimizer: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    """Copies of what it keeps of earlier gradients, as `mean/fc1.weight` and so on, in the interchange form."""
    found: dict[str, np.ndarray] = {}
    for buffer in UPDATE_RULES[training.optimizer].buffers:
        tensors = []
        for weight in model.parameters():
            # Most of PyTorch's optimizers make their buffers in the first step; Keras's when they are built.
            kept = optimizer.state.get(weight, {})
            tensors.append(next((kept[name] for name in NAMES[buffer] if name in kept), torch.zeros_like(weight)))
        found |= {f"{buffer}/{name}": values for name, values in interchange(model, tensors).items()}
    return found
