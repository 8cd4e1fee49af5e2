import pytest
from pydantic import ValidationError

from shared.configuration import FIELDS, Configuration, parse
from shared.network import layer_sizes, weight_shapes
from shared.options import name_of
from shared.system.errors import InputError
from shared.training import KERAS_DEFAULTS, Training


def test_defaults_are_the_tutorials():
    assert Configuration().fields() == {
        "epochs": 5,
        "batch_size": 64,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "schedule": "constant",
        "weight_decay": 0.0,
        "clip_norm": 0.0,
        "hidden_sizes": (128, 64),
        "activation": "relu",
        "seed": 0,
        "dtype": "float32",
        "device": "auto",
        "mode": "matched",
        "keras_defaults": (),
        "workers": 1,
        "engine": "auto",
        "threads": 1,
    }


# 60000 = 937 * 64 + 32: the short batch is a step too.
@pytest.mark.parametrize(
    ("batch_size", "steps"), [(1, 60_000), (64, 938), (59_999, 2), (60_000, 1), (30_000, 2), (29_999, 3)]
)
def test_every_batch_is_a_step_the_short_last_one_too(batch_size, steps):
    training = Training(batch_size=batch_size, epochs=3)
    assert training.steps_per_epoch == steps
    assert training.steps == 3 * steps


def test_weights_are_named_ordered_and_laid_out_as_in_pytorch():
    assert list(weight_shapes(Training(hidden_sizes=(3, 2))).items()) == [
        ("fc1.weight", (3, 784)),
        ("fc1.bias", (3,)),
        ("fc2.weight", (2, 3)),
        ("fc2.bias", (2,)),
        ("fc3.weight", (10, 2)),
        ("fc3.bias", (10,)),
    ]


@pytest.mark.parametrize(
    ("hidden_sizes", "sizes"),
    [
        ((), {"fc1": (784, 10)}),
        ((3, 2), {"fc1": (784, 3), "fc2": (3, 2), "fc3": (2, 10)}),
        ((1,) * 8, {"fc1": (784, 1), **{f"fc{number}": (1, 1) for number in range(2, 9)}, "fc9": (1, 10)}),
    ],
)
def test_layer_sizes_are_fan_in_then_fan_out(hidden_sizes, sizes):
    assert layer_sizes(Training(hidden_sizes=hidden_sizes)) == sizes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_dtype_is_the_dtype_named(dtype):
    assert Training(dtype=dtype).numpy_dtype.name == dtype


OTHER_THAN_DEFAULT = Configuration.of(
    epochs=7,
    batch_size=60_000,
    optimizer="adagrad",
    learning_rate=1e-5,
    schedule="cosine",
    weight_decay=1e-3,
    clip_norm=2.5,
    hidden_sizes=(16_384, 1),
    activation="tanh",
    seed=2**63 - 1,
    dtype="float64",
    device="cuda",
    workers=3,
    engine="workers",
    keras_defaults=("kernels", "order"),
    threads=1024,
)
STOCK = Configuration.of(mode="stock", keras_defaults=("loss",))


NO_LAYERS = Configuration.of(hidden_sizes=())


@pytest.mark.parametrize(
    "told", [Configuration(), OTHER_THAN_DEFAULT, STOCK, NO_LAYERS], ids=["defaults", "others", "stock", "no layers"]
)
def test_options_and_json_make_the_configuration_again(told):
    words = told.options()
    values = {option.removeprefix("--").replace("-", "_"): v for option, v in zip(words[::2], words[1::2], strict=True)}
    assert parse(values) == told
    assert Configuration.model_validate_json(told.model_dump_json()) == told


def test_options_differ_from_the_defaults_in_every_field():
    # Otherwise the round trip above could lose a field unseen.
    for name in FIELDS:
        default = Configuration().fields()[name]
        assert any(other.fields()[name] != default for other in (OTHER_THAN_DEFAULT, STOCK)), name


def test_keras_keeps_its_defaults_where_stock_and_none_where_matched():
    assert Training(mode="stock").keras_defaults == KERAS_DEFAULTS
    assert parse({"mode": "stock", "keras_defaults": "kernels,loss"}).training.keras_defaults == ("kernels", "loss")
    assert parse({"mode": "stock", "keras_defaults": ""}).training.keras_defaults == ()


def test_a_training_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Training().epochs = 6


def test_option_name_uses_dashes():
    assert name_of("batch_size") == "--batch-size"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", "0", "--epochs 0: input should be greater than or equal to 1; for example --epochs 5"),
        ("epochs", "1.5", "--epochs 1.5: input should be a valid integer"),
        ("batch_size", "0", "--batch-size 0: input should be greater than or equal to 1; for example --batch-size 64"),
        ("batch_size", "60001", "--batch-size 60001: input should be less than or equal to 60000"),
        ("learning_rate", "0", "--learning-rate 0: input should be greater than 0; for example --learning-rate 0.01"),
        ("learning_rate", "nan", "--learning-rate nan: input should be a finite number"),
        ("learning_rate", "1e400", "--learning-rate 1e400: input should be a finite number"),
        ("optimizer", "sdg", "--optimizer sdg: input should be 'sgd', 'momentum', 'nesterov', 'adam', 'adamw', "),
        ("schedule", "linear", "--schedule linear: input should be 'constant', 'step' or 'cosine'; for example --sch"),
        ("weight_decay", "-0.1", "--weight-decay -0.1: input should be greater than or equal to 0; for example --we"),
        ("weight_decay", "2", "--weight-decay 2: input should be less than or equal to 1; for example --weight-decay"),
        ("clip_norm", "-1", "--clip-norm -1: input should be greater than or equal to 0; for example --clip-norm 0.0"),
        ("hidden_sizes", "1,1,1,1,1,1,1,1,1", "--hidden-sizes 1,1,1,1,1,1,1,1,1: at most 8 are possible; for example"),
        ("hidden_sizes", "128,", "--hidden-sizes 128,: a number has the digits"),
        (
            "activation",
            "gelu",
            "--activation gelu: input should be 'relu', 'tanh' or 'sigmoid'; for example --a",
        ),
        ("hidden_sizes", "1,x", "--hidden-sizes 1,x: input should be a valid integer"),
        ("hidden_sizes", "0,4", "--hidden-sizes 0,4: input should be greater than or equal to 1"),
        ("hidden_sizes", "4,16385", "--hidden-sizes 4,16385: input should be less than or equal to 16384"),
        ("seed", "-1", "--seed -1: input should be greater than or equal to 0; for example --seed 0"),
        ("seed", str(2**63), f"--seed {2**63}: input should be less than {2**63}"),
        ("dtype", "float16", "--dtype float16: input should be 'float32' or 'float64'; for example --dtype float32"),
        ("device", "gpu", "--device gpu: input should be 'auto', 'cpu' or 'cuda'; for example --device auto"),
        ("mode", "tutorial", "--mode tutorial: input should be 'matched' or 'stock'; for example --mode matched"),
        (
            "engine",
            "xla",
            "--engine xla: input should be 'auto', 'eager', 'fast' or 'workers'; for example --engine auto",
        ),
        (
            "keras_defaults",
            "biases,nap",
            "--keras-defaults biases,nap: input should be 'kernels', 'biases', 'order' or",
        ),
        ("threads", "0", "--threads 0: input should be greater than or equal to 1; for example --threads 1"),
        ("threads", "1025", "--threads 1025: input should be less than or equal to 1024"),
        (
            "epochs",
            "1_0",
            "--epochs 1_0: a number has the digits 0 to 9, no blanks and no underscores; for example --e",
        ),
        ("epochs", " 5 ", "--epochs ' 5 ': a number has the digits"),
        ("epochs", "٣", "--epochs ٣: a number has the digits"),
        ("learning_rate", "1_0", "--learning-rate 1_0: a number has the digits"),
        ("learning_rate", "٣.٣", "--learning-rate ٣.٣: a number has the digits"),
        ("weight_decay", "0.1 ", "--weight-decay '0.1 ': a number has the digits"),
        ("clip_norm", "\t1", r"--clip-norm '\t1': a number has the digits"),
        ("hidden_sizes", "128, 64", "--hidden-sizes '128, 64': a number has the digits"),
        ("hidden_sizes", "1_28,64", "--hidden-sizes 1_28,64: a number has the digits"),
        ("momentum", "0.9", "--momentum 0.9: extra inputs are not permitted; see --help"),
    ],
)
def test_bad_value_is_named_in_one_line_with_a_cure(field, value, message):
    with pytest.raises(InputError) as error:
        parse({field: value})
    assert str(error.value).startswith(message)
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["learning_rate", "weight_decay", "clip_norm"])
def test_a_number_that_vanishes_in_its_dtype_is_refused(field):
    option = name_of(field)
    with pytest.raises(InputError, match=rf"^{option} 1e-50: is 0.0 in float32; for example {option} 0\."):
        parse({field: "1e-50"})
    assert parse({field: "1e-50", "dtype": "float64"}).fields()[field] == 1e-50


@pytest.mark.parametrize("field", ["learning_rate", "clip_norm"])
def test_a_number_that_is_infinite_in_its_dtype_is_refused(field):
    with pytest.raises(InputError, match=rf"^{name_of(field)} 1e39: is inf in float32; "):
        parse({field: "1e39"})


@pytest.mark.parametrize(
    ("optimizer", "learning_rate", "weight_decay"),
    [
        ("sgd", 0.01, 0),
        ("momentum", 0.01, 0),
        ("nesterov", 0.01, 0),
        ("adam", 0.001, 0),
        ("adamw", 0.001, 0.01),
        ("rmsprop", 0.001, 0),
        ("adagrad", 0.01, 0),
    ],
)
def test_what_is_not_given_goes_by_the_optimizer_and_is_recorded_as_a_number(optimizer, learning_rate, weight_decay):
    training = parse({"optimizer": optimizer}).training
    assert (training.learning_rate, training.weight_decay) == (learning_rate, weight_decay)
    assert f'"learning_rate":{learning_rate}' in training.model_dump_json()
    given = parse({"optimizer": optimizer, "learning_rate": "0.5", "weight_decay": "0.25"}).training
    assert (given.learning_rate, given.weight_decay) == (0.5, 0.25)


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("1E-3", 0.001), (".5", 0.5), ("5.", 5.0), ("+2", 2.0)])
def test_a_real_number_may_be_written_as_programs_print_it(text, value):
    assert parse({"learning_rate": text}).training.learning_rate == value


def test_first_bad_field_is_the_one_reported():
    with pytest.raises(InputError, match=r"^--epochs 0:"):
        parse({"threads": "0", "epochs": "0"})
