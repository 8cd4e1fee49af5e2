"""A user's Keras model with its loss and optimizer: described, evaluated, trained."""

import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.pairs import description as kinds
from shared.pairs.description import Layer, OptimizerFacts, Setting, TensorFacts
from shared.pairs.protocol import ALONE, Arrays, Edit, Seen, StartAgainError, told
from shared.pairs.serving import NO_GRADIENT, ORDER, check_outputs, in_words, named_outputs
from shared.system.errors import InputError
from tensorflow_impl.pair import edits as editing
from tensorflow_impl.pair import optimizer_edits
from tensorflow_impl.pair.layers import DROPOUT, kind_of
from tensorflow_impl.pair.patches import set_precise
from tensorflow_impl.pair.watch import Watch, called, install, is_whole, to_array

DEFAULT_RATE = 0.01
EAGER_STEPS = 3  # what a trace takes is worth some more than these
# Whether a step of the file is the same each time, so that a graph of one does for all; None before that is known.
_traceable: list[bool | None] = [None]
# PyTorch's names for what Keras's optimizers are told; None is written as what it means.
SETTINGS = {
    "momentum": "momentum",
    "nesterov": "nesterov",
    "centered": "centered",
    "amsgrad": "amsgrad",
    "epsilon": "eps",
    "rho": "rho",
    "weight_decay": "weight_decay",
    "initial_accumulator_value": "initial_accumulator_value",
    "global_clipnorm": "clip_norm",
    "clipnorm": "clip_norm_each",
    "clipvalue": "clip_value",
    "use_ema": "use_ema",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
}


def configure(seed: int, dtype: str) -> None:
    """Set threads, determinism, seeds, and the dtype in which models are made from here on."""
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # With its optimizer, a graph now and then updates a weight before the forward pass has taken it: see docs/pairs.md.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    tf.config.run_functions_eagerly(True)
    keras.backend.clear_session()  # else the names of variables would count on from model to model
    keras.utils.set_random_seed(seed)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    set_precise(dtype == "float64")


def prepare() -> None:
    """Before a user's file is read: see to it that what it calls can be seen."""
    install()
    _traceable[0] = None


def make(module: ModuleType, dtype: str, example: tuple[Arrays, np.ndarray], edits: list[Edit]) -> "Model":
    """The model of a user's module, and all it is trained with. Raises InputError."""
    model = module.model()
    if not isinstance(model, keras.Model):
        raise InputError(f"{module.__file__}: model() returned {in_words(model)}; return a keras.Model; {ORDER}")
    return Model(module, model, example, edits)


def shapes(module: ModuleType) -> dict[str, Any]:
    """Of one example: "inputs" by name, "outputs", and "tokens", how many an embedding knows. Raises InputError."""
    model = module.model()
    if not isinstance(model, keras.Model):
        raise InputError(f"{module.__file__}: model() returned {in_words(model)}; return a keras.Model; {ORDER}")
    shape, embeddings = (
        getattr(model, "input_shape", None),
        [layer.input_dim for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)],
    )
    if not _is_functional(model) and not (isinstance(model, keras.Sequential) and model.built):
        raise InputError(f"{module.__file__}: the model does not say the shape of what it takes; give --data")
    shapes: dict[str, Any] = shape if isinstance(shape, dict) else {ALONE: shape}
    for each in (*shapes.values(), model.output_shape):
        if not isinstance(each, tuple) or None in each[1:]:
            told_shape = f"the model takes or gives {each}, of which random data can't be made"
            raise InputError(f"{module.__file__}: {told_shape}; give --data")
    inputs = {name: list(each[1:]) for name, each in shapes.items()}
    return {"inputs": inputs, "outputs": list(model.output_shape[1:]), "tokens": min(embeddings, default=None)}


def carry(module: ModuleType, torch: Arrays) -> Arrays | None:
    """What the user's own `carry` makes of PyTorch's tensors; only a Keras file has one."""
    if not hasattr(module, "carry"):
        return None
    made = module.carry(dict(torch))
    if not isinstance(made, dict):
        raise InputError(
            f"{module.__file__}: carry returned {type(made).__name__}; return a dict of arrays by variable path"
        )
    arrays = {str(name): np.asarray(values) for name, values in made.items()}
    for name, values in arrays.items():
        if values.dtype.kind not in "fiu":
            raise InputError(f"{module.__file__}: carry returned {name} of {values.dtype}; return arrays of numbers")
    return arrays


def default_loss(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of logits where the targets are integers, else the mean squared error."""
    if targets.dtype.is_integer:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs))
    same_size = np.prod(outputs.shape) == np.prod(targets.shape)
    return tf.reduce_mean(((tf.reshape(outputs, targets.shape) if same_size else outputs) - targets) ** 2)


class Model:
    """A user's model, loss and optimizer, freshly made."""

    def __init__(
        self, module: ModuleType, model: keras.Model, example: tuple[Arrays, np.ndarray], edits: list[Edit]
    ) -> None:
        self.module, self.model = module, model
        self.loss: Callable[[tf.Tensor, Any], tf.Tensor] = getattr(module, "loss", default_loss)
        self._outputs(example[0], training=False)  # builds what is not built
        rates = _without_dropout(model)
        self._dropout: dict[str, float] = {}
        if not model.trainable_variables:
            why = "no parameters" if not model.weights else "no trainable parameters"
            raise InputError(f"{module.__file__}: the model has {why}, so nothing can be trained; give one that has")
        if complexes := [v.path for v in model.trainable_variables if tf.as_dtype(v.dtype).is_complex]:
            raise InputError(f"{module.__file__}: {complexes[0]} is complex; give a model of real parameters")
        self.watch = Watch()
        self.watch.rates = rates
        make_optimizer = getattr(module, "optimizer", lambda: keras.optimizers.SGD(DEFAULT_RATE))
        self.optimizer: keras.optimizers.Optimizer = make_optimizer()
        if not isinstance(self.optimizer, keras.optimizers.Optimizer):
            told_optimizer = f"optimizer() returned {in_words(self.optimizer)}"
            raise InputError(f"{module.__file__}: {told_optimizer}; return a keras.optimizers.Optimizer")
        if self.optimizer.built:
            raise InputError(f"{module.__file__}: optimizer() returned one that is in use; make a new one in it")
        self.has_penalty, self.penalty_in_loss, self.in_training = True, True, False
        self.names = _names_of(model)
        self._seen = Seen()
        self.gradient_changes: dict[str, Callable[[Any], Any]] = {}  # by the name of a variable
        self.ties: dict[str, tuple[str, bool]] = {}  # the name of a variable that is another one, and if transposed
        self.added: dict[str, keras.Variable] = {}  # what edits gave the model, by the name of its first values
        self._steps = 0
        self._graph: Any = None
        self.coupled_decays: dict[str, float] = {}  # by the name of a variable
        for edit in editing.in_order(edits):
            editing.apply(self, edit)
        if self.coupled_decays:
            optimizer_edits.couple_decays(self)
        self.names = _names_of(model) | {id(v): name for name, v in self.added.items()}
        self.optimizer.build(self._trained)

    def tensors(self) -> dict[str, TensorFacts]:
        """All parameters and buffers by name, in the model's order."""
        trainable = {id(variable) for variable in self.model.trainable_variables}
        parameters = {id(v) for layer in _layers_of(self.model) for v in _parameters_of(layer)}
        return {
            name: TensorFacts(shape=tuple(v.shape), trainable=id(v) in trainable, buffer=id(v) not in parameters)
            for name, v in self.named_variables()
        }

    def named_variables(self) -> list[tuple[str, keras.Variable]]:
        """All variables of floats, by unique name."""
        return [(self.names[id(v)], v) for v in self.model.variables if id(v) in self.names]

    def layers(self) -> list[Layer]:
        """The layers with tensors of their own, in order of execution as of the last evaluation."""
        order = {place: number for number, place in reversed([*enumerate(c.place for c in self._seen.calls)])}
        settings = {call.place: call.settings for call in reversed(self._seen.calls)}
        layers = []
        for layer in _layers_of(self.model):
            path = layer.path or layer.name
            own = {_path_in(layer, v): self.names[id(v)] for v in _own_variables(layer) if id(v) in self.names}
            if own:
                known = kind_of(layer)
                kind = known.kind if known else kinds.RAW
                layers.append(
                    Layer(path=path, kind=kind, called=called(layer), tensors=own, settings=settings.get(path, {}))
                )
        return sorted(layers, key=lambda layer: order.get(layer.path, len(order)))

    def optimizer_facts(self) -> OptimizerFacts:
        """What updates the weights."""
        optimizer, kind = self.optimizer, type(self.optimizer)
        settings: dict[str, Setting] = {
            name: told(getattr(optimizer, own)) for own, name in SETTINGS.items() if hasattr(optimizer, own)
        }
        if hasattr(optimizer, "beta_1"):
            settings["betas"] = [float(optimizer.beta_1), float(optimizer.beta_2)]
        settings["weight_decay"] = settings.get("weight_decay") or 0.0
        settings["own_update_step"] = not kind.update_step.__module__.startswith("keras.")
        ours = kind.__module__.startswith("keras.")
        rule = next(c.__name__ for c in kind.__mro__ if c.__module__.startswith("keras.")).lower()
        if rule == "rmsprop":
            settings["alpha"] = settings.pop("rho")
        of_tensors: dict[str, dict[str, Setting]] = {}
        decayed = [(self.names[id(v)], bool(optimizer._use_weight_decay(v))) for v in self.model.trainable_variables]
        if settings["weight_decay"] and not all(uses for _, uses in decayed):
            decay = settings.pop("weight_decay")
            of_tensors = {name: {"weight_decay": decay if uses else 0.0} for name, uses in decayed}
        return OptimizerFacts(
            rule=rule,
            called=f"keras.optimizers.{kind.__name__}" if ours else kind.__name__,
            settings=settings,
            of_tensors=of_tensors,
        )

    def dropout(self) -> dict[str, float]:
        """The rates as the file has them, of what drops in training, by place."""
        return self._dropout

    def values(self) -> Arrays:
        """Copies of all tensors."""
        return {name: to_array(variable.value) for name, variable in self.named_variables()}

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Set these tensors."""
        for name, variable in self.named_variables():
            if name in values:
                variable.assign(values[name])

    def evaluate(self, inputs: Arrays, targets: np.ndarray) -> Seen:
        """An evaluation; every call is seen. Nothing is changed by it."""
        self._seen = Seen()
        self._pass(self._seen, inputs, targets, training=False)
        return self._seen

    def gradients(self, inputs: Arrays, targets: np.ndarray) -> tuple[Seen, Arrays]:
        """What a step on this batch computes, without taking it: the forward pass in training, and the gradients.

        Buffers that the forward pass changes are put back.
        """
        kept = self.values()
        seen = Seen()
        with tf.GradientTape() as tape:
            loss = self._pass(seen, inputs, targets, training=True)
        self._dropout = self.watch.dropped
        gradients = self._of(tape, loss)
        self.assign(kept)
        if all(gradient is None for gradient in gradients):
            raise InputError(f"{self.module.__file__}: {NO_GRADIENT}")
        pairs = zip(self._trained, gradients, strict=True)
        found = {self.names[id(v)]: to_array(tf.convert_to_tensor(g)) for v, g in pairs if g is not None}
        tied = {name: found[to].T if turned else found[to] for name, (to, turned) in self.ties.items() if to in found}
        return seen, found | tied

    def step(self, inputs: Arrays, targets: np.ndarray) -> tuple[float, float]:
        """One update. Returns the loss before it, and the rate it was taken at."""
        rate = float(self.optimizer.learning_rate)
        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        self._steps += 1
        eagerly = self._steps <= EAGER_STEPS or _traceable[0] is False
        take = self._train if eagerly else self._compiled
        return float(take(tensors, tf.constant(targets))), rate

    def _compiled(self, inputs: dict[str, tf.Tensor], targets: tf.Tensor) -> tf.Tensor:
        """A step as a graph, which is traced once. The first two of a file are both traced.

        A graph keeps what Python has computed, such as a count of calls. Where two differ, each step has its own, and
        so all are taken eagerly. The run starts again where the user's code can't be traced, for it may have counted.
        """
        before = self._graph
        if before is None or _traceable[0] is None:
            tf.config.run_functions_eagerly(False)
            try:
                traced = tf.function(self._train, jit_compile=False, autograph=False)
                self._graph = traced.get_concrete_function(inputs, targets)
            except Exception:  # noqa: BLE001 whatever it is, a step taken eagerly shows whether it is a fault
                _traceable[0] = False
                raise StartAgainError from None
            finally:
                tf.config.run_functions_eagerly(True)
            if before is not None:
                _traceable[0] = _text_of(before) == _text_of(self._graph)
        return self._graph(inputs, targets)

    def _train(self, inputs: dict[str, tf.Tensor], targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self._pass(None, inputs, targets, training=True)
            trained = loss if self.penalty_in_loss else loss + self._penalty(loss)
        self.optimizer.apply(self._of(tape, trained), self._trained)
        variables = {name: variable for name, variable in self.named_variables() if self.ties}
        for name, (to, turned) in self.ties.items():
            variables[name].assign(tf.transpose(variables[to]) if turned else variables[to])
        return loss

    @property
    def _trained(self) -> list[keras.Variable]:
        return [v for v in self.model.trainable_variables if self.names[id(v)] not in self.ties]

    def _of(self, tape: tf.GradientTape, loss: tf.Tensor) -> list[Any]:
        """The gradients of the variables that are trained."""
        variables = self.model.trainable_variables
        pairs = zip(variables, tape.gradient(loss, [variable.value for variable in variables]), strict=True)
        found = {self.names[id(v)]: gradient for v, gradient in pairs}
        for name, (to, turned) in self.ties.items():
            parts = [tf.convert_to_tensor(g) for g in (found[to], found[name]) if g is not None]
            found[to] = parts[0] + (tf.transpose(parts[1]) if turned else parts[1]) if len(parts) > 1 else found[to]
        changes = self.gradient_changes
        trained = [(name, found[name]) for name in (self.names[id(v)] for v in self._trained)]
        return [changes.get(name, lambda g: g)(g) if g is not None else None for name, g in trained]

    def _outputs(self, inputs: Arrays, *, training: bool) -> Any:
        given = {name: tf.convert_to_tensor(values) for name, values in inputs.items()}
        if given.keys() == {ALONE}:
            return self.model(given[ALONE], training=training)
        if (
            isinstance(self.model, keras.Sequential)
            or hasattr(self.model, "_nested_inputs")
            or _is_functional(self.model)
        ):
            return self.model(given, training=training)
        return self.model(**given, training=training)

    def _penalty(self, loss: tf.Tensor) -> tf.Tensor:
        penalties = self.model.losses if self.has_penalty else []
        return tf.add_n([tf.cast(penalty, loss.dtype) for penalty in penalties] or [tf.zeros_like(loss)])

    def _pass(self, seen: Seen | None, inputs: Arrays, targets: np.ndarray, *, training: bool) -> tf.Tensor:
        self.in_training = self.watch.in_training = training
        with self.watch.recording(seen):
            outputs = self._outputs(inputs, training=training)
            if seen is not None:
                seen.outputs = named_outputs(outputs, tf.Tensor, to_array)
                check_outputs(outputs, seen.outputs, self.module, "write loss(targets, outputs)")
            loss = self.loss(tf.convert_to_tensor(targets), outputs)
        if not isinstance(loss, tf.Tensor) or np.prod(loss.shape) != 1 or not loss.dtype.is_floating:
            what = (
                f"a tensor {tuple(loss.shape)} of tf.{loss.dtype.name}"
                if isinstance(loss, tf.Tensor)
                else in_words(loss)
            )
            raise InputError(f"{self.module.__file__}: loss returned {what}; return a tensor, the mean over the batch")
        loss = tf.reshape(loss, ())
        if self.penalty_in_loss:
            loss += self._penalty(loss)
        if seen is not None:
            seen.loss = to_array(loss)
        return loss


def _text_of(graph: Any) -> str:
    """What a graph does, without the numbers by which its parts are told from others."""
    definition = graph.graph.as_graph_def()
    texts = [*map(str, definition.node), *sorted(map(_without_numbers, map(str, definition.library.function)))]
    taken = [array.numpy().tolist() for array, _ in graph.graph.captures if array.dtype != tf.resource]
    return f"{_without_numbers(''.join(texts))}{taken}"


def _without_numbers(text: str) -> str:
    return re.sub(r"_[0-9]+|CustomGradient-[0-9]+", "", text)


def _without_dropout(model: keras.Model) -> dict[int, tuple[str, list[float]]]:
    """Set all dropout of layers to 0. Returns the rates of each call of what had any, by the layer."""
    rates: dict[int, tuple[str, list[float]]] = {}  # by its id, with its path
    layers = model._flatten_layers()
    within = {id(inner) for layer in layers for inner in _within(layer)}
    for layer in layers:
        of_layer = [float(vars(holder)[name]) for holder in _holders(layer) for name in _names_of_rates(holder)]
        if any(of_layer) and id(layer) not in within:
            rates[id(layer)] = (layer.path or layer.name, of_layer)
    for layer in layers:
        for name in _names_of_rates(layer):
            setattr(layer, name, 0.0)
    return rates


def _within(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers in a layer which tell no rate themselves: it tells theirs, or another has the same."""
    match layer:
        case keras.layers.RNN():
            return [layer.cell, *getattr(layer.cell, "cells", [])]
        case keras.layers.Bidirectional():  # PyTorch has one rate for both
            return [layer.backward_layer]
        case keras.layers.TimeDistributed():  # which does not call it as others do
            return [layer.layer]
    return []


def _holders(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers in which the rates of a layer stand."""
    if isinstance(layer, keras.layers.RNN | keras.layers.TimeDistributed):
        return [layer, *(holder for inner in _within(layer) for holder in _holders(inner))]
    return [layer]


def _names_of_rates(layer: keras.layers.Layer) -> list[str]:
    """The attributes in which a layer of Keras's own, or of a class made of one, has rates of dropout."""
    if isinstance(layer, DROPOUT):
        return ["rate"]
    drops = isinstance(layer, keras.layers.Attention | keras.layers.MultiHeadAttention) or hasattr(
        layer, "get_dropout_mask"
    )
    names = ("dropout", "_dropout", "recurrent_dropout")
    return [name for name in names if name in vars(layer)] if drops or hasattr(layer, "_dropout_layer") else []


def _is_functional(model: keras.Model) -> bool:
    return type(model).__name__ == "Functional" or any(c.__name__ == "Functional" for c in type(model).__mro__)


def _layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """All layers, those within others too, but not within those that are looked at from outside; each once."""
    found: list[keras.layers.Layer] = []

    def walk(layer: keras.layers.Layer) -> None:
        if layer in found:
            return
        found.append(layer)
        if layer is model or not is_whole(layer):
            for inner in layer._layers:
                walk(inner)

    walk(model)
    return found


def _own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Of a layer that is looked at from outside, all; of another, what is not its inner layers'."""
    if is_whole(layer):
        return list(layer.variables)
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _parameters_of(layer: keras.layers.Layer) -> list[keras.Variable]:
    """What could be trained: a variable that no setting makes trainable is a buffer."""
    return [v for v in layer.variables if v.trainable or v.name in {"kernel", "bias", "gamma", "beta", "embeddings"}]


def _names_of(model: keras.Model) -> dict[int, str]:
    """A unique name of each variable of floats: its path, and a number where others have the same."""
    names: dict[int, str] = {}
    for variable in model.variables:
        if id(variable) not in names and tf.as_dtype(variable.dtype).is_floating:
            same = sum(name.partition("#")[0] == variable.path for name in names.values())
            names[id(variable)] = f"{variable.path}#{same + 1}" if same else variable.path
    return names


def _path_in(layer: keras.layers.Layer, variable: keras.Variable) -> str:
    """A variable's name within its layer."""
    prefix = f"{layer.path or layer.name}/"
    path = str(variable.path)
    return path.removeprefix(prefix) if path.startswith(prefix) else variable.name
