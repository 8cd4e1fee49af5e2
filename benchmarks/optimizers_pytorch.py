"""One epoch by each of PyTorch's own optimizers and schedules, as little told as its documentation allows.

`python -m benchmarks.optimizers_pytorch OUT` writes step losses (938,), float64, by "CASE/TOLD", as safetensors.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR

from benchmarks.optimizers import CLIP_NORM, DECAY, TOLD, TRAINING
from pytorch_impl import data, model, runtime, train
from shared.execution import Execution
from shared.network import initial_weights
from shared.running.session import Session
from shared.training import STEP_FACTOR, STEP_MILESTONES, Training
from shared.update_rules import MOMENTUM

Optimizer = torch.optim.Optimizer


def clipped(optimizer: Optimizer, weights: list[torch.nn.Parameter]) -> Optimizer:
    def clip(*_: object) -> None:
        torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)

    optimizer.register_step_pre_hook(clip)
    return optimizer


def by_steps(optimizer: Optimizer) -> Optimizer:
    scheduler = MultiStepLR(optimizer, [int(share * TRAINING.steps) for share in STEP_MILESTONES], STEP_FACTOR)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


def by_cosine(optimizer: Optimizer) -> Optimizer:
    scheduler = CosineAnnealingLR(optimizer, TRAINING.steps)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


# From the weights and what is told of the rate.
CASES: dict[str, Callable[..., Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda w, **rate: torch.optim.SGD(w, momentum=MOMENTUM, **rate),
    "nesterov": lambda w, **rate: torch.optim.SGD(w, momentum=MOMENTUM, nesterov=True, **rate),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "momentum, schedule step": lambda w, **rate: by_steps(torch.optim.SGD(w, momentum=MOMENTUM, **rate)),
    "momentum, schedule cosine": lambda w, **rate: by_cosine(torch.optim.SGD(w, momentum=MOMENTUM, **rate)),
    "sgd, decay 0.01": lambda w, **rate: torch.optim.SGD(w, weight_decay=DECAY, **rate),
    "adam, decay 0.01": lambda w, **rate: torch.optim.Adam(w, weight_decay=DECAY, **rate),
    "sgd, clipped to 0.5": lambda w, **rate: clipped(torch.optim.SGD(w, **rate), w),
}


def main() -> None:
    device = runtime.configure(Execution(), TRAINING.dtype)
    train_set = data.to_dataset(data.read("train"), TRAINING, device)
    session = Session(TRAINING)
    steps = next(session.epochs())
    losses: dict[str, np.ndarray] = {}
    for case, make in CASES.items():
        for told in TOLD:
            built = model.build(TRAINING, initial_weights(TRAINING), device)
            project = Training.model_validate({"optimizer": case.partition(",")[0]}).learning_rate
            rate: dict[str, Any] = {} if told == "nothing" else {"lr": project}
            optimizer = make(list(built.parameters()), **rate)
            losses[f"{case}/{told}"] = train.train_epoch(built, optimizer, train_set, steps, session)
    save_file(losses, sys.argv[1])


if __name__ == "__main__":
    main()
