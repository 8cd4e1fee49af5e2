"""What PyTorch's layers do unless told otherwise."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from library_defaults import formulas, update_rules
from library_defaults.probing import default, six_digits
from library_defaults.update_rules import TENTH


def _dense(fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a new dense layer, laid out as the framework does."""
    layer = nn.Linear(fan_in, fan_out)
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def dense_kernel_layout() -> tuple[int, ...]:
    """The shape of the kernel from 3 inputs to 5 units."""
    kernel, _ = _dense(3, 5)
    return kernel.shape


def dense_kernel_initialiser() -> str:
    """The distribution of a dense layer's first weights."""
    kernel, _ = _dense(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(kernel, formulas.FAN_IN, formulas.FAN_OUT)


def dense_bias_initialiser() -> str:
    """The distribution of a dense layer's first biases."""
    _, bias = _dense(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(bias, formulas.FAN_IN, formulas.FAN_OUT)


def _convolution(channels: int, filters: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a new convolution with a window of KERNEL places, laid out as the framework does."""
    layer = nn.Conv1d(channels, filters, formulas.KERNEL)
    assert layer.bias is not None
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def convolution_kernel_initialiser() -> str:
    """The distribution of a convolution's first weights."""
    kernel, _ = _convolution(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(kernel, formulas.KERNEL * formulas.FAN_IN, formulas.KERNEL * formulas.FAN_OUT)


def convolution_bias_initialiser() -> str:
    """The distribution of a convolution's first biases."""
    _, bias = _convolution(formulas.FAN_IN, formulas.FAN_OUT)
    return formulas.distribution(bias, formulas.KERNEL * formulas.FAN_IN, formulas.KERNEL * formulas.FAN_OUT)


def embedding_initialiser() -> str:
    """The distribution of an embedding's first vectors."""
    table = nn.Embedding(formulas.FAN_OUT, formulas.FAN_IN).weight.detach().numpy()
    return formulas.distribution(table, formulas.FAN_IN, formulas.FAN_OUT)


def truncated_normal_limit() -> str:
    """Beyond which numbers the truncated normal initialiser draws again."""
    weight = torch.empty(formulas.FAN_OUT, formulas.FAN_IN)
    return formulas.truncated_normal(nn.init.trunc_normal_(weight, std=formulas.STANDARD_DEVIATION).numpy())


def he_normal() -> str:
    """The distribution of the normal initialiser by fan-in."""
    weight = torch.empty(formulas.FAN_OUT, formulas.FAN_IN)
    return formulas.he_normal(nn.init.kaiming_normal_(weight).numpy(), formulas.FAN_IN)


def lstm_forget_bias() -> int:
    """The mean of the first biases of an LSTM's forget gate."""
    units = formulas.FAN_IN
    lstm = nn.LSTM(1, units)
    bias = lstm.get_parameter("bias_ih_l0") + lstm.get_parameter("bias_hh_l0")
    return round(bias[units : 2 * units].mean().item())


def lstm_recurrent_kernel() -> str:
    """The distribution of an LSTM's first recurrent weights."""
    lstm = nn.LSTM(1, formulas.RECURRENT_UNITS)
    return formulas.recurrent_kernel(lstm.get_parameter("weight_hh_l0").detach().numpy())


def _moved_bias(layer: nn.RNNBase, gate: int) -> tuple[float, float]:
    """How far the sum of the biases of a gate moves in a step of SGD, and the gradient by that sum."""
    of_inputs, recurrent = (layer.get_parameter(name) for name in ("bias_ih_l0", "bias_hh_l0"))
    before = of_inputs.detach() + recurrent.detach()
    outputs, _ = layer(torch.ones(1, 1, 1, dtype=torch.float64))
    outputs.sum().backward()
    torch.optim.SGD(layer.parameters(), lr=TENTH).step()
    assert of_inputs.grad is not None
    return (of_inputs + recurrent - before)[gate].item(), of_inputs.grad[gate].item()


def lstm_biases_in_training() -> int:
    """How much faster than one bias those of an LSTM's gate learn."""
    return update_rules.gates_bias(*_moved_bias(nn.LSTM(1, 1, dtype=torch.float64), 0))


def gru_biases_in_training() -> int:
    """How much faster than one bias those of a GRU's update gate learn."""
    return update_rules.gates_bias(*_moved_bias(nn.GRU(1, 1, dtype=torch.float64), 1))


def gru_bias_layout() -> str:
    """The shapes of a GRU's biases."""
    gru = nn.GRU(1, 3)
    return " and ".join(str(tuple(values.shape)) for name, values in gru.named_parameters() if "bias" in name)


def _gru() -> tuple[str, str]:
    gru = nn.GRU(1, 2, bias=False, dtype=torch.float64)
    gru.load_state_dict(
        {
            "weight_ih_l0": torch.from_numpy(formulas.GRU_KERNEL.T),
            "weight_hh_l0": torch.from_numpy(formulas.GRU_RECURRENT_KERNEL.T),
        }
    )
    outputs, _ = gru(torch.ones(1, 1, 1, dtype=torch.float64), torch.from_numpy(formulas.GRU_STATE)[None])
    return formulas.gru(outputs[0].detach().numpy())


def gru_gate_order() -> str:
    """In which order a GRU has its gates."""
    order, _ = _gru()
    return order


def gru_reset() -> str:
    """Where a GRU's reset gate scales the state."""
    _, place = _gru()
    return place


def halving_padding() -> str:
    """Where a convolution that halves its input adds zeros."""
    layer = nn.Conv1d(1, 1, formulas.KERNEL, stride=2, padding=1, bias=False)  # "same" refuses strides
    nn.init.ones_(layer.weight)
    return formulas.halving_padding(layer(torch.from_numpy(formulas.PLACES).float()[None]).detach().numpy().ravel())


def average_pooling_padding() -> str:
    """What average pooling divides by where its window covers padding."""
    layer = nn.AvgPool1d(formulas.KERNEL, stride=1, padding=1)
    return formulas.average_pooling(layer(torch.from_numpy(formulas.PLACES)[None]).numpy().ravel())


def flattened_convolution() -> str:
    """In which order the outputs of a convolution are flattened."""
    layer = nn.Conv2d(1, len(formulas.CHANNELS), 1)
    nn.init.zeros_(layer.weight)
    layer.bias = nn.Parameter(torch.tensor(formulas.CHANNELS))
    outputs = nn.Flatten()(layer(torch.zeros(1, 1, formulas.IMAGE_SIZE, formulas.IMAGE_SIZE)))
    return formulas.flattened_order(outputs.detach().numpy().ravel())


def float64_into_a_float32_layer() -> str:
    """What a layer made without a dtype does with float64 inputs."""
    try:
        outputs = nn.Linear(3, 5)(torch.zeros(2, 3, dtype=torch.float64))
    except RuntimeError:
        return "refuses"
    return f"computes in {outputs.dtype}".replace("torch.", "")


def batch_norm_epsilon() -> float:
    return default(nn.BatchNorm1d, "eps")


def batch_norm_momentum() -> float:
    """The number that batch normalisation calls momentum."""
    return default(nn.BatchNorm1d, "momentum")


def batch_norm_weight_of_the_new() -> float:
    """How far one batch moves the running mean from 0, as a share of the batch's mean."""
    layer = nn.BatchNorm1d(1, dtype=torch.float64)
    layer(torch.from_numpy(formulas.BATCH))
    return six_digits(layer.get_buffer("running_mean").item() / formulas.BATCH.mean())


def batch_norm_running_variance() -> str:
    """Which variance of a batch moves the running one."""
    layer = nn.BatchNorm1d(1, dtype=torch.float64)
    layer(torch.from_numpy(formulas.BATCH))
    return formulas.running_variance(layer.get_buffer("running_var").item(), batch_norm_weight_of_the_new())


def batch_norm_frozen() -> str:
    """What batch normalisation does in training where its parameters are frozen."""
    layer = nn.BatchNorm1d(1).requires_grad_(False)
    layer(torch.from_numpy(formulas.BATCH).float())
    return "keeps its statistics" if layer.get_buffer("running_mean").item() == 0 else "goes on learning its statistics"


def layer_norm_epsilon() -> float:
    return default(nn.LayerNorm, "eps")


def group_norm_epsilon() -> float:
    return default(nn.GroupNorm, "eps")


def dropout_scale() -> str:
    """What dropout does to the inputs that it keeps."""
    rate = 0.75
    outputs = nn.Dropout(rate)(torch.ones(formulas.EXAMPLES))
    return formulas.kept_scale(outputs.max().item(), rate)


def dropout_of_a_new_layer() -> str:
    """What a new dropout layer does when it is called, where nobody said whether this is training."""
    outputs = nn.Dropout(0.5)(torch.ones(formulas.EXAMPLES))
    return "drops" if (outputs == 0).any() else "passes everything on"


def leaky_relu_layer() -> float:
    """The slope of the leaky ReLU layer below zero."""
    return six_digits(-nn.LeakyReLU()(torch.tensor([-1.0])).item())


def leaky_relu_function() -> float:
    """The slope of the leaky ReLU function below zero."""
    return six_digits(-F.leaky_relu(torch.tensor([-1.0])).item())


def gelu_function() -> str:
    """Which GELU the function computes."""
    return formulas.gelu(F.gelu(torch.tensor(1.0, dtype=torch.float64)).item())


def gelu_activation() -> str:
    """Which GELU the activations compute; all that were found, where they differ."""
    return formulas.gelu(nn.GELU()(torch.tensor(1.0, dtype=torch.float64)).item())


def gelu_dtype() -> str:
    """The dtype of the √½ in the exact GELU of a float64 input."""
    return formulas.gelu_dtype(F.gelu(torch.tensor(1.0, dtype=torch.float64)).item())


def _gradients(function: Callable[..., torch.Tensor], *inputs: Sequence[float]) -> list[tuple[float, ...]]:
    """The gradients by each of the inputs, in float64, of the sum of what the function makes of them."""
    tensors = [torch.tensor(numbers, dtype=torch.float64, requires_grad=True) for numbers in inputs]
    gradients = torch.autograd.grad(function(*tensors).sum(), tensors)
    return [tuple(gradient.tolist()) for gradient in gradients]


def relu_gradient_at_zero() -> float:
    """The gradient of a ReLU where its input is exactly 0."""
    ((gradient,),) = _gradients(F.relu, [0.0])
    return gradient


def maximum_gradient() -> tuple[float, ...]:
    """The gradients by both arguments of a maximum where they are equal."""
    by_first, by_second = _gradients(torch.maximum, [0.0], [0.0])
    return by_first + by_second


def clip_gradient() -> tuple[float, ...]:
    """The gradients of clipping where the input is the lower and where it is the upper limit."""
    low, high = formulas.LIMITS
    (gradient,) = _gradients(lambda inputs: torch.clamp(inputs, low, high), [low, high])
    return gradient


def norm_gradient() -> str:
    """The gradient of a norm where all of its inputs are 0."""
    (gradient,) = _gradients(torch.linalg.norm, formulas.NOWHERE)
    return formulas.norm_gradient(gradient)
