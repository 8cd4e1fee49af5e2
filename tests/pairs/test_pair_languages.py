"""What a report on a pair says, in another language: nothing in words is left in English."""

import dataclasses
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from shared.pairs import pair_report, pair_words
from shared.pairs.climb import LIMITS, first_beyond
from shared.pairs.description import Description
from shared.pairs.diagnosis import Diagnosis, Precision, _read_only
from shared.pairs.search import Cause, families, read
from shared.reporting.parts import Code, Sources
from shared.system.language import CHINESE, say, translated
from tests.pairs import test_pair_report
from tests.pairs.test_climb import compared, described

FILES = (Path("a.py"), Path("b.py"))
WORDS = re.compile(r"\b[a-z]{2,} [a-z]{2,}")  # that follow one another: a name from outside has no space in it
NO_READER = {"name", "style", "scale", "section"}  # fields that hold keys
# Said by other modules, or quoted from a document that has no other language.
OF_OTHERS = re.compile("The row of")


def sides():
    """Described by their processes in words too, and with other rates of dropout, which only reading can tell."""
    found = described()
    torch = found.torch.model_dump() | {"dropout": {"F.dropout in the model, no. 2": 0.5}, "outputs": "a tensor (4, 2)"}
    keras = found.keras.model_dump() | {"dropout": {"drop": 0.25}, "random_in_evaluation": True}
    keras["calls"][1]["called"] = "the activation of keras.layers.Dense"
    torch["calls"].append(torch["calls"][0] | {"place": "more", "called": "nn.More", "kind": ""})
    torch, keras = map(Description.model_validate, (torch, keras))
    return dataclasses.replace(found, torch=torch, keras=keras)


def diagnosed(off=(), **more):
    """By what checks of these numbers tell, where those of Keras that are in `off` are wrong."""
    losses = (np.array([2.0, 1.0]), np.array([2.0, 1.0 + 1e-9]))
    precisions = {dtype: Precision(dtype, compared(off), losses) for dtype in ("float64", "float32")}
    unexplained = first_beyond(precisions["float64"].checks, LIMITS["float64"])
    held = {"files": FILES, "precisions": precisions, "causes": [], "unexplained": unexplained, "sides": described()}
    return Diagnosis(**held | more)


def same():
    return diagnosed()


def different():
    return diagnosed(
        ["evaluation/call/1/out", "training/loss", "gradient/dense/kernel"],
        sides=sides(),
        read_only=_read_only(sides(), []),
        notes=[],
    )


def explained():
    """By what is read of two models whose normalisations differ."""
    off = ["evaluation/call/0/out"]
    without = first_beyond(compared(off), LIMITS["float64"])
    candidates = [dataclasses.replace(each, family="one") for each in read(test_pair_report.described(), {})]
    assert candidates
    causes = families([Cause(candidate, without) for candidate in candidates * 2])
    return diagnosed(off, causes=causes, unexplained=None, explained=compared())


def texts(value, field=""):
    """All that a reader sees of a part, less code."""
    if isinstance(value, str):
        if field not in NO_READER and not isinstance(value, Code):
            yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each, field)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Sources):
        for each in dataclasses.fields(value):
            if each.name != "results":
                yield from texts(getattr(value, each.name), each.name)


@pytest.mark.parametrize("make", [same, different, explained], ids=lambda make: make.__name__)
def test_no_words_are_left_in_english(make):
    found = make()
    said = [*texts(pair_report.report(found, ("", ""), "compare.py"))]
    assert sum(bool(WORDS.search(text)) for text in said) > 60
    said = [text for text in said if not OF_OTHERS.search(text)]
    seen = [translated(text, CHINESE) for text in said]
    assert [text for text in seen if WORDS.search(text)] == []


def test_the_terminal_is_told_in_its_language():
    told = pair_report.summary(different(), CHINESE).splitlines()
    assert told[0].startswith("DIFFERENT\uff1a")
    assert len(told) > 4
    assert not any(map(WORDS.search, told))


def test_a_name_that_begins_a_sentence_gets_a_capital_in_english_alone():
    text = pair_words.full(say("{name}: a {role} that {lacks} does not have", name="fc.bias", role="x", lacks="Keras"))
    assert text == "Fc.bias: a x that Keras does not have."
    assert translated(text, CHINESE).startswith("fc.bias\uff1a")
    assert translated(pickle.loads(pickle.dumps(text)), CHINESE) == translated(text, CHINESE)  # noqa: S301


def test_what_a_process_tells_in_words_is_what_it_told():
    told = sides()
    assert [*told.torch.dropout] == ["F.dropout in the model, no. 2"]
    assert (told.torch.outputs, told.keras.calls[1].called) == (
        "a tensor (4, 2)",
        "the activation of keras.layers.Dense",
    )
    sent = told.keras.model_dump_json()
    assert Description.model_validate_json(sent).model_dump_json() == sent
