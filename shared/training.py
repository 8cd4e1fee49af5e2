"""What is trained: everything that two runs must share to be comparable. Each number stands here once."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared import update_rules
from shared.mnist import MNIST
from shared.options import Listed, Real, Whole
from shared.system.language import join, say
from shared.update_rules import UPDATE_RULES

MOST_HIDDEN_LAYERS = 8
Width = Annotated[Whole, Field(ge=1, le=16_384)]
# What Keras does by default and PyTorch does not. In matched runs both do as PyTorch does.
KerasDefault = Literal["kernels", "biases", "order", "loss"]
KERAS_DEFAULTS: tuple[KerasDefault, ...] = get_args(KerasDefault)
# `--schedule step`: by what the rate is multiplied, and after which shares of the steps.
STEP_FACTOR = 0.1
STEP_MILESTONES = (1 / 2, 3 / 4)
# What stock runs always do: no option changes it.
OF_THE_TUTORIALS = {
    "dtype": "float32",
    "optimizer": "sgd",
    "schedule": "constant",
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "activation": "relu",
}


def _by_optimizer(field: str) -> Callable[[dict[str, Any]], float]:
    """The update rule's own default; `optimizer` must be an earlier field. A rule that does not exist gets SGD's."""

    def default(so_far: dict[str, Any]) -> float:
        value: float = getattr(UPDATE_RULES.get(so_far.get("optimizer", "sgd"), UPDATE_RULES["sgd"]), field)
        return value

    return default


def _listed(what: str) -> str:
    """For --help: the values that differ from plain SGD's, each with the rules that have it."""
    values = {name: getattr(rule, what) for name, rule in UPDATE_RULES.items()}
    others: dict[str, list[str]] = {}
    for name, value in values.items():
        if value != values["sgd"]:
            others.setdefault(f"{value:g}" if isinstance(value, float) else value, []).append(name)
    return join(
        say(", "),
        (say("{value} in {names}", value=value, names=join(say(" and "), names)) for value, names in others.items()),
    )


class Training(BaseModel):
    """A validated, immutable description of a training. The defaults are those of the tutorial."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: Whole = Field(
        5, ge=1, le=10**9, description=say("passes over the {n:,} training images", n=MNIST.train_examples)
    )
    batch_size: Whole = Field(
        64, ge=1, le=MNIST.train_examples, description=say("images per step; the last batch of an epoch may be smaller")
    )
    optimizer: update_rules.Name = Field(
        "sgd",
        description=say(
            "update rule, by PyTorch's formula and constants; of earlier steps it keeps {shares}",
            shares=_listed("keeps"),
        ),
    )
    learning_rate: Real = Field(
        default_factory=_by_optimizer("learning_rate"),
        gt=0,
        description=say("step size; if not given, {rates}", rates=_listed("learning_rate")),
    )
    schedule: Literal["constant", "step", "cosine"] = Field(
        "constant",
        description=say(
            "how the learning rate changes: constant; step, times {factor:g} after {shares} of all steps; cosine, to 0 "
            "along half a wave",
            factor=STEP_FACTOR,
            shares=join(say(" and "), (f"{share:g}" for share in STEP_MILESTONES)),
        ),
    )
    weight_decay: Real = Field(
        default_factory=_by_optimizer("weight_decay"),
        ge=0,
        le=1,
        description=say(
            "shrinks the weights, biases too: by rate × decay in adamw, as part of the gradient in the others; if not "
            "given, {decays}",
            decays=_listed("weight_decay"),
        ),
    )
    clip_norm: Real = Field(
        0.0, ge=0, description=say("largest norm of all gradients together; 0: they are not clipped")
    )
    hidden_sizes: Annotated[tuple[Width, ...], Listed, Field(max_length=MOST_HIDDEN_LAYERS)] = Field(
        (128, 64),
        description=say(
            "units in each hidden layer, with commas between; up to {most} layers, or none", most=MOST_HIDDEN_LAYERS
        ),
    )
    activation: Literal["relu", "tanh", "sigmoid"] = Field("relu", description=say("follows each hidden layer"))
    seed: Whole = Field(0, ge=0, lt=2**63, description=say("seeds the initial weights and the order of the images"))
    dtype: Literal["float32", "float64"] = Field("float32", description=say("precision of every number in the run"))
    mode: Literal["matched", "stock"] = Field(
        "matched",
        description=say("matched: both share all that can be shared; stock: each trains as its own tutorials would"),
    )
    # Not for users: what `--explain` asks of its runs.
    keras_defaults: Annotated[tuple[KerasDefault, ...], Listed] = Field(
        default_factory=lambda so_far: KERAS_DEFAULTS if so_far.get("mode") == "stock" else ()
    )

    @model_validator(mode="after")
    def _numbers_are_numbers_of_their_dtype(self) -> Self:
        for field in ("learning_rate", "weight_decay", "clip_norm"):
            given = getattr(self, field)
            with np.errstate(over="ignore"):
                held = float(self.numpy_dtype.type(given))
            if held == float("inf") or (given and not held):
                told = {"held": held, "dtype": self.dtype, "field": field}
                raise PydanticCustomError("number", "is {held} in {dtype}", told)
        return self

    @model_validator(mode="after")
    def _stock_is_the_tutorials(self) -> Self:
        refuse_in_stock(self.mode, self, OF_THE_TUTORIALS)
        return self

    def defaults_of(self, framework: str) -> tuple[KerasDefault, ...]:
        """The Keras defaults that a framework's run keeps: only TensorFlow's keeps any."""
        return self.keras_defaults if framework == "TensorFlow" else ()

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    @property
    def steps_per_epoch(self) -> int:
        return -(-MNIST.train_examples // self.batch_size)

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch


def refuse_in_stock(mode: str, chosen: BaseModel, allowed: Mapping[str, object]) -> None:
    """Raise PydanticCustomError for the first field that is not as a tutorial has it, in a stock run."""
    for field, value in allowed.items():
        if mode == "stock" and getattr(chosen, field) != value:
            raise PydanticCustomError(
                "stock", "is not what the tutorials do, and so not --mode stock", {"field": field}
            )
