"""What a GPU is to a PyTorch program, where there is none: tensors without values, and graphs that a CPU replays.

`machine` makes PyTorch's own fake tensors, which have a device, a shape and a dtype. As on a real GPU, an operation on
tensors of two devices fails, and NumPy reads no tensor that is not on the CPU. `graphs` stands in for CUDA graphs, and
computes real numbers where the tensors are real.
"""

import contextlib
import sys
from types import SimpleNamespace

import torch
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU, STAND_IN = torch.device("cuda", 0), torch.device("lazy")
DEVICE = torch.ops.prim.device.default
FUSED_SGD = torch.ops.aten._fused_sgd_.default


def tensors(*values):
    """Every tensor in these, however deep."""
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


class Border(TorchFunctionMode):
    """Where numbers come from NumPy and go there: as if the fake tensors were real, and each of their values 1."""

    def __init__(self, fake):
        super().__init__()
        self._fake = fake

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.from_numpy:
            with unset_fake_temporarily():
                real = torch.from_numpy(*args)
            return self._fake.from_tensor(real)
        if func in (torch.Tensor.numpy, torch.Tensor.item) and isinstance(args[0], FakeTensor):
            tensor = args[0]
            if func is torch.Tensor.numpy and (tensor.device.type != "cpu" or tensor.requires_grad):
                raise TypeError(f"NumPy can't read a tensor on {tensor.device}, or one that requires a gradient")
            with unset_fake_temporarily():
                return func(torch.ones(tensor.shape, dtype=tensor.dtype))
        return func(*args, **(kwargs or {}))


class Placement(TorchDispatchMode):
    """Notes which operations give a tensor with a dimension, and on which devices: (name, type of the device)."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is FUSED_SGD and any(isinstance(tensor, FakeTensor) for tensor in tensors(args)):
            # PyTorch has no fake of it. It takes lists of tensors that must all be in one place.
            (place,) = {tensor.device for tensor in tensors(args)}
            self.seen.append((func.__name__, place.type))
            return None
        made = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        self.seen += [(name, t.device.type) for t in tensors(made) if isinstance(t, FakeTensor) and t.ndim]
        return made


@contextlib.contextmanager
def machine(monkeypatch):
    """A machine with one GPU, while the block lasts. Gives the list of the operations and their places."""
    fake, placement, swap = FakeTensorMode(allow_non_fake_inputs=False), Placement(), torch.utils.swap_tensors

    def swap_what_nothing_remembers(a, b):
        # `Module.to` swaps parameters, and fails where the mode remembers them.
        fake.fake_tensor_converter.meta_converter.tensor_memo.clear()
        swap(a, b)

    # Of a tensor on a GPU the engine of `backward` asks the driver for streams, and there is none. So the engine is
    # told of a device that has no streams, and what it makes there is taken to be on the GPU.
    def told(answered):
        return STAND_IN if isinstance(answered, torch.device) and answered.type == GPU.type else answered

    of_class, of_mode, normalised = (
        FakeTensor.__torch_dispatch__.__func__,
        FakeTensorMode.dispatch,
        FakeTensor._normalize_fake_device,
    )

    def by_class(cls, func, types, args=(), kwargs=None):
        answered = of_class(cls, func, types, args, kwargs)
        return told(answered) if func is DEVICE else answered

    def by_mode(self, func, types, args=(), kwargs=None):
        answered = of_mode(self, func, types, args, kwargs)
        return told(answered) if func is DEVICE else answered

    def normalise(device):
        return GPU if torch.device(device) == STAND_IN else normalised(device)

    monkeypatch.setattr(torch.utils, "swap_tensors", swap_what_nothing_remembers)
    monkeypatch.setattr(FakeTensor, "__torch_dispatch__", classmethod(by_class))
    monkeypatch.setattr(FakeTensorMode, "dispatch", by_mode)
    monkeypatch.setattr(FakeTensor, "_normalize_fake_device", staticmethod(normalise))
    # Only the program is told of the GPU: fake tensors are to use no driver.
    monkeypatch.setattr(FakeTensorMode, "avoid_device_init", True)
    monkeypatch.setattr(fake_tensor, "init_gpu_context", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device=None: "a GPU without values")
    # An optimizer updates many tensors by one call where they are of these types.
    monkeypatch.setattr(
        sys.modules["torch.optim.optimizer"], "_foreach_supported_types", [torch.nn.Parameter, FakeTensor]
    )
    graphs(monkeypatch)
    with fake, placement, Border(fake):
        yield placement.seen


class Graph(TorchDispatchMode):
    """Stands in for `torch.cuda.CUDAGraph`: the operations of the capture, which takes effect only when replayed."""

    def __init__(self):
        super().__init__()
        self._calls, self._before = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing: it waits for the GPU")
        written = [a for a, of in zip(args, func._schema.arguments, strict=False) if of.alias_info and of.is_write]
        for tensor in tensors(written):
            self._before.setdefault(id(tensor), (tensor, tensor.clone()))
        made = func(*args, **kwargs)
        self._calls.append((func, args, kwargs, tensors(made)))
        return made

    def end(self):
        """The end of the capture: nothing has been computed yet."""
        with torch.no_grad():
            for tensor, before in self._before.values():
                tensor.copy_(before)

    def replay(self):
        """Compute, and write into the tensors of the capture."""
        with torch.no_grad():
            for func, args, kwargs, places in self._calls:
                for place, value in zip(places, tensors(func(*args, **kwargs)), strict=True):
                    if place.untyped_storage()._cdata != value.untyped_storage()._cdata:
                        place.copy_(value)


def graphs(monkeypatch):
    """Let `torch.cuda` capture on any device, and without streams."""

    @contextlib.contextmanager
    def capture(graph):
        with graph:
            yield
        graph.end()

    stream = SimpleNamespace(wait_stream=lambda _other: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", contextlib.nullcontext)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
