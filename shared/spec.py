"""The specification of a run: all that two runs must share to be comparable, each number once."""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from shared.constants import (
    ADAM_BETAS,
    LEARNING_RATE,
    MOMENTUM,
    OTHERS_LEARNING_RATE,
    RMSPROP_ALPHA,
    STEP_FACTOR,
    STEP_MILESTONES,
    WEIGHT_DECAY,
)
from shared.system.errors import InputError

PIXELS = 28 * 28
CLASSES = 10
LAYERS = ("fc1", "fc2", "fc3")
TRAIN_EXAMPLES = 60_000
TEST_EXAMPLES = 10_000


def _split_commas(value: Any) -> Any:
    return (value.split(",") if value else ()) if isinstance(value, str) else value


def _by_optimizer(values: Mapping[str, float], otherwise: float) -> Callable[[dict[str, Any]], float]:
    """A default that goes by the optimizer, which must be a field before."""
    return lambda fields: values.get(fields["optimizer"], otherwise)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g} for {name}" for name, value in values.items())


def is_plain(text: str) -> bool:
    """Whether a number is written in ASCII, without blanks or underscores; Python reads much more as one."""
    return re.fullmatch("[!-~]+", text) is not None and "_" not in text


def _plainly_written(value: Any) -> Any:
    if isinstance(value, str) and not is_plain(value):
        raise PydanticCustomError("number", "a number has the digits 0 to 9, no blanks and no underscores")
    return value


Whole = Annotated[int, BeforeValidator(_plainly_written)]
Real = Annotated[float, BeforeValidator(_plainly_written)]
Width = Annotated[Whole, Field(ge=1, le=16_384)]
# Where Keras does by default what PyTorch does not; the two meet in PyTorch's way.
KerasDefault = Literal["kernels", "biases", "order", "loss"]
KERAS_DEFAULTS: tuple[KerasDefault, ...] = get_args(KerasDefault)
# What stock runs do and can't be told to do otherwise.
TUTORIALS = {
    "dtype": "float32",
    "optimizer": "sgd",
    "schedule": "constant",
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "engine": "auto",
}


class Spec(BaseModel):
    """A validated, immutable specification. The defaults are those of the tutorial."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: Whole = Field(5, ge=1, le=10**9, description="passes over the 60,000 training images")
    batch_size: Whole = Field(
        64, ge=1, le=TRAIN_EXAMPLES, description="images per step; the last batch of an epoch may be smaller"
    )
    optimizer: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad"] = Field(
        "sgd",
        description=f"update rule, by PyTorch's formula and constants; momentum and nesterov keep {MOMENTUM:g}, "
        f"adam and adamw {ADAM_BETAS[0]:g} and {ADAM_BETAS[1]:g}, rmsprop {RMSPROP_ALPHA:g}",
    )
    learning_rate: Real = Field(
        default_factory=_by_optimizer(LEARNING_RATE, OTHERS_LEARNING_RATE),
        gt=0,
        description=f"step size; if not given, {_listed(LEARNING_RATE)}",
    )
    schedule: Literal["constant", "step", "cosine"] = Field(
        "constant",
        description=f"how the learning rate goes on: constant; step, times {STEP_FACTOR:g} after "
        f"{' and '.join(f'{share:g}' for share in STEP_MILESTONES)} of all steps; cosine, to 0 along half a wave",
    )
    weight_decay: Real = Field(
        default_factory=_by_optimizer(WEIGHT_DECAY, 0.0),
        ge=0,
        le=1,
        description="shrinks the weights, biases too: by rate × decay in adamw, as part of the gradient in the others; "
        f"if not given, {_listed(WEIGHT_DECAY)}",
    )
    clip_norm: Real = Field(0.0, ge=0, description="largest norm of all gradients together; 0: they are not clipped")
    hidden_sizes: Annotated[tuple[Width, Width], BeforeValidator(_split_commas)] = Field(
        (128, 64), description="units in the two hidden layers, with a comma between"
    )
    seed: Whole = Field(0, ge=0, lt=2**63, description="seeds the initial weights and the order of the images")
    dtype: Literal["float32", "float64"] = Field("float32", description="precision of every number in the run")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train; auto takes the GPU where the framework sees one"
    )
    mode: Literal["matched", "stock"] = Field(
        "matched",
        description="matched: all that can be shared is; stock: as each framework's own tutorials would write it",
    )
    keras_defaults: Annotated[tuple[KerasDefault, ...], BeforeValidator(_split_commas)] = Field(
        default_factory=lambda so_far: KERAS_DEFAULTS if so_far.get("mode") == "stock" else (),
        description=f"of Keras's defaults, those that TensorFlow's run keeps: some of {','.join(KERAS_DEFAULTS)}; a "
        "stock run, if not told, all",
    )
    engine: Literal["auto", "eager", "fast"] = Field(
        "auto",
        description="how steps are run: eager, one by one, as one reads them; fast, many compiled into one call; auto, "
        "whichever finishes the default run first",
    )
    # Two OpenMP threads stalled single epochs for 20 to 40 s on a shared two-core machine, and at this size
    # a second thread gains nothing.
    threads: Whole = Field(1, ge=1, le=1024, description="CPU threads for the arithmetic")

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
        for field, value in TUTORIALS.items():
            if self.mode == "stock" and getattr(self, field) != value:
                raise PydanticCustomError(
                    "stock", "is not what the tutorials do, and so not --mode stock", {"field": field}
                )
        return self

    def defaults_of(self, framework: str) -> tuple[KerasDefault, ...]:
        """Keras's defaults that a framework's run keeps: they are TensorFlow's alone."""
        return self.keras_defaults if framework == "TensorFlow" else ()

    @property
    def layer_sizes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each of `LAYERS`."""
        return list(pairwise((PIXELS, *self.hidden_sizes, CLASSES)))

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter by name, named and laid out as in PyTorch's `state_dict`."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in zip(LAYERS, self.layer_sizes, strict=True):
            shapes[f"{layer}.weight"] = (fan_out, fan_in)
            shapes[f"{layer}.bias"] = (fan_out,)
        return shapes

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    @property
    def steps_per_epoch(self) -> int:
        return -(-TRAIN_EXAMPLES // self.batch_size)

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def options(self) -> list[str]:
        """The command line that makes this specification."""
        words = []
        for name, value in self.model_dump().items():
            words += [option_name(name), ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
        return words


def _quoted(value: Any) -> str:
    """A value as it was typed, but in quotes where it is empty or has blanks or more that can't be seen."""
    text = str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)


def option_name(field: str) -> str:
    return "--" + field.replace("_", "-")


def parse_spec(values: dict[str, Any]) -> Spec:
    """Validate `values` (field name -> value or its text).

    Raises InputError, one line, for the first field that is wrong.
    """
    try:
        return Spec(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0] if first["loc"] else first["ctx"]["field"])
        default = dict(zip(Spec().options()[::2], Spec().options()[1::2], strict=True)).get(option_name(field))
        cure = f"for example {option_name(field)} {default}" if default else "see --help"
        message = first["msg"][0].lower() + first["msg"][1:]
        if first["type"] in ("missing", "too_long"):
            message = "two numbers are needed"
        raise InputError(f"{option_name(field)} {_quoted(values.get(field))}: {message}; {cure}") from None
