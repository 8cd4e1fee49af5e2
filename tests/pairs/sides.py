"""Descriptions of models by hand."""

from shared.pairs.description import BATCH_NORM, Call, Description, Layer, OptimizerFacts, TensorFacts

Tensors = dict[str, tuple[int, ...]]
BUFFERS = {"running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance", "mask"}


def layer(path, kind, tensors: Tensors, ties: dict[str, str] | None = None, **settings):
    """A layer and the shapes of its tensors. A tied one has the name of another."""
    return path, kind, tensors, ties or {}, settings


def side(framework, *layers, calls=()):
    joint = "." if framework == "PyTorch" else "/"
    described, facts = [], {}
    for path, kind, tensors, ties, settings in layers:
        names = {own: ties.get(own, f"{path}{joint}{own}") for own in tensors}
        facts |= {
            names[own]: TensorFacts(shape=shape, trainable=own not in BUFFERS, buffer=own in BUFFERS)
            for own, shape in tensors.items()
        }
        described.append(Layer(path=path, kind=kind, called=f"a.{kind}", tensors=names, settings=settings))
    called = [
        Call(place=path, kind=kind, called=kind, settings={}, inputs=["x"], output="y", dtype="float64")
        for path, kind in calls
    ]
    return Description(
        framework=framework,
        tensors=facts,
        layers=described,
        calls=called,
        training_calls=[],
        losses=[],
        optimizer=OptimizerFacts(rule="sgd", called="SGD", settings={}, of_tensors={}),
        dropout={},
        random_in_evaluation=False,
        outputs="a tensor",
    )


def torch_side(*layers, calls=()):
    return side("PyTorch", *layers, calls=calls)


def keras_side(*layers, calls=()):
    return side("TensorFlow", *layers, calls=calls)


def norm(path, torch, size=4, kind=BATCH_NORM):
    names = ("weight", "bias", "running_mean", "running_var") if torch else None
    names = names or ("gamma", "beta", "moving_mean", "moving_variance")
    tensors = dict.fromkeys(names, (size,)) | ({"num_batches_tracked": ()} if torch else {})
    return layer(path, kind, tensors)
