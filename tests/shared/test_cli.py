import argparse
import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from shared.cli import make_parser, parse, positive, take_only
from shared.configuration import FIELDS, Configuration
from shared.help_text import wrapped
from shared.system.errors import InputError
from shared.system.language import BY_LOCALE, CHINESE, ENGLISH


@pytest.fixture
def parser(monkeypatch):
    # argparse wraps its help to the terminal, and a narrow one would break words.
    monkeypatch.setenv("COLUMNS", "80")
    return make_parser("program", "What it does.", "out/here")


def test_options_are_the_fields_of_the_configuration_and_out(parser):
    options = re.findall(r"^  (--[\w-]+)", parser.format_help(), flags=re.MULTILINE)
    fields = [name for name in FIELDS if name != "keras_defaults"]  # which no user needs
    assert [option.removeprefix("--").replace("-", "_") for option in options] == ["out", "language", *fields]


@pytest.mark.parametrize(
    ("option", "unit", "default"),
    [
        ("--epochs EPOCHS", "passes over the 60,000 training images", "5"),
        ("--batch-size SIZE", "images per step", "64"),
        ("--learning-rate RATE", "step size; if not given, 0.001 in adam and adamw and rmsprop", "0.01"),
        ("--schedule constant|step|cosine", "times 0.1 after 0.5 and 0.75 of all steps", "constant"),
        ("--weight-decay DECAY", "if not given, 0.01 in adamw", "0.0"),
        ("--clip-norm NORM", "largest norm of all gradients together", "0.0"),
        ("--hidden-sizes SIZES", "units in each hidden layer", "128,64"),
        ("--seed SEED", "seeds the initial weights and the order of the images", "0"),
        ("--dtype float32|float64", "precision of every number", "float32"),
        ("--device auto|cpu|cuda", "where to train", "auto"),
        ("--threads THREADS", "CPU threads", "1"),
        ("--out OUT", "output folder", "out/here"),
    ],
)
def test_help_gives_each_option_its_unit_and_default(parser, option, unit, default):
    without_groups = re.sub(r"^\S.*:$", "", parser.format_help(), flags=re.MULTILINE)
    entries = re.split(r"\n  (?=-)", without_groups)
    entry = next(entry for entry in (" ".join(entry.split()) for entry in entries) if entry.startswith(option + " "))
    assert unit in entry
    assert entry.endswith(f"(default: {default})")


def test_help_names_the_program_and_what_it_does(parser, capsys):
    with pytest.raises(SystemExit) as end:
        parse(parser, ["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m program [options]\n")
    assert "What it does." in text


HELP_IN = {
    ENGLISH: ["usage: python -m program [options]", "options:", "what is trained:", "CPU threads for the arithmetic"],
    CHINESE: ["用法：python -m program [选项]", "选项:", "训练什么:", "用于计算的 CPU 线程数（默认：1）"],
}


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        (["--help", "--language", "zh-CN"], {}, CHINESE),
        (["--language", "zh-CN", "--help"], {}, CHINESE),
        (["--help", "--language=zh-CN"], {}, CHINESE),
        (["--epochs", "0", "--language", "en", "--language", "zh-CN", "-h"], {}, CHINESE),
        (["--help"], {"LANG": "zh_CN.UTF-8"}, CHINESE),
        (["--help", "--language", "en"], {"LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN"}, ENGLISH),
        (["--help"], {"LANG": "C"}, ENGLISH),
        (["--help", "--language", "zh-CN"], {"LC_ALL": "C"}, CHINESE),
    ],
    ids=str,
)
def test_help_is_in_the_language_that_is_named_wherever_it_is_else_the_locales(
    parser, monkeypatch, capsys, words, environment, told
):
    for variable in BY_LOCALE:
        monkeypatch.setenv(variable, environment.get(variable, ""))
    with pytest.raises(SystemExit) as end:
        parse(parser, words)
    assert end.value.code == 0
    text = capsys.readouterr().out
    for language, lines in HELP_IN.items():
        assert [line in text for line in lines] == [language == told] * len(lines)


def test_in_chinese_every_line_of_help_fits_the_terminal(parser, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    lines = parser.format_help().splitlines()
    assert max(cell_len(line) for line in lines) in range(70, 81)
    assert not [line for line in lines if line.lstrip()[:1] in {*"，。；：、）"}]
    # Nothing is left in English: no two words of it beside each other, but for the names of options and of files.
    assert not re.findall(r"(?<![\w.-])[a-z]{2,} [a-z]{2,}(?![\w.])", "\n".join(lines))


def test_wrapped_text_is_the_same_text():
    text = "如何运行各步：eager，按阅读顺序（docs/workers.md）逐步运行；fast"
    for width in range(20, 80):
        lines = wrapped(text, width)
        assert "".join(lines) == text
        assert max(map(cell_len, lines)) <= width
    assert wrapped("一 two 三", 6) == ["一 two", "三"]
    assert wrapped("a-word-that-is-longer", 6) == ["a-word-that-is-longer"]
    assert wrapped("", 6) == [""]


@pytest.mark.parametrize(
    "words", [["--language", "fr"], ["--language=zh_CN"], ["--help", "--language", ""], ["--language"]]
)
def test_a_language_that_there_is_not_is_refused_even_beside_help(parser, monkeypatch, words):
    monkeypatch.setenv("LANGUAGE", "en")
    message = refusal(parser, words)
    assert message.startswith("argument --language: ")
    assert message.endswith("program --help lists the options")


def test_the_language_is_told_to_processes_and_not_to_a_run(parser, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "en")
    configuration, options = parse(parser, ["--language", "zh-CN", "--epochs", "7"])
    assert os.environ["LANGUAGE"] == "zh-CN"
    assert configuration == Configuration.of(epochs=7)
    assert not hasattr(options, "language")
    take_only(parser, options, {"epochs"}, doing="--pair", why="it is so")


def test_no_options_make_the_default_spec(parser):
    configuration, options = parse(parser, [])
    assert configuration == Configuration()
    assert options.out == Path("out/here")


def test_every_option_reaches_its_field(parser):
    expected = Configuration.of(
        epochs=7,
        batch_size=3,
        optimizer="nesterov",
        learning_rate=1e-5,
        schedule="step",
        weight_decay=0.125,
        clip_norm=0.5,
        hidden_sizes=(9, 8, 7),
        activation="sigmoid",
        seed=2**63 - 1,
        dtype="float64",
        device="cpu",
        engine="eager",
        threads=2,
    )
    configuration, options = parse(parser, [*expected.options(), "--out", "elsewhere"])
    assert configuration == expected
    assert options.out == Path("elsewhere")


def refusal(parser, words):
    """The one-line message of the error that `words` raise."""
    with pytest.raises(InputError) as error:
        parse(parser, words)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("option", "value", "cure"),
    [
        ("--epochs", "many", "for example --epochs 5"),
        ("--batch-size", "60001", "for example --batch-size 64"),
        ("--learning-rate", "nan", "for example --learning-rate 0.01"),
        ("--hidden-sizes", "128;64", "for example --hidden-sizes 128,64"),
        ("--seed", "-1", "for example --seed 0"),
        ("--dtype", "float16", "for example --dtype float32"),
        ("--device", "gpu", "for example --device auto"),
        ("--threads", "0", "for example --threads 1"),
    ],
)
def test_bad_value_is_named_in_one_line_with_a_cure(parser, option, value, cure):
    message = refusal(parser, [option, value])
    assert message.startswith(f"{option} {value}: ")
    assert message.endswith(f"; {cure}")


def test_every_field_of_the_spec_refuses_a_bad_value(parser):
    for option in Configuration().options()[::2]:
        assert refusal(parser, [option, "?"]).startswith(f"{option} ?: ")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--epoch", "3"], "--epoch"),
        (["--batch", "3"], "--batch"),
        (["--ou", "x"], "--ou"),
        (["--batch_size", "3"], "--batch_size"),
        (["stray"], "stray"),
        (["--epochs"], "--epochs"),
        (["--out"], "--out"),
    ],
)
def test_abbreviations_and_unknown_words_are_refused_with_a_cure(parser, words, named):
    message = refusal(parser, words)
    assert named in message
    assert message.endswith("program --help lists the options")


def test_a_former_name_is_taken_with_a_hint(parser, capsys):
    configuration, _ = parse(parser, ["--keras-habits", "biases"])
    assert configuration.training.keras_defaults == ("biases",)
    assert capsys.readouterr().err.startswith("--keras-habits is --keras-defaults now")


@pytest.mark.parametrize("text", ["0", "-1e-3", "nan", "inf", "1e999", "1_0", " 1", "٣", "small", ""])
def test_a_number_that_is_not_finite_and_above_0_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a finite number above 0"):
        positive(text)


def test_a_number_above_0_is_read():
    assert [positive(text) for text in ("1e-3", ".5", "2")] == [1e-3, 0.5, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--lr 0.1", "--lr 0.1; did you mean --learning-rate? "),
        ("--lerning-rate=0.1", "--lerning-rate=0.1; did you mean --learning-rate? "),
        ("word --bs 1", "word --bs 1; did you mean --batch-size? "),
        ("--frobnicate", "--frobnicate; "),
        ("word", "word; "),
    ],
)
def test_an_option_that_was_perhaps_meant_is_named(parser, given, said):
    with pytest.raises(InputError) as error:
        parse(parser, given.split())
    assert str(error.value) == f"unrecognized arguments: {said}program --help lists the options"
