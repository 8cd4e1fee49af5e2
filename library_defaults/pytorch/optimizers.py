"""What PyTorch's optimizers, clipping and schedules do unless told otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from library_defaults import update_rules
from library_defaults.probing import default, printed_by
from library_defaults.update_rules import BETAS, DECAY, EPSILON, START, STEADY


def _updated(kind: Callable[..., Any], steps: Sequence[tuple[float, float]] = STEADY, **options: Any) -> np.ndarray:
    """A float64 weight that starts at START, after each step with its (rate, gradient): float64 (steps,)."""
    weight = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = kind([weight], lr=steps[0][0], **options)
    seen = []
    for rate, gradient in steps:
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        seen.append(weight.item())
    return np.array(seen)


def sgd_learning_rate() -> float:
    return default(torch.optim.SGD, "lr")


def sgd_momentum() -> str:
    """Where the rate enters SGD with momentum; it shows when the rate changes."""
    return update_rules.momentum(_updated(torch.optim.SGD, update_rules.DROPPING, momentum=update_rules.MOMENTUM))


def sgd_weight_decay() -> str:
    """How `weight_decay` enters SGD; it shows with momentum."""
    return update_rules.sgd_decay(_updated(torch.optim.SGD, momentum=update_rules.MOMENTUM, weight_decay=DECAY))


def adam_learning_rate() -> float:
    return default(torch.optim.Adam, "lr")


def adam_epsilon() -> float:
    return default(torch.optim.Adam, "eps")


def adam_epsilon_place() -> str:
    """Where Adam adds ε; it shows with a large ε."""
    return update_rules.adam_epsilon(_updated(torch.optim.Adam, betas=BETAS, eps=EPSILON))


def adam_weight_decay() -> str:
    """How `weight_decay` enters Adam."""
    return update_rules.adam_decay(_updated(torch.optim.Adam, betas=BETAS, eps=0.0, weight_decay=DECAY))


def adam_repeated_token() -> str:
    """What Adam's mean square takes in where a batch has one token several times."""
    (rate, gradient), _ = STEADY
    embedding = nn.Embedding(1, 1, dtype=torch.float64)
    nn.init.zeros_(embedding.weight)
    optimizer = torch.optim.Adam(embedding.parameters(), lr=rate, betas=BETAS, eps=0.0)
    (gradient * embedding(torch.zeros(update_rules.OCCURRENCES, dtype=torch.int64))).sum().backward()
    optimizer.step()
    return update_rules.repeated_token(-embedding.weight.item())


def adamw_weight_decay() -> float:
    return default(torch.optim.AdamW, "weight_decay")


def nadam_learning_rate() -> float:
    return default(torch.optim.NAdam, "lr")


def rmsprop_learning_rate() -> float:
    return default(torch.optim.RMSprop, "lr")


def rmsprop_smoothing() -> float:
    """The share of the old value in RMSprop's mean square."""
    return default(torch.optim.RMSprop, "alpha")


def rmsprop_epsilon() -> float:
    return default(torch.optim.RMSprop, "eps")


def rmsprop_epsilon_place() -> str:
    """Where RMSprop adds ε; it shows with a large ε."""
    return update_rules.rmsprop_epsilon(_updated(torch.optim.RMSprop, alpha=BETAS[1], eps=EPSILON))


def adagrad_learning_rate() -> float:
    return default(torch.optim.Adagrad, "lr")


def adagrad_accumulator() -> float:
    """Where Adagrad's sum of squares begins."""
    return default(torch.optim.Adagrad, "initial_accumulator_value")


def adagrad_epsilon() -> float:
    return default(torch.optim.Adagrad, "eps")


def adagrad_epsilon_place() -> str:
    """Where Adagrad adds ε; it shows with a large ε."""
    options: dict[str, Any] = {"initial_accumulator_value": update_rules.ACCUMULATED, "eps": EPSILON}
    return update_rules.adagrad_epsilon(_updated(torch.optim.Adagrad, **options))


def adadelta_learning_rate() -> float:
    return default(torch.optim.Adadelta, "lr")


def adadelta_smoothing() -> float:
    """The share of the old value in Adadelta's mean squares."""
    return default(torch.optim.Adadelta, "rho")


def adadelta_epsilon() -> float:
    return default(torch.optim.Adadelta, "eps")


def adamax_learning_rate() -> float:
    return default(torch.optim.Adamax, "lr")


def adamax_epsilon() -> float:
    return default(torch.optim.Adamax, "eps")


def default_optimizer() -> str:
    """Which optimizer makes the first step of a training for which none was named."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    nn.MSELoss()(layer(torch.ones(1, 1)), -torch.ones(1, 1)).backward()
    return update_rules.default_optimizer(-layer.weight.item())


def learning_rate_dtype() -> str:
    """The dtype of SGD's rate for a float64 weight."""
    return update_rules.rate_dtype(_updated(torch.optim.SGD, [(update_rules.TENTH, 1.0)]))


def momentum_dtype() -> str:
    """The dtype of SGD's momentum for a float64 weight."""
    return update_rules.momentum_dtype(_updated(torch.optim.SGD, update_rules.COASTING, momentum=update_rules.TENTH))


def l2_gradient() -> str:
    """What an L2 penalty of strength λ adds to the gradient."""
    # PyTorch has this penalty as the `weight_decay` of SGD, Keras as the regulariser of a layer.
    rate = 0.5
    (weight,) = _updated(torch.optim.SGD, [(rate, 0.0)], weight_decay=DECAY)
    return update_rules.penalty_gradient((START - weight) / rate)


def _clipped(gradients: Sequence[float], **options: Any) -> np.ndarray:
    """The gradients (weights,) after clipping by norm, one number for each weight: float64 (weights,)."""
    weights = [nn.Parameter(torch.tensor(START, dtype=torch.float64)) for _ in gradients]
    clipped = [torch.tensor(gradient, dtype=torch.float64) for gradient in gradients]
    for weight, gradient in zip(weights, clipped, strict=True):
        weight.grad = gradient
    nn.utils.clip_grad_norm_(weights, **options)  # in place
    return np.array([gradient.item() for gradient in clipped])


def clipping_scope() -> str:
    """Which norm is limited where gradients are clipped by norm."""
    return update_rules.clipping_scope(_clipped(update_rules.TWO_GRADIENTS, max_norm=1.0))


def clipping_denominator() -> str:
    """What the gradients are divided by where all are clipped together."""
    return update_rules.clipping_denominator(_clipped(update_rules.TINY_GRADIENTS, max_norm=update_rules.TINY_LIMIT))


def clipping_repeated_token() -> str:
    """What the norm of a gradient takes in where a batch has one token several times."""
    embedding = nn.Embedding(1, 1, dtype=torch.float64)
    nn.init.zeros_(embedding.weight)
    embedding(torch.zeros(update_rules.OCCURRENCES, dtype=torch.int64)).sum().backward()
    nn.utils.clip_grad_norm_(embedding.parameters(), 1.0)
    torch.optim.SGD(embedding.parameters(), lr=1.0).step()
    return update_rules.clipped_token(-embedding.weight.item())


def gradients_of_two_passes() -> str:
    """What the second backward pass does with the gradient of the first."""
    weight = nn.Parameter(torch.tensor(START))
    gradients = []
    for _ in range(2):
        (update_rules.SLOPE * weight).backward()
        assert weight.grad is not None
        gradients.append(weight.grad.item())
    return update_rules.second_pass(gradients)


def accumulated_gradients() -> str:
    """What the optimizer gets of the gradients of several batches."""
    weight = nn.Parameter(torch.tensor(0.0))
    for gradient in update_rules.TWO_GRADIENTS:
        (gradient * weight).backward()
    torch.optim.SGD([weight], lr=1.0).step()
    return update_rules.accumulated(-weight.item())


def replicated_gradients() -> str:
    """What the optimizer gets of the gradients of several replicas."""
    return update_rules.accumulated(printed_by("library_defaults.pytorch.replicas"))


def _first_drop(losses: Sequence[float], **options: Any) -> int:
    """The epoch after which the rate dropped on a plateau, counted from 0; 0 where it never did."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.tensor(START))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    for epoch, loss in enumerate(losses):
        scheduler.step(loss)
        if optimizer.param_groups[0]["lr"] < 1:
            return epoch
    return 0


def plateau_threshold() -> float:
    """How much lower a loss must be to count as better."""
    return default(torch.optim.lr_scheduler.ReduceLROnPlateau, "threshold")


def plateau_threshold_mode() -> str:
    """Whether that threshold is absolute, or relative to the best loss."""
    return update_rules.plateau_threshold(
        _first_drop(update_rules.BETTER_RELATIVELY, patience=0), _first_drop(update_rules.BETTER_ABSOLUTELY, patience=0)
    )


def plateau_patience() -> int:
    return default(torch.optim.lr_scheduler.ReduceLROnPlateau, "patience")


def plateau_epochs_waited() -> int:
    """After how many epochs in a row that are not better the rate drops."""
    return _first_drop(update_rules.MANY_EQUAL_LOSSES)


def milestone() -> int:
    """The first step, counted from 0, with the rate that follows a milestone."""
    weight = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [update_rules.MILESTONE])
    seen = [START]
    for _ in update_rules.STEPS_AROUND_IT:
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        scheduler.step()
        seen.append(weight.item())
    return update_rules.first_lower(-np.diff(seen))


def schedule_unit() -> str:
    """With what a schedule goes on."""
    weight = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    seen = []
    for _ in range(2):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        seen.append(weight.item())
    return update_rules.schedule_unit(np.array(seen))
