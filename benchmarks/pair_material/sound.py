"""Sound pairs: models whose two sides are the same, for measuring how often that is doubted.

Each side is what a user would write. Where the frameworks differ by default, one side says what the other does; its
files import nothing of this project.
"""

from collections.abc import Callable, Sequence
from string import Template

import numpy as np

from benchmarks.pair_material.pair import EXAMPLES, Pair, classified, labels, measured, texts, values

TORCH = "import numpy as np\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
KERAS = "import keras\nimport numpy as np\nimport tensorflow as tf\nfrom keras import layers, ops\n"

CHANNELS_FIRST = """
def prepare(inputs):
    return np.moveaxis(inputs, -1, 1)
"""

Sources = tuple[str, str]  # PyTorch's, Keras's


def plain(torch: str, keras: str) -> Sources:
    """An optimizer of one line."""
    return (
        f"\ndef optimizer(model):\n    return torch.optim.{torch}\n",
        f"\ndef optimizer():\n    return keras.optimizers.{keras}\n",
    )


# Keras's own class, with PyTorch's formula.
ADAM = """
class Adam(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        gradient = tf.convert_to_tensor(gradient)  # an embedding's comes row by row
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1 - self.beta_2) * gradient**2)
        count = tf.cast(self.iterations + 1, tf.float64)
        size = tf.cast(tf.cast(learning_rate, tf.float64) / (1 - self.beta_1**count), variable.dtype)
        root = square**0.5 / tf.cast((1 - self.beta_2**count) ** 0.5, variable.dtype)
        self.assign_sub(variable, size * mean / (root + self.epsilon))
"""

MOMENTUM = """
class Momentum(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        buffer = self.momentums[self._get_variable_index(variable)]
        self.assign(buffer, self.momentum * buffer + tf.convert_to_tensor(gradient))
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        self.assign_sub(variable, learning_rate * direction)
"""

CLIPPED = """
class Clipped(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        grads = [tf.convert_to_tensor(gradient) for gradient in grads]
        factor = tf.minimum(1 / (tf.linalg.global_norm(grads) + 1e-6), 1)
        super().apply([factor * gradient for gradient in grads], trainable_variables)
"""

SCHEDULED = """
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=$momentum)


def scheduler(optimizer):
    return torch.optim.lr_scheduler.$schedule
"""

OPTIMIZERS: dict[str, Sources] = {
    "default": ("", ""),
    "sgd": plain("SGD(model.parameters(), lr=0.05)", "SGD(0.05)"),
    "momentum": plain("SGD(model.parameters(), lr=0.02, momentum=0.9)", "SGD(0.02, momentum=0.9)"),
    "exact momentum": plain("SGD(model.parameters(), lr=0.02, momentum=0.5)", "SGD(0.02, momentum=0.5)"),
    "nesterov": plain(
        "SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)", "SGD(0.02, momentum=0.9, nesterov=True)"
    ),
    "clipped by value": (
        """
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05)


def after_backward(model):
    nn.utils.clip_grad_value_(model.parameters(), 0.03125)
""",
        "\ndef optimizer():\n    return keras.optimizers.SGD(0.05, clipvalue=0.03125)\n",
    ),
    "clipped by norm": (
        """
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05)


def after_backward(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
""",
        CLIPPED + "\n\ndef optimizer():\n    return Clipped(0.05)\n",
    ),
    "adam": (
        "\ndef optimizer(model):\n    return torch.optim.Adam(model.parameters(), lr=2e-3)\n",
        ADAM + "\n\ndef optimizer():\n    return Adam(2e-3, epsilon=1e-8)\n",
    ),
    "adamw": (
        """
def optimizer(model):
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=2e-3, betas=(0.9, 0.95))
""",
        ADAM
        + """

def optimizer():
    adam = Adam(2e-3, beta_2=0.95, epsilon=1e-8, weight_decay=0.1)
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adam
""",
    ),
    "rmsprop": (
        "\ndef optimizer(model):\n    return torch.optim.RMSprop(model.parameters(), lr=1e-3)\n",
        """
class RMSprop(keras.optimizers.RMSprop):
    def update_step(self, gradient, variable, learning_rate):
        square = self._velocities[self._get_variable_index(variable)]
        self.assign(square, self.rho * square + (1 - self.rho) * gradient**2)
        self.assign_sub(variable, learning_rate * gradient / (square**0.5 + self.epsilon))


def optimizer():
    return RMSprop(1e-3, rho=0.99, epsilon=1e-8)
""",
    ),
    "adagrad": (
        "\ndef optimizer(model):\n    return torch.optim.Adagrad(model.parameters(), lr=0.01)\n",
        """
class Adagrad(keras.optimizers.Adagrad):
    def update_step(self, gradient, variable, learning_rate):
        total = self._accumulators[self._get_variable_index(variable)]
        self.assign_add(total, gradient**2)
        self.assign_sub(variable, learning_rate * gradient / (total**0.5 + self.epsilon))


def optimizer():
    return Adagrad(0.01, initial_accumulator_value=0.0, epsilon=1e-10)
""",
    ),
    "coupled decay": (
        """
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=0.01)
""",
        MOMENTUM
        + """

class Decayed(Momentum):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + 0.01 * variable, variable, learning_rate)


def optimizer():
    return Decayed(0.02, momentum=0.9)
""",
    ),
    "exponential schedule": (
        Template(SCHEDULED).substitute(momentum="0.0", schedule="ExponentialLR(optimizer, gamma=0.75)"),
        """
def optimizer():
    return keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.75))
""",
    ),
    "milestones": (
        Template(SCHEDULED).substitute(momentum="0.9", schedule="MultiStepLR(optimizer, [4, 12], gamma=0.1)"),
        MOMENTUM
        + """

def optimizer():
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([3, 11], [0.1, 0.1 * 0.1, 0.1 * 0.1 * 0.1])
    return Momentum(rates, momentum=0.9)
""",
    ),
    "warm-up": (
        """
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def scheduler(optimizer):
    def factor(step):
        return (step + 1) / 8 if step < 8 else 8 / (step + 1)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
""",
        MOMENTUM
        + """

class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        number = tf.cast(step, keras.config.floatx()) + 1
        return 0.1 * tf.where(number <= 8, number / 8, 8 / number)


def optimizer():
    return Momentum(WarmUp(), momentum=0.9, nesterov=True)
""",
    ),
}

# What Keras's own code rounds to float32 in a float64 run: 0.9 and other constants, the rates of its schedules.
ROUNDED = {
    **dict.fromkeys(("momentum", "nesterov", "adamw"), ("momentum_dtype",)),
    **dict.fromkeys(("exponential schedule", "milestones"), ("learning_rate_dtype",)),
}


class Made:
    """The two sources and the data of a kind of model; `pair` adds an optimizer, numbers and a seed."""

    def __init__(
        self,
        torch: str,
        keras: str,
        data: Callable[[np.random.Generator], dict[str, np.ndarray]],
        *,
        channels_first: bool = False,
        hard: str = "",
    ) -> None:
        self.torch = torch + (f"\n{CHANNELS_FIRST}" if channels_first else "")
        self.keras, self.data, self.hard = keras, data, hard

    def pair(self, name: str, optimizer: str, seed: int, numbers: dict[str, int | bool]) -> Pair:
        """A pair of this kind."""
        torch, keras = (
            head + "\n\n" + Template(model.strip("\n")).substitute(numbers) + ("\n\n" + rule if rule else "\n")
            for head, model, rule in zip((TORCH, KERAS), (self.torch, self.keras), OPTIMIZERS[optimizer], strict=True)
        )
        said = "".join(f", {key} {value}" for key, value in numbers.items())
        return Pair(
            f"{name}{said}, {optimizer}, seed {seed}",
            torch,
            keras,
            self.data,
            seed,
            rounded=ROUNDED.get(optimizer, ()),
            hard=self.hard,
        )


def wanted(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Vectors, and whether."""
    return {"inputs": values(rng, 10), "targets": rng.integers(0, 2, (EXAMPLES, 1)).astype(np.float32)}


def photographs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Images of bytes, and a class of each."""
    return {"inputs": labels(rng, 256, 10, 10, 3).astype(np.uint8), "targets": labels(rng, 5)}


def continued(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Texts, and for each of their tokens the next."""
    tokens = labels(rng, 20, 9)
    return {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}


def two_inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A signal and a table, by name."""
    return {"inputs/signal": values(rng, 12, 3), "inputs/table": values(rng, 6), "targets": labels(rng, 5)}


def words_and_segments(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two kinds of token numbers, by name."""
    return {
        "inputs/tokens": labels(rng, 20, 7),
        "inputs/segments": labels(rng, 2, 7),
        "targets": labels(rng, 5),
    }


LAYERS: dict[str, Made] = {
    "mlp": Made(
        """
def model():
    return nn.Sequential(nn.Linear(12, $width), nn.ReLU(), nn.Linear($width, $width), nn.ReLU(), nn.Linear($width, 5))
""",
        """
def model():
    hidden = [layers.Dense($width, activation="relu") for _ in range(2)]
    return keras.Sequential([*hidden, layers.Dense(5)])
""",
        classified(12),
    ),
    "activations": Made(
        """
def model():
    return nn.Sequential(
        nn.Linear(10, $width),
        nn.PReLU($width, init=0.1),
        nn.Linear($width, $width),
        nn.ELU(),
        nn.Linear($width, $width),
        nn.SiLU(),
        nn.Linear($width, $width),
        nn.Tanh(),
        nn.Linear($width, $width),
        nn.Sigmoid(),
        nn.Linear($width, 5),
    )
""",
        """
def model():
    return keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense($width),
            layers.PReLU(),
            layers.Dense($width, activation="elu"),
            layers.Dense($width),
            layers.Activation("silu"),
            layers.Dense($width, activation="tanh"),
            layers.Dense($width, activation=ops.sigmoid),
            layers.Dense(5),
        ]
    )
""",
        classified(10),
    ),
    "leaky ReLU and softplus": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(10, $width), nn.Linear($width, $width), nn.Linear($width, 1)

    def forward(self, x):
        x = F.leaky_relu(self.first(x), 0.01)
        x = F.leaky_relu(self.second(x), 0.2)
        return F.softplus(self.third(x))


def model():
    return Net()
""",
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = layers.Dense($width), layers.Dense($width), layers.Dense(1)
        self.leaky = layers.LeakyReLU(negative_slope=0.01)

    def call(self, x):
        x = self.leaky(self.first(x))
        x = keras.activations.leaky_relu(self.second(x), negative_slope=0.2)
        return ops.softplus(self.third(x))


def model():
    return Net()
""",
        measured(10),
        hard="TensorFlow rounds the slopes to float32 in a float64 run",
    ),
    "gelu": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.across, self.down = nn.Linear(10, $width), nn.Linear($width, $width), nn.Linear($width, 5)

    def forward(self, x):
        return self.down(F.gelu(self.across(F.gelu(self.up(x))), approximate="tanh"))


def model():
    return Net()
""",
        """
def model():
    x = inputs = keras.Input((10,))
    x = layers.Dense($width, activation="gelu")(x)
    x = ops.gelu(layers.Dense($width)(x))
    return keras.Model(inputs, layers.Dense(5)(x))
""",
        classified(10),
        hard="TensorFlow rounds GELU's constants to float32 in a float64 run",
    ),
    "pointwise": Made(
        """
def model():
    return nn.Sequential(
        nn.Conv2d(3, $width, 1), nn.Tanh(), nn.Conv2d($width, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
""",
        """
def model():
    x = inputs = keras.Input((6, 5, 3))
    x = layers.Dense($width, activation="tanh")(x)
    x = layers.Dense(5)(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
""",
        classified(6, 5, 3),
        channels_first=True,
    ),
    "conv1d": Made(
        """
def model():
    return nn.Sequential(
        nn.Conv1d(4, $width, 5, stride=2, groups=2),
        nn.ReLU(),
        nn.Conv1d($width, $width, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(4 * $width, 5),
    )
""",
        """
def model():
    return keras.Sequential(
        [
            keras.Input((20, 4)),
            layers.Conv1D($width, 5, strides=2, groups=2, activation="relu"),
            layers.Conv1D($width, 3, padding="same", dilation_rate=2, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
""",
        classified(20, 4),
        channels_first=True,
    ),
    "conv2d": Made(
        """
def model():
    return nn.Sequential(
        nn.Conv2d(3, $width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d($width, $width, (3, 5), padding=(1, 2)),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(3 * 2 * $width, 16),
        nn.ReLU(),
        nn.Linear(16, 5),
    )
""",
        """
def model():
    x = inputs = keras.Input((12, 10, 3))
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D($width, 3, strides=2, activation="relu")(x)
    x = layers.Conv2D($width, (3, 5), padding="same", activation="relu")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(5)(x))
""",
        classified(12, 10, 3),
        channels_first=True,
    ),
    "depthwise": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.depth = nn.Conv2d(6, 12, 3, padding=1, groups=6, bias=False)
        self.slope = nn.PReLU(12)
        self.point = nn.Conv2d(12, $width, 1)
        self.grouped = nn.Conv2d($width, $width, 3, groups=4)
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        x = self.point(self.slope(self.depth(x)))
        return self.head(F.relu(self.grouped(x)).amax((2, 3)))


def model():
    return Net()
""",
        """
def model():
    x = inputs = keras.Input((8, 8, 6))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False)(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Conv2D($width, 1)(x)
    x = layers.Conv2D($width, 3, groups=4, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalMaxPooling2D()(x)))
""",
        classified(8, 8, 6),
        channels_first=True,
    ),
    "separable, carried by the user": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.depth = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.point = nn.Conv2d(4, $width, 1)
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        return self.head(F.relu(self.point(self.depth(x))).mean((2, 3)))


def model():
    return Net()
""",
        """
def model():
    x = inputs = keras.Input((8, 8, 4))
    x = layers.SeparableConv2D($width, 3, padding="same", activation="relu", name="separable")(x)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def carry(torch):
    return {
        "separable/depthwise_kernel": torch["depth.weight"].transpose(2, 3, 0, 1),
        "separable/pointwise_kernel": torch["point.weight"].transpose(2, 3, 1, 0),
        "separable/bias": torch["point.bias"],
    }
""",
        classified(8, 8, 4),
        channels_first=True,
    ),
    "conv3d": Made(
        """
def model():
    return nn.Sequential(
        nn.Conv3d(2, $width, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d($width, $width, (3, 2, 2), stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * 2 * 2 * $width, 5),
    )
""",
        """
def model():
    x = inputs = keras.Input((6, 4, 4, 2))
    x = layers.Conv3D($width, 3, padding="same", activation="relu")(x)
    x = layers.Conv3D($width, (3, 2, 2), strides=2, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))
""",
        classified(6, 4, 4, 2),
        channels_first=True,
    ),
    "transposed conv1d": Made(
        """
def model():
    return nn.Sequential(nn.ConvTranspose1d(3, $width, 4, stride=2, padding=1), nn.Tanh(), nn.Conv1d($width, 2, 1))


def loss(outputs, targets):
    return F.mse_loss(outputs, targets.transpose(1, 2))
""",
        """
def model():
    return keras.Sequential(
        [
            keras.Input((8, 3)),
            layers.Conv1DTranspose($width, 4, strides=2, padding="same", activation="tanh"),
            layers.Conv1D(2, 1),
        ]
    )
""",
        measured(8, 3, targets=(16, 2)),
        channels_first=True,
    ),
    "transposed conv2d": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, $width, 4, stride=2, padding=1)
        self.up = nn.ConvTranspose2d($width, $width, 2, stride=2)
        self.smooth = nn.ConvTranspose2d($width, 2, 3, padding=1, bias=False)

    def forward(self, x):
        x = F.silu(self.up(F.silu(self.down(x))))
        return self.smooth(x).permute(0, 2, 3, 1)


def model():
    return Net()
""",
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.down = layers.Conv2D($width, 4, strides=2, padding="same", activation="silu")
        self.up = layers.Conv2DTranspose($width, 2, strides=2, activation="silu")
        self.smooth = layers.Conv2DTranspose(2, 3, padding="same", use_bias=False)

    def call(self, x):
        return self.smooth(self.up(self.down(x)))


def model():
    return Net()
""",
        measured(8, 8, 2, targets=(8, 8, 2)),
        channels_first=True,
    ),
    "enlarged": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(3, $width, size, padding=size // 2) for size in (1, 3, 5)])
        self.fuse = nn.Conv2d(3 * $width, 5, 3)

    def forward(self, x):
        x = torch.cat([F.relu(branch(x)) for branch in self.branches], 1)
        x = F.max_pool2d(x, 3, stride=2)
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.fuse(x).mean((2, 3))


def model():
    return Net()
""",
        """
def model():
    inputs = keras.Input((9, 9, 3))
    large, middle, small = (
        layers.Conv2D($width, size, padding="same", activation="relu")(inputs) for size in (5, 3, 1)
    )
    x = layers.Concatenate()([small, middle, large])
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(5, 3)(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
""",
        classified(9, 9, 3),
        channels_first=True,
        hard="the branches are called in another order",
    ),
    "batch normalisation": Made(
        """
def model():
    return nn.Sequential(
        nn.Conv2d(3, $width, 3, padding=1, bias=False),
        nn.BatchNorm2d($width),
        nn.ReLU(),
        nn.Conv2d($width, $width, 3, bias=False),
        nn.BatchNorm2d($width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear($width, 5),
    )
""",
        """
class BatchNormalization(layers.BatchNormalization):
    def __init__(self):
        super().__init__(momentum=0.9, epsilon=1e-5)

    def call(self, inputs, training=None):
        before = self.moving_variance.numpy()
        outputs = super().call(inputs, training=training)
        if training:
            count = np.prod(inputs.shape[:-1])
            added = self.moving_variance - self.momentum * before
            self.moving_variance.assign_add(added / float(count - 1))
        return outputs


def model():
    return keras.Sequential(
        [
            layers.Conv2D($width, 3, padding="same", use_bias=False),
            BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D($width, 3, use_bias=False),
            BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(5),
        ]
    )
""",
        classified(8, 8, 3),
        channels_first=True,
    ),
    "batch normalisation of vectors": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry = nn.BatchNorm1d(10, affine=False)
        self.first, self.norm, self.second = nn.Linear(10, $width), nn.BatchNorm1d($width), nn.Linear($width, 5)

    def forward(self, x):
        return self.second(torch.tanh(self.norm(self.first(self.entry(x)))))


def model():
    return Net()
""",
        """
class BatchNormalization(layers.BatchNormalization):
    def call(self, inputs, training=None):
        outputs = super().call(inputs, training=training)
        if training:
            count = inputs.shape[0]
            variance = tf.math.reduce_variance(inputs, 0)
            self.moving_variance.assign_add((1 - self.momentum) * variance / (count - 1))
        return outputs


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.entry = BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False)
        self.first, self.second = layers.Dense($width), layers.Dense(5)
        self.norm = BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x, training=None):
        x = self.first(self.entry(x, training=training))
        return self.second(ops.tanh(self.norm(x, training=training)))


def model():
    return Net()
""",
        classified(10),
    ),
    "other normalisations": Made(
        """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(2, width)

    def forward(self, x):
        return x + F.silu(self.norm(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, $width, 3)
        self.blocks = nn.Sequential(Block($width), Block($width))
        self.norm, self.head = nn.LayerNorm($width), nn.Linear($width, 5)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x)).mean((2, 3))))


def model():
    return Net()
""",
        """
def block(x):
    y = layers.Conv2D($width, 3, padding="same")(x)
    y = layers.GroupNormalization(2, epsilon=1e-5)(y)
    return layers.Add()([x, layers.Activation("silu")(y)])


def model():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D($width, 3)(inputs)
    x = block(block(x))
    x = layers.LayerNormalization(epsilon=1e-5)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(5)(x))
""",
        classified(8, 8, 3),
        channels_first=True,
    ),
    "embedding": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(20, $width), nn.Linear($width, 5)

    def forward(self, tokens):
        return self.head(self.words(tokens).mean(1))


def model():
    return Net()
""",
        """
def model():
    return keras.Sequential([layers.Embedding(20, $width), layers.GlobalAveragePooling1D(), layers.Dense(5)])
""",
        texts(7, 20),
    ),
    "rnn": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(4, $width, batch_first=True)
        nn.init.zeros_(self.rnn.bias_hh_l0).requires_grad_(False)  # one bias is enough
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def model():
    return Net()
""",
        """
def model():
    return keras.Sequential([keras.Input((7, 4)), layers.SimpleRNN($width), layers.Dense(5)])
""",
        classified(7, 4),
        hard="one of the two biases is frozen at zero",
    ),
    "gru": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, $width, num_layers=2, batch_first=True)
        self.head = nn.Linear($width, 1)

    def forward(self, x):
        return self.head(self.gru(x)[1][-1])


def model():
    return Net()
""",
        """
def model():
    return keras.Sequential([layers.GRU($width, return_sequences=True), layers.GRU($width), layers.Dense(1)])
""",
        measured(7, 4),
    ),
    "bidirectional gru": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.gru = nn.GRU(6, $width, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * $width, 5)

    def forward(self, tokens):
        outputs, _ = self.gru(self.words(tokens))
        return self.head(outputs.mean(1))


def model():
    return Net()
""",
        """
def model():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 6)(tokens)
    x = layers.Bidirectional(layers.GRU($width, return_sequences=True))(x)
    return keras.Model(tokens, layers.Dense(5)(ops.mean(x, axis=1)))
""",
        texts(7, 20),
    ),
    "lstm": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, $width, num_layers=2, bias=False, batch_first=True)
        self.head = nn.Linear($width, 5, bias=False)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def model():
    return Net()
""",
        """
def model():
    return keras.Sequential(
        [
            keras.Input((7, 4)),
            layers.LSTM($width, return_sequences=True, use_bias=False),
            layers.LSTM($width, use_bias=False),
            layers.Dense(5, use_bias=False),
        ]
    )
""",
        classified(7, 4),
    ),
    "bidirectional lstm": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, $width, num_layers=2, bidirectional=True)  # time first
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(parameter).requires_grad_(False)
        self.head = nn.Linear(2 * $width, 5)

    def forward(self, tokens):
        _, (state, _) = self.lstm(self.words(tokens).transpose(0, 1))
        return self.head(torch.cat([state[-2], state[-1]], 1))


def model():
    return Net()
""",
        """
def model():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 6)(tokens)
    x = layers.Bidirectional(layers.LSTM($width, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM($width))(x)
    return keras.Model(tokens, layers.Dense(5)(x))
""",
        texts(7, 20),
        hard="one of the two biases is frozen at zero",
    ),
    "attention": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry, self.norm = nn.Linear(4, $width), nn.LayerNorm($width)
        self.itself = nn.MultiheadAttention($width, 2, batch_first=True)
        self.other = nn.MultiheadAttention($width, 2, kdim=4, vdim=4, batch_first=True)
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        y = self.entry(x)
        y = self.norm(y + self.itself(y, y, y, attn_mask=ahead, need_weights=False)[0])
        y = y + self.other(y, x, x)[0]
        return self.head(y.mean(1))


def model():
    return Net()
""",
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.entry, self.norm = layers.Dense($width), layers.LayerNormalization(epsilon=1e-5)
        self.itself = layers.MultiHeadAttention(2, $width // 2)
        self.other = layers.MultiHeadAttention(2, $width // 2)
        self.head = layers.Dense(5)

    def call(self, x):
        y = self.entry(x)
        y = self.norm(y + self.itself(y, y, use_causal_mask=True))
        y = y + self.other(y, x)
        return self.head(ops.mean(y, axis=1))


def model():
    return Net()
""",
        classified(6, 4),
    ),
    "transformer encoder": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, $width)
        self.positions = nn.Parameter(0.1 * torch.randn(7, $width))
        layer = nn.TransformerEncoderLayer($width, 2, 2 * $width, norm_first=$first, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear($width, 5)

    def forward(self, tokens):
        return self.head(self.encoder(self.words(tokens) + self.positions)[:, 0])


def model():
    return Net()
""",
        """
class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, $width // 2, dropout=0.1)
        self.norm1, self.norm2 = (layers.LayerNormalization(epsilon=1e-5) for _ in range(2))
        self.up, self.down = layers.Dense(2 * $width, activation="relu"), layers.Dense($width)
        self.drops = [layers.Dropout(0.1) for _ in range(3)]

    def feed(self, x):
        return self.drops[2](self.down(self.drops[1](self.up(x))))

    def call(self, x):
        if $first:
            y = self.norm1(x)
            x = x + self.drops[0](self.attention(y, y))
            return x + self.feed(self.norm2(x))
        x = self.norm1(x + self.drops[0](self.attention(x, x)))
        return self.norm2(x + self.feed(x))


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.words, self.positions = layers.Embedding(20, $width), layers.Embedding(7, $width)
        self.blocks, self.head = [Block(), Block()], layers.Dense(5)

    def call(self, tokens):
        x = self.words(tokens) + self.positions(ops.arange(7))
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, 0])


def model():
    return Net()
""",
        texts(7, 20),
        hard="a raw Parameter is an Embedding in Keras; in evaluation PyTorch takes another path through the layer",
    ),
    "attention by hand": Made(
        """
class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.register_buffer("ahead", torch.ones(8, 8).triu(1).bool())

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        return torch.softmax(scores.masked_fill(self.ahead, float("-inf")), -1) @ v


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.attention = nn.Embedding(20, $width), Attention($width)

    def forward(self, tokens):
        x = self.words(tokens)
        return (x + self.attention(x)) @ self.words.weight.T


def model():
    return Net()


def loss(outputs, targets):
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())
""",
        """
class Attention(layers.Layer):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = (layers.Dense(width, use_bias=False) for _ in range(3))

    def call(self, x):
        k, v, q = self.k(x), self.v(x), self.q(x)
        scores = ops.matmul(q, ops.swapaxes(k, 1, 2)) / $width**0.5
        seen = np.tril(np.ones((8, 8), bool))
        return ops.matmul(ops.softmax(ops.where(seen, scores, -1e30)), v)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.words, self.attention = layers.Embedding(20, $width), Attention($width)

    def call(self, tokens):
        x = self.words(tokens)
        return ops.matmul(x + self.attention(x), ops.transpose(self.words.embeddings))


def model():
    return Net()


loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
""",
        continued,
        hard="q, k and v are called in another order, and the embedding is tied",
    ),
    "fused, carried by the user": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear($width, 3 * $width)
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.head(x.mean(1))


def model():
    return Net()
""",
        """
def model():
    x = keras.Input((6, $width))
    query, key, value = (layers.Dense($width, name=name)(x) for name in ("query", "key", "value"))
    scores = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))) / $width**0.5)
    mean = ops.mean(ops.matmul(scores, value), axis=1)
    return keras.Model(x, layers.Dense(5, name="head")(mean))


def carry(torch):
    names = ("query", "key", "value")
    kernels = np.split(torch["qkv.weight"].T, 3, axis=1)
    biases = np.split(torch["qkv.bias"], 3)
    return {
        **{f"{name}/kernel": kernel for name, kernel in zip(names, kernels)},
        **{f"{name}/bias": bias for name, bias in zip(names, biases)},
    }
""",
        classified(6, 8),
    ),
    "own layers": Made(
        """
class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.into = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.out = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        return x + self.scale * (torch.sigmoid(F.linear(x, self.into)) @ self.out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry, self.gate, self.head = nn.Linear(10, $width), Gate($width), nn.Linear($width, 5)

    def forward(self, x):
        return self.head(self.gate(self.entry(x)))


def model():
    return Net()
""",
        """
class Gate(layers.Layer):
    def build(self, shape):
        width = shape[-1]
        self.into = self.add_weight(shape=(width, width), name="into")
        self.out = self.add_weight(shape=(width, width), name="out")
        self.scale = self.add_weight(shape=(width,), name="scale")

    def call(self, x):
        return x + self.scale * ops.matmul(ops.sigmoid(ops.matmul(x, self.into)), self.out)


def model():
    x = inputs = keras.Input((10,))
    x = layers.Dense($width, name="entry")(x)
    x = Gate(name="gate")(x)
    return keras.Model(inputs, layers.Dense(5, name="head")(x))


def carry(torch):
    return {
        "gate/into": torch["gate.into"].T,
        "gate/out": torch["gate.out"],
        "gate/scale": torch["gate.scale"],
    }
""",
        classified(10),
    ),
    "raw parameters": Made(
        """
class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def forward(self, x):
        return self.weight * x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, 1, $width))
        self.positions = nn.Parameter(torch.randn(6, $width))
        self.entry, self.scale, self.head = nn.Linear(4, $width), Scale($width), nn.Linear($width, 5)

    def forward(self, x):
        x = self.entry(x) + self.positions
        x = torch.cat([self.start.expand(len(x), -1, -1), self.scale(x)], 1)
        return self.head(torch.tanh(x).mean(1))


def model():
    return Net()
""",
        """
class Scale(layers.Layer):
    def build(self, shape):
        self.weight = self.add_weight(shape=shape[-1:], initializer="ones", name="weight")

    def call(self, x):
        return self.weight * x


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.start = self.add_weight(shape=(1, 1, $width), name="start")
        self.positions = layers.Embedding(6, $width)
        self.entry, self.scale, self.head = layers.Dense($width), Scale(), layers.Dense(5)

    def call(self, x):
        x = self.entry(x) + self.positions(ops.arange(6))
        start = ops.broadcast_to(self.start, (len(x), 1, $width))
        x = ops.concatenate([start, self.scale(x)], axis=1)
        return self.head(ops.mean(ops.tanh(x), axis=1))


def model():
    return Net()
""",
        classified(6, 4),
        hard="parameters of the models' own, one of them an Embedding in Keras",
    ),
    "shared layer": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry, self.again, self.head = nn.Linear(10, $width), nn.Linear($width, $width), nn.Linear($width, 5)
        self.entry.requires_grad_(False)

    def forward(self, x):
        x = torch.tanh(self.entry(x))
        for _ in range(3):
            x = torch.tanh(self.again(x))
        return self.head(x)


def model():
    return Net()
""",
        """
def model():
    again = layers.Dense($width, activation="tanh")
    x = inputs = keras.Input((10,))
    x = layers.Dense($width, activation="tanh", trainable=False)(x)
    for _ in range(3):
        x = again(x)
    return keras.Model(inputs, layers.Dense(5)(x))
""",
        classified(10),
        hard="one layer is frozen",
    ),
    "missing bias": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(10, $width, bias=False), nn.LayerNorm($width, bias=False), nn.ReLU())
        self.tower = nn.Sequential(nn.Linear($width, $width, bias=False), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear($width, 5)

    def forward(self, x):
        return self.head(self.tower(self.stem(x)))


def model():
    return Net()
""",
        """
def model():
    norm = layers.LayerNormalization(epsilon=1e-5, center=False)
    stem = keras.Sequential([layers.Dense($width, use_bias=False), norm, layers.ReLU()], name="stem")
    tower = keras.Sequential([layers.Dense($width, "relu", use_bias=False), layers.Dropout(0.5)], name="tower")
    inputs = keras.Input((10,))
    return keras.Model(inputs, layers.Dense(5)(tower(stem(inputs))))
""",
        classified(10),
    ),
    "inputs in a dictionary": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.dense, self.head = nn.Conv1d(3, $width, 3), nn.Linear(6, $width), nn.Linear(2 * $width, 5)

    def forward(self, signal, table):
        signal = F.relu(self.conv(signal.transpose(1, 2))).amax(2)
        return self.head(torch.cat([signal, F.relu(self.dense(table))], 1))


def model():
    return Net()
""",
        """
def model():
    signal, table = keras.Input((12, 3), name="signal"), keras.Input((6,), name="table")
    x = layers.GlobalMaxPooling1D()(layers.Conv1D($width, 3, activation="relu")(signal))
    y = layers.Dense($width, activation="relu")(table)
    outputs = layers.Dense(5)(layers.Concatenate()([x, y]))
    return keras.Model({"signal": signal, "table": table}, outputs)
""",
        two_inputs,
    ),
    "inputs by keyword": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.kinds = nn.Embedding(20, $width), nn.Embedding(2, $width)
        self.norm, self.head = nn.LayerNorm($width), nn.Linear($width, 5)

    def forward(self, tokens, segments):
        return self.head(self.norm(self.words(tokens) + self.kinds(segments)).mean(1))


def model():
    return Net()
""",
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.words, self.kinds = layers.Embedding(20, $width), layers.Embedding(2, $width)
        self.norm, self.head = layers.LayerNormalization(epsilon=1e-5), layers.Dense(5)

    def call(self, tokens, segments):
        return self.head(ops.mean(self.norm(self.words(tokens) + self.kinds(segments)), axis=1))


def model():
    return Net()
""",
        words_and_segments,
    ),
    "pixels": Made(
        """
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def prepare(inputs):
    return np.moveaxis((inputs / 255 - MEAN) / STD, -1, 1)


def model():
    return nn.Sequential(
        nn.Conv2d(3, $width, 3),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * $width, 5),
    )
""",
        """
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def prepare(inputs):
    return (inputs / 255 - MEAN) / STD


def model():
    return keras.Sequential(
        [
            layers.Conv2D($width, 3, activation="relu"),
            layers.AveragePooling2D(3, strides=1, padding="same"),
            layers.MaxPooling2D(2),
            layers.Permute((3, 1, 2)),  # channels first, as PyTorch flattens them
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
""",
        photographs,
    ),
    "regression": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(10, $width), nn.Linear($width, 3)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def model():
    return Net()


loss = nn.HuberLoss(delta=0.5)
""",
        """
def model():
    return keras.Sequential([layers.Dense($width, activation="tanh"), layers.Dense(3)])


loss = keras.losses.Huber(delta=0.5)
""",
        measured(10, targets=(3,)),
    ),
    "binary": Made(
        """
def model():
    return nn.Sequential(nn.Linear(10, $width), nn.ReLU(), nn.Linear($width, 1))


loss = nn.BCEWithLogitsLoss()
""",
        """
def model():
    return keras.Sequential([layers.Dense($width, activation="relu"), layers.Dense(1)])


loss = keras.losses.BinaryCrossentropy(from_logits=True)
""",
        wanted,
    ),
    "probabilities": Made(
        """
def model():
    return nn.Sequential(nn.Linear(10, $width), nn.ReLU(), nn.Linear($width, 1), nn.Sigmoid())


loss = nn.BCELoss()
""",
        """
def model():
    return keras.Sequential([layers.Dense($width, activation="relu"), layers.Dense(1, activation="sigmoid")])


loss = keras.losses.BinaryCrossentropy()
""",
        wanted,
    ),
    "label smoothing": Made(
        """
def model():
    return nn.Sequential(nn.Linear(10, $width), nn.Softplus(), nn.Linear($width, 5))


loss = nn.CrossEntropyLoss(label_smoothing=0.1)
""",
        """
def model():
    return keras.Sequential([layers.Dense($width, activation="softplus"), layers.Dense(5)])


def loss(targets, outputs):
    targets = keras.utils.to_categorical(targets, 5)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(targets, outputs)
""",
        classified(10),
    ),
    "ignored tokens": Made(
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, $width, padding_idx=0)
        self.conv, self.head = nn.Conv1d($width, $width, 3, padding=1), nn.Linear($width, 20)

    def forward(self, tokens):
        x = self.conv(self.words(tokens).transpose(1, 2)).transpose(1, 2)
        return self.head(F.relu(x))


def model():
    return Net()


def loss(outputs, targets):
    return F.cross_entropy(outputs.reshape(-1, 20), targets.reshape(-1), ignore_index=0)
""",
        """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.words, self.head = layers.Embedding(20, $width), layers.Dense(20)
        self.conv = layers.Conv1D($width, 3, padding="same", activation="relu")

    def call(self, tokens):
        there = ops.expand_dims(ops.cast(ops.not_equal(tokens, 0), self.compute_dtype), -1)
        return self.head(self.conv(self.words(tokens) * there))  # token 0 is zeros, and learns nothing


def model():
    return Net()


def loss(targets, outputs):
    there = ops.cast(ops.not_equal(targets, 0), outputs.dtype)
    each = keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)
    return ops.sum(each * there) / ops.sum(there)
""",
        continued,
        hard="row 0 of PyTorch's embedding is zeros because of padding_idx, and Keras multiplies by a mask",
    ),
    "regulariser against decay": Made(
        """
def model():
    return nn.Sequential(nn.Linear(10, $width), nn.ReLU(), nn.Linear($width, 5))


def optimizer(model):
    groups = [
        {"params": [layer.weight for layer in (model[0], model[2])], "weight_decay": 0.02},
        {"params": [layer.bias for layer in (model[0], model[2])]},
    ]
    return torch.optim.SGD(groups, lr=0.05, momentum=0.5)
""",
        """
def model():
    penalty = keras.regularizers.L2(0.02 / 2)
    return keras.Sequential(
        [
            layers.Dense($width, activation="relu", kernel_regularizer=penalty),
            layers.Dense(5, kernel_regularizer=penalty),
        ]
    )


def optimizer():
    return keras.optimizers.SGD(0.05, momentum=0.5)
""",
        classified(10),
        hard="the updates are the same, but the penalty is in one side's loss and gradients only",
    ),
}


def made(name: str, optimizer: str = "sgd", seed: int = 0, **numbers: int | bool) -> Pair:
    """The pair of this name."""
    return LAYERS[name].pair(name, optimizer, seed, numbers)


PAIRS: Sequence[Pair] = (
    made("mlp", "default", width=16),
    made("mlp", "momentum", 1, width=32),
    made("mlp", "nesterov", 2, width=8),
    made("mlp", "adam", 3, width=64),
    made("mlp", "milestones", 4, width=16),
    made("mlp", "coupled decay", 5, width=16),
    made("activations", "adam", width=12),
    made("activations", "rmsprop", 1, width=12),
    made("leaky ReLU and softplus", width=16),
    made("gelu", "momentum", width=16),
    made("pointwise", width=8),
    made("conv1d", "exact momentum", width=8),
    made("conv2d", "momentum", width=8),
    made("conv2d", "adamw", 1, width=4),
    made("depthwise", width=8),
    made("separable, carried by the user", "adam", width=8),
    made("conv3d", width=4),
    made("transposed conv1d", width=6),
    made("transposed conv2d", "adam", width=6),
    made("enlarged", "nesterov", width=4),
    made("batch normalisation", "default", width=8),
    made("batch normalisation", "adam", 1, width=12),
    made("batch normalisation of vectors", "momentum", width=16),
    made("other normalisations", "adamw", width=8),
    made("embedding", "default", width=8),
    made("embedding", "adam", 1, width=8),
    made("rnn", "clipped by norm", width=8),
    made("gru", "rmsprop", width=8),
    made("gru", "warm-up", 1, width=12),
    made("bidirectional gru", "clipped by value", width=8),
    made("lstm", "adam", width=8),
    made("lstm", "exponential schedule", 1, width=12),
    made("bidirectional lstm", width=6),
    made("attention", "clipped by norm", width=8),
    made("transformer encoder", "adam", width=8, first=False),
    made("transformer encoder", "momentum", 1, width=8, first=True),
    made("attention by hand", "adam", width=8),
    made("fused, carried by the user", "momentum", width=8),
    made("own layers", "adagrad", width=8),
    made("raw parameters", "momentum", width=8),
    made("shared layer", "adam", width=8),
    made("missing bias", "adamw", width=12),
    made("inputs in a dictionary", "clipped by value", width=8),
    made("inputs by keyword", "adam", width=8),
    made("pixels", "default", width=6),
    made("regression", "warm-up", width=16),
    made("binary", "nesterov", 1, width=16),
    made("probabilities", "adam", width=16),
    made("label smoothing", "adagrad", width=16),
    made("ignored tokens", "milestones", width=8),
    made("regulariser against decay", "default", width=16),
)
