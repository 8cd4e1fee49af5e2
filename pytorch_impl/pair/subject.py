"""A user's PyTorch model with its loss and optimizer: described, evaluated, trained."""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytorch_impl.pair.layers import DROPOUT, LAYERS
from pytorch_impl.pair.watch import Watch, called, is_whole, to_array
from shared.pairs import description as kinds
from shared.pairs.description import Layer, OptimizerFacts, Setting, TensorFacts
from shared.pairs.protocol import ALONE, Arrays, Edit, Seen, told
from shared.pairs.serving import NO_GRADIENT, ORDER, check_outputs, in_words, named_outputs
from shared.system.errors import InputError

DEFAULT_RATE = 0.01
EUCLIDEAN = 2.0
NOT_SETTINGS = {"params", "initial_lr", "foreach", "fused", "capturable", "differentiable"}


def configure(seed: int, dtype: str) -> None:
    """Set threads, determinism, seeds, and the dtype in which models are made from here on."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    torch.set_default_dtype(getattr(torch, dtype))
    # The fast path of an evaluation calls no layer, so that nothing could be seen.
    torch.backends.mha.set_fastpath_enabled(False)


# What the last clipping was told, by the description's name for it.
_clipped: dict[str, Setting] = {}


@functools.cache
def prepare() -> None:
    """Before a user's file is read: see to it that what it calls can be seen. Of PyTorch that is clipping alone."""
    for name in ("clip_grad_norm_", "clip_grads_with_norm_", "clip_grad_value_"):
        _listen(name)


def _listen(name: str) -> None:
    clip = getattr(nn.utils, name)

    @functools.wraps(clip)
    def heard(*arguments: Any, **named: Any) -> Any:
        given = inspect.signature(clip).bind(*arguments, **named).arguments
        alone = isinstance(given["parameters"], Tensor)  # each by its own norm, in a loop
        if "clip_value" in given:
            _clipped["clip_value"] = float(given["clip_value"])
        else:
            _clipped["clip_norm_each" if alone else "clip_norm"] = float(given["max_norm"])
        if (norm_type := float(given.get("norm_type", EUCLIDEAN))) != EUCLIDEAN:
            _clipped["clip_norm_type"] = str(norm_type)  # which may be infinite, and JSON has no such number
        return clip(*arguments, **named)

    setattr(nn.utils, name, heard)
    setattr(nn.utils.clip_grad, name, heard)


def make(module: ModuleType, dtype: str, example: tuple[Arrays, np.ndarray], edits: list[Edit]) -> "Model":
    """The model of a user's module, and all it is trained with. Raises InputError."""
    model = module.model()
    if not isinstance(model, nn.Module):
        raise InputError(f"{module.__file__}: model() returned {in_words(model)}; return an nn.Module; {ORDER}")
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    if complexes := [name for name, parameter in model.named_parameters() if parameter.is_complex()]:
        raise InputError(f"{module.__file__}: {complexes[0]} is complex; give a model of real parameters")
    model.to(getattr(torch, dtype))
    if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        with torch.no_grad():
            _call(model.eval(), example[0])
    return Model(module, model)


def shapes(module: ModuleType) -> dict[str, Any]:
    """Of one example: "inputs" by name, "outputs", and "tokens", how many an embedding knows. Raises InputError."""
    raise InputError(f"{module.__file__}: a PyTorch model does not say the shape of what it takes; give --data")


def carry(module: ModuleType, torch: Arrays) -> Arrays | None:
    """What the user's own `carry` makes of PyTorch's tensors; only a Keras file has one."""
    return None


def default_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits where the targets are integers, else the mean squared error."""
    if targets.is_floating_point():
        return F.mse_loss(outputs.reshape(targets.shape) if outputs.numel() == targets.numel() else outputs, targets)
    # The classes are the last dimension, or, of images and sequences in PyTorch's layout, the second.
    if outputs.shape[:-1] == targets.shape:
        return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))
    return F.cross_entropy(outputs, targets)


class Model:
    """A user's model, loss and optimizer, freshly made."""

    def __init__(self, module: ModuleType, model: nn.Module) -> None:
        self.module, self.model = module, model
        self.watch = Watch(model, _without_dropout(model))
        self._dropout: dict[str, float] = {}
        self.loss: Callable[[Any, Tensor], Tensor] = getattr(module, "loss", default_loss)
        self.after_backward: Callable[[nn.Module], object] = getattr(module, "after_backward", lambda _: None)
        _clipped.clear()
        make_optimizer = getattr(module, "optimizer", lambda m: torch.optim.SGD(m.parameters(), DEFAULT_RATE))
        if not any(parameter.requires_grad for parameter in model.parameters()):
            why = "no trainable parameters" if any(True for _ in model.parameters()) else "no parameters"
            raise InputError(f"{module.__file__}: the model has {why}, so nothing can be trained; give one that has")
        if isinstance(make_optimizer, type):
            told = f"optimizer is {in_words(make_optimizer)}, and takes no model"
            raise InputError(f"{module.__file__}: {told}; write def optimizer(model), which returns one")
        self.optimizer = make_optimizer(model)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            told = f"optimizer(model) returned {in_words(self.optimizer)}"
            raise InputError(f"{module.__file__}: {told}; return a torch.optim.Optimizer")
        make_scheduler = getattr(module, "scheduler", None)
        self.scheduler = make_scheduler(self.optimizer) if make_scheduler else None
        for name, stepped in (("optimizer(model)", self.optimizer), ("scheduler(optimizer)", self.scheduler)):
            if stepped is not None:
                _refuse_what_wants_more(f"{module.__file__}: {name} returned {type(stepped).__name__}", stepped)
        self._seen = Seen()

    def tensors(self) -> dict[str, TensorFacts]:
        """All parameters and buffers by name, in the model's order."""
        parameters = {
            name: TensorFacts(shape=tuple(p.shape), trainable=p.requires_grad, buffer=False)
            for name, p in self.model.named_parameters()
        }
        buffers = {
            name: TensorFacts(shape=tuple(b.shape), trainable=False, buffer=True)
            for name, b in self.model.named_buffers()
            if b.is_floating_point()
        }
        return parameters | buffers

    def layers(self) -> list[Layer]:
        """The layers with tensors of their own, in order of execution as of the last evaluation."""
        order = {place: number for number, place in reversed([*enumerate(c.place for c in self._seen.calls)])}
        settings = {call.place: call.settings for call in reversed(self._seen.calls)}
        layers: list[Layer] = []
        for path, module in self.model.named_modules(remove_duplicate=False):
            whole = is_whole(module)
            if any(path.startswith(f"{layer.path}.") for layer in layers if layer.kind != kinds.RAW):
                continue  # a part of a layer that is looked at from outside
            names = self._names(module, recurse=whole)
            if names:
                known = LAYERS.get(type(module))
                kind = known.kind if known else kinds.RAW
                own = settings.get(path, {})
                layers.append(Layer(path=path, kind=kind, called=called(module), tensors=names, settings=own))
        return sorted(layers, key=lambda layer: order.get(layer.path, len(order)))

    def _names(self, module: nn.Module, *, recurse: bool = False) -> dict[str, str]:
        """The model's name of each tensor of a layer, by its own; of a shared one, the first."""
        every = {id(t): name for name, t in [*self.model.named_parameters(), *self.model.named_buffers()]}
        own: list[tuple[str, Tensor]] = [*module.named_parameters(recurse=recurse, remove_duplicate=False)]
        own += [(n, b) for n, b in module.named_buffers(recurse=recurse) if b.is_floating_point()]
        return {name: every[id(tensor)] for name, tensor in own}

    def optimizer_facts(self) -> OptimizerFacts:
        """What updates the weights."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        of_tensors: dict[str, dict[str, Setting]] = {}
        groups = [
            {k: told(v) for k, v in group.items() if k not in NOT_SETTINGS} for group in self.optimizer.param_groups
        ]
        for group, settings in zip(self.optimizer.param_groups, groups, strict=True):
            own = {k: v for k, v in settings.items() if any(other.get(k) != v for other in groups)}
            of_tensors |= {names[id(p)]: own for p in group["params"] if id(p) in names}
        common: dict[str, Setting] = {k: v for k, v in groups[0].items() if all(other.get(k) == v for other in groups)}
        kind = type(self.optimizer)
        ours = kind.__module__.startswith("torch.")
        rule = next(c.__name__ for c in kind.__mro__ if c.__module__.startswith("torch.")).lower()
        return OptimizerFacts(
            rule=rule,
            called=f"torch.optim.{kind.__name__}" if ours else kind.__name__,
            settings=common | dict(_clipped),
            of_tensors=of_tensors,
        )

    def dropout(self) -> dict[str, float]:
        """The rates as the file has them, of what drops in training, by place."""
        return self._dropout

    def values(self) -> Arrays:
        """Copies of all tensors."""
        both = [*self.model.named_parameters(), *self.model.named_buffers()]
        return {name: to_array(tensor) for name, tensor in both if tensor.is_floating_point()}

    @torch.no_grad()
    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Set these tensors."""
        for name, tensor in [*self.model.named_parameters(), *self.model.named_buffers()]:
            if name in values:
                tensor.copy_(torch.from_numpy(values[name]))

    def evaluate(self, inputs: Arrays, targets: np.ndarray) -> Seen:
        """An evaluation; every call is seen. Nothing is changed by it."""
        self.model.eval()
        self._seen = Seen()
        with torch.no_grad():
            self._pass(self._seen, inputs, targets)
        return self._seen

    def gradients(self, inputs: Arrays, targets: np.ndarray) -> tuple[Seen, Arrays]:
        """What a step on this batch computes, without taking it: the forward pass in training, and the gradients.

        Buffers that the forward pass changes are put back.
        """
        kept = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.model.train()
        self.optimizer.zero_grad()
        seen = Seen()
        self._pass(seen, inputs, targets).backward()
        self._dropout = self.watch.dropped
        found = {name: to_array(p.grad.to_dense()) for name, p in self.model.named_parameters() if p.grad is not None}
        self.optimizer.zero_grad()
        with torch.no_grad():
            for name, buffer in self.model.named_buffers():
                buffer.copy_(kept[name])
        return seen, found

    def step(self, inputs: Arrays, targets: np.ndarray) -> tuple[float, float]:
        """One update. Returns the loss before it, and the rate it was taken at."""
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.model.train()
        self.optimizer.zero_grad()
        with self.watch.recording(None):
            loss = self.loss(self._outputs(inputs), torch.from_numpy(np.ascontiguousarray(targets)))
        loss.backward()
        self.after_backward(self.model)
        self.optimizer.step()
        if self.scheduler:
            self.scheduler.step()
        return float(loss), rate

    def _outputs(self, inputs: Arrays) -> Any:
        return _call(self.model, inputs)

    def _pass(self, seen: Seen, inputs: Arrays, targets: np.ndarray) -> Tensor:
        with self.watch.recording(seen):
            outputs = self._outputs(inputs)
            seen.outputs = named_outputs(outputs, Tensor, to_array)
            check_outputs(outputs, seen.outputs, self.module, "write loss(outputs, targets)")
            loss: Any = self.loss(outputs, torch.from_numpy(np.ascontiguousarray(targets)))
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.is_floating_point():
            what = f"a tensor {tuple(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else in_words(loss)
            raise InputError(f"{self.module.__file__}: loss returned {what}; return a tensor, the mean over the batch")
        if torch.is_grad_enabled() and not loss.requires_grad:
            raise InputError(f"{self.module.__file__}: {NO_GRADIENT}")
        seen.loss = to_array(loss)
        return loss


def _call(model: nn.Module, inputs: Arrays) -> Any:
    given = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in inputs.items()}
    return model(given[ALONE]) if given.keys() == {ALONE} else model(**given)


def _refuse_what_wants_more(told: str, stepped: Any) -> None:
    """Raise InputError for what can't be stepped by itself, such as LBFGS or ReduceLROnPlateau."""
    # Of its class: a scheduler puts a function of its own in place of an optimizer's step.
    parameters = [*inspect.signature(type(stepped).step).parameters.values()][1:]
    wanted = [p for p in parameters if p.default is p.empty]
    wanted = [p for p in wanted if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    if wanted:
        raise InputError(f"{told}, whose step takes {wanted[0].name}; give one whose step() takes nothing")


def _without_dropout(model: nn.Module) -> dict[str, list[float]]:
    """Set all dropout of layers to 0. Returns the rates of each call of what had any, by the layer."""
    rates = {}
    for path, module in model.named_modules():
        if isinstance(module, DROPOUT):
            rates[path], module.p = [module.p], 0.0
        elif isinstance(module, nn.MultiheadAttention):
            rates[path], module.dropout = [module.dropout], 0.0
        elif isinstance(module, nn.RNNBase):  # which drops between its layers
            rates[path], module.dropout = [module.dropout] * (module.num_layers - 1), 0.0
    return rates
