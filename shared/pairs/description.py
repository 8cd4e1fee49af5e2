"""What each side tells of a user's model: its tensors and layers, what is called in which order, and its optimizer.

Names of tensors and paths of layers are those of the framework: "blocks.0.norm.weight" in PyTorch, "block/norm/gamma"
in Keras. Kinds and settings have one name for both, PyTorch's where it has one, and one unit: `momentum` of a batch
normalisation is the weight of the new batch, on both sides.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

from shared.system.language import say

Setting = JsonValue

# Kinds of layers with tensors of their own.
DENSE, CONV, CONV_TRANSPOSE, SEPARABLE_CONV = "dense", "conv", "conv_transpose", "separable_conv"
EMBEDDING, BATCH_NORM, LAYER_NORM, GROUP_NORM = "embedding", "batch_norm", "layer_norm", "group_norm"
RNN, LSTM, GRU, BIDIRECTIONAL = "rnn", "lstm", "gru", "bidirectional"
ATTENTION, PRELU = "attention", "prelu"
SDPA = "scaled_dot_product_attention"
VECTORS = 2  # dimensions of what is no image, signal or volume: (examples, numbers)
RAW = "raw"  # tensors that belong to no layer of a known kind: parameters of a user's own class
# The words that a process tells beside names.
ACTIVATION, TENSOR, MODEL = "the activation of ", "a tensor ", "the model"


def _said(told: str) -> str:
    """Words that came from a process as plain text, made anew: so they can be said in another language."""
    if told.startswith(ACTIVATION):
        return say("the activation of {layer}", layer=told.removeprefix(ACTIVATION))
    return say("a tensor {shape}", shape=told.removeprefix(TENSOR)) if told.startswith(TENSOR) else told


def _said_place(told: str) -> str:
    """The same of where something drops: "F.dropout in the model, no. 2"."""
    place, again, number = told.partition(", no. ")
    called, inside, of = place.partition(" in ")
    if inside:
        place = say("{called} in {place}", called=called, place=say("the model") if of == MODEL else of)
    return say("{place}, no. {number}", place=place, number=number) if again else place


Told = Annotated[str, AfterValidator(_said)]
Place = Annotated[str, AfterValidator(_said_place)]


class Strict(BaseModel):
    """No field more, no field less, and none that changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorFacts(Strict):
    """A parameter, or what is kept beside the parameters, such as a running mean."""

    shape: tuple[int, ...]
    trainable: bool
    buffer: bool  # no parameter: changed by the forward pass, not by the optimizer


class Layer(Strict):
    """A layer with tensors of its own."""

    path: str
    kind: str
    called: str  # as its user writes it: nn.Conv2d, keras.layers.Conv2D, or a class of the user's
    # The model's name of each tensor, by the layer's own: {"weight": "blocks.0.norm.weight"}. A shared tensor stands in
    # each layer that has it.
    tensors: dict[str, str]
    settings: dict[str, Setting]


class Call(Strict):
    """A call of a layer, or of a function outside any layer, in the forward pass."""

    place: str  # the layer's path; of a function, the path of the module in which it was called
    kind: str  # that of the layer, or relu, gelu, softmax, flatten, max_pool, …; "" where it is none that is known
    called: Told  # nn.Conv2d, F.gelu, keras.ops.gelu, the activation of keras.layers.Dense
    settings: dict[str, Setting]
    inputs: list[str]  # the names of the arrays of its inputs that are tensors
    output: str  # of its first output
    dtype: str  # of that
    channels_last: bool | None = None  # of an image, signal or volume; None where it can't be told
    given_channels_last: bool | None = None  # the same of its inputs: a pooling of all places gives no image

    @property
    def as_given(self) -> "Call":
        """With the layout of its inputs for that of its output."""
        return self.model_copy(update={"channels_last": self.given_channels_last})


class OptimizerFacts(Strict):
    """What updates the weights."""

    rule: str  # sgd, adam, adamw, …: the class's name in small letters
    called: str  # torch.optim.AdamW, keras.optimizers.AdamW, or a class of the user's
    settings: dict[str, Setting]
    # Of each parameter that it has: its own settings, where these differ from tensor to tensor.
    of_tensors: dict[str, dict[str, Setting]]


class Description(Strict):
    """One side."""

    framework: Literal["PyTorch", "TensorFlow"]
    tensors: dict[str, TensorFacts]  # by name, in the model's order
    layers: list[Layer]  # in order of execution; those that were not called come last
    calls: list[Call]  # of an evaluation, in order
    training_calls: list[Call]
    losses: list[Call]  # what is called in the user's loss
    optimizer: OptimizerFacts
    dropout: dict[Place, float]  # rates by path; all are set to 0 before anything is compared
    random_in_evaluation: bool  # two passes gave different outputs
    outputs: Told  # what the model returns, in words: "a tensor (16, 10)"
