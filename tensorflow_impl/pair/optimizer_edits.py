"""What can be done otherwise with the optimizer of a Keras file: its rule, its numbers, its decay, its clipping."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from shared.update_rules import CLIP_EPSILON

if TYPE_CHECKING:
    from tensorflow_impl.pair.subject import Model

# Changes of the optimizer, in the order in which they are made. Of those that stand around its step, the last is the
# first to see the gradients: PyTorch clips them before the decay is added, and what is decayed apart is not doubled.
ORDER = (
    "rule",
    "optimizer",
    "clip",
    "formula",
    "two biases",
    "decays",
    "coupled decay",
    "clip denominator",
    "dense gradients",
)


def _two_biases(model: "Model", _place: str, names: list[str]) -> None:
    """Update these twice: each is the sum of two that PyTorch updates alike. Of both, the decay is that of the sum."""
    apply = model.optimizer.apply

    def decay(variable: Any) -> float:
        optimizer = model.optimizer
        return optimizer.weight_decay if optimizer.weight_decay and optimizer._use_weight_decay(variable) else 0.0

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        rate = tf.cast(model.optimizer.learning_rate, variables[0].dtype)
        twice = [(v, v * (1 - rate * decay(v))) for v in variables if model.names[id(v)] in names]
        apply(gradients, variables)
        for variable, before in twice:
            variable.assign(2 * variable - before)

    model.optimizer.apply = changed


def _rates(model: "Model", _place: str, rates: list[float]) -> None:
    """Take each step at this rate."""
    model.optimizer._learning_rate = _Rates(rates)


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates: list[float]) -> None:
        self.rates = tf.constant(rates, keras.config.floatx())

    def __call__(self, step: Any) -> tf.Tensor:
        return tf.gather(self.rates, tf.minimum(tf.cast(step, tf.int64), len(self.rates) - 1))


def _optimizer(model: "Model", _place: str, name: str, value: Any) -> None:
    """Set one of its numbers, by PyTorch's name."""
    names = {"eps": "epsilon", "alpha": "rho", "clip_value": "clipvalue"}
    if name == "betas":
        model.optimizer.beta_1, model.optimizer.beta_2 = value
    else:
        setattr(model.optimizer, names.get(name, name), value or None if "clip" in name or "decay" in name else value)


def _rule(model: "Model", _place: str, rule: str, settings: dict[str, Any]) -> None:
    """Another of Keras's optimizers, at the same rates."""
    given = {"learning_rate": model.optimizer._learning_rate}
    kind = {name.lower(): kind for name, kind in vars(keras.optimizers).items() if isinstance(kind, type)}[rule]
    replaced = kind(learning_rate=float(model.optimizer.learning_rate))
    replaced._learning_rate = given["learning_rate"]
    replaced.weight_decay = None  # a change of its own
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        setattr(replaced, name, getattr(model.optimizer, name))
    model.optimizer = replaced
    for name, value in settings.items():
        _optimizer(model, "", name, value)


def _formula(model: "Model", _place: str, **more: float) -> None:
    """PyTorch's update rule, with this optimizer's numbers, and with these, which Keras has none of."""
    optimizer = model.optimizer
    rule: Callable[..., None] = next(FORMULAS[c.__name__] for c in type(optimizer).__mro__ if c.__name__ in FORMULAS)
    more = getattr(optimizer.update_step, "more", {}) | more  # where two changes are about it

    def update(gradient: Any, variable: Any, rate: tf.Tensor) -> None:
        # Keras squares the parts of a repeated token's gradient one by one: another difference, with its own trial.
        sliced = isinstance(gradient, tf.IndexedSlices)
        parts = tf.IndexedSlices(gradient.values**2, gradient.indices, gradient.dense_shape) if sliced else gradient**2
        squared = tf.convert_to_tensor(parts)
        rule(optimizer, tf.convert_to_tensor(gradient), squared, variable, tf.cast(rate, variable.dtype), **more)

    update.more = more  # type: ignore[attr-defined]
    optimizer.update_step = update


def _sgd(
    self: Any, gradient: tf.Tensor, _squared: tf.Tensor, variable: Any, rate: tf.Tensor, dampening: float = 0.0
) -> None:
    if not self.momentum:
        self.assign_sub(variable, rate * gradient)
        return
    buffer = self.momentums[self._get_variable_index(variable)]
    share = tf.where(self.iterations.value == 0, tf.ones_like(rate), 1 - dampening)
    self.assign(buffer, self.momentum * buffer + share * gradient)
    self.assign_sub(variable, rate * (gradient + self.momentum * buffer if self.nesterov else buffer))


def _adam(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(square, self.beta_2 * square + (1 - self.beta_2) * squared)
    if self.amsgrad:
        largest = self._velocity_hats[index]
        self.assign(largest, tf.maximum(largest.value, square.value))
        square = largest
    count = tf.cast(self.iterations + 1, tf.float64)
    size = tf.cast(tf.cast(rate, tf.float64) / (1 - self.beta_1**count), variable.dtype)
    root = tf.sqrt(square.value) / tf.cast(tf.sqrt(1 - self.beta_2**count), variable.dtype)
    self.assign_sub(variable, size * mean / (root + self.epsilon))


def _nadam(
    self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor, momentum_decay: float = 0.004
) -> None:
    index = self._get_variable_index(variable)
    mean, square = self._momentums[index], self._velocities[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(square, self.beta_2 * square + (1 - self.beta_2) * squared)
    # The share of the momentum in each step so far, and in the next.
    steps = tf.range(1, tf.cast(self.iterations + 3, tf.float64), dtype=tf.float64)
    shares = self.beta_1 * (1 - 0.5 * tf.constant(0.96, tf.float64) ** (steps * momentum_decay))
    product = tf.reduce_prod(shares[:-1])
    now, then = (1 - shares[-2]) / (1 - product), shares[-1] / (1 - product * shares[-1])
    count = tf.cast(self.iterations + 1, tf.float64)
    root = tf.sqrt(square.value / tf.cast(1 - self.beta_2**count, variable.dtype)) + self.epsilon
    step = tf.cast(now, variable.dtype) * gradient + tf.cast(then, variable.dtype) * mean
    self.assign_sub(variable, rate * step / root)


def _adamax(self: Any, gradient: tf.Tensor, _squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    mean, largest = self._m[index], self._u[index]
    self.assign(mean, self.beta_1 * mean + (1 - self.beta_1) * gradient)
    self.assign(largest, tf.maximum(self.beta_2 * largest, tf.abs(gradient) + self.epsilon))
    count = tf.cast(self.iterations + 1, tf.float64)
    self.assign_sub(variable, rate / tf.cast(1 - self.beta_1**count, variable.dtype) * mean / largest)


def _rmsprop(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    index = self._get_variable_index(variable)
    square = self._velocities[index]
    self.assign(square, self.rho * square + (1 - self.rho) * squared)
    variance = tf.convert_to_tensor(square)
    if self.centered:
        mean = self._average_gradients[index]
        self.assign(mean, self.rho * mean + (1 - self.rho) * gradient)
        variance -= mean.value**2
    step = gradient / (tf.sqrt(variance) + self.epsilon)
    if self.momentum:
        buffer = self._momentums[index]
        self.assign(buffer, self.momentum * buffer + step)
        step = buffer.value
    self.assign_sub(variable, rate * step)


def _adagrad(self: Any, gradient: tf.Tensor, squared: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
    total = self._accumulators[self._get_variable_index(variable)]
    self.assign_add(total, squared)
    self.assign_sub(variable, rate * gradient / (tf.sqrt(total.value) + self.epsilon))


FORMULAS: dict[str, Callable[..., None]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "AdamW": _adam,
    "Nadam": _nadam,
    "Adamax": _adamax,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
}


def _on_gradients(model: "Model", change: Callable[[list[Any], list[Any]], list[Any]]) -> None:
    """Change all gradients before the optimizer sees them."""
    apply = model.optimizer.apply

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        apply(change(list(gradients), list(variables)), variables)

    model.optimizer.apply = changed


def _dense_gradients(model: "Model", _place: str) -> None:
    """Sum the gradient of a token that occurs more than once before anything is made of it."""
    _on_gradients(model, lambda gradients, _: [g if g is None else tf.convert_to_tensor(g) for g in gradients])


def _coupled_decay(model: "Model", _place: str, decays: dict[str, float]) -> None:
    """Make the decay part of the gradient, after all else that is done to it, such as clipping in a user's `apply`."""
    model.optimizer.weight_decay = None
    model.coupled_decays |= decays


def couple_decays(model: "Model") -> None:
    """Let the update of each variable add its decay; once the rule is the last one that was chosen."""
    update = model.optimizer.update_step

    def decayed(gradient: Any, variable: Any, rate: Any) -> None:
        # What is updated is TensorFlow's variable within Keras's, which has the name.
        own = model.optimizer._trainable_variables[model.optimizer._get_variable_index(variable)]
        decay = model.coupled_decays.get(model.names[id(own)], 0.0)
        update(tf.convert_to_tensor(gradient) + decay * variable if decay else gradient, variable, rate)

    model.optimizer.update_step = decayed


def _decays(model: "Model", _place: str, decays: dict[str, float]) -> None:
    """Decay each weight by its own number, outside the rule."""
    model.optimizer.weight_decay = None
    apply = model.optimizer.apply

    def changed(gradients: list[Any], variables: list[Any]) -> None:
        for variable in variables:
            decay = decays.get(model.names[id(variable)], 0.0)
            variable.assign(variable * (1 - tf.cast(model.optimizer.learning_rate, variable.dtype) * decay))
        apply(gradients, variables)

    model.optimizer.apply = changed


def _maximize(model: "Model", _place: str) -> None:
    """Go up, and not down."""
    _on_gradients(model, lambda gradients, _: [g if g is None else -tf.convert_to_tensor(g) for g in gradients])


def _clip(
    model: "Model",
    _place: str,
    limit: float | None,
    each: float | None = None,
    value: float | None = None,
    norm_type: str | None = None,
) -> None:
    """Clip all gradients together, each by itself, or each number, as Keras does it; another norm as PyTorch does."""
    optimizer = model.optimizer
    optimizer.global_clipnorm, optimizer.clipnorm, optimizer.clipvalue = None if norm_type else limit, each, value
    if limit is not None and norm_type:
        _clip_norms(model, limit, float(norm_type))


def _clip_as_pytorch(model: "Model", _place: str) -> None:
    """Where a norm is clipped, divide by it after 1e-6 was added to it, before any decay."""
    optimizer = model.optimizer
    if optimizer.global_clipnorm is not None:
        _clip_norms(model, optimizer.global_clipnorm)
    elif optimizer.clipnorm is not None:
        _clip_norms(model, optimizer.clipnorm, each=True)
    optimizer.global_clipnorm = optimizer.clipnorm = None


def _clip_norms(model: "Model", limit: float, norm_type: float = 2, *, each: bool = False) -> None:
    """Divide all gradients by the norm of all, or each by its own, with 1e-6 added to it."""

    def clipped(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        norms = tf.stack([tf.norm(tf.reshape(g, (-1,)), norm_type) for g in gradients])
        factor = tf.minimum(limit / (tf.norm(norms, norm_type) + CLIP_EPSILON), 1)
        return [g * factor for g in gradients]

    def change(gradients: list[Any], _variables: list[Any]) -> list[Any]:
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        rest = iter([clipped([g])[0] for g in there] if each else clipped(there))
        return [g if g is None else next(rest) for g in gradients]

    _on_gradients(model, change)


TABLE: dict[str, Callable[..., None]] = {
    "two biases": _two_biases,
    "rates": _rates,
    "optimizer": _optimizer,
    "rule": _rule,
    "formula": _formula,
    "dense gradients": _dense_gradients,
    "coupled decay": _coupled_decay,
    "decays": _decays,
    "clip": _clip,
    "clip denominator": _clip_as_pytorch,
    "maximize": _maximize,
}
