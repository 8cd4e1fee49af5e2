"""Mistakes as people make them in a port, planted in the examples: one edit each.

They are for measuring what is found, where, and whether its cause is named. A copy of an example's two files is edited;
the examples themselves stay as they are.
"""

from pathlib import Path
from typing import NamedTuple

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TORCH, KERAS = "in_pytorch.py", "in_keras.py"


class Planted(NamedTuple):
    """`old`, which stands once in the example's file, becomes `new`."""

    example: str
    file: str
    old: str
    new: str
    kind: str
    # Where it first shows, by any of these names: a layer's, as in either file, or of what is between two layers, the
    # names of both; "input", "output", "loss", "rate" or "optimizer", the latter for the weights after the first steps;
    # with "gradient of", "training" or "setting" before a layer, in its gradients, in training only, by reading only.
    places: tuple[str, ...]
    # Words for the cause, in small letters. A diagnosis with one of them names it.
    causes: tuple[str, ...]
    # Whether a program can find the cause and try a fix. Where the mistake is in the user's arithmetic, it can say the
    # place and the ratio.
    fixable: bool = True
    # Why it may be missed or taken for something else; empty where it should not be.
    hard: str = ""

    def edited(self, text: str) -> str:
        """The file's text with the mistake."""
        if text.count(self.old) != 1:
            raise ValueError(f"not once in {self.example}/{self.file}: {self.old!r}")
        return text.replace(self.old, self.new)


class Case(NamedTuple):
    """Mistakes in an example, made together."""

    example: str
    mistakes: tuple[Planted, ...]

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """Both files, edited, in this folder, and the example's data, in the order of the command line."""
        source = EXAMPLES / self.example
        written = []
        for name in (TORCH, KERAS):
            text = (source / name).read_text(encoding="utf-8")
            for mistake in self.mistakes:
                text = mistake.edited(text) if mistake.file == name else text
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
        return written[0], written[1], source / "data.npz"


# PyTorch's name of each layer, and Keras's.
FIRST, SECOND, LAST = ("0", "sequential/dense"), ("2", "sequential/dense_1"), ("4", "sequential/dense_2")
CONV, NORM = ("0.0", "conv2d"), ("0.1", "batch_normalization")
RELU, CONV_2 = ("0.2", "re_lu"), ("1.0", "conv2d_1")
EMBEDDING, LSTM = ("embedding", "sequential/embedding"), ("lstm", "sequential/lstm")
LAYER_NORM, HEAD = ("norm", "sequential/layer_normalization"), ("head", "sequential/dense")
CHARACTERS, PLACES = ("characters", "gpt/embedding"), ("places", "gpt/embedding_1")
BLOCK, NORM_1 = ("blocks.0", "gpt/block"), ("blocks.0.norm_1", "gpt/block/layer_normalization")
QUERY, KEY = ("blocks.0.query", "gpt/block/dense"), ("blocks.0.key", "gpt/block/dense_1")
VALUE, MIX = ("blocks.0.value", "gpt/block/dense_2"), ("blocks.0.mix", "gpt/block/dense_3")
NORM_2 = ("blocks.0.norm_2", "gpt/block/layer_normalization_1")
WIDEN, NARROW = ("blocks.0.widen", "gpt/block/dense_4"), ("blocks.0.narrow", "gpt/block/dense_5")
NEXT_BLOCK = ("blocks.1", "gpt/block_1", "blocks.1.norm_1", "gpt/block_1/layer_normalization_2")
NORM_OF_ALL = ("norm", "gpt/layer_normalization_4")
INPUT, OUTPUT, LOSS, OPTIMIZER, RATE = ("input",), ("output",), ("loss",), ("optimizer",), ("rate",)

ATTENTION = (*QUERY, *VALUE, *MIX, *BLOCK)  # between these


def gradient(*names: str) -> tuple[str, ...]:
    """In the gradients of these layers."""
    return tuple(f"gradient of {name}" for name in names)


def training(*names: str) -> tuple[str, ...]:
    """In training, and not in an evaluation with the weights of before."""
    return tuple(f"training {name}" for name in names)


def setting(*names: str) -> tuple[str, ...]:
    """In no number: all dropout is off while anything is compared."""
    return tuple(f"setting {name}" for name in names)


MLP = (
    Planted("mlp", TORCH, "/ 127.5 - 1", "/ 255", "scale of inputs", INPUT, ("scale", "factor", "twice")),
    Planted("mlp", KERAS, " / 127.5 - 1", " / 127.5", "scale of inputs", INPUT, ("offset", "- 1", "−1", "shift")),
    Planted(
        "mlp",
        KERAS,
        " / 127.5 - 1",
        " / 255.0 * 2 - 0.99",
        "scale of inputs",
        INPUT,
        ("offset", "0.01", "shift"),
    ),
    Planted(
        "mlp",
        KERAS,
        "images.reshape(len(images), -1)",
        "images.transpose(0, 2, 1).reshape(len(images), -1)",
        "axes",
        INPUT,
        ("axes", "transpos", "permut", "order"),
        hard="the axes are flattened at once: the values of each example are the same, in another order",
    ),
    Planted(
        "mlp",
        KERAS,
        "(len(images), -1) / 127.5 - 1",
        '(len(images), -1).astype("float16") / 127.5 - 1',
        "precision",
        INPUT,
        ("float16", "half", "precision", "rounded", "digits"),
        fixable=False,
    ),
    Planted("mlp", KERAS, '128, 64, "relu"', "128, 64", "activation", SECOND, ("relu", "activation")),
    Planted("mlp", KERAS, '784, 128, "relu"', '784, 128, "tanh"', "activation", FIRST, ("tanh", "relu", "activation")),
    Planted(
        "mlp",
        TORCH,
        "128),\n        nn.ReLU()",
        "128),\n        nn.GELU()",
        "activation",
        (*FIRST, "1"),
        ("gelu", "activation"),
    ),
    Planted(
        "mlp",
        TORCH,
        "128),\n        nn.ReLU()",
        "128),\n        nn.LeakyReLU(0.1)",
        "slope",
        (*FIRST, "1"),
        ("leaky", "slope", "activation"),
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.Linear(128, 64)",
        "nn.Linear(128, 64, bias=False)",
        "bias",
        SECOND,
        ("bias",),
        hard="Keras's bias has no counterpart, so that nothing can be carried into it",
    ),
    Planted(
        "mlp",
        KERAS,
        "dense(64, 10)",
        'dense(64, 10, "softmax")',
        "softmax twice",
        (*LAST, *OUTPUT),
        ("softmax",),
        hard="Keras's loss takes this softmax back: only the outputs differ, the training is the same",
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.Linear(64, 10),\n",
        "nn.Linear(64, 10),\n        nn.Softmax(dim=1),\n",
        "softmax twice",
        (*LAST, *OUTPUT, "5"),
        ("softmax",),
    ),
    Planted(
        "mlp",
        KERAS,
        "SparseCategoricalCrossentropy(from_logits=True)",
        "SparseCategoricalCrossentropy()",
        "input of the loss",
        LOSS,
        ("from_logits", "logits", "probabilities"),
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.CrossEntropyLoss()",
        'nn.CrossEntropyLoss(reduction="sum")',
        "mean of the loss",
        LOSS,
        ("reduction", "sum", "batch size"),
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.CrossEntropyLoss()",
        "nn.CrossEntropyLoss(label_smoothing=0.1)",
        "label smoothing",
        LOSS,
        ("smoothing",),
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.CrossEntropyLoss()",
        "nn.CrossEntropyLoss(weight=torch.linspace(0.5, 1.5, 10))",
        "mean of the loss",
        LOSS,
        ("weight",),
    ),
    Planted(
        "mlp",
        KERAS,
        "SGD(learning_rate=0.01)",
        "SGD(learning_rate=0.001)",
        "learning rate",
        (*RATE, *OPTIMIZER),
        ("learning rate", "learning_rate"),
    ),
    Planted(
        "mlp",
        KERAS,
        "SGD(learning_rate=0.01)",
        "Adam(learning_rate=0.01)",
        "formula of the optimizer",
        OPTIMIZER,
        ("adam",),
    ),
    Planted("mlp", TORCH, "lr=0.01)", "lr=0.01, momentum=0.9)", "momentum", OPTIMIZER, ("momentum",)),
    Planted(
        "mlp",
        TORCH,
        "lr=0.01)",
        "lr=0.01, weight_decay=5e-4)",
        "weight decay",
        OPTIMIZER,
        ("weight decay", "weight_decay", "decay"),
    ),
    Planted(
        "mlp",
        KERAS,
        "activation,\n        kernel_initializer",
        'activation,\n        kernel_regularizer="l2",\n        kernel_initializer',
        "weight decay",
        LOSS,
        ("regulari", "l2", "penalty"),
    ),
    Planted(
        "mlp",
        TORCH,
        "\n\ndef optimizer(model):",
        "\n\ndef after_backward(model):\n    nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n"
        "\n\ndef optimizer(model):",
        "clipping",
        OPTIMIZER,
        ("clip",),
    ),
    Planted(
        "mlp",
        KERAS,
        "images.reshape(len(images), -1)",
        "images[:, ::-1].reshape(len(images), -1)",
        "axes",
        INPUT,
        ("in reverse", "turned", "flip"),
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.CrossEntropyLoss()",
        "nn.NLLLoss()",
        "input of the loss",
        LOSS,
        ("nll",),
        hard="Keras's loss takes logits, and PyTorch's their logarithms of probabilities, which these are not",
    ),
    Planted(
        "mlp",
        TORCH,
        "nn.Linear(64, 10),\n",
        "nn.Linear(64, 10),\n        nn.LogSoftmax(dim=1),\n",
        "softmax twice",
        (*LAST, *OUTPUT, "5"),
        ("log_softmax", "logsoftmax"),
        hard="of logarithms of probabilities the softmax is the same: only the outputs differ",
    ),
    Planted(
        "mlp",
        TORCH,
        "loss = nn.CrossEntropyLoss()",
        "def loss(outputs, targets):\n    return nn.functional.cross_entropy(outputs, (targets + 1) % 10)",
        "targets",
        LOSS,
        ("shifted", "targets"),
        fixable=False,
        hard="nothing of the targets is seen",
    ),
    Planted(
        "mlp",
        TORCH,
        "loss = nn.CrossEntropyLoss()",
        "def loss(outputs, targets):\n    bits = torch.log(torch.tensor(2.0))\n"
        "    return nn.functional.cross_entropy(outputs, targets) / bits",
        "mean of the loss",
        LOSS,
        ("ln 2",),
    ),
    Planted(
        "mlp",
        KERAS,
        "SGD(learning_rate=0.01)",
        "SGD(learning_rate=0.01, gradient_accumulation_steps=2)",
        "gradient accumulation",
        OPTIMIZER,
        ("accumulat",),
    ),
    Planted("mlp", TORCH, "lr=0.01)", "lr=0.01, maximize=True)", "sign of the step", OPTIMIZER, ("maximize",)),
    Planted(
        "mlp",
        TORCH,
        "\n\ndef optimizer(model):",
        "\n\ndef after_backward(model):\n    nn.utils.clip_grad_value_(model.parameters(), 0.01)\n"
        "\n\ndef optimizer(model):",
        "clipping",
        OPTIMIZER,
        ("clip_value", "clip"),
    ),
)

CNN = (
    Planted(
        "cnn",
        KERAS,
        "x = layers.ZeroPadding2D(1)(x)\n    x = layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)",
        'x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)',
        "padding",
        CONV,
        ("padding", "same"),
    ),
    Planted(
        "cnn",
        KERAS,
        "x = layers.ZeroPadding2D(1)(x)",
        "x = layers.ZeroPadding2D(((0, 2), (0, 2)))(x)",
        "padding",
        (*CONV, "zero_padding2d"),
        ("padding", "zeros are added"),
        fixable=False,
        hard="the setting is that of a layer which PyTorch does not have",
    ),
    Planted(
        "cnn",
        TORCH,
        "padding=1, bias=False",
        'padding=1, padding_mode="reflect", bias=False',
        "padding",
        CONV,
        ("padding_mode", "reflect", "padding"),
    ),
    Planted(
        "cnn",
        KERAS,
        "momentum=0.9, epsilon=1e-5",
        "momentum=0.9",
        "batch normalisation",
        NORM,
        ("epsilon", "ε"),
    ),
    Planted(
        "cnn",
        TORCH,
        "nn.BatchNorm2d(filters)",
        "nn.BatchNorm2d(filters, eps=1e-4)",
        "batch normalisation",
        NORM,
        ("epsilon", "ε"),
    ),
    Planted(
        "cnn",
        KERAS,
        "momentum=0.9, epsilon=1e-5",
        "momentum=0.1, epsilon=1e-5",
        "batch normalisation",
        training(*NORM),
        ("momentum",),
    ),
    Planted(
        "cnn",
        KERAS,
        "momentum=0.9, epsilon=1e-5",
        "epsilon=1e-5",
        "batch normalisation",
        training(*NORM),
        ("momentum",),
    ),
    Planted(
        "cnn",
        KERAS,
        "x = BatchNormalization(",
        "x = layers.BatchNormalization(",
        "batch normalisation",
        training(*NORM),
        ("variance", "biased"),
    ),
    Planted(
        "cnn",
        TORCH,
        "nn.BatchNorm2d(filters)",
        "nn.BatchNorm2d(filters, momentum=0.01)",
        "batch normalisation",
        training(*NORM),
        ("momentum",),
    ),
    Planted(
        "cnn",
        TORCH,
        "nn.BatchNorm2d(filters)",
        "nn.BatchNorm2d(filters, track_running_stats=False)",
        "train and eval mode",
        NORM,
        ("track_running_stats", "running", "statistics"),
        fixable=False,
        hard="PyTorch has no running statistics to carry",
    ),
    Planted(
        "cnn",
        KERAS,
        "super().call(inputs, training=training, mask=mask)",
        "super().call(inputs, mask=mask)",
        "train and eval mode",
        training(*NORM),
        ("training", "evaluation", "statistics"),
    ),
    Planted(
        "cnn",
        KERAS,
        "x = BatchNormalization(momentum=0.9, epsilon=1e-5)(x)\n    return layers.ReLU()(x)",
        "x = layers.ReLU()(x)\n    return BatchNormalization(momentum=0.9, epsilon=1e-5)(x)",
        "order of layers",
        (*NORM, *RELU, *training(*NORM), *training(*RELU)),
        ("order of", "before the relu", "after the relu"),
        fixable=False,
        hard="until statistics are learnt, the outputs of an evaluation are the same in either order",
    ),
    Planted("cnn", KERAS, "return layers.ReLU()(x)", "return x", "activation", (*RELU, *NORM, *CONV_2), ("relu",)),
    Planted(
        "cnn",
        KERAS,
        "layers.ReLU()(x)",
        "layers.LeakyReLU()(x)",
        "slope",
        (*RELU, "leaky_re_lu"),
        ("leaky", "slope", "relu"),
    ),
    Planted(
        "cnn",
        KERAS,
        "\n\ndef block(x, filters):",
        "\n\ndef prepare(images):\n    return (images - 0.1307) / 0.3081\n\n\ndef block(x, filters):",
        "scale of inputs",
        INPUT,
        ("scale", "0.3081", "3.24", "offset", "prepare"),
    ),
    Planted(
        "cnn",
        TORCH,
        "images.transpose(0, 3, 1, 2)",
        "images.transpose(0, 3, 2, 1)",
        "axes",
        INPUT,
        ("transpos", "axes", "height", "permut"),
    ),
    Planted(
        "cnn",
        KERAS,
        "\n\ndef block(x, filters):",
        '\n\ndef carry(torch):\n    return {"dense/kernel": torch["4.weight"].T}\n\n\ndef block(x, filters):',
        "carried by hand",
        ("dense", "4", "carry"),
        ("carry", "flatten", "order of", "rows"),
    ),
    Planted(
        "cnn", KERAS, "layers.Dropout(0.25)", "layers.Dropout(0.5)", "dropout", setting("dropout", "3"), ("dropout",)
    ),
    Planted("cnn", TORCH, "nn.Dropout(0.25)", "nn.Dropout(0.75)", "dropout", setting("dropout", "3"), ("dropout",)),
    Planted(
        "cnn",
        TORCH,
        "padding=1, bias=False",
        "padding=1",
        "bias",
        CONV,
        ("bias",),
        hard="PyTorch's bias has no counterpart; where batches are normalised, it has no effect in training",
    ),
    Planted(
        "cnn",
        KERAS,
        "learning_rate=0.02, momentum=0.9",
        "learning_rate=0.02",
        "momentum",
        OPTIMIZER,
        ("momentum",),
    ),
    Planted(
        "cnn",
        KERAS,
        "learning_rate=0.02, momentum=0.9",
        "learning_rate=0.02, momentum=0.9, nesterov=True",
        "momentum",
        OPTIMIZER,
        ("nesterov",),
    ),
    Planted("cnn", TORCH, "momentum=0.9)", "momentum=0.9, dampening=0.1)", "momentum", OPTIMIZER, ("dampening",)),
    Planted(
        "cnn",
        TORCH,
        "momentum=0.9)",
        "momentum=0.9, weight_decay=1e-4)",
        "weight decay",
        OPTIMIZER,
        ("weight decay", "weight_decay", "decay"),
    ),
    Planted(
        "cnn",
        KERAS,
        "SGD(learning_rate=0.02,",
        "SGD(learning_rate=keras.optimizers.schedules.CosineDecay(0.02, 100),",
        "schedule",
        (*RATE, *OPTIMIZER),
        ("schedule", "cosine", "learning rate"),
    ),
    Planted(
        "cnn",
        KERAS,
        "x = layers.Flatten()(x)",
        "x = layers.Permute((2, 1, 3))(x)\n    x = layers.Flatten()(x)",
        "axes",
        ("4", "dense"),
        ("image", "axes", "transpos"),
    ),
    Planted(
        "cnn",
        TORCH,
        "nn.BatchNorm2d(filters)",
        "nn.BatchNorm2d(filters, affine=False)",
        "batch normalisation",
        (*NORM, "1.1", "batch_normalization_1", *gradient(*NORM, "1.1", "batch_normalization_1")),
        ("affine", "scale", "gamma"),
    ),
    Planted(
        "cnn",
        KERAS,
        "momentum=0.9, epsilon=1e-5",
        "momentum=0.9, epsilon=1e-5, center=False",
        "batch normalisation",
        gradient(*NORM, "1.1", "batch_normalization_1"),
        ("bias", "beta", "center"),
    ),
    Planted(
        "cnn",
        KERAS,
        "super().call(inputs, training=training, mask=mask)",
        "super().call(inputs, training=True, mask=mask)",
        "train and eval mode",
        NORM,
        ("training mode", "statistics"),
    ),
    Planted(
        "cnn",
        KERAS,
        "ops.size(inputs) // inputs.shape[-1]",
        "ops.shape(inputs)[0]",
        "batch normalisation",
        training(*NORM),
        ("n numbers", "variance"),
        hard="the variance is corrected, by another n",
    ),
    Planted(
        "cnn",
        KERAS,
        "layers.ReLU()(x)",
        "layers.ReLU(max_value=1.0)(x)",
        "activation",
        (*RELU, *NORM, *CONV_2),
        ("relu",),
    ),
)

LSTM_READER = (
    Planted(
        "lstm",
        KERAS,
        "LayerNormalization(epsilon=1e-5)",
        "LayerNormalization()",
        "layer normalisation",
        LAYER_NORM,
        ("epsilon", "ε"),
    ),
    Planted(
        "lstm",
        TORCH,
        "nn.LayerNorm(width)",
        "nn.LayerNorm(width, eps=1e-12)",
        "layer normalisation",
        LAYER_NORM,
        ("epsilon", "ε"),
    ),
    Planted(
        "lstm",
        TORCH,
        "self.norm(outputs[:, -1])",
        "outputs[:, -1]",
        "missing layer",
        (*LAYER_NORM, *HEAD),
        ("not called", "left out", "missing", "without"),
        fixable=False,
    ),
    Planted(
        "lstm",
        KERAS,
        "learning_rate=0.01, epsilon=1e-8",
        "learning_rate=0.01, epsilon=1e-7",
        "ε of the optimizer",
        OPTIMIZER,
        ("epsilon", "ε"),
    ),
    Planted(
        "lstm",
        KERAS,
        "return Adam(learning_rate=0.01, epsilon=1e-8)",
        "return keras.optimizers.Adam(learning_rate=0.01, epsilon=1e-8)",
        "formula of the optimizer",
        OPTIMIZER,
        ("correction", "epsilon", "ε", "embedding"),
        hard="two causes: where ε is added, and the embedding's gradients squared one by one",
    ),
    Planted("lstm", TORCH, "lr=0.01, eps=1e-8", "lr=0.01, betas=(0.5, 0.999), eps=1e-8", "betas", OPTIMIZER, ("beta",)),
    Planted(
        "lstm",
        TORCH,
        "lr=0.01, eps=1e-8",
        "lr=0.01, eps=1e-8, amsgrad=True",
        "formula of the optimizer",
        OPTIMIZER,
        ("amsgrad",),
    ),
    Planted(
        "lstm",
        TORCH,
        "lr=0.01, eps=1e-8",
        "lr=0.01, eps=1e-8, weight_decay=0.01",
        "weight decay",
        OPTIMIZER,
        ("weight decay", "weight_decay", "decay"),
    ),
    Planted(
        "lstm",
        KERAS,
        "Adam(learning_rate=0.01,",
        "Adam(",
        "learning rate",
        (*RATE, *OPTIMIZER),
        ("learning rate", "learning_rate"),
    ),
    Planted(
        "lstm",
        TORCH,
        "nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)",
        "nn.init.zeros_(self.lstm.bias_hh_l0)",
        "gates and biases",
        (*OPTIMIZER, *gradient(*LSTM), *LSTM),
        ("two biases", "both biases", "bias_hh", "second bias"),
    ),
    Planted(
        "lstm",
        TORCH,
        "nn.LSTM(16, width, batch_first=True)",
        "nn.LSTM(16, width)",
        "axes",
        LSTM,
        ("batch_first", "time", "axes"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width)",
        'layers.LSTM(width, recurrent_activation="hard_sigmoid")',
        "activation",
        LSTM,
        ("hard_sigmoid", "recurrent_activation", "activation"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width)",
        'layers.LSTM(width, activation="relu")',
        "activation",
        LSTM,
        ("relu", "tanh", "activation"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width)",
        "layers.LSTM(width, go_backwards=True)",
        "order of time",
        LSTM,
        ("go_backwards", "backward", "reverse"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.Embedding(characters, 16",
        "layers.Embedding(characters, 16, mask_zero=True",
        "mask",
        LSTM,
        ("mask",),
    ),
    Planted(
        "lstm",
        TORCH,
        "nn.Embedding(characters, 16)",
        "nn.Embedding(characters, 16, padding_idx=0)",
        "mask",
        gradient(*EMBEDDING),
        ("padding_idx",),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.Embedding(characters, 16",
        "layers.Embedding(characters, 16, trainable=False",
        "frozen layer",
        gradient(*EMBEDDING),
        ("frozen", "trainable", "requires_grad"),
    ),
    Planted(
        "lstm",
        TORCH,
        "self.lstm(self.embedding(characters))",
        "self.lstm(self.embedding(characters).detach())",
        "stopped gradient",
        gradient(*EMBEDDING),
        ("detach", "no gradient", "stop"),
        fixable=False,
    ),
    Planted(
        "lstm",
        TORCH,
        "outputs[:, -1]",
        "outputs.mean(1)",
        "pooling over time",
        (*LAYER_NORM, *LSTM),
        ("mean over", "last output", "last step"),
    ),
    Planted(
        "lstm",
        TORCH,
        "loss = nn.MSELoss()",
        "def loss(outputs, targets):\n    return ((outputs[:, 0] - targets) ** 2).mean()",
        "shape of the targets",
        LOSS,
        ("broadcast", "(b, b)", "each with every", "every other", "shape"),
        hard="the mean is of the user's arithmetic: (16,) − (16, 1)",
    ),
    Planted(
        "lstm",
        TORCH,
        "loss = nn.MSELoss()",
        'loss = nn.MSELoss(reduction="sum")',
        "mean of the loss",
        LOSS,
        ("reduction", "sum", "batch size"),
    ),
    Planted(
        "lstm",
        KERAS,
        "keras.losses.MeanSquaredError()",
        "keras.losses.MeanAbsoluteError()",
        "formula of the loss",
        LOSS,
        ("absolute", "squared", "mae", "mse"),
    ),
    Planted(
        "lstm",
        TORCH,
        "nn.MSELoss()",
        "nn.SmoothL1Loss()",
        "formula of the loss",
        LOSS,
        ("smooth", "huber", "l1"),
    ),
    Planted(
        "lstm",
        KERAS,
        "\n\ndef model(characters=21, width=32):",
        """

def carry(torch):
    import numpy as np

    input_, forget, cell, output = np.split(torch["lstm.weight_ih_l0"], 4)
    return {"sequential/lstm/lstm_cell/kernel": np.concatenate([forget, input_, cell, output]).T}


def model(characters=21, width=32):""",
        "gates and biases",
        (*LSTM, "carry"),
        ("gate", "carry"),
    ),
    Planted(
        "lstm",
        KERAS,
        "\n\ndef model(characters=21, width=32):",
        "\n\ndef prepare(characters):\n    return characters[:, ::-1].copy()\n\n\ndef model(characters=21, width=32):",
        "order of time",
        INPUT,
        ("revers", "order", "prepare", "flip"),
        fixable=False,
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width)",
        "layers.LSTM(width, use_bias=False)",
        "gates and biases",
        (*LSTM, *gradient(*LSTM)),
        ("use_bias", "bias"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width),",
        "layers.LSTM(width, return_sequences=True),\n            layers.GlobalAveragePooling1D(),",
        "pooling over time",
        (*LAYER_NORM, *LSTM),
        ("the last of", "average"),
    ),
    Planted(
        "lstm",
        KERAS,
        "layers.LSTM(width)",
        "layers.LSTM(width, dropout=0.2)",
        "dropout",
        setting(*LSTM),
        ("dropout",),
    ),
    Planted(
        "lstm",
        KERAS,
        " / (1 - self.beta_1**step)",
        "",
        "formula of the optimizer",
        OPTIMIZER,
        ("update_step",),
        hard="the rule is of a class of the user's own, which can't be read",
    ),
    Planted(
        "lstm",
        TORCH,
        "torch.optim.Adam(model.parameters(), lr=0.01",
        "torch.optim.AdamW(model.parameters(), lr=0.01",
        "weight decay",
        OPTIMIZER,
        ("beside", "adamw"),
    ),
)

CHARACTER_GPT = (
    Planted(
        "gpt",
        TORCH,
        "F.gelu(self.widen(self.norm_2(x)))",
        'F.gelu(self.widen(self.norm_2(x)), approximate="tanh")',
        "GELU",
        (*WIDEN, *NARROW, *BLOCK),
        ("approximate", "tanh", "exact"),
    ),
    Planted(
        "gpt",
        KERAS,
        'dense(4 * width, "gelu")',
        "dense(4 * width, ops.gelu)",
        "GELU",
        (*WIDEN, *NARROW, *BLOCK),
        ("approximate", "tanh", "exact"),
    ),
    Planted(
        "gpt",
        KERAS,
        'dense(4 * width, "gelu")',
        'dense(4 * width, "relu")',
        "activation",
        (*WIDEN, *NARROW, *BLOCK),
        ("relu", "gelu", "activation"),
    ),
    Planted(
        "gpt",
        TORCH,
        "self.norm_2 = nn.LayerNorm(width)",
        "self.norm_2 = nn.LayerNorm(width, eps=1e-6)",
        "layer normalisation",
        NORM_2,
        ("epsilon", "ε"),
    ),
    Planted(
        "gpt",
        KERAS,
        "LayerNormalization(epsilon=1e-5)",
        "LayerNormalization()",
        "layer normalisation",
        NORM_1,
        ("epsilon", "ε"),
    ),
    Planted(
        "gpt",
        TORCH,
        "is_causal=True)",
        "is_causal=True, scale=1.0)",
        "scale of attention",
        ATTENTION,
        ("scale",),
    ),
    Planted(
        "gpt",
        KERAS,
        "scale=self.width_of_head**-0.5",
        "scale=(self.heads * self.width_of_head) ** -0.5",
        "scale of attention",
        ATTENTION,
        ("scale",),
    ),
    Planted("gpt", KERAS, "is_causal=True", "is_causal=False", "mask", ATTENTION, ("causal", "mask")),
    Planted(
        "gpt",
        TORCH,
        "is_causal=True",
        "attn_mask=torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril(1)",
        "mask",
        ATTENTION,
        ("mask", "causal"),
    ),
    Planted(
        "gpt",
        KERAS,
        "seen = ops.dot_product_attention(query, key, value, is_causal=True, scale=self.width_of_head**-0.5)",
        """scores = ops.einsum("bqhc,bkhc->bhqk", query, key) * self.width_of_head**-0.5
        ahead = ops.triu(ops.ones_like(scores[0, 0]), 1)
        seen = ops.einsum("bhqk,bkhc->bqhc", ops.softmax(scores - 1e30 * ahead, axis=-2), value)""",
        "axis of softmax",
        ATTENTION,
        ("axis", "softmax"),
        fixable=False,
    ),
    Planted(
        "gpt",
        TORCH,
        "F.scaled_dot_product_attention(query, key, value,",
        "F.scaled_dot_product_attention(key, query, value,",
        "query and key",
        ATTENTION,
        ("query", "key", "swap"),
        fixable=False,
        hard="with the weights of both exchanged too, it is the same model",
    ),
    Planted(
        "gpt",
        TORCH,
        "seen.transpose(1, 2).flatten(2)",
        "seen.reshape(x.shape)",
        "axes",
        (*MIX, *ATTENTION),
        ("transpos", "axes", "heads", "reshape", "order"),
        fixable=False,
    ),
    Planted(
        "gpt",
        TORCH,
        "x.unflatten(2, (self.heads, -1)).transpose(1, 2)",
        "x.unflatten(2, (-1, self.heads)).permute(0, 3, 1, 2)",
        "axes",
        ATTENTION,
        ("heads", "axes", "order", "reshape"),
        fixable=False,
    ),
    Planted(
        "gpt",
        TORCH,
        "torch.arange(text.shape[1], device=text.device)",
        "torch.arange(1, text.shape[1] + 1, device=text.device).clamp(max=CONTEXT - 1)",
        "positions",
        PLACES,
        ("position", "offset", "index", "indices"),
    ),
    Planted(
        "gpt",
        TORCH,
        "x = self.blocks(self.characters(text) + self.places(places))",
        "x = self.blocks(self.characters(text) * 64**0.5 + self.places(places))",
        "scale of an embedding",
        (*CHARACTERS, *PLACES, *NORM_1, *BLOCK),
        ("scale", "factor", "8 times"),
        fixable=False,
    ),
    Planted(
        "gpt",
        TORCH,
        "self.narrow(F.gelu(self.widen(self.norm_2(x))))",
        "self.norm_2(self.narrow(F.gelu(self.widen(x))))",
        "order of layers",
        (*WIDEN, *NORM_2, *MIX, *BLOCK),
        ("before the norm", "after the norm", "post-norm", "order of"),
        fixable=False,
    ),
    Planted(
        "gpt",
        KERAS,
        "return x + self.narrow(self.widen(self.norm_2(x)))",
        "return self.narrow(self.widen(self.norm_2(x)))",
        "residual",
        (*NARROW, *NEXT_BLOCK, *BLOCK),
        ("residual", "is added", "not added", "sum of"),
        fixable=False,
    ),
    Planted(
        "gpt",
        TORCH,
        "F.linear(self.norm(x), self.characters.weight)",
        "F.linear(self.norm(x), self.characters.weight.detach())",
        "stopped gradient",
        gradient(*CHARACTERS),
        ("detach", "gradient"),
        fixable=False,
    ),
    Planted(
        "gpt",
        KERAS,
        """self.norm = norm()

    def call(self, text):
        \"\"\"(B, T) -> logits of the next character (B, T, 451).\"\"\"
        x = self.characters(text) + self.places(ops.arange(ops.shape(text)[1]))
        for block in self.blocks:
            x = block(x)
        return ops.matmul(self.norm(x), ops.transpose(self.characters.embeddings))""",
        """self.norm = norm()
        self.head = layers.Dense(CHARACTERS, use_bias=False)

    def call(self, text):
        \"\"\"(B, T) -> logits of the next character (B, T, 451).\"\"\"
        x = self.characters(text) + self.places(ops.arange(ops.shape(text)[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))""",
        "tied weights",
        (*gradient(*CHARACTERS), "head", "gpt/dense_12", *CHARACTERS),
        ("tied", "shared"),
        hard="one tensor of PyTorch's goes into two of Keras's; the evaluation is the same",
    ),
    Planted(
        "gpt",
        TORCH,
        "self.places = nn.Embedding(CONTEXT, width)",
        "self.places = nn.Embedding(CONTEXT, width).requires_grad_(False)",
        "frozen layer",
        gradient(*PLACES),
        ("frozen", "trainable", "requires_grad"),
    ),
    Planted(
        "gpt",
        KERAS,
        "self.key = dense(width)",
        "self.key = layers.Dense(width, use_bias=False)",
        "bias",
        (*KEY, *gradient(*KEY)),
        ("bias",),
        hard="PyTorch's bias has no counterpart, and begins with zeros: in attention a key's bias has no effect at all",
    ),
    Planted(
        "gpt",
        KERAS,
        "self.value = dense(width)",
        "self.value = layers.Dense(width, use_bias=False)",
        "bias",
        (*VALUE, *gradient(*VALUE)),
        ("bias",),
        hard="PyTorch's bias has no counterpart, and begins with zeros: the first evaluation is the same",
    ),
    Planted(
        "gpt",
        TORCH,
        "targets.flatten())",
        "targets.flatten(), ignore_index=0)",
        "ignored tokens",
        LOSS,
        ("ignore_index",),
    ),
    Planted(
        "gpt",
        KERAS,
        "from_logits=True)",
        "from_logits=True, ignore_class=0)",
        "ignored tokens",
        LOSS,
        ("ignore_class",),
    ),
    Planted(
        "gpt",
        TORCH,
        "targets.flatten())",
        'targets.flatten(), reduction="sum") / len(targets)',
        "mean of the loss",
        LOSS,
        ("reduction", "sum", "32 times", "token"),
    ),
    Planted(
        "gpt",
        TORCH,
        "(step + 1) / WARM_UP",
        "step / WARM_UP",
        "schedule",
        (*RATE, *OPTIMIZER),
        ("learning rate", "schedule", "scheduler"),
    ),
    Planted(
        "gpt",
        KERAS,
        "AdamW(WarmUp(), ",
        "AdamW(RATE, ",
        "warm-up",
        (*RATE, *OPTIMIZER),
        ("learning rate", "schedule", "warm"),
    ),
    Planted(
        "gpt",
        KERAS,
        "RATE, WARM_UP = 3e-3, 10",
        "RATE, WARM_UP = 3e-4, 10",
        "learning rate",
        (*RATE, *OPTIMIZER),
        ("learning rate", "learning_rate"),
    ),
    Planted(
        "gpt",
        TORCH,
        "betas=(0.9, 0.99)",
        "betas=(0.9, 0.999)",
        "betas",
        OPTIMIZER,
        ("beta",),
    ),
    Planted("gpt", TORCH, "eps=1e-8", "eps=1e-6", "ε of the optimizer", OPTIMIZER, ("epsilon", "ε")),
    Planted(
        "gpt",
        KERAS,
        '    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])\n',
        "",
        "weight decay",
        OPTIMIZER,
        ("weight decay", "weight_decay", "decay"),
    ),
    Planted(
        "gpt",
        TORCH,
        "torch.optim.AdamW(groups",
        "torch.optim.Adam(groups",
        "weight decay",
        OPTIMIZER,
        ("adamw", "coupled", "decay"),
    ),
    Planted(
        "gpt",
        TORCH,
        "clip_grad_norm_(model.parameters(), 1.0)",
        "clip_grad_norm_(model.parameters(), 0.5)",
        "clipping",
        OPTIMIZER,
        ("clip",),
        fixable=False,
        hard="Adam undoes the size of the gradients: it shows as the size changes from step to step",
    ),
    Planted(
        "gpt",
        TORCH,
        "nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        "for parameter in model.parameters():\n        nn.utils.clip_grad_norm_(parameter, 1.0)",
        "clipping",
        OPTIMIZER,
        ("clip",),
        fixable=False,
    ),
    Planted(
        "gpt",
        KERAS,
        "(tf.linalg.global_norm(grads) + 1e-6)",
        "tf.linalg.global_norm(grads)",
        "clipping",
        OPTIMIZER,
        ("clip", "1e-6"),
        fixable=False,
        hard="the smallest of all",
    ),
    Planted(
        "gpt",
        KERAS,
        "\n\ndef dense(units, activation=None):",
        '\n\ndef carry(torch):\n    return {"gpt/block/dense/kernel": torch["blocks.0.query.weight"]}\n'
        "\n\ndef dense(units, activation=None):",
        "carried by hand",
        (*QUERY, "carry"),
        ("transpos", "carry"),
    ),
    Planted(
        "gpt",
        KERAS,
        "self.characters(text) + self.places(ops.arange(ops.shape(text)[1]))",
        "self.characters(text)",
        "positions",
        (*NORM_1, *BLOCK, *CHARACTERS, *PLACES),
        ("places", "position"),
        fixable=False,
        hard="what PyTorch's positions are is in no tensor of Keras's",
    ),
    Planted(
        "gpt",
        TORCH,
        "self.characters(text) + self.places(places)",
        "self.characters(text)",
        "positions",
        (*NORM_1, *BLOCK, *CHARACTERS, *PLACES),
        ("embedding_1 is added", "position"),
    ),
    Planted(
        "gpt",
        TORCH,
        "x = x + self.mix(seen.transpose(1, 2).flatten(2))",
        "x = normed + self.mix(seen.transpose(1, 2).flatten(2))",
        "residual",
        (*NORM_2, *MIX, *BLOCK),
        ("residual",),
    ),
    Planted(
        "gpt",
        TORCH,
        """        self.apply(start_small)

    def forward(self, text):
        \"\"\"(B, T) -> logits of the next character (B, T, 451).\"\"\"
        places = torch.arange(text.shape[1], device=text.device)
        x = self.blocks(self.characters(text) + self.places(places))
        return F.linear(self.norm(x), self.characters.weight)""",
        """        self.apply(start_small)
        self.head = nn.Linear(width, CHARACTERS, bias=False)

    def forward(self, text):
        \"\"\"(B, T) -> logits of the next character (B, T, 451).\"\"\"
        places = torch.arange(text.shape[1], device=text.device)
        x = self.blocks(self.characters(text) + self.places(places))
        return self.head(self.norm(x))""",
        "tied weights",
        (*OUTPUT, "head", *CHARACTERS),
        ("tied",),
    ),
)

PLANTED = (*MLP, *CNN, *LSTM_READER, *CHARACTER_GPT)

# First ports of a whole model: all of the framework's defaults are left as they are, and two mistakes are made as well.
NAIVE = (
    Case(
        "cnn",
        (
            Planted(
                "cnn",
                KERAS,
                "x = layers.ZeroPadding2D(1)(x)\n    x = layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)",
                'x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)',
                "padding",
                CONV,
                ("padding", "same"),
            ),
            Planted(
                "cnn",
                KERAS,
                "x = BatchNormalization(momentum=0.9, epsilon=1e-5)(x)",
                "x = layers.BatchNormalization()(x)",
                "batch normalisation",
                NORM,
                ("epsilon", "ε"),
            ),
            Planted(
                "cnn",
                KERAS,
                "SparseCategoricalCrossentropy(from_logits=True)",
                "SparseCategoricalCrossentropy()",
                "input of the loss",
                LOSS,
                ("from_logits", "logits", "probabilities"),
            ),
            Planted(
                "cnn",
                KERAS,
                "learning_rate=0.02, momentum=0.9",
                "learning_rate=0.02",
                "momentum",
                OPTIMIZER,
                ("momentum",),
            ),
        ),
    ),
    Case(
        "lstm",
        (
            Planted(
                "lstm",
                KERAS,
                "LayerNormalization(epsilon=1e-5)",
                "LayerNormalization()",
                "layer normalisation",
                LAYER_NORM,
                ("epsilon", "ε"),
            ),
            Planted(
                "lstm",
                KERAS,
                "return Adam(learning_rate=0.01, epsilon=1e-8)",
                "return keras.optimizers.Adam(learning_rate=0.01)",
                "formula of the optimizer",
                OPTIMIZER,
                ("correction", "epsilon", "ε", "embedding"),
            ),
            Planted(
                "lstm",
                KERAS,
                "layers.Embedding(characters, 16",
                "layers.Embedding(characters, 16, mask_zero=True",
                "mask",
                LSTM,
                ("mask",),
            ),
            Planted(
                "lstm",
                TORCH,
                "loss = nn.MSELoss()",
                'loss = nn.MSELoss(reduction="sum")',
                "mean of the loss",
                LOSS,
                ("reduction", "sum", "batch size"),
            ),
        ),
    ),
)
