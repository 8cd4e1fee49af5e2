"""Write the files of weights that the tests read, each by the framework's own writer.

`.venv/pytorch/bin/python -m benchmarks.weights_writers pytorch FOLDER`, and then the same with `tensorflow` and the
other environment's Python: it takes the numbers of the first. Two networks, `image` and `text`, with the same weights
in both; every number is random, so that none agrees by chance. How one is made of the other is written out here a
second time, so that the tests do not ask the code that they test.

The files of tests/logs/onnx were written by `onnx`, once: by PyTorch 2.14 with onnx 1.23 and onnxscript 0.7 beside it,
which no environment of this project has.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def pytorch(folder: Path) -> None:
    import torch
    from torch import nn

    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(11, 6)
            self.lstm = nn.LSTM(6, 5, batch_first=True)
            self.gru = nn.GRU(5, 4, batch_first=True, bidirectional=True)
            self.norm = nn.LayerNorm(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 3, bias=False)

    image = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.ConvTranspose2d(4, 2, 2),
        nn.Flatten(),
        nn.Linear(2 * 5 * 5, 8),
        nn.Linear(8, 8),
        nn.Linear(8, 3),
    )
    torch.manual_seed(0)
    for name, network in {"image": image, "text": Text()}.items():
        for key, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape))
            if key.endswith("running_var"):
                tensor.abs_()
        weights = network.state_dict()
        torch.save(weights, folder / f"{name}.pt")
        np.savez(folder / f"{name}.npz", **{key: tensor.numpy() for key, tensor in weights.items()})
    weights = image.state_dict()
    optimizer = torch.optim.Adam(image.parameters())
    image(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    image.load_state_dict(torch.load(folder / "image.pt"))
    torch.save(weights, folder / "image_old.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model_state_dict": weights, "loss": torch.tensor(0.25)}, folder / "image_checkpoint.pt")
    torch.save(nn.DataParallel(image).state_dict(), folder / "image_parallel.bin")
    torch.save(torch.compile(image).state_dict(), folder / "image_compiled.pt")  # type: ignore[attr-defined]
    torch.save(nn.Linear(2, 2), folder / "whole_model.pt")
    torch.save({"a": nn.Linear(2, 2).state_dict(), "b": nn.Linear(2, 2).state_dict()}, folder / "two_models.pt")
    torch.save({"weight": torch.ones(2, 2).to_sparse()}, folder / "sparse.pt")
    torch.save({"weight": torch.full((2, 2), 1.5, dtype=torch.bfloat16)}, folder / "bfloat16.pt")
    torch.save({"weight": torch.ones(1).expand(10**12)}, folder / "huge.pt")


def tensorflow(folder: Path) -> None:
    import keras
    from keras import layers

    image = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3),
            layers.Conv2DTranspose(2, 2),
            layers.Flatten(),
            layers.Dense(8),
            layers.Dense(8),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(11, 6)(tokens)
    x = layers.LSTM(5, return_sequences=True)(x)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    x = layers.LayerNormalization()(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    text = keras.Model(tokens, layers.Dense(3, use_bias=False)(x))
    for name, model, carried in (("image", image, image_weights), ("text", text, text_weights)):
        with np.load(folder / f"{name}.npz") as file:
            weights = carried(dict(file))
        model.set_weights(weights + model.get_weights()[len(weights) :])
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
    image.compile("adam", "mse")
    image.save(folder / "image_legacy.h5")


def onnx(folder: Path) -> None:
    """A network that PyTorch exports, and tensors of every type of numbers, in the file in both forms and beside it."""
    import onnx
    import torch
    from onnx import helper, numpy_helper
    from torch import nn

    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 3)).eval()
    for number, tensor in enumerate(network.state_dict().values()):
        tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) / 16 - number)
    # The newer exporter writes paths of the machine into the file.
    torch.onnx.export(network, (torch.zeros(1, 1, 3, 3),), folder / "exported.onnx", dynamo=False)
    tensors = []
    for code in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16):  # of onnx.TensorProto.DataType
        values = (np.arange(6).reshape(2, 3) / 4).astype(helper.tensor_dtype_to_np_dtype(code))
        tensors.append(helper.make_tensor(f"listed {code}", code, (2, 3), values.flatten()))
        tensors.append(numpy_helper.from_array(values, f"raw {code}"))
    tensors.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    model = helper.make_model(helper.make_graph([], "types", [], [], tensors))
    onnx.save(model, folder / "types.onnx")
    outside = {"save_as_external_data": True, "size_threshold": 0, "location": "outside.bin"}
    onnx.save(onnx.load(folder / "exported.onnx"), folder / "outside.onnx", **outside)


def image_weights(torch: Arrays) -> list[Any]:
    """In the order of the Keras model."""

    def channels_last(name: str) -> Any:
        return torch[name].transpose(2, 3, 1, 0)

    flattened = torch["5.weight"].reshape(8, 2, 5, 5).transpose(2, 3, 1, 0).reshape(50, 8)
    return [
        *(channels_last("0.weight"), torch["0.bias"]),
        *(torch[f"1.{name}"] for name in ("weight", "bias", "running_mean", "running_var")),
        *(torch["2.weight"].transpose(2, 3, 0, 1), torch["2.bias"]),
        *(channels_last("3.weight"), torch["3.bias"]),
        *(flattened, torch["5.bias"]),
        *(torch["6.weight"].T, torch["6.bias"]),
        *(torch["7.weight"].T, torch["7.bias"]),
    ]


def text_weights(torch: Arrays) -> list[Any]:
    """In the order of the Keras model."""
    found = [torch["tokens.weight"], torch["lstm.weight_ih_l0"].T, torch["lstm.weight_hh_l0"].T]
    found.append((torch["lstm.bias_ih_l0"].astype("f8") + torch["lstm.bias_hh_l0"]).astype("f4"))
    for end in ("", "_reverse"):
        for part in ("weight_ih", "weight_hh"):
            reset, update, new = np.split(torch[f"gru.{part}_l0{end}"], 3)
            found.append(np.concatenate([update, reset, new]).T)
        biases = (np.split(torch[f"gru.{part}_l0{end}"], 3) for part in ("bias_ih", "bias_hh"))
        found.append(np.stack([np.concatenate([update, reset, new]) for reset, update, new in biases]))
    found += [torch["norm.weight"], torch["norm.bias"]]
    kernels, biases_of = (np.split(torch[f"attention.in_proj_{part}"], 3) for part in ("weight", "bias"))
    for kernel, bias in zip(kernels, biases_of, strict=True):
        found += [kernel.T.reshape(8, 2, 4), bias.reshape(2, 4)]
    output = torch["attention.out_proj.weight"].T.reshape(2, 4, 8), torch["attention.out_proj.bias"]
    return [*found, *output, torch["head.weight"].T]


if __name__ == "__main__":
    {"pytorch": pytorch, "tensorflow": tensorflow, "onnx": onnx}[sys.argv[1]](Path(sys.argv[2]))
